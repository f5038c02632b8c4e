package delivery

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/trace"
)

const (
	// maxReforms is how often in a row a report is built in another form.
	maxReforms = 3
	// diagnoseWithin bounds the search for what stands behind a pause.
	diagnoseWithin = 10 * time.Second
)

// try sends a report once and does what its answer means.
func (l *lanes) try(ctx, idle context.Context, t *turn, r *report) move {
	r.sentAt = time.Now()
	for _, h := range r.sent {
		if h.tries == 0 {
			h.firstTry = r.sentAt
		}
		h.tries++
	}
	a := l.opts.connection.Send(ctx, *r.built.Request)
	if ctx.Err() != nil && a.Verdict != attempt.Delivered {
		return move{then: again} // cut off by the end of the grace: it is sent again after the restart
	}
	t.form, t.redo = "", 0
	l.answered(idle, t, &a)
	if a.Verdict != attempt.Reform {
		t.reforms = 0
	}
	switch a.Verdict {
	case attempt.Delivered:
		return l.taken(t, r, &a)
	case attempt.Dead:
		return l.dead(t, r, &a)
	case attempt.Rejoin:
		return l.rejoin(t, r, &a)
	case attempt.Reform:
		return l.reform(t, r, &a)
	case attempt.Hold:
		l.pending(r, &a, l.nextProbe())
		for _, h := range r.sent {
			h.tries-- // the settings failed, not the report
		}
		return move{then: again}
	}
	return l.retry(t, r, &a)
}

// pending notes that the report will be sent again.
func (l *lanes) pending(r *report, a *attempt.Result, at time.Time) {
	for _, h := range r.sent {
		l.note(h, &noted{outcome: trace.Pending, reason: a.Why, report: r, answer: a, next: at})
	}
}

// conclude ends items of a report with one outcome.
func (l *lanes) conclude(items []*held, r *report, a *attempt.Result, o trace.Outcome, why string) []end {
	ends := make([]end, len(items))
	for i, h := range items {
		l.note(h, &noted{outcome: o, reason: why, report: r, answer: a})
		ends[i] = end{item: h, result: o, reason: why, took: time.Since(h.ReceivedAt)}
		if o == trace.Dead {
			ends[i].last, ends[i].request = a, r.built.Request
		}
	}
	return ends
}

func (l *lanes) taken(t *turn, r *report, a *attempt.Result) move {
	l.keep(t, r, r.built.Visit.Taken(a.IDs, r.sent[0].Session.Sid))
	if t.parts != nil {
		return l.partTaken(t, r, a)
	}
	t.cuts.taken(r.reach())
	ends := l.conclude(r.sent, r, a, trace.Delivered, "")
	return move{ends: append(ends, l.finish(r.at(r.built.Carried), trace.Carried, "").ends...)}
}

// dead gives up what was sent, or looks for what is at fault in it.
func (l *lanes) dead(t *turn, r *report, a *attempt.Result) move {
	switch {
	case t.parts != nil:
		return l.partRefused(t, r, a, a.Why)
	case a.Split && len(r.sent) > 1:
		t.cuts.refused(r.reach())
	case !a.Split || !l.part(t, r):
		return move{ends: l.conclude(r.sent, r, a, trace.Dead, a.Why)}
	}
	l.pending(r, a, time.Now())
	return move{then: again}
}

// rejoin sends the report once more with neither id, and gives up when those
// were missing already. The ids that were refused are remembered.
func (l *lanes) rejoin(t *turn, r *report, a *attempt.Result) move {
	bare := false
	l.remember(t.anonymousID, func(v *integrations.Visit) {
		bare = v.Bare
		*v = integrations.Visit{Waiting: v.Waiting, Bare: true, Refused: v.Refused}
		if ids := r.built.Request.IDs; ids != (attempt.IDs{}) {
			v.Refused = ids
		}
	})
	if bare {
		return l.giveUp(t, r, a)
	}
	l.pending(r, a, time.Now())
	t.redo = r.reach()
	return move{then: again}
}

// reform sends the same items once more in another form, and gives up when the
// vendor cannot make up its mind.
func (l *lanes) reform(t *turn, r *report, a *attempt.Result) move {
	if t.reforms++; t.reforms > maxReforms {
		t.reforms = 0
		return l.giveUp(t, r, a)
	}
	l.pending(r, a, time.Now())
	t.form, t.redo = a.Form, r.reach()
	return move{then: again}
}

func (l *lanes) giveUp(t *turn, r *report, a *attempt.Result) move {
	if t.parts != nil {
		return l.partRefused(t, r, a, a.Why)
	}
	return move{ends: l.conclude(r.sent, r, a, trace.Dead, a.Why)}
}

