package liveperson_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
)

// given are the settings of the cases, with more over them. A nil takes one out.
func given(more map[string]any) map[string]any {
	s := map[string]any{
		"monitoring_domain":   "va.v.liveperson.net",
		"account_id":          "12345678",
		"app_installation_id": "a1b2c3d4-1234-5678-90ab-cdef12345678",
	}
	maps.Copy(s, more)
	return s
}

func TestSettingsHaveDefaults(t *testing.T) {
	s, err := liveperson.ParseSettings(given(nil), integrations.Outbound{})
	if err != nil {
		t.Fatal(err)
	}
	want := liveperson.Settings{
		MonitoringDomain: "va.v.liveperson.net", AccountID: "12345678", AppInstallationID: "a1b2c3d4-1234-5678-90ab-cdef12345678",
		Dialect: liveperson.Auto, Issuer: "Datafly", RateLimit: 100, Concurrency: 64, CustomerID: "always", FollowDomain: true,
	}
	if s != want {
		t.Errorf("settings:\n got %+v\nwant %+v", s, want)
	}
}

func TestOnBehalfGoesByTheForm(t *testing.T) {
	tests := []struct {
		dialect, form string
		set           any
		want          bool
	}{
		{"auto", "", nil, false},
		{"auto", "liveperson", nil, true},
		{"auto", "", true, true},
		{"auto", "liveperson", true, true},
		{"auto", "liveperson", false, false},
		{"signal", "", nil, false},
		{"signal", "", true, true},
		{"liveperson", "", nil, true},
		{"liveperson", "", false, false},
	}
	for _, tt := range tests {
		c := connect(t, map[string]any{"dialect": tt.dialect, "on_behalf": tt.set})
		got := c.BuildAs(tt.form, integrations.Visit{}, []integrations.Item{item(sdes(search))}).Request.URL
		if strings.Contains(got, "&obh=true") != tt.want {
			t.Errorf("dialect %s, form %q, on_behalf %v: %s, want obh=true %v", tt.dialect, tt.form, tt.set, got, tt.want)
		}
	}
}

