package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// A Counter turns the LEDGER into the counts of Overview. It reads from its own
// cursor, which is written in one transaction with the counts, so that each
// entry counts exactly once however often the process is killed.
type Counter struct {
	log   *journal.Log
	store *store.Store
	slog  *slog.Logger
}

// NewCounter makes a Counter; a nil logger discards.
func NewCounter(l *journal.Log, s *store.Store, log *slog.Logger) *Counter {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Counter{l, s, log}
}

// countEvery bounds how old the counts may be.
const countEvery = 250 * time.Millisecond

// Run counts until ctx ends. It returns an error when it cannot read.
func (c *Counter) Run(ctx context.Context) error {
	at, _, err := c.store.CountCursor(ctx)
	if err != nil {
		return fmt.Errorf("read where counting stood: %w", err)
	}
	reader, err := c.log.Read(ctx, at+1)
	if err != nil {
		return fmt.Errorf("read LEDGER from %d: %w", at+1, err)
	}
	defer reader.Close()
	for {
		f, err := reader.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read LEDGER: %w", err)
		}
		t := newTally()
		for ok := true; ok && t.entries < 20_000; {
			if err := t.frame(f); err != nil {
				return fmt.Errorf("count ledger frame %d: %w", f.Seq, err)
			}
			if f, ok, err = reader.TryNext(); err != nil {
				return fmt.Errorf("read LEDGER: %w", err)
			}
		}
		if !c.apply(ctx, t) {
			return nil
		}
	}
}

// apply writes a tally down, however long the store takes, and then rests a
// moment so that the next one is worth its transaction.
func (c *Counter) apply(ctx context.Context, t *tally) bool {
	wait := countEvery
	for {
		err := c.store.ApplyCounts(ctx, t.batch())
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return false
		}
		c.slog.Error("counts are not written down yet", "error", err, "again in", wait)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
			wait = min(2*wait, 5*time.Second)
		}
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(countEvery):
		return true
	}
}

// tally are the counts of some frames.
type tally struct {
	reached  uint64
	entries  int
	counts   map[countKey]*store.Count
	accepted map[acceptedKey]int64
}

type countKey struct {
	pipeline, integration, outcome, reason string
	minute                                 time.Time
}

type acceptedKey struct {
	pipeline string
	minute   time.Time
}

func newTally() *tally {
	return &tally{counts: map[countKey]*store.Count{}, accepted: map[acceptedKey]int64{}}
}

func (t *tally) frame(f journal.Frame) error {
	for _, raw := range f.Items {
		e, err := Parse(raw)
		if err != nil {
			return err
		}
		t.entries++
		t.entry(&e)
	}
	t.reached = f.Seq
	return nil
}

// entry counts one.
func (t *tally) entry(e *Entry) {
	if e.First {
		t.accepted[acceptedKey{e.Pipeline, e.At.Truncate(time.Minute)}]++
	}
	if e.Integration == "" {
		return
	}
	t.add(e, e.Outcome, 1)
	if e.Ended {
		t.add(e, trace.Pending, -1)
	}
	switch {
	case e.Replayed && e.Was == nil:
		t.add(e, trace.Dead, -1)
	case e.Replayed && e.Was.Outcome != "":
		// It is taken back where it was counted, so that no minute counts below
		// nothing, and the pair counts once.
		was := Entry{Pipeline: e.Pipeline, Integration: e.Integration, Reason: e.Was.Reason, At: e.Was.At, Took: e.Was.Took}
		t.add(&was, e.Was.Outcome, -1)
	}
}

func (t *tally) add(e *Entry, o trace.Outcome, n int64) {
	k := countKey{pipeline: e.Pipeline, integration: e.Integration, outcome: string(o), minute: e.At.Truncate(time.Minute)}
	if o == trace.Filtered || o == trace.Dead && n > 0 {
		k.reason = e.Reason
	}
	c := t.counts[k]
	if c == nil {
		c = &store.Count{Pipeline: k.pipeline, Integration: k.integration, Outcome: k.outcome, Reason: k.reason, Minute: k.minute}
		t.counts[k] = c
	}
	c.N += n
	if o == trace.Delivered {
		c.Took[store.TookBucket(e.Took)] += n
		c.TookSum += time.Duration(n) * e.Took
	}
}

func (t *tally) batch() store.CountBatch {
	b := store.CountBatch{Ledger: t.reached}
	for _, c := range t.counts {
		b.Counts = append(b.Counts, *c)
	}
	for k, n := range t.accepted {
		b.Accepted = append(b.Accepted, store.Accepted{Pipeline: k.pipeline, Minute: k.minute, N: n})
	}
	return b
}
