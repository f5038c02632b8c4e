package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/trace"
)

func TestWaitingEventsTravelTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{together: 20}
		b := newBench(s, nil)
		b.play(t, time.Second, append(numbered("ann", 45), item("bob", "view"))...)
		slices.Sort(s.got)
		wantLines(t, "requests", s.got, []string{
			"ann/1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16+17+18+19+20 at 0s",
			"ann/21+22+23+24+25+26+27+28+29+30+31+32+33+34+35+36+37+38+39+40 at 0s",
			"ann/41+42+43+44+45 at 0s", "bob/view at 0s",
		})
		if len(b.ends) != 46 {
			t.Errorf("%d ends, want 46", len(b.ends))
		}
	})
}

// lone hides what else a script can do.
type lone struct{ integrations.Connection }

func TestAVendorThatDoesNotSayGetsTwentyAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		b := benchOf(lone{s}, s, nil)
		b.play(t, time.Second, numbered("ann", 50)...)
		var sizes []int
		for _, q := range s.got {
			sizes = append(sizes, strings.Count(q, "+")+1)
		}
		if !slices.Equal(sizes, []int{20, 20, 10}) {
			t.Errorf("reports of %d events, want 20, 20 and 10", sizes)
		}
	})
}

func TestEachEventOfAReportHasItsOwnSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{together: 3, replaced: map[string]string{"cart1": "A later cart replaces it."}, answers: map[string][]attempt.Result{"ann": {
			{Verdict: attempt.Retry, Why: "The vendor is busy.", Cause: "busy", Fix: attempt.FixRate, Field: "f", Checks: []attempt.Check{{What: "rate", Wrong: true, Say: "Too fast."}}},
		}}}
		b := newBench(s, nil)
		b.play(t, time.Minute, items("ann", "cart1 cart2 order")...)
		steps := b.steps("cart1")
		if len(steps) != 2 {
			t.Fatalf("%d steps, want 2", len(steps))
		}
		first, last := steps[0], steps[1]
		wantLines(t, "with", first.With, []string{"cart2", "order"})
		wantLines(t, "notes", first.Notes, []string{"A later cart replaces it."})
		if first.Try != 1 || last.Try != 2 || first.Outcome != trace.Pending || last.Outcome != trace.Delivered {
			t.Errorf("steps = %+v and %+v, want a first try that is pending and a second that is delivered", first, last)
		}
		if first.Cause != "busy" || first.Fix != "rate" || first.Field != "f" || string(first.Checks) != `[{"what":"rate","wrong":true,"say":"Too fast."}]` {
			t.Errorf("step = %+v, want what explains the failure", first)
		}
		if got := first.Next.Sub(first.SentAt); got != 3*time.Second {
			t.Errorf("next try after %s, want 3s", got)
		}
	})
}

func TestWhatCannotGoInEndsBeforeTheOthersAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{together: 20, refuse: map[string]string{"bad": "total is missing", "worse": "no address"}}
		b := newBench(s, nil)
		b.play(t, time.Second, items("ann", "a bad b worse c")...)
		wantLines(t, "requests", s.got, []string{"ann/a+b+c at 0s"})
		wantLines(t, "ends", b.ends, []string{"bad filtered: total is missing", "worse filtered: no address", "a delivered", "b delivered", "c delivered"})
	})
}

func TestThoseThatJoinLaterHaveTheirOwnCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		retry := attempt.Result{Verdict: attempt.Retry}
		s := &script{together: 20, answers: map[string][]attempt.Result{"ann": {retry, retry, {Verdict: attempt.Dead}}}}
		b := newBench(s, nil)
		time.AfterFunc(time.Second, func() { b.add(item("ann", "late")) })
		b.play(t, time.Minute, item("ann", "early"))
		wantLines(t, "requests", s.got, []string{"ann/early at 0s", "ann/early+late at 3s", "ann/early+late at 13s"})
		if early, late := b.all[0].item, b.all[1].item; early.tries != 3 || late.tries != 2 || late.firstTry.Sub(early.firstTry) != 3*time.Second {
			t.Errorf("tries = %d and %d, first %s apart, want 3, 2 and 3s", early.tries, late.tries, late.firstTry.Sub(early.firstTry))
		}
	})
}

