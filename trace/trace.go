// Package trace carries what happened to events to the Event Debugger. process
// notes each event once, delivery each try. Nothing on the way of an event ever
// waits for it: a Tap with no room drops the record and counts it.
package trace

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/datafly/signal/event"
)

// Outcome is how an event ended for an integration, product.md 2.
type Outcome string

// The five words; no other is used anywhere.
const (
	Pending   Outcome = "pending"
	Delivered Outcome = "delivered"
	Carried   Outcome = "carried"
	Filtered  Outcome = "filtered"
	Dead      Outcome = "dead"
)

// A Record is one thing that happened to one event: exactly one of Arrival and
// Step is set.
type Record struct {
	At        time.Time   `json:"at"`
	Place     event.Place `json:"place"`
	MessageID string      `json:"messageId"`
	Arrival   *Arrival    `json:"arrival,omitempty"`
	Step      *Step       `json:"step,omitempty"`
}

// Arrival is what process saw of an event: how it came, what governance made of
// it, and where it goes.
type Arrival struct {
	Pipeline    string     `json:"pipeline"`
	Type        event.Type `json:"type"`
	Event       string     `json:"event"` // the name, or the type
	AnonymousID string     `json:"anonymousId"`
	UserID      string     `json:"userId,omitempty"`
	ReceivedAt  time.Time  `json:"receivedAt"`

	Path      string          `json:"path"` // "/v1/t"
	Browser   bool            `json:"browser"`
	IP        string          `json:"ip,omitempty"`
	UserAgent string          `json:"userAgent,omitempty"`
	Origin    string          `json:"origin,omitempty"`
	Bytes     int             `json:"bytes"`
	Skew      time.Duration   `json:"skew,omitempty"` // clock correction
	Body      json.RawMessage `json:"body"`           // as received

	// Governed.
	Consent    json.RawMessage `json:"consent,omitempty"` // consent.State in force, after the merge
	OnEvent    bool            `json:"onEvent"`           // consent data stood on this event
	GPC        bool            `json:"gpc,omitempty"`
	Hashed     []string        `json:"hashed,omitempty"`   // paths
	Redacted   []string        `json:"redacted,omitempty"` // paths
	Bot        string          `json:"bot,omitempty"`      // what gave it away
	Identified []string        `json:"identified,omitempty"`
	VisitAge   time.Duration   `json:"visitAge"`
	NewVisit   bool            `json:"newVisit,omitempty"`

	Routes []Route `json:"routes"`
}

// A Route is the event's way to one integration, as process decided it.
type Route struct {
	Integration string          `json:"integration"` // "shop/liveperson"
	Outcome     Outcome         `json:"outcome"`     // Pending or Filtered
	Reason      string          `json:"reason,omitempty"`
	Needs       []string        `json:"needs,omitempty"` // consent categories of the integration
	Revision    int             `json:"revision,omitempty"`
	Payload     json.RawMessage `json:"payload,omitempty"`
	Explain     json.RawMessage `json:"explain,omitempty"` // which source fed what
	Faults      []string        `json:"faults,omitempty"`  // attributes that were not built
	Gen         int             `json:"gen,omitempty"`
}

// A Step is one try of delivery, or the end without one.
type Step struct {
	Integration string  `json:"integration"`
	Gen         int     `json:"gen,omitempty"`
	Try         int     `json:"try"`     // 1 for the first; 0 when nothing was sent
	Outcome     Outcome `json:"outcome"` // Pending when another try follows
	Reason      string  `json:"reason,omitempty"`
	Remedy      string  `json:"remedy,omitempty"`
	Verdict     string  `json:"verdict,omitempty"`
	// Cause, Fix, Field and Checks explain a failure, as attempt.Result has them.
	Cause  string          `json:"cause,omitempty"`
	Fix    string          `json:"fix,omitempty"`
	Field  string          `json:"field,omitempty"`
	Checks json.RawMessage `json:"checks,omitempty"` // []attempt.Check

	Method  string            `json:"method,omitempty"`
	URL     string            `json:"url,omitempty"`
	Header  map[string]string `json:"header,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
	Dialect string            `json:"dialect,omitempty"`
	Summary string            `json:"summary,omitempty"`
	With    []string          `json:"with,omitempty"` // message ids of the other events of the report

	SentAt time.Time         `json:"sentAt,omitzero"`
	Status int               `json:"status,omitempty"`
	Code   int               `json:"code,omitempty"`
	Took   time.Duration     `json:"took,omitempty"`
	Answer string            `json:"answer,omitempty"`
	AHead  map[string]string `json:"answerHeader,omitempty"`
	Next   time.Time         `json:"next,omitzero"` // of the next try
	Notes  []string          `json:"notes,omitempty"`

	// Of says which event it is. Failures are kept though their arrival was
	// sampled out, and without Of their row in the list has an id and no name.
	Of Subject `json:"of,omitzero"`
}

// A Subject is what a row of the debugger's list needs to know of an event.
type Subject struct {
	Pipeline    string    `json:"pipeline,omitempty"`
	Event       string    `json:"event,omitempty"` // the name, or the type
	AnonymousID string    `json:"anonymousId,omitempty"`
	UserID      string    `json:"userId,omitempty"`
	ReceivedAt  time.Time `json:"receivedAt,omitzero"`
}

// A Tap hands records to the debugger. The zero Tap discards them. It is safe
// for many goroutines.
type Tap struct {
	out  chan<- Record
	lost *atomic.Int64
}

// NewTap gives a Tap that writes to out and counts in lost what had no room.
func NewTap(out chan<- Record, lost *atomic.Int64) Tap { return Tap{out, lost} }

// On reports whether anybody listens.
func (t Tap) On() bool { return t.out != nil }

// Note hands over one record. It never blocks; build does not run when the
// record would be lost anyway.
func (t Tap) Note(build func() Record) {
	if t.out == nil {
		return
	}
	if len(t.out) == cap(t.out) {
		t.lost.Add(1)
		return
	}
	select {
	case t.out <- build():
	default: // another goroutine took the last place
		t.lost.Add(1)
	}
}
