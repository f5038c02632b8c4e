package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/store"
)

// A replay writes REPORTS, then LEDGER, and takes dead letters off the list.
// Between any two of these it may be killed or fail. So before the first it
// leaves a note of all of it in the store, in the transaction in which the
// letters leave the list, and deletes the note after the last. Who finds a note
// looks what the journals have, writes the beginnings that are missing, and puts
// the letters back that were not handed on: each generation begins once.

// replayNote is the note's name in the store. There is one at a time, since the
// Worker does one thing at a time.
const replayNote = "process.replay"

// note is what a replay was about to do.
type note struct {
	Ledger  uint64            `json:"ledger"`  // last sequence of LEDGER before it
	Reports map[string]uint64 `json:"reports"` // the same of REPORTS, by integration
	Pairs   []notedPair       `json:"pairs"`
}

type notedPair struct {
	Begin  ledger.Entry      `json:"begin"`
	Letter *store.DeadLetter `json:"letter,omitempty"`
}

type pairKey struct {
	integration string
	place       event.Place
	gen         int
}

func keyOf(e *ledger.Entry) pairKey { return pairKey{e.Integration, e.Place, e.Gen} }

// noteReplay writes the note and takes the letters off the list.
func (w *Worker) noteReplay(ctx context.Context, pairs []*pair) error {
	n := note{Reports: map[string]uint64{}}
	var err error
	if _, n.Ledger, err = w.opts.Ledger.Bounds(ctx); err != nil {
		return err
	}
	var ids []string
	for _, p := range pairs {
		if _, ok := n.Reports[p.integration]; !ok {
			if _, n.Reports[p.integration], err = w.opts.Reports[p.integration].Bounds(ctx); err != nil {
				return err
			}
		}
		n.Pairs = append(n.Pairs, notedPair{p.begin, p.letter})
		if p.letter != nil {
			ids = append(ids, p.letter.ID)
		}
	}
	b, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("note a replay: %w", err)
	}
	w.noted = true // also when the answer is an error: it may be there all the same
	return w.opts.Store.TakeDead(ctx, ids, replayNote, string(b))
}

// settleReplay brings to its end what a replay before left half done; mostly
// there is nothing.
func (w *Worker) settleReplay(ctx context.Context) error {
	if !w.noted {
		return nil
	}
	if err := w.settleNote(ctx); err != nil {
		return fmt.Errorf("finish an earlier replay: %w", err)
	}
	w.noted = false
	return nil
}

func (w *Worker) settleNote(ctx context.Context) error {
	text, ok, err := w.opts.Store.Meta(ctx, replayNote)
	if err != nil || !ok {
		return err
	}
	var n note
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return fmt.Errorf("read the note: %w", err)
	}
	// REPORTS first: what delivery settles and drops meanwhile stands in LEDGER.
	handed := map[pairKey]bool{}
	for id, behind := range n.Reports {
		if err := w.itemsBehind(ctx, id, behind, handed); err != nil {
			return err
		}
	}
	begun, err := w.begunBehind(ctx, n.Ledger, handed)
	if err != nil {
		return err
	}
	var missing [][]byte
	var back []store.DeadLetter
	for _, p := range n.Pairs {
		switch k := keyOf(&p.Begin); {
		case begun[k]:
		case handed[k]:
			b, err := p.Begin.Append(nil)
			if err != nil {
				return err
			}
			missing = append(missing, b)
		case p.Letter != nil:
			p.Letter.Request, p.Letter.Answer, p.Letter.Checks = notNull(p.Letter.Request), notNull(p.Letter.Answer), notNull(p.Letter.Checks)
			back = append(back, *p.Letter)
		}
	}
	if _, _, err := appendAll(ctx, w.opts.Ledger, ledger.Meta{}, ledger.Meta{}, missing); err != nil {
		return err
	}
	return w.opts.Store.ReturnDead(ctx, back, replayNote)
}

// notNull gives nil for JSON's null, which is how nil was written.
func notNull(b json.RawMessage) json.RawMessage {
	if string(b) == "null" {
		return nil
	}
	return b
}

// itemsBehind adds the items that an integration was handed behind a sequence.
func (w *Worker) itemsBehind(ctx context.Context, id string, seq uint64, into map[pairKey]bool) error {
	log := w.opts.Reports[id]
	if log == nil {
		return nil // taken out of the configuration since: nobody would send it
	}
	return log.Each(ctx, seq+1, func(f journal.Frame) error {
		for _, raw := range f.Items {
			item, err := integrations.ParseItem(raw)
			if err != nil {
				return err
			}
			into[pairKey{id, item.Place, item.Gen}] = true
		}
		return nil
	})
}

// begunBehind gives what the LEDGER says began behind a sequence, and adds what
// ended there to handed.
func (w *Worker) begunBehind(ctx context.Context, seq uint64, handed map[pairKey]bool) (map[pairKey]bool, error) {
	begun := map[pairKey]bool{}
	err := w.opts.Ledger.Each(ctx, seq+1, func(f journal.Frame) error {
		for _, raw := range f.Items {
			e, err := ledger.Parse(raw)
			if err != nil {
				return err
			}
			if e.Ended {
				handed[keyOf(&e)] = true
			} else {
				begun[keyOf(&e)] = true
			}
		}
		return nil
	})
	return begun, err
}

// Delivery keeps a dead letter before its LEDGER entry. One that was given up so
// lately is looked for there, lest its event is sent again while the LEDGER does
// not know its end.
const (
	lately      = time.Minute
	writtenWait = 5 * time.Second
	writtenStep = 50 * time.Millisecond
)

// written waits until the LEDGER has the ends of young dead letters.
func (w *Worker) written(ctx context.Context, ids []string) error {
	missing := map[pairKey]bool{}
	first := time.Now()
	for _, id := range ids {
		d, ok, err := w.opts.Store.DeadLetter(ctx, id)
		if err != nil {
			return fmt.Errorf("replay dead letter %s: %w", id, err)
		}
		if ok && time.Since(d.LastAt) < lately {
			missing[pairKey{d.Integration, d.Place, d.Gen}] = true
			first = earlier(first, d.LastAt)
		}
	}
	for deadline := time.Now().Add(writtenWait); len(missing) > 0; {
		since, err := w.opts.Ledger.Since(ctx, first.Add(-time.Second))
		if err != nil {
			return err
		}
		if err := w.strikeEnded(ctx, since, missing); err != nil || len(missing) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("a dead letter is still being written down: replay it in a moment")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.ended:
			return ErrEnded
		case <-time.After(writtenStep):
		}
	}
	return nil
}

func (w *Worker) strikeEnded(ctx context.Context, seq uint64, missing map[pairKey]bool) error {
	return w.opts.Ledger.Each(ctx, seq, func(f journal.Frame) error {
		for _, raw := range f.Items {
			e, err := ledger.Parse(raw)
			if err != nil {
				return err
			}
			if e.Ended {
				delete(missing, keyOf(&e))
			}
		}
		return nil
	})
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
