package liveperson

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// A payload is what the mapping made of one event, taken apart. Its bytes share
// memory with the item. A part that is not there is nil.
type payload struct {
	consumerID  []byte
	identities  []byte
	entryPoints [][]byte
	attributes  [][]byte
}

// readPayload takes a payload apart. The error names what is not as a mapping
// writes it.
func readPayload(raw []byte) (payload, error) {
	var p payload
	err := members(raw, func(name, value []byte) error {
		var err error
		switch string(name) {
		case "consumerId":
			p.consumerID = value
		case "identities":
			p.identities = value
		case "entryPoints":
			p.entryPoints, err = elements(value)
		case "engagementAttributes":
			p.attributes, err = elements(value)
		default:
			return fault(string(name) + " is not a field of a LivePerson report: there are consumerId, identities, entryPoints and engagementAttributes")
		}
		if err != nil {
			return fault(string(name) + " must be a list")
		}
		return nil
	})
	return p, err
}

// sameIdentity reports whether two payloads are about the same consumer, at the
// same level of assurance.
func (p *payload) sameIdentity(q *payload) bool {
	return bytes.Equal(p.consumerID, q.consumerID) && bytes.Equal(p.identities, q.identities)
}

// A fault is an error whose text is a reason for a person.
type fault string

func (f fault) Error() string { return string(f) }

const notObject = fault("the mapping's result is not a JSON object")

// An identity is one entry of identities.
type identity struct{ iss, acr, sub []byte }

// A consumer is what the identity block of a report says of the visitor.
type consumer struct {
	assured   bool     // an identity has acr loa1
	guessable bool     // an id is an e-mail address or a number
	faults    []string // none when LivePerson would take it
}

// checkIdentity holds the identity block against LivePerson's rules, and names
// every fault.
func checkIdentity(p *payload) consumer {
	var c consumer
	named := false
	if p.consumerID != nil {
		if jsontext.Value(p.consumerID).Kind() != '"' || len(p.consumerID) == 2 {
			c.faults = append(c.faults, "consumerId must be text that is not empty")
		}
		c.guessable = guessed(p.consumerID)
		named = true
	}
	if p.identities != nil {
		entries, err := elements(p.identities)
		if err != nil {
			c.faults = append(c.faults, "identities must be a list")
			return c
		}
		for _, raw := range entries {
			id, bad := readIdentity(raw)
			c.faults = append(c.faults, bad...)
			c.assured = c.assured || string(id.acr) == `"loa1"`
			c.guessable = c.guessable || guessed(id.sub)
			named = true
		}
	}
	if !named {
		c.faults = append(c.faults, "the report names nobody: LivePerson needs consumerId or identities[0].sub")
	}
	return c
}

// guessed is guessable for JSON text. Most ids have a letter and no @, which is
// seen without a copy.
func guessed(raw []byte) bool {
	if bytes.IndexByte(raw, '@') < 0 && bytes.IndexByte(raw, '\\') < 0 && bytes.ContainsFunc(raw, unicode.IsLetter) {
		return false
	}
	return guessable(plainText(raw))
}

func readIdentity(raw []byte) (id identity, faults []string) {
	err := members(raw, func(name, value []byte) error {
		switch string(name) {
		case "iss":
			id.iss = value
		case "acr":
			id.acr = value
		case "sub":
			id.sub = value
		default:
			return fault("identities has an unknown field: there are iss, acr and sub")
		}
		return nil
	})
	if errors.Is(err, notObject) {
		err = fault("identities must hold objects")
	}
	if err != nil {
		return id, []string{err.Error()}
	}
	if acr := string(id.acr); acr != `"0"` && acr != `"loa1"` {
		faults = append(faults, `identities.acr must be "0" or "loa1"`)
	}
	if jsontext.Value(id.sub).Kind() != '"' || len(id.sub) == 2 {
		faults = append(faults, "identities.sub must be text that is not empty")
	}
	if id.iss != nil && jsontext.Value(id.iss).Kind() != '"' {
		faults = append(faults, "identities.iss must be text")
	}
	return id, faults
}

// members calls f for each member of the object raw, in order, with the name
// unquoted. It stops at the first error of f. Values share memory with raw.
func members(raw []byte, f func(name, value []byte) error) error {
	d := borrow(raw)
	defer giveBack(d)
	if d.PeekKind() != '{' {
		return notObject
	}
	if _, err := d.ReadToken(); err != nil {
		return notObject
	}
	for d.PeekKind() != '}' {
		v, err := d.ReadValue()
		if err != nil {
			return notObject
		}
		name := part(d, raw, v)
		if v, err = d.ReadValue(); err != nil {
			return notObject
		}
		if err := f(name[1:len(name)-1], part(d, raw, v)); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return notObject
	}
	return nil
}

// elements gives the elements of the list raw. They share memory with raw.
func elements(raw []byte) ([][]byte, error) {
	d := borrow(raw)
	defer giveBack(d)
	if d.PeekKind() != '[' {
		return nil, fault("not a list")
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	var out [][]byte
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		out = append(out, part(d, raw, v))
	}
	_, err := d.ReadToken()
	return out, err
}

// part gives the bytes of the value that d read last as a part of raw, since
// the decoder's own do not last.
func part(d *scanner, raw []byte, v jsontext.Value) []byte {
	end := int(d.InputOffset())
	return raw[end-len(v) : end : end]
}

// plainText unquotes JSON text; a number is given by its digits.
func plainText(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return string(raw)
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	b, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return ""
	}
	return string(b)
}

// absolute reports whether s is an address with a scheme, as LivePerson wants
// entry points.
func absolute(s string) bool {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || rest == "" || scheme == "" || len(s) > maxText || scheme[0] < 'a' || scheme[0] > 'z' {
		return false
	}
	for _, c := range []byte(scheme) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}

// A scanner is a decoder with what it reads from, kept together for reuse.
type scanner struct {
	jsontext.Decoder
	from bytes.Buffer
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// borrow gives a scanner over raw; giveBack must follow.
func borrow(raw []byte) *scanner {
	s := scanners.Get().(*scanner)
	s.restart(raw)
	return s
}

func giveBack(s *scanner) {
	s.restart(nil) // so that it keeps no payload alive
	scanners.Put(s)
}

func (s *scanner) restart(raw []byte) {
	s.from = *bytes.NewBuffer(raw)
	s.Reset(&s.from)
}
