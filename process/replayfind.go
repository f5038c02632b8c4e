package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/trace"
)

// A Selection chooses stored events to be sent again to one integration. What is
// empty but for Integration does not filter.
type Selection struct {
	Pipeline, Integration string
	From, To              time.Time // of receipt; To is not in it
	Event                 string    // in any spelling, see event.FoldName
	Visitor               string    // an anonymousId or a userId
}

// MaxFound is how many events one Selection may find. Each takes about 150 bytes
// of memory until it is sent.
const MaxFound = 2_000_000

// ErrTooMany means that a Selection finds more than MaxFound.
var ErrTooMany = fmt.Errorf("more than %d events match: choose a shorter time, an event or a visitor", MaxFound)

// Found are the stored events of a Selection, in the order of receipt, and how
// each stands for the integration. One goroutine at a time may use it, and after
// an error of Resend none.
type Found struct {
	Selection
	// Oldest is when the oldest event that is still stored was received, zero
	// when none is. What a Selection asks for before it is not kept.
	Oldest time.Time

	events []found
	index  map[event.Place]int // in events
	next   int                 // in events, the first that Resend has not had
	ledger uint64              // LEDGER sequence that is read
	handed uint64              // EVENTS sequence that the LEDGER knew of before it was read
}

// found is one event, with what the LEDGER says of its last generation.
type found struct {
	place event.Place
	known bool // there is an entry for the integration
	gen   int
	was   ledger.Was // Outcome is "pending" while it waits
}

// Len gives how many events were found.
func (f *Found) Len() int { return len(f.events) }

// Left gives how many Resend has not had.
func (f *Found) Left() int { return len(f.events) - f.next }

// Clocks of journal and gateway are those of one machine; this much is allowed
// for the time between receipt and commit, and for clocks that are set.
const (
	commitSlack = time.Minute
	ledgerSlack = time.Hour
)

