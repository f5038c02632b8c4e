package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/store/sqlite"
)

// depot is a data folder with what delivery reads and writes.
type depot struct {
	t       testing.TB
	journal *journal.Journal
	reports *journal.Log
	ledger  *journal.Log
	store   *store.Store
}

func openDepot(t testing.TB, dir string) *depot {
	t.Helper()
	d := &depot{t: t}
	var err error
	if d.journal, err = journal.Open(t.Context(), journal.Options{Dir: filepath.Join(dir, "journal")}); err != nil {
		t.Fatal(err)
	}
	if d.reports, err = d.journal.Log(t.Context(), "reports.shop/x", journal.LogOptions{}); err != nil {
		t.Fatal(err)
	}
	if d.ledger, err = d.journal.Log(t.Context(), "ledger", journal.LogOptions{}); err != nil {
		t.Fatal(err)
	}
	if d.store, err = sqlite.Open(t.Context(), filepath.Join(dir, "signal.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.shut)
	return d
}

func (d *depot) shut() {
	_ = d.store.Close()
	_ = d.journal.Close()
}

// hand writes a frame of REPORTS as process would.
func (d *depot) hand(items ...integrations.Item) {
	d.t.Helper()
	var raw [][]byte
	for i := range items {
		b, err := items[i].Append(nil)
		if err != nil {
			d.t.Fatal(err)
		}
		raw = append(raw, b)
	}
	if _, err := d.reports.Append(d.t.Context(), []byte(`{"upto":1}`), raw); err != nil {
		d.t.Fatal(err)
	}
}

// order is an event of a visitor as process hands it over.
func order(seq uint64, visitor, message string) integrations.Item {
	return integrations.Item{Place: event.Place{Seq: seq}, AnonymousID: visitor, MessageID: message, ReceivedAt: time.Now(), Payload: json.RawMessage(`{}`)}
}

// deliver runs a Courier over a script until ok holds.
func (d *depot) deliver(s *script, ok func(*Courier) bool) {
	d.t.Helper()
	d.deliverBy(s, s, nil, ok)
}

// deliverBy is deliver for a connection around a script.
func (d *depot) deliverBy(by integrations.Connection, s *script, change func(*Options), ok func(*Courier) bool) {
	d.t.Helper()
	s.start = time.Now()
	o := Options{
		Integration: store.Integration{ID: "shop/x", Pipeline: "shop"}, Connection: by,
		Reports: d.reports, Ledger: d.ledger, Store: d.store, Concurrency: 8, Grace: time.Second,
	}
	if change != nil {
		change(&o)
	}
	c := New(o)
	ctx, cancel := context.WithCancel(d.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Run(ctx); err != nil {
			d.t.Errorf("courier: %v", err)
		}
	})
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok(c) {
		select {
		case <-tick.C:
		case <-deadline:
			d.t.Fatal("it did not come about within 10 s")
		}
	}
	cancel()
	wg.Wait()
}

// ended gives the entries of the ledger as "seq.gen outcome".
func (d *depot) ended() []string {
	d.t.Helper()
	var out []string
	err := d.ledger.Each(d.t.Context(), 1, func(f journal.Frame) error {
		for _, raw := range f.Items {
			e, err := ledger.Parse(raw)
			if err != nil {
				return err
			}
			out = append(out, fmt.Sprintf("%d.%d %s", e.Place.Seq, e.Gen, e.Outcome))
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func (d *depot) settled(n int) func(*Courier) bool {
	return func(*Courier) bool { return len(d.ended()) >= n }
}

func TestWhatIsSettledIsNotSentAgain(t *testing.T) {
	dir := t.TempDir()
	d := openDepot(t, dir)
	d.hand(order(1, "ann", "a1"), order(2, "bob", "b1"), order(3, "ann", "a2"))
	first := &script{answers: map[string][]attempt.Result{"bob": {{Verdict: attempt.Retry, RetryAfter: time.Hour}}}}
	d.deliver(first, d.settled(2))
	d.shut()

	d = openDepot(t, dir)
	d.hand(order(4, "ann", "a3"))
	second := &script{}
	d.deliver(second, d.settled(4))
	slices.Sort(second.got)
	wantLines(t, "sent after the restart", second.got, []string{"ann/a3 at 0s", "bob/b1 at 0s"})
	wantLines(t, "ledger", d.ended(), []string{"1.0 delivered", "2.0 delivered", "3.0 delivered", "4.0 delivered"})
}

func TestIdsOfTheVendorSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	d := openDepot(t, dir)
	d.hand(order(1, "ann", "a1"))
	d.deliver(&script{answers: map[string][]attempt.Result{"ann": {{IDs: attempt.IDs{Visitor: "V", Session: "S"}}}}}, d.settled(1))
	d.shut()

	d = openDepot(t, dir)
	d.hand(order(2, "ann", "a2"))
	s := &script{}
	d.deliver(s, d.settled(2))
	if got := s.visits[0].IDs; got != (attempt.IDs{Visitor: "V", Session: "S"}) {
		t.Errorf("built with %+v, want the ids from before", got)
	}
}

func TestADeadLetterIsKeptBeforeItsEntry(t *testing.T) {
	dir := t.TempDir()
	d := openDepot(t, dir)
	d.hand(order(1, "ann", "a1"))
	s := &script{answers: map[string][]attempt.Result{"ann": {{Verdict: attempt.Dead, Status: 400, Code: 5, Why: "LivePerson refused lead.value.", Remedy: "Change the mapping."}}}}
	d.deliver(s, d.settled(1))
	letters, _, err := d.store.DeadLetters(t.Context(), store.DeadFilter{})
	if err != nil || len(letters) != 1 {
		t.Fatal(letters, err)
	}
	if l := letters[0]; l.Reason != "LivePerson refused lead.value." || l.Remedy != "Change the mapping." || l.Status != 400 || l.Code != 5 || l.Attempts != 1 || l.MessageID != "a1" {
		t.Errorf("letter = %+v", l)
	}
	wantLines(t, "ledger", d.ended(), []string{"1.0 dead"})
}

// A crash after the dead letter and before its entry: the entry is written, and
// nothing is sent.
func TestADeadLetterWithoutItsEntry(t *testing.T) {
	d := openDepot(t, t.TempDir())
	d.hand(order(1, "ann", "a1"))
	if err := d.store.AddDead(t.Context(), []store.DeadLetter{{Integration: "shop/x", Pipeline: "shop", Place: event.Place{Seq: 1}}}); err != nil {
		t.Fatal(err)
	}
	s := &script{}
	d.deliver(s, d.settled(1))
	wantLines(t, "sent", s.got, nil)
	wantLines(t, "ledger", d.ended(), []string{"1.0 dead"})
}

// A crash in the middle of a replay: REPORTS has it, the ledger does not, and
// the dead letter is still on the list.
func TestAReplayThatACrashCutOff(t *testing.T) {
	d := openDepot(t, t.TempDir())
	again := order(1, "ann", "a1")
	again.Gen = 1
	d.hand(again)
	if err := d.store.AddDead(t.Context(), []store.DeadLetter{{Integration: "shop/x", Pipeline: "shop", Place: event.Place{Seq: 1}}}); err != nil {
		t.Fatal(err)
	}
	s := &script{}
	d.deliver(s, d.settled(2))
	wantLines(t, "ledger", d.ended(), []string{"1.1 delivered", "1.1 pending"})
	if n, err := d.store.CountDead(t.Context(), store.DeadFilter{}); n != 0 || err != nil {
		t.Errorf("%d dead letters are left, %v", n, err)
	}
}

func TestTheCursorMovesAndReportsArePurged(t *testing.T) {
	d := openDepot(t, t.TempDir())
	for i := range 40 {
		d.hand(order(uint64(i+1), "ann", fmt.Sprint(i)))
	}
	d.deliver(&script{}, func(c *Courier) bool { return len(d.ended()) == 40 && c.Status().Waiting == 0 })
	first, last, err := d.reports.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if last != 40 || last-first+1 > kept {
		t.Errorf("REPORTS holds %d to %d, want the last %d of 40", first, last, kept)
	}
	at, behind, err := New(Options{Integration: store.Integration{ID: "shop/x"}, Reports: d.reports, Ledger: d.ledger, Store: d.store}).Reads(t.Context())
	if behind || err != nil {
		t.Errorf("a restart would read the ledger from %d, %v; want nothing to read", at, err)
	}
}

func TestCarriedAddressesAreDurableWithTheirEntry(t *testing.T) {
	d := openDepot(t, t.TempDir())
	d.hand(order(1, "ann", "page1"))
	d.deliver(&script{carry: map[string]bool{"page1": true}}, func(*Courier) bool {
		if len(d.ended()) == 0 {
			return false
		}
		v, ok, err := d.store.Visit(t.Context(), "shop/x", "ann")
		if err != nil || !ok || !slices.Equal(v.Waiting, []string{"page1"}) {
			t.Errorf("visit = %+v, %v, %v: the entry is there before the address", v, ok, err)
		}
		return true
	})
	wantLines(t, "ledger", d.ended(), []string{"1.0 carried"})
}

func TestMemoryStaysBounded(t *testing.T) {
	d := openDepot(t, t.TempDir())
	for i := range 30 {
		var items []integrations.Item
		for j := range 100 {
			items = append(items, order(uint64(i*100+j+1), fmt.Sprint("v", j), fmt.Sprint(i)))
		}
		d.hand(items...)
	}
	s := &script{takes: 100 * time.Microsecond}
	s.start = time.Now()
	most := 0
	c := New(Options{Integration: store.Integration{ID: "shop/x", Pipeline: "shop"}, Connection: s, Reports: d.reports, Ledger: d.ledger, Store: d.store, MaxHeld: 500})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Errorf("courier: %v", err)
		}
	})
	deadline := time.After(20 * time.Second)
	for done := false; !done; {
		select {
		case <-deadline:
			t.Fatal("not delivered within 20 s")
		case <-time.After(time.Millisecond):
		}
		c.lanes.mu.Lock()
		most = max(most, c.lanes.held)
		c.lanes.mu.Unlock()
		s.mu.Lock()
		done = len(s.got) == 3000
		s.mu.Unlock()
	}
	cancel()
	wg.Wait()
	if most > 600 {
		t.Errorf("%d items were held, want at most 500 and a frame", most)
	}
}
