package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/attempt"
)

var (
	fine   = attempt.Result{}
	busy   = attempt.Result{Verdict: attempt.Retry, Why: "busy"}
	down   = attempt.Result{Verdict: attempt.Retry, Outage: true, Why: "down"}
	denied = attempt.Result{Verdict: attempt.Hold, Why: "denied"}
)

// The gate is driven by a small script: "down*10@5" are ten outages over five
// visitors, "wait 5s" lets time pass, "enter" asks for a pass, "probe X" answers
// with the one in hand, "late X" with none, "leave" gives it back.
func TestGate(t *testing.T) {
	answers := map[string]attempt.Result{"fine": fine, "busy": busy, "down": down, "denied": denied}
	for _, tt := range []struct {
		name   string
		script string
		want   string // state, then when the next probe goes from the start
	}{
		{"all is well", "fine*100@10", "open"},
		{"twenty outages over five visitors break it", "down*20@5", "broken 5s"},
		{"nineteen do not", "down*19@5", "open"},
		{"four visitors do not", "down*100@4", "open"},
		{"one visitor never does", "down*1000@1", "open"},
		{"one visitor never does, whoever else is served", "fine*10@10 down*100@1", "open"},
		{"half of them are enough", "fine*10@10 down*10@10", "broken 5s"},
		{"less than half are not", "fine*11@10 down*10@10", "open"},
		{"what is refused otherwise is no outage", "busy*100@10", "open"},
		{"outages of long ago do not count", "down*19@5 wait 10s down*1@5", "open"},
		{"outages of nine seconds count", "down*19@5 wait 9s down*1@5", "broken 14s"},
		{"nobody enters while it is broken", "down*20@5 enter", "broken 5s, shut"},
		{"one probe after five seconds", "down*20@5 wait 5s enter enter", "broken 5s, shut"},
		{"the pause doubles", "down*20@5 wait 5s enter probe down", "broken 15s"},
		{"the pause doubles again", "down*20@5 wait 5s enter probe down wait 10s enter probe down", "broken 35s"},
		{"to a minute at most", "down*20@5 " + strings.Repeat("wait 1m enter probe down ", 9), "broken 10m0s"},
		{"a probe that passes opens it", "down*20@5 wait 5s enter probe fine", "open"},
		{"a probe that is no outage opens it", "down*20@5 wait 5s enter probe busy", "open"},
		{"a probe that sent nothing makes room", "down*20@5 wait 5s enter leave enter", "broken 5s, probe 2"},
		{"what was under way changes nothing", "down*20@5 late fine late denied", "broken 5s"},
		{"it counts anew when it opens", "down*20@5 wait 5s enter probe fine down*19@5", "open"},
		{"a wrong setting pauses", "denied*1@1", "paused 5m0s"},
		{"a wrong setting that a probe of the breaker finds pauses", "down*20@5 wait 5s enter probe denied", "paused 5m5s"},
		{"a pause is probed ever less", "denied*1@1 wait 5m enter probe denied", "paused 15m0s"},
		{"an outage at a probe is asked about soon again", "denied*1@1 wait 5m enter probe down", "paused 5m5s"},
		{"and later again", "denied*1@1 wait 5m enter probe down wait 5s enter probe down", "paused 5m15s"},
		{"the pause goes on where it was after an outage", "denied*1@1 wait 5m enter probe down wait 5s enter probe denied", "paused 15m5s"},
		{"a pause ends with a probe that is taken", "denied*1@1 wait 5m enter probe fine", "open"},
		{"a pause ends with a probe that fails otherwise", "denied*1@1 wait 5m enter probe busy", "open"},
		{"a second pause answer under way changes nothing", "denied*1@1 late denied", "paused 5m0s"},
	} {
		g, start := &gate{}, time.Unix(1e9, 0)
		now, in, said := start, pass(0), ""
		words := strings.Fields(tt.script)
		for i := 0; i < len(words); i++ {
			switch w := words[i]; w {
			case "wait":
				i++
				d, err := time.ParseDuration(words[i])
				if err != nil {
					t.Fatal(err)
				}
				now = now.Add(d)
			case "enter":
				p, ok := g.enter(now)
				said = ", shut"
				if ok {
					in, said = p, fmt.Sprintf(", probe %d", p)
				}
			case "leave":
				g.leave(in)
			case "probe", "late":
				i++
				p, r := in, answers[words[i]]
				if w == "late" {
					p = 0
				}
				g.answered(p, "v", &r, now)
				said = ""
			default:
				var kind string
				var n, over int
				if _, err := fmt.Sscanf(strings.NewReplacer("*", " ", "@", " ").Replace(w), "%s %d %d", &kind, &n, &over); err != nil {
					t.Fatal(tt.script, err)
				}
				r := answers[kind]
				for k := range n {
					g.answered(0, fmt.Sprint("v", k%over), &r, now)
				}
			}
		}
		got := []string{"open", "paused", "broken"}[g.state]
		if g.state != gateOpen {
			got += " " + g.next.Sub(start).String()
		}
		if got += said; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A probe of an earlier pause must not open a later one.
func TestAnOldProbeIsNotTheNewOne(t *testing.T) {
	g, now := &gate{}, time.Unix(1e9, 0)
	g.answered(0, "ann", &denied, now)
	old, _ := g.enter(now.Add(5 * time.Minute))
	g.open() // by a person
	g.answered(0, "bob", &denied, now)
	if g.answered(old, "ann", &fine, now); g.state != gatePaused || g.lets(old) {
		t.Errorf("state = %v, want it paused, and the old probe shut out", g.state)
	}
}

func TestTheAnswerIsNotKeptWithTheReason(t *testing.T) {
	g := &gate{}
	g.answered(0, "ann", &attempt.Result{Verdict: attempt.Hold, Why: "denied", Answer: attempt.Answer{Body: "ann@example.com"}}, time.Unix(1e9, 0))
	if g.last.Why != "denied" || g.last.Answer.Body != "" {
		t.Errorf("kept %+v, want the reason without the answer", g.last)
	}
}

// flaky fails for all from one instant to another.
func (s *script) flaky(from, to time.Duration) {
	s.judge = func(string, []string) attempt.Result {
		if at := time.Since(s.start); at >= from && at < to {
			return down
		}
		return fine
	}
}

func TestNothingIsConsumedWhileTheVendorIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.flaky(0, time.Minute)
		b := newBench(s, func(o *laneOptions) { o.perSecond, o.concurrency = 10, 8 })
		b.play(t, 50*time.Second, visitors(1000)...)
		var probes []string
		for _, q := range s.got {
			probes = append(probes, q[strings.LastIndex(q, " ")+1:])
		}
		// 10 at once and 10 within a second, and then three probes. Those that
		// wait for the rate when it breaks stay.
		if n := len(probes); n != 23 {
			t.Errorf("%d requests to a vendor that is down: %q", n, probes)
		}
		if st := b.status(time.Now()); !st.Holding || st.Paused || st.Reason != "down" || st.NextProbe.IsZero() || st.Waiting != 1000 {
			t.Errorf("status = %+v, want it holding with its reason", st)
		}
		wantLines(t, "ends", b.ends, nil)
	})
}

