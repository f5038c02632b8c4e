package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/event"
)

// memory is a sink that remembers, waits and fails as it is told.
type memory struct {
	mu      sync.Mutex
	batches [][]Record
	err     error
	block   chan struct{} // nil does not
}

func (m *memory) AddTraces(ctx context.Context, records []Record) error {
	if m.block != nil {
		select {
		case <-m.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.batches = append(m.batches, records)
	}
	return m.err
}

func (m *memory) sizes() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, b := range m.batches {
		out = append(out, fmt.Sprint(len(b)))
	}
	return strings.Join(out, " ")
}

func came(n int) Record {
	return Record{
		At: time.Unix(int64(n), 0), Place: event.Place{Seq: uint64(n)}, MessageID: fmt.Sprintf("m%d", n),
		Arrival: &Arrival{Pipeline: "shop", Event: "page", ReceivedAt: time.Unix(int64(n), 0), Body: []byte(`{}`),
			Routes: []Route{{Integration: "shop/lp", Outcome: Pending}}},
	}
}

func went(n int, o Outcome) Record {
	return Record{
		At: time.Unix(int64(n), 5), Place: event.Place{Seq: uint64(n)}, MessageID: fmt.Sprintf("m%d", n),
		Step: &Step{Integration: "shop/lp", Try: 1, Outcome: o},
	}
}

// running runs a hub in a bubble and ends it with the test.
func running(t *testing.T, o Options) (*Hub, Tap, context.CancelFunc) {
	h, tap := NewHub(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.Run(ctx)
	}()
	stop := func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return h, tap, stop
}

func note(tap Tap, records ...Record) {
	for _, r := range records {
		tap.Note(func() Record { return r })
	}
}

// drain gives what has come so far, as "m1 pending, m2 delivered".
func drain(rows <-chan Summary) string {
	var out []string
	for {
		select {
		case r, open := <-rows:
			if !open {
				return strings.Join(append(out, "closed"), ", ")
			}
			text := r.MessageID + " " + string(r.Outcome)
			if r.Missed > 0 {
				text += fmt.Sprintf(" missed %d", r.Missed)
			}
			out = append(out, text)
		default:
			return strings.Join(out, ", ")
		}
	}
}

func TestHubTellsSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, tap, stop := running(t, Options{})
		all, cancelAll := h.Subscribe(nil, 0)
		dead, cancelDead := h.Subscribe(func(s Summary) bool { return s.Outcome == Dead }, 0)
		waits, _ := h.Subscribe(func(s Summary) bool { return s.Outcome == Pending }, 0)
		note(tap, came(1), came(2), went(1, Delivered), went(2, Dead))
		synctest.Wait()
		if got, want := drain(all), "m1 pending, m2 pending, m1 delivered, m2 dead"; got != want {
			t.Errorf("all: %q, want %q", got, want)
		}
		if got, want := drain(dead), "m2 dead"; got != want {
			t.Errorf("dead: %q, want %q", got, want)
		}
		// A row that no longer matches is sent in its new state.
		if got, want := drain(waits), "m1 pending, m2 pending, m1 delivered, m2 dead"; got != want {
			t.Errorf("pending: %q, want %q", got, want)
		}
		cancelDead()
		cancelDead()
		note(tap, went(1, Dead))
		synctest.Wait()
		if got, want := drain(dead), "closed"; got != want {
			t.Errorf("after cancel: %q, want %q", got, want)
		}
		stop()
		if got, want := drain(all), "m1 dead, closed"; got != want {
			t.Errorf("after the end: %q, want %q", got, want)
		}
		cancelAll()
		late, cancel := h.Subscribe(nil, 0)
		cancel()
		if got := drain(late); got != "closed" {
			t.Errorf("subscribed after the end: %q, want it closed", got)
		}
	})
}

func TestHubResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, tap, _ := running(t, Options{Keep: 4})
		first := h.Last()
		note(tap, came(1), came(2), came(3))
		synctest.Wait()
		third := h.Last()
		note(tap, went(2, Delivered), came(4))
		synctest.Wait()
		only2 := func(s Summary) bool { return s.MessageID == "m2" }
		tests := []struct {
			name   string
			filter func(Summary) bool
			after  uint64
			want   string
		}{
			{"from now on", nil, 0, ""},
			{"nothing new", nil, h.Last(), ""},
			{"what changed since", nil, third, "m2 delivered, m4 pending"},
			{"what changed since and passes", only2, third, "m2 delivered"},
			{"from the beginning, in the last state", nil, first, "m1 pending, m3 pending, m2 delivered, m4 pending"},
			{"ahead of the hub, from a clock that was set back", nil, h.Last() + 1e9, "m1 pending, m3 pending, m2 delivered, m4 pending"},
		}
		for _, tt := range tests {
			rows, cancel := h.Subscribe(tt.filter, tt.after)
			if got := drain(rows); got != tt.want {
				t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
			cancel()
		}
		note(tap, came(5), came(6))
		synctest.Wait()
		rows, _ := h.Subscribe(nil, first)
		if got, want := drain(rows), "m2 delivered missed 3, m4 pending, m5 pending, m6 pending"; got != want {
			t.Errorf("too late: %q, want %q", got, want)
		}
		if got := h.Recent(nil, 2); len(got) != 2 || got[0].MessageID != "m6" || got[1].MessageID != "m5" {
			t.Errorf("recent = %v, want m6 and m5", got)
		}
		if got := h.Recent(only2, 9); len(got) != 1 {
			t.Errorf("recent of m2 = %v, want one", got)
		}
	})
}

