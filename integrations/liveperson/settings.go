package liveperson

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/mapping"
)

// A Dialect is one of the two forms that the Monitoring API is described in.
type Dialect string

// The dialects that can be set.
const (
	// Auto leaves the choice to Signal. It means DialectSignal: this version
	// does not learn from LivePerson's answers.
	Auto Dialect = "auto"
	// DialectSignal is POST with v=1.0, Signal's own vid and sid, cartStatus
	// and searchContent; a page view is sent alone.
	DialectSignal Dialect = "signal"
	// DialectLivePerson is LivePerson's reference: PUT with v=1.1 and
	// obh=true, LivePerson's own ids, cart and searchInfo; the address of a
	// page view waits for the visitor's next report.
	DialectLivePerson Dialect = "liveperson"
)

// When ctmrinfo.info.customerId is sent.
const (
	CustomerIDAlways        = "always"
	CustomerIDAuthenticated = "authenticated" // only beside an identity with acr loa1
)

// defaultIssuer is what mappings write into identities[].iss.
const defaultIssuer = "Datafly"

// Settings are those of one integration, checked and with defaults filled in.
type Settings struct {
	// MonitoringDomain is LivePerson's host for the account, as the Domain API
	// gives it. Required. It carries a port only for tests.
	MonitoringDomain string
	// AccountID is the account or site ID. Required.
	AccountID string
	// AppInstallationID is the App Key. Required.
	AppInstallationID string
	// Dialect is the form of the requests. Default auto.
	Dialect Dialect
	// Issuer takes the place of "Datafly" in identities[].iss. Default
	// "Datafly", which leaves what the mapping wrote.
	Issuer string
	// OnBehalf sends obh=true: LivePerson does not take our server's address
	// for the visitor's place. Default false in the dialect signal, true in
	// liveperson.
	OnBehalf bool
	// RateLimit is requests per second, the burst the same. Default 100. Too
	// high and LivePerson answers 429; too low and a backlog grows.
	RateLimit float64
	// Concurrency is how many requests may be in flight at once, and how many
	// connections are kept. Default 64.
	Concurrency int
	// CustomerID says when ctmrinfo.info.customerId is sent. Default always.
	CustomerID string
	// FollowDomain takes over a change of the monitoring domain that the Domain
	// API reports. Default true.
	FollowDomain bool

	plain bool // plain HTTP: a test's or the demo's host
}

