// Package config reads signal.yaml and makes it ready for use: settings checked
// by their vendors, mappings compiled, secrets fetched. All faults are found at
// once, each with file, line, setting and remedy. It opens no network and
// writes nothing.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/identity"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/mapping"
	"github.com/datafly/signal/store"
)

// Config is the whole configuration, checked and ready.
type Config struct {
	Data           string
	GatewayAddr    string
	ConsoleAddr    string
	TrustedProxies []netip.Prefix
	CookieDomain   string
	DedupeWindow   time.Duration
	Tokens         []APIToken
	Outbound       integrations.Outbound
	Pipelines      []store.Pipeline

	// Ready holds what was made of each enabled or disabled integration, by its
	// id ("shop/liveperson").
	Ready map[string]Ready
}

// Ready is an integration's mapping, compiled, and its way to the vendor.
type Ready struct {
	Program    *mapping.Program
	Connection integrations.Connection
}

// APIToken is a token of the Management API with its value.
type APIToken struct {
	Name  string
	Token string
	Role  string
}

// Catalog are the vendors by name.
type Catalog map[string]integrations.Vendor

// Load reads the file at path and makes it ready. Its error joins every fault.
func Load(path string, vendors Catalog) (*Config, error) {
	f, doc, err := read(path)
	if err != nil {
		return nil, err
	}
	return f.ready(doc, vendors)
}

// Parse is Load on bytes; name stands in the faults.
func Parse(name string, src []byte, vendors Catalog) (*Config, error) {
	f, doc, err := parse(name, src)
	if err != nil {
		return nil, err
	}
	return f.ready(doc, vendors)
}

func (f *File) ready(doc *document, vendors Catalog) (*Config, error) {
	c := &Config{
		Data: or(f.Data, defaultData), GatewayAddr: or(f.Gateway.Addr, defaultGateway), ConsoleAddr: or(f.Console.Addr, defaultConsole),
		CookieDomain: f.Gateway.CookieDomain, DedupeWindow: time.Duration(f.Gateway.DedupeWindow),
		Outbound: f.Outbound, Ready: map[string]Ready{},
	}
	if c.DedupeWindow == 0 {
		c.DedupeWindow = defaultDedupe
	}
	if c.DedupeWindow > 24*time.Hour {
		doc.fault("gateway.dedupe_window", "it is at most 24h")
	}
	doc.address("gateway.addr", c.GatewayAddr)
	doc.address("console.addr", c.ConsoleAddr)
	c.TrustedProxies = doc.proxies(f.Gateway.TrustedProxies)
	c.Tokens = doc.tokens(f.Console.APITokens)
	names, keys := map[string]bool{}, map[string]bool{}
	for i, p := range f.Pipelines {
		at := fmt.Sprintf("pipelines[%d]", i)
		doc.unique(at+".name", p.Name, names)
		if doc.unique(at+".key", p.Key, keys); !keyForm.MatchString(p.Key) {
			doc.fault(at+".key", "a pipeline key is 6 to 128 letters, digits, _ or -, such as dk_live_ab12cd34")
		}
		c.Pipelines = append(c.Pipelines, doc.pipeline(at, p, f.Outbound, vendors, c.Ready))
	}
	if len(doc.faults) > 0 {
		return nil, errors.Join(doc.faults...)
	}
	return c, nil
}

// The defaults of what a file leaves out.
const (
	defaultData    = "./data"
	defaultGateway = "127.0.0.1:8080"
	defaultConsole = "127.0.0.1:8084"
	defaultDedupe  = 10 * time.Minute
)

var (
	nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	keyForm  = regexp.MustCompile(`^[A-Za-z0-9_-]{6,128}$`)
)

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func (d *document) address(path, addr string) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		d.fault(path, "%q is no address: write host:port, such as 127.0.0.1:8080 or :8080", addr)
		return
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		d.fault(path, "%q is no port: use 1 to 65535", port)
	}
}

func (d *document) proxies(list []string) []netip.Prefix {
	var out []netip.Prefix
	for i, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p.Masked())
		} else if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		} else {
			d.fault(fmt.Sprintf("gateway.trusted_proxies[%d]", i), "%q is no address or network: write 10.0.0.1 or 10.0.0.0/8", s)
		}
	}
	return out
}

