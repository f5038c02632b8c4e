package journal

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestReaderHoldsABoundedAmount(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), "events")
	const frames, size = 40, 1 << 20
	item := noise(size)
	for range frames {
		if _, err := l.Append(t.Context(), nil, [][]byte{item}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := l.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	held := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.bytes
	}
	for range frames {
		eventually(t, "the reader is full or through", func() bool { return held() >= size })
		if n := held(); n > readAhead {
			t.Fatalf("the reader holds %d bytes", n)
		}
		if _, err := r.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := held(); n != 0 {
		t.Errorf("an empty reader counts %d bytes", n)
	}
}

// The server may forget a cursor at any time: a reader's place is its own.
func TestReaderGoesOnWhenTheServerForgetsItsCursor(t *testing.T) {
	j := openDir(t, t.TempDir())
	l := openLog(t, j, "events")
	r, err := l.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range 5 {
		want := appendOne(t, l, strconv.Itoa(i))
		if f, err := r.Next(t.Context()); err != nil || f.Seq != want {
			t.Fatalf("read %d, %v, want %d", f.Seq, err, want)
		}
		for name := range l.stream.ConsumerNames(t.Context()).Name() {
			if err := l.stream.DeleteConsumer(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.Close()
	eventually(t, "a closed reader leaves no cursor", func() bool {
		n := 0
		for range l.stream.ConsumerNames(t.Context()).Name() {
			n++
		}
		return n == 0
	})
}

func TestReaderGoesOnBehindACorruptFrame(t *testing.T) {
	j := openDir(t, t.TempDir())
	l := openLog(t, j, "events")
	appendOne(t, l, "a")
	if _, err := j.writer.PublishMsg(t.Context(), &nats.Msg{Subject: l.subject, Data: []byte("no frame at all")}); err != nil {
		t.Fatal(err)
	}
	appendOne(t, l, "c")
	r, err := l.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for seq := uint64(1); seq <= 3; seq++ {
		f, err := r.Next(t.Context())
		if f.Seq != seq || errors.Is(err, ErrCorrupt) != (seq == 2) || (err != nil) != (seq == 2) {
			t.Errorf("frame %d: got %d, %v", seq, f.Seq, err)
		}
	}
	if _, err := l.Frame(t.Context(), 2); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Frame(2) = %v", err)
	}
}

// Everyone whose item was in a frame that failed hears of it.
func TestAFailedFrameIsAnsweredToAll(t *testing.T) {
	var full = errors.New("measured to fail")
	var mu sync.Mutex
	failing := false
	j := openWith(t, Options{Dir: t.TempDir(), Logger: quiet(t), freeBytes: func(string) (int64, error) {
		mu.Lock()
		defer mu.Unlock()
		if failing {
			return 0, full
		}
		return 1 << 40, nil
	}})
	c := NewCommitter(openLog(t, j, "events"), CommitterOptions{})
	defer c.Close(t.Context())
	mu.Lock()
	failing = true
	mu.Unlock()
	eventually(t, "the measurement fails", func() bool { return j.Ready() != nil })
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if _, _, err := c.Commit(t.Context(), "", []byte("x")); !errors.Is(err, ErrNotDurable) || !errors.Is(err, full) {
				t.Errorf("Commit = %v", err)
			}
		})
	}
	wg.Wait()
}

// A committer that cannot write within the time of its Close answers those who
// wait, and ends.
func TestCommitterCloseDoesNotOutliveItsCtx(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), "events")
	for range appendsInFlight {
		l.slots <- struct{}{} // as if the disk took no more
	}
	c := NewCommitter(l, CommitterOptions{})
	answer := make(chan error, 1)
	go func() {
		_, _, err := c.Commit(t.Context(), "", []byte("x"))
		answer <- err
	}()
	eventually(t, "the item is on its way", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.items == 1 && len(c.waiting) == 0
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close = %v", err)
	}
	if err := <-answer; !errors.Is(err, ErrNotDurable) || !errors.Is(err, ErrClosed) {
		t.Errorf("Commit = %v", err)
	}
}
