package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

type replay struct {
	letters []store.DeadLetter
	done    chan error
}

// Replay sends dead letters again through the current revision of their
// integration: the stored event is governed by the visitor's consent of today,
// mapped anew and handed on behind what the visitor has waiting. A letter that
// is handed on, or filtered now, is a dead letter no more. It blocks until all
// are, and is safe for many goroutines.
func (w *Worker) Replay(ctx context.Context, letters []store.DeadLetter) error {
	r := replay{letters, make(chan error, 1)}
	select {
	case w.replays <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *Worker) replay(ctx context.Context, letters []store.DeadLetter) error {
	out := newOutput()
	var ids []string
	for i := range letters {
		if err := w.again(ctx, out, &letters[i]); err != nil {
			return fmt.Errorf("replay dead letter %s: %w", letters[i].ID, err)
		}
		ids = append(ids, letters[i].ID)
	}
	for id, items := range out.items {
		log := w.opts.Reports[id]
		if log == nil {
			return fmt.Errorf("replay: integration %s is not there any more", id)
		}
		if _, _, err := appendAll(ctx, log, Meta{}, Meta{}, items); err != nil {
			return fmt.Errorf("replay to %s: %w", id, err)
		}
	}
	if _, _, err := appendAll(ctx, w.opts.Ledger, ledger.Meta{}, ledger.Meta{}, out.entries); err != nil {
		return fmt.Errorf("write the replay to the ledger: %w", err)
	}
	out.note(w.opts.Tap)
	if _, err := w.opts.Store.DropDead(ctx, ids); err != nil {
		return fmt.Errorf("take replayed dead letters off the list: %w", err)
	}
	return nil
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
	if routed.Reason != "" {
		entry.Outcome, entry.Reason, entry.Replayed, entry.Ended = trace.Filtered, routed.Reason, false, true
		out.entry(entry)
	} else {
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
	work := &Work{Place: d.Place, Received: r, Pipeline: p, Explain: true}
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
