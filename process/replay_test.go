package process

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// kill ends pairs as delivery does when it gives them up: the letters, then the
// LEDGER.
func (s *site) kill(t testing.TB, gen int, letters ...store.DeadLetter) {
	t.Helper()
	var entries [][]byte
	for i := range letters {
		l := &letters[i]
		l.Pipeline, l.Integration, l.AnonymousID, l.Gen, l.LastAt = "shop", "shop/x", "ann", gen, time.Now().UTC()
		e := ledger.Entry{Place: l.Place, Gen: gen, Pipeline: "shop", Integration: "shop/x", Outcome: trace.Dead, Ended: true, At: time.Now()}
		b, err := e.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, b)
	}
	if err := s.store.AddDead(t.Context(), letters); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ledger.Append(t.Context(), []byte(`{}`), entries); err != nil {
		t.Fatal(err)
	}
}

func place(index int) event.Place { return event.Place{Seq: 1, Index: index} }

// refuse makes the store refuse to delete from a table until the function that
// it gives is called.
func refuse(t testing.TB, dir, table string) (allow func()) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "signal.db"))
	if err != nil {
		t.Fatal(err)
	}
	do := func(statement string) {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	do(`CREATE TRIGGER refuse BEFORE DELETE ON ` + table + ` BEGIN SELECT RAISE(ABORT, 'the test refuses'); END`)
	return func() {
		do(`DROP TRIGGER refuse`)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The store fails while a replay is under way: however often it is asked for
// again, also after a restart, each generation begins once.
func TestAReplayThatTheStoreInterrupts(t *testing.T) {
	for _, table := range []string{"dead_letters", "meta"} {
		for _, restart := range []bool{false, true} {
			name := "a refused delete from " + table
			if restart {
				name += ", and a restart"
			}
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				s := openSite(t, dir)
				s.accept(t, order("ann", 1), order("ann", 2))
				s.work(t, testPipeline(t, nil), nil)
				s.kill(t, 0, store.DeadLetter{ID: "d0", Place: place(0)}, store.DeadLetter{ID: "d1", Place: place(1)})
				allow := refuse(t, dir, table)
				s.work(t, testPipeline(t, nil), func(w *Worker) {
					for range 2 {
						_, _ = w.Replay(t.Context(), []string{"d0"}, false) // it fails, or not: no beginning may be doubled
					}
					if !restart {
						allow()
						sendAgain(t, w, "d0", "d1")
					}
				})
				if restart {
					allow()
					s.work(t, testPipeline(t, nil), func(w *Worker) { sendAgain(t, w, "d0", "d1") })
				}
				if n, err := s.store.CountDead(t.Context(), store.DeadFilter{}); n != 0 || err != nil {
					t.Errorf("%d dead letters are left, %v", n, err)
				}
				if got := len(s.handed(t)); got != 4 {
					t.Errorf("%d items in REPORTS, want each event twice", got)
				}
				if p := s.proof(t); !p.Holds() || p.Replayed != 2 || p.Outcomes["pending"] != 2 {
					t.Errorf("proof: %+v", p)
				}
			})
		}
	}
}

func sendAgain(t *testing.T, w *Worker, ids ...string) {
	t.Helper()
	if _, err := w.Replay(t.Context(), ids, false); err != nil {
		t.Errorf("replay: %v", err)
	}
}

// end ends pairs as delivery does.
func (s *site) end(t testing.TB, gen int, o trace.Outcome, places ...event.Place) {
	t.Helper()
	var entries [][]byte
	for _, at := range places {
		e := ledger.Entry{Place: at, Gen: gen, Pipeline: "shop", Integration: "shop/x", Outcome: o, Ended: true, At: time.Now(), Took: time.Second}
		b, err := e.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, b)
	}
	if _, err := s.ledger.Append(t.Context(), []byte(`{}`), entries); err != nil {
		t.Fatal(err)
	}
}

