package trace

import (
	"cmp"
	"container/list"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/datafly/signal/event"
)

// A Sink keeps the history of the debugger. store is one.
type Sink interface {
	AddTraces(ctx context.Context, records []Record) error
}

// Options tune a Hub. The zero value works and keeps no history.
type Options struct {
	// Sink takes the history. nil keeps none.
	Sink Sink
	// Logger gets a line when the sink fails, at most one a minute. nil discards.
	Logger *slog.Logger

	// Room is how many records may wait to be taken in. Default 4,096. Less
	// loses records in bursts; each holds the body of an event.
	Room int
	// Keep is how many rows stay in memory for the live list. Default 10,000.
	Keep int
	// SubscriberRoom is how many rows may wait for one page. Default 1,024.
	SubscriberRoom int

	// FlushAfter bounds how late the history is. Default 250 ms.
	FlushAfter time.Duration
	// FlushAt is how many records are written at once. Default 500.
	FlushAt int
	// Backlog is how many batches may wait for a slow sink, and BacklogBytes
	// about how much memory they may hold. Defaults 16 and 32 MiB. What is
	// beyond is left out of the history and counted.
	Backlog      int
	BacklogBytes int64

	// Goodbye bounds the last writes after Run was told to end. Default 5 s.
	Goodbye time.Duration
}

func (o Options) withDefaults() Options {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.Room = cmp.Or(o.Room, 4096)
	o.Keep = cmp.Or(o.Keep, 10_000)
	o.SubscriberRoom = cmp.Or(o.SubscriberRoom, 1024)
	o.FlushAfter = cmp.Or(o.FlushAfter, 250*time.Millisecond)
	o.FlushAt = cmp.Or(o.FlushAt, 500)
	o.Backlog = cmp.Or(o.Backlog, 16)
	o.BacklogBytes = cmp.Or(o.BacklogBytes, 32<<20)
	o.Goodbye = cmp.Or(o.Goodbye, 5*time.Second)
	return o
}

// A Hub takes the records of a Tap, keeps the last rows in memory, tells the
// pages that look on, and writes the history:
//
//	Tap ──> Run ──> rows in memory ──> subscribers (a slow one misses rows)
//	           └──> batches ──> write ──> Sink    (a slow one misses batches)
//
// Nothing here waits for a page or a disk, so the Tap has room as long as the
// machine keeps up. All methods are safe for many goroutines.
type Hub struct {
	opts    Options
	in      chan Record
	batches chan []Record
	waiting atomic.Int64 // bytes of the batches

	lost    atomic.Int64
	unsaved atomic.Int64
	missed  atomic.Int64

	mu      sync.Mutex
	rows    *list.List // of *Summary, by Seq; the oldest is first
	byPlace map[event.Place]*list.Element
	seq     uint64 // last one given out
	dropped uint64 // all rows up to here left the memory, or were before it
	subs    map[*subscriber]struct{}
	ended   bool
}

type subscriber struct {
	filter func(Summary) bool
	out    chan Summary
	missed int
}

// Stats count what was left out since the start.
type Stats struct {
	Lost    int64 // records that had no room at the Tap
	Unsaved int64 // records that the history lacks
	Missed  int64 // rows that subscribers were too slow for
}

// NewHub gives a hub and the Tap that feeds it. Run must be called for
// anything to happen.
func NewHub(o Options) (*Hub, Tap) {
	o = o.withDefaults()
	h := &Hub{
		opts: o, in: make(chan Record, o.Room), batches: make(chan []Record, o.Backlog),
		rows: list.New(), byPlace: map[event.Place]*list.Element{}, subs: map[*subscriber]struct{}{},
	}
	// Microseconds, so that numbers go on growing after a restart and still
	// fit a double in the browser.
	h.seq = uint64(time.Now().UnixMicro())
	h.dropped = h.seq
	return h, NewTap(h.in, &h.lost)
}

// Run takes in records until ctx ends, then those that are there already,
// writes what is left of the history, and closes all subscriptions. End it
// after the rooms that hold the Tap.
func (h *Hub) Run(ctx context.Context) {
	// The last batches are written after ctx has ended.
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.write(writing)
	}()
	h.take(ctx)
	close(h.batches)
	late := time.AfterFunc(h.opts.Goodbye, stop)
	defer late.Stop()
	<-done
	h.end()
}

// take reads the Tap's channel and cuts batches.
func (h *Hub) take(ctx context.Context) {
	tick := time.NewTicker(h.opts.FlushAfter)
	defer tick.Stop()
	var batch []Record
	add := func(r Record) {
		h.show(r)
		if h.opts.Sink == nil {
			return
		}
		if batch = append(batch, r); len(batch) >= h.opts.FlushAt {
			h.hand(batch)
			batch = nil
		}
	}
	defer func() { h.hand(batch) }()
	for {
		select {
		case r := <-h.in:
			add(r)
		case <-tick.C:
			h.hand(batch)
			batch = nil
		case <-ctx.Done():
			for range len(h.in) {
				add(<-h.in)
			}
			return
		}
	}
}

