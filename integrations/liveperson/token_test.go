package liveperson_test

import (
	"crypto/elliptic"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/datafly/signal/integrations/liveperson"
)

// attack is a token that must not be believed, and a part of the reason.
type attack struct {
	name  string
	token any
	want  string
}

func attacks(t *testing.T) []attack {
	t.Helper()
	rs := object{"alg": "RS256", "kid": "r1"}
	with := func(header object) object {
		h := maps.Clone(rs)
		maps.Copy(h, header)
		return h
	}
	good := token(rsaKey(), rs, claims(nil))
	parts := strings.Split(good, ".")
	r1 := " (kid r1)"
	return []attack{
		{"alg none", token(nil, with(object{"alg": "none"}), claims(nil)), "it was not signed with RS256 or ES256" + r1},
		{"alg None, and a signature", token(rsaKey(), with(object{"alg": "None"}), claims(nil)), "it was not signed with RS256 or ES256" + r1},
		{"no alg", token(rsaKey(), object{"kid": "r1"}, claims(nil)), "it was not signed with RS256 or ES256" + r1},
		{"HS256 with the public key as secret", token([]byte(publicPEM(rsaKey())), with(object{"alg": "HS256"}), claims(nil)), "it was not signed with RS256 or ES256" + r1},
		{"RS512", token(rsaKey(), with(object{"alg": "RS512"}), claims(nil)), "it was not signed with RS256 or ES256" + r1},
		{"PS256", token(rsaKey(), with(object{"alg": "PS256"}), claims(nil)), "it was not signed with RS256 or ES256" + r1},
		{"ES256 for an RSA key", token(ellipse(), with(object{"alg": "ES256"}), claims(nil)), "its algorithm is not that of the key that it names" + r1},
		{"an unknown kid", token(rsaOther(), with(object{"kid": "r9"}), claims(nil)), "it was signed with a key that identity_keys does not have (kid r9)"},
		{"an unknown key without a kid", token(rsaOther(), object{"alg": "RS256"}, claims(nil)), "it was signed with a key that identity_keys does not have (it names no kid)"},
		{"an unknown key under a known kid", token(rsaOther(), rs, claims(nil)), "its signature was not made with the key that it names" + r1},
		{"the kid of another key", token(rsaKey(), with(object{"kid": "r2"}), claims(nil)), "its signature was not made with the key that it names (kid r2)"},
		{"a key of its own in the header", token(rsaOther(), with(object{"kid": "own", "jwk": jwkOf(rsaOther(), nil)}), claims(nil)), "identity_keys does not have (kid own)"},
		{"a key set of its own in the header", token(rsaOther(), with(object{"jku": "https://evil.example/jwks"}), claims(nil)), "its signature was not made with the key that it names"},
		{"a kid with a path", token(rsaOther(), with(object{"kid": "../../dev/null\n<script>"}), claims(nil)), "identity_keys does not have (its kid is not shown)"},
		{"a kid that is an e-mail address", token(rsaOther(), with(object{"kid": "jane@example.com"}), claims(nil)), "(its kid is not shown)"},
		{"a kid that is a number", token(rsaKey(), with(object{"kid": 1}), claims(nil)), "its header cannot be read"},
		{"a key for encryption", token(rsaOther(), with(object{"kid": "enc"}), claims(nil)), "identity_keys does not have (kid enc)"},
		{"a key for another algorithm", token(rsaOther(), with(object{"kid": "ps"}), claims(nil)), "identity_keys does not have (kid ps)"},

		{"a payload that was changed", flip(good, 1), "its signature was not made with the key that it names" + r1},
		{"a signature that was changed", flip(good, 2), "its signature was not made with the key that it names" + r1},
		{"a header that was changed", b64.EncodeToString([]byte(`{"alg":"RS256","kid":"r1","x":1}`)) + "." + parts[1] + "." + parts[2], "its signature was not made with the key that it names" + r1},
		{"no signature", parts[0] + "." + parts[1] + ".", "its signature was not made with the key that it names" + r1},
		{"a header with a name twice", b64.EncodeToString([]byte(`{"alg":"none","alg":"RS256","kid":"r1"}`)) + "." + parts[1] + "." + parts[2], "its header cannot be read"},
		{"a crit header", token(rsaKey(), with(object{"crit": []string{"exp"}}), claims(nil)), "its header asks for an extension that Signal does not have" + r1},
		{"an empty crit header", token(rsaKey(), with(object{"crit": []string{}}), claims(nil)), "its header asks for an extension that Signal does not have" + r1},
		{"b64 false without crit", token(rsaKey(), with(object{"b64": false}), claims(nil)), "its header asks for an extension that Signal does not have" + r1},

		{"expired", token(rsaKey(), rs, claims(object{"exp": came.Unix() - 60})), "it had expired when the event came (exp)" + r1},
		{"without end", token(rsaKey(), rs, claims(object{"exp": nil})), "it has no exp" + r1},
		{"an end that is text", token(rsaKey(), rs, claims(object{"exp": "2030-01-01"})), "its exp is not a number of seconds" + r1},
		{"an end that is no double", token(rsaKey(), rs, `{"sub":"x","exp":1e999}`), "its exp is not a number of seconds" + r1},
		{"not yet valid", token(rsaKey(), rs, claims(object{"nbf": came.Unix() + 61})), "it was not valid yet when the event came (nbf)" + r1},
		{"issued in the future", token(rsaKey(), rs, claims(object{"iat": came.Unix() + 61})), "it was issued after the event came (iat)" + r1},
		{"another issuer", token(rsaKey(), rs, claims(object{"iss": "https://login.shop.example/"})), "its iss is not that of identity_issuer" + r1},
		{"no issuer", token(rsaKey(), rs, claims(object{"iss": nil})), "its iss is not that of identity_issuer" + r1},
		{"another audience", token(rsaKey(), rs, claims(object{"aud": []string{"shop"}})), "its aud is not that of identity_audience" + r1},
		{"no audience", token(rsaKey(), rs, claims(object{"aud": nil})), "its aud is not that of identity_audience" + r1},
		{"an audience that is an object", token(rsaKey(), rs, claims(object{"aud": object{"a": "signal"}})), "its aud is not that of identity_audience" + r1},
		{"no sub", token(rsaKey(), rs, claims(object{"sub": nil})), "it has no sub" + r1},
		{"an empty sub", token(rsaKey(), rs, claims(object{"sub": " \t"})), "its sub is empty" + r1},
		{"a sub that is a number", token(rsaKey(), rs, claims(object{"sub": 4711})), "its sub is not text" + r1},
		{"a sub that is too long", token(rsaKey(), rs, claims(object{"sub": strings.Repeat("a", 513)})), "its sub has more than 512 characters" + r1},
		{"a sub twice", token(rsaKey(), rs, `{"sub":"a","exp":9999999999,"sub":"b"}`), "its claims cannot be read" + r1},
		{"claims that are no object", token(rsaKey(), rs, `["sub"]`), "its claims cannot be read" + r1},
		{"claims that are not UTF-8", token(rsaKey(), rs, "{\"sub\":\"\xff\",\"exp\":9999999999}"), "its claims cannot be read" + r1},
		{"a token inside a token", token(rsaKey(), with(object{"cty": "JWT"}), good), "it holds another token, and Signal takes the claims themselves" + r1},
		{"a token inside a token that does not say so", token(rsaKey(), rs, good), "its claims cannot be read" + r1},

		{"a JWE", b64.EncodeToString([]byte(`{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"r1"}`)) + ".a.b.c.d", "it is encrypted, and Signal takes a token that is only signed"},
		{"the JSON form of a JWS", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "it is no signed JWT"},
		{"the word Bearer in front", "Bearer " + good, "it is no signed JWT"},
		{"a token of 17 KiB", token(rsaKey(), rs, claims(object{"pad": strings.Repeat("a", 17<<10)})), "it is longer than 16 KiB"},
		{"a text that is no token", "hello", "it is no signed JWT"},
		{"dots alone", "..", "its header cannot be read"},
		{"a number", json.Number("5"), "it is not text"},
		{"an object", map[string]any{"jwt": good}, "it is not text"},
	}
}

