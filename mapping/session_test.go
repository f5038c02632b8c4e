package mapping

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// What rides on every event, and what is made once in a session.
const riding = `
common: [{target: id, source: anonymousId}]
attributes:
  - type: source
    once: session
    when: session.landed
    fields:
      - {target: from, source: [session.campaign.source, session.referrer], required: true}
      - {target: name, source: session.campaign.name}
  - type: mood
    fields: [{target: mood, source: context.mood, as: integer}]
events:
  - event: page
  - event: Sold
    attributes:
      - type: purchase
        fields: [{target: total, source: properties.total, required: true}]
  - event: Subscribed
    otherwise: nothing about the subscription
    attributes:
      - {type: lead, once: session, fields: [{target: topic, source: properties.topic}]}
      - {type: note, fields: [{target: text, source: properties.text}]}
`

func TestAttributesOfEveryEvent(t *testing.T) {
	const came = `{"landed":true,"campaign":{"source":"news","name":"spring"}}`
	page := `{"type":"page","anonymousId":"A"}`
	subscribed := func(properties string) string {
		return `{"type":"track","event":"Subscribed","anonymousId":"A","properties":` + properties + `}`
	}
	tests := []struct {
		name    string
		event   string
		session string // "" for none
		made    string // before, joined
		want    string // the attributes; "-" for a payload without any
		stop    string
		faults  string // joined
		now     string // what was made, joined
	}{
		{name: "a page without anything to ride on it stays a page", event: page, want: "-"},
		{name: "a page with a source becomes a report", event: page, session: came, want: `[{"type":"source","from":"news","name":"spring"}]`, now: "source"},
		{name: "once is once", event: page, session: came, made: "source", want: "-"},
		{name: "behind the event's own", event: sold(`{"total":5}`), session: came, want: `[{"type":"purchase","total":5},{"type":"source","from":"news","name":"spring"}]`, now: "source"},
		{name: "in the order of the mapping", event: `{"type":"page","anonymousId":"A","context":{"mood":3}}`, session: came, want: `[{"type":"source","from":"news","name":"spring"},{"type":"mood","mood":3}]`, now: "source"},
		{name: "an event that is filtered takes nothing along", event: sold(`{}`), session: came, stop: "purchase: total is missing (looked at properties.total)"},
		{name: "nor does one without a rule", event: `{"type":"identify","userId":"u"}`, session: came, stop: `not mapped: no rule for "identify"`},
		{name: "a condition that is not met is no fault", event: page, session: `{"campaign":{"source":"news"}}`, want: "-"},
		{name: "nor is a required field that is not there", event: page, session: `{"landed":true}`, want: "-"},
		{name: "a condition that fails is", event: page, session: `{"landed":"yes","campaign":{"source":"x"}}`, want: "-",
			faults: `source: its condition could not be worked out: text stands where true or false is needed; compare it, as in == "yes"`},
		{name: "and so is a value that cannot be read", event: `{"type":"page","anonymousId":"A","context":{"mood":"good"}}`, want: "-", faults: "mood: mood left out: context.mood is text that is not a whole number"},
		{name: "an event's own attribute may be made once too", event: subscribed(`{"topic":"news"}`), want: `[{"type":"lead","topic":"news"}]`, faults: "note: nothing for it was on the event", now: "subscribed lead"},
		{name: "then the others go alone, without a word", event: subscribed(`{"topic":"news","text":"x"}`), made: "subscribed lead", want: `[{"type":"note","text":"x"}]`},
		{name: "and an event with nothing else is filtered", event: subscribed(`{"topic":"news"}`), made: "subscribed lead", session: came,
			stop: "lead: it is sent once in a session, and this session has had it; note: nothing for it was on the event"},
		{name: "what was not made is not said to be", event: subscribed(`{}`), session: came, stop: "nothing about the subscription"},
	}
	p := compiled(t, riding)
	if got := strings.Join(p.Once(), ","); got != "source,subscribed lead" {
		t.Errorf("once = %s", got)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{Event: received(t, tt.event)}
			if tt.session != "" {
				if err := json.Unmarshal([]byte(tt.session), &in.Session); err != nil {
					t.Fatal(err)
				}
			}
			if tt.made != "" {
				in.Made = strings.Split(tt.made, ",")
			}
			before := slices.Clone(in.Made)
			got := p.Run(in)
			want := ""
			switch tt.want {
			case "":
			case "-":
				want = `{"id":"A"}`
			default:
				want = `{"id":"A","engagementAttributes":` + tt.want + `}`
			}
			if string(got.Payload) != want || got.Stop != tt.stop {
				t.Errorf("payload %s, stop %q\nwant %s, stop %q", got.Payload, got.Stop, want, tt.stop)
			}
			if f := strings.Join(got.Faults, "\n"); f != tt.faults {
				t.Errorf("faults %q, want %q", f, tt.faults)
			}
			if now := strings.Join(got.Made, ","); now != tt.now || !slices.Equal(in.Made, before) {
				t.Errorf("made %q, want %q; before %q", now, tt.now, in.Made)
			}
		})
	}
}

