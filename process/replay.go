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

// ReplayAtOnce is how many events one call of Replay or Resend takes at most:
// the LEDGER hears of them in one frame, and live events wait no longer.
const ReplayAtOnce = 500

// ErrEnded means that the Worker has ended, and takes no replays any more.
var ErrEnded = errors.New("processing has ended: ask again when the server runs")

// Replayed is what came of a replay, or what would have come of a dry run.
type Replayed struct {
	Sent     int            // handed on, to be sent
	Filtered map[string]int // ended at once, by reason
	Kept     map[string]int // left as they were, by why
	Gone     int            // dead letters that are not on the list any more
	NotKept  int            // stored events that EVENTS has dropped since
	Pending  int            // stored events that still wait, and are not sent

	// Of Sent:
	Repeats int // delivered or carried before: the vendor gets them twice
	Same    int // dead letters that make the same payload as the one given up
	Short   int // sent without a field that could not be made
}

func (r *Replayed) filtered(reason string) {
	if r.Filtered == nil {
		r.Filtered = map[string]int{}
	}
	r.Filtered[reason]++
}

func (r *Replayed) kept(why string) {
	if r.Kept == nil {
		r.Kept = map[string]int{}
	}
	r.Kept[why]++
}

// Events gives how many there were in all.
func (r *Replayed) Events() int {
	n := r.Sent + r.Gone + r.NotKept + r.Pending
	for _, by := range []map[string]int{r.Filtered, r.Kept} {
		for _, m := range by {
			n += m
		}
	}
	return n
}

