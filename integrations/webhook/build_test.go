package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/webhook"
	"github.com/datafly/signal/mapping"
)

// connect gives a connection with settings over those of given.
func connect(t testing.TB, more map[string]any) *webhook.Connection {
	t.Helper()
	out := integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.1"}}
	c, err := webhook.New(webhook.Options{Version: "1.2.0"}).Check(given(more), out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.(*webhook.Connection).Close)
	return c.(*webhook.Connection)
}

// decode reads an event as process does.
func decode(t testing.TB, body string) *event.Event {
	t.Helper()
	head, err := event.Admit([]byte(body), "")
	if err != nil {
		t.Fatal(err)
	}
	e, err := event.Decode(event.Received{
		MessageID: head.MessageID, AnonymousID: head.AnonymousID, Type: head.Type,
		ReceivedAt: time.Date(2026, 2, 25, 14, 30, 1, 0, time.UTC), Body: []byte(body),
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExtractGivesTheCanonicalEvent(t *testing.T) {
	tests := []struct {
		name, event, want string
	}{
		{
			"a track with digits, letters that HTML knows, and fields of its own",
			`{"zone":"a","type":"track","event":"Order Completed","properties":{"revenue":11.70,"id":12345678901234567890,"tiny":1E-7,"note":"<b> & é","none":null},
			  "anonymousId":"A1","messageId":"M1","userId":42,"timestamp":"2026-02-25T14:30:00Z","writeKey":"dk_live_1","context":{"page":{"url":"https://example.com/?a=1&b=2"}}}`,
			`{"messageId":"M1","type":"track","event":"Order Completed","anonymousId":"A1","userId":"42",` +
				`"properties":{"id":12345678901234567890,"none":null,"note":"<b> & é","revenue":11.70,"tiny":1E-7},` +
				`"context":{"page":{"url":"https://example.com/?a=1&b=2"}},"timestamp":"2026-02-25T14:30:00.000Z","receivedAt":"2026-02-25T14:30:01.000Z","zone":"a"}`,
		},
		{
			"a page with nothing known of the visitor, and null for it",
			`{"type":"page","anonymousId":"A1","messageId":"M1","userId":null,"properties":null}`,
			`{"messageId":"M1","type":"page","anonymousId":"A1","timestamp":"2026-02-25T14:30:01.000Z","receivedAt":"2026-02-25T14:30:01.000Z"}`,
		},
		{
			"a group with its id",
			`{"type":"group","anonymousId":"A1","messageId":"M1","groupId":"G1","traits":{"plan":"gold"}}`,
			`{"messageId":"M1","type":"group","anonymousId":"A1","traits":{"plan":"gold"},"timestamp":"2026-02-25T14:30:01.000Z","receivedAt":"2026-02-25T14:30:01.000Z","groupId":"G1"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := connect(t, nil).Extract(decode(t, tt.event))
			if string(got) != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			if again := connect(t, nil).Extract(decode(t, tt.event)); !bytes.Equal(again, got) {
				t.Errorf("the second time it is %s", again)
			}
			if mapped := connect(t, map[string]any{"body": "mapped"}).Extract(decode(t, tt.event)); mapped != nil {
				t.Errorf("body mapped keeps %s", mapped)
			}
		})
	}
}

// An event survives its way through the REPORTS journal byte by byte.
func TestExtractKeepsItsBytesInTheJournal(t *testing.T) {
	c := connect(t, nil)
	before := item("M1", `{}`, string(c.Extract(decode(t, `{"type":"track","event":"x","messageId":"M1","anonymousId":"A1","properties":{"a":"<&>\u2028","n":1.00}}`))))
	line, err := before.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	after, err := integrations.ParseItem(line)
	if err != nil {
		t.Fatal(err)
	}
	a, b := c.Build(integrations.Visit{}, []integrations.Item{before}), c.Build(integrations.Visit{}, []integrations.Item{after})
	if !bytes.Equal(a.Request.Body, b.Request.Body) || !strings.Contains(string(b.Request.Body), `"n":1.00`) {
		t.Errorf("before %s\n after %s", a.Request.Body, b.Request.Body)
	}
}

func item(id, payload, extra string) integrations.Item {
	i := integrations.Item{MessageID: id, AnonymousID: "A1", Event: "Order Completed", Payload: json.RawMessage(payload)}
	if extra != "" {
		i.Extra = json.RawMessage(extra)
	}
	return i
}

func TestBuild(t *testing.T) {
	const nothing = "the mapping writes nothing for this event, and an empty request says nothing; add fields to its rule, or set body: event"
	tests := []struct {
		name    string
		more    map[string]any
		items   []integrations.Item
		body    string // "" for no request
		sent    []int
		refused []integrations.Refusal
		summary string
	}{
		{
			name: "the event goes before what the mapping made", items: []integrations.Item{item("M1", `{"a":1}`, `{"messageId":"M1"}`)},
			body: `{"messageId":"M1"}`, sent: []int{0}, summary: "Order Completed",
		},
		{
			name: "what the mapping made goes as it is", more: map[string]any{"body": "mapped"}, items: []integrations.Item{item("M1", `{"b":1.00,"a":"<"}`, "")},
			body: `{"b":1.00,"a":"<"}`, sent: []int{0}, summary: "Order Completed",
		},
		{
			name:  "an item from before body was event goes as it was made",
			items: []integrations.Item{item("M1", `{"a":1}`, "")}, body: `{"a":1}`, sent: []int{0}, summary: "Order Completed",
		},
		{
			name: "an item from before body was mapped goes as it was made", more: map[string]any{"body": "mapped"},
			items: []integrations.Item{item("M1", `{"a":1}`, `{"messageId":"M1"}`)}, body: `{"messageId":"M1"}`, sent: []int{0}, summary: "Order Completed",
		},
		{
			name: "a mapping that writes nothing", more: map[string]any{"body": "mapped"}, items: []integrations.Item{item("M1", `{}`, "")},
			refused: []integrations.Refusal{{Item: 0, Reason: nothing}},
		},
		{
			name:  "no more than one item, whatever comes",
			items: []integrations.Item{item("M1", `{}`, `{"messageId":"M1"}`), item("M2", `{}`, `{"messageId":"M2"}`)},
			body:  `{"messageId":"M1"}`, sent: []int{0}, summary: "Order Completed",
		},
		{
			name: "a batch is a list, in order, without what is empty", more: map[string]any{"batch": 3},
			items: []integrations.Item{item("M1", `{}`, `{"n":1}`), item("M2", `{}`, ""), item("M3", `{}`, `{"n":3}`), item("M4", `{}`, `{"n":4}`), item("M5", `{}`, `{"n":5}`)},
			body:  `[{"n":1},{"n":3},{"n":4}]`, sent: []int{0, 2, 3}, refused: []integrations.Refusal{{Item: 1, Reason: nothing}}, summary: "Order Completed and 2 more",
		},
		{
			name: "a batch of one is a list", more: map[string]any{"batch": 2}, items: []integrations.Item{item("M1", `{}`, `{"n":1}`)},
			body: `[{"n":1}]`, sent: []int{0}, summary: "Order Completed",
		},
		{name: "nothing comes of nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, tt.more)
			visit := integrations.Visit{IDs: attempt.IDs{Visitor: "V"}, Of: "S", Waiting: []string{"https://example.com/"}}
			got := c.Build(visit, tt.items)
			if !reflect.DeepEqual(got.Visit, visit) {
				t.Errorf("the visit became %+v", got.Visit)
			}
			if !reflect.DeepEqual(got.Sent, tt.sent) || !reflect.DeepEqual(got.Refused, tt.refused) || len(got.Carried) > 0 {
				t.Errorf("sent %v, refused %v, carried %v, want sent %v, refused %v", got.Sent, got.Refused, got.Carried, tt.sent, tt.refused)
			}
			if (got.Request == nil) != (tt.body == "") {
				t.Fatalf("request = %+v", got.Request)
			}
			if r := got.Request; r != nil && (string(r.Body) != tt.body || r.Summary != tt.summary || r.From != tt.items[tt.sent[0]].MessageID || r.Method != "POST" || r.URL != "https://example.com/hooks/signal") {
				t.Errorf("request = %+v with body %s, want %s and %s", r, r.Body, tt.body, tt.summary)
			}
			if again := c.Build(visit, tt.items); !reflect.DeepEqual(again, got) {
				t.Error("the same items give another request")
			}
		})
	}
}

func TestBatch(t *testing.T) {
	items := func(sizes ...int) (out []integrations.Item) {
		for i, n := range sizes {
			out = append(out, item(fmt.Sprint(i), `{}`, `{"a":"`+strings.Repeat("a", n-8)+`"}`))
		}
		return out
	}
	tests := []struct {
		name  string
		batch int
		items []integrations.Item
		want  int
	}{
		{"none", 100, nil, 0},
		{"one at a time unless set", 1, items(10, 10), 1},
		{"as many as are set", 2, items(10, 10, 10), 2},
		{"as many as there are", 100, items(10, 10, 10), 3},
		{"no more than a mebibyte", 100, items(512<<10, 511<<10, 10<<10), 2},
		{"a large one travels alone", 100, items(2<<20, 10), 1},
	}
	for _, tt := range tests {
		if got := connect(t, map[string]any{"batch": tt.batch}).Batch(tt.items); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// Requests are kept by the debugger and with dead letters, so no secret stands
// in them.
func TestRequestsShowNoSecrets(t *testing.T) {
	tests := []struct {
		name string
		more map[string]any
		want map[string]string // beside the message id
	}{
		{"nothing but the event", map[string]any{"secret": nil}, map[string]string{"Content-Type": "application/json", "User-Agent": "Signal/1.2.0"}},
		{
			"signature, token and keys", map[string]any{
				"secret": "hush-secret-hush-secret", "bearer": "hush-token", "url": "https://example.com/a?token=hush-query",
				"headers": map[string]any{"X-Api-Key": "hush-key", "Content-Type": "application/x+json", "user-agent": "Mine/1"},
			}, map[string]string{
				"Content-Type": "application/x+json", "User-Agent": "Mine/1", "X-Api-Key": "••••", "Authorization": "Bearer ••••",
				"X-Signal-Timestamp": "••••", "X-Signal-Signature": "sha256=••••",
			},
		},
		{
			"basic authentication", map[string]any{"secret": nil, "basic": map[string]any{"user": "hush-user", "password": "hush"}},
			map[string]string{"Content-Type": "application/json", "User-Agent": "Signal/1.2.0", "Authorization": "Basic ••••"},
		},
		{
			"an authorization of another scheme", map[string]any{"secret": nil, "headers": map[string]any{"authorization": "Splunk hush"}},
			map[string]string{"Content-Type": "application/json", "User-Agent": "Signal/1.2.0", "Authorization": "••••"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := connect(t, tt.more).Build(integrations.Visit{}, []integrations.Item{item("M 1", `{}`, `{"a":1}`)}).Request
			want := maps.Clone(tt.want)
			want["X-Signal-Message-Id"] = "M%201"
			if !maps.Equal(r.Header, want) {
				t.Errorf("\n got %v\nwant %v", r.Header, want)
			}
			kept, err := json.Marshal(r)
			if err != nil || strings.Contains(string(kept), "hush") {
				t.Errorf("%v: %s", err, kept)
			}
		})
	}
}

func TestABatchHasNoMessageID(t *testing.T) {
	r := connect(t, map[string]any{"batch": 2}).Build(integrations.Visit{}, []integrations.Item{item("M1", `{}`, `{"a":1}`)}).Request
	if v, ok := r.Header["X-Signal-Message-Id"]; ok {
		t.Errorf("it is %q", v)
	}
}

func TestAnItemIsReadyAsItIs(t *testing.T) {
	want := item("M1", `{}`, `{"a":1}`)
	got, reason, err := connect(t, nil).Prepare(t.Context(), want)
	if err != nil || reason != "" || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %q, %v", got, reason, err)
	}
}

func TestPresets(t *testing.T) {
	v := webhook.New(webhook.Options{})
	for _, name := range v.Presets() {
		src, ok := v.Preset(name)
		if !ok {
			t.Fatalf("there is no preset %q", name)
		}
		m, err := mapping.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Compile(); err != nil || m.Preset != name {
			t.Errorf("preset %q calls itself %q: %v", name, m.Preset, err)
		}
	}
	for _, name := range []string{"", "retail", "events.yaml", "../presets/events", `..\events`} {
		if _, ok := v.Preset(name); ok {
			t.Errorf("there is a preset %q", name)
		}
	}
}

// Each call passes the preset, and goes out whole.
func TestThePresetLetsEveryCallThrough(t *testing.T) {
	src, _ := webhook.New(webhook.Options{}).Preset("events")
	m, err := mapping.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Compile()
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, nil)
	for _, call := range []string{"page", "screen", "identify", "group"} {
		e := decode(t, `{"type":"`+call+`","messageId":"M1","anonymousId":"A1"}`)
		result := p.Run(mapping.Input{Event: e})
		if result.Stop != "" || string(result.Payload) != "{}" {
			t.Errorf("%s: %q, %s", call, result.Stop, result.Payload)
		}
		built := c.Build(integrations.Visit{}, []integrations.Item{{MessageID: "M1", Event: call, Payload: result.Payload, Extra: c.Extract(e)}})
		if built.Request == nil || !strings.Contains(string(built.Request.Body), `"type":"`+call+`"`) {
			t.Errorf("%s becomes %+v", call, built)
		}
	}
}
