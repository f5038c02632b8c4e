package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/store/sqlite"
	"github.com/datafly/signal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuite(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{}
	storetest.Run(t, func(t *testing.T) *store.Store {
		path, known := files[t.Name()]
		if !known {
			path = filepath.Join(dir, fmt.Sprintf("%d.db", len(files)))
			files[t.Name()] = path
		}
		s, err := sqlite.Open(context.WithoutCancel(t.Context()), path)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestOpenFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sqliteFile := func(name string, statements ...string) string {
		path := filepath.Join(dir, name)
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, q := range statements {
			if _, err := db.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	newer := filepath.Join(dir, "newer.db")
	s, err := sqlite.Open(t.Context(), newer)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sqliteFile("newer.db", `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`)

	tests := []struct {
		name, path string
		err        string // a part of the error; "" for none
	}{
		{"a new file", filepath.Join(dir, "new.db"), ""},
		{"a new folder", filepath.Join(dir, "a", "b", "new.db"), ""},
		{"a path with signs that mean something in addresses", filepath.Join(dir, "a b?c=d#e%41&f;g", "ü 'x' \"y\".db"), ""},
		{"an empty file", write("empty.db", ""), ""},
		{"a text", write("text.db", strings.Repeat("not a database\n", 100)), "is not a SQLite database"},
		{"a SQLite file of another program", sqliteFile("other.db", `CREATE TABLE a (b)`), "another program"},
		{"a SQLite file that another program marked", sqliteFile("marked.db", `PRAGMA application_id = 7`), "another program"},
		{"a file of a newer version", newer, "newer version of Signal"},
		{"a folder", dir, dir},
		{"below a file", filepath.Join(write("file", "x"), "new.db"), "file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sqlite.Open(t.Context(), tt.path)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), tt.path) {
					t.Fatalf("err = %v, want it to contain %q and the path", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.SetMeta(t.Context(), "a", "b"); err != nil {
				t.Error(err)
			}
			info, err := os.Stat(tt.path)
			if err != nil {
				t.Fatalf("the file is not where it was asked for: %v", err)
			}
			if info.Mode().Perm() != 0o600 && tt.name != "an empty file" {
				t.Errorf("mode = %v, want it for the owner alone", info.Mode())
			}
		})
	}
}

// A foreign file must be as it was.
func TestOpenLeavesForeignFilesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	text := strings.Repeat("my notes\n", 1000)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), path); err == nil {
		t.Fatal("open = nil, want an error")
	}
	if got, _ := os.ReadFile(path); string(got) != text {
		t.Error("the file was changed")
	}
}

// Settings that durability and speed rest on.
func TestSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, tt := range []struct{ writer, reader string }{{"PRAGMA journal_mode", "wal"}} {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var got string
		if err := db.QueryRow(tt.writer).Scan(&got); err != nil || got != tt.reader {
			t.Errorf("%s = %q, %v, want %q", tt.writer, got, err, tt.reader)
		}
	}
	if _, err := os.Stat(path + "-wal"); err != nil {
		t.Errorf("no write-ahead log beside the file: %v", err)
	}
}

// Two processes may have the file open: a command beside the server.
func TestTwoStoresOnOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	stores := make([]*store.Store, 3)
	errs := make(chan error)
	for i := range stores {
		go func() {
			s, err := sqlite.Open(t.Context(), path)
			stores[i] = s
			errs <- err
		}()
	}
	for range stores {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range stores {
		go func() {
			var err error
			for n := 0; n < 30 && err == nil; n++ {
				err = s.SetMeta(t.Context(), fmt.Sprintf("k%d-%d", i, n), "v")
			}
			errs <- err
		}()
	}
	for range stores {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for _, s := range stores {
		if _, ok, err := s.Meta(t.Context(), "k2-29"); !ok || err != nil {
			t.Errorf("a value of another store: %t, %v", ok, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkStore(b *testing.B) {
	s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "a.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	storetest.Benchmark(b, s, 200_000)
}

// What was kept when the process is killed is there afterwards: a child keeps
// dead letters and counts, says each number when it is kept, and is killed in
// the middle.
func TestKilled(t *testing.T) {
	if path := os.Getenv("STORE_OF_A_CHILD"); path != "" {
		keepForEver(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "a.db")
	for round := range 3 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
		child.Env = append(os.Environ(), "STORE_OF_A_CHILD="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		said := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if _, err := fmt.Sscanf(lines.Text(), "kept %d", &said); err == nil && said >= 40*(round+1) {
				break
			}
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // it was killed

		s, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		dead, err := s.CountDead(t.Context(), store.DeadFilter{})
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.Overview(t.Context(), store.OverviewFilter{})
		if err != nil {
			t.Fatal(err)
		}
		ledger, _, err := s.CountCursor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if dead < said || o.Totals.Dead != int64(ledger) || int(ledger) < said {
			t.Errorf("round %d: %d said to be kept; %d letters, %d counted up to %d", round, said, dead, o.Totals.Dead, ledger)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func keepForEver(t *testing.T, path string) {
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	from, _, err := s.CountCursor(t.Context())
	for n := from + 1; err == nil && n < from+100_000; n++ {
		err = s.AddDead(t.Context(), []store.DeadLetter{{Integration: "shop/lp", Place: event.Place{Seq: n}, LastAt: time.Now()}})
		if err == nil {
			err = s.ApplyCounts(t.Context(), store.CountBatch{Ledger: n, Counts: []store.Count{
				{Pipeline: "shop", Integration: "shop/lp", Outcome: "dead", Minute: time.Now(), N: 1},
			}})
		}
		fmt.Printf("kept %d\n", n)
	}
	t.Fatal("not killed:", err)
}