func TestSettingsFaults(t *testing.T) {
	demo := integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.1", "::1"}}
	tests := []struct {
		name string
		more map[string]any
		out  integrations.Outbound
		want string // all of the error, in lines; "" for none
	}{
		{"an account ID that YAML took for a number", map[string]any{"account_id": uint64(12345678)}, integrations.Outbound{}, ""},
		{"an account ID that JSON took for a number", map[string]any{"account_id": 12345678.0}, integrations.Outbound{}, ""},
		{"an account ID with letters", map[string]any{"account_id": "le_1234"}, integrations.Outbound{}, ""},
		{"an account ID with a slash", map[string]any{"account_id": "12/34"}, integrations.Outbound{},
			"account_id: must be 1 to 20 letters, digits or underscores, such as 12345678"},
		{"an account ID that is too long", map[string]any{"account_id": strings.Repeat("1", 21)}, integrations.Outbound{},
			"account_id: must be 1 to 20 letters, digits or underscores, such as 12345678"},
		{"no account ID", map[string]any{"account_id": nil}, integrations.Outbound{},
			"account_id: is required: your LivePerson account ID, such as 12345678"},

		{"an app key in capitals", map[string]any{"app_installation_id": "A1B2C3D4-1234-5678-90AB-CDEF12345678"}, integrations.Outbound{}, ""},
		{"an app key with one character missing", map[string]any{"app_installation_id": "a1b2c3d4-1234-5678-90ab-cdef1234567"}, integrations.Outbound{},
			"app_installation_id: has 35 characters, an App Key has 36, such as a1b2c3d4-1234-5678-90ab-cdef12345678"},
		{"an app key with a letter that is none", map[string]any{"app_installation_id": "x1b2c3d4-1234-5678-90ab-cdef12345678"}, integrations.Outbound{},
			"app_installation_id: has 36 characters as it should, but an App Key has hexadecimal digits in groups of 8-4-4-4-12, such as a1b2c3d4-1234-5678-90ab-cdef12345678"},
		{"an app key that is a list", map[string]any{"app_installation_id": []any{}}, integrations.Outbound{},
			"app_installation_id: must be text, got a list"},

		{"a domain with more labels", map[string]any{"monitoring_domain": "va.bc-monitoring.liveperson.net"}, integrations.Outbound{}, ""},
		{"a domain under .com", map[string]any{"monitoring_domain": "lo.v.liveperson.com"}, integrations.Outbound{}, ""},
		{"a URL in the place of a domain", map[string]any{"monitoring_domain": "https://va.v.liveperson.net"}, integrations.Outbound{},
			"monitoring_domain: must be a host alone, without https:// and without a path, such as va.v.liveperson.net"},
		{"a domain with a path", map[string]any{"monitoring_domain": "va.v.liveperson.net/x"}, integrations.Outbound{},
			"monitoring_domain: must be a host alone, without https:// and without a path, such as va.v.liveperson.net"},
		{"a domain with a user", map[string]any{"monitoring_domain": "me@va.v.liveperson.net"}, integrations.Outbound{},
			"monitoring_domain: must be a host alone, without https:// and without a path, such as va.v.liveperson.net"},
		{"a domain in capitals", map[string]any{"monitoring_domain": "VA.v.liveperson.net"}, integrations.Outbound{},
			"monitoring_domain: must be in lower case, such as va.v.liveperson.net"},
		{"a domain of somebody else", map[string]any{"monitoring_domain": "liveperson.net.evil.example"}, integrations.Outbound{},
			"monitoring_domain: must be a host of LivePerson: it ends in .liveperson.net or .liveperson.com, such as va.v.liveperson.net"},
		{"a domain that only ends alike", map[string]any{"monitoring_domain": "evilliveperson.net"}, integrations.Outbound{},
			"monitoring_domain: must be a host of LivePerson: it ends in .liveperson.net or .liveperson.com, such as va.v.liveperson.net"},
		{"a domain with an empty label", map[string]any{"monitoring_domain": "va..liveperson.net"}, integrations.Outbound{},
			"monitoring_domain: must be a host of LivePerson: it ends in .liveperson.net or .liveperson.com, such as va.v.liveperson.net"},
		{"a domain with a port", map[string]any{"monitoring_domain": "va.v.liveperson.net:8443"}, integrations.Outbound{},
			"monitoring_domain: must not carry a port, such as va.v.liveperson.net"},
		{"a listed host with a port, but plain HTTP is off", map[string]any{"monitoring_domain": "127.0.0.1:8089"}, integrations.Outbound{AllowHosts: demo.AllowHosts},
			"monitoring_domain: may carry a port only where outbound.allow_http is on, which is for tests"},
		{"the simulator's host in the demo", map[string]any{"monitoring_domain": "127.0.0.1:8089"}, demo, ""},
		{"the simulator's host by IPv6", map[string]any{"monitoring_domain": "[::1]:8089"}, demo, ""},
		{"the simulator's host with a port that is none", map[string]any{"monitoring_domain": "127.0.0.1:80890"}, demo,
			"monitoring_domain: must have a port from 1 to 65535"},
		{"another host of the own machine in the demo", map[string]any{"monitoring_domain": "127.0.0.2:8089"}, demo,
			"monitoring_domain: must not carry a port, such as va.v.liveperson.net"},

		{"a dialect that there is not", map[string]any{"dialect": "french"}, integrations.Outbound{},
			"dialect: must be auto, signal or liveperson"},
		{"an issuer of one's own", map[string]any{"issuer": "https://shop.example"}, integrations.Outbound{}, ""},
		{"an empty issuer", map[string]any{"issuer": " "}, integrations.Outbound{},
			`issuer: must be text that is not empty; leave it out for "Datafly"`},
		{"on_behalf as text", map[string]any{"on_behalf": "yes"}, integrations.Outbound{},
			"on_behalf: must be true or false, got text"},
		{"a rate of nothing", map[string]any{"rate_limit": 0}, integrations.Outbound{},
			"rate_limit: must be a number above 0 and at most 100000"},
		{"a rate below one", map[string]any{"rate_limit": 0.5}, integrations.Outbound{}, ""},
		{"a concurrency with a fraction", map[string]any{"concurrency": 1.5}, integrations.Outbound{},
			"concurrency: must be a whole number from 1 to 1024"},
		{"a customer_id that there is not", map[string]any{"customer_id": "never"}, integrations.Outbound{},
			"customer_id: must be always or authenticated"},
		{"another Domain API where outbound opens it", map[string]any{"domain_api": "http://127.0.0.1:8089"}, demo, ""},
		{"another Domain API with a path", map[string]any{"domain_api": "https://127.0.0.1:8089/sim/"}, demo, ""},
		{"another Domain API that is not open", map[string]any{"domain_api": "https://evil.example"}, demo,
			"domain_api: names a host that outbound.allow_hosts does not open; leave it out for LivePerson's own, https://api.liveperson.net"},
		{"another Domain API in plain HTTP, which is off", map[string]any{"domain_api": "http://127.0.0.1:8089"}, integrations.Outbound{AllowHosts: demo.AllowHosts},
			"domain_api: may be plain HTTP only where outbound.allow_http is on, which is for tests"},
		{"another Domain API that is a host alone", map[string]any{"domain_api": "127.0.0.1:8089"}, demo,
			"domain_api: must be an address such as http://127.0.0.1:8089; leave it out for LivePerson's own, https://api.liveperson.net"},
		{"another Domain API with a question", map[string]any{"domain_api": "http://127.0.0.1:8089?a=1"}, demo,
			"domain_api: must be an address such as http://127.0.0.1:8089; leave it out for LivePerson's own, https://api.liveperson.net"},
		{"another Domain API that is a list", map[string]any{"domain_api": []any{}}, demo,
			"domain_api: must be an address such as http://127.0.0.1:8089; leave it out for LivePerson's own, https://api.liveperson.net"},
		{"a slip of the pen", map[string]any{"acount_id": "1"}, integrations.Outbound{},
			"acount_id: is not a setting of LivePerson; did you mean account_id?"},
		{"the name in another spelling", map[string]any{"appInstallationId": "1"}, integrations.Outbound{},
			"appInstallationId: is not a setting of LivePerson; did you mean app_installation_id?"},
		{"something else", map[string]any{"colour": "1"}, integrations.Outbound{},
			"colour: is not a setting of LivePerson; there are monitoring_domain, account_id, app_installation_id, dialect, issuer, on_behalf, rate_limit, concurrency, customer_id, follow_domain, domain_api, identity_token, identity_keys, identity_issuer, identity_audience"},
		{"every fault is named", map[string]any{"account_id": "a-b", "monitoring_domain": "example.com", "app_installation_id": "1", "on_behalf": 1}, integrations.Outbound{},
			"account_id: must be 1 to 20 letters, digits or underscores, such as 12345678\n" +
				"app_installation_id: has 1 characters, an App Key has 36, such as a1b2c3d4-1234-5678-90ab-cdef12345678\n" +
				"monitoring_domain: must be a host of LivePerson: it ends in .liveperson.net or .liveperson.com, such as va.v.liveperson.net\n" +
				"on_behalf: must be true or false, got a number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := liveperson.New(liveperson.Options{}).Check(given(tt.more), tt.out)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Fatalf("settings %v:\n got %s\nwant %s", tt.more, got, tt.want)
			}
			var fault *integrations.SettingFault
			if err != nil && !errors.As(err, &fault) {
				t.Error("the error holds no SettingFault")
			}
		})
	}
}