func TestWithdrawnConsentEndsAllThatWaitTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{together: 20}
		b := newBench(s, func(o *laneOptions) {
			o.allowed = func(context.Context, string, string, string) (bool, string, error) { return false, "no consent", nil }
		})
		b.play(t, time.Second, items("ann", "a b")...)
		wantLines(t, "requests", s.got, nil)
		wantLines(t, "ends", b.ends, []string{"a filtered: no consent", "b filtered: no consent"})
	})
}

// An event past the horizon dies alone; the one that came later waits with the
// schedule of its own.
func TestTheHorizonIsEachEventsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{together: 20, judge: func(string, []string) attempt.Result {
			return attempt.Result{Verdict: attempt.Retry, Why: "The vendor is down."}
		}}
		b := newBench(s, nil)
		old, young := item("ann", "old"), item("ann", "young")
		old.since = old.since.Add(-Horizon + 20*time.Second)
		b.play(t, time.Minute, old, young)
		wantLines(t, "requests", s.got, []string{"ann/old+young at 0s", "ann/old+young at 3s", "ann/old+young at 13s", "ann/young at 43s"})
		wantLines(t, "ends", b.ends, []string{"old dead: Not taken within 24 hours. The last try: The vendor is down."})
		if young.tries != 4 {
			t.Errorf("the young one was tried %d times, want 4", young.tries)
		}
	})
}

// A replay is younger than it looks, so it may outlive what stands behind it.
func TestOneInTheMiddleMayDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{together: 20, answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Retry, Why: "Down."}}}}
		b := newBench(s, nil)
		all := items("ann", "a b c")
		all[1].since = all[1].since.Add(-Horizon)
		b.play(t, time.Minute, all...)
		wantLines(t, "requests", s.got, []string{"ann/a+b+c at 0s", "ann/a+c at 3s"})
		wantLines(t, "ends", b.ends, []string{"b dead: Not taken within 24 hours. The last try: Down.", "a delivered", "c delivered"})
	})
}

// refuser refuses, as a whole, each report that holds one of some messages.
func refuser(bad ...string) func(string, []string) attempt.Result {
	return func(_ string, messages []string) attempt.Result {
		for _, m := range messages {
			if slices.Contains(bad, m) {
				return attempt.Result{Verdict: attempt.Dead, Split: true, Why: "The vendor refused it.", Status: 400}
			}
		}
		return attempt.Result{}
	}
}

func TestOneBadEventSinksNoOther(t *testing.T) {
	for n := range 20 {
		synctest.Test(t, func(t *testing.T) {
			bad := fmt.Sprint(n + 1)
			s := &script{together: 20, judge: refuser(bad)}
			b := newBench(s, nil)
			b.play(t, time.Second, numbered("ann", 20)...)
			if len(s.got) > 12 {
				t.Errorf("with %s bad: %d requests, want at most 12: %q", bad, len(s.got), s.got)
			}
			var want []string
			for i := range 20 {
				if i == n {
					want = append(want, bad+" dead: The vendor refused it.")
				} else {
					want = append(want, fmt.Sprintf("%d delivered", i+1))
				}
			}
			wantLines(t, "ends", b.ends, want)
		})
	}
}

func TestBadEventsAreFoundHoweverMany(t *testing.T) {
	for _, tt := range []struct {
		name string
		bad  []string
		most int
	}{
		{"none", nil, 1},
		{"two beside each other", []string{"10", "11"}, 20},
		{"the first and the last", []string{"1", "20"}, 20},
		{"two in one half", []string{"3", "7"}, 20},
		{"all", strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"), 39},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{together: 20, judge: refuser(tt.bad...)}
			b := newBench(s, nil)
			b.play(t, time.Second, numbered("ann", 20)...)
			if len(s.got) > tt.most {
				t.Errorf("%s: %d requests, want at most %d: %q", tt.name, len(s.got), tt.most, s.got)
			}
			var want []string
			for i := range 20 {
				m := fmt.Sprint(i + 1)
				if slices.Contains(tt.bad, m) {
					want = append(want, m+" dead: The vendor refused it.")
				} else {
					want = append(want, m+" delivered")
				}
			}
			wantLines(t, tt.name, b.ends, want)
		})
	}
}