// Numbers of an older run of the program are behind those of this one.
func TestHubNumbersGrowOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, _ := NewHub(Options{})
		time.Sleep(time.Second)
		h, tap, _ := running(t, Options{})
		note(tap, came(1))
		synctest.Wait()
		rows, _ := h.Subscribe(nil, old.Last())
		if got := drain(rows); !strings.HasPrefix(got, "m1 pending missed ") {
			t.Errorf("resumed after a restart: %q, want m1 and that something may be missed", got)
		}
		if h.Last() >= 1<<53 {
			t.Errorf("number %d does not fit a double", h.Last())
		}
	})
}

func TestHubSlowSubscriberMissesAndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, tap, _ := running(t, Options{SubscriberRoom: 2})
		slow, _ := h.Subscribe(nil, 0)
		for n := range 6 {
			note(tap, came(n))
		}
		synctest.Wait()
		if got, want := drain(slow), "m0 pending, m1 pending"; got != want {
			t.Errorf("slow: %q, want %q", got, want)
		}
		note(tap, came(7), came(8))
		synctest.Wait()
		if got, want := drain(slow), "m7 pending missed 4, m8 pending"; got != want {
			t.Errorf("slow: %q, want %q", got, want)
		}
		if got := h.Stats().Missed; got != 4 {
			t.Errorf("missed = %d, want 4", got)
		}
	})
}

func TestHubWritesBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &memory{}
		_, tap, stop := running(t, Options{Sink: sink, FlushAt: 3})
		note(tap, came(1), came(2))
		synctest.Wait()
		if got := sink.sizes(); got != "" {
			t.Errorf("written at once: %q, want nothing yet", got)
		}
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		if got := sink.sizes(); got != "2" {
			t.Errorf("after 250 ms: %q, want 2", got)
		}
		note(tap, came(3), came(4), came(5), came(6))
		synctest.Wait()
		if got := sink.sizes(); got != "2 3" {
			t.Errorf("a full batch: %q, want 2 3 at once", got)
		}
		note(tap, came(7))
		stop()
		if got := sink.sizes(); got != "2 3 2" {
			t.Errorf("after the end: %q, want the rest too", got)
		}
	})
}

func TestHubNeverWaitsForTheSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &memory{block: make(chan struct{})}
		h, tap, stop := running(t, Options{Sink: sink, FlushAt: 10, Backlog: 2})
		rows, _ := h.Subscribe(nil, 0)
		for n := range 100 {
			note(tap, came(n))
			synctest.Wait()
		}
		if got := strings.Count(drain(rows), "pending"); got != 100 {
			t.Errorf("%d rows came, want all 100", got)
		}
		// One batch is being written and two wait; the other seven are left out.
		if s := h.Stats(); s.Lost != 0 || s.Unsaved != 70 {
			t.Errorf("stats = %+v, want 70 unsaved and none lost", s)
		}
		// A sink that never comes back holds the end up for a bounded time.
		began := time.Now()
		stop()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the end took %v, want 5 s", took)
		}
		if s := h.Stats(); s.Unsaved != 100 {
			t.Errorf("stats = %+v, want all unsaved", s)
		}
	})
}

func TestHubBoundsTheBytesThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &memory{block: make(chan struct{})}
		h, tap, _ := running(t, Options{Sink: sink, FlushAt: 1, Backlog: 100, BacklogBytes: 10_000, Goodbye: time.Second})
		for n := range 20 {
			r := came(n)
			r.Arrival.Body = bytes.Repeat([]byte("x"), 4000)
			note(tap, r)
			synctest.Wait()
		}
		if s := h.Stats(); s.Unsaved != 18 {
			t.Errorf("unsaved = %d, want all but the two that have room", s.Unsaved)
		}
	})
}

func TestHubLogsAFailingSinkOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		sink := &memory{err: errors.New("disk full")}
		h, tap, stop := running(t, Options{Sink: sink, FlushAt: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for n := range 130 {
			note(tap, came(n))
			time.Sleep(time.Second)
		}
		stop()
		if got := strings.Count(log.String(), "disk full"); got != 3 {
			t.Errorf("%d lines in 130 s, want 3:\n%s", got, log.String())
		}
		if !strings.Contains(log.String(), "records=60") {
			t.Errorf("no line counts the records of its minute:\n%s", log.String())
		}
		if s := h.Stats(); s.Unsaved != 130 {
			t.Errorf("unsaved = %d, want 130", s.Unsaved)
		}
	})
}

func TestTapLosesWhatHasNoRoom(t *testing.T) {
	h, tap := NewHub(Options{Room: 2}) // nobody runs it
	note(tap, came(1), came(2), came(3))
	if got := h.Stats().Lost; got != 1 {
		t.Errorf("lost = %d, want 1", got)
	}
	Tap{}.Note(func() Record { t.Error("the zero Tap built a record"); return Record{} })
}

func TestSampler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sampled := func(s *Sampler, tries int) (n int) {
			for range tries {
				if s.Sample() {
					n++
				}
			}
			return n
		}
		s := NewSampler(0)
		if got := sampled(s, 1000); got != 200 {
			t.Errorf("at once: %d of 1000, want the default of 200", got)
		}
		time.Sleep(time.Second / 2)
		if got := sampled(s, 1000); got != 100 {
			t.Errorf("half a second later: %d, want 100", got)
		}
		if got := s.LeftOut(); got != 1700 {
			t.Errorf("left out = %d, want 1700", got)
		}
		if got := sampled(NewSampler(-1), 10); got != 0 {
			t.Errorf("below zero: %d, want none", got)
		}
		if got := sampled(nil, 10); got != 10 {
			t.Errorf("nil: %d, want all", got)
		}
	})
}
