package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// Benchmark measures what the way of an event waits for, and what a person
// waits for with a full history of so many events.
func Benchmark(b *testing.B, s *store.Store, history int) {
	b.Run("SaveVisitors 1000", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			rows := make([]store.Visitor, 1000)
			for i := range rows {
				rows[i] = visitor("shop", fmt.Sprintf("v%d", (n*1000+i*7)%20_000))
			}
			if err := s.SaveVisitors(b.Context(), rows, uint64(n)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("AddDead 1", func(b *testing.B) {
		for n := uint64(0); b.Loop(); n++ {
			if err := s.AddDead(b.Context(), []store.DeadLetter{dead("", n, 0)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ApplyCounts 20", func(b *testing.B) {
		for n := uint64(1); b.Loop(); n++ {
			batch := store.CountBatch{Ledger: n}
			for i := range 20 {
				c := at(count("delivered", "", 1), time.Duration(i%2)*time.Minute)
				c.Took[i]++
				batch.Counts = append(batch.Counts, c)
			}
			if err := s.ApplyCounts(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
		}
	})
	next := 0
	b.Run("AddTraces 500", func(b *testing.B) {
		for b.Loop() {
			fill(b, s, next, 250)
			next += 250
		}
	})
	for ; next < history; next += 250 {
		fill(b, s, next, 250)
	}
	for _, q := range []struct {
		name string
		f    store.TraceFilter
	}{
		{"all", store.TraceFilter{}},
		{"integration", store.TraceFilter{Integration: "shop/lp"}},
		{"pipeline and event", store.TraceFilter{Pipeline: "shop", Event: "Order Completed"}},
		{"outcome dead", store.TraceFilter{Outcome: "dead"}},
		{"event and rare outcome", store.TraceFilter{Event: "Product Viewed", Outcome: "dead"}},
		{"integration and rare outcome", store.TraceFilter{Integration: "shop/lp", Outcome: "dead"}},
		{"integration, rare event and common outcome", store.TraceFilter{Integration: "shop/lp", Event: "Rare", Outcome: "delivered"}},
		{"pipeline and rare event", store.TraceFilter{Pipeline: "shop", Event: "Rare"}},
		{"event in an hour of the past", store.TraceFilter{Event: "Order Completed", From: began, To: began.Add(time.Hour)}},
		{"a visitor", store.TraceFilter{Visitor: "visitor-4711"}},
		{"a message id", store.TraceFilter{Q: "m-4711"}},
		{"a rare word", store.TraceFilter{Q: "DRV4711XC"}},
		{"a common word", store.TraceFilter{Q: "purchase"}},
		{"a common and a rare word", store.TraceFilter{Q: "purchase drv4711xc"}},
		{"two common words", store.TraceFilter{Q: "usd purchase"}},
		{"two common words that never meet", store.TraceFilter{Q: "purchase mapped"}},
		{"no such word", store.TraceFilter{Q: "nothing"}},
	} {
		b.Run(fmt.Sprintf("Traces of %d, %s", history, q.name), func(b *testing.B) {
			for b.Loop() {
				if _, _, err := s.Traces(b.Context(), q.f); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("CountTraces of %d, %s", history, q.name), func(b *testing.B) {
			for b.Loop() {
				if _, _, err := s.CountTraces(b.Context(), q.f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("Trace", func(b *testing.B) {
		for b.Loop() {
			if _, ok, err := s.Trace(b.Context(), "m-4711"); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}

// fill adds n events with an arrival and a step each, as a shop sends them.
func fill(b *testing.B, s *store.Store, from, n int) {
	random := rand.New(rand.NewPCG(1, uint64(from)))
	names := []string{"Product Viewed", "Product Viewed", "Product Viewed", "page", "page", "page", "Cart Viewed", "Order Completed", "Lead Generated"}
	var records []trace.Record
	for i := from; i < from+n; i++ {
		name := names[random.IntN(len(names))]
		if i%5000 == 11 {
			name = "Rare"
		}
		r := arrival(i/100, fmt.Sprintf("m-%d", i), name, fmt.Sprintf("visitor-%d", random.IntN(20_000)))
		r.Place = event.Place{Seq: uint64(i / 100), Index: i % 100}
		r.Arrival.Body = fmt.Appendf(nil, `{"type":"track","event":%q,"messageId":"m-%d","anonymousId":%q,"properties":{"order_id":"DRV%dXC","revenue":%d.70},"context":{"page":{"url":"https://shop.example.com/products/%d?utm_source=x","title":"A product","referrer":"https://www.example.com/"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36","locale":"en-GB"}}`,
			name, i, r.Arrival.AnonymousID, i, i%1000, random.IntN(5000))
		if random.IntN(10) < 3 {
			r.Arrival.Routes = []trace.Route{filtered("shop/lp", `not mapped: no rule for "`+name+`"`)}
			records = append(records, r)
			continue
		}
		r.Arrival.Routes = []trace.Route{pending("shop/lp")}
		outcome := trace.Delivered
		if name == "Product Viewed" && i%20_000 < 4 || random.IntN(200) == 0 && name != "Product Viewed" {
			outcome = trace.Dead
		}
		t := step(r, "shop/lp", 1, outcome, 50)
		t.Step.Summary = fmt.Sprintf("purchase · USD %d.70 · DRV%dXC", i%1000, i)
		records = append(records, r, t)
	}
	if err := s.AddTraces(context.WithoutCancel(b.Context()), records); err != nil {
		b.Fatal(err)
	}
}
