package liveperson

import (
	"context"
	"encoding/json"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
)

var _ integrations.Preparer = (*Connection)(nil)

// Why what stands on an event in the place of a token cannot be one.
const (
	tooLong = "it is longer than 16 KiB"
	notText = "it is not text"
)

// notValid begins the reason of each event whose token does not hold.
const notValid = "The visitor's token is not valid: "

// A prover decides who an event is about by a signed token on it. It is safe
// for many goroutines.
type prover struct {
	path             string // of the token on the event
	issuer, audience string // "" asks for none
	keys             *keySet
	guessable        atomic.Bool // a sub was an e-mail address or a number
}

// prover gives what checks the tokens of these settings; nil when they name
// none.
func (s *Settings) prover(out integrations.Outbound) *prover {
	if s.IdentityToken == "" {
		return nil
	}
	p := &prover{path: s.IdentityToken, issuer: s.IdentityIssuer, audience: s.IdentityAudience, keys: new(keySet)}
	if s.pinned != nil {
		p.keys.keys = *s.pinned
	} else {
		p.keys.fetch = fetcher(s.IdentityKeys, out)
	}
	return p
}

// token takes the token of an event, or says why what stands there is none.
// Neither means that the event has no token: its visitor is anonymous.
func (p *prover) token(e *event.Event) (token, unfit string) {
	value, _ := e.Lookup(p.path)
	if event.Empty(value) {
		return "", ""
	}
	token, ok := value.(string)
	switch {
	case !ok:
		return "", notText
	case len(token) > maxToken:
		return "", tooLong
	}
	return token, ""
}

// Prepare decides who an item is about, where identity_token is set: by a valid
// token on the event, its sub with acr loa1; without a token, an anonymous
// visitor with acr "0", whatever the mapping wrote. A token that is not valid
// ends the item. An error means that the keys cannot be had now, so that nobody
// can say. Once it is decided, the item has no token any more.
func (c *Connection) Prepare(ctx context.Context, item integrations.Item) (ready integrations.Item, reason string, err error) {
	if c.prover == nil {
		return item, "", nil
	}
	x := readExtra(item.Extra)
	if x.Settled {
		return item, "", nil
	}
	sub, refusal := "", x.Unfit
	if x.Token != "" {
		if sub, refusal, err = c.prover.subject(ctx, x.Token, item.ReceivedAt); err != nil {
			return item, "", err
		}
	}
	x.Token, x.Unfit, x.Settled = "", "", true
	item.Extra = x.encode()
	switch {
	case refusal != "":
		item.Payload = anonymous(item.Payload)
		return item, notValid + refusal, nil
	case sub == "":
		item.Payload = anonymous(item.Payload)
		return item, "", nil
	case guessable(sub):
		c.prover.guessable.Store(true)
	}
	item.Payload = assured(item.Payload, sub)
	return item, "", nil
}

// who gives the payload that Build goes by, and whether Prepare may still find
// the visitor to be assured. A payload that Prepare has not seen is that of an
// anonymous visitor: a mapping cannot vouch for anybody where tokens do.
func (c *Connection) who(item *integrations.Item) (payload json.RawMessage, open bool) {
	if c.prover == nil {
		return item.Payload, false
	}
	x := readExtra(item.Extra)
	if x.Settled {
		return item.Payload, false
	}
	return anonymous(item.Payload), x.Token != ""
}

// tendKeys keeps the keys of the tokens fresh until ctx ends. It returns at
// once when there are none to fetch.
func (c *Connection) tendKeys(ctx context.Context) {
	if c.prover != nil {
		c.prover.keys.tend(ctx)
	}
}

// guessedSub reports whether a valid token named its visitor by an e-mail
// address or a number.
func (c *Connection) guessedSub() bool { return c.prover != nil && c.prover.guessable.Load() }

// guessable reports whether sub is an e-mail address, or digits alone, such as
// a phone number or a serial number.
func guessable(sub string) bool {
	if strings.Contains(sub, "@") {
		return true
	}
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune("+-(). ", r) {
			return -1
		}
		return r
	}, sub)
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// anonymous gives a payload with acr "0" in every identity. What is not as a
// mapping writes it stays, and is refused by Build.
func anonymous(payload []byte) []byte {
	return withIdentities(payload, func(dst, list []byte) []byte {
		entries, err := elements(list)
		if err != nil {
			return append(dst, list...)
		}
		dst = append(dst, '[')
		for _, entry := range entries {
			dst = withMembers(comma(dst), entry, []member{{"acr", []byte(`"0"`)}}, false)
		}
		return append(dst, ']')
	})
}

// assured gives a payload about the consumer sub, with acr loa1. Of the
// identities the first stays, with its issuer.
func assured(payload []byte, sub string) []byte {
	quoted, _ := jsontext.AppendQuote(nil, sub) // a token's claims are valid UTF-8
	proven := []member{{"acr", []byte(`"loa1"`)}, {"sub", quoted}}
	first := []byte(`{"iss":"` + defaultIssuer + `"}`)
	var list []byte
	_ = members(payload, func(name, value []byte) error {
		if string(name) == "identities" {
			list = value
		}
		return nil
	})
	if entries, err := elements(list); err == nil && len(entries) > 0 {
		first = entries[0]
	}
	list = append(withMembers([]byte{'['}, first, proven, true), ']')
	return withMembers(nil, payload, []member{{"consumerId", quoted}, {"identities", list}}, true)
}

