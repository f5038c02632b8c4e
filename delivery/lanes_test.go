package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
)

// script is a Connection that answers from a list, per visitor, and writes down
// what it got when. Without an answer left it says Delivered.
type script struct {
	mu      sync.Mutex
	start   time.Time
	answers map[string][]attempt.Result
	got     []string // "visitor/message at 3s"
	visits  []integrations.Visit
	flying  map[string]int  // requests under way by visitor
	most    int             // requests under way at once
	takes   time.Duration   // of one request
	carry   map[string]bool // messages that are carried
}

func (s *script) Build(v integrations.Visit, items []integrations.Item) integrations.Built {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visits = append(s.visits, v)
	if s.carry[items[0].MessageID] {
		v.Waiting = append(slices.Clone(v.Waiting), items[0].MessageID)
		return integrations.Built{Carried: []int{0}, Visit: v}
	}
	v.Waiting = nil
	return integrations.Built{Request: &integrations.Request{URL: items[0].AnonymousID, Body: []byte(`{}`), Summary: items[0].MessageID}, Sent: []int{0}, Visit: v}
}

func (s *script) Send(ctx context.Context, r integrations.Request) attempt.Result {
	s.mu.Lock()
	if s.flying == nil {
		s.flying = map[string]int{}
	}
	s.flying[r.URL]++
	if s.flying[r.URL] > 1 {
		panic("two requests of one visitor at once")
	}
	all := 0
	for _, n := range s.flying {
		all += n
	}
	s.most = max(s.most, all)
	s.got = append(s.got, fmt.Sprintf("%s/%s at %s", r.URL, r.Summary, time.Since(s.start).Round(time.Second)))
	answer := attempt.Result{}
	if list := s.answers[r.URL]; len(list) > 0 {
		answer, s.answers[r.URL] = list[0], list[1:]
	}
	s.mu.Unlock()
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying[r.URL]--
	return answer
}

// bench runs lanes in a bubble over a script, with what was settled at hand.
type bench struct {
	*lanes
	ends   []string // "message outcome: reason"
	visits map[string]integrations.Visit
	mu     sync.Mutex
}

func newBench(s *script, change func(*laneOptions)) *bench {
	b := &bench{visits: map[string]integrations.Visit{}}
	s.start = time.Now()
	o := laneOptions{
		pipeline: "shop", integration: "shop/x", connection: s, concurrency: 4, log: slog.New(slog.DiscardHandler),
		jitter:  func() float64 { return 0.5 },
		allowed: func(context.Context, string, string, string) (bool, string, error) { return true, "", nil },
		visit: func(_ context.Context, id string) (integrations.Visit, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.visits[id], nil
		},
		keep: func(id string, v integrations.Visit) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.visits[id] = v
		},
		settle: func(e end) {
			b.mu.Lock()
			line := e.item.MessageID + " " + string(e.result)
			if e.reason != "" {
				line += ": " + e.reason
			}
			b.ends = append(b.ends, line)
			b.mu.Unlock()
			b.settled([]end{e})
		},
	}
	if change != nil {
		change(&o)
	}
	b.lanes = newLanes(o)
	return b
}

func item(visitor, message string) *held {
	now := time.Now()
	return &held{Item: integrations.Item{Place: event.Place{Seq: 1}, AnonymousID: visitor, MessageID: message, ReceivedAt: now, Session: integrations.Session{Sid: "sid-" + visitor}}, since: now}
}

// play adds items, runs the lanes for so long, and stops them.
func (b *bench) play(t *testing.T, long time.Duration, items ...*held) {
	t.Helper()
	for _, h := range items {
		b.add(h)
	}
	var wg sync.WaitGroup
	wg.Go(func() { b.run(t.Context()) })
	time.Sleep(long)
	synctest.Wait()
	b.stop()
	wg.Wait()
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

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
func TestPause(t *testing.T) {
	for n := 1; n <= 40; n++ {
		base := pauses[min(n, len(pauses))-1]
		for _, jitter := range []float64{0, 0.5, 0.999} {
			if got := pause(n, 0, jitter); got < base*9/10 || got > base*11/10 {
				t.Errorf("pause(%d) with jitter %v = %s, want about %s", n, jitter, got, base)
			}
		}
		if got := pause(n, 2*time.Hour, 0); got != 2*time.Hour {
			t.Errorf("pause(%d) after Retry-After 2 h = %s", n, got)
		}
	}
}
