package webhook

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/mapping"
)

// What a request's body is made of.
const (
	BodyEvent  = "event"  // the canonical event, after governance
	BodyMapped = "mapped" // what the mapping made, as it is
)

const (
	maxBatch   = 100
	maxURL     = 2048 // characters
	goodSecret = 16   // characters, below which there is a warning
	// minHidden is how long a value must be to be hidden in answers. Shorter
	// ones are no secrets, and stand in any text by chance.
	minHidden = 6
	dots      = "••••"
)

// Settings are those of one integration, checked and with defaults filled in.
type Settings struct {
	// URL is where requests go. Required. HTTPS, but for hosts that the
	// operator opened for tests.
	URL string
	// Method is POST, PUT or PATCH. Default POST.
	Method string
	// Body is event or mapped. Default event.
	Body string
	// Headers go with every request, by their canonical names.
	Headers map[string]Secret
	// Secret is the key of the signature. Default none: nothing is signed.
	Secret Secret
	// Bearer is the token of the header Authorization. Default none.
	Bearer Secret
	// User and Password are those of basic authentication. Default none.
	User     string
	Password Secret
	// Timeout bounds one try, from finding the address to the last byte of the
	// answer. Default 10 s, 1 s to 60 s. Longer holds the visitor's lane;
	// shorter sends again what the receiver took.
	Timeout time.Duration
	// RateLimit is requests per second, the burst the same. Default 100. Too
	// high and the receiver answers 429; too low and a backlog grows.
	RateLimit float64
	// Concurrency is how many requests may be in flight at once, and how many
	// connections are kept. Default 64.
	Concurrency int
	// Batch is how many events of one visitor may travel in one request, 1 to
	// 100. Default 1, which sends an object; above, it is always a list.
	Batch int

	plain bool // plain HTTP: a test's host
}

// A Secret is a value that is never shown: it prints and marshals as dots.
type Secret string

// String masks the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return dots
}

// Format masks the secret with every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// MarshalText masks the secret in JSON, YAML and log lines.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// settingNames are all settings, for the suggestion beside an unknown one.
var settingNames = []string{"url", "method", "body", "headers", "secret", "bearer", "basic", "timeout", "rate_limit", "concurrency", "batch"}

// owner is whose settings they are, in the faults.
const owner = "a webhook"

