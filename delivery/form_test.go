package delivery

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

func TestANamedFormIsForOneReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{together: 2, answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Reform, Form: "other"}}}}
		a := &able{script: s}
		b := benchOf(a, s, nil)
		b.play(t, time.Second, items("ann", "a b c")...)
		wantLines(t, "requests", s.got, []string{"ann/a+b at 0s", "ann/other:a+b at 0s", "ann/c at 0s"})
		wantLines(t, "ends", b.ends, []string{"a delivered", "b delivered", "c delivered"})
	})
}

// What comes meanwhile does not change the report that is built anew.
func TestTheSameItemsAreBuiltAnew(t *testing.T) {
	for _, verdict := range []attempt.Verdict{attempt.Reform, attempt.Rejoin} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{together: 20, takes: time.Second, answers: map[string][]attempt.Result{"ann": {{Verdict: verdict}}}}
			b := newBench(s, nil)
			time.AfterFunc(time.Second/2, func() { b.add(item("ann", "c")) })
			b.play(t, time.Minute, items("ann", "a b")...)
			wantLines(t, verdict.String(), s.got, []string{"ann/a+b at 0s", "ann/a+b at 1s", "ann/c at 2s"})
		})
	}
}

func TestWithoutANameTheConnectionKnowsTheForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.judge = func(string, []string) attempt.Result {
			if s.form == "" {
				s.form = "learned:"
				return attempt.Result{Verdict: attempt.Reform}
			}
			return attempt.Result{}
		}
		b := newBench(s, nil)
		b.play(t, time.Second, items("ann", "a b")...)
		wantLines(t, "requests", s.got, []string{"ann/a at 0s", "ann/learned:a at 0s", "ann/learned:b at 0s"})
	})
}

// The page that may not travel alone is carried once that is known.
func TestAReformMayComeToNothingBeingSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{carry: map[string]bool{}}
		s.judge = func(_ string, m []string) attempt.Result {
			if m[0] == "page" {
				s.carry["page"] = true
				return attempt.Result{Verdict: attempt.Reform}
			}
			return attempt.Result{}
		}
		b := newBench(s, nil)
		b.play(t, time.Second, items("ann", "page order")...)
		wantLines(t, "requests", s.got, []string{"ann/page at 0s", "ann/order at 0s"})
		wantLines(t, "ends", b.ends, []string{"page carried", "order delivered"})
	})
}

func TestAVendorThatNeverMakesUpItsMind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{judge: func(_ string, m []string) attempt.Result {
			if strings.HasSuffix(m[0], "a") {
				return attempt.Result{Verdict: attempt.Reform, Form: "x", Why: "The vendor wants another form."}
			}
			return attempt.Result{}
		}}
		b := benchOf(&able{script: s}, s, nil)
		b.play(t, time.Second, items("ann", "a b")...)
		wantLines(t, "requests", s.got, []string{"ann/a at 0s", "ann/x:a at 0s", "ann/x:a at 0s", "ann/x:a at 0s", "ann/b at 0s"})
		wantLines(t, "ends", b.ends, []string{"a dead: The vendor wants another form.", "b delivered"})
	})
}

// Other answers between them begin the count anew.
func TestOnlyReformsInARowCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reform, retry := attempt.Result{Verdict: attempt.Reform}, attempt.Result{Verdict: attempt.Retry}
		s := &script{answers: map[string][]attempt.Result{"ann": {reform, reform, retry, reform, reform, reform}}}
		b := newBench(s, nil)
		b.play(t, time.Minute, item("ann", "a"))
		wantLines(t, "ends", b.ends, []string{"a delivered"})
	})
}

func TestIdsThatWereRefusedAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := attempt.IDs{Visitor: "PAGE", Session: "S"}
		s := &script{ids: page, answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Rejoin}, {IDs: attempt.IDs{Visitor: "V", Session: "T"}}}}}
		b := newBench(s, nil)
		b.play(t, time.Second, items("ann", "a b")...)
		for i, v := range s.visits[1:] {
			if v.Refused != page {
				t.Errorf("request %d was built with Refused %+v, want %+v", i+2, v.Refused, page)
			}
		}
		if v := b.visits["ann"]; v.Refused != page || v.IDs != (attempt.IDs{Visitor: "V", Session: "T"}) || v.Bare {
			t.Errorf("visit = %+v, want the ids of the answer, and the refused ones kept", v)
		}
	})
}

func TestALaterRefusalReplacesTheIdsThatWereRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{ids: attempt.IDs{Visitor: "OLD"}, answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Rejoin}, {}, {Verdict: attempt.Rejoin}}}}
		b := newBench(s, nil)
		s.judge = func(_ string, m []string) attempt.Result {
			switch len(s.got) {
			case 1, 3:
				return attempt.Result{Verdict: attempt.Rejoin}
			case 2:
				s.ids.Visitor = "NEW"
			}
			return attempt.Result{}
		}
		b.play(t, time.Second, items("ann", "a b")...)
		if got := b.visits["ann"].Refused.Visitor; got != "NEW" {
			t.Errorf("refused = %q, want NEW", got)
		}
		wantLines(t, "ends", b.ends, []string{"a delivered", "b delivered"})
	})
}

// A request without ids says nothing of those that were refused before it.
func TestARefusalWithoutIdsKeepsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Rejoin}}}}
		b := newBench(s, nil)
		b.visits["ann"] = integrations.Visit{Refused: attempt.IDs{Visitor: "PAGE"}}
		b.play(t, time.Second, items("ann", "a")...)
		if got := b.visits["ann"].Refused.Visitor; got != "PAGE" {
			t.Errorf("refused = %q, want PAGE", got)
		}
	})
}

func TestOneScoutFindsOutForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := false
		s := &script{takes: time.Second}
		s.scout = func(string) bool { return !known }
		a := &able{script: s}
		s.judge = func(string, []string) attempt.Result {
			s.takes = 0
			known = true
			a.version++
			return attempt.Result{}
		}
		b := benchOf(a, s, func(o *laneOptions) { o.concurrency = 64 })
		b.play(t, 900*time.Millisecond, visitors(200)...)
		if len(s.got) != 1 {
			t.Errorf("%d scouts at once, want 1", len(s.got))
		}
		c := benchOf(a, s, func(o *laneOptions) { o.concurrency = 64 })
		known, s.got, s.takes, s.most = false, nil, time.Second, 0
		c.play(t, 10*time.Second, visitors(200)...)
		if len(c.ends) != 200 || len(s.got) != 200 {
			t.Errorf("%d ends and %d requests, want 200 each", len(c.ends), len(s.got))
		}
		if late := slices.IndexFunc(s.got[1:], func(q string) bool { return !strings.HasSuffix(q, " at 1s") }); late >= 0 {
			t.Errorf("%q, want all but the scout at 1s", s.got[late+1])
		}
	})
}

func visitors(n int) []*held {
	var out []*held
	for i := range n {
		out = append(out, item(fmt.Sprint("v", i), fmt.Sprint("m", i)))
	}
	return out
}

// playScout has the first item be the scout.
func (b *bench) playScout(t *testing.T, items []*held) {
	t.Helper()
	time.AfterFunc(100*time.Millisecond, func() {
		for _, h := range items[1:] {
			b.add(h)
		}
	})
	b.play(t, 2500*time.Millisecond, items[0])
}

// Those that need not find out anything do not wait for the scout.
func TestOnlyScoutsWaitForTheScout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{takes: time.Second, scout: func(v string) bool { return v != "sure" }}
		b := newBench(s, nil)
		b.playScout(t, []*held{item("ann", "a"), item("bob", "b"), item("sure", "c")})
		slices.Sort(s.got)
		wantLines(t, "requests", s.got, []string{"ann/a at 0s", "bob/b at 1s", "sure/c at 0s"})
	})
}

