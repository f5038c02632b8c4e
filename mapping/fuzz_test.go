package mapping

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/datafly/signal/event"
)

// Whatever stands in a mapping: Parse and Compile do not panic, and what
// compiles runs on any event, makes nothing twice that is made once, and is
// exported without loss.
func FuzzCompile(f *testing.F) {
	f.Add(retailSource(f))
	f.Add([]byte(one(`{target: "a[0].b[]", source: [properties.x, "$.y"], as: number, default_value: 1.50}`)))
	f.Add([]byte(one(`{target: a, each: [properties.l, properties], keep_empty: true, fields: [{target: b, expr: "item.x * 2", only_with: c}, {target: c, source: .}]}`)))
	f.Add([]byte(`{"common":[{"target":"a","value":[1e5,null,{"b":"\u0000"}]}],"events":[{"event":"page","when":"any(event.properties.l, # > 1)"}]}`))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte(riding))
	f.Add([]byte(`{"attributes":[{"type":"m","once":"session","when":"session.landed","fields":[{"target":"a.b","source":["session.campaign.source","visitor.traits.x"],"value_map":{"a":1}}]}],"events":[{"event":"Sold","attributes":[{"type":"m","once":"session","fields":[{"target":"c","expr":"session.campaign"}]}]},{"event":"page"}]}`))
	f.Add([]byte("attributes: &a\n- {type: x, once: session, fields: &f [{target: y, source: session.referrer}]}\nevents: [{event: page, attributes: *a, fields: *f}]"))
	events := []*event.Event{
		received(f, sold(`{"x":1,"l":[{"x":"2"},{"c":[]},5],"y":{"b":null}}`)),
		received(f, `{"type":"page","anonymousId":"A"}`),
		received(f, `{"type":"track","event":"Cart Viewed","anonymousId":"A","properties":{"products":[{"price":"1","quantity":2}]}}`),
		{Type: event.Track, Name: "Sold"},
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		m, err := Parse(src)
		if err != nil {
			return
		}
		p, err := m.Compile()
		if err != nil {
			return
		}
		for _, e := range events {
			checkRun(t, p, e)
		}
		exported, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(exported)
		if err != nil {
			t.Fatalf("%v in the export %s", err, exported)
		}
		if b, _ := json.Marshal(again); !bytes.Equal(b, exported) {
			t.Fatalf("exported twice:\n%s\n%s", exported, b)
		}
	})
}

// Whatever comes as an event: Retail does not panic, and what it makes is JSON
// that the gateway itself would take, without nulls.
func FuzzRun(f *testing.F) {
	for _, body := range []string{
		`{"type":"track","event":"Order Completed","anonymousId":"A","properties":{"revenue":11.70,"products":[{"sku":"A","price":"1e2","quantity":2}]}}`,
		`{"type":"track","event":"view_cart","properties":{"items":{"item_id":1},"value":"5"}}`,
		`{"type":"track","event":"Product Viewed","properties":{"name":"\ud83d\ude00\u2028","price":-0}}`,
		`{"type":"identify","userId":12345678901234567,"traits":{"birthday":915148800,"company":{"name":"x"},"gender":"M","createdAt":"2020-01-01"},"context":{"locale":"de_DE"}}`,
		`{"type":"page","context":{"page":{"url":"https://example.com/?q=\"<>"},"consent":{"canonical":{"marketing":true}}}}`,
		`{"type":"track","event":"search","properties":{"keywords":["a",1,null,[],{}]}}`,
	} {
		f.Add([]byte(body))
	}
	p := retail(f)
	whole := compiled(f, `events: [{event: Order Completed, fields: [{target: all, source: "$.properties"}, {target: "l[]", source: properties.products}, {target: e, expr: event.properties}]}]`)
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := event.Admit(body, "")
		if err != nil {
			return
		}
		e, err := event.Decode(event.Received{Type: h.Type, MessageID: "m", AnonymousID: h.AnonymousID, Body: body, ReceivedAt: time.Unix(1772029800, 0)})
		if err != nil {
			t.Fatal(err)
		}
		checkRun(t, p, e)
		checkRun(t, whole, e)
	})
}

func checkRun(t *testing.T, p *Program, e *event.Event) {
	t.Helper()
	in := Input{
		Event:   e,
		Session: map[string]any{"landed": true, "campaign": map[string]any{"source": "news", "id": "007"}, "referrer": "a.example"},
		Visitor: map[string]any{"userId": "u", "traits": map[string]any{"x": json.Number("1.50")}},
	}
	got := p.Run(in)
	in.Explain = true
	explained := p.Run(in)
	in.Made = got.Made
	for _, name := range p.Run(in).Made {
		if slices.Contains(got.Made, name) || !slices.Contains(p.Once(), name) {
			t.Fatalf("%q is made again, after %q, of %q", name, got.Made, p.Once())
		}
	}
	if !bytes.Equal(got.Payload, explained.Payload) || got.Stop != explained.Stop {
		t.Fatalf("explained, the payload is %s, without %s", explained.Payload, got.Payload)
	}
	if (got.Payload == nil) == (got.Stop == "") {
		t.Fatalf("payload %s and stop %q", got.Payload, got.Stop)
	}
	if got.Payload == nil {
		return
	}
	tree, err := event.DecodeTree(got.Payload)
	if err != nil {
		t.Fatalf("%v: %s", err, got.Payload)
	}
	if holdsNull(tree) {
		t.Fatalf("a null in %s", got.Payload)
	}
	for _, s := range explained.Explain {
		if v, ok := event.Walk(tree, s.Target); !ok && simple(s.Target) {
			t.Fatalf("explain names %s = %v, which is not in %s", s.Target, v, got.Payload)
		}
	}
}

func holdsNull(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		for _, e := range v {
			if holdsNull(e) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if holdsNull(e) {
				return true
			}
		}
	}
	return false
}

// simple reports whether event.Walk can follow a target as it is written.
func simple(target string) bool {
	_, err := parseSteps(target)
	return err == nil
}
