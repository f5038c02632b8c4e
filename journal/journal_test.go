package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArg {
		child(os.Args[2:])
		return
	}
	goleak.VerifyTestMain(m)
}

// quiet is a logger whose lines only show when a test fails.
func quiet(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func openDir(t testing.TB, dir string) *Journal {
	t.Helper()
	return openWith(t, Options{Dir: dir, Logger: quiet(t)})
}

func openWith(t testing.TB, o Options) *Journal {
	t.Helper()
	j, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func openLog(t testing.TB, j *Journal, name string) *Log {
	t.Helper()
	l, err := j.Log(t.Context(), name, LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func appendOne(t testing.TB, l *Log, item string) uint64 {
	t.Helper()
	seq, err := l.Append(t.Context(), nil, [][]byte{[]byte(item)})
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// eventually polls until ok, in real time: a server's and a disk's.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestOpenIsQuick(t *testing.T) {
	start := time.Now()
	j := openDir(t, t.TempDir())
	appendOne(t, openLog(t, j, "events"), "one")
	if took := time.Since(start); took > 300*time.Millisecond {
		t.Logf("open, make a log and append took %s, meant to take less than 300 ms", took)
	}
}

func TestOpenOfAHeldDirectoryNamesTheHolder(t *testing.T) {
	dir := t.TempDir()
	j := openDir(t, dir)
	_, err := Open(t.Context(), Options{Dir: dir, Logger: quiet(t)})
	for _, want := range []string{dir, fmt.Sprint("process ", os.Getpid()), "stop that process"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("second Open: error %q, want it to hold %q", err, want)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	openDir(t, dir)
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		o    Options
		want string
	}{
		{"without a directory", t.Context(), Options{}, "give a data directory"},
		{"a file in place of the directory", t.Context(), Options{Dir: file}, file},
		{"a cluster that is not there", t.Context(), Options{URL: "nats://127.0.0.1:1"}, "nats://127.0.0.1:1"},
		{"a ctx that ended", ended, Options{Dir: t.TempDir()}, "canceled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Logger = quiet(t)
			_, err := Open(tt.ctx, tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %v, want %q in it", err, tt.want)
			}
		})
	}
}

// A log whose folder is damaged must not be taken for an empty one.
func TestOpenOfADamagedLogFails(t *testing.T) {
	dir := t.TempDir()
	j := openDir(t, dir)
	appendOne(t, openLog(t, j, "events"), "one")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	meta := dir + "/jetstream/$G/streams/signal-events/meta.inf"
	if err := os.WriteFile(meta, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "signal-events") {
		t.Errorf("Open = %v, want the name of the log in it", err)
	}
}

func TestLogNeedsAName(t *testing.T) {
	if _, err := openDir(t, t.TempDir()).Log(t.Context(), "", LogOptions{}); err == nil {
		t.Error("a log without a name was opened")
	}
}

func TestConnStaysAndCarriesCoreSubjects(t *testing.T) {
	nc := openDir(t, t.TempDir()).Conn()
	sub, err := nc.SubscribeSync("live.traces")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish("live.traces", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if m, err := sub.NextMsg(5 * time.Second); err != nil || string(m.Data) != "x" {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestAFullLogRefusesAndKeepsWhatIsOld(t *testing.T) {
	j := openWith(t, Options{Dir: t.TempDir(), Logger: quiet(t), MaxBytes: map[string]int64{"events": 4 << 10}})
	l, err := j.Log(t.Context(), "events", LogOptions{MaxBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	for err == nil {
		if _, err = l.Append(t.Context(), nil, [][]byte{noise(500)}); err == nil {
			n++
		}
	}
	if !errors.Is(err, ErrNotDurable) || !strings.Contains(err.Error(), "full") {
		t.Fatalf("a full log answered %v", err)
	}
	if first, last, err := l.Bounds(t.Context()); first != 1 || last != n || n < 5 || err != nil {
		t.Errorf("bounds %d, %d, %v after %d frames", first, last, err, n)
	}
	if err := l.Purge(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if seq, err := l.Append(t.Context(), nil, [][]byte{noise(500)}); err != nil || seq != n+1 {
		t.Errorf("after a purge: %d, %v, want %d", seq, err, n+1)
	}
}

func TestOptionsOfALogCanBeChanged(t *testing.T) {
	j := openDir(t, t.TempDir())
	l := openLog(t, j, "events")
	for range 10 {
		appendOne(t, l, "x")
	}
	for _, o := range []LogOptions{{MaxAge: time.Hour}, {MaxBytes: 100}, {MaxAge: time.Hour, MaxBytes: 1 << 30}, {}} {
		l, err := j.Log(t.Context(), "events", o)
		if err != nil {
			t.Fatal(err)
		}
		if first, last, err := l.Bounds(t.Context()); first != 1 || last != 10 || err != nil {
			t.Errorf("%+v: bounds %d, %d, %v", o, first, last, err)
		}
		cfg := l.stream.CachedInfo().Config
		if cfg.MaxAge != o.MaxAge || cfg.MaxBytes != noLimit(o.MaxBytes) {
			t.Errorf("%+v: kept for %s, in %d bytes", o, cfg.MaxAge, cfg.MaxBytes)
		}
	}
}

func TestLogsNeverHoldItems(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	j := openWith(t, Options{Dir: t.TempDir(), Logger: log, MaxBytes: map[string]int64{"small": 1 << 10}})
	l := openLog(t, j, "small")
	const secret = "anna@example.com"
	for range 10 {
		_, err := l.Append(t.Context(), []byte(secret), [][]byte{append(noise(300), secret...)})
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds the item: %v", err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), secret) {
		t.Errorf("a log line holds the item:\n%s", out.String())
	}
}
