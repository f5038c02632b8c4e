// Package attempt holds what one try to send a report meant. A vendor decides
// the Verdict from what its service answered; delivery acts on it. It knows no
// vendor, no clock and no network.
package attempt

import (
	"fmt"
	"time"
)

// A Verdict is what one try means for the report that was sent.
type Verdict int

const (
	// Delivered: the vendor has it.
	Delivered Verdict = iota
	// Retry: the same report again, after a pause.
	Retry
	// Rejoin: the vendor forgot the visit; again at once, without its ids.
	Rejoin
	// Hold: the settings are wrong, so every report would fail alike. The
	// integration pauses and a person is told; the report stays.
	Hold
	// Dead: no later try can succeed.
	Dead
)

var verdicts = [...]string{"delivered", "retry", "rejoin", "hold", "dead"}

// String gives the verdict's name as it stands in traces and dead letters.
func (v Verdict) String() string {
	if v < 0 || int(v) >= len(verdicts) {
		return fmt.Sprintf("verdict(%d)", int(v))
	}
	return verdicts[v]
}

// A Result is one try: what was answered, and what that means. Why and Remedy
// are whole sentences for a marketer and hold no personal data, so they may be
// logged; Answer may hold personal data and goes to the debugger alone.
type Result struct {
	Verdict Verdict
	Status  int    // HTTP status, 0 if there was no answer
	Code    int    // the vendor's own code, 0 if none
	Why     string // what happened, with the vendor as the doer; empty when delivered
	Remedy  string // what to do about it; empty when there is nothing to do
	Anomaly string // a delivered answer that was not as documented; empty otherwise

	// RetryAfter is the least pause that the vendor asked for. 0 means none.
	RetryAfter time.Duration

	// IDs are those of the visit that the vendor answered with. Either may be
	// empty, which keeps the one in use.
	IDs IDs

	Took   time.Duration
	Answer Answer
}

// IDs name a visit at the vendor.
type IDs struct {
	Visitor string `json:"visitor,omitempty"`
	Session string `json:"session,omitempty"`
}

// Answer is the vendor's answer as it came, cut at 64 KiB.
type Answer struct {
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
}
