package delivery

import (
	"context"
	"fmt"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/trace"
)

// itemKey names an item of an integration for good.
type itemKey struct {
	place event.Place
	gen   int
}

// past is what earlier runs left: where to read from, and what is settled
// behind that place.
type past struct {
	from    uint64 // REPORTS sequence to read from
	last    uint64 // REPORTS sequence when this run began
	ledger  uint64 // LEDGER sequence that goes with from
	settled map[itemKey]bool
	opened  map[itemKey]bool   // replays that the LEDGER knows to be pending
	dead    map[itemKey]string // dead letters, by their id
}

// recover reads the cursor, the LEDGER behind it and the dead letters.
func (c *Courier) recover(ctx context.Context) (*past, error) {
	id := c.opts.Integration.ID
	cursor, err := c.opts.Store.Cursor(ctx, c.cursorName())
	if err != nil {
		return nil, fmt.Errorf("read the cursor: %w", err)
	}
	p := &past{from: max(cursor.Seq, 1), ledger: cursor.Ledger, settled: map[itemKey]bool{}, opened: map[itemKey]bool{}, dead: map[itemKey]string{}}
	if _, p.last, err = c.opts.Reports.Bounds(ctx); err != nil {
		return nil, fmt.Errorf("read the bounds of the reports: %w", err)
	}
	_, last, err := c.opts.Ledger.Bounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the bounds of the ledger: %w", err)
	}
	c.settler.written.Store(last)
	if p.from > p.last { // everything that was handed over is settled
		return p, nil
	}
	if err := c.opts.Ledger.Each(ctx, cursor.Ledger+1, func(f journal.Frame) error { return p.learn(f, id) }); err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	letters, err := c.opts.Store.DeadPlaces(ctx, id, 0)
	if err != nil {
		return nil, fmt.Errorf("read the dead letters: %w", err)
	}
	for _, k := range letters {
		p.dead[itemKey{k.Place, k.Gen}] = k.ID
	}
	return p, nil
}

// learn notes what a LEDGER frame says of an integration.
func (p *past) learn(f journal.Frame, integration string) error {
	for i, raw := range f.Items {
		e, err := ledger.Parse(raw)
		if err != nil {
			return fmt.Errorf("frame %d, entry %d: %w", f.Seq, i, err)
		}
		switch k := (itemKey{e.Place, e.Gen}); {
		case e.Integration != integration:
		case e.Outcome != trace.Pending:
			p.settled[k] = true
		case e.Replayed:
			p.opened[k] = true
		}
	}
	return nil
}

// open reports whether an item is still to be delivered, and puts right what a
// crash left half done: a dead letter without its entry, and a replay whose
// entry is missing.
func (c *Courier) open(ctx context.Context, p *past, item *integrations.Item) (bool, error) {
	k := itemKey{item.Place, item.Gen}
	if p.settled[k] {
		return false, nil
	}
	if _, dead := p.dead[k]; dead {
		e := end{item: &held{Item: *item}, result: trace.Dead, reason: "given up before a restart"}
		b, err := e.entry(c.opts.Integration)
		if err != nil {
			return false, err
		}
		return false, c.settler.append(ctx, [][]byte{b})
	}
	old, replayed := p.dead[itemKey{item.Place, item.Gen - 1}]
	if !replayed || p.opened[k] {
		return true, nil
	}
	e := ledger.Entry{Place: item.Place, Gen: item.Gen, Pipeline: c.opts.Integration.Pipeline, Integration: c.opts.Integration.ID, Outcome: trace.Pending, At: item.ReceivedAt, Replayed: true}
	b, err := e.Append(nil)
	if err != nil {
		return false, err
	}
	if err := c.settler.append(ctx, [][]byte{b}); err != nil {
		return false, err
	}
	_, err = c.opts.Store.DropDead(ctx, []string{old})
	return true, err
}