// Find looks through EVENTS and LEDGER for the events of a selection. It reads
// both from the begin of the time on, beside the Worker, and blocks until it is
// through. It is safe for many goroutines.
func (w *Worker) Find(ctx context.Context, s Selection) (*Found, error) {
	f := &Found{Selection: s, index: map[event.Place]int{}}
	if w.routeOf(&pair{pipeline: s.Pipeline, integration: s.Integration}) == nil {
		return nil, fmt.Errorf("integration %s is off, or not there", s.Integration)
	}
	if err := w.oldest(ctx, f); err != nil {
		return nil, err
	}
	from, err := w.opts.Events.Since(ctx, s.From.Add(-commitSlack))
	if err != nil {
		return nil, err
	}
	err = w.opts.Events.Each(ctx, from, func(frame journal.Frame) error {
		if !s.To.IsZero() && frame.At.After(s.To.Add(commitSlack)) {
			return errEnough
		}
		return f.look(frame)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("look through EVENTS: %w", err)
	}
	at, err := w.opts.Ledger.Since(ctx, s.From.Add(-ledgerSlack))
	if err != nil {
		return nil, err
	}
	f.ledger = max(at, 1) - 1
	return f, w.learn(ctx, f)
}

var errEnough = errors.New("behind the time that was asked for")

func (w *Worker) oldest(ctx context.Context, f *Found) error {
	first, _, err := w.opts.Events.Bounds(ctx)
	if err != nil {
		return err
	}
	frame, err := w.opts.Events.Frame(ctx, first)
	if errors.Is(err, journal.ErrNoFrame) {
		return nil
	}
	f.Oldest = frame.At
	return err
}

// look adds the events of a frame that match.
func (f *Found) look(frame journal.Frame) error {
	name := event.FoldName(f.Event)
	for i, raw := range frame.Items {
		r, err := event.ParseReceived(raw)
		if err != nil || r.Pipeline != f.Pipeline || r.ReceivedAt.Before(f.From) || !f.To.IsZero() && !r.ReceivedAt.Before(f.To) {
			continue
		}
		if name != "" || f.Visitor != "" && r.AnonymousID != f.Visitor {
			e, err := event.Decode(r)
			if err != nil || name != "" && event.FoldName(e.Name) != name || f.Visitor != "" && e.AnonymousID != f.Visitor && e.UserID != f.Visitor {
				continue
			}
		}
		if len(f.events) == MaxFound {
			return ErrTooMany
		}
		at := event.Place{Seq: frame.Seq, Index: i}
		f.index[at] = len(f.events)
		f.events = append(f.events, found{place: at})
	}
	return nil
}

// learn reads what the LEDGER has by now of the events that were found.
func (w *Worker) learn(ctx context.Context, f *Found) error {
	f.handed = w.handed.Load() // before reading: what it counts is there to be read
	err := w.opts.Ledger.Each(ctx, f.ledger+1, func(frame journal.Frame) error {
		for _, raw := range frame.Items {
			e, err := ledger.Parse(raw)
			if err != nil {
				return err
			}
			if i, ok := f.index[e.Place]; ok && e.Integration == f.Integration {
				f.events[i].enter(&e)
			}
		}
		f.ledger = frame.Seq
		return nil
	})
	if err != nil {
		return fmt.Errorf("look through LEDGER: %w", err)
	}
	return nil
}

// enter takes over what an entry says. Entries of a generation stand in any
// order, and its end goes before its beginning.
func (d *found) enter(e *ledger.Entry) {
	switch {
	case d.known && e.Gen < d.gen:
		return
	case d.known && e.Gen == d.gen && e.Outcome == trace.Pending:
		return
	}
	d.known, d.gen = true, e.Gen
	d.was = ledger.Was{Outcome: e.Outcome, Reason: e.Reason, At: e.At, Took: e.Took}
}

// again gives the pair of a found event, nil while it still waits. handed is the
// EVENTS sequence that the LEDGER knew of when it was read.
func (f *Found) again(d *found) *pair {
	p := &pair{pipeline: f.Pipeline, integration: f.Integration, place: d.place, gen: d.gen + 1}
	switch {
	case !d.known && d.place.Seq > f.handed, d.known && d.was.Outcome == trace.Pending:
		return nil
	case !d.known: // the integration came later, or was off
		p.was = &ledger.Was{}
	case d.was.Outcome != trace.Dead:
		was := d.was
		p.was = &was
	}
	return p
}

// Resend sends the next n of what was found again, n at most ReplayAtOnce, as
// Replay does with dead letters: each in the next generation of its pair. What
// still waits is passed over. A dry run changes nothing but how far f is.
func (w *Worker) Resend(ctx context.Context, f *Found, n int, dry bool) (Replayed, error) {
	n = min(n, ReplayAtOnce, f.Left())
	if err := w.learn(ctx, f); err != nil { // most of it beside the Worker
		return Replayed{}, err
	}
	return inTurn(ctx, w, func(ctx context.Context) (Replayed, error) {
		// Generations begin in the Worker's turn alone, so what is in the LEDGER
		// now is all there is; but for those that a note is about.
		if err := w.settleReplay(ctx); err != nil {
			return Replayed{}, err
		}
		if err := w.learn(ctx, f); err != nil {
			return Replayed{}, err
		}
		var sum Replayed
		var pairs []*pair
		for i := f.next; i < f.next+n; i++ {
			p := f.again(&f.events[i])
			if p == nil {
				sum.Pending++
				continue
			}
			if err := w.addLetter(ctx, f, p); err != nil {
				return Replayed{}, err
			}
			pairs = append(pairs, p)
		}
		err := w.resend(ctx, &sum, pairs, dry)
		if err == nil {
			f.next += n
		}
		return sum, err
	})
}

// addLetter finds the dead letter of a pair that is dead and not dropped: it
// leaves the list with the replay.
func (w *Worker) addLetter(ctx context.Context, f *Found, p *pair) error {
	if p.was != nil {
		return nil
	}
	letter, ok, err := w.opts.Store.DeadAt(ctx, f.Integration, p.place, p.gen-1)
	if ok {
		p.letter = &letter
	}
	return err
}
