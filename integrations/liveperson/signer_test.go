package liveperson_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
)

// The signing side, written without the library that checks.

var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	rsaOther = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	ellipse  = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P256()) })
)

func newRSA(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

func newEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

type object map[string]any

var b64 = base64.RawURLEncoding

// token signs claims as a JWT in its compact form, by what header says alone.
func token(key any, header object, claims any) string {
	h, _ := json.Marshal(header)
	c, isText := claims.(string)
	if !isText {
		b, _ := json.Marshal(claims)
		c = string(b)
	}
	signed := b64.EncodeToString(h) + "." + b64.EncodeToString([]byte(c))
	sum := sha256.Sum256([]byte(signed))
	var signature []byte
	switch key := key.(type) {
	case nil:
	case *rsa.PrivateKey:
		s, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			panic(err)
		}
		signature = s
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			panic(err)
		}
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case []byte:
		m := hmac.New(sha256.New, key)
		m.Write([]byte(signed))
		signature = m.Sum(nil)
	}
	return signed + "." + b64.EncodeToString(signature)
}

// jwkOf gives the public half of key as a JWK, with more over it.
func jwkOf(key any, more object) object {
	var out object
	number := func(n *big.Int, size int) string { return b64.EncodeToString(n.FillBytes(make([]byte, size))) }
	switch k := key.(type) {
	case *rsa.PrivateKey:
		out = object{"kty": "RSA", "n": number(k.N, k.Size()), "e": b64.EncodeToString(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PrivateKey:
		point, err := k.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		out = object{
			"kty": "EC", "crv": k.Curve.Params().Name,
			"x": b64.EncodeToString(point[1 : 1+half]), "y": b64.EncodeToString(point[1+half:]),
		}
	}
	for name, value := range more {
		out[name] = value
	}
	return out
}

func jwks(keys ...object) string {
	b, _ := json.Marshal(object{"keys": keys})
	return string(b)
}

func publicPEM(key crypto.Signer) string {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// A provider is an identity provider's server with its keys.
type provider struct {
	*httptest.Server
	asked atomic.Int64
	body  atomic.Value // string; empty answers 503
}

func provide(t testing.TB, body string) *provider {
	t.Helper()
	p := new(provider)
	p.body.Store(body)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.asked.Add(1)
		body := p.body.Load().(string)
		if body == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, body)
	}))
	t.Cleanup(p.Close)
	return p
}

// proving gives a connection that takes tokens from context.identity.token.
func proving(t testing.TB, keys string, more map[string]any) *liveperson.Connection {
	t.Helper()
	settings := given(map[string]any{"identity_token": "context.identity.token", "identity_keys": keys})
	for name, value := range more {
		settings[name] = value
	}
	c, err := liveperson.New(liveperson.Options{}).Check(settings, integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	return c.(*liveperson.Connection)
}

// flip changes one character in the given part of a token.
func flip(token string, part int) string {
	parts := strings.Split(token, ".")
	p := []byte(parts[part])
	if p[len(p)/2] == 'A' {
		p[len(p)/2] = 'B'
	} else {
		p[len(p)/2] = 'A'
	}
	parts[part] = string(p)
	return strings.Join(parts, ".")
}
