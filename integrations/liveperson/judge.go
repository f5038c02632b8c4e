package liveperson

import (
	"fmt"
	"regexp"
	"time"

	"github.com/datafly/signal/attempt"
)

// LivePerson's own codes. 18 means two things, so a code never decides without
// the status.
const (
	codeInvalid        = 5  // 400: data missing or invalid
	codeUnknownAccount = 6  // 404
	codeUnknownApp     = 18 // 404; with 500 any unexpected fault
	codeNotLoaded      = 20 // 500: loading the account, or timed out
	codeVersion        = 33 // 400
	codeUnknownVisitor = 37 // 404
	codeLoading        = 38 // 202
	codeUnknownSession = 39 // 404
)

// answer is what LivePerson said to one try.
type answer struct {
	status     int
	code       int      // internalCode, 0 if none
	message    string   // "" if none
	foreign    bool     // the body is there and is not LivePerson's JSON
	bare       bool     // the request carried no ids of a visit
	types      []string // of the request's SDEs, with the names of a mapping
	retryAfter time.Duration
}

// said is the status in a sentence.
func (a *answer) said() string { return fmt.Sprintf("It answered %d.", a.status) }

// judge says what an answer means for the report that caused it. It is pure: no
// clock, no I/O, no log line. Its sentences hold nothing of the report or of
// the answer but the names of fields. What Signal has yet to learn is not its
// business: see knowledge.after.
func judge(a answer) attempt.Result {
	r := attempt.Result{Status: a.status, Code: a.code}
	switch {
	case a.status == 200, a.status == 201:
		return r
	case a.status == 202, a.status == 500 && a.code == codeNotLoaded:
		// Not taken, however much a 2xx looks like it.
		r.IDs.Visitor = visitorIn(a.message)
		r.RetryAfter = a.retryAfter
		return become(r, causeLoading)
	case a.status == 404:
		return become(r, notFound(a))
	case a.status == 429:
		r.RetryAfter = max(a.retryAfter, time.Second)
		return become(r, causeTooFast)
	case a.status/100 == 5 && capped.MatchString(a.message):
		r.RetryAfter = a.retryAfter
		return because(r, causeCapped, a.said())
	case a.status == 408, a.status/100 == 5:
		r.RetryAfter = a.retryAfter
		return because(r, causeUnavailable, a.said())
	case a.status/100 == 3:
		return become(r, causeRedirect)
	case a.status/100 == 2:
		return become(r, causeForeign)
	case a.status/100 == 4:
		return judgeRefusal(a, r)
	}
	return because(r, causeImpossible, a.said())
}

// notFound tells the 404s apart: of the address, and of the visit.
func notFound(a answer) string {
	switch {
	case a.code == codeUnknownApp:
		return causeAppKey
	case a.code == codeUnknownAccount:
		return causeAccount
	case a.code != codeUnknownVisitor && a.code != codeUnknownSession:
		return causeDomain
	case a.bare:
		return causeNoVisit
	}
	return causeUnknownVisit
}

// judgeRefusal says of a 4xx whether the settings or the report were refused.
func judgeRefusal(a answer, r attempt.Result) attempt.Result {
	switch {
	case (a.status == 401 || a.status == 403) && a.foreign:
		return become(r, causeForeign)
	case a.status == 401, a.status == 403:
		return become(r, causeIdentities)
	case a.status == 400 && a.code == codeVersion, a.status == 405:
		return become(r, causeOtherForm)
	case a.foreign:
		return because(r, causeForeignNo, a.said())
	case a.status == 413:
		return become(r, causeTooLarge)
	case a.status != 400:
		return because(r, causeRefused, a.said())
	}
	r.Field = fieldIn(a.message, a.types)
	switch {
	case r.Field == "":
		return become(r, causeInvalid)
	case identityFields[r.Field]:
		return become(r, causeVisitor)
	}
	if rule := ruleOf(r.Field); rule != "" {
		r.Checks = []attempt.Check{{What: r.Field, Right: true, Say: "Signal checked before sending that " + r.Field + " is " + rule + "."}}
	}
	return become(r, causeField)
}

var capped = regexp.MustCompile(`(?i)\bcapped\b`)

var visitorForm = regexp.MustCompile(`\bvid:\s*([^\s,"]+)`)

// visitorIn gives the visitor id that a "Loading account" message names, or "".
func visitorIn(message string) string {
	m := visitorForm.FindStringSubmatch(message)
	if m == nil || m[1] == "null" || len(m[1]) > maxID {
		return ""
	}
	return m[1]
}
