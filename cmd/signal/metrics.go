package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/datafly/signal/ops"
	"github.com/datafly/signal/store"
)

// metrics are what /metrics shows beside Go and the process: the counts of
// Overview, and how each integration fares.
func (s *server) metrics() *prometheus.Registry {
	r := ops.NewRegistry()
	var counts []ops.Count
	for outcome, of := range map[string]func(store.Totals) int64{
		"accepted": func(t store.Totals) int64 { return t.Accepted }, "delivered": func(t store.Totals) int64 { return t.Delivered },
		"carried": func(t store.Totals) int64 { return t.Carried }, "filtered": func(t store.Totals) int64 { return t.Filtered },
		"dead": func(t store.Totals) int64 { return t.Dead }, "pending": func(t store.Totals) int64 { return t.Pending },
		"duplicate": func(t store.Totals) int64 { return t.Duplicates }, "rejected": func(t store.Totals) int64 { return t.Rejected },
	} {
		counts = append(counts, ops.Count{
			Name: "signal_events", Help: "Events by what became of them; accepted, duplicate and rejected in events, the rest in events and integrations.",
			Labels: map[string]string{"outcome": outcome}, Gauge: true,
			Value: func() float64 { return float64(of(s.totals())) },
		})
	}
	for _, c := range s.couriers {
		labels := map[string]string{"integration": c.ID()}
		counts = append(counts,
			ops.Count{Name: "signal_integration_waiting", Help: "Events in memory that wait for an integration.", Labels: labels, Gauge: true, Value: func() float64 { return float64(c.Status().Waiting) }},
			ops.Count{Name: "signal_integration_paused", Help: "1 while an integration is paused.", Labels: labels, Gauge: true, Value: func() float64 { return oneIf(c.Status().Paused) }},
			ops.Count{Name: "signal_integration_holding", Help: "1 while the vendor is down and the circuit breaker is open.", Labels: labels, Gauge: true, Value: func() float64 { return oneIf(c.Status().Holding) }},
			ops.Count{Name: "signal_integration_rate", Help: "Requests a second that may go to the vendor now; 0 is no bound.", Labels: labels, Gauge: true, Value: func() float64 { return c.Status().PerSecond }})
	}
	if err := ops.RegisterCounts(r, counts...); err != nil {
		panic(err) // two counts of one name and label: a fault above
	}
	return r
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// totals are the counts of all time, at most a second old.
func (s *server) totals() store.Totals {
	s.totalsMu.Lock()
	defer s.totalsMu.Unlock()
	if time.Since(s.totalsAt) > time.Second {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if o, err := s.store.Overview(ctx, store.OverviewFilter{}); err == nil {
			s.totalsOf, s.totalsAt = o.Totals, time.Now()
		}
	}
	return s.totalsOf
}