// retry waits for the next try, by the schedule of the first item, and gives up
// those for which it would come too late.
func (l *lanes) retry(t *turn, r *report, a *attempt.Result) move {
	if a.IDs.Visitor != "" { // a loading account names the visitor to come back with
		l.remember(t.anonymousID, func(v *integrations.Visit) { v.IDs.Visitor, v.Bare = a.IDs.Visitor, false })
	}
	now := time.Now()
	var wait time.Duration
	var stay, late []*held
	for _, h := range r.sent {
		h.failed++
		if len(stay) == 0 {
			wait = pause(l.pauses, h.failed, a.RetryAfter, l.opts.jitter())
		}
		if now.Add(wait).After(h.since.Add(Horizon)) {
			late = append(late, h)
		} else {
			stay = append(stay, h)
		}
	}
	for _, h := range stay {
		l.note(h, &noted{outcome: trace.Pending, reason: a.Why, report: r, answer: a, next: now.Add(wait)})
	}
	t.failing, t.asked = a.Outage && len(stay) > 0, now.Add(a.RetryAfter)
	if len(late) == 0 {
		return move{then: later, wait: wait}
	}
	if len(stay) > 0 {
		t.until = now.Add(wait)
	}
	why := "Not taken within 24 hours. The last try: " + a.Why
	if t.parts != nil {
		why = t.parts.reason(why)
	}
	return move{ends: l.conclude(late, r, a, trace.Dead, why)}
}

// remember changes what is known of a visitor at the vendor.
func (l *lanes) remember(anonymousID string, change func(*integrations.Visit)) {
	v, err := l.opts.visit(context.Background(), anonymousID)
	if err != nil { // it was read a moment ago
		l.opts.log.Error("a visit cannot be read", "integration", l.opts.integration, "error", err)
		return
	}
	change(&v)
	l.opts.keep(anonymousID, v)
}

// answered takes what an answer says of the vendor, whatever the report was: it
// moves the gate, sets the pace and lets the scout come back.
func (l *lanes) answered(idle context.Context, t *turn, a *attempt.Result) {
	now := time.Now()
	if a.Slow {
		l.setPace(func(p *pace, now time.Time) bool { return p.slow(now) })
	}
	l.mu.Lock()
	l.told(t.lane, a)
	m := gateMove{from: l.gate.state}
	moved := l.gate.answered(t.pass, t.anonymousID, a, now)
	if moved {
		m.to, m.number, m.next = l.gate.state, l.gate.moves, l.gate.next
		l.gateMoved()
	}
	l.mu.Unlock()
	if moved {
		l.explain(idle, a, m)
	}
}

// A gateMove is what an answer did to the gate.
type gateMove struct {
	from, to gateState
	number   int
	next     time.Time // of the next probe
}

// gateMoved wakes whom it concerns. The lock is held.
func (l *lanes) gateMoved() {
	if l.wake != nil {
		l.wake.Stop()
	}
	if l.gate.state == gateOpen {
		l.callAll()
		return
	}
	l.wake = time.AfterFunc(time.Until(l.gate.next), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.callProbe()
		l.work.Broadcast()
	})
}

// explain looks for what stands behind a pause, adds it to the answer and to
// the gate, if that did not move on, and says in the log what happened.
func (l *lanes) explain(idle context.Context, a *attempt.Result, m gateMove) {
	if a.Verdict == attempt.Hold && l.diagnoser != nil {
		ctx, cancel := context.WithTimeout(idle, diagnoseWithin)
		found := l.diagnoser.Diagnose(ctx, *a)
		cancel()
		a.Checks = append(a.Checks[:len(a.Checks):len(a.Checks)], found...)
		l.mu.Lock()
		if l.gate.moves == m.number {
			l.gate.last.Checks = a.Checks
		}
		l.mu.Unlock()
	}
	log := l.opts.log.With("integration", l.opts.integration)
	switch {
	case m.to == gateOpen:
		log.Info("integration resumed")
	case m.to == gatePaused && a.Verdict == attempt.Hold:
		log.Error("integration paused", "why", a.Why, "remedy", a.Remedy, "wrong", wrong(a.Checks), "next probe", m.next.UTC())
	case m.from == gateOpen:
		log.Warn("the vendor is down, delivery waits", "why", a.Why, "next probe", m.next.UTC())
	}
}

// wrong gives what came out wrong, for the log.
func wrong(checks []attempt.Check) []string {
	var out []string
	for _, c := range checks {
		if c.Wrong {
			out = append(out, c.Say)
		}
	}
	return out
}

func (l *lanes) nextProbe() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gate.next
}

// setPace changes the pace and has the limiter follow.
func (l *lanes) setPace(change func(*pace, time.Time) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if change(&l.pace, now) {
		l.rate.SetLimitAt(now, rate.Limit(l.pace.now))
		l.rate.SetBurstAt(now, l.pace.burst())
	}
}
