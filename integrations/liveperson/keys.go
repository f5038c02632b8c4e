package liveperson

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/datafly/signal/integrations"
)

const (
	// fetchTimeout bounds one request for the keys. A visitor's lane may wait
	// for it.
	fetchTimeout = 5 * time.Second
	// maxKeySet is how large an answer with keys may be, maxKeys how many keys
	// it may hold. Identity providers publish two or three, in a few kilobytes.
	maxKeySet = 1 << 20
	maxKeys   = 100

	// keysFresh is how old keys become before they are fetched again, and so
	// how long a key that was withdrawn is still taken.
	keysFresh = 10 * time.Minute
	// keysLast is how long keys are used while their server fails. A shorter
	// time ends authenticated reports with the first night of trouble.
	keysLast = 24 * time.Hour
	// lookAgain is the least time between two requests because of a kid that
	// is not known, however many tokens have one.
	lookAgain = 30 * time.Second
	// tryAgain is the least time between two requests while there are no keys
	// at all.
	tryAgain = 5 * time.Second
)

// A key is one public key that tokens may be signed with. Each key has exactly
// one algorithm, so that a token cannot choose another.
type key struct {
	kid    string // empty fits every token
	alg    jwa.SignatureAlgorithm
	public any // *rsa.PublicKey or *ecdsa.PublicKey
}

// usableKey gives the key for public, or why Signal cannot use it.
func usableKey(public any) (key, error) {
	switch p := public.(type) {
	case *rsa.PublicKey:
		if n := p.N.BitLen(); n < 2048 || n > 8192 {
			return key{}, fmt.Errorf("an RSA key must have 2048 to 8192 bits, and this has %d", n)
		}
		return key{alg: jwa.RS256(), public: p}, nil
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return key{}, errors.New("an elliptic key must be on the curve P-256")
		}
		return key{alg: jwa.ES256(), public: p}, nil
	}
	return key{}, errors.New("a key must be RSA, for RS256, or on the elliptic curve P-256, for ES256")
}

// readPEM gives the public keys and those of the certificates in text. Its
// error says how the text should look; it repeats nothing of it.
func readPEM(text string) ([]key, error) {
	var keys []key
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		public, err := publicKey(block)
		if err != nil {
			return nil, err
		}
		k, err := usableKey(public)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	switch {
	case len(keys) == 0 || strings.Contains(string(rest), "-----BEGIN"):
		return nil, errors.New("PEM text must keep its lines, from -----BEGIN to -----END; in YAML write identity_keys: | and the text below, indented")
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("there may be at most %d keys", maxKeys)
	}
	return keys, nil
}

func publicKey(block *pem.Block) (public any, err error) {
	switch {
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return nil, errors.New("this is a private key: keep it secret, and write its public key here (openssl pkey -pubout)")
	case block.Type == "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = c.PublicKey
		}
	default:
		return nil, errors.New("a public key or a certificate is wanted, and this PEM block is something else")
	}
	if err != nil {
		return nil, fmt.Errorf("the %s cannot be read: copy it whole", strings.ToLower(block.Type))
	}
	return public, nil
}

// errNoKeys is of a JWKS from which nothing can be used. It may be a mistake or
// the owner's last resort: no token is taken until there are keys again, and
// none is refused.
var errNoKeys = errors.New("the answer has no key for RS256 (RSA with at least 2048 bits) or ES256 (curve P-256)")

