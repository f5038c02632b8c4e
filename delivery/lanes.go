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
	allowed func(ctx context.Context, pipeline, integration, anonymousID string) (bool, string, error)
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