// When one half was taken the fault is in the other, which is halved unasked.
func TestTheOtherHalfIsNotAskedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{together: 20, judge: refuser("7")}
		b := newBench(s, nil)
		b.play(t, time.Second, numbered("ann", 8)...)
		wantLines(t, "requests", s.got, []string{"ann/1+2+3+4+5+6+7+8 at 0s", "ann/1+2+3+4 at 0s", "ann/5+6 at 0s", "ann/7 at 0s", "ann/8 at 0s"})
	})
}

// What comes while a report is halved waits until the fault is found, and then
// travels as always.
func TestWhatComesWhileAReportIsHalvedWaitsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{together: 20, judge: refuser("b"), takes: time.Second}
		b := newBench(s, nil)
		time.AfterFunc(500*time.Millisecond, func() { b.add(item("ann", "x")); b.add(item("ann", "y")) })
		b.play(t, time.Minute, items("ann", "a b c d")...)
		wantLines(t, "requests", s.got, []string{"ann/a+b+c+d at 0s", "ann/a+b at 1s", "ann/a at 2s", "ann/b at 3s", "ann/c+d at 4s", "ann/x+y at 5s"})
	})
}

func TestARetryInTheMiddleOfHalvingHoldsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		split := attempt.Result{Verdict: attempt.Dead, Split: true, Why: "Refused."}
		retry := attempt.Result{Verdict: attempt.Retry}
		s := &script{together: 20, answers: map[string][]attempt.Result{"ann": {split, retry, {}, retry, split}}}
		b := newBench(s, nil)
		b.play(t, time.Minute, items("ann", "a b c")...)
		wantLines(t, "requests", s.got, []string{"ann/a+b+c at 0s", "ann/a+b at 0s", "ann/a+b at 3s", "ann/c at 3s", "ann/c at 6s"})
		wantLines(t, "ends", b.ends, []string{"a delivered", "b delivered", "c dead: Refused."})
	})
}

func TestAPartThatIsRefusedDoesNotSinkTheOthers(t *testing.T) {
	for _, tt := range []struct {
		name     string
		bad      []string
		requests string
		end      string
	}{
		{"all taken apart", nil, "order; order.a; order.b; order.c", "order delivered"},
		{"one refused", []string{"order.b"}, "order; order.a; order.b; order.c", "order dead: Refused: order.b. The rest of the event was taken."},
		{"two refused", []string{"order.a", "order.c"}, "order; order.a; order.b; order.c", "order dead: Refused: order.a. Refused: order.c. The rest of the event was taken."},
		{"each refused", []string{"order.a", "order.b", "order.c"}, "order; order.a; order.b; order.c", "order dead: Refused: order.a. Refused: order.b. Refused: order.c."},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{together: 20, judge: func(_ string, m []string) attempt.Result {
				if m[0] == "order" || slices.Contains(tt.bad, m[0]) {
					return attempt.Result{Verdict: attempt.Dead, Split: true, Status: 400, Why: "Refused: " + m[0] + ".", Field: m[0]}
				}
				return attempt.Result{}
			}}
			b := benchOf(&able{script: s, parts: map[string][]string{"order": {"order.a", "order.b", "order.c"}}}, s, nil)
			b.play(t, time.Minute, items("ann", "order next")...)
			var want []string
			for q := range strings.SplitSeq("order+next; "+tt.requests+"; next", "; ") {
				want = append(want, "ann/"+q+" at 0s")
			}
			wantLines(t, tt.name+": requests", s.got, want)
			wantLines(t, tt.name+": ends", b.ends, []string{tt.end, "next delivered"})
			if e := b.all[0]; len(tt.bad) > 0 && (e.last.Field != tt.bad[0] || e.request.Summary != tt.bad[0]) {
				t.Errorf("%s: the letter has the request %q and the field %q, want the first refused part", tt.name, e.request.Summary, e.last.Field)
			}
		})
	}
}

