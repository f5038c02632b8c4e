package delivery

import (
	"context"
	"time"

	"github.com/datafly/signal/integrations"
)

// maxTurn is how many of a lane's leading items a worker looks at.
const maxTurn = 64

// A turn is a lane with a worker, for one step: one request at most.
type turn struct {
	*lane
	look    []*held // the leading items
	pass    pass
	scratch []integrations.Item // room for what is built of, which Build does not keep
}

// next is what becomes of a lane after a step.
type next int

const (
	onward next = iota // to the settler; it goes on when that is done
	again              // the same at once, before the other lanes
	later              // the same after a pause
	parked             // the same when the scout is back
)

// A move is what a step came to.
type move struct {
	then next
	wait time.Duration // of later
	ends []end         // of onward
}

// take waits for a lane that is ready while the gate is open, and gives it. It
// gives false when it is time to stop.
func (l *lanes) take() (turn, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.stopping {
			return turn{}, false
		}
		if first := l.ready.Front(); first != nil {
			if p, ok := l.gate.enter(time.Now()); ok {
				l.ready.Remove(first)
				at := first.Value.(*lane)
				n := min(len(at.items), maxTurn)
				if lead := at.cuts.lead(); lead > 0 {
					n = min(n, lead)
				}
				return turn{lane: at, look: at.items[:n:n], pass: p}, true
			}
		}
		l.work.Wait()
	}
}

// serve takes one step with a lane and puts it where it belongs. ctx bounds a
// send, idle whatever else blocks.
func (l *lanes) serve(ctx, idle context.Context, t *turn) {
	m := l.step(ctx, idle, t)
	clear(t.scratch)
	l.mu.Lock()
	l.gate.leave(t.pass)
	if m.then != again {
		l.release(t.lane)
	}
	switch m.then {
	case again:
		l.ready.PushFront(t.lane)
	case later:
		l.wait(t.lane, m.wait)
	case parked:
		l.park(t.lane)
	}
	l.callProbe()
	l.work.Signal()
	l.mu.Unlock()
	if m.then == onward { // from here on the lane may be anywhere
		l.opts.settle(unit{t.lane, m.ends})
	}
}

// wait lets a lane rest. The lock is held.
func (l *lanes) wait(at *lane, long time.Duration) {
	if at.failing {
		at.outage = l.outages.PushBack(at)
	}
	if l.stopping {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(long, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if at.timer == timer { // else it was called meanwhile
			l.call(at)
		}
	})
	at.timer = timer
}

// call makes a lane ready that rests. The lock is held.
func (l *lanes) call(at *lane) {
	l.rouse(at)
	l.ready.PushBack(at)
	l.work.Signal()
}

// rouse ends the rest of a lane. The lock is held.
func (l *lanes) rouse(at *lane) {
	if at.timer != nil {
		at.timer.Stop()
		at.timer = nil
	}
	if at.outage != nil {
		l.outages.Remove(at.outage)
		at.outage = nil
	}
	at.failing = false
}

// callProbe finds a probe when one is due and no lane is ready: the one that
// waits longest because of an outage. The lock is held.
func (l *lanes) callProbe() {
	now := time.Now()
	if l.ready.Len() > 0 || !l.gate.due(now) {
		return
	}
	for e := l.outages.Front(); e != nil; e = e.Next() {
		if at := e.Value.(*lane); !now.Before(at.asked) {
			l.call(at)
			return
		}
	}
}

// callAll makes the lanes ready that wait because of an outage, for it is over;
// those that the vendor asked to wait are at the time that it asked for. The
// lock is held.
func (l *lanes) callAll() {
	now := time.Now()
	for e := l.outages.Front(); e != nil; e = l.outages.Front() {
		at := e.Value.(*lane)
		l.rouse(at)
		if wait := at.asked.Sub(now); wait > 0 {
			l.wait(at, wait)
		} else {
			l.ready.PushBack(at)
		}
	}
	l.work.Broadcast()
}

// resume opens the gate at once, because a person changed something.
func (l *lanes) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate.state == gateOpen {
		return
	}
	l.gate.open()
	l.callAll()
}
