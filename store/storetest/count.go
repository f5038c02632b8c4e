package storetest

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/datafly/signal/store"
)

// count gives n events of the tests' integration in their first minute.
func count(outcome, reason string, n int64) store.Count {
	return store.Count{Pipeline: "shop", Integration: "shop/lp", Outcome: outcome, Reason: reason, Minute: began, N: n}
}

func accepted(pipeline string, minute time.Time, n int64) store.Accepted {
	return store.Accepted{Pipeline: pipeline, Minute: minute, N: n}
}

func gateway(pipeline, kind, reason string, n int64) store.GatewayCount {
	return store.GatewayCount{Pipeline: pipeline, Kind: kind, Reason: reason, Minute: began, N: n}
}

func at(c store.Count, after time.Duration) store.Count {
	c.Minute = began.Add(after)
	return c
}

var countTests = []test{
	{"totals and sequences come with the batch", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		other := count("delivered", "", 2)
		other.Integration, other.Pipeline = "blog/hook", "blog"
		nobody := count("filtered", "bot: a headless browser", 1)
		nobody.Integration = ""
		must(t, s.ApplyCounts(ctx, store.CountBatch{
			Ledger: 5, Events: 9,
			Counts: []store.Count{
				count("pending", "", 10), count("pending", "", -6), count("delivered", "", 3), count("carried", "", 1),
				count("dead", "refused", 2), count("filtered", "no consent", 4), other, nobody,
			},
			Accepted: []store.Accepted{accepted("shop", began, 15), accepted("blog", began, 2)},
		}))
		must(t, s.AddGateway(ctx, []store.GatewayCount{
			gateway("shop", store.Duplicate, "", 3), gateway("shop", store.Rejected, "INVALID_EVENT", 2), gateway("", store.Rejected, "INVALID_PIPELINE_KEY", 1),
		}))
		ledger, events, err := s.CountCursor(ctx)
		if must(t, err); ledger != 5 || events != 9 {
			t.Errorf("cursor = %d, %d, want 5, 9", ledger, events)
		}
		all := store.Totals{Accepted: 17, Routed: 17, Delivered: 5, Carried: 1, Filtered: 5, Dead: 2, Pending: 4, Duplicates: 3, Rejected: 3}
		hour := store.OverviewFilter{From: began, To: began.Add(time.Hour)}
		for name, f := range map[string]store.OverviewFilter{"everything": {}, "the hour": hour} {
			if o := get(s.Overview(ctx, f))(t); o.Totals != all {
				t.Errorf("%s:\n got %+v\nwant %+v", name, o.Totals, all)
			}
		}
		o := get(s.Overview(ctx, store.OverviewFilter{}))(t)
		lp := store.IntegrationTotals{Pipeline: "shop", Integration: "shop/lp",
			Totals: store.Totals{Routed: 14, Delivered: 3, Carried: 1, Filtered: 4, Dead: 2, Pending: 4}}
		hook := store.IntegrationTotals{Pipeline: "blog", Integration: "blog/hook", Totals: store.Totals{Routed: 2, Delivered: 2}}
		if !reflect.DeepEqual(o.Integrations, []store.IntegrationTotals{hook, lp}) {
			t.Errorf("integrations:\n got %+v\nwant %+v", o.Integrations, []store.IntegrationTotals{hook, lp})
		}
		if got := o.Filtered[0]; got.Reason != "no consent" || got.N != 4 || len(o.Filtered) != 2 {
			t.Errorf("filtered reasons = %+v, want no consent first", o.Filtered)
		}
		if len(o.Dead) != 1 || len(o.Rejected) != 2 {
			t.Errorf("dead %+v, rejected %+v, want 1 and 2 reasons", o.Dead, o.Rejected)
		}
		blog := get(s.Overview(ctx, store.OverviewFilter{Pipeline: "blog"}))(t)
		if want := (store.Totals{Accepted: 2, Routed: 2, Delivered: 2}); blog.Totals != want {
			t.Errorf("blog = %+v, want %+v", blog.Totals, want)
		}
		one := get(s.Overview(ctx, store.OverviewFilter{Integration: "shop/lp"}))(t)
		if one.Totals != lp.Totals {
			t.Errorf("one integration = %+v, want %+v", one.Totals, lp.Totals)
		}
	}},
	{"a batch that was applied adds nothing the second time", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		for _, tt := range []struct {
			ledger, events uint64
			want           int64
		}{{5, 5, 1}, {5, 5, 1}, {5, 0, 1}, {4, 5, 1}, {6, 0, 2}, {0, 6, 3}, {0, 6, 3}} {
			must(t, s.ApplyCounts(ctx, store.CountBatch{Ledger: tt.ledger, Events: tt.events, Counts: []store.Count{count("delivered", "", 1)}}))
			if o := get(s.Overview(ctx, store.OverviewFilter{}))(t); o.Delivered != tt.want {
				t.Fatalf("after %d, %d: delivered %d, want %d", tt.ledger, tt.events, o.Delivered, tt.want)
			}
		}
		if ledger, events, _ := s.CountCursor(ctx); ledger != 6 || events != 6 {
			t.Errorf("cursor = %d, %d, want 6, 6", ledger, events)
		}
	}},
	{"a batch that is cancelled in the middle leaves nothing", func(t *testing.T, open Opener) {
		s := opened(t, open)
		batch := func(n uint64) store.CountBatch {
			b := store.CountBatch{Ledger: n, Events: n, Accepted: []store.Accepted{accepted("shop", began, 300)}}
			for i := range 300 {
				c := at(count("delivered", "", 1), time.Duration(i)*20*time.Second)
				c.Took[i%store.TookBuckets]++
				b.Counts = append(b.Counts, c)
			}
			return b
		}
		done := uint64(0)
		for n := range cancellations {
			if done == 2 {
				return
			}
			ctx := newCountdown(t.Context(), n)
			err := s.ApplyCounts(ctx, batch(done+1))
			ctx.cancel()
			ledger, events, cursorErr := s.CountCursor(t.Context())
			must(t, cursorErr)
			if ledger != events || ledger > done+1 || err == nil && ledger != done+1 {
				t.Fatalf("ended at %d: error %v, cursor %d, %d after %d", n, err, ledger, events, done)
			}
			done = ledger
			for name, f := range map[string]store.OverviewFilter{"totals": {}, "series": {From: began.Add(-time.Hour), To: began.Add(9 * time.Hour)}} {
				o := get(s.Overview(t.Context(), f))(t)
				if want := int64(300 * done); o.Accepted != want || o.Delivered != want {
					t.Fatalf("ended at %d: %s have accepted %d, delivered %d, want %d", n, name, o.Accepted, o.Delivered, want)
				}
			}
		}
		t.Errorf("%d batches were applied, want 2", done)
	}},
	{"batches of many goroutines add up", func(t *testing.T, open Opener) {
		s := opened(t, open)
		many(8, func(i int) {
			for range 10 {
				if err := s.AddGateway(t.Context(), []store.GatewayCount{gateway("shop", store.Rejected, "X", 1)}); err != nil {
					t.Error(err)
				}
			}
		})
		if o := get(s.Overview(t.Context(), store.OverviewFilter{}))(t); o.Totals.Rejected != 80 {
			t.Errorf("rejected = %d, want 80", o.Totals.Rejected)
		}
	}},
	{"a dead letter that is replayed is pending again", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		must(t, s.ApplyCounts(ctx, store.CountBatch{Ledger: 1, Counts: []store.Count{count("pending", "", 1)}}))
		must(t, s.ApplyCounts(ctx, store.CountBatch{Ledger: 2, Counts: []store.Count{count("pending", "", -1), count("dead", "x", 1)}}))
		must(t, s.ApplyCounts(ctx, store.CountBatch{Ledger: 3, Counts: []store.Count{count("dead", "x", -1), count("pending", "", 1)}}))
		o := get(s.Overview(ctx, store.OverviewFilter{}))(t)
		if want := (store.Totals{Routed: 1, Pending: 1}); o.Totals != want {
			t.Errorf("totals = %+v, want %+v", o.Totals, want)
		}
		if len(o.Dead) != 0 {
			t.Errorf("dead reasons = %+v, want none", o.Dead)
		}
	}},
	{"a range counts what was in it, pending counts what waits now", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		must(t, s.ApplyCounts(ctx, store.CountBatch{Ledger: 1, Counts: []store.Count{
			at(count("pending", "", 5), 0), at(count("delivered", "", 2), 10*time.Minute), at(count("pending", "", -2), 10*time.Minute),
			at(count("delivered", "", 1), 61*time.Minute), at(count("pending", "", -1), 61*time.Minute),
			at(count("delivered", "", 100), -40*24*time.Hour), at(count("delivered", "", 7), -50*time.Hour),
		}}))
		for _, tt := range []struct {
			name     string
			from, to time.Duration
			want     store.Totals
		}{
			{"the first hour", 0, time.Hour, store.Totals{Routed: 5, Delivered: 2, Pending: 2}},
			{"a minute in the middle", 10 * time.Minute, 11 * time.Minute, store.Totals{Delivered: 2, Pending: 2}},
			{"an empty minute", 11 * time.Minute, 12 * time.Minute, store.Totals{Pending: 2}},
			{"from the middle of an hour to that of the next", 5 * time.Minute, 62 * time.Minute, store.Totals{Delivered: 3, Pending: 2}},
			{"three days", -70 * time.Hour, 2 * time.Hour, store.Totals{Routed: 12, Delivered: 10, Pending: 2}},
			{"to the end of the old hour", -70 * time.Hour, -49 * time.Hour, store.Totals{Routed: 7, Delivered: 7, Pending: 2}},
		} {
			o := get(s.Overview(ctx, store.OverviewFilter{From: began.Add(tt.from), To: began.Add(tt.to)}))(t)
			if o.Totals != tt.want {
				t.Errorf("%s:\n got %+v\nwant %+v", tt.name, o.Totals, tt.want)
			}
		}
	}},
	{"reasons from outside cannot fill the disk", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		for n := range 3 {
			b := store.CountBatch{Ledger: uint64(n + 1)}
			for i := range 150 {
				b.Counts = append(b.Counts, count("filtered", fmt.Sprintf("no rule for %d-%d %0300d", n, i, 0), 1))
			}
			must(t, s.ApplyCounts(ctx, b))
		}
		history := get(s.CountHistory(ctx, store.OverviewFilter{}))(t)
		var n int64
		for _, c := range history {
			if n += c.N; len([]rune(c.Reason)) > 210 {
				t.Errorf("a reason has %d characters", len([]rune(c.Reason)))
			}
		}
		if n != 450 || len(history) > 201 {
			t.Errorf("%d events in %d rows, want 450 in at most 201", n, len(history))
		}
		o := get(s.Overview(ctx, store.OverviewFilter{}))(t)
		if o.Totals.Filtered != 450 || o.Filtered[0].Reason != "other reasons" || o.Filtered[0].N != 250 {
			t.Errorf("filtered %d, commonest %+v, want 450 and 250 other reasons", o.Totals.Filtered, o.Filtered[0])
		}
	}},
	{"a series has a point for each step, latency from the histogram", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		fast := count("delivered", "", 90)
		fast.Took[store.TookBucket(80*time.Millisecond)] = 90
		slow := count("delivered", "", 10)
		slow.Took[store.TookBucket(5*time.Second)] = 10
		must(t, s.ApplyCounts(ctx, store.CountBatch{Ledger: 1, Counts: []store.Count{fast, slow, at(fast, 31*time.Minute), count("filtered", "x", 9)},
			Accepted: []store.Accepted{accepted("shop", began.Add(59*time.Minute+59*time.Second), 6), accepted("shop", began.Add(time.Hour), 1000)}}))
		series := get(s.Series(ctx, store.OverviewFilter{From: began, To: began.Add(time.Hour)}, 20))(t)
		if series.Step != 3*time.Minute || len(series.Points) != 20 || !series.Points[0].At.Equal(began) {
			t.Fatalf("step %v, %d points from %v, want 3 min, 20, %v", series.Step, len(series.Points), series.Points[0].At, began)
		}
		first, last := series.Points[0], series.Points[19]
		if first.Delivered != 100 || series.Points[10].Delivered != 90 || last.Accepted != 6 {
			t.Errorf("points = %+v", series.Points)
		}
		if r := first.Median.Seconds() / 0.080; r < 0.7 || r > 1.42 {
			t.Errorf("median = %v, want about 80 ms", first.Median)
		}
		if r := first.P95.Seconds() / 5; r < 0.7 || r > 1.42 {
			t.Errorf("95 %% = %v, want about 5 s", first.P95)
		}
		if empty := series.Points[5]; empty != (store.Point{At: empty.At}) {
			t.Errorf("an empty step = %+v", empty)
		}
	}},
	{"nothing of a range is left out where its steps are few", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		must(t, s.ApplyCounts(ctx, store.CountBatch{Ledger: 1, Counts: []store.Count{count("delivered", "", 7)}}))
		// Ranges that begin at every minute before: some meet a round time inside.
		for back := 1; back <= 30; back++ {
			series := get(s.Series(ctx, store.OverviewFilter{From: began.Add(-time.Duration(back) * time.Minute), To: began.Add(time.Minute)}, 1))(t)
			if len(series.Points) != 1 || series.Points[0].Delivered != 7 {
				t.Errorf("%d min in 1 step: %+v, want 7 delivered", back+1, series.Points)
			}
		}
	}},
	{"a series of every range and number of steps fits", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		must(t, s.ApplyCounts(ctx, store.CountBatch{Ledger: 1, Counts: []store.Count{count("delivered", "", 7)}}))
		for _, back := range []time.Duration{time.Second, 10 * time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 40 * 24 * time.Hour} {
			for _, n := range []int{-1, 1, 7, 60, 1440, math.MaxInt} {
				series := get(s.Series(ctx, store.OverviewFilter{From: began.Add(90 * time.Second).Add(-back), To: began.Add(90 * time.Second)}, n))(t)
				var sum int64
				for _, p := range series.Points {
					sum += p.Delivered
				}
				if len(series.Points) > max(n, 1) || len(series.Points) == 0 {
					t.Errorf("%v in %d: %d points", back, n, len(series.Points))
				}
				if want := int64(7); back >= 10*time.Minute && sum != want {
					t.Errorf("%v in %d steps of %v: delivered %d, want %d", back, n, series.Step, sum, want)
				}
			}
		}
		if series := get(s.Series(ctx, store.OverviewFilter{}, 60))(t); len(series.Points) == 0 || len(series.Points) > 60 {
			t.Errorf("without a range: %d points, want up to 60", len(series.Points))
		}
	}},
	{"minutes and hours go when charts no longer show them, totals stay", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		must(t, s.ApplyCounts(ctx, store.CountBatch{Ledger: 1, Counts: []store.Count{
			count("delivered", "", 1), at(count("delivered", "", 1), -30*time.Hour), at(count("delivered", "", 1), -31*24*time.Hour),
		}}))
		if n := get(s.PruneCounts(ctx, time.Now()))(t); n != 3 {
			t.Errorf("pruned %d rows, want two minutes and an hour", n)
		}
		var hours []time.Duration
		for _, c := range get(s.CountHistory(ctx, store.OverviewFilter{}))(t) {
			hours = append(hours, c.Minute.Sub(began))
		}
		if want := []time.Duration{-30 * time.Hour, 0}; !slices.Equal(hours, want) {
			t.Errorf("hours = %v, want %v", hours, want)
		}
		if o := get(s.Overview(ctx, store.OverviewFilter{}))(t); o.Delivered != 3 {
			t.Errorf("delivered = %d, want 3", o.Delivered)
		}
	}},
}
