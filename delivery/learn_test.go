package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/store"
)

func (d *depot) learned() string {
	d.t.Helper()
	v, _, err := d.store.Meta(d.t.Context(), "learned/shop/x")
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

func TestWhatWasLearnedSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	d := openDepot(t, dir)
	d.hand(order(1, "ann", "a1"))
	a := &able{script: &script{}}
	a.judge = func(string, []string) attempt.Result {
		a.version++
		a.state = `{"form":"other"}`
		return attempt.Result{}
	}
	d.deliverBy(a, a.script, nil, d.settled(1))
	if got := d.learned(); got != `{"form":"other"}` || len(a.restored) > 0 {
		t.Errorf("the store has %q, restored %q, want what was learned and nothing before it", got, a.restored)
	}
	d.shut()

	d = openDepot(t, dir)
	d.hand(order(2, "ann", "a2"))
	again := &able{script: &script{}}
	again.judge = func(string, []string) attempt.Result {
		if again.state != `{"form":"other"}` {
			t.Errorf("it sends with the state %q, want that of before", again.state)
		}
		return attempt.Result{}
	}
	d.deliverBy(again, again.script, nil, func(c *Courier) bool {
		return d.settled(2)(c) && c.Status().Learned[0].Value == `{"form":"other"}` && len(c.Status().Warnings) == 1
	})
	wantLines(t, "restored", again.restored, []string{`{"form":"other"}`})
}

func TestWhatIsForgottenIsForgottenInTheStore(t *testing.T) {
	d := openDepot(t, t.TempDir())
	if err := d.store.SetMeta(t.Context(), "learned/shop/x", "known"); err != nil {
		t.Fatal(err)
	}
	a := &able{script: &script{}}
	d.deliverBy(a, a.script, nil, func(c *Courier) bool {
		if !a.forgot && c.Status().Learned[0].Value == "known" {
			c.Forget()
		}
		return d.learned() == ""
	})
}

// What an earlier version wrote must not stop delivery.
func TestAStateThatCannotBeReadIsLearnedAnew(t *testing.T) {
	d := openDepot(t, t.TempDir())
	if err := d.store.SetMeta(t.Context(), "learned/shop/x", "rubbish"); err != nil {
		t.Fatal(err)
	}
	d.hand(order(1, "ann", "a1"))
	var log strings.Builder
	a := &able{script: &script{}, badState: true}
	d.deliverBy(a, a.script, func(o *Options) { o.Log = logTo(&log) }, d.settled(1))
	if !strings.Contains(log.String(), "learned anew") {
		t.Errorf("log = %s, want it to say so", log.String())
	}
}

func TestForgettingWithoutAnythingToLearn(t *testing.T) {
	New(Options{Connection: &script{}, Log: slog.New(slog.DiscardHandler)}).Forget()
}

func TestAConnectionIsTendedAsLongAsTheCourierRuns(t *testing.T) {
	d := openDepot(t, t.TempDir())
	a := &able{script: &script{}, tended: make(chan bool, 1)}
	d.deliverBy(a, a.script, nil, func(*Courier) bool { return len(a.tended) == 1 })
	<-a.tended
	if _, open := <-a.tended; open {
		t.Error("Tend goes on after the courier ended")
	}
}

