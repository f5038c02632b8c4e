package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
)

// Names of the cursors in the store: what the visitors are good for, and where
// in the LEDGER to look for what is handed on. Entries behind the latter are
// not needed by process any more.
const (
	cursorVisitors = "process"
	CursorHanded   = "process.handed"
)

// recover finds out where an earlier run stood: what the LEDGER says is handed
// on, and what was written to REPORTS behind that. It gives the EVENTS sequence
// that the stored visitors are good for, from which reading starts.
func (w *Worker) recover(ctx context.Context) (visitorsAt uint64, err error) {
	visitors, err := w.opts.Store.Cursor(ctx, cursorVisitors)
	if err != nil {
		return 0, fmt.Errorf("read where the visitors stood: %w", err)
	}
	handed, err := w.opts.Store.Cursor(ctx, CursorHanded)
	if err != nil {
		return 0, fmt.Errorf("read where processing stood: %w", err)
	}
	upto, at, err := lastHanded(ctx, w.opts.Ledger, handed.Seq, handed.Ledger)
	if err != nil {
		return 0, err
	}
	w.handed.Store(upto)
	w.ledgerAt = at
	w.reached.Store(visitors.Seq)
	w.recovered = map[string]map[event.Place]bool{}
	for id, log := range w.opts.Reports {
		items, reach, err := handedBehind(ctx, log, upto)
		if err != nil {
			return 0, fmt.Errorf("look at what %s was handed: %w", id, err)
		}
		w.recovered[id], w.recoveredTo = items, max(w.recoveredTo, reach)
	}
	if err := w.settleReplay(ctx); err != nil { // the next tick comes back to it
		w.opts.Log.Error("a replay is not finished yet", "error", err)
	}
	return visitors.Seq, nil
}

// lastHanded reads LEDGER from a known place to its end for the highest EVENTS
// sequence that is handed on.
func lastHanded(ctx context.Context, log *journal.Log, upto, at uint64) (uint64, uint64, error) {
	err := log.Each(ctx, at+1, func(f journal.Frame) error {
		var m ledger.Meta
		if err := json.Unmarshal(f.Meta, &m); err != nil {
			return fmt.Errorf("the meta of frame %d: %w", f.Seq, err)
		}
		if m.Upto > upto {
			upto, at = m.Upto, f.Seq
		}
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("read LEDGER: %w", err)
	}
	return upto, at, nil
}

// handedBehind gives the events behind upto that are in an integration's
// REPORTS though the LEDGER does not say so yet, and how far in EVENTS they
// reach. They are in its last frames.
func handedBehind(ctx context.Context, log *journal.Log, upto uint64) (out map[event.Place]bool, reach uint64, err error) {
	first, last, err := log.Bounds(ctx)
	if err != nil {
		return nil, 0, err
	}
	out = map[event.Place]bool{}
	for seq := last; seq >= first && seq > 0; seq-- {
		f, err := log.Frame(ctx, seq)
		if errors.Is(err, journal.ErrNoFrame) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		var m Meta
		if err := json.Unmarshal(f.Meta, &m); err != nil {
			return nil, 0, fmt.Errorf("read the meta of frame %d: %w", seq, err)
		}
		if m.Upto == 0 { // a replay
			continue
		}
		if m.Upto <= upto {
			break
		}
		reach = max(reach, m.Upto)
		for _, raw := range f.Items {
			item, err := integrations.ParseItem(raw)
			if err != nil {
				return nil, 0, err
			}
			out[item.Place] = true
		}
	}
	return out, reach, nil
}
