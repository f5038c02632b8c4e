package delivery

import (
	"slices"
	"time"
)

// Horizon is how long after its receipt an event is tried again. Product.md 8.
const Horizon = 24 * time.Hour

// pauses are the waits after the 1st, 2nd, … failed try; the last one repeats.
// The first four are what the vendor advises (liveperson.md 9).
var pauses = []time.Duration{
	3 * time.Second, 10 * time.Second, 30 * time.Second, 90 * time.Second,
	2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute,
	time.Hour,
}

// schedule gives the waits of an integration: those that its vendor names, and
// then the longer ones of the common schedule.
func schedule(first []time.Duration) []time.Duration {
	if len(first) == 0 {
		return pauses
	}
	longest := slices.Max(first)
	return slices.Concat(first, pauses[slices.IndexFunc(pauses, func(p time.Duration) bool { return p > longest || p == pauses[len(pauses)-1] }):])
}

// pause gives the wait after failed try number n, which counts from 1. It is
// within a tenth of the schedule, by jitter in [0,1), and never shorter than
// what the vendor asked for.
func pause(schedule []time.Duration, n int, retryAfter time.Duration, jitter float64) time.Duration {
	base := schedule[min(max(n, 1), len(schedule))-1]
	return max(base+time.Duration((jitter-0.5)*0.2*float64(base)), retryAfter)
}

// probes are the waits before the 1st, 2nd, … probe of a paused integration;
// the last one repeats.
var probes = []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour}

// probeIn gives the wait before probe number n, which counts from 1.
func probeIn(n int) time.Duration { return probes[min(max(n, 1), len(probes))-1] }

// breakers are the waits before the 1st, 2nd, … probe of a vendor that is down;
// the last one repeats.
var breakers = []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute}

// breakerIn gives the wait before probe number n, which counts from 1.
func breakerIn(n int) time.Duration { return breakers[min(max(n, 1), len(breakers))-1] }
