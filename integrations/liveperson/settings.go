package liveperson

import (
	"regexp"
	"strings"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/mapping"
)

// A Dialect is one of the two forms that the Monitoring API is described in.
type Dialect string

// The dialects that can be set.
const (
	// Auto begins with DialectSignal and learns from LivePerson's answers.
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
	// for the visitor's place. Default nil: as the form in force, which is
	// false in signal and true in liveperson.
	OnBehalf *bool
	// RateLimit is requests per second, the burst the same. Default 100. Too
	// high and LivePerson answers 429; too low and a backlog grows.
	RateLimit float64
	// Concurrency is how many requests may be in flight at once, and how many
	// connections are kept. Default 64.
	Concurrency int
	// CustomerID says when ctmrinfo.info.customerId is sent. Default always.
	CustomerID string
	// FollowDomain takes over a change of the monitoring domain that the Domain
	// API reports. Default true. Without it a change is shown only.
	FollowDomain bool
	// DomainAPI is the address of another Domain API, such as a simulator's.
	// Default LivePerson's own; but where the operator opened MonitoringDomain
	// (outbound), none is asked.
	DomainAPI string

	// IdentityToken is the path of a signed JWT on the event, such as
	// context.identity.token. Default none: nobody is authenticated.
	IdentityToken string
	// IdentityKeys are what the tokens are checked with: the address of a JWKS,
	// or public keys or certificates in PEM. Required beside IdentityToken.
	IdentityKeys string
	// IdentityIssuer is what a token's iss must be. Default any.
	IdentityIssuer string
	// IdentityAudience must be in a token's aud. Default any.
	IdentityAudience string

	pinned *[]key // IdentityKeys in PEM, read; nil for a JWKS

	plain bool // plain HTTP: a test's or the demo's host
}

var (
	accountForm = regexp.MustCompile(`^[a-zA-Z0-9_]{1,20}$`)
	uuidForm    = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// settingNames are all settings, for the suggestion beside an unknown one.
var settingNames = []string{
	"monitoring_domain", "account_id", "app_installation_id", "dialect", "issuer", "on_behalf",
	"rate_limit", "concurrency", "customer_id", "follow_domain", "domain_api", "identity_token", "identity_keys",
	"identity_issuer", "identity_audience",
}

// ParseSettings reads the settings of one integration as YAML or JSON gave
// them. Its error joins one *integrations.SettingFault per fault.
func ParseSettings(values map[string]any, out integrations.Outbound) (Settings, error) {
	r := &settingsReader{integrations.SettingReader{Values: values}}
	s := Settings{
		AccountID:         r.account(),
		AppInstallationID: r.appKey(),
		Dialect:           Dialect(r.Choice("dialect", string(Auto), string(DialectSignal), string(DialectLivePerson))),
		Issuer:            r.Text("issuer", defaultIssuer),
		RateLimit:         r.Number("rate_limit", 100, 100_000),
		Concurrency:       r.Whole("concurrency", 64, 1024),
		CustomerID:        r.Choice("customer_id", CustomerIDAlways, CustomerIDAuthenticated),
		FollowDomain:      r.Flag("follow_domain", true),
	}
	s.MonitoringDomain, s.plain = r.domain(out)
	if values["on_behalf"] != nil {
		on := r.Flag("on_behalf", false)
		s.OnBehalf = &on
	}
	s.DomainAPI = r.domainAPI(out)
	r.identity(&s, out)
	r.Unknown("", values, "LivePerson", settingNames, nearest)
	if err := r.Err(); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// settingsReader reads the settings, with what LivePerson's own must be.
type settingsReader struct{ integrations.SettingReader }

func (r *settingsReader) account() string {
	s, ok := r.Required("account_id", "your LivePerson account ID, such as 12345678")
	if ok && !accountForm.MatchString(s) {
		r.Fault("account_id", "must be 1 to 20 letters, digits or underscores, such as 12345678")
	}
	return s
}

func (r *settingsReader) appKey() string {
	s, ok := r.Required("app_installation_id", "the App Key that LivePerson made, such as a1b2c3d4-1234-5678-90ab-cdef12345678")
	if !ok || uuidForm.MatchString(s) {
		return s
	}
	if n := len([]rune(s)); n != 36 {
		r.Fault("app_installation_id", "has %d characters, an App Key has 36, such as a1b2c3d4-1234-5678-90ab-cdef12345678", n)
	} else {
		r.Fault("app_installation_id", "has 36 characters as it should, but an App Key has hexadecimal digits in groups of 8-4-4-4-12, such as a1b2c3d4-1234-5678-90ab-cdef12345678")
	}
	return s
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
