package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// arrival gives the record of an event received n seconds after the beginning.
func arrival(n int, id, name, visitor string, routes ...trace.Route) trace.Record {
	received := began.Add(time.Duration(n) * time.Second)
	return trace.Record{
		At: received.Add(time.Millisecond), Place: event.Place{Seq: uint64(n), Index: n % 3}, MessageID: id,
		Arrival: &trace.Arrival{
			Pipeline: "shop", Type: event.Track, Event: name, AnonymousID: visitor, UserID: "user-of-" + visitor, ReceivedAt: received,
			Path: "/v1/t", Body: json.RawMessage(`{"type":"track","properties":{"revenue":11.70}}`), Routes: routes,
		},
	}
}

// step gives a try of the same event, so many milliseconds after receipt.
func step(of trace.Record, integration string, try int, outcome trace.Outcome, ms int) trace.Record {
	s := &trace.Step{Integration: integration, Try: try, Outcome: outcome, Took: 84 * time.Millisecond, Status: 200,
		Method: "POST", Body: json.RawMessage(`{"total":11.70}`), Summary: "purchase · USD 11.70 · DRV1534XC"}
	if outcome != trace.Delivered {
		s.Status, s.Code, s.Reason = 503, 20, "LivePerson does not take reports now."
	}
	if a := of.Arrival; a != nil {
		s.Of = trace.Subject{Pipeline: a.Pipeline, Event: a.Event, AnonymousID: a.AnonymousID, UserID: a.UserID, ReceivedAt: a.ReceivedAt}
	}
	at := began.Add(time.Duration(of.Place.Seq)*time.Second + time.Duration(ms)*time.Millisecond)
	return trace.Record{At: at, Place: of.Place, MessageID: of.MessageID, Step: s}
}

func pending(integration string) trace.Route {
	return trace.Route{Integration: integration, Outcome: trace.Pending, Revision: 7, Payload: json.RawMessage(`{"a":1}`)}
}

func filtered(integration, reason string) trace.Route {
	return trace.Route{Integration: integration, Outcome: trace.Filtered, Reason: reason}
}

// order gives an order that was delivered with the second try.
func order(n int, id string) []trace.Record {
	a := arrival(n, id, "Order Completed", "ann", pending("shop/lp"))
	return []trace.Record{a, step(a, "shop/lp", 1, trace.Pending, 10), step(a, "shop/lp", 2, trace.Delivered, 3000)}
}

func messages(rows []store.TraceRow) string {
	var out []string
	for _, r := range rows {
		out = append(out, r.MessageID)
	}
	return strings.Join(out, " ")
}

