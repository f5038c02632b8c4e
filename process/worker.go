package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// Bounds of one batch: what is there is taken together, up to these.
const (
	batchEvents = 2000
	batchBytes  = 1 << 20
	reportFrame = 2 << 20 // bytes of items in one REPORTS frame
)

// saveEvery is how late visitors may be written down.
const saveEvery = time.Second

// Options are what a Worker needs. All but Tap, Sample and Log are required.
type Options struct {
	Pipelines []Pipeline
	Events    *journal.Log
	Reports   map[string]*journal.Log // by integration id
	Ledger    *journal.Log
	Store     *store.Store
	Salt      []byte // of session ids

	// Tap gets a record of each event that Sample picks. Nil Sample picks none.
	Tap    trace.Tap
	Sample func() bool
	Log    *slog.Logger
}

// A Worker processes one shard of EVENTS. One Worker runs per shard and
// process; Run may be called once.
type Worker struct {
	opts      Options
	pipelines map[string]*Pipeline
	visitors  *visitors
	replays   chan replay

	reached  atomic.Uint64 // EVENTS sequence that the visitors are good for
	handed   atomic.Uint64 // EVENTS sequence that the LEDGER knows of
	ledgerAt uint64        // LEDGER sequence of the last frame of ours

	// recovered are the events behind handed that a run before a crash wrote to
	// REPORTS already, by integration. They reach to recoveredTo; nil once that
	// is dealt with.
	recovered   map[string]map[event.Place]bool
	recoveredTo uint64
}

// New makes a Worker; it does no I/O.
func New(o Options) *Worker {
	w := &Worker{opts: o, pipelines: map[string]*Pipeline{}, replays: make(chan replay)}
	if w.opts.Log == nil {
		w.opts.Log = slog.New(slog.DiscardHandler)
	}
	for i := range o.Pipelines {
		w.pipelines[o.Pipelines[i].Name] = &o.Pipelines[i]
	}
	w.visitors = newVisitors(o.Store)
	return w
}

// Reached gives the EVENTS sequence up to which everything is handed on and in
// the LEDGER. Frames behind it may be dropped once they are too old to keep.
func (w *Worker) Reached() uint64 { return w.handed.Load() }

// Run processes until ctx ends, then writes the visitors down. It returns an
// error only when it cannot start or the journal is closed under it; a full
// disk makes it wait.
func (w *Worker) Run(ctx context.Context) error {
	saved, err := w.recover(ctx)
	if err != nil {
		return err
	}
	reader, err := w.opts.Events.Read(ctx, saved+1)
	if err != nil {
		return fmt.Errorf("read EVENTS from %d: %w", saved+1, err)
	}
	frames := make(chan journal.Frame, readAhead)
	var reading sync.WaitGroup
	var failed error
	reading.Go(func() {
		defer close(frames)
		failed = readInto(ctx, reader, frames)
	})
	err = w.loop(ctx, frames)
	reader.Close()
	reading.Wait()
	if ctx.Err() != nil {
		return w.visitors.save(context.WithoutCancel(ctx), w.mark())
	}
	return errors.Join(err, failed)
}

// readAhead bounds the frames that are read but not worked on.
const readAhead = 16

