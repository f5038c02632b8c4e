package lpsim

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

func (s *Sim) showClockPage(w http.ResponseWriter, r *http.Request) {
	f := s.frame(r, "Clock · LivePerson simulator")
	f.Back = "/"
	s.render(w, http.StatusOK, "clock.html", f)
}

// postClockPage moves the clock as a button says, and returns to the page it was
// on.
func (s *Sim) postClockPage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	by := r.FormValue("by")
	d, err := time.ParseDuration(by)
	switch {
	case by == "real":
		s.ResetClock()
	case err != nil:
		fail(w, http.StatusBadRequest, "by: %q is no way to move the clock: use real, or a duration such as 31m", by)
		return
	default:
		if err := s.Advance(d); err != nil {
			refuseFields(w, err)
			return
		}
	}
	http.Redirect(w, r, ownPath(r.FormValue("back")), http.StatusSeeOther) //nolint:gosec // ownPath keeps it here
}

// aheadWords says how far the clock is from real time, "" when it is not.
func aheadWords(d time.Duration) string {
	if d.Abs() > time.Second {
		d = d.Round(time.Second)
	}
	switch {
	case d == 0:
		return ""
	case d < 0:
		return spell(-d) + " behind"
	default:
		return spell(d) + " ahead"
	}
}

// spell writes a duration as people say it: 31 min, 6 h, 1 day 2 h. Parts of a
// second are left out where there is more.
func spell(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	var parts []string
	for _, unit := range []struct {
		length time.Duration
		one    string
		many   string
	}{{24 * time.Hour, "day", "days"}, {time.Hour, "h", "h"}, {time.Minute, "min", "min"}, {time.Second, "s", "s"}} {
		n := d / unit.length
		d %= unit.length
		switch {
		case n == 1:
			parts = append(parts, "1 "+unit.one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.many))
		}
	}
	return strings.Join(parts, " ")
}
