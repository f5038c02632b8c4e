package delivery

import (
	"time"

	"github.com/datafly/signal/attempt"
)

// A gate stands before an integration. It shuts when an answer says that the
// settings are wrong, lets one probe through from time to time, and opens when
// a probe is answered otherwise. It is guarded by the lock of its lanes.
type gate struct {
	paused  bool
	probing bool // a probe is under way
	count   int  // probes since it shut
	since   time.Time
	next    time.Time // of the next probe
	why     string
	remedy  string
	status  int
	code    int
}

// enter reports whether a report may go now. While the gate is shut the one that
// may is the probe.
func (g *gate) enter(now time.Time) bool {
	if !g.paused {
		return true
	}
	if g.probing || now.Before(g.next) {
		return false
	}
	g.probing = true
	return true
}

// leave says that what entered sent nothing after all.
func (g *gate) leave() { g.probing = false }

// answered takes the answer of a report and says whether the gate moved.
// Answers of reports that were under way when it shut change nothing.
func (g *gate) answered(r *attempt.Result, now time.Time) bool {
	hold := r.Verdict == attempt.Hold
	switch {
	case !g.paused && !hold:
		return false
	case !g.paused:
		*g = gate{paused: true, since: now}
	case !g.probing:
		return false
	case !hold:
		*g = gate{}
		return true
	}
	g.probing = false
	g.count++
	g.next = now.Add(probeIn(g.count))
	g.why, g.remedy, g.status, g.code = r.Why, r.Remedy, r.Status, r.Code
	return true
}
