package main

import (
	"context"
	"fmt"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console"
	"github.com/datafly/signal/delivery"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/ops"
	"github.com/datafly/signal/store"
)

// consoleOptions gives the console what it works on.
func (s *server) consoleOptions() console.Options {
	o := console.Options{
		Store: s.store, Hub: s.hub, Pipelines: func() []store.Pipeline { return s.cfg.Pipelines },
		Replay: s.worker.Replay, Status: s.status, Resume: s.resume, Verify: s.verify, Domain: liveperson.NewResolver("", integrations.Outbound{}).Resolve,
		Endpoint: address(s.gatewayAt), Version: ops.Current().Version, Metrics: ops.Metrics(s.metrics()), Log: s.log,
		Ready: []ops.Check{{Name: "journal", Run: func(context.Context) error { return s.journal.Ready() }}},
	}
	for _, t := range s.cfg.Tokens {
		o.Tokens = append(o.Tokens, console.Token{Name: t.Name, Token: t.Token, Role: auth.Role(t.Role)})
	}
	return o
}

func (s *server) verify(ctx context.Context) (ledger.Proof, error) {
	return ledger.Verify(ctx, ledger.Journals{Events: s.events, Ledger: s.ledger, Reports: s.reports})
}

// courierOf gives the courier of an integration, nil when it is off.
func (s *server) courierOf(id string) *delivery.Courier {
	for _, c := range s.couriers {
		if c.ID() == id {
			return c
		}
	}
	return nil
}

// resume ends the pause of an integration that runs here.
func (s *server) resume(id string) bool {
	c := s.courierOf(id)
	if c != nil {
		c.Resume()
	}
	return c != nil
}

// status is how each integration fares.
func (s *server) status() []console.IntegrationStatus {
	var out []console.IntegrationStatus
	for _, p := range s.cfg.Pipelines {
		for _, in := range p.Integrations {
			st := console.IntegrationStatus{ID: in.ID, Name: in.Name, Pipeline: in.Pipeline, Vendor: in.Vendor, State: "off"}
			if c := s.courierOf(in.ID); c != nil {
				fill(&st, c.Status())
			}
			out = append(out, st)
		}
	}
	return out
}

func fill(st *console.IntegrationStatus, c delivery.Status) {
	st.State, st.Waiting, st.Oldest = "healthy", c.Waiting, c.Oldest
	switch {
	case c.Paused:
		st.State, st.Reason, st.Remedy, st.Since, st.NextProbe = "paused", c.Reason, c.Remedy, c.Since, c.NextProbe
	case c.Retrying > 0:
		st.State = "retrying"
		st.Reason = fmt.Sprintf("%d visitors wait for another try.", c.Retrying)
	}
}
