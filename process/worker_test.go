package process

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/store/sqlite"
	"github.com/datafly/signal/trace"
)

// site is a data folder with its journals and store, open.
type site struct {
	*journal.Journal
	events, reports, ledger *journal.Log
	store                   *store.Store
}

func openSite(t testing.TB, dir string) *site {
	t.Helper()
	ctx := t.Context()
	j, err := journal.Open(ctx, journal.Options{Dir: filepath.Join(dir, "journal")})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Journal: j}
	for name, into := range map[string]**journal.Log{"events": &s.events, "reports.shop/x": &s.reports, "ledger": &s.ledger} {
		if *into, err = j.Log(ctx, name, journal.LogOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if s.store, err = sqlite.Open(ctx, filepath.Join(dir, "signal.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.shut)
	return s
}

func (s *site) shut() {
	_ = s.store.Close()
	_ = s.Journal.Close()
}

// accept writes a frame of events as the gateway would.
func (s *site) accept(t testing.TB, bodies ...string) {
	t.Helper()
	var items [][]byte
	for i, body := range bodies {
		head, err := event.Admit([]byte(body), "")
		if err != nil {
			t.Fatal(err)
		}
		if head.AnonymousID == "" {
			head.AnonymousID = "ann"
		}
		r := event.Received{Pipeline: "shop", Type: head.Type, AnonymousID: head.AnonymousID, MessageID: fmt.Sprint("m", i), ReceivedAt: time.Now().UTC(), Body: []byte(body)}
		b, err := r.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, b)
	}
	if _, err := s.events.Append(t.Context(), []byte(`{}`), items); err != nil {
		t.Fatal(err)
	}
}

// work runs a Worker until everything accepted is handed on.
func (s *site) work(t testing.TB, p *Pipeline, during func(*Worker)) *Worker {
	t.Helper()
	w := New(Options{Pipelines: []Pipeline{*p}, Events: s.events, Reports: map[string]*journal.Log{"shop/x": s.reports}, Ledger: s.ledger, Store: s.store, Salt: []byte("salt")})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Errorf("worker: %v", err)
		}
	})
	_, last, err := s.events.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return w.Reached() >= last && w.reached.Load() >= last })
	if during != nil {
		during(w)
	}
	cancel()
	wg.Wait()
	return w
}

// until waits for a condition that another goroutine brings about.
func until(t testing.TB, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it did not come about within 10 s")
		}
	}
}