var (
	livePersonHost = regexp.MustCompile(`^[a-z0-9.-]+\.liveperson\.(net|com)$`)
	accountForm    = regexp.MustCompile(`^[a-zA-Z0-9_]{1,20}$`)
	uuidForm       = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// settingNames are all settings, for the suggestion beside an unknown one.
var settingNames = []string{
	"monitoring_domain", "account_id", "app_installation_id", "dialect", "issuer", "on_behalf",
	"rate_limit", "concurrency", "customer_id", "follow_domain", "identity_token", "identity_keys",
}

// ParseSettings reads the settings of one integration as YAML or JSON gave
// them. Its error joins one *integrations.SettingFault per fault.
func ParseSettings(values map[string]any, out integrations.Outbound) (Settings, error) {
	r := &settingsReader{values: values}
	s := Settings{
		AccountID:         r.account(),
		AppInstallationID: r.appKey(),
		Dialect:           Dialect(r.choice("dialect", string(Auto), string(DialectSignal), string(DialectLivePerson))),
		Issuer:            r.text("issuer", defaultIssuer),
		RateLimit:         r.number("rate_limit", 100, 100_000),
		Concurrency:       int(r.integer("concurrency", 64, 1024)),
		CustomerID:        r.choice("customer_id", CustomerIDAlways, CustomerIDAuthenticated),
		FollowDomain:      r.flag("follow_domain", true),
	}
	s.MonitoringDomain, s.plain = r.domain(out)
	s.OnBehalf = r.flag("on_behalf", s.Dialect == DialectLivePerson)
	for _, name := range []string{"identity_token", "identity_keys"} {
		if values[name] != nil {
			r.fault(name, "this version does not check identity tokens yet, so it cannot send authenticated reports; leave the setting out")
		}
	}
	r.unknown()
	if err := errors.Join(r.faults...); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// settingsReader reads settings by name and gathers what is wrong with them.
type settingsReader struct {
	values map[string]any
	faults []error
}

func (r *settingsReader) fault(name, format string, args ...any) {
	r.faults = append(r.faults, &integrations.SettingFault{Setting: name, Message: fmt.Sprintf(format, args...)})
}

// required reads text that must be there. It reports false when there is
// nothing more to check.
func (r *settingsReader) required(name, what string) (string, bool) {
	s, ok := textOf(r.values[name])
	switch {
	case !ok && r.values[name] != nil:
		r.fault(name, "must be text, got %s", kindOf(r.values[name]))
	case strings.TrimSpace(s) == "":
		r.fault(name, "is required: %s", what)
	default:
		return strings.TrimSpace(s), true
	}
	return "", false
}

func (r *settingsReader) account() string {
	s, ok := r.required("account_id", "your LivePerson account ID, such as 12345678")
	if ok && !accountForm.MatchString(s) {
		r.fault("account_id", "must be 1 to 20 letters, digits or underscores, such as 12345678")
	}
	return s
}

func (r *settingsReader) appKey() string {
	s, ok := r.required("app_installation_id", "the App Key that LivePerson made, such as a1b2c3d4-1234-5678-90ab-cdef12345678")
	if !ok || uuidForm.MatchString(s) {
		return s
	}
	if n := len([]rune(s)); n != 36 {
		r.fault("app_installation_id", "has %d characters, an App Key has 36, such as a1b2c3d4-1234-5678-90ab-cdef12345678", n)
	} else {
		r.fault("app_installation_id", "has 36 characters as it should, but an App Key has hexadecimal digits in groups of 8-4-4-4-12, such as a1b2c3d4-1234-5678-90ab-cdef12345678")
	}
	return s
}

// domain reads the host and reports whether it is spoken to in plain HTTP.
func (r *settingsReader) domain(out integrations.Outbound) (string, bool) {
	s, ok := r.required("monitoring_domain", "the host that LivePerson's Domain API gives for the service smt, such as va.v.liveperson.net; signal liveperson resolve finds it")
	if !ok {
		return "", false
	}
	plain, err := checkHost(s, out)
	if err != nil {
		r.fault("monitoring_domain", "%s", err)
	}
	return s, plain
}

// checkHost says whether host may be spoken to, and whether in plain HTTP. Only
// LivePerson's own names pass, and what the operator opened.
func checkHost(host string, out integrations.Outbound) (plain bool, err error) {
	if strings.Contains(host, "://") || strings.ContainsAny(host, "/?#@ ") {
		return false, errors.New("must be a host alone, without https:// and without a path, such as va.v.liveperson.net")
	}
	if host != strings.ToLower(host) {
		return false, errors.New("must be in lower case, such as va.v.liveperson.net")
	}
	if livePersonHost.MatchString(host) && validName(host) {
		return false, nil
	}
	name, port := splitPort(host)
	switch {
	case !out.Allows(name) && port != "":
		return false, errors.New("must not carry a port, such as va.v.liveperson.net")
	case !out.Allows(name):
		return false, errors.New("must be a host of LivePerson: it ends in .liveperson.net or .liveperson.com, such as va.v.liveperson.net")
	case port != "" && !out.AllowHTTP:
		return false, errors.New("may carry a port only where outbound.allow_http is on, which is for tests")
	case port != "" && !validPort(port):
		return false, errors.New("must have a port from 1 to 65535")
	}
	return out.AllowHTTP, nil
}

// validName refuses names with empty labels, such as "..liveperson.net".
func validName(host string) bool {
	return len(host) <= 253 && !slices.ContainsFunc(strings.Split(host, "."), func(label string) bool {
		return label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-'
	})
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// splitPort splits "127.0.0.1:8089" and "[::1]:8089". A host without a port is
// given back as it is, without brackets.
func splitPort(host string) (name, port string) {
	if name, port, err := net.SplitHostPort(host); err == nil {
		return name, port
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ""
}

func (r *settingsReader) text(name, otherwise string) string {
	v, there := r.values[name]
	if !there || v == nil {
		return otherwise
	}
	s, ok := v.(string)
	if !ok || strings.TrimSpace(s) == "" {
		r.fault(name, "must be text that is not empty; leave it out for %q", otherwise)
		return otherwise
	}
	return s
}

// choice reads one of a few words; the first is the default.
func (r *settingsReader) choice(name string, words ...string) string {
	v := r.values[name]
	if v == nil {
		return words[0]
	}
	if s, _ := v.(string); slices.Contains(words, s) {
		return s
	}
	r.fault(name, "must be %s or %s", strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
	return words[0]
}

func (r *settingsReader) flag(name string, otherwise bool) bool {
	v := r.values[name]
	if v == nil {
		return otherwise
	}
	b, ok := v.(bool)
	if !ok {
		r.fault(name, "must be true or false, got %s", kindOf(v))
		return otherwise
	}
	return b
}

func (r *settingsReader) number(name string, otherwise, most float64) float64 {
	v := r.values[name]
	if v == nil {
		return otherwise
	}
	n, ok := numberOf(v)
	if !ok || !(n > 0 && n <= most) {
		r.fault(name, "must be a number above 0 and at most %g", most)
		return otherwise
	}
	return n
}

func (r *settingsReader) integer(name string, otherwise, most float64) float64 {
	v := r.values[name]
	if v == nil {
		return otherwise
	}
	n, ok := numberOf(v)
	if !ok || n < 1 || n > most || n != math.Trunc(n) {
		r.fault(name, "must be a whole number from 1 to %g", most)
		return otherwise
	}
	return n
}

// unknown refuses names that are no settings, in the order of the alphabet.
func (r *settingsReader) unknown() {
	for _, name := range slices.Sorted(maps.Keys(r.values)) {
		if slices.Contains(settingNames, name) {
			continue
		}
		if near := nearest(name, settingNames); near != "" {
			r.fault(name, "is not a setting of LivePerson; did you mean %s?", near)
			continue
		}
		r.fault(name, "is not a setting of LivePerson; there are %s", strings.Join(settingNames[:10], ", "))
	}
}

// textOf reads text. An id that YAML or JSON took for a whole number is text.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case int, int64, uint64:
		return fmt.Sprint(v), true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatFloat(v, 'f', 0, 64), true
		}
	}
	return "", false
}

func numberOf(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case json.Number:
		n, err := v.Float64()
		return n, err == nil
	}
	return 0, false
}

// kindOf names what a value is, for a person.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	if _, ok := numberOf(v); ok {
		return "a number"
	}
	return "something else"
}

// nearest gives the candidate that name is a slip of, or "".
func nearest(name string, candidates []string) string {
	fold := func(s string) string { return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s)) }
	best, bestAt := "", 4
	for _, c := range candidates {
		if d := mapping.Edits(fold(name), fold(c), bestAt); d < bestAt && d < len(name) {
			best, bestAt = c, d
		}
	}
	return best
}
