package main

import (
	"fmt"

	"github.com/goccy/go-yaml"

	"github.com/datafly/signal/config"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
	"github.com/datafly/signal/integrations/webhook"
	"github.com/datafly/signal/ops"
)

// vendors are those that an integration can be connected to.
func vendors() config.Catalog {
	return config.Catalog{
		"liveperson": liveperson.New(liveperson.Options{}),
		"webhook":    webhook.New(webhook.Options{Version: ops.Current().Version}),
	}
}

type checkCmd struct {
	Config string `help:"The configuration." default:"signal.yaml" env:"SIGNAL_CONFIG" placeholder:"FILE"`
}

func (c *checkCmd) Run(s streams) error {
	cfg, err := config.Load(c.Config, vendors())
	if err != nil {
		return err
	}
	f, err := config.Read(c.Config)
	if err != nil {
		return err
	}
	out, err := yaml.Marshal(f.Effective(vendors()))
	if err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	if _, err = s.out.Write(out); err != nil {
		return err
	}
	for _, w := range warnings(cfg) {
		fmt.Fprintf(s.err, "signal: warning: %s\n", w)
	}
	return nil
}

// warnings are about what works and is still not wise, one a line, each with
// its integration.
func warnings(cfg *config.Config) []string {
	var out []string
	for _, p := range cfg.Pipelines {
		for _, in := range p.Integrations {
			var said []string
			if w, ok := cfg.Ready[in.ID].Connection.(integrations.Warner); ok {
				said = w.Warnings()
			}
			if in.Vendor == "liveperson" {
				setup := liveperson.Setup{Settings: in.Settings, Mapping: in.Mapping, Hashed: p.HashFields, Redacted: p.RedactFields, Exempt: in.Exempt}
				said = append(said, setup.Advice()...)
			}
			for _, sentence := range said {
				out = append(out, in.ID+": "+sentence)
			}
		}
	}
	return out
}
