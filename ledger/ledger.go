// Package ledger is the record of how every event ended. process writes one
// frame for each stretch of EVENTS that it worked through: for every event and
// integration whether it is pending or filtered. delivery writes an entry when
// an event ends. An Entry that is not in the LEDGER journal did not happen.
//
// From it Overview is counted, a restart knows what is settled, and `signal
// verify` proves that each accepted event has one outcome per integration.
package ledger

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/trace"
)

// An Entry says that one event reached a state for one integration. Entries of
// one event may stand in any order: delivery can be quicker than the frame in
// which process says that the event is pending.
type Entry struct {
	Place       event.Place   `json:"at"`
	Gen         int           `json:"g,omitempty"` // of the replay that it belongs to, 0 the first time
	Pipeline    string        `json:"p"`
	Integration string        `json:"i,omitempty"` // "" for an event that no integration wanted
	Outcome     trace.Outcome `json:"o"`
	Reason      string        `json:"w,omitempty"` // of filtered and dead
	At          time.Time     `json:"t"`           // receipt for process, the instant of the end for delivery
	Took        time.Duration `json:"d,omitempty"` // from receipt, of delivered

	First    bool `json:"f,omitempty"`  // the first entry of its event, so that events can be counted
	Ended    bool `json:"e,omitempty"`  // the pair was pending, and is not any more
	Replayed bool `json:"rp,omitempty"` // the pair had ended, dead unless Was says otherwise, and is pending again
	Was      *Was `json:"was,omitempty"`
}

// Was is how a pair stood when a replay of stored events took it up again.
type Was struct {
	Outcome trace.Outcome `json:"o,omitempty"` // "" when the integration never had the event
	Reason  string        `json:"w,omitempty"`
	At      time.Time     `json:"t,omitzero"` // of the entry that said so
	Took    time.Duration `json:"d,omitempty"`
}

// Append encodes e behind dst; Parse is the inverse.
func (e *Entry) Append(dst []byte) ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return dst, fmt.Errorf("encode a ledger entry: %w", err)
	}
	return append(dst, b...), nil
}

// Parse reads what Append wrote.
func Parse(b []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(b, &e); err != nil {
		return Entry{}, fmt.Errorf("read a ledger entry: %w", err)
	}
	return e, nil
}

// Meta stands on each LEDGER frame. Upto is the EVENTS frame that process is
// through with, 0 on frames of delivery and on those that are not its last.
type Meta struct {
	Upto uint64 `json:"upto,omitempty"`
}
