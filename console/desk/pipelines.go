package desk

import (
	"slices"
	"strings"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// A Pipeline is a pipeline as people and scripts see it: without its secret.
type Pipeline struct {
	ID             string              `json:"id"` // its name
	Name           string              `json:"name"`
	Key            string              `json:"key" doc:"Public: it stands in the pages of the site."`
	Secret         string              `json:"secret,omitempty" doc:"Never shown; dots when one is set."`
	Test           bool                `json:"test" doc:"The key begins with dk_test_."`
	AllowedOrigins []string            `json:"allowed_origins"`
	SessionIdle    string              `json:"session_idle"`
	SessionMax     string              `json:"session_max"`
	WhenUnknown    string              `json:"when_unknown" doc:"What happens while consent is not known: deny or allow."`
	ConsentMapping map[string][]string `json:"consent_mapping,omitempty"`
	HashFields     []string            `json:"hash_fields"`
	RedactFields   []string            `json:"redact_fields"`
	Bots           string              `json:"bots"`
	ManagedBy      string              `json:"managed_by,omitempty" doc:"The file that it comes from. Edits answer 409 MANAGED_BY_FILE."`
	Integrations   int                 `json:"integrations"`
}

// An Integration is an integration as people and scripts see it.
type Integration struct {
	IntegrationStatus
	Enabled    bool           `json:"enabled"`
	Settings   map[string]any `json:"settings" doc:"Secrets are masked."`
	Categories []string       `json:"consent_categories"`
	Preset     string         `json:"preset,omitempty"`
	Revision   int            `json:"revision"`
	Events     []string       `json:"events" doc:"The events that its mapping names."`
	ManagedBy  string         `json:"managed_by,omitempty"`
}

// dots stand in the place of a secret that is set.
const dots = "••••••••••••••••••"

// Pipelines gives all pipelines, in the order of the configuration.
func (d *Desk) Pipelines(who auth.Actor) ([]Pipeline, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return nil, err
	}
	out := []Pipeline{}
	for _, p := range d.o.Pipelines() {
		out = append(out, pipeline(p))
	}
	return out, nil
}

// Pipeline gives one by its name.
func (d *Desk) Pipeline(who auth.Actor, id string) (Pipeline, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return Pipeline{}, err
	}
	p, err := d.pipeline(id)
	if err != nil {
		return Pipeline{}, err
	}
	return pipeline(p), nil
}

func (d *Desk) pipeline(id string) (store.Pipeline, error) {
	for _, p := range d.o.Pipelines() {
		if p.Name == id {
			return p, nil
		}
	}
	return store.Pipeline{}, fault(ErrNotFound, "There is no pipeline %q.", id)
}

func pipeline(p store.Pipeline) Pipeline {
	s := p.Session.WithDefaults()
	out := Pipeline{
		ID: p.Name, Name: p.Name, Key: p.Key, Test: strings.HasPrefix(p.Key, "dk_test_"),
		AllowedOrigins: list(p.AllowedOrigins), SessionIdle: s.Idle.String(), SessionMax: s.Max.String(),
		WhenUnknown: string(p.Consent.WhenUnknown), HashFields: list(p.HashFields), RedactFields: list(p.RedactFields),
		Bots: p.Bots, ManagedBy: p.Source, Integrations: len(p.Integrations),
	}
	if p.Secret != "" {
		out.Secret = dots
	}
	if out.WhenUnknown == "" {
		out.WhenUnknown = "deny"
	}
	if out.Bots == "" {
		out.Bots = "flag"
	}
	for code, buckets := range p.Consent.Mapping {
		if out.ConsentMapping == nil {
			out.ConsentMapping = map[string][]string{}
		}
		for _, b := range buckets {
			out.ConsentMapping[code] = append(out.ConsentMapping[code], string(b))
		}
	}
	return out
}

func list(in []string) []string { return append([]string{}, in...) }

