package delivery

import (
	"time"

	"github.com/datafly/signal/attempt"
)

// A gate stands before an integration. It shuts when an answer says that the
// settings are wrong (a pause), and when too many tries in a row say that the
// vendor is down (the circuit breaker). Shut, it lets one probe through from
// time to time, and opens when a probe is answered well. It knows no clock: the
// time is handed in. It is guarded by the lock of its lanes.
//
//	          Hold                    Hold
//	open ────────────▶ paused ◀──────────────── broken
//	 ▲  ▲                │ a probe that is         │ ▲
//	 │  └────────────────┘ neither Hold nor Outage │ │ tries over several
//	 └─────────────────────────────────────────────┘ │ visitors, half of
//	                   a probe that is no Outage      │ them an Outage
//	open ─────────────────────────────────────────────┘
type gate struct {
	state  gateState
	tries  window
	probe  pass // of the probe under way; 0 when there is none
	passes pass // the last that was given
	moves  int  // how often it moved

	count int // answers that kept it shut
	downs int // probes of a pause that met an outage, in a row
	since time.Time
	next  time.Time      // of the next probe
	last  attempt.Result // what shut it, or kept it shut; without the answer
}

type gateState int

const (
	gateOpen   gateState = iota
	gatePaused           // the settings are wrong
	gateBroken           // the vendor is down
)

// A pass is what a turn has in hand that came through the gate: 0 when it was
// open, and else the number of a probe.
type pass uint64

// enter reports whether a report may go now, and with which pass. While the
// gate is shut the one that may is the probe.
func (g *gate) enter(now time.Time) (pass, bool) {
	if g.state == gateOpen {
		return 0, true
	}
	if !g.due(now) {
		return 0, false
	}
	g.passes++
	g.probe = g.passes
	return g.probe, true
}

// due reports whether a probe may go.
func (g *gate) due(now time.Time) bool {
	return g.state != gateOpen && g.probe == 0 && !now.Before(g.next)
}

// lets reports whether what came in with a pass may still go: not when the gate
// shut behind it.
func (g *gate) lets(p pass) bool {
	return g.state == gateOpen || p != 0 && p == g.probe
}

// leave says that what came in with a pass is done. A probe that sent nothing
// makes room for another.
func (g *gate) leave(p pass) {
	if p != 0 && p == g.probe {
		g.probe = 0
	}
}

// answered takes the answer of a visitor's report and says whether the gate
// moved. Answers of reports that were under way when it shut change nothing.
func (g *gate) answered(p pass, visitor string, r *attempt.Result, now time.Time) bool {
	hold := r.Verdict == attempt.Hold
	if g.state == gateOpen {
		g.tries.add(visitor, r.Outage, now)
		switch {
		case hold:
			g.shut(gatePaused, now)
		case r.Outage && g.tries.trips(now):
			g.shut(gateBroken, now)
		default:
			return false
		}
	} else if p == 0 || p != g.probe {
		return false
	}
	g.probe = 0
	g.moves++
	switch {
	case hold && g.state == gateBroken:
		g.shut(gatePaused, now)
		g.stay(probeIn, r, now)
	case hold:
		g.stay(probeIn, r, now)
	case r.Outage && g.state == gatePaused: // it says nothing of the settings, and will not be long
		g.downs++
		g.next = now.Add(breakerIn(g.downs))
	case r.Outage:
		g.stay(breakerIn, r, now)
	default:
		g.open()
	}
	return true
}

func (g *gate) shut(s gateState, now time.Time) {
	*g = gate{state: s, since: now, passes: g.passes, moves: g.moves}
}

// stay keeps it shut until the next probe.
func (g *gate) stay(in func(int) time.Duration, r *attempt.Result, now time.Time) {
	g.count++
	g.downs = 0
	g.next = now.Add(in(g.count))
	g.last = *r
	g.last.Answer = attempt.Answer{} // it may hold personal data, and nobody asks for it
}

// open opens it, whatever shut it. A probe under way counts as any other try.
func (g *gate) open() {
	*g = gate{passes: g.passes, moves: g.moves + 1}
}

// The circuit breaker opens when of the tries within the last ten seconds half
// failed by an outage. Fewer tries, or fewer visitors, may be bad luck.
const (
	breakerSeconds  = 10
	breakerTries    = 20
	breakerVisitors = 5
)

// A window counts the tries of the last ten seconds, second by second, however
// many there are. Of visitors it remembers as many as matter.
type window [breakerSeconds]second

type second struct {
	unix              int64
	tries, failed     int
	visitors, failing few
}

// add counts a try.
func (w *window) add(visitor string, outage bool, now time.Time) {
	at := &w[now.Unix()%breakerSeconds]
	if at.unix != now.Unix() {
		*at = second{unix: now.Unix()}
	}
	at.tries++
	at.visitors.add(visitor)
	if outage {
		at.failed++
		at.failing.add(visitor)
	}
}

// trips reports whether the vendor is down. What fails for one visitor alone is
// that visitor's, however often it is tried and however many others there are.
func (w *window) trips(now time.Time) bool {
	var tries, failed int
	var visitors, failing few
	for i := range w {
		at := &w[i]
		if at.unix <= now.Unix()-breakerSeconds {
			continue
		}
		tries += at.tries
		failed += at.failed
		visitors.merge(&at.visitors)
		failing.merge(&at.failing)
	}
	return tries >= breakerTries && 2*failed >= tries && visitors.n == breakerVisitors && failing.n > 1
}

// few are the first visitors of many, as many as the breaker asks for.
type few struct {
	names [breakerVisitors]string
	n     int
}

func (f *few) add(name string) {
	if f.n == len(f.names) {
		return
	}
	for _, have := range f.names[:f.n] {
		if have == name {
			return
		}
	}
	f.names[f.n] = name
	f.n++
}

func (f *few) merge(g *few) {
	for _, name := range g.names[:g.n] {
		f.add(name)
	}
}
