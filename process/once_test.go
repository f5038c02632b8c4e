package process

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/identity"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/mapping"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// A mapping that says once in a session where the visitor came from.
const cameRules = `
common: [{target: id, source: anonymousId}]
attributes:
  - type: came
    once: session
    when: session.landed == true or session.campaign != nil
    fields:
      - {target: from, source: [session.campaign.source, session.referrer], default_value: nowhere}
      - {target: sid, source: session.sid}
events:
  - event: page
  - event: Order Completed
    fields: [{target: total, source: properties.revenue, required: true}, {target: bad, source: properties.bad}]
`

func program(t testing.TB, rules string) *mapping.Program {
	t.Helper()
	m, err := mapping.Parse([]byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func camePipeline(t testing.TB, change func(*Pipeline)) *Pipeline {
	return testPipeline(t, func(p *Pipeline) {
		p.Routes[0].Program = program(t, cameRules)
		if change != nil {
			change(p)
		}
	})
}

// from gives where a payload says that the visitor came from; "-" when it says
// nothing, and the reason of an event that was filtered.
func from(r *Routed) string {
	if r.Reason != "" {
		return "filtered: " + r.Reason
	}
	var p struct {
		EngagementAttributes []struct{ From string }
	}
	if err := json.Unmarshal(r.Item.Payload, &p); err != nil || len(p.EngagementAttributes) > 1 {
		return fmt.Sprintf("%v in %s", err, r.Item.Payload)
	}
	if len(p.EngagementAttributes) == 0 {
		return "-"
	}
	return p.EngagementAttributes[0].From
}

// A visit is a visitor whose events a test runs one after the other.
type visit struct {
	pipeline *Pipeline
	visitor  store.Visitor
	place    event.Place
}

func (v *visit) event(t testing.TB, at time.Time, body string) *Work {
	t.Helper()
	v.visitor.Pipeline, v.visitor.AnonymousID = "shop", "ann"
	v.place.Seq++
	head, err := event.Admit([]byte(body), "")
	if err != nil {
		t.Fatal(err)
	}
	w := &Work{Pipeline: v.pipeline, Place: v.place, Visitor: &v.visitor, Received: event.Received{Pipeline: "shop", Type: head.Type, AnonymousID: "ann", MessageID: "m", ReceivedAt: at, Body: []byte(body)}}
	if w.Event, err = event.Decode(w.Received); err != nil {
		t.Fatal(err)
	}
	w.Run([]byte("salt"))
	return w
}

const (
	ad    = `{"type":"page","context":{"page":{"url":"https://shop.example/?utm_source=news"}}}`
	plan  = `{"type":"page","context":{"page":{"url":"https://shop.example/"}}}`
	bot   = `{"type":"page","context":{"userAgent":"Googlebot/2.1 (bot)","page":{"url":"https://shop.example/"}}}`
	yes   = `{"type":"page","context":{"consent":{"marketing":true}}}`
	sale  = `{"type":"track","event":"Order Completed","properties":{"revenue":1}}`
	empty = `{"type":"track","event":"Order Completed"}`
	wrong = `{"type":"track","event":"Order Completed","properties":{"revenue":1,"bad":true}}`
)

func TestOnceInASession(t *testing.T) {
	marketing := func(p *Pipeline) { p.Routes[0].Categories = []consent.Bucket{consent.Marketing} }
	tests := []struct {
		name   string
		change func(*Pipeline)
		events []string
		pause  time.Duration // between events
		want   []string      // of each event
	}{
		{"the first event takes it along, the next ones do not", nil, []string{ad, plan, sale}, time.Minute, []string{"news", "-", "-"}},
		{"each session has its own", nil, []string{ad, plan}, time.Hour, []string{"news", "nowhere"}},
		{"what the session remembers waits for consent", marketing, []string{ad, yes, sale}, time.Minute, []string{"filtered: consent: marketing is not known yet", "news", "-"}},
		{"an event that is not mapped does not take it", nil, []string{`{"type":"identify","userId":"u","context":{"campaign":{"source":"app"}}}`, sale}, time.Minute, []string{`filtered: not mapped: no rule for "identify"`, "app"}},
		{"nor one whose own fields are missing", nil, []string{strings.Replace(empty, `"Order Completed"`, `"Order Completed","context":{"campaign":{"source":"tv"}}`, 1), sale}, time.Minute,
			[]string{"filtered: total is missing (looked at properties.revenue)", "tv"}},
		{"nor one that the vendor would refuse", nil, []string{strings.Replace(wrong, `"properties"`, `"context":{"campaign":{"source":"tv"}},"properties"`, 1), sale}, time.Minute,
			[]string{"filtered: purchase.total must be a number", "tv"}},
		{"nor one of a machine", func(p *Pipeline) { p.Bots = "drop" }, []string{bot, plan}, time.Minute, []string{"filtered: bot: crawler", "nowhere"}},
		{"an event without a page tells nothing of where the visitor came from", nil, []string{sale, sale, plan}, time.Minute, []string{"-", "-", "nowhere"}},
		{"what was redacted is not remembered", func(p *Pipeline) { p.RedactFields = []string{"context.campaign.source"} },
			[]string{`{"type":"page","context":{"campaign":{"source":"jane@example.com","medium":"email"},"page":{"url":"https://shop.example/"}}}`}, time.Minute, []string{"nowhere"}},
		{"and what was hashed as its hash", func(p *Pipeline) { p.HashFields = []string{"context.campaign.source"} },
			[]string{`{"type":"page","context":{"campaign":{"source":" A@B.c "}}}`}, time.Minute, []string{"d648b243a3e817eaa3309e00e183483f2867baadf522099f0c2121770536b25a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := visit{pipeline: camePipeline(t, tt.change)}
			at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
			var got []string
			for _, body := range tt.events {
				got = append(got, from(&v.event(t, at, body).Routes[0]))
				at = at.Add(tt.pause)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
		})
	}
}

// Each integration has it once, when its own consent lets it.
func TestOnceForEachIntegration(t *testing.T) {
	v := visit{pipeline: camePipeline(t, func(p *Pipeline) {
		other := p.Routes[0]
		other.ID, other.Categories = "shop/y", []consent.Bucket{consent.Marketing}
		p.Routes = append(p.Routes, other)
	})}
	at := time.Now()
	var got []string
	for _, body := range []string{ad, yes, sale} {
		w := v.event(t, at, body)
		got = append(got, from(&w.Routes[0])+", "+from(&w.Routes[1]))
	}
	want := []string{"news, filtered: consent: marketing is not known yet", "-, news", "-, -"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// What the session of a visitor shows to mappings can be named as a source,
// and nothing else can.
func TestWhatMappingsSee(t *testing.T) {
	s := identity.Session{Landed: true, Referrer: "x", Campaign: map[string]string{"a": "b"}}
	views := map[string]map[string]any{"session": sessionView(&s), "visitor": visitorView(&identity.Visitor{})}
	for name, view := range views {
		var known []string
		for field := range view {
			known = append(known, field)
			program(t, "events: [{event: page, fields: [{target: a, source: "+name+"."+field+"}]}]")
		}
		m, err := mapping.Parse([]byte("events: [{event: page, fields: [{target: a, source: " + name + ".shoesize}]}]"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Compile()
		if err == nil {
			t.Fatalf("%s.shoesize is taken", name)
		}
		_, list, _ := strings.Cut(err.Error(), "it has ")
		said := strings.Split(list, ", ")
		slices.Sort(known)
		slices.Sort(said)
		if !slices.Equal(known, said) {
			t.Errorf("a %s shows %q, the language knows %q", name, known, said)
		}
	}
}

// told gives from of each payload in REPORTS.
func (s *site) told(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, payload := range s.handed(t) {
		r := Routed{}
		r.Item.Payload = json.RawMessage(payload)
		out = append(out, from(&r))
	}
	return out
}

// A crash before visitors were written down: they are built anew from EVENTS,
// and what was made once is not made again.
func TestOnceAcrossACrash(t *testing.T) {
	dir := t.TempDir()
	s := openSite(t, dir)
	p := camePipeline(t, nil)
	s.accept(t, ad, sale)
	s.work(t, p, nil)
	s.accept(t, plan)
	s.work(t, p, nil)
	if err := s.store.SaveVisitors(t.Context(), []store.Visitor{{Visitor: identity.Visitor{Pipeline: "shop", AnonymousID: "ann"}}}, 0); err != nil {
		t.Fatal(err)
	}
	s.shut()

	s = openSite(t, dir)
	s.accept(t, sale)
	s.work(t, p, nil)
	if got, want := s.told(t), []string{"news", "-", "-", "-"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	s.shut()

	s = openSite(t, dir) // and after an end in peace, from the store
	s.accept(t, sale)
	s.work(t, p, nil)
	if got, want := s.told(t), []string{"news", "-", "-", "-", "-"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if p := s.proof(t); !p.Holds() {
		t.Errorf("proof: %+v", p)
	}
}

// An event that is sent again takes along what it made itself, and only while
// the session is the same.
func TestReplayOfWhatIsMadeOnce(t *testing.T) {
	s := openSite(t, t.TempDir())
	p := camePipeline(t, nil)
	s.accept(t, ad, sale)
	s.work(t, p, nil)
	again := func(index int) {
		place := event.Place{Seq: 1, Index: index}
		dead := ledger.Entry{Place: place, Pipeline: "shop", Integration: "shop/x", Outcome: trace.Dead, Ended: true, At: time.Now()}
		b, err := dead.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.ledger.Append(t.Context(), []byte(`{}`), [][]byte{b}); err != nil {
			t.Fatal(err)
		}
		if err := s.store.AddDead(t.Context(), []store.DeadLetter{{ID: fmt.Sprint("d", index), Pipeline: "shop", Integration: "shop/x", MessageID: fmt.Sprint("m", index), AnonymousID: "ann", Place: place}}); err != nil {
			t.Fatal(err)
		}
		s.work(t, p, func(w *Worker) {
			if r, err := w.Replay(t.Context(), []string{fmt.Sprint("d", index)}, false); r.Sent != 1 || err != nil {
				t.Errorf("%d sent again, %v", r.Sent, err)
			}
		})
	}
	again(0)
	again(1)
	if got, want := s.told(t), []string{"news", "-", "news", "-"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}

	// In another session it does not, though that one has not had it yet.
	v, _, err := s.store.Visitor(t.Context(), "shop", "ann")
	if err != nil {
		t.Fatal(err)
	}
	v.Session = identity.Session{Vid: v.Session.Vid, Sid: "another", Start: time.Now(), Last: time.Now(), Landed: true}
	if err := s.store.SaveVisitors(t.Context(), []store.Visitor{v}, 1); err != nil {
		t.Fatal(err)
	}
	again(0)
	s.accept(t, sale)
	s.work(t, p, nil)
	if got, want := s.told(t), []string{"news", "-", "news", "-", "-", "nowhere"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}
