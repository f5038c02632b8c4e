package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/trace"
)

// openedView is an opened event as the page shows it, for one integration.
type openedView struct {
	Event, Outcome         string
	MessageID, AnonymousID string
	Way                    string
	Visitor, Back, Self    string
	Curl                   string // JSON of the request
	DeadID                 string
	MayReplay              bool
	Whose                  string // why not, and who may
	Prev, PrevID           string
	Next, NextID           string
	Only                   string // address with only this outcome
	Tabs                   []choice
	Box                    *boxView
	Stages                 []stage
}

type stage struct {
	Key, Title, Glyph string
	Bold, What        string
	Next              time.Time // ends What
	At                time.Time
	When              string
	Open              bool
	Inside            inside
}

// telling is an event with the one integration that is looked at, and what is
// needed to word it.
type telling struct {
	e       desk.EventDetail
	route   desk.RouteDetail
	sent    *desk.Attempt
	status  desk.IntegrationStatus
	mapping map[string][]string // consent codes of the pipeline
	query   string

	who    acting
	deadID string     // of its dead letter, "" when there is none
	others []desk.Row // the other events of the report, as far as they are known
	ride   desk.Ride  // of a carried page
}

// vendor is the integration's vendor as people call it.
func (t *telling) vendor() string {
	if t.status.Vendor == "" && t.route.Integration == "" {
		return "An integration"
	}
	return vendorName(t.status.Vendor, t.status.Name)
}

func vendorName(vendor, name string) string {
	switch vendor {
	case "liveperson":
		return "LivePerson"
	case "":
		return name
	}
	return upper(vendor)
}

func vendorSign(vendor string) string {
	switch vendor {
	case "liveperson":
		return "LP"
	case "webhook":
		return "WH"
	}
	return strings.ToUpper(vendor[:min(2, len(vendor))])
}

// stages gives the five stages; one that was not reached stays in place.
func (t *telling) stages() []stage {
	out := []stage{t.received(), t.governed(), t.request(), t.answer(), t.attempts()}
	for i := range out {
		out[i].Open = slices.Contains(t.open(), out[i].Key)
	}
	return out
}

// open names the stages that tell most about how the event ended.
func (t *telling) open() []string {
	switch {
	case t.route.Outcome == trace.Filtered && strings.HasPrefix(t.route.Reason, "consent:"):
		return []string{"governed"}
	case t.route.Outcome == trace.Filtered:
		return []string{"received"}
	case t.route.Outcome == trace.Delivered:
		return []string{"request", "answer"}
	case t.route.Outcome == trace.Carried:
		return []string{"request"}
	case t.sent != nil && t.sent.Answer != nil:
		return []string{"answer"}
	case t.sent != nil:
		return []string{"attempts"}
	}
	return []string{"request"}
}

func (t *telling) received() stage {
	s := stage{Key: "received", Title: "Received", Glyph: "delivered", At: t.e.ReceivedAt, Inside: receivedIn(t.e.Received, t.receivedFacts())}
	r := t.e.Received
	if r == nil {
		s.Glyph, s.What = "filtered", "How it came was not kept"
		return s
	}
	from := "a server"
	if r.Browser {
		from = "the browser"
	}
	method := "POST"
	if strings.HasPrefix(r.Path, "/v1/pixel") {
		method = "GET"
	}
	s.What = fmt.Sprintf("%s %s from %s · %s", method, r.Path, from, size(r.Bytes))
	return s
}

func (t *telling) receivedFacts() [][2]string {
	r := t.e.Received
	if r == nil {
		return nil
	}
	var out [][2]string
	for _, p := range [][2]string{{"Origin", r.Origin}, {"User agent", r.UserAgent}, {"Client IP", r.IP}} {
		if p[1] != "" {
			out = append(out, p)
		}
	}
	clock := "none, the clock is right"
	if r.CorrectionMS != 0 {
		clock = fmt.Sprintf("%+d ms", r.CorrectionMS)
	}
	return append(out, [2]string{"Clock correction", clock})
}

func (t *telling) governed() stage {
	s := stage{Key: "governed", Title: "Governed", Glyph: "delivered"}
	g := t.e.Governed
	if g == nil {
		s.Glyph, s.What = "filtered", "Not kept"
		s.Inside = governedIn(nil, "", nil)
		return s
	}
	rows, decision := t.consent(g)
	s.What = decision
	if t.stoppedHere() {
		s.Glyph, s.What = "filtered", desk.Say(t.route.Reason)
	} else {
		if n := len(g.Hashed); n > 0 {
			s.What += " · " + some(n, "field") + " hashed"
		}
		if n := len(g.Redacted); n > 0 {
			s.What += " · " + some(n, "field") + " removed"
		}
		s.What += " · " + visitWord(g)
	}
	s.Inside = governedIn(rows, t.vendor(), t.governedFacts(g))
	return s
}

