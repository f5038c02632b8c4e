package process

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/datafly/signal/event"
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
