// Package process takes events from the EVENTS journal through governance to
// the integrations: bots, consent, personal data, session, identity, then for
// each integration gate, mapping and check. What goes on is written to the
// integration's REPORTS journal, and for every event and integration the LEDGER
// says whether it is pending or filtered. Delivery comes after it.
//
// It promises that each accepted event is handed on exactly once, however often
// the process is killed, and that a visitor's consent, once withdrawn, is never
// forgotten. It does no I/O with vendors.
package process

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/mapping"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// A Pipeline is one site with its integrations ready for use.
type Pipeline struct {
	store.Pipeline
	Routes []Route
}

// A Route is an enabled integration: its mapping, compiled, and its way to the
// vendor.
type Route struct {
	store.Integration
	Program    *mapping.Program
	Connection integrations.Connection
}

// Work is one event on its way through the stages. Each stage fills the fields
// below its name and reads only those above.
type Work struct {
	Pipeline *Pipeline
	Place    event.Place
	Received event.Received
	Event    *event.Event
	Visitor  *store.Visitor // written to by the stages
	Explain  bool           // say which source fed what
	Replayed bool           // an event of the past, sent again

	// Bots.
	Bot string // what gave it away, "" for a person

	// Consent.
	Consent consent.State // in force: the visitor's, with the event's over it
	OnEvent bool          // the event itself said something

	// PII.
	Hashed, Redacted []string
	originals        map[string]any // what was hashed or redacted, for the exempted

	// Session.
	VisitAge time.Duration
	NewVisit bool
	views    *views // what mappings see of session and visitor; made when needed

	// Identity.
	Identified []string // what was learned

	// Stop, when not empty, is why the event goes no further, to any
	// integration. It is shown in the debugger as it stands.
	Stop string

	// Routes has one entry per integration of the pipeline, in its order.
	Routes []Routed
}

// Routed is what became of the event for one integration.
type Routed struct {
	Integration string
	Reason      string // why it was filtered; "" when Item goes on
	Item        integrations.Item
	Faults      []string // attributes that were not built, though others were
	Explain     []mapping.Source
	Needs       []consent.Bucket
	Revision    int
}

// stages take an event through governance, in the order of product.md 5.
var stages = []func(w *Work, salt []byte){bots, consented, personalData, session, identified}

// Run takes w through governance and to each integration. It is pure but for
// what it writes into w, its event and its visitor.
func (w *Work) Run(salt []byte) {
	for _, stage := range stages {
		stage(w, salt)
	}
	for i := range w.Pipeline.Routes {
		w.Routes = append(w.Routes, w.route(&w.Pipeline.Routes[i]))
	}
}

// unreadable ends an event that cannot be decoded, with the reason.
func (w *Work) unreadable() {
	w.Event = &event.Event{Type: w.Received.Type, Name: string(w.Received.Type), MessageID: w.Received.MessageID, AnonymousID: w.Received.AnonymousID}
	w.Stop = "Signal cannot read this event as it is stored"
	for i := range w.Pipeline.Routes {
		w.Routes = append(w.Routes, w.route(&w.Pipeline.Routes[i]))
	}
}

func bots(w *Work, _ []byte) {
	if w.Pipeline.Bots == "keep" {
		return
	}
	agent := w.Event.Text("context.userAgent")
	if agent == "" {
		agent = w.Received.UserAgent
	}
	w.Bot = botName(agent)
	if w.Bot != "" && w.Pipeline.Bots == "drop" {
		w.Stop = "bot: " + w.Bot
	}
}

// consented merges what the event says over what is known of the visitor, and
// writes the canonical view on the event.
func consented(w *Work, _ []byte) {
	field, _ := w.Event.Lookup("context.consent")
	said := consent.Read(field, w.Pipeline.Consent.Mapping, w.Received.GPC)
	w.OnEvent = said.Known()
	w.Visitor.Consent = w.Visitor.Consent.Merge(said)
	w.Consent = w.Visitor.Consent
	context := w.Event.Object("context")
	if context == nil {
		context = map[string]any{}
		w.Event.Fields["context"] = context
	}
	on, ok := context["consent"].(map[string]any)
	if !ok {
		on = map[string]any{}
		context["consent"] = on
	}
	on["canonical"] = w.Consent.View()
}

func session(w *Work, salt []byte) {
	at := w.Received.ReceivedAt
	w.NewVisit = w.Visitor.Touch(at, w.Pipeline.Session, salt)
	w.VisitAge = at.Sub(w.Visitor.Session.Start)
	w.Visitor.Session.Arrive(w.Event.Object("context"))
}

