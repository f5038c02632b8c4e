package delivery

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/attempt"
)

// Steps are "slow" or a time to wait; want is the pace after each.
func TestPace(t *testing.T) {
	for _, tt := range []struct {
		name  string
		full  float64
		steps []string
		want  []float64
	}{
		{"it halves when asked", 100, []string{"slow"}, []float64{50}},
		{"at most once a second", 100, []string{"slow", "slow", "900ms", "slow", "100ms", "slow"}, []float64{50, 50, 50, 50, 50, 25}},
		{"to one a second", 10, []string{"slow", "1s", "slow", "1s", "slow", "1s", "slow", "1s", "slow"}, []float64{5, 5, 2.5, 2.5, 1.25, 1.25, 1, 1, 1}},
		{"or to what is configured, when that is less", 0.5, []string{"slow"}, []float64{0.5}},
		{"it comes back by a twentieth every ten seconds", 100, []string{"slow", "9s", "1s", "10s", "15s", "5s"}, []float64{50, 50, 55, 60, 65, 70}},
		{"asking again begins the ten seconds anew", 100, []string{"slow", "9s", "slow", "9s", "1s"}, []float64{50, 50, 25, 25, 30}},
		{"it comes back to what is configured and no further", 100, []string{"slow", "99s", "1s", "1h"}, []float64{50, 95, 100, 100}},
		{"without a bound there is nothing to halve", 0, []string{"slow", "1h"}, []float64{0, 0}},
	} {
		p, now := pace{full: tt.full, now: tt.full}, time.Unix(1e9, 0)
		for i, step := range tt.steps {
			before := p.now
			var changed bool
			if step == "slow" {
				changed = p.slow(now)
			} else {
				d, err := time.ParseDuration(step)
				if err != nil {
					t.Fatal(err)
				}
				now = now.Add(d)
				changed = p.recover(now)
			}
			if diff := p.now - tt.want[i]; diff > 1e-9 || diff < -1e-9 {
				t.Errorf("%s: %v after step %d (%s), want %v", tt.name, p.now, i+1, step, tt.want[i])
			}
			if changed != (p.now != before) {
				t.Errorf("%s: changed = %t at step %d (%s), from %v to %v", tt.name, changed, i+1, step, before, p.now)
			}
		}
	}
}

func TestTheBurstFollowsThePace(t *testing.T) {
	for now, want := range map[float64]int{0.5: 1, 1: 1, 1.9: 1, 50: 50} {
		if got := (&pace{now: now}).burst(); got != want {
			t.Errorf("burst at %v/s = %d, want %d", now, got, want)
		}
	}
}

// A vendor that takes 5 a second, and is given 20: the lanes find that out,
// and come back when it takes more.
func TestLanesGoAsSlowAsTheVendorAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		second, n := time.Duration(0), 0
		s.judge = func(string, []string) attempt.Result {
			at := time.Since(s.start).Truncate(time.Second)
			if at != second {
				second, n = at, 0
			}
			if n++; n > 5 && at < 20*time.Second {
				return attempt.Result{Verdict: attempt.Retry, Slow: true, RetryAfter: time.Second}
			}
			return attempt.Result{}
		}
		b := newBench(s, func(o *laneOptions) { o.perSecond, o.concurrency = 20, 8 })
		var slowest Status
		go func() {
			for range 20 {
				time.Sleep(time.Second)
				if st := b.status(time.Now()); slowest.Limit == 0 || st.PerSecond < slowest.PerSecond {
					slowest = st
				}
			}
		}()
		b.play(t, 4*time.Minute, visitors(3500)...)
		if slowest.PerSecond > 10 || slowest.Limit != 20 || slowest.Slowed.IsZero() {
			t.Errorf("slowest = %v of %v, slowed %v, want it below 10", slowest.PerSecond, slowest.Limit, slowest.Slowed)
		}
		st := b.status(time.Now())
		if st.PerSecond != 20 || !st.Slowed.IsZero() {
			t.Errorf("at the end %v a second, slowed %v, want 20 and no more", st.PerSecond, st.Slowed)
		}
		if got := fmt.Sprint(b.rate.Limit(), b.rate.Burst()); got != "20 20" {
			t.Errorf("limiter at %s, want 20 20", got)
		}
	})
}