// handed gives the payloads in REPORTS, in order.
func (s *site) handed(t testing.TB) []string {
	t.Helper()
	var out []string
	err := s.reports.Each(t.Context(), 1, func(f journal.Frame) error {
		for _, raw := range f.Items {
			it, err := integrations.ParseItem(raw)
			if err != nil {
				return err
			}
			out = append(out, string(it.Payload))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *site) proof(t testing.TB) ledger.Proof {
	t.Helper()
	p, err := ledger.Verify(t.Context(), ledger.Journals{Events: s.events, Ledger: s.ledger, Reports: map[string]*journal.Log{"shop/x": s.reports}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func order(visitor string, total int) string {
	return fmt.Sprintf(`{"type":"track","event":"Order Completed","anonymousId":%q,"properties":{"revenue":%d}}`, visitor, total)
}

func TestEachEventIsHandedOnOnceAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for run := range 3 {
		s := openSite(t, dir)
		for i := range 5 {
			total := run*5 + i
			s.accept(t, order("ann", total), `{"type":"track","event":"Unheard Of"}`)
			want = append(want, fmt.Sprintf(`{"id":"ann","total":%d}`, total))
		}
		s.work(t, testPipeline(t, nil), nil)
		if got := s.handed(t); !slices.Equal(got, want) {
			t.Fatalf("after run %d:\n got %q\nwant %q", run, got, want)
		}
		p := s.proof(t)
		if !p.Holds() || p.Outcomes["pending"] != len(want) || p.Outcomes["filtered"] != len(want) || p.Unprocessed != 0 {
			t.Fatalf("proof after run %d: %+v", run, p)
		}
		s.shut()
	}
}

// A crash between REPORTS and LEDGER: what was handed on is not handed on again,
// and what was not is.
func TestACrashBetweenTheTwoJournals(t *testing.T) {
	s := openSite(t, t.TempDir())
	s.accept(t, order("ann", 1), order("bob", 2), order("cid", 3))
	meta, _ := json.Marshal(Meta{Upto: 1})
	item := integrations.Item{Place: event.Place{Seq: 1, Index: 1}, AnonymousID: "bob", Payload: json.RawMessage(`{"id":"bob","total":2}`)}
	b, err := item.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.reports.Append(t.Context(), meta, [][]byte{b}); err != nil {
		t.Fatal(err)
	}
	s.work(t, testPipeline(t, nil), nil)
	want := []string{`{"id":"bob","total":2}`, `{"id":"ann","total":1}`, `{"id":"cid","total":3}`}
	if got := s.handed(t); !slices.Equal(got, want) {
		t.Errorf("handed on %q, want %q", got, want)
	}
	if p := s.proof(t); !p.Holds() || p.Outcomes["pending"] != 3 {
		t.Errorf("proof: %+v", p)
	}
}

// What was handed on before the crash may be more than one batch after it.
func TestACrashBehindALargeBatch(t *testing.T) {
	s := openSite(t, t.TempDir())
	s.accept(t, slices.Repeat([]string{`{"type":"track","event":"Unheard Of"}`}, batchEvents)...)
	s.accept(t, order("ann", 1))
	meta, _ := json.Marshal(Meta{Upto: 2})
	item := integrations.Item{Place: event.Place{Seq: 2}, AnonymousID: "ann", Payload: json.RawMessage(`{"id":"ann","total":1}`)}
	b, err := item.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.reports.Append(t.Context(), meta, [][]byte{b}); err != nil {
		t.Fatal(err)
	}
	s.work(t, testPipeline(t, nil), nil)
	if got, want := s.handed(t), []string{`{"id":"ann","total":1}`}; !slices.Equal(got, want) {
		t.Errorf("handed on %q, want %q", got, want)
	}
	if p := s.proof(t); !p.Holds() || p.Outcomes["pending"] != 1 {
		t.Errorf("proof: %+v", p)
	}
}

// The visitors of the store may be older than what is handed on: they are built
// anew from EVENTS, so that a withdrawn consent is never forgotten.
func TestVisitorsAreRebuilt(t *testing.T) {
	dir := t.TempDir()
	marketing := func(p *Pipeline) { p.Routes[0].Categories = []consent.Bucket{consent.Marketing} }
	s := openSite(t, dir)
	s.accept(t, `{"type":"page","context":{"consent":{"marketing":true}}}`, `{"type":"identify","userId":"u1"}`)
	s.work(t, testPipeline(t, marketing), nil)
	s.accept(t, `{"type":"page","context":{"consent":{"marketing":false}}}`)
	s.work(t, testPipeline(t, marketing), nil)
	// As if the last write-behind had not come about.
	v, ok, err := s.store.Visitor(t.Context(), "shop", "ann")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	v.Consent = consent.State{Canonical: map[consent.Bucket]bool{consent.Marketing: true}}
	if err := s.store.SaveVisitors(t.Context(), []store.Visitor{v}, 1); err != nil {
		t.Fatal(err)
	}
	s.shut()

	s = openSite(t, dir)
	w := s.work(t, testPipeline(t, marketing), func(w *Worker) {
		if ok, reason, err := w.Allowed(t.Context(), "shop", "shop/x", "ann"); err != nil || ok || reason != "consent: marketing is not granted any more" {
			t.Errorf("Allowed = %v, %q after a withdrawal", ok, reason)
		}
	})
	if got := w.visitors.byKey[visitorKey{"shop", "ann"}].UserID; got != "u1" {
		t.Errorf("userId = %q, want u1", got)
	}
	if got := s.handed(t); len(got) != 2 {
		t.Errorf("handed on %q, want the page and the identify alone", got)
	}
}

func TestTheSameVisitAfterACrash(t *testing.T) {
	dir := t.TempDir()
	s := openSite(t, dir)
	s.accept(t, order("ann", 1))
	s.work(t, testPipeline(t, nil), nil)
	v, _, err := s.store.Visitor(t.Context(), "shop", "ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.SaveVisitors(t.Context(), []store.Visitor{{Visitor: v.Visitor}}, 0); err != nil {
		t.Fatal(err)
	}
	w := s.work(t, testPipeline(t, nil), nil)
	if got := w.visitors.byKey[visitorKey{"shop", "ann"}].Session; got.Sid != v.Session.Sid || got.Vid != v.Session.Vid {
		t.Errorf("session = %+v, want %+v", got, v.Session)
	}
}

func TestReplayOfADeadLetter(t *testing.T) {
	s := openSite(t, t.TempDir())
	s.accept(t, order("ann", 7), `{"type":"track","event":"Order Completed","properties":{"revenue":1,"bad":true}}`)
	s.work(t, testPipeline(t, nil), nil)
	place := event.Place{Seq: 1, Index: 0}
	dead := ledger.Entry{Place: place, Pipeline: "shop", Integration: "shop/x", Outcome: trace.Dead, Ended: true, At: time.Now()}
	b, _ := dead.Append(nil)
	if _, err := s.ledger.Append(t.Context(), []byte(`{}`), [][]byte{b}); err != nil {
		t.Fatal(err)
	}
	if err := s.store.AddDead(t.Context(), []store.DeadLetter{{ID: "d1", Pipeline: "shop", Integration: "shop/x", MessageID: "m0", AnonymousID: "ann", Place: place}}); err != nil {
		t.Fatal(err)
	}
	// Asked for twice at once, and twice in one call: it goes once.
	s.work(t, testPipeline(t, nil), func(w *Worker) {
		var sent atomic.Int64
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				r, err := w.Replay(t.Context(), []string{"d1", "d1", "unknown"}, false)
				if err != nil {
					t.Error(err)
				}
				sent.Add(int64(r.Sent))
			})
		}
		wg.Wait()
		if sent.Load() != 1 {
			t.Errorf("%d were sent again, want 1", sent.Load())
		}
	})
	if got, want := s.handed(t), []string{`{"id":"ann","total":7}`, `{"id":"ann","total":7}`}; !slices.Equal(got, want) {
		t.Errorf("handed on %q, want %q", got, want)
	}
	if n, err := s.store.CountDead(t.Context(), store.DeadFilter{}); n != 0 || err != nil {
		t.Errorf("%d dead letters are left, %v", n, err)
	}
	if p := s.proof(t); !p.Holds() || p.Outcomes["pending"] != 1 || p.Outcomes["filtered"] != 1 || p.Replayed != 1 {
		t.Errorf("proof: %+v", p)
	}
}

// A thousand visitors in many frames: order per visitor is the order of receipt.
func TestOrderPerVisitor(t *testing.T) {
	s := openSite(t, t.TempDir())
	n := 0
	for range 20 {
		var bodies []string
		for v := range 50 {
			bodies = append(bodies, order(fmt.Sprint("v", v), n))
			n++
		}
		s.accept(t, bodies...)
	}
	s.work(t, testPipeline(t, nil), nil)
	last := map[string]int{}
	for _, payload := range s.handed(t) {
		var p struct {
			ID    string
			Total int
		}
		if err := json.Unmarshal([]byte(payload), &p); err != nil {
			t.Fatal(err)
		}
		if before, ok := last[p.ID]; ok && p.Total <= before {
			t.Fatalf("%s: %d came after %d", p.ID, p.Total, before)
		}
		last[p.ID] = p.Total
	}
	if p := s.proof(t); !p.Holds() || p.Pairs != n {
		t.Errorf("proof: %+v, want %d pairs", p, n)
	}
}