// hand gives a batch to the writer, or drops it when the writer is too far
// behind.
func (h *Hub) hand(batch []Record) {
	if len(batch) == 0 {
		return
	}
	n := weigh(batch)
	if h.waiting.Load() > 0 && h.waiting.Load()+n > h.opts.BacklogBytes {
		h.unsaved.Add(int64(len(batch)))
		return
	}
	h.waiting.Add(n)
	select {
	case h.batches <- batch:
	default:
		h.waiting.Add(-n)
		h.unsaved.Add(int64(len(batch)))
	}
}

// write feeds the sink until no batch is left.
func (h *Hub) write(ctx context.Context) {
	var quiet time.Time // until when failures are counted but not logged
	var since int64     // records that failed since the last line
	for batch := range h.batches {
		err := h.opts.Sink.AddTraces(ctx, batch)
		h.waiting.Add(-weigh(batch))
		if err == nil {
			continue
		}
		h.unsaved.Add(int64(len(batch)))
		since += int64(len(batch))
		if now := time.Now(); !now.Before(quiet) {
			h.opts.Logger.Error("debugger history not written", "records", since, "error", err)
			quiet, since = now.Add(time.Minute), 0
		}
	}
}

// weigh is about what a batch holds in memory.
func weigh(batch []Record) int64 {
	n := 0
	for _, r := range batch {
		n += 512
		if a := r.Arrival; a != nil {
			n += len(a.Body)
			for _, route := range a.Routes {
				n += len(route.Payload) + len(route.Explain)
			}
		}
		if s := r.Step; s != nil {
			n += len(s.Body) + len(s.Answer)
		}
	}
	return int64(n)
}

// show brings the row of r up to date and tells the subscribers.
func (h *Hub) show(r Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var before *Summary
	var row Summary
	if e, known := h.byPlace[r.Place]; known {
		before = e.Value.(*Summary)
		row = *before
		row.Add(r)
		h.rows.Remove(e)
	} else {
		row = NewSummary(r)
	}
	h.seq++
	row.Seq = h.seq
	h.byPlace[r.Place] = h.rows.PushBack(&row)
	for h.rows.Len() > h.opts.Keep {
		old := h.rows.Remove(h.rows.Front()).(*Summary)
		h.dropped = old.Seq
		delete(h.byPlace, old.Place)
	}
	for s := range h.subs {
		h.tell(s, row, before)
	}
}

// tell sends a row to one subscriber. A row that has stopped matching is sent
// once more, so that a page does not show a state that is over.
func (h *Hub) tell(s *subscriber, row Summary, before *Summary) {
	if s.filter != nil && !s.filter(row) && (before == nil || !s.filter(*before)) {
		return
	}
	row.Missed = s.missed
	select {
	case s.out <- row:
		s.missed = 0
	default:
		s.missed++
		h.missed.Add(1)
	}
}

// Subscribe gives the rows that filter lets pass, as they change, oldest
// change first; nil lets all pass. after is the Seq of the last row that the
// page has: what changed since is sent first, as far as it is in memory, and
// Missed on the first row says that older changes are gone. With 0 nothing is
// sent of the past.
//
// A row that matched and no longer does is sent too, in its new state. filter
// must be quick and must not call the hub. The channel is closed by cancel and
// when the hub ends; cancel may be called twice.
func (h *Hub) Subscribe(filter func(Summary) bool, after uint64) (rows <-chan Summary, cancel func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	past, missed := h.since(filter, after)
	s := &subscriber{filter: filter, out: make(chan Summary, len(past)+h.opts.SubscriberRoom), missed: missed}
	for _, row := range past {
		h.tell(s, row, nil)
	}
	if h.ended {
		close(s.out)
		return s.out, func() {}
	}
	h.subs[s] = struct{}{}
	return s.out, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if _, on := h.subs[s]; on {
			delete(h.subs, s)
			close(s.out)
		}
	}
}

// since gives the rows that changed after a Seq, and at most how many changes
// are no longer known.
func (h *Hub) since(filter func(Summary) bool, after uint64) (past []Summary, missed int) {
	if after == 0 || after == h.seq {
		return nil, 0
	}
	if after > h.seq { // of a clock that has been set back
		after = 0
	} else if after < h.dropped {
		missed = 1
		if n := h.dropped - after; n < uint64(h.opts.Keep) {
			missed = int(n)
		}
	}
	for e := h.rows.Front(); e != nil; e = e.Next() {
		if row := e.Value.(*Summary); row.Seq > after && (filter == nil || filter(*row)) {
			past = append(past, *row)
		}
	}
	return past, missed
}

// Last is the Seq of the latest change: what a page that was just made of the
// history subscribes after.
func (h *Hub) Last() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seq
}

// Recent gives up to n rows in memory that filter lets pass, latest change
// first.
func (h *Hub) Recent(filter func(Summary) bool, n int) []Summary {
	h.mu.Lock()
	defer h.mu.Unlock()
	var rows []Summary
	for e := h.rows.Back(); e != nil && len(rows) < n; e = e.Prev() {
		if row := e.Value.(*Summary); filter == nil || filter(*row) {
			rows = append(rows, *row)
		}
	}
	return rows
}

// Stats gives the counts of what was left out.
func (h *Hub) Stats() Stats {
	return Stats{Lost: h.lost.Load(), Unsaved: h.unsaved.Load(), Missed: h.missed.Load()}
}

func (h *Hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for s := range h.subs {
		close(s.out)
	}
	clear(h.subs)
}
