package delivery

import "time"

// A pace is how many requests a second may go. A vendor that asks to go slower
// halves it; without that it comes back by and by. It knows no clock: the time
// is handed in. The zero pace has no bound, and none that could be halved.
type pace struct {
	full   float64   // as configured; 0 means no bound
	now    float64   // at this instant
	slowed time.Time // when the vendor last asked
	halved time.Time
	raised time.Time
}

const (
	// slowest is the least that a pace falls to, in requests a second, unless
	// less is configured.
	slowest = 1.0
	// halveEvery is how often a pace is halved at most: the answers of what was
	// under way ask for the same thing.
	halveEvery = time.Second
	// raiseEvery and raiseBy are how it comes back: from nearly nothing to all
	// within 200 s.
	raiseEvery = 10 * time.Second
	raiseBy    = 0.05
)

// slow takes an answer that asked to go slower. It reports whether the pace
// changed.
func (p *pace) slow(now time.Time) bool {
	if p.full == 0 {
		return false
	}
	p.slowed, p.raised = now, now
	if !p.halved.IsZero() && now.Sub(p.halved) < halveEvery {
		return false
	}
	p.halved = now
	return p.set(max(p.now/2, min(slowest, p.full)))
}

// recover raises the pace by the time that went by. It reports whether the pace
// changed.
func (p *pace) recover(now time.Time) bool {
	if p.now >= p.full || now.Sub(p.raised) < raiseEvery {
		return false
	}
	steps := int64(now.Sub(p.raised) / raiseEvery)
	p.raised = p.raised.Add(time.Duration(steps) * raiseEvery)
	return p.set(min(p.now+float64(steps)*raiseBy*p.full, p.full))
}

func (p *pace) set(to float64) bool {
	changed := to != p.now
	p.now = to
	return changed
}

// burst is how many requests may go at once.
func (p *pace) burst() int { return max(int(p.now), 1) }