// readKeySet gives the keys of a JWKS that can prove a signature. Those of
// other kinds are left out, as are those for encryption: a server publishes
// them for others.
func readKeySet(body []byte) ([]key, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	switch err := json.Unmarshal(body, &set); {
	case err != nil || set.Keys == nil:
		return nil, errors.New(`the answer is no JWKS: an object with a list "keys" is wanted`)
	case len(set.Keys) > maxKeys:
		return nil, fmt.Errorf("the answer has more than %d keys", maxKeys)
	}
	var keys []key
	for _, raw := range set.Keys {
		if k, ok := readJWK(raw); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

func readJWK(raw []byte) (key, bool) {
	one, err := jwk.ParseKey(raw)
	if err != nil {
		return key{}, false
	}
	if one, err = one.PublicKey(); err != nil {
		return key{}, false
	}
	var public any
	if err := jwk.Export(one, &public); err != nil {
		return key{}, false
	}
	k, err := usableKey(public)
	if err != nil {
		return key{}, false
	}
	if use, there := one.KeyUsage(); there && use != "sig" {
		return key{}, false
	}
	if alg, there := one.Algorithm(); there && alg.String() != k.alg.String() {
		return key{}, false
	}
	if ops, there := one.KeyOps(); there && !verifies(ops) {
		return key{}, false
	}
	k.kid, _ = one.KeyID()
	return k, true
}

func verifies(ops jwk.KeyOperationList) bool {
	for _, op := range ops {
		if op == jwk.KeyOpVerify {
			return true
		}
	}
	return false
}

// A keySet holds the keys of identity_keys. Those of a JWKS are fetched, kept,
// and fetched again. It is safe for many goroutines.
type keySet struct {
	// fetch asks the server. Nil means that the keys are those of the settings
	// and never change.
	fetch func(context.Context) ([]key, error)

	tended atomic.Bool // tend keeps them fresh

	mu     sync.Mutex
	keys   []key         // nil when there are none
	since  time.Time     // when keys were fetched
	tried  time.Time     // the end of the last request
	looked time.Time     // the end of the last request because of an unknown kid
	failed error         // of the last request; nil when it gave keys
	flight chan struct{} // closed at the end of the request under way; else nil
}

// held gives the keys in use. Its error says why there are none, for a person.
func (k *keySet) held(ctx context.Context) ([]key, error) {
	if k.fetch == nil {
		return k.keys, nil
	}
	due := k.none
	if !k.tended.Load() {
		due = k.stale
	}
	if err := k.refresh(ctx, due, nil); err != nil {
		return nil, fmt.Errorf("the keys of identity_keys were not there in time: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.usable() {
		return k.keys, nil
	}
	return nil, fmt.Errorf("the keys of identity_keys could not be fetched: %w", k.failed)
}

// look gives the keys after asking for them because of an unknown kid, which
// it does at once but not too often. Its error says that the server fails, so
// that nobody can tell whether there is such a key.
func (k *keySet) look(ctx context.Context) ([]key, error) {
	if k.fetch == nil {
		return k.keys, nil
	}
	if err := k.refresh(ctx, k.unknown, &k.looked); err != nil {
		return nil, fmt.Errorf("the keys of identity_keys were not there in time: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed != nil {
		return nil, fmt.Errorf("a token was signed with a new key, and the keys of identity_keys could not be fetched: %w", k.failed)
	}
	return k.keys, nil
}

// tend keeps the keys fresh until ctx ends.
func (k *keySet) tend(ctx context.Context) {
	if k == nil || k.fetch == nil {
		return
	}
	k.tended.Store(true)
	defer k.tended.Store(false)
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		// A failure is kept in k, and the next tick tries again.
		_ = k.refresh(ctx, k.stale, nil)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// usable reports whether there are keys that are not too old. With k.mu held.
func (k *keySet) usable() bool { return k.keys != nil && time.Since(k.since) < keysLast }

// none, stale and unknown say whether a request is due. With k.mu held.
func (k *keySet) none() bool { return !k.usable() && time.Since(k.tried) >= tryAgain }

func (k *keySet) stale() bool {
	return k.none() || time.Since(k.since) >= keysFresh && time.Since(k.tried) >= lookAgain
}

func (k *keySet) unknown() bool { return time.Since(k.looked) >= lookAgain }

// refresh fetches the keys if that is due. One request is under way at a time,
// and whoever needs its answer waits for it. ended, if not nil, is set to the
// request's end. The error is that of ctx; what the server did wrong is in
// k.failed.
func (k *keySet) refresh(ctx context.Context, due func() bool, ended *time.Time) error {
	lead, err := k.lead(ctx, due)
	if err != nil || !lead {
		return err
	}
	keys, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.flight)
	k.flight = nil
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // this caller gave up, which says nothing of the server
	}
	k.tried, k.failed = time.Now(), err
	if ended != nil {
		*ended = k.tried
	}
	switch {
	case err == nil:
		k.keys, k.since = keys, k.tried
	case errors.Is(err, errNoKeys):
		k.keys = nil // they were withdrawn, so they count no more
	}
	return nil
}

// lead reports whether this caller makes the request, which it does if one is
// due and none is under way. It waits for one that is.
func (k *keySet) lead(ctx context.Context, due func() bool) (bool, error) {
	for {
		k.mu.Lock()
		if !due() {
			k.mu.Unlock()
			return false, nil
		}
		flight := k.flight
		if flight == nil {
			k.flight = make(chan struct{})
			k.mu.Unlock()
			return true, nil
		}
		k.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// fetcher gives the function that asks address for a JWKS.
func fetcher(address string, out integrations.Outbound) func(context.Context) ([]key, error) {
	client := out.Client(integrations.ClientOptions{Connect: fetchTimeout, Idle: 1})
	return func(ctx context.Context) ([]key, error) {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, errors.New("the address is not valid")
		}
		req.Header.Set("Accept", "application/jwk-set+json, application/json")
		req.Close = true // one request in ten minutes keeps no connection
		resp, err := client.Do(req)
		if err != nil {
			return nil, errors.New(noKeys(err))
		}
		defer resp.Body.Close()
		switch {
		case resp.StatusCode/100 == 3:
			return nil, errors.New("the server points to another address, which Signal does not follow: write the last one into identity_keys")
		case resp.StatusCode != http.StatusOK:
			return nil, fmt.Errorf("the server answered %d", resp.StatusCode)
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
		switch {
		case err != nil:
			return nil, errors.New("the answer broke off")
		case len(body) > maxKeySet:
			return nil, errors.New("the answer is larger than 1 MiB")
		}
		return readKeySet(body)
	}
}

// noKeys words a transport error without the address, in half a sentence.
func noKeys(err error) string {
	switch {
	case errors.Is(err, integrations.ErrNotPublic):
		return "the server's address is not public, so Signal does not go there"
	case errors.Is(err, integrations.ErrPlainHTTP):
		return "the address is in plain HTTP, and HTTPS is wanted"
	}
	said := strings.TrimSuffix(cause(err, fetchTimeout), ".")
	if did, ok := strings.CutPrefix(said, "It "); ok {
		return "the server " + did
	}
	if of, ok := strings.CutPrefix(said, "Its "); ok {
		return "the server's " + of
	}
	return strings.ToLower(said[:1]) + said[1:]
}