// attacked is a connection whose keys the attacks are made for.
func attacked(t testing.TB) *liveperson.Connection {
	set := provide(t, jwks(
		jwkOf(rsaKey(), object{"kid": "r1", "alg": "RS256"}),
		jwkOf(ellipse(), object{"kid": "e1"}),
		jwkOf(newRSA(2048), object{"kid": "r2", "use": "sig"}),
		jwkOf(rsaOther(), object{"kid": "enc", "use": "enc"}),
		jwkOf(rsaOther(), object{"kid": "ps", "alg": "PS256"}),
	))
	return proving(t, set.URL, map[string]any{"identity_issuer": "https://login.shop.example", "identity_audience": "signal"})
}

func TestATokenThatIsNotValidIsNeverBelieved(t *testing.T) {
	c := attacked(t)
	for _, a := range attacks(t) {
		t.Run(a.name, func(t *testing.T) {
			body, reason := reported(t, c, carrying(c, a.token))
			if !strings.HasPrefix(reason, notValid) || !strings.Contains(reason, a.want) {
				t.Errorf("reason = %q, want %q", reason, notValid+a.want)
			}
			if strings.Contains(body, "loa1") || strings.Contains(body, consumer) {
				t.Errorf("it was believed: %s", body)
			}
			for _, secret := range []string{"eyJ", consumer, "jane@", "shop.example"} {
				if strings.Contains(reason, secret) {
					t.Errorf("the reason says %q: %s", secret, reason)
				}
			}
		})
	}
}

