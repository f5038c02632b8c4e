package liveperson

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/mapping"
)

// A Setup is an integration as it stands in the configuration, with what its
// pipeline does to personal data before.
type Setup struct {
	Settings map[string]any
	Mapping  *mapping.Mapping
	Hashed   []string // paths that are replaced by their hash
	Redacted []string // paths that are taken out
	Exempt   []string // paths that the mapping sees as they came all the same
}

// Advice gives whole sentences about what works and is still not wise, none
// when all is well. It is for signal check.
func (s Setup) Advice() []string {
	var out []string
	if s.Mapping != nil {
		fields := slices.Clone(s.Mapping.Common)
		for i := range s.Mapping.Events {
			fields = append(fields, s.Mapping.Events[i].Fields...)
		}
		for i := range fields {
			out = append(out, s.guessable(&fields[i])...)
		}
	}
	path, _ := s.Settings["identity_token"].(string)
	for _, hidden := range slices.Concat(s.Hashed, s.Redacted) {
		if path != "" && covers(hidden, path) {
			out = append(out, fmt.Sprintf("The pipeline hashes or redacts %s, so no token ever comes through at identity_token (%s). Take the path out of the pii rules.", hidden, path))
		}
	}
	return slices.Compact(out)
}

// namesConsumer are the targets that say who the consumer is.
var namesConsumer = regexp.MustCompile(`^(consumerId|identities\[[0-9]*\]\.sub)$`)

// guessable warns of a field that makes an identity of an e-mail address or a
// phone number.
func (s Setup) guessable(f *mapping.Field) []string {
	if !namesConsumer.MatchString(f.Target) {
		return nil
	}
	const say = "The mapping feeds %s from %s, which can be guessed. LivePerson asks for an identity that nobody can guess: use anonymousId, or a random id of the customer."
	var out []string
	for _, path := range f.Source {
		if personal(path) && (!s.hidden(path) || s.exempt(path)) {
			out = append(out, fmt.Sprintf(say, f.Target, path))
		}
	}
	if found := personalWord.FindString(f.Expr); found != "" {
		out = append(out, fmt.Sprintf(say, f.Target, "an expression with "+found))
	}
	return out
}

func (s Setup) hidden(path string) bool {
	return slices.ContainsFunc(slices.Concat(s.Hashed, s.Redacted), func(by string) bool { return covers(by, path) })
}

func (s Setup) exempt(path string) bool {
	return slices.ContainsFunc(s.Exempt, func(by string) bool { return covers(by, path) })
}

// covers reports whether path is at or below by.
func covers(by, path string) bool {
	return path == by || strings.HasPrefix(path, by+".") || strings.HasPrefix(path, by+"[")
}

// personalNames are what a field with an e-mail address or a phone number is
// called, as event.FoldName folds them.
var personalNames = []string{
	"email", "emailaddress", "mail", "useremail",
	"phone", "phonenumber", "mobile", "mobilephone", "mobilenumber", "telephone", "telephonenumber", "tel", "msisdn",
}

// personal reports whether the last step of a path is called so.
func personal(path string) bool {
	last := path[strings.LastIndexByte(path, '.')+1:]
	last, _, _ = strings.Cut(last, "[")
	return slices.Contains(personalNames, event.FoldName(last))
}

var personalWord = regexp.MustCompile(`(?i)\b[a-z_.]*(e_?mail|phone|msisdn)[a-z_]*\b`)