// A crash must not find a report that ended in part.
func TestTheEndsOfAReportStandInOneFrame(t *testing.T) {
	d := openDepot(t, t.TempDir())
	const visitors, each = 300, 20
	for v := range visitors {
		var all []integrations.Item
		for i := range each {
			all = append(all, order(uint64(v*each+i+1), fmt.Sprint("v", v), fmt.Sprint(i)))
		}
		d.hand(all...)
	}
	s := &script{together: 20}
	report := map[string]int{} // of each event, by visitor and name
	n := 0
	s.judge = func(visitor string, m []string) attempt.Result { // under the script's lock
		n++
		for _, name := range m {
			report[visitor+"/"+name] = n
		}
		return attempt.Result{}
	}
	d.deliver(s, d.settled(visitors*each))
	frames := map[int]uint64{} // by report
	err := d.ledger.Each(t.Context(), 1, func(f journal.Frame) error {
		for _, raw := range f.Items {
			e, err := ledger.Parse(raw)
			if err != nil {
				return err
			}
			of := report[fmt.Sprintf("v%d/%d", (e.Place.Seq-1)/each, (e.Place.Seq-1)%each)]
			if at, ok := frames[of]; ok && at != f.Seq {
				t.Errorf("the ends of report %d stand in the frames %d and %d", of, at, f.Seq)
			}
			frames[of] = f.Seq
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n > visitors*each/2 {
		t.Errorf("%d reports of %d events, want far fewer", n, visitors*each)
	}
}

func TestAFrameIsFullAtAReportsEnd(t *testing.T) {
	c := New(Options{Connection: &script{}})
	long := strings.Repeat("x", 100_000)
	for range 100 {
		c.settler.settle(unit{ends: make([]end, 60)})
	}
	for range 30 {
		c.settler.settle(unit{ends: []end{{reason: long}}})
	}
	c.settler.close()
	var sizes []int
	for u := range c.settler.units {
		n := 0
		for _, u := range c.settler.gather(u) {
			n += len(u.ends)
		}
		sizes = append(sizes, n)
	}
	// 69 reports of 60 are the first to reach 4,096 ends; 21 long reasons are
	// the first to reach 2 MiB with the 31 reports before them.
	if len(sizes) != 3 || sizes[0] != 69*60 || sizes[0]+sizes[1]+sizes[2] != 100*60+30 || sizes[1] <= 31*60 || sizes[2] == 0 {
		t.Errorf("frames of %d ends, want them cut where 4,096 ends or 2 MiB are reached", sizes)
	}
}

// What is cut off under way is sent again, and nothing that was taken.
func TestARestartRepeatsTheReportUnderWayAlone(t *testing.T) {
	dir := t.TempDir()
	d := openDepot(t, dir)
	var all []integrations.Item
	for i := range 50 {
		all = append(all, order(uint64(i+1), "ann", fmt.Sprint(i+1)))
	}
	d.hand(all...)
	first := &script{together: 20}
	cut := &cutOff{script: first, after: 1, under: make(chan bool)}
	d.deliverBy(cut, first, func(o *Options) { o.Grace = time.Millisecond }, func(c *Courier) bool {
		select {
		case <-cut.under:
			return d.settled(20)(c)
		default:
			return false
		}
	})
	d.shut()

	d = openDepot(t, dir)
	second := &script{together: 20}
	d.deliver(second, d.settled(50))
	wantLines(t, "sent after the restart", second.got, []string{
		"ann/21+22+23+24+25+26+27+28+29+30+31+32+33+34+35+36+37+38+39+40 at 0s", "ann/41+42+43+44+45+46+47+48+49+50 at 0s",
	})
	if n := len(slices.Compact(d.ended())); n != 50 {
		t.Errorf("%d ends, want 50", n)
	}
}

// cutOff answers some requests, and then none until it is cut off.
type cutOff struct {
	*script
	after int
	under chan bool
}

func (c *cutOff) Send(ctx context.Context, r integrations.Request) attempt.Result {
	if c.after--; c.after >= 0 {
		return c.script.Send(ctx, r)
	}
	close(c.under)
	<-ctx.Done()
	return attempt.Result{Verdict: attempt.Dead, Why: "The request was cut off."}
}

func TestADeadLetterIsExplained(t *testing.T) {
	d := openDepot(t, t.TempDir())
	d.hand(order(1, "ann", "a1"), order(2, "ann", "a2"))
	d.deliver(&script{together: 2, answers: map[string][]attempt.Result{"ann": {{
		Verdict: attempt.Dead, Why: "Refused.", Cause: "bad_field", Fix: attempt.FixMapping, Field: "lead.value", Checks: []attempt.Check{{What: "field", Wrong: true, Say: "It is no number."}},
	}}}}, d.settled(2))
	letters, _, err := d.store.DeadLetters(t.Context(), store.DeadFilter{})
	if err != nil || len(letters) != 2 {
		t.Fatal(letters, err)
	}
	for _, l := range letters {
		if l.Cause != "bad_field" || l.Fix != "mapping" || l.Field != "lead.value" || string(l.Checks) != `[{"what":"field","wrong":true,"say":"It is no number."}]` {
			t.Errorf("letter = %+v", l)
		}
	}
}

func TestRefusedIdsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	d := openDepot(t, dir)
	d.hand(order(1, "ann", "a1"))
	d.deliver(&script{ids: attempt.IDs{Visitor: "PAGE"}, answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Rejoin}}}}, d.settled(1))
	d.shut()

	d = openDepot(t, dir)
	d.hand(order(2, "ann", "a2"))
	s := &script{}
	d.deliver(s, d.settled(2))
	if got := s.visits[0].Refused.Visitor; got != "PAGE" {
		t.Errorf("built with Refused %q, want PAGE", got)
	}
}
