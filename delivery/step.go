package delivery

import (
	"context"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/trace"
)

// step decides about the head of a lane, and sends it if it is to be sent.
func (l *lanes) step(ctx context.Context, at *lane, h *held) (next, time.Duration) {
	visit, err := l.opts.visit(ctx, at.anonymousID)
	var allowed bool
	var reason string
	if err == nil {
		allowed, reason, err = l.opts.allowed(ctx, l.opts.pipeline, l.opts.integration, at.anonymousID)
	}
	if err != nil {
		l.opts.log.Error("a visitor cannot be looked up, delivery waits", "integration", l.opts.integration, "error", err)
		l.leave()
		return later, time.Second
	}
	if !allowed {
		l.leave()
		return l.finish(at, h, end{result: trace.Filtered, reason: reason})
	}
	built := l.opts.connection.Build(visit, []integrations.Item{h.Item})
	switch {
	case len(built.Refused) > 0:
		l.leave()
		return l.finish(at, h, end{result: trace.Filtered, reason: built.Refused[0].Reason})
	case built.Request == nil:
		l.leave()
		l.opts.keep(at.anonymousID, built.Visit)
		return l.finish(at, h, end{result: trace.Carried})
	}
	if err := l.rate.Wait(ctx); err != nil { // it is time to stop
		l.leave()
		return again, 0
	}
	return l.try(ctx, at, h, &built)
}

// leave gives back the probe of a paused integration that sent nothing.
func (l *lanes) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate.paused {
		l.gate.leave()
		l.work.Signal()
	}
}

// finish ends the head without a try.
func (l *lanes) finish(at *lane, h *held, e end) (next, time.Duration) {
	l.note(at, h, nil, nil, e.result, e.reason, "", time.Time{})
	e.lane, e.item = at, h
	l.opts.settle(e)
	return onward, 0
}

// try sends the head's request once and does what its answer means.
func (l *lanes) try(ctx context.Context, at *lane, h *held, built *integrations.Built) (next, time.Duration) {
	began := time.Now()
	if at.tries == 0 {
		at.firstTry = began
	}
	at.tries++
	r := l.opts.connection.Send(ctx, *built.Request)
	if ctx.Err() != nil && r.Verdict != attempt.Delivered {
		return again, 0 // cut off by the end of the grace: it is sent again after the restart
	}
	l.answered(&r)
	done := func(o trace.Outcome, why string) (next, time.Duration) {
		l.note(at, h, built, &r, o, why, r.Remedy, time.Time{})
		l.opts.settle(end{lane: at, item: h, result: o, reason: why, took: time.Since(h.ReceivedAt), last: r, request: built.Request, tries: at.tries, firstTry: at.firstTry})
		return onward, 0
	}
	switch r.Verdict {
	case attempt.Delivered:
		l.opts.keep(at.anonymousID, built.Visit.Taken(r.IDs, h.Session.Sid))
		return done(trace.Delivered, "")
	case attempt.Dead:
		return done(trace.Dead, r.Why)
	case attempt.Rejoin:
		return l.rejoin(at, h, built, &r, done)
	case attempt.Hold:
		at.tries-- // the settings failed, not the report
		l.note(at, h, built, &r, trace.Pending, r.Why, r.Remedy, l.nextProbe())
		return again, 0
	}
	return l.retry(at, h, built, &r, done)
}

// retry waits for the next try, or gives up when it would come too late.
func (l *lanes) retry(at *lane, h *held, built *integrations.Built, r *attempt.Result, done func(trace.Outcome, string) (next, time.Duration)) (next, time.Duration) {
	if r.IDs.Visitor != "" { // a loading account names the visitor to come back with
		l.remember(at.anonymousID, func(v *integrations.Visit) { v.IDs.Visitor, v.Bare = r.IDs.Visitor, false })
	}
	wait := pause(at.tries, r.RetryAfter, l.opts.jitter())
	if time.Now().Add(wait).After(h.since.Add(Horizon)) {
		return done(trace.Dead, "Not taken within 24 hours. The last try: "+r.Why)
	}
	l.note(at, h, built, r, trace.Pending, r.Why, r.Remedy, time.Now().Add(wait))
	return later, wait
}

// rejoin sends the report once more with neither id, and gives up when those
// were missing already.
func (l *lanes) rejoin(at *lane, h *held, built *integrations.Built, r *attempt.Result, done func(trace.Outcome, string) (next, time.Duration)) (next, time.Duration) {
	bare := false
	l.remember(at.anonymousID, func(v *integrations.Visit) {
		bare = v.Bare
		*v = integrations.Visit{Waiting: v.Waiting, Bare: true}
	})
	if bare {
		return done(trace.Dead, r.Why)
	}
	l.note(at, h, built, r, trace.Pending, r.Why, r.Remedy, time.Now())
	return again, 0
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

// answered opens or shuts the gate by an answer.
func (l *lanes) answered(r *attempt.Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := l.gate.answered(r, time.Now())
	if !changed {
		return
	}
	if l.gate.paused {
		l.opts.log.Error("integration paused", "integration", l.opts.integration, "why", r.Why, "remedy", r.Remedy, "next probe", l.gate.next.UTC())
		if l.wake != nil {
			l.wake.Stop()
		}
		l.wake = time.AfterFunc(time.Until(l.gate.next), l.work.Broadcast)
	} else {
		l.opts.log.Info("integration resumed", "integration", l.opts.integration)
	}
	l.work.Broadcast()
}

func (l *lanes) nextProbe() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gate.next
}