func (d *document) tokens(list []Token) []APIToken {
	var out []APIToken
	names := map[string]bool{}
	for i, t := range list {
		at := fmt.Sprintf("console.api_tokens[%d]", i)
		d.unique(at+".name", t.Name, names)
		value := d.secret(at+".token", t.Token)
		if value == "" && t.Token == "" {
			d.fault(at+".token", "it is required: write env:NAME or file:PATH")
		}
		switch t.Role {
		case "viewer", "editor", "org_admin":
		default:
			d.fault(at+".role", "%q is no role: use viewer, editor or org_admin", t.Role)
		}
		out = append(out, APIToken{Name: t.Name, Token: value, Role: t.Role})
	}
	return out
}

// secret fetches what env: and file: name.
func (d *document) secret(path string, s Secret) string {
	if name, ok := strings.CutPrefix(string(s), "env:"); ok {
		v := os.Getenv(name)
		if v == "" {
			d.fault(path, "the environment has no %s: set it, or write file:PATH", name)
		}
		return v
	}
	if name, ok := strings.CutPrefix(string(s), "file:"); ok {
		b, err := os.ReadFile(name)
		v := strings.TrimSpace(string(b))
		switch {
		case err != nil:
			d.fault(path, "the secret's file cannot be read: %v", err)
		case v == "":
			d.fault(path, "the secret's file %s is empty", name)
		}
		return v
	}
	return string(s)
}

// settings gives a vendor's settings with what env: and file: name in their
// places. The references themselves are what is kept and shown.
func (d *document) settings(path string, values map[string]any) map[string]any {
	resolved := make(map[string]any, len(values))
	for name, v := range values {
		switch v := v.(type) {
		case string:
			resolved[name] = d.secret(path+"."+name, Secret(v))
		case map[string]any:
			resolved[name] = d.settings(path+"."+name, v)
		default:
			resolved[name] = v
		}
	}
	return resolved
}

func (d *document) unique(path, name string, seen map[string]bool) {
	switch {
	case name == "":
		d.fault(path, "it is required")
	case seen[name]:
		d.fault(path, "%q is there twice: each must be its own", name)
	case strings.HasSuffix(path, ".name") && !nameForm.MatchString(name):
		d.fault(path, "%q is no name: use small letters, digits, - and _, at most 63", name)
	}
	seen[name] = true
}

func (d *document) pipeline(at string, p Pipeline, out integrations.Outbound, vendors Catalog, ready map[string]Ready) store.Pipeline {
	made := store.Pipeline{
		Name: p.Name, Key: p.Key, Secret: d.secret(at+".secret", p.Secret), AllowedOrigins: d.origins(at, p.AllowedOrigins),
		Session:    identity.Rules{Idle: time.Duration(p.Session.Idle), Max: time.Duration(p.Session.Max)}.WithDefaults(),
		Consent:    d.consent(at+".consent", p.Consent),
		HashFields: p.PII.HashFields, RedactFields: p.PII.RedactFields,
		Bots: or(p.Bots, "flag"), Source: d.name,
	}
	switch made.Bots {
	case "flag", "drop", "keep":
	default:
		d.fault(at+".bots", "%q is not known: use flag, drop or keep", p.Bots)
	}
	for _, list := range []struct {
		name  string
		paths []string
	}{{"hash_fields", p.PII.HashFields}, {"redact_fields", p.PII.RedactFields}} {
		for i, path := range list.paths {
			if root, _, _ := strings.Cut(path, "."); root == path || root != "properties" && root != "traits" && root != "context" {
				d.fault(fmt.Sprintf("%s.pii.%s[%d]", at, list.name, i), "%q must be a path below properties, traits or context, such as traits.email", path)
			}
		}
	}
	names := map[string]bool{}
	for i, in := range p.Integrations {
		place := fmt.Sprintf("%s.integrations[%d]", at, i)
		d.unique(place+".name", in.Name, names)
		integration, r := d.integration(place, p.Name, in, out, vendors)
		made.Integrations = append(made.Integrations, integration)
		ready[integration.ID] = r
	}
	return made
}

