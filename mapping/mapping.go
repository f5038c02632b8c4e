// Package mapping is the language of field mappings: what becomes of an event
// at a vendor, written as data that a marketer can edit (docs/mappings.md).
//
// A Mapping is the source form, in YAML or JSON. Parse reads one and Compile
// checks it; both name every fault at once, each with its place. What Compile
// gives is a Program, which process runs once per event and integration, after
// consent and identity and before the vendor builds its request.
//
// The room is larger than others because it is a language: its text (source,
// yaml, parse, marshal), its checks (compile, fields, path, shape), its expressions
// (expr, nodes, operators, functions, decimal) and its run (run, find).
//
// A Program is pure: no clock, no I/O, no memory of earlier events. What was
// made once in a session is told with Input and Result. The same input gives
// the same bytes. Numbers keep their digits from the event to the
// payload, and a field that finds nothing is left out, never null.
package mapping

import "slices"

// A Mapping is the source form of the rules. It reads from and writes to YAML
// and JSON with one schema; unknown keys are errors.
type Mapping struct {
	// Preset says where the mapping came from. It has no effect.
	Preset string `yaml:"preset,omitempty" json:"preset,omitempty"`
	// Common are the fields of every payload.
	Common []Field `yaml:"common,omitempty" json:"common,omitempty"`
	// Attributes ride on every payload in which they have something to say,
	// behind the event's own. One that has not is left out without a word.
	Attributes []Attribute `yaml:"attributes,omitempty" json:"attributes,omitempty"`
	// Events are the rules, one for each event. An event without a rule is
	// filtered as not mapped.
	Events []EventRule `yaml:"events,omitempty" json:"events,omitempty"`

	places places // of a mapping that was read from text
}

// An EventRule says what one event becomes.
type EventRule struct {
	// Event is the name of a track, or page, identify, group or screen for the
	// calls of that type, or * for every event that has no rule of its own. Names are compared without regard to case, spaces,
	// underscores and hyphens.
	Event string `yaml:"event" json:"event"`
	// Aliases are further names of the same event.
	Aliases []string `yaml:"aliases,omitempty,flow" json:"aliases,omitempty"`
	// When is a condition; when it is not true the event is filtered.
	When string `yaml:"when,omitempty" json:"when,omitempty"`
	// Otherwise is the reason that is shown when When is not true, or when
	// nothing for the rule was on the event. Empty gives a general sentence.
	Otherwise string `yaml:"otherwise,omitempty" json:"otherwise,omitempty"`
	// Fields stand beside engagementAttributes, after those of Common.
	Fields []Field `yaml:"fields,omitempty" json:"fields,omitempty"`
	// Attributes each become one object in engagementAttributes.
	Attributes []Attribute `yaml:"attributes,omitempty" json:"attributes,omitempty"`
}

// An Attribute is one object in engagementAttributes, an SDE at LivePerson. It
// is left out when nothing for it was on the event.
type Attribute struct {
	Type string `yaml:"type" json:"type"`
	// Once is "session" for an attribute that is built once in a session at
	// most, for each integration; empty for each time.
	Once   string  `yaml:"once,omitempty" json:"once,omitempty"`
	When   string  `yaml:"when,omitempty" json:"when,omitempty"`
	Fields []Field `yaml:"fields,omitempty" json:"fields,omitempty"`
}

// A Field is one rule: where a value comes from and where it goes. It has
// Value alone, or Each with Fields, or Source, Expr or both; with both, Source
// is tried first.
type Field struct {
	// Target is a dotted path with [n] for list elements; [] at the end
	// appends.
	Target string `yaml:"target" json:"target"`
	// Source are paths on the event, or below session and visitor; the first
	// that is present and not null or "" wins. Inside Each they start at the
	// element, and $. starts at the event.
	Source Paths `yaml:"source,omitempty" json:"source,omitempty"`
	// Expr is an expression over event, session and visitor, and item inside
	// Each.
	Expr string `yaml:"expr,omitempty" json:"expr,omitempty"`
	// Value is a literal, written as it stands. A number is a json.Number when
	// it was read from text.
	Value any `yaml:"value,omitempty" json:"value,omitempty"`
	// Each are paths to lists; Fields run once for every element of the first
	// that has any. An object counts as a list of one.
	Each Paths `yaml:"each,omitempty" json:"each,omitempty"`
	// ValueMap gives the value by what was found; what is not in it counts as
	// not found.
	ValueMap map[string]any `yaml:"value_map,omitempty" json:"value_map,omitempty"`
	// As reads the value: string, number, integer, boolean, date, lower, upper
	// or url.
	As string `yaml:"as,omitempty" json:"as,omitempty"`
	// DefaultValue is written as it stands when nothing was found.
	DefaultValue any `yaml:"default_value,omitempty" json:"default_value,omitempty"`
	// Required stops the attribute (the whole event for common and event
	// fields, the element inside Each) when the field has no value.
	Required bool `yaml:"required,omitempty" json:"required,omitempty"`
	// When is a condition; the field is left out when it is not true.
	When string `yaml:"when,omitempty" json:"when,omitempty"`
	// OnlyWith is a target of the same list of fields: this field is left out
	// when nothing was found for that one.
	OnlyWith string `yaml:"only_with,omitempty" json:"only_with,omitempty"`
	// KeepEmpty writes [] when the list of Each is there and empty.
	KeepEmpty bool `yaml:"keep_empty,omitempty" json:"keep_empty,omitempty"`
	// Fields are the rules for one element of Each.
	Fields []Field `yaml:"fields,omitempty" json:"fields,omitempty"`
}

// Paths are the places where a value is looked for, in order. One path is
// written as text, more as a list.
type Paths []string

// WithCommon gives m with the common fields of from where m has none for a
// consumerId or for identities, before its own. Neither mapping is changed.
func (m *Mapping) WithCommon(from *Mapping) *Mapping {
	out := *m
	var added []Field
	for _, name := range []string{"consumerId", "identities"} {
		if !hasTarget(m.Common, name) {
			added = append(added, withTarget(from.Common, name)...)
		}
	}
	if len(added) == 0 {
		return &out
	}
	out.Common = slices.Concat(added, m.Common)
	out.places = m.places.moved("common", len(added))
	return &out
}

func hasTarget(fields []Field, name string) bool {
	return len(withTarget(fields, name)) > 0
}

// withTarget gives the fields that write to a top-level key or below it.
func withTarget(fields []Field, name string) []Field {
	var out []Field
	for _, f := range fields {
		if steps, err := parseTarget(f.Target); err == nil && steps[0].key == name {
			out = append(out, f)
		}
	}
	return out
}