func readInto(ctx context.Context, r *journal.Reader, out chan<- journal.Frame) error {
	for {
		f, err := r.Next(ctx)
		if err != nil {
			return fmt.Errorf("read EVENTS: %w", err)
		}
		select {
		case out <- f:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// loop works through frames and replays in turn, and has visitors written down
// once a second beside it.
func (w *Worker) loop(ctx context.Context, frames <-chan journal.Frame) error {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	var saving sync.WaitGroup
	defer saving.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case rp := <-w.replays:
			rp.done <- w.replay(ctx, rp.letters)
		case <-tick.C:
			if snapshot, ok := w.visitors.snapshot(w.mark()); ok {
				saving.Go(func() { w.visitors.write(context.WithoutCancel(ctx), snapshot, w.opts.Log) })
			}
		case f, ok := <-frames:
			if !ok {
				return nil
			}
			if err := w.handle(ctx, drain(f, frames)); err != nil {
				return err
			}
		}
	}
}

// drain takes what else is there, up to the bounds of a batch.
func drain(first journal.Frame, frames <-chan journal.Frame) []journal.Frame {
	out := []journal.Frame{first}
	events, bytes := size(first)
	for events < batchEvents && bytes < batchBytes {
		select {
		case f, ok := <-frames:
			if !ok {
				return out
			}
			out = append(out, f)
			n, b := size(f)
			events, bytes = events+n, bytes+b
		default:
			return out
		}
	}
	return out
}

func size(f journal.Frame) (events, bytes int) {
	for _, it := range f.Items {
		bytes += len(it)
	}
	return len(f.Items), bytes
}

// mark is how far visitors and LEDGER are good at this instant.
func (w *Worker) mark() mark {
	return mark{reached: w.reached.Load(), handed: w.handed.Load(), ledger: w.ledgerAt}
}

// stored is one event of a batch with its stamps.
type stored struct {
	place event.Place
	event.Received
}

// handle works through a batch: run each event, write REPORTS, write LEDGER.
func (w *Worker) handle(ctx context.Context, frames []journal.Frame) error {
	batch := w.parse(frames)
	if err := w.visitors.load(ctx, batch); err != nil {
		return err
	}
	out := newOutput()
	upto, before := frames[len(frames)-1].Seq, w.handed.Load()
	for i := range batch {
		work := w.work(&batch[i])
		if work.Place.Seq > before {
			out.add(work, w)
		}
	}
	if upto > before {
		if err := w.handOn(ctx, out, upto); err != nil {
			return err
		}
		w.handed.Store(upto)
		if upto >= w.recoveredTo {
			w.recovered = nil
		}
		out.note(w.opts.Tap)
	}
	w.reached.Store(upto)
	return nil
}

// parse reads the stamps of a batch. An item that cannot be read was not
// written by the gateway: it is logged, and belongs to no pipeline.
func (w *Worker) parse(frames []journal.Frame) []stored {
	var out []stored
	for _, f := range frames {
		for i, raw := range f.Items {
			r, err := event.ParseReceived(raw)
			if err != nil {
				w.opts.Log.Error("a stored event cannot be read", "frame", f.Seq, "index", i, "error", err)
				r = event.Received{ReceivedAt: f.At, Body: []byte("{}")}
			}
			out = append(out, stored{event.Place{Seq: f.Seq, Index: i}, r})
		}
	}
	return out
}

// work runs one stored event through the stages. An event that cannot be
// decoded is a fault of ours: it is logged, and filtered with that reason.
func (w *Worker) work(at *stored) *Work {
	work := &Work{Place: at.place, Received: at.Received, Pipeline: w.pipeline(at.Pipeline)}
	var err error
	if work.Event, err = event.Decode(at.Received); err != nil {
		w.opts.Log.Error("a stored event cannot be decoded", "frame", at.place.Seq, "index", at.place.Index, "error", err)
		work.unreadable()
		return work
	}
	work.Explain = w.opts.Tap.On() && w.opts.Sample != nil && w.opts.Sample()
	w.visitors.with(at.Pipeline, at.AnonymousID, func(v *store.Visitor) {
		work.Visitor = v
		work.Run(w.opts.Salt)
		v.Seq = at.place.Seq
	})
	for i := range work.Routes {
		work.Routes[i].Item.Traced = work.Explain
	}
	return work
}

// pipeline gives a pipeline by name; one that was taken out of the
// configuration since has no integrations.
func (w *Worker) pipeline(name string) *Pipeline {
	if p := w.pipelines[name]; p != nil {
		return p
	}
	return &Pipeline{Pipeline: store.Pipeline{Name: name}}
}

// output is what a batch leads to.
type output struct {
	items   map[string][][]byte // by integration
	entries [][]byte
	records []trace.Record
}

func newOutput() *output { return &output{items: map[string][][]byte{}} }

// add notes what became of one event. Reports that a run before a crash handed
// on already are left out; their entries are not.
func (o *output) add(work *Work, w *Worker) {
	entry := ledger.Entry{Place: work.Place, Pipeline: work.Pipeline.Name, At: work.Received.ReceivedAt, First: true}
	if len(work.Routes) == 0 {
		entry.Outcome = trace.Filtered
		entry.Reason = "no integration"
		o.entry(entry)
	}
	for i := range work.Routes {
		r := &work.Routes[i]
		entry.Integration, entry.Outcome, entry.Reason = r.Integration, trace.Pending, ""
		handed := w.recovered[r.Integration][work.Place]
		switch {
		case r.Reason != "" && !handed:
			entry.Outcome, entry.Reason = trace.Filtered, r.Reason
		case !handed:
			o.item(r)
		}
		o.entry(entry)
		entry.First = false
	}
	if work.Explain {
		o.records = append(o.records, work.arrival())
	}
}

func (o *output) item(r *Routed) {
	b, err := r.Item.Append(nil)
	if err != nil { // a payload that is no JSON: the mapping writes none such
		panic("process: " + err.Error())
	}
	o.items[r.Integration] = append(o.items[r.Integration], b)
}

func (o *output) entry(e ledger.Entry) {
	b, err := e.Append(nil)
	if err != nil { // plain fields cannot fail to encode
		panic("process: " + err.Error())
	}
	o.entries = append(o.entries, b)
}

func (o *output) note(tap trace.Tap) {
	for _, r := range o.records {
		tap.Note(func() trace.Record { return r })
	}
}

// Meta stands on each REPORTS frame: the EVENTS sequence that the frame
// reaches, or 0 on the frames of a replay.
type Meta struct {
	Upto uint64 `json:"upto,omitempty"`
}

// handOn writes the REPORTS frames, then the LEDGER frame that says so. After a
// failure it finds out what was written all the same, and goes on from there:
// it returns only when all is written or ctx ends.
func (w *Worker) handOn(ctx context.Context, o *output, upto uint64) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := w.write(ctx, o, upto)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !errors.Is(err, journal.ErrNotDurable) {
			return err
		}
		w.opts.Log.Warn("processing waits for the journal", "error", err, "again in", pause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// write appends what is left of o, and forgets each part as it is durable.
func (w *Worker) write(ctx context.Context, o *output, upto uint64) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	todo := maps.Clone(o.items)
	for id, items := range todo {
		wg.Go(func() {
			_, left, err := appendAll(ctx, w.opts.Reports[id], Meta{Upto: upto}, Meta{Upto: upto}, items)
			mu.Lock()
			defer mu.Unlock()
			o.items[id] = left
			if err != nil {
				errs = append(errs, fmt.Errorf("hand on to %s: %w", id, err))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	// The mark stands on the last frame alone: until it is there, nothing of
	// this batch counts as handed on.
	seq, left, err := appendAll(ctx, w.opts.Ledger, ledger.Meta{}, ledger.Meta{Upto: upto}, o.entries)
	o.entries = left
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	if seq > 0 {
		w.ledgerAt = seq
	}
	return nil
}

// appendAll writes items in frames of bounded size, the last with the meta of
// its own. It gives the sequence of the last, and what is left after a failure.
func appendAll(ctx context.Context, log *journal.Log, meta, lastMeta any, items [][]byte) (seq uint64, left [][]byte, err error) {
	for len(items) > 0 {
		n, bytes := 0, 0
		for n < len(items) && (n == 0 || bytes+len(items[n]) <= reportFrame) {
			bytes += len(items[n])
			n++
		}
		m := meta
		if n == len(items) {
			m = lastMeta
		}
		b, err := json.Marshal(m)
		if err != nil {
			return 0, items, err
		}
		if seq, err = appendOnce(ctx, log, b, items[:n]); err != nil {
			return 0, items, err
		}
		items = items[n:]
	}
	return seq, nil, nil
}

// appendOnce appends a frame. When the answer is lost it looks whether the
// frame is there all the same, so that it is not written twice.
func appendOnce(ctx context.Context, log *journal.Log, meta []byte, items [][]byte) (uint64, error) {
	began := time.Now()
	seq, failed := log.Append(ctx, meta, items)
	if failed == nil {
		return seq, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, last, err := log.Bounds(ctx)
	for seq := last; err == nil && seq > 0; seq-- {
		f, err := log.Frame(ctx, seq)
		if err != nil || f.At.Before(began.Add(-time.Second)) {
			break
		}
		if sameItems(f.Items, items) {
			return seq, nil
		}
	}
	return 0, failed
}

func sameItems(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if string(a[i]) != string(b[i]) {
			return false
		}
	}
	return true
}

// Allowed asks again, right before sending, whether the visitor's consent lets
// the integration have their events. It reads the newest state.
func (w *Worker) Allowed(ctx context.Context, pipeline, integration, anonymousID string) (bool, string) {
	p := w.pipelines[pipeline]
	if p == nil {
		return true, ""
	}
	for i := range p.Routes {
		r := &p.Routes[i]
		if r.ID != integration || len(r.Categories) == 0 {
			continue
		}
		state, err := w.visitors.consent(ctx, pipeline, anonymousID)
		if err != nil {
			w.opts.Log.Error("the consent of a visitor cannot be read", "integration", integration, "error", err)
			return true, "" // the gate decided once already; a store that is down must not lose the event
		}
		d := consent.Decide(state, r.Categories, p.Consent.WhenUnknown)
		if len(d.Denied) > 0 { // what became unknown was not withdrawn
			return false, d.Reason + " any more"
		}
	}
	return true, ""
}
