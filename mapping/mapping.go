// Package mapping is the language of field mappings: what becomes of an event
// at a vendor, as data.
package mapping

// A Mapping is the source form of the rules, as it stands in YAML and JSON
// (product.md 6).
type Mapping struct {
	Preset string      `yaml:"preset,omitempty" json:"preset,omitempty"`
	Common []Field     `yaml:"common,omitempty" json:"common,omitempty"`
	Events []EventRule `yaml:"events,omitempty" json:"events,omitempty"`
}

// An EventRule says what one event becomes.
type EventRule struct {
	Event string `yaml:"event" json:"event"`
}

// A Field is one rule.
type Field struct {
	Target string `yaml:"target" json:"target"`
}