// After an outage of hours everything goes at once: nothing waits for the hour
// that its own schedule has come to.
func TestALongOutageDrainsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.flaky(0, 6*time.Hour)
		b := newBench(s, nil)
		b.play(t, 6*time.Hour+time.Minute+time.Second, visitors(30)...)
		if len(b.ends) != 30 {
			t.Errorf("%d of 30 delivered within a minute after the outage", len(b.ends))
		}
		if n := len(s.got); n > 450 {
			t.Errorf("%d requests in six hours of outage, want about one probe a minute", n)
		}
	})
}

// Lanes that rest because of an outage are probes when no other is there.
func TestARestingLaneIsTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.flaky(0, 3*time.Minute)
		b := newBench(s, func(o *laneOptions) { o.concurrency = 64 })
		b.play(t, 10*time.Minute, visitors(20)...)
		var probes []string
		for _, q := range s.got[20:] {
			probes = append(probes, q[strings.LastIndex(q, " ")+1:])
		}
		wantLines(t, "probes", probes[:6], []string{"5s", "15s", "35s", "1m15s", "2m15s", "3m15s"})
		if len(b.ends) != 20 {
			t.Errorf("%d of 20 delivered", len(b.ends))
		}
	})
}

// What the vendor asked for is kept though it is back sooner.
func TestRetryAfterOutlastsTheOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{judge: func(v string, _ []string) attempt.Result { return down }}
		b := newBench(s, func(o *laneOptions) { o.concurrency = 64 })
		s.judge = func(v string, _ []string) attempt.Result {
			r := down
			if time.Since(s.start) >= time.Second {
				return fine
			}
			if v == "v3" {
				r.RetryAfter = time.Minute
			}
			return r
		}
		b.play(t, 2*time.Minute, visitors(20)...)
		for _, q := range s.got[20:] {
			if late := strings.HasSuffix(q, " at 1m0s"); late != strings.HasPrefix(q, "v3/") {
				t.Errorf("%q: v3 was asked to come after a minute, the others were not", q)
			}
		}
		if len(b.ends) != 20 {
			t.Errorf("%d of 20 delivered", len(b.ends))
		}
	})
}