// Integrations gives those of one pipeline, or of all when pipeline is empty.
func (d *Desk) Integrations(who auth.Actor, pipeline string) ([]Integration, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return nil, err
	}
	if pipeline != "" {
		if _, err := d.pipeline(pipeline); err != nil {
			return nil, err
		}
	}
	states := map[string]IntegrationStatus{}
	for _, s := range d.statuses() {
		states[s.ID] = s
	}
	out := []Integration{}
	for _, p := range d.o.Pipelines() {
		if pipeline != "" && p.Name != pipeline {
			continue
		}
		for _, i := range p.Integrations {
			out = append(out, integration(p, i, states[i.ID]))
		}
	}
	return out, nil
}

// Integration gives one by its ID or its name.
func (d *Desk) Integration(who auth.Actor, id string) (Integration, error) {
	all, err := d.Integrations(who, "")
	if err != nil {
		return Integration{}, err
	}
	full, err := d.integration(id, "")
	if err != nil {
		return Integration{}, err
	}
	for _, i := range all {
		if i.ID == full {
			return i, nil
		}
	}
	return Integration{}, fault(ErrNotFound, "There is no integration %q.", id)
}

func integration(p store.Pipeline, i store.Integration, s IntegrationStatus) Integration {
	out := Integration{
		IntegrationStatus: s, Enabled: i.Enabled, Settings: maskSettings(i.Settings), Categories: []string{},
		Preset: i.Preset, Revision: i.Revision, Events: []string{}, ManagedBy: p.Source,
	}
	for _, c := range i.Categories {
		out.Categories = append(out.Categories, string(c))
	}
	if i.Mapping != nil {
		for _, e := range i.Mapping.Events {
			out.Events = append(out.Events, e.Event)
		}
	}
	return out
}

// secretParts are parts of the names of settings whose value is never shown.
var secretParts = []string{"secret", "password", "private", "api_key", "authorization", "signing", "bearer"}

func maskSettings(in map[string]any) map[string]any {
	out := make(map[string]any, len(in))
	for k, v := range in {
		low := strings.ToLower(k)
		switch object, ok := v.(map[string]any); {
		case slices.ContainsFunc(secretParts, func(p string) bool { return strings.Contains(low, p) }):
			v = dots
		case ok && low == "headers": // their names say nothing about their values
			hidden := make(map[string]any, len(object))
			for name := range object {
				hidden[name] = dots
			}
			v = hidden
		case ok:
			v = maskSettings(object)
		}
		out[k] = v
	}
	return out
}

// integration finds the ID of an integration by its ID ("shop/liveperson") or
// by its name where only one has it. The empty text stays empty.
func (d *Desk) integration(text, pipeline string) (string, error) {
	if text == "" || strings.Contains(text, "/") {
		return text, nil
	}
	var found []string
	for _, p := range d.o.Pipelines() {
		for _, i := range p.Integrations {
			if i.Name == text && (pipeline == "" || p.Name == pipeline) {
				found = append(found, i.ID)
			}
		}
	}
	switch len(found) {
	case 0:
		return text, nil
	case 1:
		return found[0], nil
	}
	return "", fault(ErrInvalid, "%d integrations are named %q: use one of %s.", len(found), text, strings.Join(found, ", "))
}

// name is the short name of an integration's ID.
func name(id string) string {
	if _, n, ok := strings.Cut(id, "/"); ok {
		return n
	}
	return id
}

// ManagedByFile is what every change of a pipeline or integration answers while
// it comes from a file.
func (d *Desk) ManagedByFile(who auth.Actor, pipeline string) error {
	if err := allow(who, auth.Editor); err != nil {
		return err
	}
	file := "signal.yaml"
	if pipeline != "" {
		p, err := d.pipeline(pipeline)
		if err != nil {
			return err
		}
		if p.Source != "" {
			file = p.Source
		}
	}
	return fault(ErrFile, "Pipelines and integrations come from %s. Change it there and start again.", file)
}

// Names gives the event names that pipelines map, sorted, for filters.
func (d *Desk) Names(pipeline string) []string {
	names := map[string]bool{"page": true, "identify": true}
	for _, p := range d.o.Pipelines() {
		if pipeline != "" && p.Name != pipeline {
			continue
		}
		for _, i := range p.Integrations {
			if i.Mapping == nil {
				continue
			}
			for _, e := range i.Mapping.Events {
				names[e.Event] = true
			}
		}
	}
	var out []string
	for n := range names {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// hidden is the text in the place of what a role may not see.
const hidden = trace.Hidden