func TestAnEventOfWhichAPartWasRefusedIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{judge: func(_ string, m []string) attempt.Result {
			if m[0] == "order" || m[0] == "x" {
				return attempt.Result{Verdict: attempt.Dead, Split: true, Why: "Refused: " + m[0] + ".", Remedy: "Mend it.", Cause: "field", Field: m[0]}
			}
			return attempt.Result{}
		}}
		b := benchOf(&able{script: s, parts: map[string][]string{"order": {"x", "y"}}}, s, nil)
		b.play(t, time.Second, item("ann", "order"))
		var got []string
		for _, step := range b.steps("order") {
			got = append(got, fmt.Sprint(step.Try, " ", step.Outcome, " ", step.Summary, " ", step.Field, " ", step.Reason))
		}
		wantLines(t, "steps", got, []string{
			"1 pending order order Refused: order.", "2 pending x x Refused: x.", "3 pending y  ",
			"0 dead  x Refused: x. The rest of the event was taken.",
		})
	})
}

// The horizon ends an event in parts with all that is known of them.
func TestAnEventInPartsPastTheHorizon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := attempt.Result{Verdict: attempt.Dead, Split: true, Why: "Refused."}
		s := &script{answers: map[string][]attempt.Result{"ann": {dead, {}, dead, {Verdict: attempt.Retry, Why: "Down."}}}}
		b := benchOf(&able{script: s, parts: map[string][]string{"order": {"x", "y", "z"}}}, s, nil)
		h := item("ann", "order")
		h.since = h.since.Add(-Horizon)
		b.play(t, time.Second, h)
		wantLines(t, "ends", b.ends, []string{"order dead: Refused. Not taken within 24 hours. The last try: Down. The rest of the event was taken."})
	})
}

func TestAPartIsRetriedInItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, retry := attempt.Result{Verdict: attempt.Dead, Split: true, Why: "Refused."}, attempt.Result{Verdict: attempt.Retry}
		s := &script{together: 20, answers: map[string][]attempt.Result{"ann": {dead, {}, retry, {Verdict: attempt.Rejoin}, {}}}}
		b := benchOf(&able{script: s, parts: map[string][]string{"order": {"x", "y"}}}, s, nil)
		b.play(t, time.Minute, item("ann", "order"))
		wantLines(t, "requests", s.got, []string{"ann/order at 0s", "ann/x at 0s", "ann/y at 0s", "ann/y at 3s", "ann/y at 3s"})
		wantLines(t, "ends", b.ends, []string{"order delivered"})
	})
}

// What a vendor needs of an event is got once, however often it is tried.
func TestEachEventIsPreparedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{together: 20, answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Retry}, {Verdict: attempt.Retry}}}}
		var asked []string
		b := benchOf(&able{script: s, prepare: func(i integrations.Item) (integrations.Item, string, error) {
			asked = append(asked, i.MessageID)
			if i.MessageID == "forged" {
				return i, "the token is not valid", nil
			}
			i.Payload = []byte(`"` + i.MessageID + `!"`)
			return i, "", nil
		}}, s, nil)
		b.play(t, time.Minute, items("ann", "a forged b")...)
		wantLines(t, "prepared", asked, []string{"a", "forged", "b"})
		wantLines(t, "requests", s.got, []string{"ann/a!+b! at 0s", "ann/a!+b! at 3s", "ann/a!+b! at 13s"})
		wantLines(t, "ends", b.ends, []string{"forged filtered: the token is not valid", "a delivered", "b delivered"})
	})
}

func TestALaneWaitsForWhatCannotBePrepared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := &script{together: 20}
		b := benchOf(&able{script: s, prepare: func(i integrations.Item) (integrations.Item, string, error) {
			if i.MessageID == "b" && time.Since(start) < 2500*time.Millisecond {
				return i, "", errors.New("the keys cannot be fetched")
			}
			return i, "", nil
		}}, s, nil)
		b.play(t, time.Minute, append(items("ann", "a b c"), item("bob", "x"))...)
		slices.Sort(s.got)
		wantLines(t, "requests", s.got, []string{"ann/a at 0s", "ann/b+c at 3s", "bob/x at 0s"})
	})
}

func TestAVendorThatMakesNothingOfAnEventDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		b := benchOf(blank{s}, s, nil)
		b.play(t, time.Second, items("ann", "nothing b")...)
		wantLines(t, "ends", b.ends, []string{"nothing dead: " + nothingBuilt, "b delivered"})
	})
}

// blank forgets an item.
type blank struct{ *script }

func (b blank) Build(v integrations.Visit, items []integrations.Item) integrations.Built {
	if items[0].MessageID == "nothing" {
		return integrations.Built{}
	}
	return b.script.Build(v, items)
}
