package main

import (
	"fmt"

	"github.com/goccy/go-yaml"

	"github.com/datafly/signal/config"
	"github.com/datafly/signal/integrations/liveperson"
)

// vendors are those that an integration can be connected to.
func vendors() config.Catalog {
	return config.Catalog{"liveperson": liveperson.New(liveperson.Options{})}
}

type checkCmd struct {
	Config string `help:"The configuration." default:"signal.yaml" env:"SIGNAL_CONFIG" placeholder:"FILE"`
}

func (c *checkCmd) Run(s streams) error {
	if _, err := config.Load(c.Config, vendors()); err != nil {
		return err
	}
	f, err := config.Read(c.Config)
	if err != nil {
		return err
	}
	out, err := yaml.Marshal(f.Effective())
	if err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	_, err = s.out.Write(out)
	return err
}
