package delivery

import (
	"container/list"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/trace"
)

// held is one item in memory, from its frame until its end is written down.
type held struct {
	integrations.Item
	since time.Time // the horizon counts from here: the receipt, or the replay
	frame *frame
}

// An end is how an item ended. The settler writes it down.
type end struct {
	lane   *lane
	item   *held
	result trace.Outcome
	reason string
	took   time.Duration

	// Of a dead one.
	last     attempt.Result
	request  *integrations.Request
	tries    int
	firstTry time.Time
}

// A lane are the items of one visitor that wait for one integration, in order.
// It is in one place at a time: in the ready list, with a worker, waiting for
// its timer, or with the settler until the end of its head is written down; so
// a crash can repeat one report of a visitor at most, and in its place. items is
// guarded by the lock of the lanes, tries and firstTry are its holder's.
type lane struct {
	anonymousID string
	items       []*held
	timer       *time.Timer // while it waits

	tries    int       // of the head
	firstTry time.Time // of the head
}

// lanes sends the items of each visitor one after the other, visitors beside
// each other. It holds no more than it is given; everything durable is behind
// the functions it was made with.
type lanes struct {
	opts laneOptions
	rate *rate.Limiter

	mu       sync.Mutex
	work     *sync.Cond // a lane may be taken
	space    *sync.Cond // an item may be added
	byID     map[string]*lane
	ready    list.List // of *lane
	held     int
	gate     gate
	stopping bool
	wake     *time.Timer // for the next probe
}

// laneOptions are what lanes work with.
type laneOptions struct {
	pipeline, integration string
	connection            integrations.Connection
	perSecond             float64 // requests; 0 means no limit
	concurrency           int

	visit   func(ctx context.Context, anonymousID string) (integrations.Visit, error)
	keep    func(anonymousID string, v integrations.Visit)
	allowed func(ctx context.Context, pipeline, integration, anonymousID string) (bool, string)
	settle  func(end) // blocks while too many ends wait to be written down
	tap     trace.Tap
	log     *slog.Logger
	jitter  func() float64
}

func newLanes(o laneOptions) *lanes {
	l := &lanes{opts: o, byID: map[string]*lane{}, rate: rate.NewLimiter(rate.Inf, 0)}
	l.work, l.space = sync.NewCond(&l.mu), sync.NewCond(&l.mu)
	if o.perSecond > 0 {
		l.rate = rate.NewLimiter(rate.Limit(o.perSecond), max(int(o.perSecond), 1))
	}
	if l.opts.jitter == nil {
		l.opts.jitter = rand.Float64
	}
	return l
}

// add puts an item behind the others of its visitor.
func (l *lanes) add(h *held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held++
	if at := l.byID[h.AnonymousID]; at != nil {
		at.items = append(at.items, h)
		return
	}
	at := &lane{anonymousID: h.AnonymousID, items: []*held{h}}
	l.byID[h.AnonymousID] = at
	l.ready.PushBack(at)
	l.work.Signal()
}

// room blocks until fewer than limit items are held, or it is time to stop; it
// reports whether there is room.
func (l *lanes) room(limit int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.held >= limit && !l.stopping {
		l.space.Wait()
	}
	return !l.stopping
}

// settled says that the ends of the heads of these lanes are written down: the
// next item of each may go.
func (l *lanes) settled(batch []end) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held -= len(batch)
	for i := range batch {
		at := batch[i].lane
		at.items[0] = nil
		at.items, at.tries, at.firstTry = at.items[1:], 0, time.Time{}
		if len(at.items) == 0 {
			delete(l.byID, at.anonymousID)
			continue
		}
		l.ready.PushBack(at)
		l.work.Signal()
	}
	l.space.Signal()
}

// run sends until stop is called, and returns when no send is under way. ctx
// bounds the sends themselves.
func (l *lanes) run(ctx context.Context) {
	var workers sync.WaitGroup
	for range max(l.opts.concurrency, 1) {
		workers.Go(func() {
			for at, head := l.take(); at != nil; at, head = l.take() {
				l.serve(ctx, at, head)
			}
		})
	}
	workers.Wait()
}

