package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/identity"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/mapping"
)

// File is signal.yaml as it is written (product.md 10). Read gives it with
// every fault of its form; Load makes it ready for use.
type File struct {
	Data      string                `yaml:"data"`
	Gateway   Gateway               `yaml:"gateway"`
	Console   Console               `yaml:"console"`
	Outbound  integrations.Outbound `yaml:"outbound"`
	Pipelines []Pipeline            `yaml:"pipelines"`
}

// Gateway are the settings of the listener that takes events.
type Gateway struct {
	// Addr is host:port. Default 127.0.0.1:8080; ":8080" listens on every address.
	Addr string `yaml:"addr"`
	// TrustedProxies are addresses or networks (10.0.0.0/8) whose
	// X-Forwarded-For is believed. Default none.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// CookieDomain of _dfid, such as example.com. Default: the host of the call.
	CookieDomain string `yaml:"cookie_domain"`
	// DedupeWindow is how long a messageId is remembered. Default 10 min, at
	// most 24 h.
	DedupeWindow Duration `yaml:"dedupe_window"`
}

// Console are the settings of the listener for people and scripts.
type Console struct {
	// Addr is host:port. Default 127.0.0.1:8084.
	Addr      string  `yaml:"addr"`
	APITokens []Token `yaml:"api_tokens"`
}

// A Token lets a script use the Management API.
type Token struct {
	Name  string `yaml:"name"`
	Token Secret `yaml:"token"`
	Role  string `yaml:"role"` // viewer, editor or org_admin
}

// Pipeline is one site or app.
type Pipeline struct {
	Name           string        `yaml:"name"`
	Key            string        `yaml:"key"`
	Secret         Secret        `yaml:"secret"`
	AllowedOrigins []string      `yaml:"allowed_origins"`
	Session        Session       `yaml:"session"`
	Consent        Consent       `yaml:"consent"`
	PII            PII           `yaml:"pii"`
	Bots           string        `yaml:"bots"` // flag (default), drop or keep
	Integrations   []Integration `yaml:"integrations"`
}

// Session says when a visit ends.
type Session struct {
	Idle Duration `yaml:"idle"` // default 30m
	Max  Duration `yaml:"max"`  // default 24h
}

// Consent says what the banner's codes mean.
type Consent struct {
	WhenUnknown string           `yaml:"when_unknown"` // deny (default) or allow
	Mapping     map[string]Names `yaml:"mapping"`
}

// PII are the fields that governance changes, by path.
type PII struct {
	HashFields   []string `yaml:"hash_fields"`
	RedactFields []string `yaml:"redact_fields"`
}

// Integration is a vendor connected to the pipeline.
type Integration struct {
	Name              string           `yaml:"name"`
	Vendor            string           `yaml:"vendor"`
	Enabled           *bool            `yaml:"enabled"` // default true
	Settings          map[string]any   `yaml:"settings"`
	ConsentCategories []string         `yaml:"consent_categories"`
	Preset            string           `yaml:"preset"`
	Mapping           *mapping.Mapping `yaml:"mapping"`
	PIIExempt         []string         `yaml:"pii_exempt"` // paths that the PII rules leave alone here
}

// Names is one name or a list of names.
type Names []string

// UnmarshalYAML reads either form.
func (n *Names) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if err := unmarshal(&one); err == nil {
		*n = Names{one}
		return nil
	}
	var many []string
	if err := unmarshal(&many); err != nil {
		return fmt.Errorf("a name or a list of names is wanted")
	}
	*n = many
	return nil
}

// Duration is a time.Duration in Go's form: 30m, 24h, 90s.
type Duration time.Duration

// UnmarshalYAML reads Go's form.
func (d *Duration) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	v, err := time.ParseDuration(text)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration: write 30m, 24h or 90s", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalYAML writes Go's form without zero parts.
func (d Duration) MarshalYAML() (any, error) {
	text := time.Duration(d).String()
	if s, ok := strings.CutSuffix(text, "m0s"); ok {
		text = s + "m"
	}
	if s, ok := strings.CutSuffix(text, "h0m"); ok {
		text = s + "h"
	}
	return text, nil
}

// Secret is a value that is never shown: written plainly, or as env:NAME or
// file:PATH, which are read when the configuration is loaded.
type Secret string

// String masks the secret, so that it cannot reach a log line.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "••••"
}

// MarshalYAML gives the reference, or the mask where the value itself stands.
func (s Secret) MarshalYAML() (any, error) {
	if strings.HasPrefix(string(s), "env:") || strings.HasPrefix(string(s), "file:") {
		return string(s), nil
	}
	return s.String(), nil
}

// Effective gives the file with the defaults in the places that are empty, for
// people to read. Secrets show as references or masks when it is marshalled.
func (f *File) Effective(vendors Catalog) *File {
	out := *f
	out.Data = or(out.Data, defaultData)
	out.Gateway.Addr = or(out.Gateway.Addr, defaultGateway)
	out.Console.Addr = or(out.Console.Addr, defaultConsole)
	if out.Gateway.DedupeWindow == 0 {
		out.Gateway.DedupeWindow = Duration(defaultDedupe)
	}
	out.Pipelines = append([]Pipeline(nil), f.Pipelines...)
	on := true
	for i := range out.Pipelines {
		p := &out.Pipelines[i]
		rules := identity.Rules{Idle: time.Duration(p.Session.Idle), Max: time.Duration(p.Session.Max)}.WithDefaults()
		p.Session = Session{Idle: Duration(rules.Idle), Max: Duration(rules.Max)}
		p.Consent.WhenUnknown = or(p.Consent.WhenUnknown, string(consent.Deny))
		p.Bots = or(p.Bots, "flag")
		p.Integrations = append([]Integration(nil), p.Integrations...)
		for j := range p.Integrations {
			in := &p.Integrations[j]
			if in.Enabled == nil {
				in.Enabled = &on
			}
			in.Settings = masked(in.Settings, secretPaths(vendors[in.Vendor]), "")
		}
	}
	return &out
}