// Two attributes of a type that are made once are two ways to say the same
// thing: the first that resolves is the one.
func TestOnceForAType(t *testing.T) {
	p := compiled(t, `
attributes:
  - {type: source, once: session, fields: [{target: a, source: session.campaign.source}]}
  - {type: source, once: session, fields: [{target: b, source: session.referrer}]}
events: [{event: page, fields: [{target: id, value: 1}]}]`)
	for session, want := range map[string]string{
		`{"campaign":{"source":"x"},"referrer":"y"}`: `{"id":1,"engagementAttributes":[{"type":"source","a":"x"}]}`,
		`{"referrer":"y"}`:                           `{"id":1,"engagementAttributes":[{"type":"source","b":"y"}]}`,
	} {
		in := Input{Event: received(t, `{"type":"page"}`)}
		if err := json.Unmarshal([]byte(session), &in.Session); err != nil {
			t.Fatal(err)
		}
		got := p.Run(in)
		if string(got.Payload) != want || len(got.Made) != 1 {
			t.Errorf("%s gives %s, made %q\nwant %s", session, got.Payload, got.Made, want)
		}
	}
}

// Paths and expressions see the same session and visitor, and explain names
// where a value came from.
func TestSessionAndVisitorAsSources(t *testing.T) {
	p := compiled(t, one(`{target: a, source: [session.campaign.id, session.vid]}, {target: b, source: visitor.traits.tags}, {target: c, source: "visitor.traits.list[1].x"},
		{target: d, each: visitor.traits.list, fields: [{target: e, source: x}, {target: f, source: session.x}]}, {target: g, source: "$.session.x"}, {target: h, expr: session.campaign.id}, {target: i, source: session.referrer}`))
	e := received(t, `{"type":"track","event":"Sold","session":{"x":"own"}}`)
	got := p.Run(Input{
		Event:   e,
		Session: map[string]any{"campaign": map[string]any{"id": "0012345678901234567"}, "referrer": ""},
		Visitor: map[string]any{"traits": map[string]any{"tags": 3, "list": []any{map[string]any{"x": 1}, map[string]any{"x": json.Number("2.50"), "session": map[string]any{"x": "item"}}}}},
		Explain: true,
	})
	if want := wantAttribute(`"a":"0012345678901234567","b":3,"c":2.50,"d":[{"e":1},{"e":2.50,"f":"item"}],"g":"own","h":"0012345678901234567"`); string(got.Payload) != want {
		t.Errorf("payload\n got %s\nwant %s", got.Payload, want)
	}
	var sources []string
	for _, s := range got.Explain {
		sources = append(sources, s.Source)
	}
	want := []string{"session.campaign.id", "visitor.traits.tags", "visitor.traits.list[1].x", "visitor.traits.list[0].x", "visitor.traits.list[1].x", "visitor.traits.list[1].session.x", "session.x", "expr"}
	if !slices.Equal(sources, want) {
		t.Errorf("sources %q\nwant %q", sources, want)
	}
	missing := compiled(t, one(`{target: a, source: [session.referrer, properties.a], required: true}`)).Run(Input{Event: e})
	if want := "purchase: a is missing (looked at session.referrer, properties.a)"; missing.Stop != want {
		t.Errorf("stop %q, want %q", missing.Stop, want)
	}
}
