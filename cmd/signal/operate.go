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
		Status: s.status, Resume: s.resume, Forget: s.forget, Verify: s.verify, Domain: liveperson.NewResolver("", integrations.Outbound{}).Resolve,
		Endpoint: address(s.gatewayAt), Version: ops.Current().Version, Metrics: ops.Metrics(s.metrics()), Log: s.log,
		Ready: []ops.Check{{Name: "journal", Run: func(context.Context) error { return s.journal.Ready() }}},
	}
	if s.opts.does("worker") { // nobody takes replays in another process
		o.Replay, o.Find, o.Resend = s.worker.Replay, s.worker.Find, s.worker.Resend
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

// forget lets an integration that runs here find out anew how its vendor wants
// to be spoken to. A pause ends with it, so that it finds out at once.
func (s *server) forget(id string) bool {
	c := s.courierOf(id)
	if c == nil {
		return false
	}
	c.Forget()
	if c.Status().Paused {
		c.Resume()
	}
	return true
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

// fill words how the courier of an integration fares.
func fill(st *console.IntegrationStatus, c delivery.Status) {
	st.State = "healthy"
	st.Waiting, st.Visitors, st.Oldest = c.Waiting, c.Visitors, c.Oldest
	st.Learned, st.Warnings = c.Learned, c.Warnings
	if c.Limit > 0 {
		st.Rate = &console.Rate{PerSecond: c.PerSecond, Limit: c.Limit, SlowedAt: c.Slowed}
	}
	if c.Paused || c.Holding {
		st.State = "holding"
		if c.Paused {
			st.State = "paused"
		}
		st.Reason, st.Remedy, st.Since, st.NextProbe = c.Reason, c.Remedy, c.Since, c.NextProbe
		st.Cause, st.Fix, st.Field, st.Checks = c.Cause, c.Fix, c.Field, c.Checks
		st.AnswerStatus, st.AnswerCode = c.Status, c.Code
		return
	}
	switch {
	case !c.Slowed.IsZero() && c.PerSecond < c.Limit:
		st.State, st.Since = "slowed", c.Slowed
		st.Reason = "The vendor asked for fewer requests a second. The rate recovers by itself."
	case c.Retrying == 1:
		st.State, st.Reason = "retrying", "1 visitor waits for another try."
	case c.Retrying > 1:
		st.State, st.Reason = "retrying", fmt.Sprintf("%d visitors wait for another try.", c.Retrying)
	}
}
