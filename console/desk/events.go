package desk

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// EventQuery chooses events of the debugger, live and in the history alike.
// What is empty does not filter.
type EventQuery struct {
	Pipeline    string
	Integration string // ID or name
	Event       string // in any spelling
	Outcome     string
	Visitor     string // an anonymousId or a userId
	Q           string // the begin of an id, or words
	From, To    time.Time
	OldestFirst bool
	Cursor      string
	Limit       int
}

// Filtered reports whether anything but the order is chosen.
func (q EventQuery) Filtered() bool {
	return q.Integration != "" || q.Event != "" || q.Outcome != "" || q.Visitor != "" || q.Q != "" || !q.From.IsZero() || !q.To.IsZero()
}

// Outcomes are the five words, in the order in which people read them.
var Outcomes = []trace.Outcome{trace.Delivered, trace.Carried, trace.Filtered, trace.Dead, trace.Pending}

func (d *Desk) traceFilter(q EventQuery) (store.TraceFilter, error) {
	id, err := d.integration(q.Integration, q.Pipeline)
	if err != nil {
		return store.TraceFilter{}, err
	}
	if q.Outcome != "" && !slices.Contains(Outcomes, trace.Outcome(q.Outcome)) {
		return store.TraceFilter{}, fault(ErrInvalid, "%q is no outcome: use delivered, carried, filtered, dead or pending.", q.Outcome)
	}
	return store.TraceFilter{
		Pipeline: q.Pipeline, Integration: id, Event: q.Event, Outcome: q.Outcome, Visitor: q.Visitor, Q: q.Q,
		From: q.From, To: q.To, OldestFirst: q.OldestFirst, Cursor: q.Cursor, Limit: q.Limit,
	}, nil
}

// Events gives a page and the cursor of the next.
func (d *Desk) Events(ctx context.Context, who auth.Actor, q EventQuery) (page []Row, next string, err error) {
	if err := allow(who, auth.Viewer); err != nil {
		return nil, "", err
	}
	f, err := d.traceFilter(q)
	if err != nil {
		return nil, "", err
	}
	found, next, err := d.o.Store.Traces(ctx, f)
	if err != nil {
		return nil, "", cursorFault(err)
	}
	page = []Row{}
	for _, s := range found {
		page = append(page, d.row(who, s))
	}
	return page, next, nil
}

func (d *Desk) row(who auth.Actor, s trace.Summary) Row {
	if masks(who) {
		s = s.Masked()
	}
	return row(s)
}

// CountEvents gives how many events match; with more than store.CountLimit it
// stops there and reports true.
func (d *Desk) CountEvents(ctx context.Context, who auth.Actor, q EventQuery) (n int, more bool, err error) {
	if err := allow(who, auth.Viewer); err != nil {
		return 0, false, err
	}
	f, err := d.traceFilter(q)
	if err != nil {
		return 0, false, err
	}
	return d.o.Store.CountTraces(ctx, f)
}

// Last is the number of the latest change that the hub knows: what a page that
// was just made follows after.
func (d *Desk) Last() uint64 { return d.o.Hub.Last() }

// matcher is the live form of a filter. It means the same as the query of the
// history.
func matcher(f store.TraceFilter) func(trace.Summary) bool {
	key := event.FoldName(f.Event)
	q := strings.TrimSpace(f.Q)
	words := wordsOf(q)
	return func(s trace.Summary) bool {
		switch {
		case f.Pipeline != "" && s.Pipeline != f.Pipeline,
			key != "" && event.FoldName(s.Event) != key,
			f.Visitor != "" && s.AnonymousID != f.Visitor && s.UserID != f.Visitor,
			!f.From.IsZero() && s.ReceivedAt.Before(f.From),
			!f.To.IsZero() && !s.ReceivedAt.Before(f.To):
			return false
		}
		if f.Integration == "" {
			if f.Outcome != "" && string(s.Outcome) != f.Outcome {
				return false
			}
		} else if !slices.ContainsFunc(s.Ends, func(e trace.End) bool {
			return e.Integration == f.Integration && (f.Outcome == "" || string(e.Outcome) == f.Outcome)
		}) {
			return false
		}
		return q == "" || matchText(s, q, words)
	}
}

