package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/trace"
)

// A Proof is what Verify found. It holds only when Faults is empty.
type Proof struct {
	Events      int            `json:"events"`           // in EVENTS, all that are kept
	Unprocessed int            `json:"unprocessed"`      // accepted, not yet worked through
	Pairs       int            `json:"pairs"`            // events x integrations
	Outcomes    map[string]int `json:"outcomes"`         // of the pairs: delivered, carried, filtered, dead, pending
	Replayed    int            `json:"replayed"`         // of all kept: how often one was sent again
	Faults      []string       `json:"faults,omitempty"` // what contradicts the promise, at most 100
	FaultCount  int            `json:"fault_count"`
}

// Holds reports whether every accepted event has exactly one outcome per
// integration, or is pending and still there to be delivered.
func (p *Proof) Holds() bool { return p.FaultCount == 0 }

func (p *Proof) fault(format string, args ...any) {
	p.FaultCount++
	if len(p.Faults) < 100 {
		p.Faults = append(p.Faults, fmt.Sprintf(format, args...))
	}
}

// Journals are what Verify reads.
type Journals struct {
	Events  *journal.Log
	Ledger  *journal.Log
	Reports map[string]*journal.Log // by integration
}

// pair is one event for one integration, in one generation.
type pair struct {
	place       event.Place
	integration string
	gen         int
}

// Verify reads the whole LEDGER and holds it against EVENTS and REPORTS. It may
// run beside a working server: it looks at what was accepted before it began.
// It needs about 150 bytes of memory an event and integration.
func Verify(ctx context.Context, j Journals) (Proof, error) {
	v := &verifier{Proof: Proof{Outcomes: map[string]int{}}, pairs: map[pair]*state{}, seen: map[event.Place]bool{}}
	firstEvent, lastEvent, err := j.Events.Bounds(ctx)
	if err != nil {
		return Proof{}, fmt.Errorf("read the bounds of EVENTS: %w", err)
	}
	v.firstEvent = firstEvent
	if err := j.Ledger.Each(ctx, 1, v.ledgerFrame); err != nil {
		return Proof{}, fmt.Errorf("read LEDGER: %w", err)
	}
	if err := v.events(ctx, j.Events, lastEvent); err != nil {
		return Proof{}, fmt.Errorf("read EVENTS: %w", err)
	}
	if err := v.reports(ctx, j); err != nil {
		return Proof{}, err
	}
	v.count()
	return v.Proof, nil
}

type verifier struct {
	Proof
	firstEvent uint64
	upto       uint64 // EVENTS sequence that process is through with
	pairs      map[pair]*state
	seen       map[event.Place]bool // events with an entry of process
	missing    []pair               // pending, and not in REPORTS
	there      map[pair]bool        // in REPORTS
}

// state is what the LEDGER says of a pair. Each of the two may come first.
type state struct {
	begun   trace.Outcome // pending or filtered, by process
	ended   trace.Outcome // by delivery
	replays bool          // a later generation goes on from here
}

// outcome is how the pair stands.
func (s *state) outcome() trace.Outcome {
	if s.ended != "" {
		return s.ended
	}
	return s.begun
}

func (v *verifier) ledgerFrame(f journal.Frame) error {
	var m Meta
	if err := json.Unmarshal(f.Meta, &m); err != nil {
		return err
	}
	v.upto = max(v.upto, m.Upto)
	for _, raw := range f.Items {
		e, err := Parse(raw)
		if err != nil {
			return err
		}
		v.entry(e)
	}
	return nil
}