// outcomes gives the last state of each generation in the LEDGER, in order.
func (s *site) outcomes(t testing.TB) string {
	t.Helper()
	state := map[string]string{}
	err := s.ledger.Each(t.Context(), 1, func(f journal.Frame) error {
		for _, raw := range f.Items {
			e, err := ledger.Parse(raw)
			if err != nil {
				return err
			}
			k := fmt.Sprintf("%d.%d", e.Place.Index, e.Gen)
			if was := state[k]; was == "" || was == "pending" {
				state[k] = string(e.Outcome)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(state)) {
		out = append(out, k+" "+state[k])
	}
	return strings.Join(out, ", ")
}

func everything() Selection {
	return Selection{Pipeline: "shop", Integration: "shop/x", From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}
}

func resend(t *testing.T, w *Worker, s Selection, dry bool) Replayed {
	t.Helper()
	f, err := w.Find(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Resend(t.Context(), f, f.Len(), dry)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Stored events are sent again in the next generation of each pair, whatever
// became of it before; what still waits is not.
func TestResend(t *testing.T) {
	s := openSite(t, t.TempDir())
	s.accept(t, order("ann", 0), order("bob", 1), order("ann", 2), order("ann", 3), `{"type":"track","event":"Unheard Of"}`)
	s.work(t, testPipeline(t, nil), nil)
	s.end(t, 0, trace.Delivered, place(0))
	s.end(t, 0, trace.Carried, place(1))
	s.kill(t, 0, store.DeadLetter{ID: "d2", Place: place(2)})
	const before = "0.0 delivered, 1.0 carried, 2.0 dead, 3.0 pending, 4.0 filtered"
	if got := s.outcomes(t); got != before {
		t.Fatalf("before: %s", got)
	}
	s.work(t, testPipeline(t, nil), func(w *Worker) {
		want := Replayed{Sent: 3, Repeats: 2, Pending: 1, Filtered: map[string]int{`not mapped: no rule for "Unheard Of"`: 1}}
		if got := resend(t, w, everything(), true); !reflect.DeepEqual(got, want) {
			t.Errorf("dry run %+v, want %+v", got, want)
		}
		if got := s.outcomes(t); got != before {
			t.Errorf("after the dry run: %s", got)
		}
		if got := resend(t, w, everything(), false); !reflect.DeepEqual(got, want) {
			t.Errorf("run %+v, want %+v", got, want)
		}
		if got := resend(t, w, everything(), false); got.Pending != 4 || got.Sent != 0 {
			t.Errorf("a second run while the first waits: %+v", got)
		}
	})
	if got, want := s.handed(t)[4:], []string{`{"id":"ann","total":0}`, `{"id":"bob","total":1}`, `{"id":"ann","total":2}`}; !slices.Equal(got, want) {
		t.Errorf("handed on %q, want %q", got, want)
	}
	if n, err := s.store.CountDead(t.Context(), store.DeadFilter{}); n != 0 || err != nil {
		t.Errorf("%d dead letters are left, %v", n, err)
	}
	const after = "0.0 delivered, 0.1 pending, 1.0 carried, 1.1 pending, 2.0 dead, 2.1 pending, 3.0 pending, 4.0 filtered, 4.1 filtered, 4.2 filtered"
	if got := s.outcomes(t); got != after {
		t.Errorf("after: %s", got)
	}
	if p := s.proof(t); !p.Holds() || p.Pairs != 5 || p.Outcomes["pending"] != 4 {
		t.Errorf("proof: %+v", p)
	}
	// Each in its next generation, from wherever it is by then.
	s.end(t, 1, trace.Delivered, place(0), place(1))
	s.kill(t, 1, store.DeadLetter{ID: "again", Place: place(2)})
	s.work(t, testPipeline(t, nil), func(w *Worker) {
		f, err := w.Find(t.Context(), everything())
		if err != nil {
			t.Fatal(err)
		}
		sendAgain(t, w, "again") // between the search and the sending
		if r, err := w.Resend(t.Context(), f, 100, false); err != nil || r.Sent != 2 || r.Pending != 2 {
			t.Errorf("%+v, %v", r, err)
		}
	})
	if p := s.proof(t); !p.Holds() || p.Pairs != 5 {
		t.Errorf("proof: %+v", p)
	}
}

func TestWhatASelectionFinds(t *testing.T) {
	s := openSite(t, t.TempDir())
	s.accept(t, order("ann", 0), order("bob", 1), `{"type":"identify","userId":"u1","anonymousId":"eve"}`, `{"type":"page","anonymousId":"ann"}`)
	s.work(t, testPipeline(t, nil), func(w *Worker) {
		for _, tt := range []struct {
			name   string
			change func(*Selection)
			want   int
		}{
			{"everything", func(*Selection) {}, 4},
			{"a visitor", func(s *Selection) { s.Visitor = "ann" }, 2},
			{"a user", func(s *Selection) { s.Visitor = "u1" }, 1},
			{"an event, in another spelling", func(s *Selection) { s.Event = "order_completed" }, 2},
			{"an event of a visitor", func(s *Selection) { s.Event, s.Visitor = "page", "ann" }, 1},
			{"another pipeline's", func(s *Selection) { s.Pipeline = "shop" }, 4},
			{"before anything came", func(s *Selection) { s.To = s.From.Add(time.Minute) }, 0},
			{"after everything came", func(s *Selection) { s.From = s.To.Add(-time.Minute) }, 0},
		} {
			sel := everything()
			tt.change(&sel)
			f, err := w.Find(t.Context(), sel)
			if err != nil || f.Len() != tt.want {
				t.Errorf("%s: %d, %v, want %d", tt.name, f.Len(), err, tt.want)
			}
			if time.Since(f.Oldest) > time.Minute {
				t.Errorf("%s: the oldest stored event is of %v", tt.name, f.Oldest)
			}
		}
		off := everything()
		off.Integration = "shop/y"
		if _, err := w.Find(t.Context(), off); err == nil {
			t.Error("an integration that is not there is taken")
		}
	})
}

// An integration that was added later never had the events of before: they come
// to it as a replay, and are counted once.
func TestResendToANewIntegration(t *testing.T) {
	s := openSite(t, t.TempDir())
	s.accept(t, order("ann", 0))
	s.work(t, testPipeline(t, func(p *Pipeline) { p.Routes = nil }), nil)
	s.work(t, testPipeline(t, nil), func(w *Worker) {
		if r := resend(t, w, everything(), false); r.Sent != 1 || r.Repeats != 0 {
			t.Errorf("%+v", r)
		}
	})
	if got := s.outcomes(t); got != "0.0 filtered, 0.1 pending" {
		t.Errorf("outcomes: %s", got)
	}
	if p := s.proof(t); !p.Holds() || p.Pairs != 1 {
		t.Errorf("proof: %+v", p)
	}
}

// Consent as it is now decides, not as it was.
func TestReplayAsksForConsentOfToday(t *testing.T) {
	s := openSite(t, t.TempDir())
	gate := testPipeline(t, func(p *Pipeline) { p.Routes[0].Categories = []consent.Bucket{consent.Marketing} })
	s.accept(t, `{"type":"track","event":"Order Completed","anonymousId":"ann","properties":{"revenue":1},"context":{"consent":{"marketing":true}}}`)
	s.work(t, gate, nil)
	s.end(t, 0, trace.Delivered, place(0))
	s.accept(t, `{"type":"page","anonymousId":"ann","context":{"consent":{"marketing":false}}}`)
	s.work(t, gate, func(w *Worker) {
		sel := everything()
		sel.Event = "Order Completed"
		if r := resend(t, w, sel, false); r.Sent != 0 || r.Filtered["consent: marketing is not granted"] != 1 {
			t.Errorf("%+v", r)
		}
	})
	if p := s.proof(t); !p.Holds() {
		t.Errorf("proof: %+v", p)
	}
}

// An integration that is off takes no replays, and loses no letter by them.
func TestReplayToAnIntegrationThatIsOff(t *testing.T) {
	s := openSite(t, t.TempDir())
	s.accept(t, order("ann", 0))
	s.work(t, testPipeline(t, nil), nil)
	s.kill(t, 0, store.DeadLetter{ID: "d0", Place: place(0)})
	s.work(t, testPipeline(t, func(p *Pipeline) { p.Routes = nil }), func(w *Worker) {
		r, err := w.Replay(t.Context(), []string{"d0"}, false)
		if err != nil || len(r.Kept) != 1 || r.Events() != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
	if n, err := s.store.CountDead(t.Context(), store.DeadFilter{}); n != 1 || err != nil {
		t.Errorf("%d dead letters are left, %v, want 1", n, err)
	}
}

// Killed between any two writes of a replay: the next run finishes it or takes
// it back, and the letter is on the list or the event on its way, never both.
func TestAReplayThatIsKilled(t *testing.T) {
	for _, tt := range []struct {
		name            string
		reports, ledger bool
		letters, items  int
	}{
		{"after the note", false, false, 1, 1},
		{"after REPORTS", true, false, 0, 2},
		{"after LEDGER", true, true, 0, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := openSite(t, t.TempDir())
			s.accept(t, order("ann", 0))
			w := s.work(t, testPipeline(t, nil), nil)
			letter := store.DeadLetter{ID: "d0", Place: place(0), Reason: "It was refused."}
			s.kill(t, 0, letter)
			// The replay, step by step, on a Worker whose Run has ended.
			d, _, err := s.store.DeadLetter(t.Context(), "d0")
			if err != nil {
				t.Fatal(err)
			}
			p := &pair{pipeline: "shop", integration: "shop/x", place: place(0), gen: 1, letter: &d}
			out, sum := newOutput(), Replayed{}
			if ok, err := w.again(t.Context(), out, &sum, p); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if err := w.noteReplay(t.Context(), []*pair{p}); err != nil {
				t.Fatal(err)
			}
			if tt.reports {
				if _, _, err := appendAll(t.Context(), s.reports, Meta{}, Meta{}, out.items["shop/x"]); err != nil {
					t.Fatal(err)
				}
			}
			if tt.ledger {
				if _, _, err := appendAll(t.Context(), s.ledger, ledger.Meta{}, ledger.Meta{}, out.entries); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				s.work(t, testPipeline(t, nil), func(w *Worker) { started(t, w) })
			}
			page, _, err := s.store.DeadLetters(t.Context(), store.DeadFilter{})
			if err != nil || len(page) != tt.letters || tt.letters == 1 && !reflect.DeepEqual(page[0], d) {
				t.Errorf("dead letters %+v, %v, want %d as they were", page, err, tt.letters)
			}
			if got := len(s.handed(t)); got != tt.items {
				t.Errorf("%d items in REPORTS, want %d", got, tt.items)
			}
			if p := s.proof(t); !p.Holds() || p.Pairs != 1 {
				t.Errorf("proof: %+v", p)
			}
		})
	}
}

// started waits until the Worker takes turns.
func started(t *testing.T, w *Worker) {
	if _, err := inTurn(t.Context(), w, func(context.Context) (int, error) { return 0, nil }); err != nil {
		t.Error(err)
	}
}

// When Run has ended nobody waits for ever.
func TestReplayAfterTheEnd(t *testing.T) {
	s := openSite(t, t.TempDir())
	w := s.work(t, testPipeline(t, nil), func(w *Worker) { started(t, w) })
	if _, err := w.Replay(t.Context(), []string{"x"}, false); !errors.Is(err, ErrEnded) {
		t.Errorf("error = %v", err)
	}
}
