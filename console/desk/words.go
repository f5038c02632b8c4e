package desk

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/datafly/signal/trace"
)

// A Row is one event as the list shows it: its summary, and what it became in
// words. The list of a page and the live stream write the same ones.
type Row struct {
	trace.Summary
	// Line is what it became, or the reason it did not.
	Line string `json:"line"`
	// Tail is the status with duration or tries, or "not sent".
	Tail string `json:"tail"`
	// NextTry is when a pending event is tried again.
	NextTry time.Time `json:"next_try,omitzero"`
	// Match says that the row passes the filters; false on a stream for a row
	// that did and no longer does.
	Match bool `json:"match"`
}

func row(s trace.Summary) Row {
	r := Row{Summary: s, Line: line(s), Tail: Tail(s.Outcome, s.Status, s.TookMS, s.Tries), Match: true}
	if s.Outcome == trace.Pending {
		for _, e := range s.Ends {
			if e.Integration == s.Integration {
				r.NextTry = e.Next
			}
		}
	}
	return r
}

// line words the worst end; with several integrations it says whose that is.
func line(s trace.Summary) string {
	text := Line(s.Outcome, s.Status, s.Text, s.Reason)
	if len(s.Ends) > 1 && s.Integration != "" && s.Outcome != trace.Delivered && s.Outcome != trace.Carried {
		return name(s.Integration) + ": " + text
	}
	return text
}

// Line words one end of an event.
func Line(o trace.Outcome, status int, text, reason string) string {
	switch {
	case o == trace.Filtered && strings.HasPrefix(reason, notMapped):
		return "Not mapped"
	case o == trace.Filtered || o == trace.Dead:
		return Say(reason)
	case o == trace.Pending && status != 0:
		return fmt.Sprintf("Answered %d", status)
	case o == trace.Pending && reason != "":
		return Say(reason)
	case o == trace.Pending:
		return "Waits to be sent"
	case text != "":
		return text
	case o == trace.Carried:
		return "Travels with the visitor's next report"
	}
	return "Delivered"
}

// Tail words the status of one end with its duration or tries.
func Tail(o trace.Outcome, status int, tookMS int64, tries int) string {
	switch {
	case status == 0 && (tries == 0 || o == trace.Carried || o == trace.Filtered):
		return "not sent"
	case o == trace.Delivered || o == trace.Carried:
		return fmt.Sprintf("%d · %d ms", status, tookMS)
	case status == 0:
		return "no answer · " + plural(tries, "try", "tries")
	}
	return fmt.Sprintf("%d · %s", status, plural(max(1, tries), "try", "tries"))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// notMapped begins the reason of an event that no rule names.
const notMapped = "not mapped: "

// Say makes a reason from the records one that people read: "consent:
// marketing is not granted" is "Marketing is not granted".
func Say(reason string) string {
	if name, ok := strings.CutPrefix(reason, notMapped+"no rule for "); ok {
		return "Not mapped: " + strings.Trim(name, `"`)
	}
	return upper(strings.TrimPrefix(reason, "consent: "))
}

func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}
