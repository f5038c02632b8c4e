package store

import (
	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/identity"
	"github.com/datafly/signal/mapping"
)

// A Pipeline is one site or app.
type Pipeline struct {
	Name           string
	Key            string // public: dk_live_… or dk_test_…
	Secret         string // of signed server events; never shown or logged
	AllowedOrigins []string
	Session        identity.Rules
	Consent        ConsentRules
	HashFields     []string // paths; sha256 in hex
	RedactFields   []string // paths; removed
	Bots           string   // flag (default), drop, keep
	Integrations   []Integration
	Source         string // the file that it comes from, "" when made in the console
}

// ConsentRules are a pipeline's consent settings.
type ConsentRules struct {
	WhenUnknown consent.Policy // Deny is the default
	Mapping     consent.Mapping
}

// An Integration is a vendor connected to a pipeline.
type Integration struct {
	ID         string // "shop/liveperson": unique, stable, stands in journals and traces
	Name       string
	Pipeline   string
	Vendor     string
	Enabled    bool
	Settings   map[string]any
	Categories []consent.Bucket // all must be granted; none means no gate
	Preset     string
	Mapping    *mapping.Mapping // the rules in force, of the preset or own
	Revision   int
	Exempt     []string // fields that the PII rules leave alone for this integration
}
