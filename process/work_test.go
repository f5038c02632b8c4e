package process

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/mapping"
	"github.com/datafly/signal/store"

	"context"
)

// plain is a Connection that takes what the mapping made, and refuses what is
// marked as bad.
type plain struct{}

func (plain) Build(v integrations.Visit, items []integrations.Item) integrations.Built {
	var p struct{ Bad bool }
	if err := json.Unmarshal(items[0].Payload, &p); err != nil || p.Bad {
		return integrations.Built{Refused: []integrations.Refusal{{Reason: "purchase.total must be a number"}}}
	}
	return integrations.Built{Request: &integrations.Request{Method: "POST", Body: items[0].Payload}, Sent: []int{0}}
}

func (plain) Send(context.Context, integrations.Request) attempt.Result { return attempt.Result{} }

const rules = `
common:
  - {target: id, source: anonymousId}
  - {target: user, source: userId}
  - {target: marketing, source: context.consent.canonical.marketing}
  - {target: email, source: traits.email}
events:
  - event: page
    fields: [{target: url, source: context.page.url}]
  - event: identify
    fields: [{target: plan, source: traits.plan}]
  - event: Order Completed
    fields: [{target: total, source: properties.revenue, required: true}, {target: bad, source: properties.bad}]
`

func testPipeline(t testing.TB, change func(*Pipeline)) *Pipeline {
	t.Helper()
	m, err := mapping.Parse([]byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	program, err := m.Compile()
	if err != nil {
		t.Fatal(err)
	}
	p := &Pipeline{
		Pipeline: store.Pipeline{Name: "shop", Consent: store.ConsentRules{WhenUnknown: consent.Deny, Mapping: consent.Mapping{"C0004": {consent.Marketing}}}},
		Routes:   []Route{{Integration: store.Integration{ID: "shop/x", Name: "x", Pipeline: "shop", Enabled: true}, Program: program, Connection: plain{}}},
	}
	if change != nil {
		change(p)
	}
	return p
}

// Events of one visitor in order, and what each becomes.
func TestRun(t *testing.T) {
	marketing := func(p *Pipeline) { p.Routes[0].Categories = []consent.Bucket{consent.Marketing} }
	tests := []struct {
		name   string
		change func(*Pipeline)
		agent  string
		events []string
		want   []string // the payload, or "filtered: reason"
	}{
		{
			name:   "a mapped event goes on, its digits kept",
			events: []string{`{"type":"track","event":"Order Completed","properties":{"revenue":11.70}}`},
			want:   []string{`{"id":"ann","total":11.70}`},
		},
		{
			name:   "identify links the user and merges traits for what follows",
			events: []string{`{"type":"identify","userId":"u1","traits":{"email":"a@b.c","plan":"free"}}`, `{"type":"identify","traits":{"plan":"gold"}}`, `{"type":"page","context":{"page":{"url":"https://x.example/"}}}`},
			want:   []string{`{"id":"ann","user":"u1","email":"a@b.c","plan":"free"}`, `{"id":"ann","user":"u1","email":"a@b.c","plan":"gold"}`, `{"id":"ann","user":"u1","email":"a@b.c","url":"https://x.example/"}`},
		},
		{
			name: "the gate is shut while nothing is known", change: marketing,
			events: []string{`{"type":"page","context":{"page":{"url":"https://x.example/"}}}`},
			want:   []string{"filtered: consent: marketing is not known yet"},
		},
		{
			name: "the visitor's last state is remembered, and a withdrawal too", change: marketing,
			events: []string{`{"type":"page","context":{"consent":{"categories":{"C0004":true}}}}`, `{"type":"page"}`, `{"type":"page","context":{"consent":{"categories":{"C0004":false}}}}`, `{"type":"page"}`},
			want:   []string{`{"id":"ann","marketing":true}`, `{"id":"ann","marketing":true}`, "filtered: consent: marketing is not granted", "filtered: consent: marketing is not granted"},
		},
		{
			name: "policy allow opens what is not known", change: func(p *Pipeline) { marketing(p); p.Consent.WhenUnknown = consent.Allow },
			events: []string{`{"type":"page"}`, `{"type":"page","context":{"consent":{"marketing":"no"}}}`},
			want:   []string{`{"id":"ann"}`, "filtered: consent: marketing is not granted"},
		},
		{
			name:   "what is not mapped says so",
			events: []string{`{"type":"track","event":"Coffee Brewed"}`},
			want:   []string{`filtered: not mapped: no rule for "Coffee Brewed"`},
		},
		{
			name:   "what the vendor would refuse is filtered before anything waits",
			events: []string{`{"type":"track","event":"Order Completed","properties":{"revenue":1,"bad":true}}`},
			want:   []string{"filtered: purchase.total must be a number"},
		},
		{
			name: "hashed and redacted, also for later events", change: func(p *Pipeline) { p.HashFields, p.RedactFields = []string{"traits.email"}, []string{"traits.plan"} },
			events: []string{`{"type":"identify","traits":{"email":" A@B.c ","plan":"gold"}}`, `{"type":"page"}`},
			want: []string{
				`{"id":"ann","email":"d648b243a3e817eaa3309e00e183483f2867baadf522099f0c2121770536b25a"}`,
				`{"id":"ann","email":"d648b243a3e817eaa3309e00e183483f2867baadf522099f0c2121770536b25a"}`,
			},
		},
		{
			name: "an exempted integration gets the field as it came", change: func(p *Pipeline) {
				p.HashFields = []string{"traits.email"}
				p.Routes[0].Exempt = []string{"traits.email"}
			},
			events: []string{`{"type":"track","event":"Order Completed","traits":{"email":"a@b.c"},"properties":{"revenue":1}}`},
			want:   []string{`{"id":"ann","email":"a@b.c","total":1}`},
		},
		{
			name: "a dropped bot says why", change: func(p *Pipeline) { p.Bots = "drop" }, agent: "Mozilla/5.0 (compatible; Googlebot/2.1)",
			events: []string{`{"type":"page"}`},
			want:   []string{"filtered: bot: crawler"},
		},
		{
			name: "a flagged bot goes on", agent: "HeadlessChrome/1",
			events: []string{`{"type":"page"}`},
			want:   []string{`{"id":"ann"}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := testPipeline(t, tt.change)
			visitor := &store.Visitor{}
			visitor.Pipeline, visitor.AnonymousID = "shop", "ann"
			for i, raw := range tt.events {
				head, err := event.Admit([]byte(raw), "")
				if err != nil {
					t.Fatal(err)
				}
				r := event.Received{Pipeline: "shop", Type: head.Type, AnonymousID: "ann", MessageID: "m", ReceivedAt: time.Now(), UserAgent: tt.agent, Body: []byte(raw)}
				w := &Work{Pipeline: p, Received: r, Visitor: visitor}
				if w.Event, err = event.Decode(r); err != nil {
					t.Fatal(err)
				}
				w.Run([]byte("salt"))
				got := string(w.Routes[0].Item.Payload)
				if w.Routes[0].Reason != "" {
					got = "filtered: " + w.Routes[0].Reason
				}
				if got != tt.want[i] {
					t.Errorf("event %d %s:\n got %s\nwant %s", i, raw, got, tt.want[i])
				}
			}
		})
	}
}
