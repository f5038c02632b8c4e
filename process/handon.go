package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/trace"
)

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

// handOn writes the REPORTS frames, then the LEDGER frame that says so; upto is
// the EVENTS sequence that they reach, 0 for a replay. After a
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