// A scout that comes back with nothing sends the next one, and the others stay.
func TestAScoutThatLearnsNothingHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{takes: time.Second, scout: func(string) bool { return true }}
		s.judge = func(string, []string) attempt.Result { return attempt.Result{Verdict: attempt.Retry} }
		b := benchOf(&able{script: s}, s, nil)
		b.play(t, 9500*time.Millisecond, visitors(10)...)
		if len(s.got) != 10 || s.most != 1 {
			t.Errorf("%d requests, %d at once, want 10 one after the other", len(s.got), s.most)
		}
		if n := len(s.visits); n > 40 {
			t.Errorf("%d requests were built for 10 scouts: the others should stay parked", n)
		}
	})
}

// The form that one scout's reform taught is tried by the same scout, and by
// one alone.
func TestAScoutStaysOutThroughAReform(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{takes: time.Second}
		known := false
		s.scout = func(string) bool { return !known }
		a := &able{script: s}
		s.judge = func(_ string, m []string) attempt.Result {
			if s.form == "" {
				s.form = "new:"
				return attempt.Result{Verdict: attempt.Reform}
			}
			known = true
			return attempt.Result{}
		}
		b := benchOf(a, s, func(o *laneOptions) { o.concurrency = 8 })
		b.playScout(t, visitors(5))
		slices.Sort(s.got)
		wantLines(t, "requests", s.got, []string{"v0/m0 at 0s", "v0/new:m0 at 1s", "v1/new:m1 at 2s", "v2/new:m2 at 2s", "v3/new:m3 at 2s", "v4/new:m4 at 2s"})
	})
}

// A scout that turns out to have nothing to send lets the next one go.
func TestAParkedLaneWithNothingToSendLetsTheNextGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{takes: time.Second, scout: func(string) bool { return true }, carry: map[string]bool{}}
		s.judge = func(v string, _ []string) attempt.Result {
			if v == "v0" {
				s.carry["m1"] = true
				return attempt.Result{Verdict: attempt.Retry}
			}
			return attempt.Result{}
		}
		b := benchOf(&able{script: s}, s, nil)
		b.playScout(t, visitors(3))
		slices.Sort(b.ends)
		wantLines(t, "requests", s.got, []string{"v0/m0 at 0s", "v2/m2 at 1s"})
		wantLines(t, "ends", b.ends, []string{"m1 carried", "m2 delivered"})
	})
}

// Each verdict keeps the order of a visitor's events.
func TestOrderIsKeptUnderEveryVerdict(t *testing.T) {
	for _, v := range []attempt.Result{
		{Verdict: attempt.Delivered}, {Verdict: attempt.Retry}, {Verdict: attempt.Retry, Outage: true}, {Verdict: attempt.Rejoin}, {Verdict: attempt.Hold},
		{Verdict: attempt.Dead}, {Verdict: attempt.Dead, Split: true}, {Verdict: attempt.Reform}, {Verdict: attempt.Reform, Form: "x"}, {Verdict: attempt.Retry, Slow: true},
	} {
		for _, together := range []int{1, 3} {
			synctest.Test(t, func(t *testing.T) {
				s := &script{together: together, answers: map[string][]attempt.Result{"ann": {v}}}
				b := benchOf(&able{script: s}, s, func(o *laneOptions) { o.perSecond = 100 })
				b.play(t, time.Hour, items("ann", "a b c d e")...)
				var order []string
				for _, e := range b.ends {
					order = append(order, e[:1])
				}
				wantLines(t, fmt.Sprintf("%s, split %t, %d together", v.Verdict, v.Split, together), order, strings.Fields("a b c d e"))
			})
		}
	}
}

var _ = []any{integrations.Preparer(&able{}), integrations.Reformer(&able{}), integrations.Splitter(&able{}), integrations.Learner(&able{}),
	integrations.Tended(&able{}), integrations.Diagnoser(&able{}), integrations.Warner(&able{}), integrations.Batcher(&script{})}