// identified links and merges on identify, and writes what is known of the
// visitor on the event.
func identified(w *Work, _ []byte) {
	if e := w.Event; e.Type == event.Identify {
		w.Identified = w.Visitor.Identify(e.UserID, e.Object("traits"))
	}
	known(w)
}

// known writes the visitor's userId and traits on the event.
func known(w *Work) {
	e := w.Event
	if e.UserID == "" {
		e.UserID = w.Visitor.UserID
	}
	if e.UserID != "" {
		e.Fields["userId"] = e.UserID
	}
	if e.Type != event.Group && len(w.Visitor.Traits) > 0 {
		e.Fields["traits"] = w.Visitor.Traits
	}
}

// route decides what becomes of the event for one integration.
func (w *Work) route(r *Route) Routed {
	out := Routed{Integration: r.ID, Needs: r.Categories, Revision: r.Revision}
	if w.Stop != "" {
		out.Reason = w.Stop
		return out
	}
	if d := consent.Decide(w.Consent, r.Categories, w.Pipeline.Consent.WhenUnknown); !d.Granted {
		out.Reason = d.Reason
		return out
	}
	see := w.see()
	result := r.Program.Run(mapping.Input{
		Event: w.exempted(r.Exempt), Session: see.session, Visitor: see.visitor, Made: w.made(r), Explain: w.Explain,
	})
	out.Faults, out.Explain = result.Faults, result.Explain
	if result.Stop != "" {
		out.Reason = result.Stop
		return out
	}
	out.Item = integrations.Item{
		Place: w.Place, MessageID: w.Event.MessageID, AnonymousID: w.Event.AnonymousID, UserID: w.Event.UserID,
		Event: w.Event.Name, ReceivedAt: w.Received.ReceivedAt, Revision: r.Revision,
		Session: integrations.Session{Vid: w.Visitor.Session.Vid, Sid: w.Visitor.Session.Sid},
		Payload: result.Payload,
	}
	if p, ok := r.Connection.(integrations.Preparer); ok {
		out.Item.Extra = p.Extract(w.exempted(r.Exempt))
	}
	// A trial build finds what the vendor would refuse, before anything waits.
	built := r.Connection.Build(integrations.Visit{}, []integrations.Item{out.Item})
	if len(built.Refused) > 0 {
		out.Reason = built.Refused[0].Reason
		return out
	}
	for _, part := range built.LeftOut {
		out.Faults = append(out.Faults, part.Reason)
	}
	out.Faults = append(out.Faults, built.Notes...)
	if !w.Replayed {
		w.Visitor.Session.Made(r.ID, result.Made, w.Place)
	}
	return out
}

// arrival is the debugger's record of the event.
func (w *Work) arrival() trace.Record {
	state, _ := json.Marshal(w.Consent)
	r := w.Received
	a := &trace.Arrival{
		Pipeline: w.Pipeline.Name, Type: w.Event.Type, Event: w.Event.Name, AnonymousID: w.Event.AnonymousID, UserID: w.Event.UserID,
		ReceivedAt: r.ReceivedAt, Path: r.Path, Browser: r.Browser, IP: r.IP, UserAgent: r.UserAgent, Origin: r.Origin,
		Bytes: len(r.Body), Skew: w.Event.Skew, Body: slices.Clone(r.Body),
		Consent: state, OnEvent: w.OnEvent, GPC: r.GPC, Hashed: w.Hashed, Redacted: w.Redacted, Bot: w.Bot,
		Identified: w.Identified, VisitAge: w.VisitAge, NewVisit: w.NewVisit,
	}
	for i := range w.Routes {
		a.Routes = append(a.Routes, w.Routes[i].trace())
	}
	return trace.Record{At: time.Now(), Place: w.Place, MessageID: w.Event.MessageID, Arrival: a}
}

func (r *Routed) trace() trace.Route {
	t := trace.Route{Integration: r.Integration, Outcome: trace.Pending, Reason: r.Reason, Revision: r.Revision, Faults: r.Faults, Gen: r.Item.Gen}
	if r.Reason != "" {
		t.Outcome = trace.Filtered
	} else {
		t.Payload = r.Item.Payload
	}
	for _, b := range r.Needs {
		t.Needs = append(t.Needs, string(b))
	}
	if len(r.Explain) > 0 {
		t.Explain, _ = json.Marshal(r.Explain)
	}
	return t
}
