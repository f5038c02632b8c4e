package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/integrations"
)

// vendor is a Vendor that wants one setting and has one preset.
type vendor struct{}

func (vendor) Check(settings map[string]any, _ integrations.Outbound) (integrations.Connection, error) {
	var faults []error
	if settings["account_id"] == "env:ACCOUNT" {
		faults = append(faults, errors.New("account_id: it was not fetched"))
	}
	for name := range settings {
		if name != "account_id" {
			faults = append(faults, fmt.Errorf("%s: there is no such setting", name))
		}
	}
	if settings["account_id"] == nil {
		faults = append(faults, errors.New("account_id: it is required"))
	}
	return connection{}, errors.Join(faults...)
}

func (vendor) Preset(name string) ([]byte, bool) {
	return []byte("common: [{target: consumerId, source: anonymousId}]\nevents: [{event: page, fields: [{target: url, source: context.page.url}]}]\n"), name == "retail"
}

type connection struct{}

func (connection) Build(integrations.Visit, []integrations.Item) integrations.Built {
	return integrations.Built{}
}

func (connection) Send(context.Context, integrations.Request) attempt.Result { return attempt.Result{} }

var vendors = Catalog{"liveperson": vendor{}}

const good = `
data: ./data
gateway: {addr: ":8080", trusted_proxies: [10.0.0.0/8, 192.0.2.1]}
console: {addr: "127.0.0.1:8084", api_tokens: [{name: ci, token: "env:CI_TOKEN", role: org_admin}]}
outbound: {allow_http: true, allow_hosts: [127.0.0.1]}
pipelines:
  - name: shop
    key: dk_test_shop
    secret: "env:SHOP_SECRET"
    allowed_origins: ["https://www.example.com"]
    session: {idle: 20m, max: 12h}
    consent: {when_unknown: deny, mapping: {C0004: marketing, C0005: [analytics, advertising]}}
    pii: {hash_fields: [traits.email], redact_fields: []}
    bots: flag
    integrations:
      - name: liveperson
        vendor: liveperson
        enabled: true
        settings: {account_id: "12345678"}
        consent_categories: [marketing]
        preset: retail
`

func TestLoad(t *testing.T) {
	t.Setenv("CI_TOKEN", "a-long-token")
	t.Setenv("SHOP_SECRET", "hush")
	path := filepath.Join(t.TempDir(), "signal.yaml")
	if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, vendors)
	if err != nil {
		t.Fatal(err)
	}
	p := c.Pipelines[0]
	if c.Tokens[0].Token != "a-long-token" || p.Secret != "hush" {
		t.Error("secrets were not fetched from the environment")
	}
	if p.Session.Idle != 20*time.Minute || p.Session.Max != 12*time.Hour || len(c.TrustedProxies) != 2 {
		t.Errorf("session = %+v, proxies = %v", p.Session, c.TrustedProxies)
	}
	if got := p.Consent.Mapping["C0005"]; len(got) != 2 || got[1] != consent.Marketing {
		t.Errorf("C0005 feeds %v, want analytics and marketing", got)
	}
	in := p.Integrations[0]
	if in.ID != "shop/liveperson" || !in.Enabled || c.Ready[in.ID].Program == nil || c.Ready[in.ID].Connection == nil {
		t.Errorf("integration = %+v", in)
	}
}

func TestSettingsOfAVendorMayNameTheEnvironmentAndStayReferences(t *testing.T) {
	src := strings.Replace(good, `account_id: "12345678"`, `account_id: "env:ACCOUNT"`, 1)
	t.Setenv("CI_TOKEN", "a-long-token")
	t.Setenv("SHOP_SECRET", "hush")
	if _, err := Parse("signal.yaml", []byte(src), vendors); err == nil || !strings.Contains(err.Error(), "settings.account_id: the environment has no ACCOUNT") {
		t.Errorf("without the variable: %v", err)
	}
	t.Setenv("ACCOUNT", "12345678")
	c, err := Parse("signal.yaml", []byte(src), vendors)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Pipelines[0].Integrations[0].Settings["account_id"]; got != "env:ACCOUNT" {
		t.Errorf("the setting is kept as %v, want the reference", got)
	}
}

