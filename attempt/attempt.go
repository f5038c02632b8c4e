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
	// Reform: the vendor wants reports in another form. The same items are
	// built anew, in Result.Form if that is set, and sent at once.
	Reform
)

var verdicts = [...]string{"delivered", "retry", "rejoin", "hold", "dead", "reform"}

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

	// Cause names the row of the vendor's table of remedies that this is, such
	// as "unknown_app_key"; empty when delivered.
	Cause string
	// Fix says what mends it, for the button beside the remedy.
	Fix Fix
	// Field is the vendor's field that was refused, such as "lead.currency".
	Field string
	// Checks are what Signal found out by itself about the cause.
	Checks []Check

	// RetryAfter is the least pause that the vendor asked for. 0 means none.
	RetryAfter time.Duration
	// Slow says that the vendor asks for fewer requests a second.
	Slow bool
	// Outage says that the vendor, or the way to it, failed, whatever the
	// report was: such tries open the circuit breaker.
	Outage bool
	// Split says, of a Dead report, that one part of it may be at fault and
	// the others not.
	Split bool
	// Form, of a Reform, is the form for this one report; empty is the
	// connection's own, which has learned.
	Form string

	// IDs are those of the visit that the vendor answered with. Either may be
	// empty, which keeps the one in use.
	IDs IDs

	Took   time.Duration
	Answer Answer
}

// A Fix is what a person does about a failure.
type Fix string

// The fixes. Empty means that there is nothing to do but wait.
const (
	FixSettings   Fix = "settings"   // of the integration
	FixDomain     Fix = "domain"     // take over the domain that the vendor gives
	FixMapping    Fix = "mapping"    // at Result.Field
	FixIdentities Fix = "identities" // signed tokens and their keys
	FixForm       Fix = "form"       // learn the vendor's form again
	FixRate       Fix = "rate"       // lower it
	FixReplay     Fix = "replay"     // once the cause is gone
)

// A Check is one thing that Signal looked at by itself to explain a failure.
// Say is a whole sentence and holds no personal data.
type Check struct {
	What string `json:"what"` // "domain", "account", "app key"
	// Right and Wrong say how it came out; neither means that Signal cannot
	// know.
	Right bool   `json:"right,omitempty"`
	Wrong bool   `json:"wrong,omitempty"`
	Say   string `json:"say"`
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
