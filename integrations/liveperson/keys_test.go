package liveperson

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafly/signal/integrations"
)

var testRSA = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func testEC(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func digits64(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }

// rsaJWK writes a JWK of modulus n, with more members behind.
func rsaJWK(n *big.Int, more string) string {
	return `{"kty":"RSA","n":"` + digits64(n) + `","e":"AQAB"` + more + `}`
}

func ecJWK(t *testing.T, curve elliptic.Curve, name, more string) string {
	t.Helper()
	point, err := testEC(t, curve).PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	half := len(point) / 2
	e := base64.RawURLEncoding.EncodeToString
	return `{"kty":"EC","crv":"` + name + `","x":"` + e(point[1:1+half]) + `","y":"` + e(point[1+half:]) + `"` + more + `}`
}

func TestReadKeySet(t *testing.T) {
	n := testRSA().N
	private := `,"kid":"r1","d":"` + digits64(testRSA().D) + `","p":"` + digits64(testRSA().Primes[0]) + `","q":"` + digits64(testRSA().Primes[1]) + `"`
	many := strings.Repeat(rsaJWK(n, "")+",", maxKeys)
	none := errNoKeys.Error()
	tests := []struct {
		name, body string
		want       string // kid:alg of each key
		err        string
	}{
		{"RSA and P-256", `{"keys":[` + rsaJWK(n, `,"kid":"r1","use":"sig","alg":"RS256","key_ops":["verify"],"x5t":"abc"`) + `,` + ecJWK(t, elliptic.P256(), "P-256", `,"kid":"e1"`) + `],"more":1}`, "r1:RS256 e1:ES256", ""},
		{"a key without a kid", `{"keys":[` + rsaJWK(n, "") + `]}`, ":RS256", ""},
		{"the private half is let go", `{"keys":[` + rsaJWK(n, private) + `]}`, "r1:RS256", ""},
		{"a hundred keys", `{"keys":[` + strings.TrimSuffix(many, ",") + `]}`, strings.TrimSpace(strings.Repeat(":RS256 ", maxKeys)), ""},
		{"a hundred and one", `{"keys":[` + many + rsaJWK(n, "") + `]}`, "", "the answer has more than 100 keys"},
		{"others' keys are left out", `{"keys":[` + strings.Join([]string{
			rsaJWK(n, `,"kid":"enc","use":"enc"`), rsaJWK(n, `,"kid":"ops","key_ops":["sign"]`), rsaJWK(n, `,"kid":"ps","alg":"PS256"`),
			rsaJWK(n, `,"kid":"new","alg":"RS9000"`), rsaJWK(new(big.Int).Rsh(n, 1024), `,"kid":"short"`),
			ecJWK(t, elliptic.P384(), "P-384", `,"kid":"e384"`), ecJWK(t, elliptic.P256(), "P-256", `,"kid":"es","alg":"RS256"`),
			`{"kty":"oct","k":"c2VjcmV0","kid":"secret","alg":"HS256"}`, `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"ed"}`,
			`{"kty":"LUNAR"}`, `{"kty":"RSA","n":"!"}`, `5`, `null`, rsaJWK(n, `,"kid":"good"`),
		}, ",") + `]}`, "good:RS256", ""},
		{"a point off the curve", `{"keys":[{"kty":"EC","crv":"P-256","x":"` + digits64(big.NewInt(5)) + `","y":"` + digits64(big.NewInt(7)) + `"}]}`, "", none},
		{"no keys", `{"keys":[]}`, "", none},
		{"no list", `{"keys":null}`, "", "the answer is no JWKS"},
		{"one key alone", rsaJWK(n, ""), "", "the answer is no JWKS"},
		{"a page", `<html>`, "", "the answer is no JWKS"},
		{"nothing", ``, "", "the answer is no JWKS"},
		{"keys twice", `{"keys":[],"keys":[` + rsaJWK(n, "") + `]}`, "", "the answer is no JWKS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := readKeySet([]byte(tt.body))
			var got []string
			for _, k := range keys {
				got = append(got, k.kid+":"+k.alg.String())
				switch k.public.(type) {
				case *rsa.PublicKey, *ecdsa.PublicKey:
				default:
					t.Errorf("key %s is a %T", k.kid, k.public)
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("keys = %s\nwant %s", s, tt.want)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error = %v, want %q", err, tt.err)
			}
		})
	}
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestReadPEM(t *testing.T) {
	spki := func(public any) string {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		return block("PUBLIC KEY", der)
	}
	ec := testEC(t, elliptic.P256())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "login"}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &ec.PublicKey, ec)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaPublic := &testRSA().PublicKey
	short := &rsa.PublicKey{N: new(big.Int).Rsh(rsaPublic.N, 1024), E: rsaPublic.E}
	lines := "PEM text must keep its lines"
	tests := []struct {
		name, text string
		want       string
		err        string
	}{
		{"a public key", spki(rsaPublic), "RS256", ""},
		{"an elliptic public key", spki(&ec.PublicKey), "ES256", ""},
		{"the older form of RSA", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(rsaPublic)), "RS256", ""},
		{"a certificate", block("CERTIFICATE", certificate), "ES256", ""},
		{"two keys, with words around", "# old\n" + spki(rsaPublic) + "# new\n" + spki(&ec.PublicKey), "RS256 ES256", ""},
		{"a private key", block("PRIVATE KEY", private), "", "this is a private key: keep it secret"},
		{"a private key behind a public one", spki(rsaPublic) + block("EC PRIVATE KEY", private), "", "this is a private key"},
		{"a request for a certificate", block("CERTIFICATE REQUEST", certificate), "", "this PEM block is something else"},
		{"a public key that is cut", block("PUBLIC KEY", private[:20]), "", "the public key cannot be read: copy it whole"},
		{"a certificate that is cut", block("CERTIFICATE", certificate[:50]), "", "the certificate cannot be read"},
		{"lines that were folded", strings.ReplaceAll(spki(rsaPublic), "\n", " "), "", lines},
		{"a second key without its end", spki(rsaPublic) + "-----BEGIN PUBLIC KEY-----\nAAAA\n", "", lines},
		{"an RSA key of 1024 bits", spki(short), "", "must have 2048 to 8192 bits, and this has 1024"},
		{"the curve P-384", spki(&testEC(t, elliptic.P384()).PublicKey), "", "must be on the curve P-256"},
		{"Ed25519", spki(ed), "", "a key must be RSA, for RS256, or on the elliptic curve P-256, for ES256"},
		{"too many keys", strings.Repeat(spki(&ec.PublicKey), maxKeys+1), "", "at most 100 keys"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := readPEM(tt.text)
			var got []string
			for _, k := range keys {
				got = append(got, k.alg.String())
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("keys = %s, want %s", s, tt.want)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error = %v, want %q", err, tt.err)
			}
		})
	}
}