// inTurn has the Worker do something between two batches: nothing begins or is
// handed on meanwhile. It is safe for many goroutines.
func inTurn[T any](ctx context.Context, w *Worker, do func(ctx context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	var none T
	select {
	case w.turns <- func(ctx context.Context) {
		value, err := do(ctx)
		done <- result{value, err}
	}:
	case <-w.ended:
		return none, ErrEnded
	case <-ctx.Done():
		return none, ctx.Err()
	}
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Replay sends dead letters again through the current revision of their
// integration: the stored event is governed by the visitor's consent of today,
// mapped anew and handed on behind what the visitor has waiting. A letter that
// is handed on, or filtered now, is a dead letter no more; one that is not on
// the list, or not any more, is passed over. A dry run changes nothing. It takes
// ReplayAtOnce ids at most, blocks until all are, and is safe for many goroutines.
func (w *Worker) Replay(ctx context.Context, ids []string, dry bool) (Replayed, error) {
	if len(ids) > ReplayAtOnce {
		return Replayed{}, fmt.Errorf("replay %d dead letters: at most %d go at once", len(ids), ReplayAtOnce)
	}
	if err := w.written(ctx, ids); err != nil {
		return Replayed{}, err
	}
	// The letters are read in the Worker's own turn, so that two who ask for the
	// same one send it once.
	return inTurn(ctx, w, func(ctx context.Context) (Replayed, error) {
		var sum Replayed
		var pairs []*pair
		asked := map[string]bool{}
		for _, id := range ids {
			if asked[id] {
				continue
			}
			asked[id] = true
			d, ok, err := w.opts.Store.DeadLetter(ctx, id)
			if err != nil {
				return Replayed{}, fmt.Errorf("replay dead letter %s: %w", id, err)
			}
			if !ok {
				sum.Gone++
				continue
			}
			pairs = append(pairs, &pair{pipeline: d.Pipeline, integration: d.Integration, place: d.Place, gen: d.Gen + 1, letter: &d})
		}
		err := w.resend(ctx, &sum, pairs, dry)
		return sum, err
	})
}

// pair is one event for one integration that is to be sent again.
type pair struct {
	pipeline, integration string
	place                 event.Place
	gen                   int               // of this replay
	was                   *ledger.Was       // nil when it is dead
	letter                *store.DeadLetter // nil when it has none

	begin ledger.Entry // what the LEDGER is told
}

// resend governs and maps pairs anew and hands them on, all in one. What it
// cannot do with one of them is counted in sum; an error means that none may be
// sent, or that it is not known yet, and is found out before the next replay.
func (w *Worker) resend(ctx context.Context, sum *Replayed, pairs []*pair, dry bool) error {
	if err := w.settleReplay(ctx); err != nil {
		return err
	}
	out := newOutput()
	var taken []*pair
	for _, p := range pairs {
		ok, err := w.again(ctx, out, sum, p)
		if err != nil {
			return fmt.Errorf("send event %d.%d again to %s: %w", p.place.Seq, p.place.Index, p.integration, err)
		}
		if ok {
			taken = append(taken, p)
		}
	}
	if dry || len(taken) == 0 {
		return nil
	}
	if err := w.noteReplay(ctx, taken); err != nil {
		return err
	}
	if err := w.handOn(ctx, out, 0); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	out.note(w.opts.Tap)
	if err := w.opts.Store.ReturnDead(ctx, nil, replayNote); err != nil {
		w.opts.Log.Warn("a replay is handed on, but its note is not deleted yet", "error", err)
		return nil
	}
	w.noted = false
	return nil
}

// again adds one pair to out, pending or filtered, and reports whether it did.
func (w *Worker) again(ctx context.Context, out *output, sum *Replayed, p *pair) (bool, error) {
	route := w.routeOf(p)
	if route == nil || w.opts.Reports[p.integration] == nil {
		sum.kept("integration: " + p.integration + " is off, or not there any more")
		return false, nil
	}
	routed, work, err := w.rerun(ctx, p, route)
	if errors.Is(err, journal.ErrNoFrame) && p.letter != nil {
		// EVENTS does not hold it any more: it goes as it was mapped then.
		routed.Integration = p.integration
		routed.Item, err = integrations.ParseItem(p.letter.Item)
	}
	if errors.Is(err, journal.ErrNoFrame) {
		sum.NotKept++
		return false, nil
	}
	if err != nil {
		return false, err
	}
	routed.Item.Gen, routed.Item.Traced = p.gen, true
	p.begin = ledger.Entry{
		Place: p.place, Gen: p.gen, Pipeline: p.pipeline, Integration: p.integration,
		Outcome: trace.Pending, At: time.Now().UTC(), Replayed: true, Was: p.was,
	}
	out.entry(p.begin)
	if routed.Reason != "" {
		end := p.begin
		end.Outcome, end.Reason, end.Replayed, end.Was, end.Ended = trace.Filtered, routed.Reason, false, nil, true
		out.entry(end)
		sum.filtered(routed.Reason)
	} else {
		out.item(&routed)
		sum.sent(p, &routed)
	}
	if work != nil {
		work.Routes = []Routed{routed}
		out.records = append(out.records, work.arrival())
	}
	return true, nil
}

// sent counts one that is handed on.
func (r *Replayed) sent(p *pair, routed *Routed) {
	r.Sent++
	if p.was != nil && (p.was.Outcome == trace.Delivered || p.was.Outcome == trace.Carried) {
		r.Repeats++
	}
	if len(routed.Faults) > 0 {
		r.Short++
	}
	if p.letter == nil {
		return
	}
	if old, err := integrations.ParseItem(p.letter.Item); err == nil && string(old.Payload) == string(routed.Item.Payload) {
		r.Same++
	}
}

// routeOf gives the way to the integration of a pair, nil when it is off.
func (w *Worker) routeOf(p *pair) *Route {
	routes := w.pipeline(p.pipeline).Routes
	for i := range routes {
		if routes[i].ID == p.integration {
			return &routes[i]
		}
	}
	return nil
}

// rerun governs and maps a stored event anew. The error is journal.ErrNoFrame
// when EVENTS does not hold it any more.
func (w *Worker) rerun(ctx context.Context, p *pair, route *Route) (Routed, *Work, error) {
	r, err := w.storedEvent(ctx, p.place)
	if err != nil {
		return Routed{}, nil, err
	}
	work := &Work{Place: p.place, Received: r, Pipeline: w.pipeline(p.pipeline), Explain: true, Replayed: true}
	if work.Event, err = event.Decode(r); err != nil {
		return Routed{}, nil, err
	}
	visitor, err := w.visitors.copied(ctx, r.Pipeline, r.AnonymousID)
	if err != nil {
		return Routed{}, nil, err
	}
	work.govern(&visitor, w.opts.Salt)
	return work.route(route), work, nil
}

// storedEvent reads one event of EVENTS. The frame is kept for the next one: the
// events of a frame are sent again one after the other.
func (w *Worker) storedEvent(ctx context.Context, at event.Place) (event.Received, error) {
	if w.lastFrame.Seq != at.Seq {
		frame, err := w.opts.Events.Frame(ctx, at.Seq)
		if err != nil {
			return event.Received{}, err
		}
		w.lastFrame = frame
	}
	if at.Index >= len(w.lastFrame.Items) {
		return event.Received{}, fmt.Errorf("frame %d has no event %d", at.Seq, at.Index)
	}
	return event.ParseReceived(w.lastFrame.Items[at.Index])
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
