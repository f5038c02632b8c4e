package delivery

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// A settler writes down how items ended, all that wait together, in this order:
// dead letters and waiting addresses to the store, then the entries to the
// LEDGER; after that the items count as done. The ends of one report are never
// parted over two frames.
type settler struct {
	c       *Courier
	units   chan unit
	written atomic.Uint64 // LEDGER sequence of its last frame
}

const (
	// maxEnds bounds the ends in one frame, but for those of one report. It
	// bounds the reports that wait to be written down, too.
	maxEnds = 4096
	// maxEndBytes bounds the same in bytes: a frame holds 8 MiB at most.
	maxEndBytes = 2 << 20
	// entryBytes is about what an entry takes without its reason.
	entryBytes = 256
)

func newSettler(c *Courier) *settler {
	return &settler{c: c, units: make(chan unit, maxEnds)}
}

// settle hands over the ends of a report. It blocks while too many wait.
func (s *settler) settle(u unit) { s.units <- u }

// close says that nothing follows.
func (s *settler) close() { close(s.units) }

// reached gives the LEDGER sequence of the last frame that it wrote.
func (s *settler) reached() uint64 { return s.written.Load() }

// run writes until close was called and everything is written, or ctx ends.
func (s *settler) run(ctx context.Context) {
	for u := range s.units {
		batch := s.gather(u)
		if !s.write(ctx, batch) {
			continue // they come again after the restart
		}
		for i := range batch {
			for j := range batch[i].ends {
				s.c.frames.settled(batch[i].ends[j].item.frame)
			}
		}
		s.c.lanes.settled(batch)
	}
}

// gather takes what waits by now, as far as it fits into a frame.
func (s *settler) gather(u unit) []unit {
	batch := []unit{u}
	ends, bytes := len(u.ends), u.size()
	for ends < maxEnds && bytes < maxEndBytes {
		select {
		case u, ok := <-s.units:
			if !ok {
				return batch
			}
			batch = append(batch, u)
			ends, bytes = ends+len(u.ends), bytes+u.size()
		default:
			return batch
		}
	}
	return batch
}

// size is about what its entries take, in bytes.
func (u *unit) size() int {
	n := 0
	for i := range u.ends {
		n += entryBytes + len(u.ends[i].reason)
	}
	return n
}

// write tries until the batch is durable; it gives up when ctx ends.
func (s *settler) write(ctx context.Context, batch []unit) bool {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := s.once(ctx, batch)
		if err == nil {
			return true
		}
		s.c.opts.Log.Error("ends are not written down yet", "integration", s.c.opts.Integration.ID, "reports", len(batch), "error", err, "again in", pause)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

func (s *settler) once(ctx context.Context, batch []unit) error {
	var letters []store.DeadLetter
	var entries [][]byte
	var carried []string // visitors of which an address waits
	for i := range batch {
		for j := range batch[i].ends {
			e := &batch[i].ends[j]
			switch e.result {
			case trace.Dead:
				letter, err := e.letter(s.c.opts.Integration)
				if err != nil {
					return err
				}
				letters = append(letters, letter)
			case trace.Carried:
				if n := len(carried); n == 0 || carried[n-1] != e.item.AnonymousID {
					carried = append(carried, e.item.AnonymousID)
				}
			}
			b, err := e.entry(s.c.opts.Integration)
			if err != nil {
				return err
			}
			entries = append(entries, b)
		}
	}
	if len(letters) > 0 {
		if err := s.c.opts.Store.AddDead(ctx, letters); err != nil {
			return err
		}
	}
	if err := s.keepVisits(ctx, carried); err != nil {
		return err
	}
	return s.append(ctx, entries)
}

// keepVisits writes down visits as they are by now; their lanes wait for it.
func (s *settler) keepVisits(ctx context.Context, anonymousIDs []string) error {
	if len(anonymousIDs) == 0 {
		return nil
	}
	rows := make([]store.VisitRow, len(anonymousIDs))
	for i, id := range anonymousIDs {
		visit, err := s.c.visits.visit(ctx, id)
		if err != nil {
			return err
		}
		rows[i] = store.VisitRow{Integration: s.c.opts.Integration.ID, AnonymousID: id, Visit: visit, At: time.Now().UTC()}
	}
	return s.c.opts.Store.SaveVisits(ctx, rows)
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
	d := store.DeadLetter{
		Pipeline: in.Pipeline, Integration: in.ID, MessageID: e.item.MessageID, Event: e.item.Event,
		AnonymousID: e.item.AnonymousID, UserID: e.item.UserID,
		Reason: e.reason, Attempts: e.item.tries,
		FirstAt: e.item.firstTry.UTC(), LastAt: time.Now().UTC(), Request: shown(e.request),
		Place: e.item.Place, Gen: e.item.Gen, Item: item,
	}
	if e.last == nil {
		return d, nil
	}
	d.Remedy, d.Status, d.Code = e.last.Remedy, e.last.Status, e.last.Code
	d.Cause, d.Fix, d.Field, d.Checks = e.last.Cause, string(e.last.Fix), e.last.Field, checksJSON(e.last.Checks)
	d.Answer, err = json.Marshal(e.last.Answer)
	return d, err
}

// shown is a request as it stands in a dead letter.
func shown(q *integrations.Request) json.RawMessage {
	if q == nil {
		return nil
	}
	b, err := json.Marshal(q)
	if err != nil { // a body that is no JSON: the letter counts more than its picture
		return nil
	}
	return b
}