func TestPlainHTTPIsForTheDemoOnly(t *testing.T) {
	demo := integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.1", "va.v.liveperson.net"}}
	for host, want := range map[string]string{
		"127.0.0.1:8089":      "http://127.0.0.1:8089/",
		"va.v.liveperson.net": "https://va.v.liveperson.net/", // LivePerson itself is never spoken to in the clear
	} {
		c, err := liveperson.New(liveperson.Options{}).Check(given(map[string]any{"monitoring_domain": host}), demo)
		if err != nil {
			t.Fatal(err)
		}
		got := c.Build(integrations.Visit{}, []integrations.Item{item(`"entryPoints":["https://example.com/"]`)})
		if !strings.HasPrefix(got.Request.URL, want) {
			t.Errorf("URL = %s, want it to begin with %s", got.Request.URL, want)
		}
	}
}

func TestPresets(t *testing.T) {
	v := liveperson.New(liveperson.Options{})
	for _, name := range []string{"retail", "blank"} {
		b, ok := v.Preset(name)
		if !ok || !strings.Contains(string(b), "consumerId") {
			t.Errorf("preset %s is not there", name)
		}
	}
	for _, name := range []string{"", "none", "../settings", "retail.yaml"} {
		if _, ok := v.Preset(name); ok {
			t.Errorf("preset %q is there, want not", name)
		}
	}
}