// withIdentities gives a payload whose identities are what rewrite appends.
func withIdentities(payload []byte, rewrite func(dst, list []byte) []byte) []byte {
	var list []byte
	_ = members(payload, func(name, value []byte) error {
		if string(name) == "identities" {
			list = rewrite(nil, value)
		}
		return nil
	})
	if list == nil {
		return payload
	}
	return withMembers(nil, payload, []member{{"identities", list}}, false)
}

// A member is one of an object that is written anew.
type member struct {
	name  string
	value []byte
}

// withMembers appends the object raw to dst with the values of given in the
// places of its own. With add, those that it does not have come at its end. All
// other bytes stay, as does what is no object.
func withMembers(dst, raw []byte, given []member, add bool) []byte {
	start := len(dst)
	dst = append(dst, '{')
	put := make([]bool, len(given))
	err := members(raw, func(name, value []byte) error {
		for i := range given {
			if string(name) == given[i].name {
				value, put[i] = given[i].value, true
			}
		}
		dst = append(openMember(dst, name), value...)
		return nil
	})
	if err != nil {
		return append(dst[:start], raw...)
	}
	for i := range given {
		if add && !put[i] {
			dst = append(openMember(dst, []byte(given[i].name)), given[i].value...)
		}
	}
	return append(dst, '}')
}

// tokenPath is a dotted path as event.Walk reads it.
var tokenPath = regexp.MustCompile(`^[^.\[\]\s]+(\.[^.\[\]\s]+|\[[0-9]{1,6}\])*$`)

// identity reads the settings of authenticated monitoring.
func (r *settingsReader) identity(s *Settings, out integrations.Outbound) {
	s.IdentityToken = r.optional("identity_token")
	s.IdentityKeys = r.optional("identity_keys")
	s.IdentityIssuer = r.optional("identity_issuer")
	s.IdentityAudience = r.optional("identity_audience")
	if s.IdentityToken != "" {
		r.tokenPath(s.IdentityToken)
	}
	if s.IdentityKeys != "" {
		s.pinned = r.keys(s.IdentityKeys, out)
	}
	switch {
	case r.Values["identity_token"] != nil && r.Values["identity_keys"] == nil:
		r.Fault("identity_keys", "is required beside identity_token: the https address of a JWKS, or a public key or certificate in PEM, to check the tokens with")
	case r.Values["identity_keys"] != nil && r.Values["identity_token"] == nil:
		r.Fault("identity_token", "is required beside identity_keys: the path of the token on the event, such as context.identity.token")
	}
	for _, name := range []string{"identity_issuer", "identity_audience"} {
		if r.Values[name] != nil && r.Values["identity_token"] == nil {
			r.Fault(name, "works only with identity_token and identity_keys: add them, or leave it out")
		}
	}
}

// optional reads text that may be left out.
func (r *settingsReader) optional(name string) string {
	v := r.Values[name]
	if v == nil {
		return ""
	}
	s, ok := v.(string)
	if s = strings.TrimSpace(s); !ok || s == "" {
		r.Fault(name, "must be text that is not empty; leave it out if there is none")
	}
	return s
}

func (r *settingsReader) tokenPath(path string) {
	root, _, _ := strings.Cut(path, ".")
	switch {
	case strings.HasPrefix(path, "eyJ"):
		r.Fault("identity_token", "must be the path of the token on the event, such as context.identity.token, and this looks like a token itself: take it out of the file")
	case !tokenPath.MatchString(path) || len(path) > 256:
		r.Fault("identity_token", "must be a path on the event, such as context.identity.token or properties.identity_token")
	case root == "traits":
		r.Fault("identity_token", "must not be below traits, which stay with the visitor after the token has expired: use a path such as context.identity.token")
	}
}

// keys reads identity_keys: nil for an address, which is fetched later.
func (r *settingsReader) keys(value string, out integrations.Outbound) *[]key {
	if strings.Contains(value, "-----BEGIN") {
		keys, err := readPEM(value)
		if err != nil {
			r.Fault("identity_keys", "%s", err)
		}
		return &keys
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || len(value) > 2048:
		r.Fault("identity_keys", "must be the https address of a JWKS, such as https://login.example.com/.well-known/jwks.json, or a public key or certificate in PEM")
	case u.User != nil || u.Fragment != "":
		r.Fault("identity_keys", "must be an address without a user and without #")
	case u.Scheme == "http" && !(out.AllowHTTP && out.Allows(u.Hostname())):
		r.Fault("identity_keys", "must begin with https://; plain HTTP is for hosts of outbound.allow_hosts, where outbound.allow_http is on")
	case !public(u.Hostname()) && !out.Allows(u.Hostname()):
		r.Fault("identity_keys", "must not be a private address; outbound.allow_hosts can open it")
	}
	return nil
}

// public reports whether host may be on the public internet, as far as its
// text says.
func public(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host != "localhost" && (err != nil || integrations.Public(addr))
}
