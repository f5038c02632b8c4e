package liveperson

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
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
	code       int    // internalCode, 0 if none
	message    string // "" if none
	foreign    bool   // the body is there and is not LivePerson's JSON
	bare       bool   // the request carried no ids of a visit
	retryAfter time.Duration
}

// Remedies that several answers share. They are for a marketer.
const (
	byItself    = "Nothing to do: Signal tries again by itself."
	checkDomain = "Check monitoring_domain: signal liveperson resolve shows what LivePerson's Domain API gives for this account. Then check account_id and app_installation_id."
	checkProxy  = "Check monitoring_domain, and whether a proxy or a firewall on the way answers in LivePerson's place."
	otherForm   = "Set dialect to the other form: liveperson where it is signal or auto, signal where it is liveperson."
)

// judge says what an answer means for the report that caused it. It is pure: no
// clock, no I/O, no log line. Its sentences hold nothing of the report or of
// the answer but the names of fields.
func judge(a answer) attempt.Result {
	r := attempt.Result{Status: a.status, Code: a.code}
	say := func(v attempt.Verdict, why, remedy string) attempt.Result {
		r.Verdict, r.Why, r.Remedy = v, why, remedy
		return r
	}
	switch {
	case a.status == 200, a.status == 201:
		return r
	case a.status == 202, a.status == 500 && a.code == codeNotLoaded:
		// Not taken, however much a 2xx looks like it.
		r.IDs.Visitor = visitorIn(a.message)
		r.RetryAfter = a.retryAfter
		return say(attempt.Retry, "LivePerson is still loading this account.", byItself)
	case a.status == 404 && (a.code == codeUnknownVisitor || a.code == codeUnknownSession):
		if a.bare {
			return say(attempt.Dead, "LivePerson does not know this visit, though the report named none.",
				"Review the report in the Event Debugger, and ask LivePerson about this answer.")
		}
		return say(attempt.Rejoin, "LivePerson does not know this visit any more.",
			"Nothing to do: Signal sends the report again, and LivePerson begins a new visit.")
	case a.status == 429:
		r.RetryAfter = max(a.retryAfter, time.Second)
		return say(attempt.Retry, "LivePerson asks to go slower.", byItself+" If it comes often, lower rate_limit.")
	case a.status == 408, a.status/100 == 5:
		r.RetryAfter = a.retryAfter
		return say(attempt.Retry, fmt.Sprintf("LivePerson does not take reports now. It answered %d.", a.status), byItself)
	}
	return judgeRefusal(a, say)
}

// judgeRefusal says whether settings or the report itself were refused.
func judgeRefusal(a answer, say func(attempt.Verdict, string, string) attempt.Result) attempt.Result {
	switch {
	case a.status/100 == 3:
		return say(attempt.Hold, "LivePerson's address sends us elsewhere.", checkDomain)
	case a.status/100 == 2:
		return say(attempt.Hold, "Something else answered for LivePerson.", checkProxy)
	case a.status == 404 && a.code == codeUnknownApp:
		return say(attempt.Hold, "LivePerson does not know this app key.",
			"Change app_installation_id: copy the App Key from Conversational Cloud, and check that its app is active and belongs to this account.")
	case a.status == 404 && a.code == codeUnknownAccount:
		return say(attempt.Hold, "LivePerson does not know this account.",
			"Check account_id, and that monitoring_domain is the one of this account: signal liveperson resolve shows it.")
	case a.status == 404:
		return say(attempt.Hold, "LivePerson does not answer at this domain.", checkDomain)
	case (a.status == 401 || a.status == 403) && a.foreign:
		return say(attempt.Hold, "Something else answered for LivePerson.", checkProxy)
	case a.status == 401, a.status == 403:
		return say(attempt.Hold, "This account wants signed identities.",
			"The account may enforce authenticated monitoring, which needs identities with acr loa1 and a signed token behind sub. Confirm its monitoring configuration with LivePerson.")
	case a.status == 400 && a.code == codeVersion, a.status == 405:
		return say(attempt.Hold, "LivePerson wants the other dialect.", otherForm)
	case a.status == 400:
		return judgeInvalid(a, say)
	case a.status == 413:
		return say(attempt.Dead, "LivePerson finds the report too large.",
			"Shorten what the mapping sends for this event, such as its list of products, and replay it.")
	case a.status/100 == 4:
		return say(attempt.Dead, fmt.Sprintf("LivePerson refused the report. It answered %d.", a.status),
			"Review the request and the answer in the Event Debugger, correct the mapping, and replay the event.")
	}
	return say(attempt.Dead, fmt.Sprintf("LivePerson gave an answer that no report can have. It answered %d.", a.status), checkProxy)
}

// judgeInvalid words a 400: with the field where LivePerson names one.
func judgeInvalid(a answer, say func(attempt.Verdict, string, string) attempt.Result) attempt.Result {
	field := fieldIn(a.message)
	switch field {
	case "":
		return say(attempt.Dead, "LivePerson refused the report as invalid.",
			"An identity (consumerId, identities.sub or vid) is missing, or an engagement attribute is malformed. Review the request and the answer in the Event Debugger, correct the mapping, and replay the event.")
	case "consumerId", "identities", "identities.sub", "identities.acr", "identities.iss":
		return say(attempt.Dead, "LivePerson refused "+field+".",
			"The report needs a visitor in consumerId or identities[0].sub. Check the common fields of the mapping, and replay the event.")
	}
	return say(attempt.Dead, "LivePerson refused "+field+".",
		"Correct what the mapping writes into "+field+", and replay the event.")
}

var visitorForm = regexp.MustCompile(`\bvid:\s*([^\s,"]+)`)

// visitorIn gives the visitor id that a "Loading account" message names, or "".
func visitorIn(message string) string {
	m := visitorForm.FindStringSubmatch(message)
	if m == nil || m[1] == "null" || len(m[1]) > maxID {
		return ""
	}
	return m[1]
}

var (
	attributeIndex = regexp.MustCompile(`^engagementAttributes\[\d{1,4}\]\.`)
	fieldForm      = regexp.MustCompile(`^[a-zA-Z]{1,32}(\[\d{1,4}\])?(\.[a-zA-Z]{1,32}(\[\d{1,4}\])?){0,6}$`)
	indexes        = regexp.MustCompile(`\[\d+\]`)
	fieldNames     = knownFields()
)

// fieldIn gives the field that the message of a 400 names, or "". Every part
// of it must be a field that LivePerson has: a message may as well repeat a
// value, which belongs into no sentence of ours.
func fieldIn(message string) string {
	field := attributeIndex.ReplaceAllString(strings.TrimSpace(message), "")
	if !fieldForm.MatchString(field) {
		return ""
	}
	for part := range strings.SplitSeq(indexes.ReplaceAllString(field, ""), ".") {
		if !fieldNames[part] {
			return ""
		}
	}
	return field
}

// knownFields are the names of all fields of a report and of all SDEs.
func knownFields() map[string]bool {
	known := map[string]bool{
		"consumerId": true, "identities": true, "iss": true, "acr": true, "sub": true,
		"entryPoints": true, "engagementAttributes": true, "pageId": true, "body": true,
		"vid": true, "sid": true, "obh": true, "accountId": true, "appInstallationId": true,
		"cart": true, "searchInfo": true, "campaignID": true,
	}
	var walk func(n *node)
	walk = func(n *node) {
		if n.elem != nil {
			walk(n.elem)
		}
		for name, field := range n.fields {
			known[name] = true
			walk(field)
		}
	}
	for name := range maps.Keys(sdes) {
		known[name] = true
		walk(sdes[name])
	}
	return known
}
