package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/journal"
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
	turns     chan func(context.Context) // what inTurn wants done
	ended     chan struct{}              // closed when Run returns

	noted     bool          // there may be a note of a replay, see settleReplay
	lastFrame journal.Frame // of EVENTS, the last that a replay read

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
	w := &Worker{opts: o, pipelines: map[string]*Pipeline{}, turns: make(chan func(context.Context)), ended: make(chan struct{}), noted: true}
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
	defer close(w.ended)
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

// loop works through frames and what inTurn wants in turn, and has visitors written down
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
		case do := <-w.turns:
			do(ctx)
		case <-tick.C:
			if err := w.settleReplay(ctx); err != nil && ctx.Err() == nil {
				w.opts.Log.Error("a replay is not finished yet", "error", err)
			}
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

// Allowed asks again, right before sending, whether the visitor's consent lets
// the integration have their events, and gives the reason when it does not. It
// reads the newest state; an error means that it is not known and nothing may
// be sent yet.
func (w *Worker) Allowed(ctx context.Context, pipeline, integration, anonymousID string) (bool, string, error) {
	p := w.pipelines[pipeline]
	if p == nil {
		return true, "", nil
	}
	for i := range p.Routes {
		r := &p.Routes[i]
		if r.ID != integration || len(r.Categories) == 0 {
			continue
		}
		state, err := w.visitors.consent(ctx, pipeline, anonymousID)
		if err != nil {
			return false, "", fmt.Errorf("read the consent of a visitor: %w", err)
		}
		d := consent.Decide(state, r.Categories, p.Consent.WhenUnknown)
		if len(d.Denied) > 0 { // what became unknown was not withdrawn
			return false, d.Reason + " any more", nil
		}
	}
	return true, "", nil
}