// ParseSettings reads the settings of one integration as YAML or JSON gave
// them, with what env: and file: name already in its place. Its error joins one
// *integrations.SettingFault per fault.
func ParseSettings(values map[string]any, out integrations.Outbound) (Settings, error) {
	r := &reader{integrations.SettingReader{Values: values}}
	secret, _ := r.secret("secret", values["secret"])
	s := Settings{
		Method:      r.Choice("method", http.MethodPost, http.MethodPut, http.MethodPatch),
		Body:        r.Choice("body", BodyEvent, BodyMapped),
		Secret:      secret,
		Bearer:      r.bearer(),
		Timeout:     r.Duration("timeout", 10*time.Second, time.Second, time.Minute),
		RateLimit:   r.Number("rate_limit", 100, 100_000),
		Concurrency: r.Whole("concurrency", 64, 1024),
		Batch:       r.Whole("batch", 1, maxBatch),
	}
	s.URL, s.plain = r.address(out)
	s.User, s.Password = r.basic()
	s.Headers = r.headers()
	r.oneCredential(&s)
	r.Unknown("", values, owner, settingNames, mapping.Nearest)
	if err := r.Err(); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// bearer reads the token of Authorization: Bearer.
func (r *reader) bearer() Secret {
	s, _ := r.secret("bearer", r.Values["bearer"])
	switch {
	case s == "":
	case len(s) >= 7 && strings.EqualFold(string(s[:7]), "bearer "):
		r.Fault("bearer", "must be the token alone, without the word Bearer before it")
	case strings.ContainsFunc(string(s), func(c rune) bool { return c <= ' ' || c > '~' }):
		r.Fault("bearer", "must be one token, without spaces, line ends and letters beyond ASCII")
	}
	return s
}

// basic reads {user, password}.
func (r *reader) basic() (user string, password Secret) {
	v := r.Values["basic"]
	if v == nil {
		return "", ""
	}
	fields, ok := v.(map[string]any)
	if !ok {
		r.Fault("basic", "must be an object {user: …, password: …}, got %s", integrations.KindOf(v))
		return "", ""
	}
	r.Unknown("basic.", fields, owner, []string{"user", "password"}, mapping.Nearest)
	user, ok = integrations.TextOf(fields["user"])
	switch {
	case !ok && fields["user"] != nil:
		r.Fault("basic.user", "must be text, got %s", integrations.KindOf(fields["user"]))
	case user == "":
		r.Fault("basic.user", "is required beside basic: the name to sign in with")
	case strings.ContainsFunc(user, func(c rune) bool { return c == ':' || c < ' ' || c == 0x7f }):
		r.Fault("basic.user", "must not hold a colon or line ends, which basic authentication cannot carry")
	}
	password, _ = r.secret("basic.password", fields["password"])
	if strings.ContainsFunc(string(password), func(c rune) bool { return c < ' ' || c == 0x7f }) {
		r.Fault("basic.password", "must not hold line ends and the like, which basic authentication cannot carry")
	}
	return user, password
}

// oneCredential refuses two ways to sign in at once: only one fits the header.
func (r *reader) oneCredential(s *Settings) {
	var given []string
	if s.Bearer != "" {
		given = append(given, "bearer")
	}
	if r.Values["basic"] != nil {
		given = append(given, "basic")
	}
	if _, ok := s.Headers["Authorization"]; ok {
		given = append(given, "headers.Authorization")
	}
	for i := 1; i < len(given); i++ {
		r.Fault(given[i], "does not go together with %s: a request has one header Authorization, so leave one of them out", given[0])
	}
}

// authorization is the value of the header Authorization, or "". The header of
// the settings is not in it.
func (s *Settings) authorization() string {
	switch {
	case s.Bearer != "":
		return "Bearer " + string(s.Bearer)
	case s.User != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(s.User+":"+string(s.Password)))
	}
	return ""
}

// shownURL is the address for people. Receivers that take a token in the
// address mostly take it in the query, so the query's values are hidden.
func (s *Settings) shownURL() string {
	address, query, ok := strings.Cut(s.URL, "?")
	if !ok {
		return s.URL
	}
	parts := strings.Split(query, "&")
	for i, p := range parts {
		switch name, value, ok := strings.Cut(p, "="); {
		case value != "":
			parts[i] = name + "=" + dots
		case !ok && p != "":
			parts[i] = dots // the whole query may be the token
		}
	}
	return address + "?" + strings.Join(parts, "&")
}

// hider takes the secrets out of what a receiver says: some repeat a request
// in their answer, and answers are kept.
func (s *Settings) hider() *strings.Replacer {
	values := []string{string(s.Secret), string(s.Bearer), string(s.Password)}
	_, credential, _ := strings.Cut(s.authorization(), " ")
	values = append(values, credential)
	for name, v := range s.Headers {
		if !shownHeaders[name] {
			values = append(values, string(v))
		}
	}
	if u, err := url.Parse(s.URL); err == nil {
		for p := range strings.SplitSeq(u.RawQuery, "&") {
			_, raw, ok := strings.Cut(p, "=")
			if !ok {
				raw = p
			}
			values = append(values, raw)
			if plain, err := url.QueryUnescape(raw); err == nil {
				values = append(values, plain)
			}
		}
	}
	// A longer one goes before one that it begins with.
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, v := range values {
		if len(v) >= minHidden {
			pairs = append(pairs, v, dots)
		}
	}
	return strings.NewReplacer(pairs...)
}