func matchText(s trace.Summary, q string, words []string) bool {
	for _, id := range []string{s.MessageID, s.AnonymousID, s.UserID} {
		if strings.HasPrefix(id, q) {
			return true
		}
	}
	if len(words) == 0 {
		return false
	}
	have := wordsOf(s.Event)
	for _, e := range s.Ends {
		have = append(append(have, wordsOf(e.Text)...), wordsOf(e.Reason)...)
	}
	for _, w := range words {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return true
}

func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// EventDetail is all that is known of one event, stage by stage.
type EventDetail struct {
	Row
	Received *Received     `json:"received,omitempty" doc:"How it came. Absent when the event was sampled out and shows because a delivery failed."`
	Governed *Governed     `json:"governed,omitempty"`
	Routes   []RouteDetail `json:"routes" doc:"One for each integration."`
}

// Received is how an event came.
type Received struct {
	At           time.Time       `json:"at"`
	Path         string          `json:"path"`
	Browser      bool            `json:"browser"`
	IP           string          `json:"ip,omitempty"`
	UserAgent    string          `json:"user_agent,omitempty"`
	Origin       string          `json:"origin,omitempty"`
	Bytes        int             `json:"bytes"`
	CorrectionMS int64           `json:"clock_correction_ms,omitempty"`
	Body         json.RawMessage `json:"body"`
}

// Governed is what consent and governance made of it.
type Governed struct {
	Consent    json.RawMessage `json:"consent,omitempty" doc:"The state in force after the merge."`
	OnEvent    bool            `json:"consent_on_event"`
	GPC        bool            `json:"gpc,omitempty"`
	Hashed     []string        `json:"hashed,omitempty"`
	Redacted   []string        `json:"redacted,omitempty"`
	Bot        string          `json:"bot,omitempty"`
	Identified []string        `json:"identified,omitempty"`
	VisitAgeMS int64           `json:"visit_age_ms"`
	NewVisit   bool            `json:"new_visit,omitempty"`
}

// RouteDetail is the event's way to one integration.
type RouteDetail struct {
	Integration string          `json:"integration"`
	Outcome     trace.Outcome   `json:"outcome"`
	Reason      string          `json:"reason,omitempty"`
	Remedy      string          `json:"remedy,omitempty"`
	Needs       []string        `json:"needs,omitempty" doc:"Consent categories that the integration needs."`
	Revision    int             `json:"revision,omitempty"`
	Payload     json.RawMessage `json:"payload,omitempty" doc:"What the mapping made."`
	Explain     json.RawMessage `json:"explain,omitempty" doc:"Which source fed which field."`
	Faults      []string        `json:"faults,omitempty"`
	Attempts    []Attempt       `json:"attempts"`
}

// Attempt is one try of delivery, or the end without one (try 0).
type Attempt struct {
	At      time.Time     `json:"at"`
	Gen     int           `json:"gen,omitempty" doc:"Of the replay."`
	Try     int           `json:"try"`
	Outcome trace.Outcome `json:"outcome"`
	Verdict string        `json:"verdict,omitempty"`
	Reason  string        `json:"reason,omitempty"`
	Remedy  string        `json:"remedy,omitempty"`
	Explanation
	SentAt  time.Time `json:"sent_at,omitzero"`
	TookMS  int64     `json:"took_ms,omitempty"`
	NextTry time.Time `json:"next_try,omitzero"`
	Request *Request  `json:"request,omitempty"`
	Answer  *Answer   `json:"answer,omitempty"`
	Notes   []string  `json:"notes,omitempty"`
	With    []string  `json:"with,omitempty" doc:"Message ids of the other events of the report."`
}

// Request is what was sent.
type Request struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Header  map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
	Dialect string            `json:"dialect,omitempty"`
	Summary string            `json:"summary,omitempty"`
}

// Answer is what came back.
type Answer struct {
	Status int               `json:"status"`
	Code   int               `json:"code,omitempty"`
	Header map[string]string `json:"headers,omitempty"`
	Body   string            `json:"body,omitempty"`
}

// LastSent is the latest try that sent something, nil when nothing was sent.
func (r *RouteDetail) LastSent() *Attempt {
	for i := len(r.Attempts) - 1; i >= 0; i-- {
		if r.Attempts[i].Request != nil {
			return &r.Attempts[i]
		}
	}
	return nil
}

// Last is the latest step, nil when delivery has not spoken.
func (r *RouteDetail) Last() *Attempt {
	if len(r.Attempts) == 0 {
		return nil
	}
	return &r.Attempts[len(r.Attempts)-1]
}

// Event gives one event by its message id. An event that the live list has and
// the history does not yet is waited for, a second at most.
func (d *Desk) Event(ctx context.Context, who auth.Actor, messageID string) (EventDetail, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return EventDetail{}, err
	}
	found, ok, err := d.o.Store.Trace(ctx, messageID)
	if err == nil && !ok && d.isLive(messageID) {
		found, ok, err = d.awaitTrace(ctx, messageID)
	}
	if err != nil {
		return EventDetail{}, err
	}
	if !ok {
		return EventDetail{}, fault(ErrNotFound, "There is no event %s. Successes are kept 24 hours here. The outcome is still counted.", messageID)
	}
	if masks(who) {
		found = masked(found)
	}
	return d.detail(who, found), nil
}

