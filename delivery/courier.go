// Package delivery brings the reports of an integration to its vendor: in order
// per visitor, visitors beside each other, again and again until they are taken
// or cannot be. It reads the integration's REPORTS journal, which process
// writes, and writes the end of each item to the LEDGER.
//
// It promises that an item's end is durable before its frame counts as done, so
// that a kill at any instant loses nothing and repeats at most the report that
// was under way for each visitor; and that a later item of a visitor never
// overtakes an earlier one.
//
//	Courier ── reads REPORTS into ──▶ lanes ── ends ──▶ settler ──▶ store, LEDGER
//	                                    │
//	  a turn of a lane: step (who may go, what is built) ─▶ try (what the answer
//	  means), with the gate (pause and breaker), the pace, the scouts, and the
//	  cuts and parts of what was refused
//
// It is larger than a room should be, for all of it shares the lock of the lanes
// and each file is one rule of its own; what decides without a lock (gate, pace,
// cuts, schedule) is pure and tested by tables.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// Options are what a Courier needs; those without a default are required.
type Options struct {
	Integration store.Integration
	Connection  integrations.Connection
	Reports     *journal.Log
	Ledger      *journal.Log
	Store       *store.Store

	// Allowed says right before sending whether the visitor's consent still
	// lets this integration have the event, and why not. While it cannot say,
	// the visitor's lane waits.
	Allowed func(ctx context.Context, pipeline, integration, anonymousID string) (bool, string, error)

	// PerSecond bounds the requests a second, burst the same. 0 means no bound.
	PerSecond float64
	// Concurrency bounds the requests under way. Default 64.
	Concurrency int
	// MaxHeld bounds the items in memory. Default 20,000; reading stops there.
	MaxHeld int
	// Grace is how long Run waits for what is under way. Default 10 s.
	Grace time.Duration

	Tap trace.Tap
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Concurrency == 0 {
		o.Concurrency = 64
	}
	if o.MaxHeld == 0 {
		o.MaxHeld = 20_000
	}
	if o.Grace == 0 {
		o.Grace = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Allowed == nil {
		o.Allowed = func(context.Context, string, string, string) (bool, string, error) { return true, "", nil }
	}
	return o
}

// A Courier delivers the reports of one integration. Run may be called once;
// Status and Resume are safe at any time from any goroutine.
type Courier struct {
	opts    Options
	lanes   *lanes
	frames  *frames
	visits  *visits
	settler *settler
	learned uint64 // version that stands in the store
}

// New makes a Courier; it does no I/O.
func New(o Options) *Courier {
	o = o.withDefaults()
	c := &Courier{opts: o, frames: &frames{}, visits: newVisits(o.Store, o.Integration.ID)}
	c.settler = newSettler(c)
	c.lanes = newLanes(laneOptions{
		pipeline: o.Integration.Pipeline, integration: o.Integration.ID, connection: o.Connection,
		perSecond: o.PerSecond, concurrency: o.Concurrency,
		visit: c.visits.visit, keep: c.visits.keep, allowed: o.Allowed, settle: c.settler.settle, tap: o.Tap, log: o.Log,
	})
	return c
}

// Run delivers until ctx ends, then finishes what is under way and writes down
// where it stands. Its error says why it could not start or go on.
func (c *Courier) Run(ctx context.Context) error {
	past, err := c.recover(ctx)
	if err != nil {
		return fmt.Errorf("find where delivery to %s stood: %w", c.opts.Integration.ID, err)
	}
	if err := c.restore(ctx); err != nil {
		return fmt.Errorf("find what was learned of the vendor of %s: %w", c.opts.Integration.ID, err)
	}
	sending, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var work, settling sync.WaitGroup
	settling.Go(func() { c.settler.run(sending) })
	work.Go(func() { c.lanes.run(sending) })

	failed := make(chan error, 1)
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	work.Go(func() { failed <- c.read(reading, past) })
	work.Go(func() { c.tend(reading) })
	stopTicks := c.every(sending, time.Second, c.writeBehind)

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stopReading()
	c.lanes.stop()
	grace := time.AfterFunc(c.opts.Grace, cut)
	work.Wait()
	c.settler.close()
	settling.Wait()
	grace.Stop()
	stopTicks()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	c.writeBehind(last)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// every calls f each period until the function that it gives is called, which
// waits for the last call.
func (c *Courier) every(ctx context.Context, period time.Duration, f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(period)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				f(ctx)
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// read takes REPORTS into the lanes, as far as there is room.
func (c *Courier) read(ctx context.Context, past *past) error {
	reader, err := c.opts.Reports.Read(ctx, past.from)
	if err != nil {
		return fmt.Errorf("read the reports of %s: %w", c.opts.Integration.ID, err)
	}
	defer reader.Close()
	for c.lanes.room(c.opts.MaxHeld) {
		f, err := reader.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the reports of %s: %w", c.opts.Integration.ID, err)
		}
		if err := c.load(ctx, f, past); err != nil {
			return err
		}
	}
	return nil
}

// load puts the items of a frame that are not settled into their lanes.
func (c *Courier) load(ctx context.Context, f journal.Frame, past *past) error {
	ledgerAt := c.settler.reached()
	if f.Seq <= past.last {
		ledgerAt = past.ledger // its items may be settled anywhere behind the cursor
	}
	var todo []*held
	for i, raw := range f.Items {
		item, err := integrations.ParseItem(raw)
		if err != nil {
			return fmt.Errorf("frame %d, item %d of the reports of %s: %w", f.Seq, i, c.opts.Integration.ID, err)
		}
		if f.Seq <= past.last { // an earlier run may have been here
			if open, err := c.open(ctx, past, &item); err != nil {
				return err
			} else if !open {
				continue
			}
		}
		since := item.ReceivedAt
		if item.Gen > 0 {
			since = f.At
		}
		todo = append(todo, &held{Item: item, since: since})
	}
	at := c.frames.add(f.Seq, len(todo), ledgerAt)
	for _, h := range todo {
		h.frame = at
	}
	c.lanes.add(todo...)
	return nil
}

// writeBehind writes down the visits that changed, what was learned, and the
// cursor, and drops the frames behind it. What fails is tried again the next
// time.
func (c *Courier) writeBehind(ctx context.Context) {
	if err := c.keepLearned(ctx); err != nil && ctx.Err() == nil {
		c.opts.Log.Error("what was learned of the vendor is not written down yet", "integration", c.opts.Integration.ID, "error", err)
	}
	if err := c.visits.flush(ctx); err != nil && ctx.Err() == nil {
		c.opts.Log.Error("visits are not written down yet", "integration", c.opts.Integration.ID, "error", err)
	}
	cursor, moved := c.frames.cursor()
	if !moved {
		return
	}
	err := c.opts.Store.SetCursor(ctx, c.cursorName(), store.Cursor{Seq: cursor.seq, Ledger: cursor.ledgerAt})
	if err == nil && cursor.seq > kept {
		err = c.opts.Reports.Purge(ctx, cursor.seq-kept)
	}
	switch {
	case err == nil:
		c.frames.written(cursor)
	case ctx.Err() == nil && !errors.Is(err, journal.ErrNotDurable):
		c.opts.Log.Error("the place of delivery is not written down yet", "integration", c.opts.Integration.ID, "error", err)
	}
}

// kept are the last frames of REPORTS that stay though they are settled: process
// looks at them after a crash to see what it had handed on.
const kept = 16

func (c *Courier) cursorName() string { return "delivery/" + c.opts.Integration.ID }

// Reads says from which LEDGER sequence on a restart would read entries, and
// whether it would read any: not when everything is settled.
func (c *Courier) Reads(ctx context.Context) (ledgerAt uint64, behind bool, err error) {
	cursor, err := c.opts.Store.Cursor(ctx, c.cursorName())
	if err != nil {
		return 0, false, err
	}
	_, last, err := c.opts.Reports.Bounds(ctx)
	return cursor.Ledger, cursor.Seq <= last, err
}

// ID is that of its integration.
func (c *Courier) ID() string { return c.opts.Integration.ID }

// Resume ends a pause at once, because a person changed something.
func (c *Courier) Resume() { c.lanes.resume() }
