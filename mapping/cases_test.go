package mapping

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/event"
)

// A testCase is one file of testdata/cases: events in, requests out.
type testCase struct {
	Name       string            `json:"name"`
	Settings   map[string]any    `json:"settings"`
	Categories []consent.Bucket  `json:"consent_categories"`
	Unknown    consent.Policy    `json:"when_unknown"`
	Events     []json.RawMessage `json:"events"`
	Want       []struct {
		Outcome string          `json:"outcome"`
		Reason  string          `json:"reason_contains"`
		Body    json.RawMessage `json:"body"`
	} `json:"want"`
}

func retail(t testing.TB) *Program {
	t.Helper()
	return compiled(t, string(retailSource(t)))
}

func retailSource(t testing.TB) []byte {
	t.Helper()
	src, err := os.ReadFile("../integrations/liveperson/presets/retail.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func compiled(t testing.TB, src string) *Program {
	t.Helper()
	m, err := Parse([]byte(src))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	p, err := m.Compile()
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return p
}

// received decodes an event as it stands after the journal.
func received(t testing.TB, body string) *event.Event {
	t.Helper()
	h, err := event.Admit([]byte(body), "")
	if err != nil {
		t.Fatalf("admit %s: %v", body, err)
	}
	e, err := event.Decode(event.Received{
		Type: h.Type, MessageID: "m1", AnonymousID: h.AnonymousID, Body: []byte(body),
		ReceivedAt: time.Date(2026, 2, 25, 14, 30, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Every case of the dialect that uses the mapping's own names must come out of
// the mapping alone: what consent gives stands on the event as processing puts
// it there.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("../testdata/cases/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	p := retail(t)
	ran := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c testCase
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if c.Settings["dialect"] != "signal" {
			continue
		}
		ran++
		t.Run(c.Name, func(t *testing.T) { c.run(t, p) })
	}
	if ran < 18 {
		t.Errorf("%d cases ran, want at least 18", ran)
	}
}

func (c *testCase) run(t *testing.T, p *Program) {
	var state consent.State
	for i, raw := range c.Events {
		e := received(t, string(raw))
		ctx := e.Object("context")
		if ctx == nil {
			ctx = map[string]any{}
			e.Fields["context"] = ctx
		}
		state = state.Merge(consent.Read(ctx["consent"], nil, false))
		if state.Known() {
			ctx["consent"] = map[string]any{"canonical": state.View()}
		}
		if d := consent.Decide(state, c.Categories, c.Unknown); !d.Granted {
			if c.Want[i].Outcome != "filtered" {
				t.Errorf("event %d: %s, want %s", i, d.Reason, c.Want[i].Outcome)
			}
			continue
		}
		c.check(t, i, p.Run(Input{Event: e}))
	}
}

func (c *testCase) check(t *testing.T, i int, got Result) {
	want := c.Want[i]
	if want.Outcome == "filtered" {
		if got.Stop == "" || !strings.Contains(got.Stop, want.Reason) || got.Payload != nil {
			t.Errorf("event %d: stop %q payload %s, want a reason with %q", i, got.Stop, got.Payload, want.Reason)
		}
		return
	}
	body := strings.Replace(string(want.Body), `"engagementAttributes": []`, `"engagementAttributes": null`, 1)
	if d := differs(string(got.Payload), body); d != "" || got.Stop != "" {
		t.Errorf("event %d: %s %s\n got %s\nwant %s", i, d, got.Stop, got.Payload, want.Body)
	}
}

// differs compares two JSON texts: order of keys, kinds and texts exactly,
// numbers by value. A null in want is a key that is not there.
func differs(got, want string) string {
	g, err := readJSON([]byte(got))
	if err != nil {
		return "got is not JSON: " + err.Error()
	}
	w, err := readJSON([]byte(want))
	if err != nil {
		return "want is not JSON: " + err.Error()
	}
	return nodesDiffer(g, w, "")
}

func nodesDiffer(g, w *node, at string) string {
	w = withoutNulls(w)
	if g.kind != w.kind || len(g.items) != len(w.items) {
		return "differs at " + at + " "
	}
	if g.kind == number {
		x, okX := decimalOf(json.Number(g.text))
		y, okY := decimalOf(json.Number(w.text))
		if okX && okY && x.cmp(y) == 0 {
			return ""
		}
	}
	if g.text != w.text {
		return "differs at " + at + " "
	}
	for i := range g.items {
		name := at
		if g.kind == object {
			if g.keys[i].name != w.keys[i].name {
				return "order of keys differs at " + at + "." + g.keys[i].name + " "
			}
			name += "." + g.keys[i].name
		}
		if d := nodesDiffer(g.items[i], w.items[i], name); d != "" {
			return d
		}
	}
	return ""
}

func withoutNulls(n *node) *node {
	if n.kind != object {
		return n
	}
	out := *n
	out.keys, out.items = nil, nil
	for i, v := range n.items {
		if v.kind != null {
			out.keys, out.items = append(out.keys, n.keys[i]), append(out.items, v)
		}
	}
	return &out
}