func (d *document) origins(at string, list []string) []string {
	for i, o := range list {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			d.fault(fmt.Sprintf("%s.allowed_origins[%d]", at, i), "%q is no origin: write scheme and host, such as https://www.example.com", o)
		}
	}
	return list
}

func (d *document) consent(at string, c Consent) store.ConsentRules {
	made := store.ConsentRules{WhenUnknown: consent.Policy(or(c.WhenUnknown, "deny")), Mapping: consent.Mapping{}}
	if made.WhenUnknown != consent.Deny && made.WhenUnknown != consent.Allow {
		d.fault(at+".when_unknown", "%q is not known: use deny or allow", c.WhenUnknown)
	}
	for code, names := range c.Mapping {
		made.Mapping[code] = d.buckets(at+".mapping."+code, names)
	}
	return made
}

func (d *document) buckets(at string, names []string) []consent.Bucket {
	var out []consent.Bucket
	for _, n := range names {
		b, err := consent.ParseBucket(n)
		if err != nil {
			d.fault(at, "%v", err)
			continue
		}
		out = append(out, b)
	}
	return out
}

func (d *document) integration(at, pipeline string, in Integration, out integrations.Outbound, vendors Catalog) (store.Integration, Ready) {
	made := store.Integration{
		ID: pipeline + "/" + in.Name, Name: in.Name, Pipeline: pipeline, Vendor: in.Vendor,
		Enabled: in.Enabled == nil || *in.Enabled, Settings: in.Settings, Preset: in.Preset, Revision: 1,
		Categories: d.buckets(at+".consent_categories", in.ConsentCategories), Exempt: in.PIIExempt,
	}
	vendor, ok := vendors[in.Vendor]
	if !ok {
		var known []string
		for name := range vendors {
			known = append(known, name)
		}
		d.fault(at+".vendor", "there is no vendor %q: use %s", in.Vendor, strings.Join(known, ", "))
		return made, Ready{}
	}
	connection, err := vendor.Check(d.settings(at+".settings", in.Settings), out)
	for _, e := range flatten(err) {
		d.vendorFault(at+".settings", e)
	}
	program := d.program(at, &made, in, vendor)
	return made, Ready{Program: program, Connection: connection}
}

// vendorFault places a vendor's fault at the setting that it begins with.
func (d *document) vendorFault(at string, err error) {
	name, _, _ := strings.Cut(err.Error(), " ")
	name = strings.TrimSuffix(name, ":")
	if _, ok := d.places[at+"."+name]; ok {
		d.fault(at+"."+name, "%s", strings.TrimPrefix(strings.TrimPrefix(err.Error(), name), ": "))
		return
	}
	d.fault(at, "%v", err)
}

func (d *document) program(at string, made *store.Integration, in Integration, vendor integrations.Vendor) *mapping.Program {
	presets := []string{"retail"}
	if l, ok := vendor.(integrations.Listed); ok {
		presets = l.Presets()
	}
	name := or(in.Preset, presets[0])
	if in.Preset != "" && in.Mapping != nil {
		d.fault(at+".mapping", "preset and mapping together are an error: keep one of them")
		return nil
	}
	if in.Preset == "" && in.Mapping == nil {
		d.fault(at, "preset or mapping is required, such as preset: %s", presets[0])
		return nil
	}
	src, ok := vendor.Preset(name)
	if !ok {
		d.fault(at+".preset", "%s has no preset %q: use %s", in.Vendor, name, strings.Join(presets, ", "))
		return nil
	}
	rules, err := mapping.Parse(src)
	if err != nil {
		d.fault(at+".preset", "%v", err)
		return nil
	}
	if in.Mapping != nil {
		rules = in.Mapping.WithCommon(rules)
	}
	made.Mapping = rules
	program, err := rules.Compile()
	for _, e := range flatten(err) {
		var f *mapping.Fault
		if errors.As(e, &f) {
			d.fault(at+".mapping."+f.Path, "%s", f.Message)
			continue
		}
		d.fault(at+".mapping", "%v", e)
	}
	return program
}

// flatten gives the errors that errors.Join joined.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
