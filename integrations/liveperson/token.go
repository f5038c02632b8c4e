package liveperson

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v3/jws"
)

const (
	// maxToken is how long a token may be. An ID token has one or two KiB.
	maxToken = 16 << 10
	// maxSub is how many characters a token's sub may have.
	maxSub = 512
	// leeway is what clocks may differ by.
	leeway = 60 * time.Second
)

// A tokenHeader is what Signal reads of a token's header.
type tokenHeader struct {
	Alg  string         `json:"alg"`
	Kid  string         `json:"kid"`
	Cty  string         `json:"cty"`
	Crit jsontext.Value `json:"crit"`
	B64  jsontext.Value `json:"b64"`
}

// named is the kid as it stands in a reason: a text of the sender's, so only a
// short one of plain characters is shown.
func (h *tokenHeader) named() string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._~:/+=-", r)
	}
	switch {
	case h.Kid == "":
		return " (it names no kid)"
	case len(h.Kid) > 64 || strings.ContainsFunc(h.Kid, func(r rune) bool { return !plain(r) }):
		return " (its kid is not shown)"
	}
	return " (kid " + h.Kid + ")"
}

// A claimSet is what Signal reads of a token's claims.
type claimSet struct {
	Issuer    jsontext.Value `json:"iss"`
	Subject   jsontext.Value `json:"sub"`
	Audience  jsontext.Value `json:"aud"`
	Expires   jsontext.Value `json:"exp"`
	NotBefore jsontext.Value `json:"nbf"`
	Issued    jsontext.Value `json:"iat"`
}

// subject gives the sub of a token that is valid at the moment that its event
// came; else a refusal, which says what is wrong with it and repeats nothing
// of it but the kid. An error means that the keys cannot be had now.
func (p *prover) subject(ctx context.Context, token string, at time.Time) (sub, refusal string, err error) {
	header, refusal := readHeader(token)
	if refusal != "" {
		return "", refusal, nil
	}
	payload, refusal, err := p.payload(ctx, token, &header)
	if err != nil {
		return "", "", err
	}
	if refusal == "" {
		sub, refusal = p.claims(payload, at)
	}
	if refusal != "" {
		return "", refusal + header.named(), nil
	}
	return sub, "", nil
}

// readHeader reads the header of a signed token in its compact form, or says
// why it is none that Signal takes.
func readHeader(token string) (h tokenHeader, refusal string) {
	if len(token) > maxToken {
		return h, tooLong
	}
	first, rest, _ := strings.Cut(token, ".")
	if strings.Count(rest, ".") == 3 {
		return h, "it is encrypted, and Signal takes a token that is only signed"
	}
	raw, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil || strings.Count(rest, ".") != 1 {
		return h, "it is no signed JWT, which has three parts with dots between them"
	}
	if json.Unmarshal(raw, &h) != nil {
		return h, "its header cannot be read"
	}
	switch {
	case h.Alg != "RS256" && h.Alg != "ES256":
		return h, "it was not signed with RS256 or ES256" + h.named()
	case h.Crit != nil || h.B64 != nil:
		return h, "its header asks for an extension that Signal does not have" + h.named()
	case strings.EqualFold(h.Cty, "JWT"):
		return h, "it holds another token, and Signal takes the claims themselves" + h.named()
	}
	return h, ""
}

// payload gives the payload of a token that one of the keys has signed. A token
// with a new kid, or without a kid, may be signed with a key that came since.
func (p *prover) payload(ctx context.Context, token string, h *tokenHeader) (payload []byte, refusal string, err error) {
	keys, err := p.keys.held(ctx)
	if err != nil {
		return nil, "", err
	}
	if payload, ok := verified(token, h, keys); ok {
		return payload, "", nil
	}
	if refusal := unfit(h, keys); refusal != "" {
		return nil, refusal, nil
	}
	if keys, err = p.keys.look(ctx); err != nil {
		return nil, "", err
	}
	if payload, ok := verified(token, h, keys); ok {
		return payload, "", nil
	}
	if refusal := unfit(h, keys); refusal != "" {
		return nil, refusal, nil
	}
	return nil, "it was signed with a key that identity_keys does not have", nil
}

// verified gives the payload of token if one of the keys that fit has signed
// it.
func verified(token string, h *tokenHeader, keys []key) ([]byte, bool) {
	for _, k := range keys {
		if !k.fits(h.Kid) || k.alg.String() != h.Alg {
			continue
		}
		if payload, err := jws.Verify([]byte(token), jws.WithCompact(), jws.WithKey(k.alg, k.public)); err == nil {
			return payload, true
		}
	}
	return nil, false
}

func (k key) fits(kid string) bool { return k.kid == kid || k.kid == "" || kid == "" }

// unfit says why a token is not valid that no key has signed although one has
// its kid; "" when none has.
func unfit(h *tokenHeader, keys []key) string {
	refusal := ""
	for _, k := range keys {
		switch {
		case h.Kid == "" || k.kid != h.Kid:
		case k.alg.String() == h.Alg:
			return "its signature was not made with the key that it names"
		default:
			refusal = "its algorithm is not that of the key that it names"
		}
	}
	return refusal
}

// claims holds the claims against the settings and the moment at which the
// event came, and gives the sub.
func (p *prover) claims(payload []byte, at time.Time) (sub, refusal string) {
	var c claimSet
	if json.Unmarshal(payload, &c) != nil {
		return "", "its claims cannot be read"
	}
	if refusal := c.timely(at); refusal != "" {
		return "", refusal
	}
	if p.issuer != "" {
		if iss, ok := claimText(c.Issuer); !ok || iss != p.issuer {
			return "", "its iss is not that of identity_issuer"
		}
	}
	if p.audience != "" && !slices.Contains(audiences(c.Audience), p.audience) {
		return "", "its aud is not that of identity_audience"
	}
	sub, ok := claimText(c.Subject)
	switch {
	case c.Subject == nil:
		return "", "it has no sub"
	case !ok:
		return "", "its sub is not text"
	case strings.TrimSpace(sub) == "":
		return "", "its sub is empty"
	case utf8.RuneCountInString(sub) > maxSub:
		return "", fmt.Sprintf("its sub has more than %d characters", maxSub)
	}
	return sub, ""
}

// timely holds the times of a token against the moment at which its event came:
// an event that waits for LivePerson does not outlive its proof.
func (c *claimSet) timely(at time.Time) string {
	if c.Expires == nil {
		return "it has no exp"
	}
	for _, t := range []struct {
		name  string
		value jsontext.Value
		wrong func(seconds float64) bool
		say   string
	}{
		{"exp", c.Expires, func(s float64) bool { return unix(at) >= s+leeway.Seconds() }, "it had expired when the event came (exp)"},
		{"nbf", c.NotBefore, func(s float64) bool { return unix(at) < s-leeway.Seconds() }, "it was not valid yet when the event came (nbf)"},
		{"iat", c.Issued, func(s float64) bool { return unix(at) < s-leeway.Seconds() }, "it was issued after the event came (iat)"},
	} {
		if t.value == nil {
			continue
		}
		var seconds float64
		if t.value.Kind() != '0' || json.Unmarshal(t.value, &seconds) != nil {
			return "its " + t.name + " is not a number of seconds"
		}
		if t.wrong(seconds) {
			return t.say
		}
	}
	return ""
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func claimText(raw jsontext.Value) (string, bool) {
	if raw.Kind() != '"' {
		return "", false
	}
	return plainText(raw), true
}

// audiences reads aud, which is a text or a list of texts.
func audiences(raw jsontext.Value) []string {
	if one, ok := claimText(raw); ok {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil {
		return nil
	}
	return many
}
