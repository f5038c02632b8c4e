package journal

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// With the measurement of free space in the test's hands, on any machine.
func TestAppendsAreRefusedWhileTheReserveIsTouched(t *testing.T) {
	var free atomic.Int64
	free.Store(1 << 30)
	j := openWith(t, Options{Dir: t.TempDir(), Logger: quiet(t), freeBytes: func(string) (int64, error) {
		return free.Load(), nil
	}})
	l := openLog(t, j, "events")
	c := NewCommitter(l, CommitterOptions{})
	defer c.Close(t.Context())
	appendOne(t, l, "one")
	if err := j.Ready(); err != nil {
		t.Errorf("Ready = %v with space", err)
	}

	free.Store(64<<20 - 1)
	eventually(t, "appends are refused", func() bool {
		_, err := l.Append(t.Context(), nil, nil)
		return errors.Is(err, ErrNotDurable) && strings.Contains(err.Error(), "free some space")
	})
	if _, _, err := c.Commit(t.Context(), "shop", []byte("x")); !errors.Is(err, ErrNotDurable) {
		t.Errorf("Commit = %v without space", err)
	}
	if err := j.Ready(); !errors.Is(err, ErrNotDurable) {
		t.Errorf("Ready = %v without space", err)
	}

	free.Store(1 << 30)
	eventually(t, "appends are taken again", func() bool {
		_, _, err := c.Commit(t.Context(), "shop", []byte("x"))
		return err == nil
	})
}

func TestSpaceCountsWhatIsWrittenBetweenMeasurements(t *testing.T) {
	measured := 0
	s := &space{reserve: 100, free: func(string) (int64, error) { measured++; return 150, nil }}
	if err := s.take(40); err != nil {
		t.Error(err)
	}
	if err := s.take(40); err == nil {
		t.Error("a second frame of 40 bytes was taken of 50")
	}
	if measured != 1 {
		t.Errorf("measured %d times at once", measured)
	}
}

// JetStream goes off under the hand of a writer, as the server does by itself
// after some faults of the disk. The journal starts the server again, and
// readers, cursors and connections go on.
func TestTheServerIsRestartedWhenItStopsTakingFrames(t *testing.T) {
	j := openDir(t, t.TempDir())
	l := openLog(t, j, "events")
	r, err := l.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for want := uint64(1); want <= 3; want++ {
		if seq := appendOne(t, l, "x"); seq != want {
			t.Fatalf("appended as %d, want %d", seq, want)
		}
		if f, err := r.Next(t.Context()); err != nil || f.Seq != want {
			t.Fatalf("read %d, %v, want %d", f.Seq, err, want)
		}
		_ = j.engine.srv.DisableJetStream()
		if _, err := l.Append(t.Context(), nil, nil); !errors.Is(err, ErrNotDurable) {
			t.Fatalf("append without JetStream: %v", err)
		}
		eventually(t, "the server is back", func() bool { return j.Ready() == nil && j.connected() })
	}
	if first, last, err := l.Bounds(t.Context()); first != 1 || last != 3 || err != nil {
		t.Errorf("bounds %d, %d, %v, want 1, 3", first, last, err)
	}
	if r.Skipped() != 0 {
		t.Errorf("the reader skipped %d", r.Skipped())
	}
	if err := j.Conn().Publish("live.x", nil); err != nil {
		t.Errorf("core publish behind a restart: %v", err)
	}
}

func TestCloseWhileTheServerIsBeingRestarted(t *testing.T) {
	j := openDir(t, t.TempDir())
	l := openLog(t, j, "events")
	_ = j.engine.srv.DisableJetStream()
	j.engine.suspect()
	eventually(t, "the restart begins", func() bool { return j.Ready() != nil })
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := l.Append(t.Context(), nil, nil)
	if !errors.Is(err, ErrClosed) || !errors.Is(err, ErrNotDurable) {
		t.Errorf("append to a closed journal: %v", err)
	}
}

// fill appends until the disk refuses, and gives the sequences that were
// acknowledged.
func fill(t *testing.T, l *Log) (acked []uint64) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		seq, err := l.Append(ctx, nil, [][]byte{noise(60 << 10)})
		cancel()
		if err == nil {
			acked = append(acked, seq)
			continue
		}
		if !errors.Is(err, ErrNotDurable) {
			t.Fatalf("a full disk answered %v", err)
		}
		t.Logf("%d frames acknowledged, then: %v", len(acked), err)
		return acked
	}
}
