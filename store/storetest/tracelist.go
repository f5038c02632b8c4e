package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

func filters(t *testing.T, open Opener) {
	s := opened(t, open)
	ctx := t.Context()
	a := arrival(1, "0198a0de-aaaa", "Order Completed", "ann", pending("shop/lp"))
	b := arrival(2, "0198b1ff-bbbb", "order_completed", "bob", pending("shop/lp"), filtered("shop/ads", "consent: marketing is not granted"))
	c := arrival(3, "0199c2ee-cccc", "Newsletter Opened", "carl", filtered("blog/hook", `not mapped: no rule for "Newsletter Opened"`))
	c.Arrival.Pipeline, c.Arrival.UserID = "blog", "ann"
	d := arrival(4, "0199d3ee-dddd", "Größe gewählt", "dora", pending("shop/lp"))
	must(t, s.AddTraces(ctx, []trace.Record{a, b, c, d, step(a, "shop/lp", 1, trace.Delivered, 5), step(b, "shop/lp", 1, trace.Dead, 5)}))
	for _, tt := range []struct {
		name string
		f    store.TraceFilter
		want string // the last letters of the message ids
	}{
		{"none", store.TraceFilter{}, "d c b a"},
		{"oldest first", store.TraceFilter{OldestFirst: true}, "a b c d"},
		{"pipeline", store.TraceFilter{Pipeline: "blog"}, "c"},
		{"integration", store.TraceFilter{Integration: "shop/lp"}, "d b a"},
		{"integration and pipeline", store.TraceFilter{Integration: "shop/lp", Pipeline: "blog"}, ""},
		{"event in any spelling", store.TraceFilter{Event: "order-completed"}, "b a"},
		{"outcome", store.TraceFilter{Outcome: "dead"}, "b"},
		{"event and outcome", store.TraceFilter{Event: "Order Completed", Outcome: "delivered"}, "a"},
		{"event and outcome of an integration", store.TraceFilter{Event: "Order Completed", Outcome: "filtered", Integration: "shop/ads"}, "b"},
		{"visitor by anonymous id or user id", store.TraceFilter{Visitor: "ann"}, "c a"},
		{"visitor by user id", store.TraceFilter{Visitor: "user-of-bob"}, "b"},
		{"visitor and integration", store.TraceFilter{Visitor: "ann", Integration: "shop/lp"}, "a"},
		{"visitor, oldest first", store.TraceFilter{Visitor: "ann", OldestFirst: true}, "a c"},
		{"visitor and text", store.TraceFilter{Visitor: "ann", Q: "newsletter"}, "c"},
		{"a message id", store.TraceFilter{Q: "0198a0de-aaaa"}, "a"},
		{"the begin of message ids", store.TraceFilter{Q: "0199"}, "d c"},
		{"a visitor's id as text", store.TraceFilter{Q: "ann"}, "c a"},
		{"a word of the summary, in any case", store.TraceFilter{Q: "drv1534xc"}, "b a"},
		{"the begin of a word", store.TraceFilter{Q: "DRV15"}, "b a"},
		{"the middle of a word finds none", store.TraceFilter{Q: "1534"}, ""},
		{"an amount", store.TraceFilter{Q: "11.70"}, "b a"},
		{"two words in any order", store.TraceFilter{Q: "usd purchase"}, "b a"},
		{"two words of which one is not there", store.TraceFilter{Q: "purchase eur"}, ""},
		{"a word of the reason", store.TraceFilter{Q: "granted"}, "b"},
		{"a word of the name beyond ASCII", store.TraceFilter{Q: "gewählt"}, "d"},
		{"capitals beyond ASCII", store.TraceFilter{Q: "GRÖSSE"}, ""},
		{"text and integration", store.TraceFilter{Q: "purchase", Integration: "shop/ads"}, "b"},
		{"text and outcome", store.TraceFilter{Q: "purchase", Outcome: "delivered"}, "a"},
		{"nothing but signs", store.TraceFilter{Q: "%"}, ""},
		{"blanks are no text", store.TraceFilter{Q: "  "}, "d c b a"},
		{"from is with, to is without", store.TraceFilter{From: a.Arrival.ReceivedAt, To: c.Arrival.ReceivedAt}, "b a"},
		{"time and integration", store.TraceFilter{From: b.Arrival.ReceivedAt, Integration: "shop/lp"}, "d b"},
		{"an event that is not there", store.TraceFilter{Event: "nothing"}, ""},
	} {
		rows, next, err := s.Traces(ctx, tt.f)
		must(t, err)
		var got []string
		for _, r := range rows {
			got = append(got, r.MessageID[len(r.MessageID)-1:])
		}
		if strings.Join(got, " ") != tt.want || next != "" {
			t.Errorf("%s: %q and cursor %q, want %q and none", tt.name, got, next, tt.want)
		}
		if n, more, err := s.CountTraces(ctx, tt.f); n != len(rows) || more || err != nil {
			t.Errorf("%s: count %d, %t, %v, want %d", tt.name, n, more, err, len(rows))
		}
	}
}

// pages walks all pages for each way of choosing the table to read, with
// events of one instant among them and others coming in.
func pages(t *testing.T, open Opener) {
	s := opened(t, open)
	ctx := t.Context()
	add := func(n int, id string) {
		r := order(n/4, id)
		for i := range r {
			r[i].Place.Index = n % 4
		}
		must(t, s.AddTraces(ctx, r))
	}
	var want []string
	for n := range 50 {
		add(n, fmt.Sprintf("m%02d", n))
		want = append(want, fmt.Sprintf("m%02d", n))
	}
	late := 1000
	for _, oldest := range []bool{true, false} {
		for _, f := range []store.TraceFilter{{}, {Integration: "shop/lp"}, {Visitor: "ann"}, {Q: "purchase"}, {Outcome: "delivered"}, {Event: "order completed"}} {
			f.OldestFirst, f.Limit = oldest, 7
			var got []string
			for {
				rows, next, err := s.Traces(ctx, f)
				must(t, err)
				for _, r := range rows {
					if strings.HasPrefix(r.MessageID, "m") {
						got = append(got, r.MessageID)
					}
				}
				if f.Cursor = next; next == "" {
					break
				}
				if !oldest {
					late++
					add(late, fmt.Sprintf("late%d", late))
				}
			}
			if !oldest {
				slices.Reverse(got)
			}
			if !slices.Equal(got, want) {
				t.Errorf("oldest first %t, %+v:\n got %v\nwant %v", oldest, f, got, want)
			}
		}
	}
}
