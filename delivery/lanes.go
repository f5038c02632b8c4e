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
// What follows the frame is its lane's holder's.
type held struct {
	integrations.Item
	since time.Time // the horizon counts from here: the receipt, or the replay
	frame *frame

	ready    *integrations.Item // as Prepare gave it; nil before
	tries    int                // requests that it was in
	failed   int                // of these, those that are to be sent again after a pause
	firstTry time.Time
	done     bool // its end is written down
}

// An end is how an item ended. The settler writes it down.
type end struct {
	item   *held
	result trace.Outcome
	reason string
	took   time.Duration

	// Of a dead one; shared by the items of a report.
	last    *attempt.Result
	request *integrations.Request
}

// A unit are the ends that one step of a lane brought. They become durable
// together, or none: a crash leaves no report that ended in part.
type unit struct {
	lane *lane
	ends []end
}

// A lane are the items of one visitor that wait for one integration, in order.
// It is in one place at a time: in the ready list, with a worker, waiting for
// its timer or for the scout, or with the settler until the ends of its last
// report are written down; so a crash can repeat one report of a visitor at
// most, and in its place. items is guarded by the lock of the lanes, the rest
// is its holder's.
type lane struct {
	anonymousID string
	items       []*held
	timer       *time.Timer   // while it waits
	outage      *list.Element // of lanes.outages, while it waits because of one

	cuts    cuts      // of a report that was refused
	parts   *parts    // of the head, when it was refused alone
	form    string    // for the next report alone; empty is the connection's own
	reforms int       // in a row
	redo    int       // the next report is of no more items than this; 0 is no bound
	until   time.Time // what is left of a report waits, once the ends of the others are written down
	failing bool      // it waits because of an outage
	asked   time.Time // the vendor asked not to come back before
}

// lanes sends the items of each visitor one report after the other, visitors
// beside each other. It holds no more than it is given; everything durable is
// behind the functions it was made with.
type lanes struct {
	opts laneOptions
	rate *rate.Limiter

	// What else the connection can do; nil for what it cannot.
	preparer  integrations.Preparer
	batcher   integrations.Batcher
	reformer  integrations.Reformer
	splitter  integrations.Splitter
	learner   integrations.Learner
	diagnoser integrations.Diagnoser
	pauses    []time.Duration // between the tries of a report

	mu       sync.Mutex
	work     *sync.Cond // a lane may be taken
	space    *sync.Cond // an item may be added
	byID     map[string]*lane
	ready    list.List // of *lane
	outages  list.List // of *lane: those that wait because of an outage
	scouts   scouts
	held     int
	gate     gate
	pace     pace
	stopping bool
	idle     context.CancelFunc // ends what is not a send
	wake     *time.Timer        // for the next probe
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
	settle  func(unit) // blocks while too many units wait to be written down
	tap     trace.Tap
	log     *slog.Logger
	jitter  func() float64
}

func newLanes(o laneOptions) *lanes {
	l := &lanes{opts: o, byID: map[string]*lane{}, rate: rate.NewLimiter(rate.Inf, 0), idle: func() {}}
	l.work, l.space = sync.NewCond(&l.mu), sync.NewCond(&l.mu)
	if o.perSecond > 0 {
		l.pace = pace{full: o.perSecond, now: o.perSecond}
		l.rate = rate.NewLimiter(rate.Limit(o.perSecond), l.pace.burst())
	}
	if l.opts.jitter == nil {
		l.opts.jitter = rand.Float64
	}
	l.preparer, _ = o.connection.(integrations.Preparer)
	l.batcher, _ = o.connection.(integrations.Batcher)
	l.reformer, _ = o.connection.(integrations.Reformer)
	l.splitter, _ = o.connection.(integrations.Splitter)
	l.learner, _ = o.connection.(integrations.Learner)
	l.diagnoser, _ = o.connection.(integrations.Diagnoser)
	l.pauses = schedule(nil)
	if s, ok := o.connection.(integrations.Scheduled); ok {
		l.pauses = schedule(s.Pauses())
	}
	return l
}

// add puts items behind the others of their visitors. What comes together is
// there together, so that it can travel together.
func (l *lanes) add(items ...*held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held += len(items)
	for _, h := range items {
		if at := l.byID[h.AnonymousID]; at != nil {
			at.items = append(at.items, h)
			continue
		}
		at := &lane{anonymousID: h.AnonymousID, items: []*held{h}}
		l.byID[h.AnonymousID] = at
		l.ready.PushBack(at)
		l.work.Signal()
	}
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

// settled says that these ends are written down: what is left of each lane may
// go on.
func (l *lanes) settled(units []unit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range units {
		at := units[i].lane
		l.held -= len(units[i].ends)
		at.drop(units[i].ends)
		wait := time.Until(at.until)
		at.until = time.Time{}
		switch {
		case len(at.items) == 0:
			delete(l.byID, at.anonymousID)
		case wait > 0:
			l.wait(at, wait)
			l.callProbe()
		default:
			l.call(at)
		}
	}
	l.space.Signal()
}

// drop takes out the items that ended. They are among those that a turn looked
// at, most of the time the leading ones; the others keep their order.
func (at *lane) drop(ends []end) {
	for i := range ends {
		ends[i].item.done = true
	}
	at.cuts.drop(func(i int) bool { return at.items[i].done })
	if at.parts != nil && at.parts.of.done {
		at.parts = nil
	}
	last := min(len(at.items), maxTurn) - 1
	to := last
	for from := last; from >= 0; from-- {
		if !at.items[from].done {
			at.items[to] = at.items[from]
			to--
		}
	}
	clear(at.items[:to+1])
	at.items = at.items[to+1:]
}

// run sends until stop is called, and returns when no send is under way. ctx
// bounds the sends themselves.
func (l *lanes) run(ctx context.Context) {
	idle, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	l.idle = cancel
	if l.stopping {
		cancel()
	}
	l.mu.Unlock()
	var workers sync.WaitGroup
	for range max(l.opts.concurrency, 1) {
		workers.Go(func() {
			scratch := make([]integrations.Item, 0, maxTurn)
			for {
				t, ok := l.take()
				if !ok {
					return
				}
				t.scratch = scratch
				l.serve(ctx, idle, &t)
			}
		})
	}
	workers.Wait()
}

// stop ends run: nothing more is taken, and what waits to be sent is left.
func (l *lanes) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopping = true
	l.idle()
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
