package lpsim

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync/atomic"
	"time"
)

// The clock can stand anywhere in these years, so that no difference of two
// times is more than a duration holds.
var (
	clockFrom = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	clockTo   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// A simClock runs as the real one does, from wherever it was put. Everything that
// the simulator measures goes by it, but for the waits of faults and the beat
// of open pages, which are real.
type simClock struct {
	base   func() time.Time
	offset atomic.Int64 // nanoseconds, over the real one
}

func (c *simClock) now() time.Time { return c.base().Add(c.ahead()) }

func (c *simClock) ahead() time.Duration { return time.Duration(c.offset.Load()) }

// A Clock is what GET /_sim/clock says.
type Clock struct {
	Now      time.Time `json:"now"` // by which the simulator lives
	Real     time.Time `json:"real"`
	OffsetMS int64     `json:"offset_ms"` // Now over Real
	Offset   string    `json:"offset"`    // the same as a Go duration, such as 31m0s
}

// Clock tells the simulator's time.
func (s *Sim) Clock() Clock {
	ahead, actual := s.clock.ahead(), s.clock.base()
	return Clock{actual.Add(ahead).UTC(), actual.UTC(), ahead.Milliseconds(), ahead.String()}
}

// Advance moves the clock forward by d, which is not negative. It goes on
// running from there.
func (s *Sim) Advance(d time.Duration) error {
	if d < 0 {
		return &faultError{"advance", fmt.Sprintf("%s is negative: the clock is set back with set", d)}
	}
	return s.moveClock("advance", func(_ time.Time, ahead time.Duration) time.Duration {
		if ahead > math.MaxInt64-d {
			return math.MaxInt64
		}
		return ahead + d
	})
}

// SetClock puts the clock to t. It goes on running from there. Set back, it
// ends nothing: what lies ahead of it counts as just now.
func (s *Sim) SetClock(t time.Time) error {
	return s.moveClock("set", func(actual time.Time, _ time.Duration) time.Duration { return t.Sub(actual) })
}

// ResetClock goes back to real time.
func (s *Sim) ResetClock() {
	s.clock.offset.Store(0)
	s.version.Add(1)
}

func (s *Sim) moveClock(field string, to func(actual time.Time, ahead time.Duration) time.Duration) error {
	for {
		actual, old := s.clock.base(), s.clock.offset.Load()
		ahead := to(actual, time.Duration(old))
		if at := actual.Add(ahead); at.Before(clockFrom) || !at.Before(clockTo) {
			return &faultError{field, fmt.Sprintf("the clock would stand at %s: it stands from 1970 to 2199", at.UTC().Format(time.RFC3339))}
		}
		if s.clock.offset.CompareAndSwap(old, int64(ahead)) {
			s.version.Add(1)
			return nil
		}
	}
}

// within says whether a time lies less than d before now. A time that lies
// ahead, because the clock was set back, does not.
func within(now, then time.Time, d time.Duration) bool {
	since := now.Sub(then)
	return since >= 0 && since < d
}

func (s *Sim) showClock(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.Clock()) }

// postClock moves the clock by one field of a JSON object.
func (s *Sim) postClock(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		fail(w, http.StatusBadRequest, "the body cannot be read: %v", err)
		return
	}
	if err := s.moveBy(body); err != nil {
		refuseFields(w, err)
		return
	}
	s.showClock(w, r)
}

func (s *Sim) moveBy(body []byte) error {
	doc, ok := parse(body)
	if !ok || len(doc.members) != 1 {
		return errors.New(`the clock takes one of {"advance_ms":1860000}, {"advance":"31m"}, {"set":"2026-01-01T00:00:00Z"}, {"reset":true}`)
	}
	name, n := doc.members[0].name, doc.members[0].value
	wrong := func(format string, args ...any) error { return &faultError{name, fmt.Sprintf(format, args...)} }
	switch name {
	case "advance_ms":
		ms, ok := n.integer()
		if !ok || ms < 0 || ms > float64(clockTo.Sub(clockFrom).Milliseconds()) {
			return wrong("want a whole number of milliseconds, 0 and more, got %s", n.describe())
		}
		return s.Advance(time.Duration(ms) * time.Millisecond)
	case "advance":
		d, err := time.ParseDuration(n.text)
		if n.kind != '"' || err != nil || d < 0 {
			return wrong(`want a duration, 0 and more, such as "31m" or "6h", got %s`, n.describe())
		}
		return s.Advance(d)
	case "set":
		t, err := time.Parse(time.RFC3339, n.text)
		if n.kind != '"' || err != nil {
			return wrong(`want a time such as "2026-01-01T00:00:00Z", got %s`, n.describe())
		}
		return s.SetClock(t)
	case "reset":
		if n.kind != 't' {
			return wrong("want true, got %s", n.describe())
		}
		s.ResetClock()
		return nil
	default:
		return wrong("there is no such field: use advance_ms, advance, set or reset")
	}
}
