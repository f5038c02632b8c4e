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
		Replay: s.replay, Status: s.status, Resume: s.resume, Verify: s.verify, Domain: liveperson.NewResolver("", integrations.Outbound{}).Resolve,
		Endpoint: address(s.gatewayAt), Version: ops.Current().Version, Metrics: ops.Metrics(s.metrics()), Log: s.log,
		Ready: []ops.Check{{Name: "journal", Run: func(context.Context) error { return s.journal.Ready() }}},
	}
	for _, t := range s.cfg.Tokens {
		o.Tokens = append(o.Tokens, console.Token{Name: t.Name, Token: t.Token, Role: auth.Role(t.Role)})
	}
	return o
}

// replay sends dead letters again through the current revision.
func (s *server) replay(ctx context.Context, ids []string) (int, error) {
	var letters []store.DeadLetter
	for _, id := range ids {
		d, ok, err := s.store.DeadLetter(ctx, id)
		if err != nil {
			return 0, err
		}
		if ok { // else it was replayed or dropped meanwhile
			letters = append(letters, d)
		}
	}
	if len(letters) == 0 {
		return 0, nil
	}
	return len(letters), s.worker.Replay(ctx, letters)
}

func (s *server) verify(ctx context.Context) (ledger.Proof, error) {
	return ledger.Verify(ctx, ledger.Journals{Events: s.events, Ledger: s.ledger, Reports: s.reports})
}

// resume ends the pause of an integration that runs here.
func (s *server) resume(id string) bool {
	for _, c := range s.couriers {
		if c.ID() == id {
			c.Resume()
			return true
		}
	}
	return false
}

// status is how each integration fares.
func (s *server) status() []console.IntegrationStatus {
	var out []console.IntegrationStatus
	i := 0
	for _, p := range s.cfg.Pipelines {
		for _, in := range p.Integrations {
			st := console.IntegrationStatus{ID: in.ID, Name: in.Name, Pipeline: in.Pipeline, Vendor: in.Vendor, State: "off"}
			if in.Enabled {
				fill(&st, s.couriers[i].Status())
				i++
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
