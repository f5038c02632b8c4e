package delivery

import (
	"context"
	"time"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/trace"
)

const (
	// maxTogether is how many items travel together at a vendor that does not
	// say how many may.
	maxTogether = 20
	// prepareWithin bounds what a vendor does before it builds.
	prepareWithin = 10 * time.Second
	// askAgain is the pause after something that must be known could not be
	// looked up.
	askAgain = time.Second
)

// nothingBuilt is why an item dies of which a vendor's code makes neither a
// request nor a reason.
const nothingBuilt = "The integration made no request of this event and gave no reason. This is a fault of the program."

// A report is what one turn sends.
type report struct {
	items []*held            // that it was built of, in order; of a part, the item that it is of
	visit integrations.Visit // as it was before
	built integrations.Built
	sent  []*held // those that are in the request

	sentAt time.Time
}

// at gives items by their places in the report.
func (r *report) at(places []int) []*held {
	if len(places) == len(r.items) {
		return r.items
	}
	out := make([]*held, len(places))
	for i, p := range places {
		out[i] = r.items[p]
	}
	return out
}

// reach is how many of the leading items it is about.
func (r *report) reach() int {
	last := 0
	for _, i := range r.built.Sent {
		last = max(last, i)
	}
	for _, i := range r.built.Carried {
		last = max(last, i)
	}
	return last + 1
}

// step decides about the leading items of a lane, and sends what is to be sent.
func (l *lanes) step(ctx, idle context.Context, t *turn) move {
	visit, err := l.opts.visit(ctx, t.anonymousID)
	var allowed bool
	var reason string
	if err == nil {
		allowed, reason, err = l.opts.allowed(ctx, l.opts.pipeline, l.opts.integration, t.anonymousID)
	}
	if err != nil {
		l.opts.log.Error("a visitor cannot be looked up, delivery waits", "integration", l.opts.integration, "error", err)
		return move{then: later, wait: askAgain}
	}
	if !allowed {
		return l.finish(t.look, trace.Filtered, reason)
	}
	if m, stop := l.prepare(idle, t); stop {
		return m
	}
	r := &report{visit: visit}
	l.build(t, r)
	if m, stop := l.unsent(t, r); stop {
		return m
	}
	if !l.scout(t.lane, r.built.Request) {
		return move{then: parked}
	}
	if !l.inTime(idle, t) {
		return move{then: again}
	}
	return l.try(ctx, idle, t, r)
}

// finish ends items without a try, all with the same reason.
func (l *lanes) finish(items []*held, o trace.Outcome, reason string) move {
	ends := make([]end, len(items))
	for i, h := range items {
		l.note(h, &noted{outcome: o, reason: reason})
		ends[i] = end{item: h, result: o, reason: reason}
	}
	return move{ends: ends}
}

// prepare makes the leading items ready, each once, and leaves in t.look those
// that are. It says when the step ends with it.
func (l *lanes) prepare(idle context.Context, t *turn) (move, bool) {
	if l.preparer == nil {
		return move{}, false
	}
	var m move
	for i, h := range t.look {
		if h.ready != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(idle, prepareWithin)
		ready, reason, err := l.preparer.Prepare(ctx, h.Item)
		cancel()
		switch {
		case err != nil && i == 0:
			if idle.Err() == nil {
				l.opts.log.Error("an event cannot be prepared, the visitor waits", "integration", l.opts.integration, "event", h.MessageID, "error", err)
			}
			return move{then: later, wait: askAgain}, true
		case err != nil:
			t.look = t.look[:i]
			return m, len(m.ends) > 0
		case reason != "":
			m.ends = append(m.ends, l.finish([]*held{h}, trace.Filtered, reason).ends...)
		default:
			h.ready = &ready
		}
	}
	return m, len(m.ends) > 0
}

// build makes one request of the leading items that go together.
func (l *lanes) build(t *turn, r *report) {
	items := t.scratch[:0]
	if t.parts != nil {
		r.items = t.look[:1]
		items = append(items, t.parts.left[0])
		t.scratch = items
	} else {
		n := len(t.look)
		if t.redo > 0 {
			n = min(n, t.redo)
		}
		for _, h := range t.look[:n] {
			if h.ready != nil {
				items = append(items, *h.ready)
			} else {
				items = append(items, h.Item)
			}
		}
		t.scratch = items
		n = min(n, maxTogether)
		if l.batcher != nil {
			n = min(max(l.batcher.Batch(items), 1), len(items))
		}
		items, r.items = items[:n], t.look[:n]
	}
	if t.form != "" && l.reformer != nil {
		r.built = l.reformer.BuildAs(t.form, r.visit, items)
	} else {
		r.built = l.opts.connection.Build(r.visit, items)
	}
	r.sent = r.at(r.built.Sent)
}

// unsent ends the items that need no request. It says when the step ends with
// that.
func (l *lanes) unsent(t *turn, r *report) (move, bool) {
	b := &r.built
	switch {
	case t.parts != nil && len(b.Refused) > 0:
		return l.partRefused(t, r, nil, b.Refused[0].Reason), true
	case len(b.Refused) > 0:
		var m move
		for _, no := range b.Refused {
			m.ends = append(m.ends, l.finish([]*held{r.items[no.Item]}, trace.Filtered, no.Reason).ends...)
		}
		return m, true
	case b.Request != nil && len(b.Sent) > 0:
		return move{}, false
	case b.Request != nil || len(b.Carried) == 0:
		l.opts.log.Error("nothing came of an event", "integration", l.opts.integration, "event", r.items[0].MessageID)
		return l.finish(r.items[:1], trace.Dead, nothingBuilt), true
	}
	l.keep(t, r, b.Visit)
	if t.parts != nil {
		return l.partTaken(t, r, nil), true
	}
	return l.finish(r.at(b.Carried), trace.Carried, ""), true
}

// keep replaces what is known of a visitor. Ids that were refused stay so: the
// vendor's Build knows nothing of them.
func (l *lanes) keep(t *turn, r *report, v integrations.Visit) {
	if v.Refused.Visitor == "" && v.Refused.Session == "" {
		v.Refused = r.visit.Refused
	}
	l.opts.keep(t.anonymousID, v)
}

// inTime waits until the rate lets a request go. It gives false when it is time
// to stop, or when the gate shut meanwhile.
func (l *lanes) inTime(idle context.Context, t *turn) bool {
	l.setPace(func(p *pace, now time.Time) bool { return p.recover(now) })
	if err := l.rate.Wait(idle); err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gate.lets(t.pass)
}
