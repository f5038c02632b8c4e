package delivery

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// A settler writes down how items ended, all that wait together, in this order:
// dead letters and waiting addresses to the store, then the entries to the
// LEDGER; after that the items count as done.
type settler struct {
	c       *Courier
	ends    chan end
	written atomic.Uint64 // LEDGER sequence of its last frame
}

// maxEnds bounds the ends that wait to be written down, and those in one frame.
const maxEnds = 4096

func newSettler(c *Courier) *settler {
	return &settler{c: c, ends: make(chan end, maxEnds)}
}

// settle hands over the end of an item. It blocks while too many wait.
func (s *settler) settle(e end) { s.ends <- e }

// close says that no end follows.
func (s *settler) close() { close(s.ends) }

// reached gives the LEDGER sequence of the last frame that it wrote.
func (s *settler) reached() uint64 { return s.written.Load() }

// run writes until close was called and everything is written, or ctx ends.
func (s *settler) run(ctx context.Context) {
	for e := range s.ends {
		batch := []end{e}
		for more := true; more && len(batch) < maxEnds; {
			select {
			case e, ok := <-s.ends:
				if more = ok; ok {
					batch = append(batch, e)
				}
			default:
				more = false
			}
		}
		if !s.write(ctx, batch) {
			continue // they come again after the restart
		}
		for i := range batch {
			s.c.frames.settled(batch[i].item.frame)
		}
		s.c.lanes.settled(batch)
	}
}

// write tries until the batch is durable; it gives up when ctx ends.
func (s *settler) write(ctx context.Context, batch []end) bool {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := s.once(ctx, batch)
		if err == nil {
			return true
		}
		s.c.opts.Log.Error("ends are not written down yet", "integration", s.c.opts.Integration.ID, "count", len(batch), "error", err, "again in", pause)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

func (s *settler) once(ctx context.Context, batch []end) error {
	var letters []store.DeadLetter
	var visits []store.VisitRow
	entries := make([][]byte, 0, len(batch))
	for i := range batch {
		e := &batch[i]
		switch e.result {
		case trace.Dead:
			letter, err := e.letter(s.c.opts.Integration)
			if err != nil {
				return err
			}
			letters = append(letters, letter)
		case trace.Carried:
			// As it is by now: a later report may have taken the address along.
			visit, err := s.c.visits.visit(ctx, e.item.AnonymousID)
			if err != nil {
				return err
			}
			visits = append(visits, store.VisitRow{Integration: s.c.opts.Integration.ID, AnonymousID: e.item.AnonymousID, Visit: visit, At: time.Now().UTC()})
		}
		b, err := e.entry(s.c.opts.Integration)
		if err != nil {
			return err
		}
		entries = append(entries, b)
	}
	if len(letters) > 0 {
		if err := s.c.opts.Store.AddDead(ctx, letters); err != nil {
			return err
		}
	}
	if len(visits) > 0 {
		if err := s.c.opts.Store.SaveVisits(ctx, visits); err != nil {
			return err
		}
	}
	return s.append(ctx, entries)
}

func (s *settler) append(ctx context.Context, entries [][]byte) error {
	seq, err := s.c.opts.Ledger.Append(ctx, deliveryMeta, entries)
	if err == nil {
		s.written.Store(seq)
	}
	return err
}

// deliveryMeta stands on the LEDGER frames of delivery.
var deliveryMeta, _ = json.Marshal(ledger.Meta{})

func (e *end) entry(in store.Integration) ([]byte, error) {
	entry := ledger.Entry{
		Place: e.item.Place, Gen: e.item.Gen, Pipeline: in.Pipeline, Integration: in.ID,
		Outcome: e.result, Reason: e.reason, At: time.Now().UTC(), Ended: true,
	}
	if e.result == trace.Delivered {
		entry.Took = e.took
	}
	return entry.Append(nil)
}

// letter is the dead letter of an end.
func (e *end) letter(in store.Integration) (store.DeadLetter, error) {
	item, err := e.item.Append(nil)
	if err != nil {
		return store.DeadLetter{}, err
	}
	request, err := json.Marshal(e.request)
	if err != nil { // a body that is no JSON: the letter counts more than its picture
		request = nil
	}
	answer, err := json.Marshal(e.last.Answer)
	if err != nil {
		return store.DeadLetter{}, err
	}
	return store.DeadLetter{
		Pipeline: in.Pipeline, Integration: in.ID, MessageID: e.item.MessageID, Event: e.item.Event,
		AnonymousID: e.item.AnonymousID, UserID: e.item.UserID,
		Reason: e.reason, Remedy: e.last.Remedy, Status: e.last.Status, Code: e.last.Code, Attempts: e.tries,
		FirstAt: e.firstTry.UTC(), LastAt: time.Now().UTC(), Request: request, Answer: answer,
		Place: e.item.Place, Gen: e.item.Gen, Item: item,
	}, nil
}
