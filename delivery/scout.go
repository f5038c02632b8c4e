package delivery

import (
	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

// scouts see to it that one lane at a time finds out what the vendor takes. The
// others that would find out the same are parked: without a worker and without
// a timer, until it is back. They are guarded by the lock of the lanes.
type scouts struct {
	out     *lane   // the one that finds out; nil for none
	parked  []*lane // in the order in which they came
	version uint64  // of what the connection had learned when the last answer came
}

// scout reports whether a lane may send what it built. One that needs not find
// out anything always may.
func (l *lanes) scout(at *lane, q *integrations.Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.scouts
	if !q.Scout {
		if s.out == at {
			s.out = nil
			l.unpark(len(s.parked))
		}
		return true
	}
	if s.out == nil {
		s.out = at
	}
	return s.out == at
}

// park keeps a lane until the scout is back. The lock is held.
func (l *lanes) park(at *lane) {
	if l.scouts.out == nil { // it came back meanwhile
		l.ready.PushFront(at)
		return
	}
	l.scouts.parked = append(l.scouts.parked, at)
}

// told takes the answer of a report. When the scout's taught something, those
// that are parked are built anew by it. The lock is held.
func (l *lanes) told(at *lane, r *attempt.Result) {
	s := &l.scouts
	if s.out != at {
		return
	}
	taught := l.learner == nil || r.Verdict == attempt.Delivered || r.Verdict == attempt.Reform
	if l.learner != nil {
		if v := l.learner.Learned().Version; v != s.version {
			s.version, taught = v, true
		}
	}
	if taught {
		l.unpark(len(s.parked))
	}
}

// release lets another be the scout when this one was. With nothing learned
// that is the next of the parked; the others stay. The lock is held.
func (l *lanes) release(at *lane) {
	s := &l.scouts
	if s.out != at {
		return
	}
	s.out = nil
	if len(s.parked) > 0 {
		s.out = s.parked[0]
		l.unpark(1)
	}
}

// unpark makes the first n of the parked ready. The lock is held.
func (l *lanes) unpark(n int) {
	s := &l.scouts
	for i, at := range s.parked[:n] {
		l.ready.PushBack(at)
		l.work.Signal()
		s.parked[i] = nil
	}
	s.parked = s.parked[n:]
}
