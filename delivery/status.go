package delivery

import (
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

// Status is how an integration is doing.
type Status struct {
	Paused  bool // the settings are wrong
	Holding bool // the breaker is open: the vendor is down

	// Of the pause, or of the breaker.
	Reason    string
	Remedy    string
	Cause     string
	Fix       attempt.Fix
	Field     string
	Checks    []attempt.Check
	Status    int // of the answer
	Code      int
	Since     time.Time
	NextProbe time.Time

	PerSecond float64   // requests a second at this instant; 0 means no bound
	Limit     float64   // as configured
	Slowed    time.Time // when the vendor last asked to go slower, while PerSecond is below Limit

	Learned  []integrations.Fact
	Warnings []string

	Waiting  int // items in memory that have not ended
	Visitors int // of these
	Retrying int // visitors that wait for another try
	Oldest   time.Time
}

// Status gives the state at this instant.
func (c *Courier) Status() Status {
	s := c.lanes.status(time.Now())
	if c.lanes.learner != nil {
		s.Learned = c.lanes.learner.Learned().Facts
	}
	if w, ok := c.opts.Connection.(integrations.Warner); ok {
		s.Warnings = w.Warnings()
	}
	return s
}

func (l *lanes) status(now time.Time) Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := &l.gate
	s := Status{
		Paused: g.state == gatePaused, Holding: g.state == gateBroken, Since: g.since, NextProbe: g.next,
		Reason: g.last.Why, Remedy: g.last.Remedy, Cause: g.last.Cause, Fix: g.last.Fix, Field: g.last.Field,
		Checks: g.last.Checks, Status: g.last.Status, Code: g.last.Code,
		Visitors: len(l.byID),
	}
	p := l.pace
	p.recover(now)
	s.PerSecond, s.Limit = p.now, p.full
	if p.now < p.full {
		s.Slowed = p.slowed
	}
	for _, at := range l.byID {
		s.Waiting += len(at.items)
		if at.timer != nil {
			s.Retrying++
		}
		if r := at.items[0].ReceivedAt; s.Oldest.IsZero() || r.Before(s.Oldest) {
			s.Oldest = r
		}
	}
	return s
}
