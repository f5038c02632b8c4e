package delivery

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/trace"
)

// whims are what a vendor answers, in any order.
var whims = []attempt.Result{
	{}, {}, {},
	{Verdict: attempt.Retry}, {Verdict: attempt.Retry, Outage: true}, {Verdict: attempt.Retry, Slow: true, RetryAfter: time.Minute},
	{Verdict: attempt.Retry, IDs: attempt.IDs{Visitor: "V"}}, {Verdict: attempt.Rejoin},
	{Verdict: attempt.Reform}, {Verdict: attempt.Reform, Form: "x"}, {Verdict: attempt.Hold},
	{Verdict: attempt.Dead, Why: "Refused."}, {Verdict: attempt.Dead, Split: true, Why: "Refused."}, {Verdict: attempt.Dead, Split: true, Why: "Refused."},
}

// A fate is what is drawn for one run.
type fate struct {
	visitors    int
	items       [][]string // by visitor; the words of a name say what happens to it
	gaps        []int      // minutes before each item
	ages        []int      // hours that each item is old when it comes
	whims       [][]int    // by visitor, of its requests
	together    int
	concurrency int
	settling    time.Duration // until an end is durable
}

func drawFate(rt *rapid.T) *fate {
	f := &fate{
		visitors: rapid.IntRange(1, 8).Draw(rt, "visitors"), together: rapid.SampledFrom([]int{1, 2, 5, 20}).Draw(rt, "together"),
		concurrency: rapid.IntRange(1, 6).Draw(rt, "concurrency"),
		settling:    time.Duration(rapid.SampledFrom([]int{0, 1, 1000}).Draw(rt, "settling ms")) * time.Millisecond,
	}
	kinds := rapid.SampledFrom([]string{"", "", "", "", "refuse", "carry", "parts", "forged"})
	for range f.visitors {
		n := rapid.IntRange(1, 40).Draw(rt, "items")
		var names []string
		for i := range n {
			names = append(names, strings.TrimSpace(fmt.Sprintf("%d %s", i, kinds.Draw(rt, "kind"))))
		}
		f.items = append(f.items, names)
		f.whims = append(f.whims, rapid.SliceOfN(rapid.IntRange(0, len(whims)-1), 0, 60).Draw(rt, "whims"))
	}
	f.gaps = rapid.SliceOfN(rapid.SampledFrom([]int{0, 0, 0, 0, 1, 90}), 320, 320).Draw(rt, "gaps")
	f.ages = rapid.SliceOfN(rapid.SampledFrom([]int{0, 0, 0, 1, 23, 25}), 320, 320).Draw(rt, "ages")
	return f
}

// Whatever a vendor answers: each item ends once, what the vendor took it took
// once and in order, and what ended as delivered is what it took.
func TestNothingIsLostDoubledOrReordered(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFate(rt)
		var faults []string
		synctest.Test(t, func(t *testing.T) { faults = f.run(t) })
		if len(faults) > 0 {
			rt.Fatal(strings.Join(faults, "\n"))
		}
	})
}

func (f *fate) run(t *testing.T) []string {
	taken := map[string][]string{}
	s := &script{together: f.together, takes: 10 * time.Millisecond, refuse: map[string]string{}, carry: map[string]bool{}}
	a := &able{script: s, parts: map[string][]string{}}
	a.prepare = forged
	n := 0
	s.judge = func(visitor string, messages []string) attempt.Result {
		v, _ := strconv.Atoi(visitor)
		r := attempt.Result{}
		if left := f.whims[v]; len(left) > 0 {
			r, f.whims[v] = whims[left[0]], left[1:]
		}
		if r.Verdict == attempt.Delivered {
			for _, m := range messages {
				taken[visitor] = append(taken[visitor], strings.TrimPrefix(m, "x:"))
			}
		}
		return r
	}
	b := benchOf(a, s, func(o *laneOptions) { o.concurrency, o.perSecond = f.concurrency, 100 })
	b.opts.settle = func(u unit) {
		time.AfterFunc(f.settling, func() {
			b.ended(u)
			b.settled([]unit{u})
		})
	}
	var all []*held
	at := time.Duration(0)
	for v, names := range f.items {
		for _, name := range names {
			m := fmt.Sprint(v, ".", name)
			switch {
			case strings.HasSuffix(name, "refuse"):
				s.refuse[m] = "no"
			case strings.HasSuffix(name, "carry"):
				s.carry[m] = true
			case strings.HasSuffix(name, "parts"):
				a.parts[m] = []string{m + "/1", m + "/2", m + "/3"}
			}
			h := item(fmt.Sprint(v), m)
			h.Traced = false
			at += time.Duration(f.gaps[n]) * time.Minute
			h.since = h.since.Add(at - time.Duration(f.ages[n])*time.Hour)
			n++
			all = append(all, h)
		}
	}
	go func() {
		for i, h := range all {
			time.Sleep(time.Duration(f.gaps[i]) * time.Minute)
			b.add(h)
		}
	}()
	b.play(t, 240*time.Hour+at)
	return f.judge(b, taken)
}

// judge looks at how it all came out.
func (f *fate) judge(b *bench, taken map[string][]string) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	ends := map[string]trace.Outcome{}
	order := map[string][]string{}
	for _, e := range b.all {
		if was, twice := ends[e.item.MessageID]; twice {
			fault("%s ended twice, %s and %s", e.item.MessageID, was, e.result)
		}
		ends[e.item.MessageID] = e.result
		if e.result == trace.Delivered || e.result == trace.Carried {
			order[e.item.AnonymousID] = append(order[e.item.AnonymousID], e.item.MessageID)
		}
	}
	for v, names := range f.items {
		visitor := fmt.Sprint(v)
		for _, name := range names {
			m := fmt.Sprint(v, ".", name)
			end, ended := ends[m]
			got := slices.Contains(taken[visitor], m) || slices.Contains(taken[visitor], m+"/1") && slices.Contains(taken[visitor], m+"/2") && slices.Contains(taken[visitor], m+"/3")
			switch {
			case !ended:
				fault("%s is lost", m)
			case got != (end == trace.Delivered):
				fault("%s ended as %s, and the vendor took it: %t", m, end, got)
			}
		}
		if !slices.IsSortedFunc(taken[visitor], byPlace) {
			fault("visitor %s was sent out of order, or twice: %q", visitor, taken[visitor])
		}
		if !slices.IsSortedFunc(order[visitor], byPlace) {
			fault("the items of visitor %s ended out of order: %q", visitor, order[visitor])
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lanes.held != 0 || len(b.byID) != 0 || b.outages.Len() != 0 || b.ready.Len() != 0 {
		fault("%d items, %d lanes, %d in an outage and %d ready are left", b.lanes.held, len(b.byID), b.outages.Len(), b.ready.Len())
	}
	return faults
}

// byPlace orders "0.7" and the parts "0.7/1" of it; the same twice is out of
// order.
func byPlace(a, b string) int {
	number := func(s string) (n, part int) {
		_, s, _ = strings.Cut(s, ".")
		s, p, _ := strings.Cut(s, "/")
		n, _ = strconv.Atoi(strings.Fields(s)[0])
		part, _ = strconv.Atoi(p)
		return n, part
	}
	na, pa := number(a)
	nb, pb := number(b)
	if na != nb {
		return na - nb
	}
	if pa == pb {
		return 1
	}
	return pa - pb
}