// One that the vendor asked to wait is no probe before that, though no other
// lane is there.
func TestAProbeWaitsAsLongAsTheVendorAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{judge: func(string, []string) attempt.Result {
			r := down
			r.RetryAfter = time.Minute
			return r
		}}
		b := newBench(s, func(o *laneOptions) { o.concurrency = 64 })
		b.play(t, 59*time.Second, visitors(20)...)
		if len(s.got) != 20 {
			t.Errorf("requests within the minute: %q", s.got[20:])
		}
	})
}

func TestOneVisitorNeverStopsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{judge: func(v string, _ []string) attempt.Result {
			if v == "ann" {
				return down
			}
			return fine
		}}
		b := newBench(s, nil)
		for i := range 60 {
			time.AfterFunc(time.Duration(i)*time.Second, func() { b.add(item(fmt.Sprint("v", i), "m")) })
		}
		b.play(t, 2*time.Minute, items("ann", "a b c")...)
		if b.status(time.Now()).Holding || len(b.ends) != 60 {
			t.Errorf("%d of 60 delivered, holding %t", len(b.ends), b.status(time.Now()).Holding)
		}
	})
}

func TestThePauseOfOutagesEndsWithAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.judge = func(v string, _ []string) attempt.Result {
			switch at := time.Since(s.start); {
			case v == "ann" && at < time.Hour:
				return down
			case v == "bob" && at < 2*time.Hour:
				return denied
			}
			return fine
		}
		b := newBench(s, nil)
		time.AfterFunc(50*time.Minute, func() { b.add(item("bob", "b")) })
		time.AfterFunc(130*time.Minute, b.resume)
		b.play(t, 131*time.Minute, item("ann", "a"))
		// ann's own schedule has 10 pauses behind it and would go on at 2h4m.
		slices.Sort(b.ends) // visitors do not wait for each other
		wantLines(t, "ends", b.ends, []string{"a delivered", "b delivered"})
	})
}

func TestAPauseIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := &script{answers: map[string][]attempt.Result{"ann": {
			{Verdict: attempt.Hold, Why: "Unknown account.", Remedy: "Look at the account.", Cause: "unknown_account", Fix: attempt.FixDomain, Field: "f", Status: 404, Code: 18},
			{Verdict: attempt.Hold, Why: "Unknown account."},
		}}}
		a := &able{script: s, checks: func(ctx context.Context) []attempt.Check {
			at, ok := ctx.Deadline()
			if !ok || time.Until(at) != 10*time.Second {
				t.Errorf("Diagnose has until %s, want 10 s", at)
			}
			return []attempt.Check{{What: "domain", Wrong: true, Say: "The domain is another."}, {What: "account", Right: true, Say: "The account is right."}}
		}}
		b := benchOf(a, s, func(o *laneOptions) { o.log = logTo(&log) })
		b.play(t, 4*time.Minute, item("ann", "a"))
		st := b.status(time.Now())
		if !st.Paused || st.Holding || st.Cause != "unknown_account" || st.Fix != attempt.FixDomain || st.Field != "f" || st.Status != 404 || st.Code != 18 || len(st.Checks) != 2 {
			t.Errorf("status = %+v, want the pause with its checks", st)
		}
		if got := log.String(); !strings.Contains(got, "The domain is another.") || strings.Contains(got, "The account is right.") {
			t.Errorf("log = %s, want what is wrong and nothing else", got)
		}
		if steps := b.steps("a"); len(steps) != 1 || !strings.Contains(string(steps[0].Checks), "The account is right.") || steps[0].Try != 1 {
			t.Errorf("steps = %+v, want one with the checks", steps)
		}
	})
}

func TestEachFailingProbeIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: map[string][]attempt.Result{"ann": slices.Repeat([]attempt.Result{denied}, 3)}}
		a := &able{script: s}
		b := benchOf(a, s, nil)
		b.play(t, time.Hour, item("ann", "a"))
		if a.asked != 3 {
			t.Errorf("Diagnose was asked %d times, want 3: for the pause and two probes", a.asked)
		}
	})
}

// A search for causes that hangs neither holds the lock nor the end.
func TestADiagnosisHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: map[string][]attempt.Result{"ann": {denied}}}
		a := &able{script: s, checks: func(ctx context.Context) []attempt.Check { <-ctx.Done(); return nil }}
		b := benchOf(a, s, nil)
		start := time.Now()
		b.play(t, 2*time.Second, item("ann", "a"))
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("stopping took until %s, want 2 s", took)
		}
		if st := b.status(time.Now()); !st.Paused {
			t.Errorf("status = %+v, want it paused", st)
		}
	})
}
