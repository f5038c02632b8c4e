package liveperson_test

import (
	"context"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
)

// came is when the events of these tests came. Tokens are held against it.
var came = time.Date(2026, 2, 25, 14, 30, 0, 0, time.UTC)

const consumer = "6f1e0c5e8c0b4d0f9a8b"

// claims are those of a token that is valid when the event comes, with more
// over them. A nil takes one out.
func claims(more object) object {
	c := object{"sub": consumer, "iss": "https://login.shop.example", "aud": "signal", "iat": came.Unix() - 10, "exp": came.Unix() + 300}
	maps.Copy(c, more)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// carrying gives an item with what stands on the event at the token's path, as
// processing makes it. Its mapping wrote loa1, as Retail does with consent.
func carrying(c *liveperson.Connection, onEvent any) integrations.Item {
	i := raw(`{` + loa1 + `,"entryPoints":["https://shop.example/"],"engagementAttributes":[` + purchase + `]}`)
	i.ReceivedAt = came
	e := &event.Event{Fields: map[string]any{"context": map[string]any{"identity": map[string]any{"token": onEvent}}}}
	i.Extra = c.Extract(e)
	return i
}

// reported takes an item through Prepare and Build, and gives the body.
func reported(t *testing.T, c *liveperson.Connection, i integrations.Item) (body, reason string) {
	t.Helper()
	ready, reason, err := c.Prepare(t.Context(), i)
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	// What Prepare refuses is built all the same: nothing may come of it.
	built := c.Build(integrations.Visit{}, []integrations.Item{ready})
	if built.Request == nil {
		t.Fatalf("nothing was built: %+v", built)
	}
	if strings.Contains(string(ready.Extra), "eyJ") {
		t.Errorf("the token is still on the prepared item: %s", ready.Extra)
	}
	return string(built.Request.Body), reason
}

const notValid = "The visitor's token is not valid: "

func TestAValidTokenNamesTheConsumer(t *testing.T) {
	set := provide(t, jwks(jwkOf(rsaKey(), object{"kid": "r1", "use": "sig", "alg": "RS256"}), jwkOf(ellipse(), object{"kid": "e1"})))
	unnamed := provide(t, jwks(jwkOf(rsaOther(), nil), jwkOf(rsaKey(), nil)))
	tests := []struct {
		name  string
		keys  string
		more  map[string]any
		token string
		want  string // the sub, as JSON
	}{
		{"RS256 with a key of the JWKS", set.URL, nil, token(rsaKey(), object{"alg": "RS256", "kid": "r1", "typ": "JWT"}, claims(nil)), ""},
		{"ES256 with a key of the JWKS", set.URL, nil, token(ellipse(), object{"alg": "ES256", "kid": "e1"}, claims(nil)), ""},
		{"no kid, and several keys", set.URL, nil, token(ellipse(), object{"alg": "ES256"}, claims(nil)), ""},
		{"a kid, and keys without", unnamed.URL, nil, token(rsaKey(), object{"alg": "RS256", "kid": "any"}, claims(nil)), ""},
		{"a public key in PEM", publicPEM(rsaKey()), nil, token(rsaKey(), object{"alg": "RS256", "kid": "any"}, claims(nil)), ""},
		{"one of two public keys in PEM", publicPEM(rsaKey()) + publicPEM(ellipse()), nil, token(ellipse(), object{"alg": "ES256"}, claims(nil)), ""},
		{"the issuer and the audience of the settings", set.URL, map[string]any{"identity_issuer": "https://login.shop.example", "identity_audience": "signal"},
			token(rsaKey(), object{"alg": "RS256", "kid": "r1"}, claims(nil)), ""},
		{"an audience among others", set.URL, map[string]any{"identity_audience": "signal"},
			token(rsaKey(), object{"alg": "RS256", "kid": "r1"}, claims(object{"aud": []string{"shop", "signal"}})), ""},
		{"expired within the leeway", set.URL, nil, token(rsaKey(), object{"alg": "RS256", "kid": "r1"}, claims(object{"exp": came.Unix() - 59})), ""},
		{"valid from a moment within the leeway", set.URL, nil, token(rsaKey(), object{"alg": "RS256", "kid": "r1"}, claims(object{"nbf": came.Unix() + 60, "iat": came.Unix() + 60})), ""},
		{"times with fractions", set.URL, nil, token(rsaKey(), object{"alg": "RS256", "kid": "r1"}, claims(object{"exp": float64(came.Unix()) - 59.5})), ""},
		{"neither iat nor iss nor aud", set.URL, nil, token(rsaKey(), object{"alg": "RS256", "kid": "r1"}, claims(object{"iat": nil, "iss": nil, "aud": nil})), ""},
		{"an e-mail address as sub is delivered", set.URL, nil, token(rsaKey(), object{"alg": "RS256", "kid": "r1"}, claims(object{"sub": "jane@example.com"})), `"jane@example.com"`},
		{"a sub with quotes and signs", set.URL, nil, token(rsaKey(), object{"alg": "RS256", "kid": "r1"}, claims(object{"sub": `a"b\é`})), `"a\"b\\é"`},
		{"a sub of 512 characters", set.URL, nil, token(rsaKey(), object{"alg": "RS256", "kid": "r1"}, claims(object{"sub": strings.Repeat("é", 512)})), `"` + strings.Repeat("é", 512) + `"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := proving(t, tt.keys, tt.more)
			body, reason := reported(t, c, carrying(c, tt.token))
			if reason != "" {
				t.Fatalf("reason = %q, want none", reason)
			}
			sub := tt.want
			if sub == "" {
				sub = `"` + consumer + `"`
			}
			want := `{"consumerId":` + sub + `,"identities":[{"iss":"Datafly","acr":"loa1","sub":` + sub + `}],"entryPoints":["https://shop.example/"],"engagementAttributes":[` + purchase + `]}`
			if body != want {
				t.Errorf("body:\n got %s\nwant %s", body, want)
			}
		})
	}
}

func TestAVisitorWithoutATokenIsAnonymous(t *testing.T) {
	c := proving(t, publicPEM(rsaKey()), nil)
	for _, absent := range []any{nil, ""} {
		body, reason := reported(t, c, carrying(c, absent))
		if reason != "" || !strings.HasPrefix(body, `{`+whoIs+`,`) {
			t.Errorf("token %v: reason = %q, body = %s", absent, reason, body)
		}
	}
}

func TestWithoutTheSettingTheMappingDecides(t *testing.T) {
	c := connect(t, nil)
	i := carrying(c, token(rsaOther(), object{"alg": "RS256"}, claims(nil)))
	ready, reason, err := c.Prepare(t.Context(), i)
	if i.Extra != nil || err != nil || reason != "" || string(ready.Payload) != string(i.Payload) {
		t.Errorf("prepare = %s, %q, %v, extra %s", ready.Payload, reason, err, i.Extra)
	}
}

func TestPrepareKeepsWhatItDoesNotDecide(t *testing.T) {
	rest := `"entryPoints":["https://shop.example/"],"engagementAttributes":[{"type":"purchase","total":11.70,"big":12345678901234567890}]`
	good := token(rsaKey(), object{"alg": "RS256"}, claims(nil))
	proven := `"consumerId":"` + consumer + `"`
	tests := []struct {
		name, payload string
		token         any
		want          string
	}{
		{"the order of the keys", `{` + rest + `,` + loa1 + `}`, good, `{` + rest + `,` + proven + `,"identities":[{"iss":"Datafly","acr":"loa1","sub":"` + consumer + `"}]}`},
		{"the first identity's issuer and order, and no other identity",
			`{"identities":[{"sub":"a","acr":"0","iss":"Shop"},{"iss":"Other","acr":"0","sub":"b"}],` + rest + `}`, good,
			`{"identities":[{"sub":"` + consumer + `","acr":"loa1","iss":"Shop"}],` + rest + `,` + proven + `}`},
		{"a payload without identities gets one", `{"consumerId":"ANON",` + rest + `}`, good, `{` + proven + `,` + rest + `,"identities":[{"iss":"Datafly","acr":"loa1","sub":"` + consumer + `"}]}`},
		{"an identity without acr and sub gets them", `{"identities":[{"iss":"Shop"}],` + rest + `}`, good, `{"identities":[{"iss":"Shop","acr":"loa1","sub":"` + consumer + `"}],` + rest + `,` + proven + `}`},
		{"without a token every identity is anonymous", `{` + rest + `,"identities":[{"acr":"loa1","sub":"a"},{"iss":"x","acr":"loa1","sub":"b"}]}`, nil,
			`{` + rest + `,"identities":[{"acr":"0","sub":"a"},{"iss":"x","acr":"0","sub":"b"}]}`},
		{"without a token and identities nothing changes", `{"consumerId":"ANON",` + rest + `}`, nil, `{"consumerId":"ANON",` + rest + `}`},
		{"identities that are no list are left to Build", `{"identities":{"acr":"loa1"},` + rest + `}`, nil, `{"identities":{"acr":"loa1"},` + rest + `}`},
	}
	c := proving(t, publicPEM(rsaKey()), nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := carrying(c, tt.token)
			i.Payload = json.RawMessage(tt.payload)
			before := string(i.Payload)
			ready, reason, err := c.Prepare(t.Context(), i)
			if err != nil || reason != "" || string(ready.Payload) != tt.want {
				t.Errorf("payload, reason %q, %v:\n got %s\nwant %s", reason, err, ready.Payload, tt.want)
			}
			if string(i.Payload) != before {
				t.Errorf("the item that was given changed: %s", i.Payload)
			}
			again, _, _ := c.Prepare(t.Context(), ready)
			if string(again.Payload) != tt.want {
				t.Errorf("prepared twice: %s", again.Payload)
			}
		})
	}
}

// What nobody prepared is not believed, even when the mapping wrote loa1.
func TestBuildDoesNotTrustAMappingWhereTokensDecide(t *testing.T) {
	c := proving(t, publicPEM(rsaKey()), map[string]any{"customer_id": "authenticated"})
	for name, onEvent := range map[string]any{"without a token": nil, "with one that nobody has checked": token(rsaKey(), object{"alg": "RS256"}, claims(nil))} {
		built := c.Build(integrations.Visit{}, []integrations.Item{carrying(c, onEvent)})
		if built.Request == nil || strings.Contains(string(built.Request.Body), "loa1") {
			t.Errorf("%s: %+v", name, built)
		}
	}
}

// The trial of processing comes before Prepare: it must not end what a token
// will make good.
func TestTheCustomersIDWaitsForTheToken(t *testing.T) {
	c := proving(t, publicPEM(rsaKey()), map[string]any{"customer_id": "authenticated"})
	only := `{` + whoIs + `,` + sdes(`{"type":"ctmrinfo","info":{"customerId":"C-4711"}}`) + `}`
	i := carrying(c, token(rsaKey(), object{"alg": "RS256"}, claims(nil)))
	i.Payload = json.RawMessage(only)
	trial := c.Build(integrations.Visit{}, []integrations.Item{i})
	if len(trial.Refused) > 0 || strings.Contains(string(trial.Request.Body), "C-4711") {
		t.Errorf("before Prepare: %+v", trial)
	}
	body, reason := reported(t, c, i)
	if reason != "" || !strings.Contains(body, `"info":{"customerId":"C-4711"}`) {
		t.Errorf("after Prepare: %q, %s", reason, body)
	}
	i = carrying(c, nil)
	i.Payload = json.RawMessage(only)
	ready, _, _ := c.Prepare(t.Context(), i)
	if built := c.Build(integrations.Visit{}, []integrations.Item{ready}); len(built.Refused) != 1 {
		t.Errorf("without a token: %+v", built)
	}
}

func TestRotation(t *testing.T) {
	set := provide(t, jwks(jwkOf(rsaKey(), object{"kid": "old"})))
	c := proving(t, set.URL, nil)
	old := token(rsaKey(), object{"alg": "RS256", "kid": "old"}, claims(nil))
	fresh := token(rsaOther(), object{"alg": "RS256", "kid": "new"}, claims(nil))
	says := func(token, want string) {
		t.Helper()
		if _, reason := reported(t, c, carrying(c, token)); !strings.Contains(reason, want) || (want == "") != (reason == "") {
			t.Errorf("reason = %q, want %q", reason, want)
		}
	}
	says(old, "")
	set.body.Store(jwks(jwkOf(rsaOther(), object{"kid": "new"})))
	says(fresh, "") // on first sight
	says(old, "identity_keys does not have (kid old)")
	says(fresh, "")
	if n := set.asked.Load(); n != 2 {
		t.Errorf("the server was asked %d times, want 2", n)
	}
}

func TestWithoutKeysNothingIsSentAndNothingIsLost(t *testing.T) {
	down := provide(t, "")
	c := proving(t, down.URL, nil)
	i := carrying(c, token(rsaKey(), object{"alg": "RS256", "kid": "r1"}, claims(nil)))
	for range 3 {
		ready, reason, err := c.Prepare(t.Context(), i)
		if err == nil || reason != "" {
			t.Fatalf("prepare = %q, %v, want an error", reason, err)
		}
		if want := "the keys of identity_keys could not be fetched: the server answered 503"; err.Error() != want {
			t.Errorf("error = %q, want %q", err, want)
		}
		if string(ready.Extra) != string(i.Extra) {
			t.Error("the token is lost, so that it cannot be checked later")
		}
	}
	if n := down.asked.Load(); n != 1 {
		t.Errorf("the server was asked %d times within a moment, want once", n)
	}
	if _, reason := reported(t, c, carrying(c, nil)); reason != "" {
		t.Errorf("a visitor without a token: %q", reason)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := proving(t, down.URL, nil).Prepare(ctx, i); err == nil {
		t.Error("prepare after the end of ctx gave no error")
	}
}

func TestAFloodOfForgedTokensIsNoFloodOfRequests(t *testing.T) {
	set := provide(t, jwks(jwkOf(ellipse(), object{"kid": "e1"})))
	c := proving(t, set.URL, nil)
	forger := newEC(elliptic.P256())
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for m := range 25 {
				forged := token(forger, object{"alg": "ES256", "kid": string(rune('a'+n)) + string(rune('a'+m))}, claims(nil))
				if _, reason, err := c.Prepare(t.Context(), carrying(c, forged)); err != nil || reason == "" {
					t.Errorf("prepare = %q, %v", reason, err)
				}
			}
		})
	}
	all.Wait()
	if n := set.asked.Load(); n > 2 {
		t.Errorf("the server was asked %d times, want at most 2", n)
	}
}

func TestIdentitySettings(t *testing.T) {
	local := integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.1", "login.internal"}}
	path, address := "context.identity.token", "https://login.shop.example/jwks.json"
	form := "identity_keys: must be the https address of a JWKS, such as https://login.example.com/.well-known/jwks.json, or a public key or certificate in PEM"
	tests := []struct {
		name string
		more map[string]any
		out  integrations.Outbound
		want string // all of the error; "" for none
	}{
		{"an address", map[string]any{"identity_token": path, "identity_keys": address}, integrations.Outbound{}, ""},
		{"an address with a port and a query", map[string]any{"identity_token": "token", "identity_keys": "https://login.shop.example:8443/jwks?t=1"}, integrations.Outbound{}, ""},
		{"a public key, with the issuer and the audience", map[string]any{"identity_token": "properties.ids[0].jwt", "identity_keys": publicPEM(rsaKey()), "identity_issuer": "https://login.shop.example", "identity_audience": "signal"}, integrations.Outbound{}, ""},
		{"a token without keys", map[string]any{"identity_token": path}, integrations.Outbound{},
			"identity_keys: is required beside identity_token: the https address of a JWKS, or a public key or certificate in PEM, to check the tokens with"},
		{"keys without a token", map[string]any{"identity_keys": address}, integrations.Outbound{},
			"identity_token: is required beside identity_keys: the path of the token on the event, such as context.identity.token"},
		{"an issuer and an audience alone", map[string]any{"identity_issuer": "x", "identity_audience": "y"}, integrations.Outbound{},
			"identity_issuer: works only with identity_token and identity_keys: add them, or leave it out\n" +
				"identity_audience: works only with identity_token and identity_keys: add them, or leave it out"},
		{"an empty path", map[string]any{"identity_token": " ", "identity_keys": address}, integrations.Outbound{}, "identity_token: must be text that is not empty; leave it out if there is none"},
		{"keys that are a list", map[string]any{"identity_token": path, "identity_keys": []any{address}}, integrations.Outbound{}, "identity_keys: must be text that is not empty; leave it out if there is none"},
		{"a path that is none", map[string]any{"identity_token": "context..token", "identity_keys": address}, integrations.Outbound{},
			"identity_token: must be a path on the event, such as context.identity.token or properties.identity_token"},
		{"a path below traits", map[string]any{"identity_token": "traits.token", "identity_keys": address}, integrations.Outbound{},
			"identity_token: must not be below traits, which stay with the visitor after the token has expired: use a path such as context.identity.token"},
		{"a token in the place of its path", map[string]any{"identity_token": "eyJhbGciOiJub25lIn0.e30.", "identity_keys": address}, integrations.Outbound{},
			"identity_token: must be the path of the token on the event, such as context.identity.token, and this looks like a token itself: take it out of the file"},
		{"a host alone", map[string]any{"identity_token": path, "identity_keys": "login.shop.example"}, integrations.Outbound{}, form},
		{"a reference that nobody resolved", map[string]any{"identity_token": path, "identity_keys": "file:keys.pem"}, integrations.Outbound{}, form},
		{"another scheme", map[string]any{"identity_token": path, "identity_keys": "ftp://login.shop.example/"}, integrations.Outbound{}, form},
		{"an address that is none", map[string]any{"identity_token": path, "identity_keys": "https://%zz"}, integrations.Outbound{}, form},
		{"an address with a password", map[string]any{"identity_token": path, "identity_keys": "https://a:hush@login.shop.example/"}, integrations.Outbound{}, "identity_keys: must be an address without a user and without #"},
		{"plain HTTP", map[string]any{"identity_token": path, "identity_keys": "http://login.shop.example/"}, local,
			"identity_keys: must begin with https://; plain HTTP is for hosts of outbound.allow_hosts, where outbound.allow_http is on"},
		{"plain HTTP of a listed host", map[string]any{"identity_token": path, "identity_keys": "http://127.0.0.1:8089/jwks"}, local, ""},
		{"plain HTTP of a listed host where HTTP is off", map[string]any{"identity_token": path, "identity_keys": "http://127.0.0.1:8089/jwks"}, integrations.Outbound{AllowHosts: local.AllowHosts},
			"identity_keys: must begin with https://; plain HTTP is for hosts of outbound.allow_hosts, where outbound.allow_http is on"},
		{"a private address", map[string]any{"identity_token": path, "identity_keys": "https://10.0.0.7/jwks"}, integrations.Outbound{}, "identity_keys: must not be a private address; outbound.allow_hosts can open it"},
		{"the own machine", map[string]any{"identity_token": path, "identity_keys": "https://[::1]/jwks"}, integrations.Outbound{}, "identity_keys: must not be a private address; outbound.allow_hosts can open it"},
		{"the own machine by name", map[string]any{"identity_token": path, "identity_keys": "https://localhost/jwks"}, integrations.Outbound{}, "identity_keys: must not be a private address; outbound.allow_hosts can open it"},
		{"a private address that is listed", map[string]any{"identity_token": path, "identity_keys": "https://127.0.0.1/jwks"}, local, ""},
		{"a private key", map[string]any{"identity_token": path, "identity_keys": "-----BEGIN RSA PRIVATE KEY-----\naHVzaA==\n-----END RSA PRIVATE KEY-----\n"}, integrations.Outbound{},
			"identity_keys: this is a private key: keep it secret, and write its public key here (openssl pkey -pubout)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := liveperson.ParseSettings(given(tt.more), tt.out)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("error:\n got %s\nwant %s", got, tt.want)
			}
			var f *integrations.SettingFault
			if err != nil && !errors.As(err, &f) {
				t.Errorf("the error is no SettingFault: %v", err)
			}
		})
	}
}

func BenchmarkPrepare(b *testing.B) {
	for name, good := range map[string]string{
		"RS256": token(rsaKey(), object{"alg": "RS256"}, claims(nil)), "ES256": token(ellipse(), object{"alg": "ES256"}, claims(nil)),
	} {
		b.Run(name, func(b *testing.B) {
			c := proving(b, publicPEM(rsaKey())+publicPEM(ellipse()), nil)
			i := carrying(c, good)
			for b.Loop() {
				if _, reason, err := c.Prepare(b.Context(), i); err != nil || reason != "" {
					b.Fatal(reason, err)
				}
			}
		})
	}
}
