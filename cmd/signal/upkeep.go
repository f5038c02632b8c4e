package main

import (
	"context"
	"sync"
	"time"

	"github.com/datafly/signal/ingest"
	"github.com/datafly/signal/process"
	"github.com/datafly/signal/store"
)

// How long things are kept. Product.md 3 and 9; architecture.md 1.
const (
	keepEvents   = 7 * 24 * time.Hour
	keepLedger   = keepEvents + 24*time.Hour // an end may come a day after its event
	keepTraces   = 24 * time.Hour
	keepVisitors = 400 * 24 * time.Hour // as long as the cookie
	traceBytes   = 1 << 30
)

// keepTidy drops what is too old to keep, every ten minutes. An event goes only
// once it is handed on, an entry of the ledger only once everybody has read it.
func (s *server) keepTidy(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if err := s.tidy(ctx, now); err != nil && ctx.Err() == nil {
				s.log.Error("old data is not dropped yet", "error", err)
			}
		}
	}
}

func (s *server) tidy(ctx context.Context, now time.Time) error {
	old, err := s.events.Since(ctx, now.Add(-keepEvents))
	if err != nil {
		return err
	}
	if err := s.events.Purge(ctx, min(old, s.worker.Reached())); err != nil {
		return err
	}
	if err := s.tidyLedger(ctx, now); err != nil {
		return err
	}
	if _, err := s.store.PruneTraces(ctx, store.TraceLimits{Age: keepTraces, Bytes: traceBytes}); err != nil {
		return err
	}
	if _, err := s.store.PruneCounts(ctx, now); err != nil {
		return err
	}
	if _, err := s.store.PruneWebSessions(ctx, now); err != nil {
		return err
	}
	_, err = s.store.PruneVisitors(ctx, now.Add(-keepVisitors))
	return err
}

// tidyLedger drops old entries, but none that a reader has still to read.
func (s *server) tidyLedger(ctx context.Context, now time.Time) error {
	until, err := s.ledger.Since(ctx, now.Add(-keepLedger))
	if err != nil {
		return err
	}
	counted, _, err := s.store.CountCursor(ctx)
	if err != nil {
		return err
	}
	until = min(until, counted)
	handed, err := s.store.Cursor(ctx, process.CursorHanded)
	if err != nil {
		return err
	}
	until = min(until, handed.Ledger)
	for _, c := range s.couriers {
		at, behind, err := c.Reads(ctx)
		if err != nil {
			return err
		}
		if behind {
			until = min(until, at)
		}
	}
	return s.ledger.Purge(ctx, until)
}

// tallies count what the gateway did not accept, until they are written down.
type tallies struct {
	mu     sync.Mutex
	counts map[tallyKey]int64
}

type tallyKey struct {
	pipeline, result string
	minute           time.Time
}

func newTallies() *tallies { return &tallies{counts: map[tallyKey]int64{}} }

// count is called by the gateway; it does not block.
func (t *tallies) count(pipeline, result string, n int) {
	if result == ingest.Accepted {
		return // counted from the ledger
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[tallyKey{pipeline, result, time.Now().UTC().Truncate(time.Minute)}] += int64(n)
}

func (t *tallies) take() map[tallyKey]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.counts
	t.counts = map[tallyKey]int64{}
	return out
}

func (t *tallies) giveBack(counts map[tallyKey]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, n := range counts {
		t.counts[k] += n
	}
}

// writeRefusals writes the tallies down each second and at the end.
func (s *server) writeRefusals(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			s.flushRefusals(last)
			return nil
		case <-tick.C:
			s.flushRefusals(ctx)
		}
	}
}

func (s *server) flushRefusals(ctx context.Context) {
	counts := s.refused.take()
	if len(counts) == 0 {
		return
	}
	var rows []store.GatewayCount
	for k, n := range counts {
		row := store.GatewayCount{Pipeline: k.pipeline, Kind: store.Rejected, Reason: k.result, Minute: k.minute, N: n}
		if k.result == ingest.Duplicate {
			row.Kind, row.Reason = store.Duplicate, ""
		}
		rows = append(rows, row)
	}
	if err := s.store.AddGateway(ctx, rows); err != nil {
		s.refused.giveBack(counts)
		s.log.Error("refused requests are not counted yet", "error", err)
	}
}