func TestUnknownKeys(t *testing.T) {
	t.Run("A token signed by an unknown key is never sent as loa1", func(t *testing.T) {
		set := provide(t, jwks(jwkOf(rsaKey(), object{"kid": "r1"}), jwkOf(ellipse(), object{"kid": "e1"})))
		for _, keys := range []string{set.URL, publicPEM(rsaKey()), publicPEM(ellipse())} {
			c := proving(t, keys, nil)
			for _, kid := range []any{"r1", "e1", "r9", "", nil} {
				for _, forged := range []string{
					token(rsaOther(), object{"alg": "RS256", "kid": kid}, claims(nil)),
					token(newEC(elliptic.P256()), object{"alg": "ES256", "kid": kid}, claims(nil)),
				} {
					body, reason := reported(t, c, carrying(c, forged))
					if !strings.HasPrefix(reason, notValid) || strings.Contains(body, "loa1") {
						t.Errorf("kid %v: reason = %q, body = %s", kid, reason, body)
					}
				}
			}
		}
	})
}

func FuzzPrepare(f *testing.F) {
	good := token(rsaKey(), object{"alg": "RS256", "kid": "r1"}, claims(nil))
	parts := strings.Split(good, ".")
	for _, seed := range []string{
		good, "", "..", "a.b.c", "a.b.c.d.e", parts[0], parts[0] + ".", parts[0] + "..", parts[0] + "." + parts[1] + ".",
		flip(good, 0), flip(good, 1), flip(good, 2), good + ".", good + "=", "Bearer " + good,
		b64.EncodeToString([]byte(`{"alg":"RS256"}`)) + ".e30.", b64.EncodeToString([]byte(`{"alg":"ES256","kid":null}`)) + ".e30.AAAA",
	} {
		f.Add(seed)
	}
	signed := parts[0] + "." + parts[1] + "."
	c := proving(f, publicPEM(rsaKey())+publicPEM(ellipse()), nil)
	f.Fuzz(func(t *testing.T, text string) {
		ready, reason, err := c.Prepare(t.Context(), carrying(c, text))
		if err != nil {
			t.Fatalf("prepare: %v", err)
		}
		believed := strings.Contains(string(ready.Payload), "loa1")
		if believed && !strings.HasPrefix(text, signed) {
			t.Errorf("believed %q", text)
		}
		if (reason == "") != (believed || text == "") || strings.Contains(string(ready.Extra), `"t"`) {
			t.Errorf("reason = %q, extra = %s of %q", reason, ready.Extra, text)
		}
		if len(text) > 16 && strings.Contains(reason, text) {
			t.Errorf("the reason repeats the token: %q", reason)
		}
	})
}