func TestFaultsNameFileLineKeyAndRemedy(t *testing.T) {
	t.Setenv("CI_TOKEN", "a-long-token")
	t.Setenv("SHOP_SECRET", "hush")
	tests := []struct {
		name     string
		from, to string // the change to the good file
		want     []string
	}{
		{"an unknown key", "bots: flag", "botz: flag", []string{`signal.yaml:14:5: pipelines[0].botz: there is no setting "botz" here; did you mean bots?`}},
		{"an unknown key far from any", "data: ./data", "wibble: 1", []string{`signal.yaml:2:1: wibble: there is no setting "wibble" here: use console, data, gateway, outbound, pipelines`}},
		{"two unknown keys at once", "{addr: \":8080\", trusted_proxies", "{adr: \":8080\", proxies", []string{"gateway.adr", "gateway.proxies"}},
		{"no YAML at all", "data: ./data", "data: [", []string{"signal.yaml:"}},
		{"a key that is there twice", "data: ./data", "data: ./data\ndata: ./other", []string{"signal.yaml:"}},
		{"an address that is none", `addr: ":8080"`, `addr: "8080"`, []string{"signal.yaml:3:", `gateway.addr: "8080" is no address: write host:port`}},
		{"a bad duration", "idle: 20m", "idle: soon", []string{"signal.yaml:11", `"soon" is no duration: write 30m, 24h or 90s`}},
		{"a proxy that is none", "192.0.2.1]", "nonsense]", []string{"gateway.trusted_proxies[1]", "is no address or network"}},
		{"an unknown role", "role: org_admin", "role: boss", []string{"console.api_tokens[0].role", "use viewer, editor or org_admin"}},
		{"a secret that is not set", "env:CI_TOKEN", "env:NOT_SET", []string{"console.api_tokens[0].token: the environment has no NOT_SET"}},
		{"an empty token", `"env:CI_TOKEN"`, `""`, []string{"console.api_tokens[0].token: it is required"}},
		{"a bad pipeline key", "key: dk_test_shop", "key: 'a b'", []string{"signal.yaml:8:5: pipelines[0].key: a pipeline key is"}},
		{"a missing pipeline key", "key: dk_test_shop", "key: ''", []string{"pipelines[0].key: it is required"}},
		{"a bad name", "- name: shop", "- name: My Shop", []string{"pipelines[0].name", "use small letters"}},
		{"an origin with a path", `"https://www.example.com"`, `"https://www.example.com/shop"`, []string{"pipelines[0].allowed_origins[0]", "write scheme and host"}},
		{"an unknown policy", "when_unknown: deny", "when_unknown: ask", []string{"pipelines[0].consent.when_unknown", "use deny or allow"}},
		{"an unknown category", "C0004: marketing", "C0004: sales", []string{"pipelines[0].consent.mapping.C0004", `"sales" is no consent category`}},
		{"a path outside the event", "[traits.email]", "[email]", []string{"pipelines[0].pii.hash_fields[0]", "must be a path below"}},
		{"an unknown bots rule", "bots: flag", "bots: kill", []string{"pipelines[0].bots", "use flag, drop or keep"}},
		{"an unknown vendor", "vendor: liveperson", "vendor: acme", []string{"pipelines[0].integrations[0].vendor", "use liveperson"}},
		{"a vendor's own fault at its setting", `{account_id: "12345678"}`, `{account_id: "1", colour: red}`, []string{"pipelines[0].integrations[0].settings.colour: there is no such setting"}},
		{"a missing setting of the vendor", `{account_id: "12345678"}`, `{}`, []string{"pipelines[0].integrations[0].settings", "account_id: it is required"}},
		{"an unknown preset", "preset: retail", "preset: resale", []string{"pipelines[0].integrations[0].preset", "use retail"}},
		{"neither preset nor mapping", "        preset: retail\n", "", []string{"preset or mapping is required"}},
		{"preset and mapping together", "preset: retail", "preset: retail\n        mapping: {events: [{event: page, fields: [{target: u, source: context.page.url}]}]}", []string{"together are an error"}},
		{"a fault in a mapping has its place", "preset: retail", "mapping:\n          events:\n            - event: page\n              fields:\n                - {target: u, source: context.page.url, as: colour}", []string{"signal.yaml:25:57", "pipelines[0].integrations[0].mapping.events[0].fields[0].as"}},
		{"an unknown key in a mapping", "preset: retail", "mapping:\n          events:\n            - event: page\n              feilds: []", []string{"signal.yaml:24:15", "did you mean fields?"}},
		{"a very long memory of repeats", "gateway: {", "gateway: {dedupe_window: 48h, ", []string{"gateway.dedupe_window", "at most 24h"}},
		{"two documents", "data: ./data", "data: ./data\n---\ndata: x", []string{"more than one YAML document"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(good, tt.from) {
				t.Fatalf("the good file has no %q", tt.from)
			}
			_, err := Parse("signal.yaml", []byte(strings.Replace(good, tt.from, tt.to, 1)), vendors)
			if err == nil {
				t.Fatal("no error")
			}
			var f *Fault
			if !errors.As(err, &f) {
				t.Errorf("the error is no Fault: %v", err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error = %v\nwant it to contain %q", err, w)
				}
			}
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "signal.yaml") {
					t.Errorf("a line does not name the file: %q", line)
				}
			}
		})
	}
}

func TestAMissingFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "no.yaml"), vendors)
	if err == nil || !strings.Contains(err.Error(), "there is no such file: name one with --config") {
		t.Errorf("error = %v", err)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	f, _, err := parse("x", []byte("console: {api_tokens: [{name: a, token: plain-secret, role: viewer}, {name: b, token: 'env:B', role: viewer}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := yaml.Marshal(f.Effective(nil))
	if err != nil {
		t.Fatal(err)
	}
	text := string(out)
	if strings.Contains(text, "plain-secret") || !strings.Contains(text, "env:B") || !strings.Contains(text, "10m") {
		t.Errorf("effective configuration:\n%s", text)
	}
	if s := fmt.Sprint(f.Console.APITokens[0].Token); strings.Contains(s, "plain") {
		t.Errorf("a secret prints as %q", s)
	}
}