var traceTests = []test{
	{"an event opens to how it came, where it went, and each try in order", func(t *testing.T, open Opener) {
		s := opened(t, open)
		must(t, s.AddTraces(t.Context(), order(1, "m1")))
		d := have(s.Trace(t.Context(), "m1"))(t)
		if d.Outcome != trace.Delivered || d.Tries != 2 || d.Status != 200 || d.TookMS != 84 || d.Integration != "shop/lp" {
			t.Errorf("row = %+v, want delivered with the second try", d.TraceRow)
		}
		if d.Arrival == nil || string(d.Arrival.Body) != `{"type":"track","properties":{"revenue":11.70}}` {
			t.Fatalf("arrival = %+v, want the body as received", d.Arrival)
		}
		if len(d.Routes) != 1 || d.Routes[0].Route == nil || d.Routes[0].Route.Revision != 7 || len(d.Routes[0].Steps) != 2 {
			t.Fatalf("routes = %+v, want one with two steps", d.Routes)
		}
		if steps := d.Routes[0].Steps; steps[0].Step.Try != 1 || steps[1].Step.Try != 2 || string(steps[1].Step.Body) != `{"total":11.70}` {
			t.Errorf("steps = %+v, want the tries in order", steps)
		}
		if _, ok, err := s.Trace(t.Context(), "nobody"); ok || err != nil {
			t.Errorf("no such event = %t, %v, want false, nil", ok, err)
		}
		must(t, s.AddTraces(t.Context(), nil))
	}},
	{"records in any order and any batches make the same row and the same detail", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		a := arrival(1, "m1", "Order Completed", "ann", pending("shop/lp"), pending("shop/hook"), filtered("shop/ads", "no consent"))
		records := []trace.Record{a, step(a, "shop/lp", 1, trace.Pending, 10), step(a, "shop/lp", 2, trace.Delivered, 3000),
			step(a, "shop/hook", 1, trace.Pending, 20), step(a, "shop/hook", 2, trace.Dead, 4000)}
		must(t, s.AddTraces(ctx, records))
		want, _ := json.Marshal(have(s.Trace(ctx, "m1"))(t))
		random := rand.New(rand.NewPCG(1, 2))
		for n := range 30 {
			id := fmt.Sprintf("shuffled%d", n)
			shuffled := slices.Clone(records)
			random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			for i := range shuffled {
				shuffled[i].MessageID, shuffled[i].Place.Index = id, 100+n
			}
			for len(shuffled) > 0 {
				k := 1 + random.IntN(len(shuffled))
				must(t, s.AddTraces(ctx, shuffled[:k]))
				shuffled = shuffled[k:]
			}
			got, _ := json.Marshal(have(s.Trace(ctx, id))(t))
			same := strings.ReplaceAll(strings.ReplaceAll(string(got), id, "m1"), fmt.Sprintf(`"i":%d`, 100+n), `"i":1`)
			if same != string(want) {
				t.Fatalf("shuffle %d:\n got %s\nwant %s", n, same, want)
			}
		}
	}},
	{"a step before its arrival makes a row, which the arrival fills in", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		a := arrival(1, "m1", "Order Completed", "ann", pending("shop/lp"))
		bare := step(a, "shop/lp", 1, trace.Dead, 10)
		bare.Step.Of = trace.Subject{}
		must(t, s.AddTraces(ctx, []trace.Record{bare}))
		rows, _, err := s.Traces(ctx, store.TraceFilter{Outcome: "dead"})
		must(t, err)
		if len(rows) != 1 || rows[0].Arrived || !rows[0].ReceivedAt.Equal(bare.At) {
			t.Fatalf("rows = %+v, want one that has not arrived", rows)
		}
		must(t, s.AddTraces(ctx, []trace.Record{a}))
		rows, _, err = s.Traces(ctx, store.TraceFilter{Event: "order_completed", Integration: "shop/lp", Outcome: "dead"})
		must(t, err)
		if len(rows) != 1 || !rows[0].Arrived || !rows[0].ReceivedAt.Equal(a.Arrival.ReceivedAt) || rows[0].AnonymousID != "ann" {
			t.Errorf("rows = %+v, want the one with its arrival", rows)
		}
	}},
	{"a failure whose arrival was sampled out has a name all the same", func(t *testing.T, open Opener) {
		s := opened(t, open)
		a := arrival(1, "m1", "Order Completed", "ann")
		must(t, s.AddTraces(t.Context(), []trace.Record{step(a, "shop/lp", 1, trace.Dead, 10)}))
		d := have(s.Trace(t.Context(), "m1"))(t)
		if d.Event != "Order Completed" || d.Pipeline != "shop" || d.AnonymousID != "ann" || d.Arrival != nil || len(d.Routes) != 1 {
			t.Errorf("detail = %+v, want who it is about, without arrival", d)
		}
	}},
	{"a replay stands over what was before it", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		a := arrival(1, "m1", "Order Completed", "ann", pending("shop/lp"))
		again := a
		route := pending("shop/lp")
		route.Gen, route.Revision = 1, 8
		later := *a.Arrival
		later.Routes = []trace.Route{route}
		again.Arrival, again.At = &later, a.At.Add(time.Hour)
		must(t, s.AddTraces(ctx, []trace.Record{a, step(a, "shop/lp", 1, trace.Dead, 10)}))
		must(t, s.AddTraces(ctx, []trace.Record{again}))
		if d := have(s.Trace(ctx, "m1"))(t); d.Outcome != trace.Pending || d.Routes[0].Route.Revision != 8 || len(d.Routes[0].Steps) != 1 {
			t.Errorf("detail = %+v, want pending in revision 8, with the first try", d)
		}
	}},
	{"the worst outcome of several integrations is the row's", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		a := arrival(1, "m1", "x", "ann", pending("shop/lp"), filtered("shop/ads", "no consent"))
		must(t, s.AddTraces(ctx, []trace.Record{a, step(a, "shop/lp", 1, trace.Delivered, 5)}))
		for _, tt := range []struct{ outcome, integration, want string }{
			{"filtered", "", "m1"}, {"delivered", "", ""}, {"delivered", "shop/lp", "m1"}, {"filtered", "shop/ads", "m1"}, {"filtered", "shop/lp", ""},
		} {
			rows, _, err := s.Traces(ctx, store.TraceFilter{Outcome: tt.outcome, Integration: tt.integration})
			must(t, err)
			if got := messages(rows); got != tt.want {
				t.Errorf("%s for %q: %q, want %q", tt.outcome, tt.integration, got, tt.want)
			}
		}
	}},
	{"an event that nobody wanted is filtered and says so", func(t *testing.T, open Opener) {
		s := opened(t, open)
		must(t, s.AddTraces(t.Context(), []trace.Record{arrival(1, "m1", "x", "ann")}))
		if d := have(s.Trace(t.Context(), "m1"))(t); d.Outcome != trace.Filtered || d.Reason == "" {
			t.Errorf("row = %+v, want filtered with a reason", d.TraceRow)
		}
	}},
	{"of two events with one message id the later is shown", func(t *testing.T, open Opener) {
		s := opened(t, open)
		must(t, s.AddTraces(t.Context(), []trace.Record{arrival(2, "m", "late", "ann"), arrival(1, "m", "early", "ann")}))
		if d := have(s.Trace(t.Context(), "m"))(t); d.Event != "late" {
			t.Errorf("event = %q, want the late one", d.Event)
		}
	}},
	{"rows by message id come in the order that was asked for", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		a := arrival(1, "m1", "Order Completed", "ann", pending("shop/lp"))
		must(t, s.AddTraces(ctx, []trace.Record{a, step(a, "shop/lp", 1, trace.Dead, 10), arrival(2, "m2", "early", "ann"), arrival(3, "m3", "x", "bob"), arrival(4, "m2", "late", "ann")}))
		rows, err := s.TraceRows(ctx, []string{"m2", "nobody", "m1"})
		must(t, err)
		if got := messages(rows); got != "m2 m1" || rows[0].Event != "late" || rows[1].Outcome != trace.Dead {
			t.Errorf("rows = %+v, want the late m2 and the dead m1", rows)
		}
		if rows, err := s.TraceRows(ctx, nil); len(rows) != 0 || err != nil {
			t.Errorf("none = %v, %v, want none", rows, err)
		}
	}},
	{"filters, alone and together", filters},
	{"pages hold still while events come in, both ways round", pages},
	{"a text of common words is looked for in stretches, to the end", func(t *testing.T, open Opener) {
		s := opened(t, open)
		for n := 0; n < 11_000; n += 1000 {
			var records []trace.Record
			for i := n; i < n+1000; i++ {
				records = append(records, arrival(i, fmt.Sprintf("m%d", i), []string{"alpha", "beta"}[i%2], "ann"))
			}
			if n == 0 {
				records[3].Arrival.Event = "beta alpha"
			}
			must(t, s.AddTraces(t.Context(), records))
		}
		f := store.TraceFilter{Q: "alpha beta"}
		if n, more, err := s.CountTraces(t.Context(), f); n != 0 || !more || err != nil {
			t.Errorf("counted %d, %t, %v, want none so far", n, more, err)
		}
		var found []string
		pages := 0
		for {
			rows, next, err := s.Traces(t.Context(), f)
			must(t, err)
			found = append(found, messages(rows))
			if pages++; next == "" {
				break
			}
			f.Cursor = next
		}
		if got := strings.Join(found, "|"); got != "|m3" || pages != 2 {
			t.Errorf("found %q, want an empty page and then m3", got)
		}
		f = store.TraceFilter{Q: "alpha", Limit: 500}
		n := 0
		for {
			rows, next, err := s.Traces(t.Context(), f)
			must(t, err)
			if n += len(rows); next == "" {
				break
			}
			f.Cursor = next
		}
		if n != 5501 {
			t.Errorf("%d rows have the common word, want 5501", n)
		}
	}},
	{"a foreign cursor is refused", func(t *testing.T, open Opener) {
		s := opened(t, open)
		for _, cursor := range []string{"x", "!!", "MTIz", "MS4h"} {
			if _, _, err := s.Traces(t.Context(), store.TraceFilter{Cursor: cursor}); !errors.Is(err, store.ErrCursor) {
				t.Errorf("cursor %q: %v, want ErrCursor", cursor, err)
			}
		}
	}},
	{"old events go, and with them everything of theirs", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		var records []trace.Record
		for i := range 700 {
			records = append(records, order(i, fmt.Sprintf("m%d", i))...)
		}
		must(t, s.AddTraces(ctx, records))
		age := time.Since(began.Add(600 * time.Second))
		if n := get(s.PruneTraces(ctx, store.TraceLimits{Age: age}))(t); n < 599 || n > 601 {
			t.Errorf("pruned %d, want 600", n)
		}
		for _, f := range []store.TraceFilter{{}, {Integration: "shop/lp"}, {Q: "DRV1534XC"}, {Visitor: "ann"}} {
			if n, _, err := s.CountTraces(ctx, f); n < 99 || n > 101 || err != nil {
				t.Errorf("%+v: %d left, %v, want 100", f, n, err)
			}
		}
		if n := get(s.PruneTraces(ctx, store.TraceLimits{Age: time.Nanosecond}))(t); n < 99 {
			t.Errorf("pruned %d, want the rest", n)
		}
	}},
	{"when room is short what went well goes first, the oldest of it", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		for i := range 400 {
			id := fmt.Sprintf("m%d", i)
			records := order(i, id)
			if i%4 == 0 {
				records[2].Step.Outcome = trace.Dead
			}
			must(t, s.AddTraces(ctx, records))
		}
		n := get(s.PruneTraces(ctx, store.TraceLimits{Bytes: 300_000}))(t)
		if n == 0 || n >= 300 {
			t.Fatalf("pruned %d, want some of the 300 that went well", n)
		}
		if dead, _, _ := s.CountTraces(ctx, store.TraceFilter{Outcome: "dead"}); dead != 100 {
			t.Errorf("%d dead left, want all 100", dead)
		}
		rows, _, err := s.Traces(ctx, store.TraceFilter{Outcome: "delivered", OldestFirst: true, Limit: 1})
		must(t, err)
		if _, ok, _ := s.Trace(ctx, "m1"); ok || messages(rows) == "m1" {
			t.Error("the oldest that went well is still there")
		}
		have(s.Trace(ctx, "m399"))(t)
		if n := get(s.PruneTraces(ctx, store.TraceLimits{Bytes: 300_000}))(t); n != 0 {
			t.Errorf("pruned %d more, want none", n)
		}
		get(s.PruneTraces(ctx, store.TraceLimits{Bytes: 1}))(t)
		if n, _, _ := s.CountTraces(ctx, store.TraceFilter{}); n != 0 {
			t.Errorf("%d left, want none as even one has more than a byte", n)
		}
	}},
	{"a batch that is cancelled leaves nothing", func(t *testing.T, open Opener) {
		s := opened(t, open)
		var records []trace.Record
		for i := range 150 {
			records = append(records, order(i, fmt.Sprintf("m%d", i))...)
		}
		for n := range cancellations {
			ctx := newCountdown(t.Context(), n)
			err := s.AddTraces(ctx, records)
			ctx.cancel()
			left, _, countErr := s.CountTraces(t.Context(), store.TraceFilter{})
			must(t, countErr)
			if left != 0 && left != 150 || err == nil && left != 150 {
				t.Fatalf("ended at %d: error %v and %d events, want all or none", n, err, left)
			}
			if left > 0 {
				return
			}
		}
		t.Error("the batch was never applied")
	}},
	{"many write and read at once", func(t *testing.T, open Opener) {
		s := opened(t, open)
		many(6, func(i int) {
			for n := range 15 {
				if err := s.AddTraces(t.Context(), order(1000*i+n, fmt.Sprintf("m%d-%d", i, n))); err != nil {
					t.Error(err)
				}
				if _, _, err := s.Traces(t.Context(), store.TraceFilter{Q: "purchase"}); err != nil {
					t.Error(err)
				}
			}
		})
		if n, more, err := s.CountTraces(t.Context(), store.TraceFilter{Outcome: "delivered"}); n != 90 || more || err != nil {
			t.Errorf("%d delivered, %t, %v, want 90", n, more, err)
		}
	}},
}