func TestFetchKeys(t *testing.T) {
	good := `{"keys":[` + rsaJWK(testRSA().N, `,"kid":"r1"`) + `]}`
	local := integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.1"}}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		out    integrations.Outbound
		err    string
	}{
		{"keys", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization")+r.Header.Get("Cookie") != "" || !r.Close {
				t.Errorf("request = %v, close %v", r.Header, r.Close)
			}
			fmt.Fprint(w, good)
		}, local, ""},
		{"a failure", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, local, "the server answered 500"},
		{"nothing there", http.NotFound, local, "the server answered 404"},
		{"a redirect is not followed", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		}, local, "the server points to another address, which Signal does not follow: write the last one into identity_keys"},
		{"an answer over 1 MiB", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, good+strings.Repeat(" ", maxKeySet))
		}, local, "the answer is larger than 1 MiB"},
		{"an answer that breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			fmt.Fprint(w, good)
		}, local, "the answer broke off"},
		{"a connection that breaks off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, local, "the server broke the connection off"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, local, "the answer is no JWKS"},
		{"plain HTTP", nil, integrations.Outbound{AllowHosts: []string{"127.0.0.1"}}, "the address is in plain HTTP, and HTTPS is wanted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.answer)
			defer server.Close()
			keys, err := fetcher(server.URL+"/jwks?tenant=hush", tt.out)(t.Context())
			if tt.err == "" {
				if err != nil || kids(keys) != "r1" {
					t.Errorf("keys %q, %v", kids(keys), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "hush") {
				t.Errorf("error = %v, want %q", err, tt.err)
			}
		})
	}
	t.Run("a private address", func(t *testing.T) {
		server := httptest.NewTLSServer(http.NotFoundHandler())
		defer server.Close()
		if _, err := fetcher(server.URL, integrations.Outbound{})(t.Context()); err == nil || !strings.Contains(err.Error(), "the server's address is not public") {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		server := httptest.NewServer(nil)
		server.Close()
		if _, err := fetcher(server.URL, local)(t.Context()); err == nil || err.Error() != "the server refused the connection" {
			t.Errorf("error = %v", err)
		}
	})
}

func FuzzReadKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[` + rsaJWK(testRSA().N, `,"kid":"r1"`) + `]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"oct","k":""}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := readKeySet(body)
		if (err == nil) != (len(keys) > 0) || len(keys) > maxKeys {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		if err != nil && !json.Valid([]byte(`"`+err.Error()+`"`)) && !strings.Contains(err.Error(), `"keys"`) {
			t.Errorf("the error repeats the answer: %q", err)
		}
	})
}

func TestGuessable(t *testing.T) {
	for sub, want := range map[string]bool{
		"jane@example.com": true, "4711": true, "+1 212-555-0100": true, "(030) 123.456": true,
		"6f1e0c5e8c0b4d0f9a8b": false, "C-4711": false, "a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d": false, "-": false, "": false,
	} {
		if got := guessable(sub); got != want {
			t.Errorf("guessable(%q) = %v", sub, got)
		}
	}
}

func TestAGuessableSubIsRemembered(t *testing.T) {
	if new(Connection).guessedSub() {
		t.Error("a connection without tokens has seen one")
	}
	c := &Connection{prover: new(prover)}
	if c.guessedSub() {
		t.Error("seen before there was one")
	}
	c.prover.guessable.Store(true)
	if !c.guessedSub() {
		t.Error("forgotten")
	}
}