func (v *verifier) entry(e Entry) {
	if !e.Ended {
		v.seen[e.Place] = true
	}
	if e.Integration == "" {
		return
	}
	k := pair{e.Place, e.Integration, e.Gen}
	s := v.pairs[k]
	if s == nil {
		s = &state{}
		v.pairs[k] = s
	}
	at := fmt.Sprintf("event %d.%d", e.Place.Seq, e.Place.Index)
	switch {
	case e.Ended && s.ended != "":
		v.fault("%s has two outcomes for %s: %s and %s", at, e.Integration, s.ended, e.Outcome)
	case e.Ended && e.Outcome == trace.Pending:
		v.fault("%s ended as pending for %s", at, e.Integration)
	case e.Ended:
		s.ended = e.Outcome
	case s.begun != "":
		v.fault("%s has two beginnings for %s: %s and %s", at, e.Integration, s.begun, e.Outcome)
	default:
		s.begun = e.Outcome
	}
	if e.Replayed {
		v.Replayed++
		if before := v.pairs[pair{e.Place, e.Integration, e.Gen - 1}]; before != nil {
			before.replays = true
		}
	}
}

// events holds EVENTS against the LEDGER: what is worked through has its entry.
func (v *verifier) events(ctx context.Context, l *journal.Log, last uint64) error {
	return l.Each(ctx, 1, func(f journal.Frame) error {
		if f.Seq > last {
			return nil
		}
		v.Events += len(f.Items)
		if f.Seq > v.upto {
			v.Unprocessed += len(f.Items)
			return nil
		}
		for i := range f.Items {
			if !v.seen[event.Place{Seq: f.Seq, Index: i}] {
				v.fault("event %d.%d was worked through but has no outcome and is not pending", f.Seq, i)
			}
		}
		return nil
	})
}

// reports holds what is pending against REPORTS: it must still be there.
func (v *verifier) reports(ctx context.Context, j Journals) error {
	there := map[pair]bool{}
	v.there = there
	for id, l := range j.Reports {
		err := l.Each(ctx, 1, func(f journal.Frame) error {
			for _, raw := range f.Items {
				item, err := integrations.ParseItem(raw)
				if err != nil {
					return err
				}
				there[pair{item.Place, id, item.Gen}] = true
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the reports of %s: %w", id, err)
		}
	}
	for k, s := range v.pairs {
		if s.outcome() != trace.Pending || there[k] {
			continue
		}
		// It may have ended and been purged while this ran: then the LEDGER says
		// so by now, behind what was read.
		v.missing = append(v.missing, k)
	}
	return v.recheck(ctx, j.Ledger)
}

// recheck looks at what was written to the LEDGER meanwhile for the pairs that
// are neither there nor ended.
func (v *verifier) recheck(ctx context.Context, l *journal.Log) error {
	if len(v.missing) == 0 {
		return nil
	}
	ended := map[pair]bool{}
	err := l.Each(ctx, 1, func(f journal.Frame) error {
		for _, raw := range f.Items {
			e, err := Parse(raw)
			if err != nil {
				return err
			}
			if e.Ended {
				ended[pair{e.Place, e.Integration, e.Gen}] = true
			}
		}
		return nil
	})
	for _, k := range v.missing {
		if !ended[k] {
			v.fault("event %d.%d is pending for %s but is not in its reports: it would never be sent", k.place.Seq, k.place.Index, k.integration)
		}
	}
	return err
}

// count adds up the pairs of events that EVENTS still holds. A pair that was
// replayed counts with its last generation.
func (v *verifier) count() {
	// A replay that ended before a kill let process say that it began: REPORTS
	// has it still, and process says so with its next start.
	for k, s := range v.pairs {
		if before := v.pairs[pair{k.place, k.integration, k.gen - 1}]; s.begun == "" && before != nil && v.there[k] {
			s.begun, before.replays = trace.Pending, true
			v.Replayed++
		}
	}
	for k, s := range v.pairs {
		if s.begun == "" && k.place.Seq >= v.firstEvent && k.place.Seq <= v.upto {
			v.fault("event %d.%d ended for %s without ever being handed on", k.place.Seq, k.place.Index, k.integration)
		}
		if s.replays {
			if s.outcome() == trace.Pending {
				v.fault("event %d.%d was sent again to %s while it was still pending there", k.place.Seq, k.place.Index, k.integration)
			}
			continue
		}
		v.Pairs++
		v.Outcomes[string(s.outcome())]++
	}
}
