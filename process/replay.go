package process

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

type replay struct {
	ids  []string
	done chan replayed
}

type replayed struct {
	n   int
	err error
}

// Replay sends dead letters again through the current revision of their
// integration: the stored event is governed by the visitor's consent of today,
// mapped anew and handed on behind what the visitor has waiting. A letter that
// is handed on, or filtered now, is a dead letter no more; one that is not on
// the list, or not any more, is passed over. It blocks until all are, gives how
// many were, and is safe for many goroutines.
func (w *Worker) Replay(ctx context.Context, ids []string) (int, error) {
	r := replay{ids, make(chan replayed, 1)}
	select {
	case w.replays <- r:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case done := <-r.done:
		return done.n, done.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// replay works through one call of Replay. The letters are read here, in the
// Worker's own turn, so that two who ask for the same one send it once.
func (w *Worker) replay(ctx context.Context, ids []string) replayed {
	out := newOutput()
	sent := map[string]bool{}
	for _, id := range ids {
		d, ok, err := w.opts.Store.DeadLetter(ctx, id)
		if err == nil && ok && !sent[id] {
			sent[id] = true
			err = w.again(ctx, out, &d)
		}
		if err != nil {
			return replayed{0, fmt.Errorf("replay dead letter %s: %w", id, err)}
		}
	}
	if len(sent) == 0 {
		return replayed{}
	}
	if err := w.handOn(ctx, out, 0); err != nil {
		return replayed{0, fmt.Errorf("replay: %w", err)}
	}
	out.note(w.opts.Tap)
	if _, err := w.opts.Store.DropDead(ctx, slices.Collect(maps.Keys(sent))); err != nil {
		return replayed{0, fmt.Errorf("take replayed dead letters off the list: %w", err)}
	}
	return replayed{n: len(sent)}
}

// again adds one dead letter to out: pending with the next generation, or
// filtered.
func (w *Worker) again(ctx context.Context, out *output, d *store.DeadLetter) error {
	routed, work, err := w.rerun(ctx, d)
	if err != nil {
		return err
	}
	routed.Item.Gen, routed.Item.Traced = d.Gen+1, true
	entry := ledger.Entry{Place: d.Place, Gen: d.Gen + 1, Pipeline: d.Pipeline, Integration: d.Integration, Outcome: trace.Pending, At: time.Now().UTC(), Replayed: true}
	out.entry(entry)
	switch {
	case routed.Reason != "":
		entry.Outcome, entry.Reason, entry.Replayed, entry.Ended = trace.Filtered, routed.Reason, false, true
		out.entry(entry)
	case w.opts.Reports[d.Integration] == nil:
		return fmt.Errorf("integration %s is not there any more", d.Integration)
	default:
		out.item(&routed)
	}
	if work != nil {
		work.Routes = []Routed{routed}
		out.records = append(out.records, work.arrival())
	}
	return nil
}

// rerun maps the stored event anew. When EVENTS does not hold it any more, the
// item goes as it was mapped the first time.
func (w *Worker) rerun(ctx context.Context, d *store.DeadLetter) (Routed, *Work, error) {
	p := w.pipeline(d.Pipeline)
	frame, err := w.opts.Events.Frame(ctx, d.Place.Seq)
	if errors.Is(err, journal.ErrNoFrame) {
		item, err := integrations.ParseItem(d.Item)
		return Routed{Integration: d.Integration, Item: item}, nil, err
	}
	if err != nil {
		return Routed{}, nil, err
	}
	if d.Place.Index >= len(frame.Items) {
		return Routed{}, nil, fmt.Errorf("frame %d has no event %d", d.Place.Seq, d.Place.Index)
	}
	r, err := event.ParseReceived(frame.Items[d.Place.Index])
	if err != nil {
		return Routed{}, nil, err
	}
	work := &Work{Place: d.Place, Received: r, Pipeline: p, Explain: true, Replayed: true}
	if work.Event, err = event.Decode(r); err != nil {
		return Routed{}, nil, err
	}
	visitor, err := w.visitors.copied(ctx, r.Pipeline, r.AnonymousID)
	if err != nil {
		return Routed{}, nil, err
	}
	work.govern(&visitor, w.opts.Salt)
	for i := range p.Routes {
		if p.Routes[i].ID == d.Integration {
			return work.route(&p.Routes[i]), work, nil
		}
	}
	return Routed{Integration: d.Integration, Reason: "integration: it is not there any more, or is off"}, work, nil
}

// govern runs the stages for an event of the past: what it says of consent is
// older than what is known, so the visitor's state of today wins, and the visit
// is the one in course.
func (w *Work) govern(v *store.Visitor, salt []byte) {
	today := v.Consent
	w.Visitor = v
	bots(w, salt)
	consented(w, salt)
	w.Consent = w.Consent.Merge(today)
	v.Consent = w.Consent
	if on, ok := w.Event.Lookup("context.consent"); ok {
		on.(map[string]any)["canonical"] = w.Consent.View()
	}
	personalData(w, salt)
	if v.Session.Sid == "" {
		session(w, salt)
	}
	if len(v.Traits) == 0 && v.UserID == "" {
		identified(w, salt)
	}
	known(w)
}
