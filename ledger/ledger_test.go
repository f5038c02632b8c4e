package ledger

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/store/sqlite"
	"github.com/datafly/signal/trace"
)

// books are journals to verify, and what was written to them.
type books struct {
	t    *testing.T
	logs Journals
}

func openBooks(t *testing.T) *books {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	b := &books{t: t, logs: Journals{Reports: map[string]*journal.Log{}}}
	open := func(name string) *journal.Log {
		l, err := j.Log(t.Context(), name, journal.LogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	b.logs.Events, b.logs.Ledger, b.logs.Reports["shop/x"] = open("events"), open("ledger"), open("reports.shop/x")
	return b
}

func (b *books) append(l *journal.Log, meta any, items ...[]byte) {
	b.t.Helper()
	m, err := json.Marshal(meta)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := l.Append(b.t.Context(), m, items); err != nil {
		b.t.Fatal(err)
	}
}

func (b *books) accept(n int) {
	items := make([][]byte, n)
	for i := range items {
		items[i] = []byte("event")
	}
	b.append(b.logs.Events, struct{}{}, items...)
}

func (b *books) hand(places ...event.Place) { b.handGen(0, places...) }

func (b *books) handAgain(places ...event.Place) { b.handGen(1, places...) }

func (b *books) handGen(gen int, places ...event.Place) {
	var items [][]byte
	for _, p := range places {
		it := integrations.Item{Place: p, Gen: gen, Payload: json.RawMessage(`{}`)}
		raw, err := it.Append(nil)
		if err != nil {
			b.t.Fatal(err)
		}
		items = append(items, raw)
	}
	b.append(b.logs.Reports["shop/x"], struct{}{}, items...)
}

func (b *books) enter(upto uint64, entries ...Entry) {
	var items [][]byte
	for _, e := range entries {
		e.Pipeline, e.Integration, e.At = "shop", "shop/x", time.Now().UTC()
		raw, err := e.Append(nil)
		if err != nil {
			b.t.Fatal(err)
		}
		items = append(items, raw)
	}
	b.append(b.logs.Ledger, Meta{Upto: upto}, items...)
}

func at(i int) event.Place { return event.Place{Seq: 1, Index: i} }

func pending(i int) Entry { return Entry{Place: at(i), Outcome: trace.Pending, First: true} }

func ended(i int, o trace.Outcome) Entry { return Entry{Place: at(i), Outcome: o, Ended: true} }

// again begins the first replay of a pair that had ended.
func again(i int, was trace.Outcome) Entry {
	return Entry{Place: at(i), Gen: 1, Outcome: trace.Pending, Replayed: true, Was: &Was{Outcome: was, At: time.Now().UTC()}}
}

func TestVerify(t *testing.T) {
	tests := []struct {
		name  string
		write func(b *books)
		want  map[string]int
		fault string // a part of the only fault; "" for none
	}{
		{name: "nothing at all", write: func(*books) {}},
		{name: "accepted and not worked through yet", write: func(b *books) { b.accept(2) }},
		{
			name: "every outcome",
			write: func(b *books) {
				b.accept(5)
				b.hand(at(0), at(1), at(2), at(3))
				b.enter(1, pending(0), pending(1), pending(2), pending(3), Entry{Place: at(4), Outcome: trace.Filtered})
				b.enter(0, ended(0, trace.Delivered), ended(1, trace.Carried), ended(2, trace.Dead))
			},
			want: map[string]int{"delivered": 1, "carried": 1, "dead": 1, "filtered": 1, "pending": 1},
		},
		{
			name: "an end may be written before its beginning",
			write: func(b *books) {
				b.accept(1)
				b.hand(at(0))
				b.enter(0, ended(0, trace.Delivered))
				b.enter(1, pending(0))
			},
			want: map[string]int{"delivered": 1},
		},
		{
			name: "a replay goes on from the dead letter",
			write: func(b *books) {
				b.accept(1)
				b.enter(1, pending(0))
				b.enter(0, ended(0, trace.Dead))
				b.enter(0, Entry{Place: at(0), Gen: 1, Outcome: trace.Pending, Replayed: true})
				b.enter(0, Entry{Place: at(0), Gen: 1, Outcome: trace.Delivered, Ended: true})
			},
			want: map[string]int{"delivered": 1},
		},
		{
			name: "a delivered event is sent again, and the pair counts with the replay",
			write: func(b *books) {
				b.accept(1)
				b.enter(1, pending(0))
				b.enter(0, ended(0, trace.Delivered))
				b.enter(0, again(0, trace.Delivered))
				b.enter(0, Entry{Place: at(0), Gen: 1, Outcome: trace.Dead, Ended: true})
			},
			want: map[string]int{"dead": 1},
		},
		{
			name: "a replay without an end, and nowhere to be sent from",
			write: func(b *books) {
				b.accept(1)
				b.enter(1, pending(0))
				b.enter(0, ended(0, trace.Delivered))
				b.enter(0, again(0, trace.Delivered))
			},
			want: map[string]int{"pending": 1}, fault: "it would never be sent",
		},
		{
			name: "a replay that ended before a kill let process say that it began",
			write: func(b *books) {
				b.accept(1)
				b.enter(1, pending(0))
				b.enter(0, ended(0, trace.Dead))
				b.handAgain(at(0))
				b.enter(0, Entry{Place: at(0), Gen: 1, Outcome: trace.Delivered, Ended: true})
			},
			want: map[string]int{"delivered": 1},
		},
		{
			name: "what still waited was sent again",
			write: func(b *books) {
				b.accept(1)
				b.hand(at(0))
				b.enter(1, pending(0))
				b.enter(0, again(0, trace.Delivered))
				b.enter(0, Entry{Place: at(0), Gen: 1, Outcome: trace.Delivered, Ended: true})
			},
			want: map[string]int{"delivered": 1}, fault: "event 1.0 was sent again to shop/x while it was still pending there",
		},
		{
			name: "two replays of one generation",
			write: func(b *books) {
				b.accept(1)
				b.enter(1, pending(0))
				b.enter(0, ended(0, trace.Delivered))
				b.enter(0, again(0, trace.Delivered), again(0, trace.Delivered))
				b.enter(0, Entry{Place: at(0), Gen: 1, Outcome: trace.Delivered, Ended: true})
			},
			want: map[string]int{"delivered": 1}, fault: "two beginnings",
		},
		{
			name:  "an event without an entry",
			write: func(b *books) { b.accept(2); b.hand(at(0)); b.enter(1, pending(0)) },
			want:  map[string]int{"pending": 1}, fault: "event 1.1 was worked through but has no outcome",
		},
		{
			name:  "pending, but nowhere to be sent from",
			write: func(b *books) { b.accept(1); b.enter(1, pending(0)) },
			want:  map[string]int{"pending": 1}, fault: "it would never be sent",
		},
		{
			name: "two outcomes",
			write: func(b *books) {
				b.accept(1)
				b.enter(1, pending(0))
				b.enter(0, ended(0, trace.Delivered), ended(0, trace.Dead))
			},
			want: map[string]int{"delivered": 1}, fault: "two outcomes for shop/x: delivered and dead",
		},
		{
			name: "two beginnings",
			write: func(b *books) {
				b.accept(1)
				b.hand(at(0))
				b.enter(1, pending(0), Entry{Place: at(0), Outcome: trace.Filtered})
			},
			want: map[string]int{"pending": 1}, fault: "two beginnings for shop/x: pending and filtered",
		},
		{
			name: "an end without a beginning",
			write: func(b *books) {
				b.accept(2)
				b.enter(1, pending(0), Entry{Place: at(1), Integration: "", Outcome: trace.Filtered})
				b.enter(0, ended(0, trace.Delivered))
				b.append(b.logs.Ledger, Meta{}, []byte(`{"at":{"seq":1,"i":1},"g":3,"p":"shop","i":"shop/x","o":"delivered","t":"2026-01-01T00:00:00Z","e":true}`))
			},
			want: map[string]int{"delivered": 2, "filtered": 1}, fault: "without ever being handed on",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := openBooks(t)
			tt.write(b)
			p, err := Verify(t.Context(), b.logs)
			if err != nil {
				t.Fatal(err)
			}
			if tt.fault == "" && !p.Holds() || tt.fault != "" && (len(p.Faults) != 1 || !strings.Contains(p.Faults[0], tt.fault)) {
				t.Errorf("faults = %q, want one with %q", p.Faults, tt.fault)
			}
			for _, o := range []string{"delivered", "carried", "filtered", "dead", "pending"} {
				if p.Outcomes[o] != tt.want[o] {
					t.Errorf("%s = %d, want %d", o, p.Outcomes[o], tt.want[o])
				}
			}
		})
	}
}

// Counts are exact and survive restarts: each entry counts once.
func TestCounter(t *testing.T) {
	b := openBooks(t)
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "signal.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b.enter(1, pending(0), pending(1), pending(2), Entry{Place: at(3), Outcome: trace.Filtered, Reason: "not mapped", First: true})
	count(t, b, s)
	b.enter(0, ended(0, trace.Delivered), ended(1, trace.Dead))
	count(t, b, s)
	b.enter(0, Entry{Place: at(1), Gen: 1, Outcome: trace.Pending, Replayed: true})
	b.enter(0, Entry{Place: at(1), Gen: 1, Outcome: trace.Delivered, Ended: true})
	count(t, b, s)
	o, err := s.Overview(t.Context(), store.OverviewFilter{})
	if err != nil {
		t.Fatal(err)
	}
	got := []int64{o.Accepted, o.Delivered, o.Carried, o.Totals.Filtered, o.Totals.Dead, o.Pending}
	if want := []int64{4, 2, 0, 1, 0, 1}; !equal(got, want) {
		t.Errorf("accepted, delivered, carried, filtered, dead, pending = %v, want %v", got, want)
	}
}

// However often a pair is sent again it counts once, and no minute counts below
// nothing: what it was is taken back where it was counted.
func TestCounterOfReplays(t *testing.T) {
	b := openBooks(t)
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "signal.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	begun := time.Now().UTC().Add(-10 * time.Minute)
	enter := func(entries ...Entry) {
		var items [][]byte
		for _, e := range entries {
			e.Pipeline, e.Integration = "shop", "shop/x"
			raw, err := e.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, raw)
		}
		b.append(b.logs.Ledger, Meta{}, items...)
	}
	stamped := func(e Entry, at time.Time) Entry { e.At = at; return e }
	took := func(e Entry, d time.Duration) Entry { e.Took = d; return e }
	filtered := Entry{Place: at(1), Outcome: trace.Filtered, Reason: "not mapped", First: true}
	enter(stamped(pending(0), begun), stamped(filtered, begun), stamped(took(ended(0, trace.Delivered), time.Second), begun))
	now := time.Now().UTC()
	enter(
		Entry{Place: at(0), Gen: 1, Outcome: trace.Pending, At: now, Replayed: true, Was: &Was{Outcome: trace.Delivered, At: begun, Took: time.Second}},
		Entry{Place: at(1), Gen: 1, Outcome: trace.Pending, At: now, Replayed: true, Was: &Was{Outcome: trace.Filtered, Reason: "not mapped", At: begun}},
		Entry{Place: at(2), Gen: 1, Outcome: trace.Pending, At: now, Replayed: true, Was: &Was{}},
		Entry{Place: at(0), Gen: 1, Outcome: trace.Delivered, At: now, Ended: true, Took: 3 * time.Second},
	)
	count(t, b, s)
	o, err := s.Overview(t.Context(), store.OverviewFilter{})
	if err != nil {
		t.Fatal(err)
	}
	got := []int64{o.Accepted, o.Delivered, o.Carried, o.Totals.Filtered, o.Totals.Dead, o.Pending}
	if want := []int64{2, 1, 0, 0, 0, 2}; !equal(got, want) {
		t.Errorf("accepted, delivered, carried, filtered, dead, pending = %v, want %v", got, want)
	}
	o, err = s.Overview(t.Context(), store.OverviewFilter{From: now.Add(-5 * time.Minute)})
	if err != nil || o.Delivered != 1 || o.Totals.Filtered != 0 {
		t.Errorf("the last five minutes: %+v, %v", o, err)
	}
}

func equal(a, b []int64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// count runs a Counter until it has read everything, as a new process would.
func count(t *testing.T, b *books, s *store.Store) {
	t.Helper()
	_, last, err := b.logs.Ledger.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := NewCounter(b.logs.Ledger, s, nil).Run(ctx); err != nil {
			t.Errorf("counter: %v", err)
		}
	})
	deadline := time.After(10 * time.Second)
	for done := false; !done; {
		at, _, err := s.CountCursor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		done = at >= last
		select {
		case <-deadline:
			t.Fatal("not counted within 10 s")
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	wg.Wait()
}
