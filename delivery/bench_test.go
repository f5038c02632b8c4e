package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/store"
)

// taker is a Connection in memory that takes everything.
type taker struct {
	together int
	away     time.Duration // until it answers
}

func (k taker) Batch(items []integrations.Item) int { return min(k.together, len(items)) }

var places = func() (p [maxTurn]int) {
	for i := range p {
		p[i] = i
	}
	return p
}()

func (taker) Build(v integrations.Visit, items []integrations.Item) integrations.Built {
	body := make([]byte, 0, 512)
	for i := range items {
		body = append(body, items[i].Payload...)
	}
	return integrations.Built{Request: &integrations.Request{Body: body}, Sent: places[:len(items)], Visit: v}
}

func (k taker) Send(context.Context, integrations.Request) attempt.Result {
	if k.away > 0 {
		<-time.After(k.away)
	}
	return attempt.Result{}
}

// backlog is n events of visitors who have twenty waiting each.
func backlog(n int) []integrations.Item {
	out := make([]integrations.Item, n)
	now := time.Now()
	for i := range out {
		out[i] = integrations.Item{
			Place: event.Place{Seq: uint64(i + 1)}, AnonymousID: fmt.Sprint("visitor-", i/20), MessageID: fmt.Sprint("message-", i), Event: "Order Completed",
			ReceivedAt: now, Session: integrations.Session{Vid: "v", Sid: "s"},
			Payload: []byte(`{"consumerId":"a","engagementAttributes":[{"type":"purchase","total":11.70,"currency":"USD","orderId":"DRV1534XC"}]}`),
		}
	}
	return out
}

var manners = []struct {
	name string
	by   taker
}{
	{"one event a report", taker{together: 1}}, {"together", taker{together: 20}},
	{"one event a report, 5 ms away", taker{1, 5 * time.Millisecond}}, {"together, 5 ms away", taker{20, 5 * time.Millisecond}},
}

// BenchmarkLanes drains a backlog through the lanes alone.
func BenchmarkLanes(b *testing.B) {
	for _, m := range manners {
		b.Run(m.name, func(b *testing.B) {
			b.ReportAllocs()
			var done sync.WaitGroup
			var l *lanes
			l = newLanes(laneOptions{
				connection: m.by, concurrency: 64, log: slog.New(slog.DiscardHandler),
				visit:   func(context.Context, string) (integrations.Visit, error) { return integrations.Visit{}, nil },
				keep:    func(string, integrations.Visit) {},
				allowed: func(context.Context, string, string, string) (bool, string, error) { return true, "", nil },
				settle: func(u unit) {
					n := len(u.ends)
					l.settled([]unit{u})
					done.Add(-n)
				},
			})
			for _, it := range backlog(b.N) {
				l.add(&held{Item: it, since: it.ReceivedAt})
			}
			done.Add(b.N)
			b.ResetTimer()
			go l.run(b.Context())
			done.Wait()
			b.StopTimer()
			l.stop()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkCourier drains a backlog from the journal to the ledger, durably.
func BenchmarkCourier(b *testing.B) {
	for _, m := range manners {
		b.Run(m.name, func(b *testing.B) {
			b.ReportAllocs()
			d := openDepot(b, b.TempDir())
			for all := backlog(b.N); len(all) > 0; {
				n := min(1000, len(all))
				d.hand(all[:n]...)
				all = all[n:]
			}
			c := New(Options{
				Integration: store.Integration{ID: "shop/x", Pipeline: "shop"}, Connection: m.by,
				Reports: d.reports, Ledger: d.ledger, Store: d.store,
			})
			ctx, cancel := context.WithCancel(b.Context())
			b.ResetTimer()
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := c.Run(ctx); err != nil {
					b.Error(err)
				}
			})
			_, last, err := d.reports.Bounds(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
				if at, _ := c.frames.cursor(); at.seq > last {
					break
				}
			}
			b.StopTimer()
			cancel()
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