// stoppedHere reports whether governance ended the event.
func (t *telling) stoppedHere() bool {
	return t.route.Outcome == trace.Filtered && (strings.HasPrefix(t.route.Reason, "consent:") || strings.HasPrefix(t.route.Reason, "bot"))
}

func visitWord(g *desk.Governed) string {
	if g.NewVisit {
		return "a new visit"
	}
	return "visit " + age(time.Duration(g.VisitAgeMS)*time.Millisecond) + " old"
}

// consent gives the table of codes, and the decision in words.
func (t *telling) consent(g *desk.Governed) (rows []consentRow, decision string) {
	var state consent.State
	_ = json.Unmarshal(g.Consent, &state) // a damaged record has no table
	codes := make([]string, 0, len(state.Categories))
	for code := range state.Categories {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	covered := map[string]bool{}
	for _, code := range codes {
		reads := t.mapping[code]
		r := consentRow{Code: code, Given: yes(state.Categories[code]), Reads: strings.Join(reads, ", "), Needs: "no"}
		if len(reads) == 0 {
			r.Reads = "not mapped"
		}
		for _, b := range reads {
			covered[b] = true
			if slices.Contains(t.route.Needs, b) {
				r.Needs, r.Tells = "yes", !state.Categories[code]
			}
		}
		rows = append(rows, r)
	}
	var words []string
	for _, b := range consent.Buckets {
		granted, known := state.Canonical[b]
		needs := slices.Contains(t.route.Needs, string(b))
		if known && !covered[string(b)] {
			rows = append(rows, consentRow{string(b), yes(granted), string(b), yes(needs), needs && !granted})
		}
		switch {
		case !needs || b == consent.Essential:
		case granted:
			words = append(words, upper(string(b))+" is granted")
		case known:
			words = append(words, upper(string(b))+" is not granted")
		default:
			words = append(words, upper(string(b))+" is not known")
		}
	}
	if len(words) == 0 {
		return rows, "No consent is needed"
	}
	return rows, strings.Join(words, ", ")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (t *telling) governedFacts(g *desk.Governed) [][2]string {
	gpc, last, personal := "not set", "not needed, the event brought its own", "nothing was changed"
	if g.GPC {
		gpc = "set: marketing and personalization count as denied"
	}
	if !g.OnEvent {
		last = "used, the event brought none"
	}
	var changed []string
	if len(g.Hashed) > 0 {
		changed = append(changed, strings.Join(g.Hashed, ", ")+" "+wasWere(len(g.Hashed))+" hashed")
	}
	if len(g.Redacted) > 0 {
		changed = append(changed, strings.Join(g.Redacted, ", ")+" "+wasWere(len(g.Redacted))+" removed")
	}
	if len(changed) > 0 {
		personal = strings.Join(changed, "; ")
	}
	out := [][2]string{
		{"Global Privacy Control", gpc}, {"Visitor’s last known state", last}, {"Personal data", personal}, {"Visit", upper(visitWord(g))},
	}
	if g.Bot != "" {
		out = append(out, [2]string{"Bot", g.Bot})
	}
	if len(g.Identified) > 0 {
		out = append(out, [2]string{"Ids merged", strings.Join(g.Identified, ", ")})
	}
	return out
}

func wasWere(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func (t *telling) answer() stage {
	s := stage{Key: "answer", Title: "Answer", Glyph: "filtered", What: "Nothing was sent", Inside: answerIn(t.sent, t.followed())}
	if t.sent == nil {
		return s
	}
	s.When = since(t.e.ReceivedAt, t.sent.SentAt.Add(time.Duration(t.sent.TookMS)*time.Millisecond))
	if t.sent.Answer == nil {
		s.Glyph, s.What = "pending", "No answer after "+took(t.sent.TookMS)
		if t.sent.Outcome == trace.Dead {
			s.Glyph = "dead"
		}
		return s
	}
	s.Bold, s.What = status(t.sent.Answer.Status), "in "+took(t.sent.TookMS)
	switch {
	case t.sent.Outcome == trace.Delivered:
		s.Glyph = "delivered"
	case t.route.Outcome == trace.Carried:
		s.Glyph = "carried" // by itself it was refused, and that was learned
	default:
		s.Glyph = "dead"
	}
	return s
}

func (t *telling) attempts() stage {
	s := stage{Key: "attempts", Title: "Attempts", Glyph: "filtered", What: "Nothing was tried", Inside: attemptsIn(attemptRows(t.route.Attempts))}
	n := 0
	for _, a := range t.route.Attempts {
		if a.Request != nil {
			n++
		}
	}
	last := t.route.Last()
	if last == nil || n == 0 {
		if t.route.Outcome == trace.Pending {
			s.Glyph, s.What = "pending", "None yet"
		}
		return s
	}
	s.Glyph = string(t.route.Outcome)
	s.What = plural(n, "try", "tries")
	if !last.NextTry.IsZero() && t.route.Outcome == trace.Pending {
		s.What += ", next at "
		s.Next = last.NextTry
	}
	s.When = since(t.e.ReceivedAt, last.At)
	return s
}