// stop ends run: nothing more is taken.
func (l *lanes) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopping = true
	for _, at := range l.byID {
		if at.timer != nil {
			at.timer.Stop()
		}
	}
	if l.wake != nil {
		l.wake.Stop()
	}
	l.work.Broadcast()
	l.space.Broadcast()
}

// take waits for a lane that is ready while the gate is open, and gives it with
// its head. It gives nil when it is time to stop.
func (l *lanes) take() (*lane, *held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.stopping {
			return nil, nil
		}
		if first := l.ready.Front(); first != nil && l.gate.enter(time.Now()) {
			l.ready.Remove(first)
			at := first.Value.(*lane)
			return at, at.items[0]
		}
		l.work.Wait()
	}
}

// next is what a lane does after a step.
type next int

const (
	onward next = iota // the head ended: the next item, once that is written down
	again              // the head at once, before the other lanes
	later              // the head after a pause
)

// serve takes one step with a lane: one item, one try at most.
func (l *lanes) serve(ctx context.Context, at *lane, head *held) {
	then, wait := l.step(ctx, at, head)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch then {
	case onward: // the settler has it now
		return
	case again:
		l.ready.PushFront(at)
		l.work.Signal()
	case later:
		at.timer = time.AfterFunc(wait, func() { l.awake(at) })
	}
}

func (l *lanes) awake(at *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at.timer = nil
	l.ready.PushBack(at)
	l.work.Signal()
}

// step decides about the head of a lane, and sends it if it is to be sent.
func (l *lanes) step(ctx context.Context, at *lane, h *held) (next, time.Duration) {
	visit, err := l.opts.visit(ctx, at.anonymousID)
	if err != nil {
		l.opts.log.Error("a visit cannot be read, delivery waits", "integration", l.opts.integration, "error", err)
		l.leave()
		return later, time.Second
	}
	if ok, reason := l.opts.allowed(ctx, l.opts.pipeline, l.opts.integration, at.anonymousID); !ok {
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

// resume ends a pause at once, because a person changed something.
func (l *lanes) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate = gate{}
	l.work.Broadcast()
}

// note hands one try, or the end without one, to the debugger. Successes of
// events that the debugger did not pick are left out.
func (l *lanes) note(at *lane, h *held, built *integrations.Built, r *attempt.Result, o trace.Outcome, reason, remedy string, nextTry time.Time) {
	if !h.Traced && (o == trace.Delivered || o == trace.Carried) {
		return
	}
	l.opts.tap.Note(func() trace.Record {
		s := &trace.Step{Integration: l.opts.integration, Gen: h.Gen, Outcome: o, Reason: reason, Remedy: remedy, Next: nextTry}
		s.Of = trace.Subject{Pipeline: l.opts.pipeline, Event: h.Event, AnonymousID: h.AnonymousID, UserID: h.UserID, ReceivedAt: h.ReceivedAt}
		if built != nil && built.Request != nil {
			q := built.Request
			s.Method, s.URL, s.Header, s.Body, s.Dialect, s.Summary = q.Method, q.URL, q.Header, q.Body, q.Dialect, q.Summary
			s.Notes = built.Notes
		}
		if r != nil {
			s.Try, s.Verdict, s.SentAt = at.tries, r.Verdict.String(), time.Now().Add(-r.Took)
			s.Status, s.Code, s.Took, s.Answer, s.AHead = r.Status, r.Code, r.Took, r.Answer.Body, r.Answer.Header
			if r.Verdict == attempt.Hold {
				s.Try++
			}
			if r.Anomaly != "" {
				s.Notes = append(s.Notes, r.Anomaly)
			}
		}
		return trace.Record{At: time.Now(), Place: h.Place, MessageID: h.MessageID, Step: s}
	})
}
