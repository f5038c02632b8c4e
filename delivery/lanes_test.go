package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

func TestARetryHoldsTheLaneAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Retry}, {Verdict: attempt.Retry}}}}
		b := newBench(s, nil)
		b.play(t, time.Minute, item("ann", "view"), item("ann", "order"), item("bob", "view2"))
		slices.Sort(s.got)
		wantLines(t, "tries", s.got, []string{"ann/order at 13s", "ann/view at 0s", "ann/view at 13s", "ann/view at 3s", "bob/view2 at 0s"})
		wantLines(t, "ends", b.ends, []string{"view2 delivered", "view delivered", "order delivered"})
	})
}

func TestVisitorsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{takes: time.Second}
		b := newBench(s, func(o *laneOptions) { o.concurrency = 8 })
		var items []*held
		for i := range 32 {
			items = append(items, item(fmt.Sprint("v", i), "m"))
		}
		b.play(t, 4500*time.Millisecond, items...)
		if s.most != 8 || len(b.ends) != 32 {
			t.Errorf("%d requests at once and %d ends, want 8 and 32", s.most, len(b.ends))
		}
	})
}

func TestAHundredEventsOfANewVisitorAreOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{takes: 10 * time.Millisecond, answers: map[string][]attempt.Result{"ann": {{IDs: attempt.IDs{Visitor: "V", Session: "S"}}}}}
		b := newBench(s, func(o *laneOptions) { o.concurrency = 64 })
		var items []*held
		for i := range 100 {
			items = append(items, item("ann", fmt.Sprint(i)))
		}
		b.play(t, 2*time.Second, items...)
		for i, v := range s.visits[1:] {
			if v.IDs != (attempt.IDs{Visitor: "V", Session: "S"}) || v.Of != "sid-ann" {
				t.Fatalf("report %d was built with %+v, want the ids of the first answer", i+1, v)
			}
		}
	})
}

func TestTheScheduleEndsAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: map[string][]attempt.Result{"ann": slices.Repeat([]attempt.Result{{Verdict: attempt.Retry, Why: "LivePerson does not take reports now (503)."}}, 100)}}
		b := newBench(s, nil)
		b.play(t, 48*time.Hour, item("ann", "order"), item("ann", "next"))
		want := []string{"0s", "3s", "13s", "43s", "2m13s", "4m13s", "8m13s", "16m13s", "32m13s", "1h4m13s", "2h4m13s"}
		for i, at := range want {
			if got := fmt.Sprint("ann/order at ", at); s.got[i] != got {
				t.Errorf("try %d: %q, want %q", i+1, s.got[i], got)
			}
		}
		if len(b.ends) == 0 || b.ends[0] != "order dead: Not taken within 24 hours. The last try: LivePerson does not take reports now (503)." {
			t.Errorf("ends = %q", b.ends)
		}
		if last := s.got[31]; last != "ann/order at 23h4m13s" && len(s.got) > 31 {
			t.Errorf("try 32: %q", last)
		}
	})
}

func TestAnswersAskForAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Retry, RetryAfter: 7 * time.Second}}}}
		b := newBench(s, nil)
		b.play(t, time.Minute, item("ann", "view"))
		wantLines(t, "tries", s.got, []string{"ann/view at 0s", "ann/view at 7s"})
	})
}

func TestWhatCannotPassIsDeadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Dead, Why: "LivePerson refused lead.value."}}}}
		b := newBench(s, nil)
		b.play(t, time.Minute, item("ann", "lead"), item("ann", "view"))
		wantLines(t, "ends", b.ends, []string{"lead dead: LivePerson refused lead.value.", "view delivered"})
	})
}

func TestAForgottenVisitIsJoinedOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rejoin := attempt.Result{Verdict: attempt.Rejoin, Why: "LivePerson refused the session id twice."}
		s := &script{answers: map[string][]attempt.Result{"ann": {rejoin, {IDs: attempt.IDs{Visitor: "V2", Session: "S2"}}}, "bob": {rejoin, rejoin}}}
		b := newBench(s, nil)
		b.visits["ann"] = integrations.Visit{IDs: attempt.IDs{Visitor: "V1", Session: "S1"}, Of: "sid-ann", Waiting: []string{"u"}}
		b.play(t, time.Minute, item("ann", "view"))
		if v := b.visits["ann"]; v.IDs != (attempt.IDs{Visitor: "V2", Session: "S2"}) || v.Bare {
			t.Errorf("visit = %+v, want the new ids", v)
		}
		if v := s.visits[1]; !v.Bare || v.IDs != (attempt.IDs{}) || len(v.Waiting) != 1 {
			t.Errorf("the second try was built with %+v, want no ids and the waiting address", v)
		}
		c := newBench(s, nil)
		c.play(t, time.Minute, item("bob", "view"))
		wantLines(t, "ends", c.ends, []string{"view dead: LivePerson refused the session id twice."})
	})
}

func TestALoadingAccountNamesTheVisitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Retry, IDs: attempt.IDs{Visitor: "LOADED"}}}}}
		b := newBench(s, nil)
		b.play(t, time.Minute, item("ann", "view"))
		if got := s.visits[1].IDs.Visitor; got != "LOADED" {
			t.Errorf("the second try was built with vid %q, want LOADED", got)
		}
	})
}

func TestAWrongSettingPausesAndProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := attempt.Result{Verdict: attempt.Hold, Status: 404, Code: 18, Why: "LivePerson does not know this app key."}
		s := &script{answers: map[string][]attempt.Result{"ann": {hold, hold, hold, hold}}}
		b := newBench(s, func(o *laneOptions) { o.concurrency = 1 })
		b.play(t, time.Hour+40*time.Minute, item("ann", "view"), item("bob", "view2"), item("cid", "view3"))
		wantLines(t, "tries", s.got, []string{"ann/view at 0s", "ann/view at 5m0s", "ann/view at 15m0s", "ann/view at 35m0s", "ann/view at 1h15m0s", "bob/view2 at 1h15m0s", "cid/view3 at 1h15m0s"})
		wantLines(t, "ends", b.ends, []string{"view delivered", "view2 delivered", "view3 delivered"})
	})
}

func TestAPersonEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Hold}}}}
		b := newBench(s, nil)
		time.AfterFunc(time.Minute, b.resume)
		b.play(t, 2*time.Minute, item("ann", "view"))
		wantLines(t, "tries", s.got, []string{"ann/view at 0s", "ann/view at 1m0s"})
	})
}

func TestWithdrawnConsentStopsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := &script{answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Retry}}}}
		b := newBench(s, func(o *laneOptions) {
			o.allowed = func(context.Context, string, string, string) (bool, string, error) {
				return time.Since(start) < 2*time.Second, "consent: marketing is not granted any more", nil
			}
		})
		b.play(t, time.Minute, item("ann", "view"), item("ann", "order"))
		wantLines(t, "tries", s.got, []string{"ann/view at 0s"})
		wantLines(t, "ends", b.ends, []string{"view filtered: consent: marketing is not granted any more", "order filtered: consent: marketing is not granted any more"})
	})
}

// A store that is down must neither lose the event nor send what may have been
// withdrawn.
func TestNothingIsSentWhileConsentCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := &script{}
		b := newBench(s, func(o *laneOptions) {
			o.allowed = func(context.Context, string, string, string) (bool, string, error) {
				if time.Since(start) < 2500*time.Millisecond {
					return false, "", errors.New("the store is down")
				}
				return true, "", nil
			}
		})
		b.play(t, time.Minute, item("ann", "view"))
		wantLines(t, "tries", s.got, []string{"ann/view at 3s"})
		wantLines(t, "ends", b.ends, []string{"view delivered"})
	})
}

func TestACarriedPageIsSentWithTheNextReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{carry: map[string]bool{"page1": true, "page2": true}}
		b := newBench(s, nil)
		b.play(t, time.Second, item("ann", "page1"), item("ann", "page2"), item("ann", "order"))
		wantLines(t, "ends", b.ends, []string{"page1 carried", "page2 carried", "order delivered"})
		wantLines(t, "waiting at the order", s.visits[2].Waiting, []string{"page1", "page2"})
		if v := b.visits["ann"]; len(v.Waiting) != 0 {
			t.Errorf("addresses still wait: %q", v.Waiting)
		}
	})
}

func TestTheRateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		b := newBench(s, func(o *laneOptions) { o.perSecond = 10 })
		var items []*held
		for i := range 100 {
			items = append(items, item(fmt.Sprint("v", i), "m"))
		}
		b.play(t, 5*time.Second, items...)
		if n := len(s.got); n < 55 || n > 65 {
			t.Errorf("%d requests in 5 s at 10/s with a burst of 10, want about 60", n)
		}
	})
}

// Every pause of the schedule is within a tenth, and never shorter than asked.
func TestAVendorMayNameItsOwnFirstPauses(t *testing.T) {
	own := []time.Duration{time.Second, 5 * time.Second, 25 * time.Second}
	var got []time.Duration
	for n := 1; n <= 12; n++ {
		got = append(got, pause(schedule(own), n, 0, 0.5))
	}
	want := []time.Duration{time.Second, 5 * time.Second, 25 * time.Second, 30 * time.Second, 90 * time.Second, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour}
	if !slices.Equal(got, want) {
		t.Errorf("pauses = %v, want %v", got, want)
	}
	if got := pause(schedule([]time.Duration{3 * time.Hour}), 5, 0, 0.5); got != time.Hour {
		t.Errorf("behind pauses longer than all others it waits %s, want an hour", got)
	}
}

func TestPause(t *testing.T) {
	for n := 1; n <= 40; n++ {
		base := pauses[min(n, len(pauses))-1]
		for _, jitter := range []float64{0, 0.5, 0.999} {
			if got := pause(pauses, n, 0, jitter); got < base*9/10 || got > base*11/10 {
				t.Errorf("pause(%d) with jitter %v = %s, want about %s", n, jitter, got, base)
			}
		}
		if got := pause(pauses, n, 2*time.Hour, 0); got != 2*time.Hour {
			t.Errorf("pause(%d) after Retry-After 2 h = %s", n, got)
		}
	}
}