func (d *Desk) isLive(messageID string) bool {
	return len(d.o.Hub.Recent(func(s trace.Summary) bool { return s.MessageID == messageID }, 1)) > 0
}

// awaitTrace asks the history until the hub has written what it shows.
func (d *Desk) awaitTrace(ctx context.Context, messageID string) (store.TraceDetail, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return store.TraceDetail{}, false, nil
		case <-tick.C:
			if found, ok, err := d.o.Store.Trace(ctx, messageID); ok || err != nil {
				return found, ok, err
			}
		}
	}
}

// masked hides personal data in all records of an event.
func masked(t store.TraceDetail) store.TraceDetail {
	user, ip := t.UserID, ""
	if t.Arrival != nil {
		ip = t.Arrival.IP
		t.Arrival = trace.Record{Arrival: t.Arrival}.Masked(user).Arrival
	}
	t.TraceRow = t.TraceRow.Masked()
	t.Routes = slices.Clone(t.Routes)
	for i := range t.Routes {
		r := &t.Routes[i]
		if r.Route != nil {
			holder := trace.Record{Arrival: &trace.Arrival{UserID: user, IP: ip, Routes: []trace.Route{*r.Route}}}.Masked(user)
			r.Route = &holder.Arrival.Routes[0]
		}
		r.Steps = slices.Clone(r.Steps)
		for j := range r.Steps {
			r.Steps[j] = r.Steps[j].Masked(user, ip)
			r.Steps[j].Step.Checks = trace.NewMask(user, ip).JSON(r.Steps[j].Step.Checks)
		}
	}
	return t
}

func (d *Desk) detail(who auth.Actor, t store.TraceDetail) EventDetail {
	out := EventDetail{Row: d.row(who, t.TraceRow), Routes: []RouteDetail{}}
	if a := t.Arrival; a != nil {
		out.Received = &Received{
			At: a.ReceivedAt, Path: a.Path, Browser: a.Browser, IP: a.IP, UserAgent: a.UserAgent, Origin: a.Origin,
			Bytes: a.Bytes, CorrectionMS: a.Skew.Milliseconds(), Body: valid(a.Body),
		}
		out.Governed = &Governed{
			Consent: valid(a.Consent), OnEvent: a.OnEvent, GPC: a.GPC, Hashed: a.Hashed, Redacted: a.Redacted,
			Bot: a.Bot, Identified: a.Identified, VisitAgeMS: a.VisitAge.Milliseconds(), NewVisit: a.NewVisit,
		}
	}
	for _, r := range t.Routes {
		out.Routes = append(out.Routes, route(t, r))
	}
	return out
}

func route(t store.TraceDetail, r store.TraceRoute) RouteDetail {
	out := RouteDetail{Integration: r.Integration, Outcome: trace.Pending, Attempts: []Attempt{}}
	if r.Route != nil {
		out.Outcome, out.Reason, out.Needs, out.Revision = r.Route.Outcome, r.Route.Reason, r.Route.Needs, r.Route.Revision
		out.Payload, out.Explain, out.Faults = valid(r.Route.Payload), valid(r.Route.Explain), r.Route.Faults
	}
	for _, s := range r.Steps {
		out.Attempts = append(out.Attempts, try(s))
	}
	if last := out.Last(); last != nil {
		out.Remedy = last.Remedy
	}
	// The row knows which of them is the latest.
	for _, e := range t.Ends {
		if e.Integration == r.Integration {
			out.Outcome, out.Reason = e.Outcome, e.Reason
		}
	}
	return out
}

func try(r trace.Record) Attempt {
	s := r.Step
	out := Attempt{
		Explanation: explanation(s.Cause, s.Fix, s.Field, s.Checks),
		At:          r.At, Gen: s.Gen, Try: s.Try, Outcome: s.Outcome, Verdict: s.Verdict, Reason: s.Reason, Remedy: s.Remedy,
		SentAt: s.SentAt, TookMS: s.Took.Milliseconds(), NextTry: s.Next, Notes: s.Notes, With: s.With,
	}
	if s.URL != "" {
		out.Request = &Request{Method: s.Method, URL: s.URL, Header: s.Header, Body: valid(s.Body), Dialect: s.Dialect, Summary: s.Summary}
	}
	if s.Status != 0 {
		out.Answer = &Answer{Status: s.Status, Code: s.Code, Header: s.AHead, Body: s.Answer}
	}
	return out
}

// valid keeps what cannot be put into an answer as JSON as a text.
func valid(b json.RawMessage) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	if json.Valid(b) {
		return b
	}
	text, err := json.Marshal(string(b))
	if err != nil {
		return nil
	}
	return text
}
