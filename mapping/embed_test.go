package mapping

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

type config struct {
	Name    string   `yaml:"name"`
	Mapping *Mapping `yaml:"mapping"`
	After   string   `yaml:"after"`
}

// A mapping stands inside signal.yaml, which is read strictly by the same
// library.
func TestMappingInsideAConfiguration(t *testing.T) {
	src := "name: shop\nmapping:\n  common:\n    - {target: consumerId, source: anonymousId}\n  events:\n    - event: Sold\n      attributes:\n        - type: purchase\n          fields:\n            - {target: total, value: 11.70}\nafter: x\n"
	var c config
	if err := yaml.NewDecoder(strings.NewReader(src), yaml.Strict()).Decode(&c); err != nil {
		t.Fatal(err)
	}
	if c.After != "x" || len(c.Mapping.Events) != 1 || c.Mapping.Events[0].Attributes[0].Fields[0].Value != json.Number("11.70") {
		t.Errorf("decoded %+v", c.Mapping)
	}

	bad := strings.Replace(strings.Replace(src, "source:", "sorce:", 1), "- type: purchase", "- typ: purchase", 1)
	err := yaml.NewDecoder(strings.NewReader(bad), yaml.Strict()).Decode(&c)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`line 4, column 28: common[0]: a field has no key "sorce"; did you mean "source"?`, "line 8, column 11"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want %q in it", err, want)
		}
	}
	if n := len(Faults(err)); n != 2 {
		t.Errorf("%d faults in %q, want 2", n, err)
	}
}

// What is exported and read again means the same, in both languages and
// whether it stands alone or inside something.
func TestRoundTrip(t *testing.T) {
	sources := map[string]string{
		"retail": string(retailSource(t)),
		"every key and kind of literal": `
preset: mine
common:
  - {target: a, value: 0}
  - {target: b, value: false}
  - {target: c, value: 12345678901234567890}
  - {target: d, value: "11.70"}
  - {target: e, value: 100.0}
  - {target: f, value: [1.50, {x: 2.0, "true": "no"}, ""]}
  - {target: g, value: ""}
  - {target: h, value: "true"}
  - {target: i, value: "null"}
  - {target: j, value: "~"}
attributes:
  - {type: r, once: session, when: session.landed, fields: [{target: a, source: [session.campaign.source, visitor.userId]}]}
  - {type: s, fields: [{target: a, value: 1}]}
events:
  - event: Sold
    aliases: ["404", "on"]
    when: event.properties.a > 1
    otherwise: "no: a"
    fields: [{target: "l[]", source: [properties.a, "$.b"], as: lower, when: "true"}]
    attributes:
      - type: x
        once: session
        when: "true"
        fields:
          - {target: m, source: properties.m, value_map: {"true": 1, "1.0": one, "null": 2.50}, default_value: 0.10, only_with: n}
          - {target: n, each: properties.n, keep_empty: true, required: true, fields: [{target: o, expr: item.p}]}
`,
	}
	for name, src := range sources {
		m, err := Parse([]byte(src))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := asJSON(t, m)
		y, err := yaml.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		inside, err := yaml.Marshal(config{Mapping: m})
		if err != nil {
			t.Fatal(err)
		}
		var c config
		if err := yaml.UnmarshalWithOptions(inside, &c, yaml.Strict()); err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, inside)
		}
		if got := asJSON(t, c.Mapping); got != want {
			t.Errorf("%s, inside a configuration:\n got %s\nwant %s\n%s", name, got, want, inside)
		}
		for _, text := range []string{string(y), want} {
			again, err := Parse([]byte(text))
			if err != nil {
				t.Fatalf("%s: %v in\n%s", name, err, text)
			}
			if got := asJSON(t, again); got != want {
				t.Errorf("%s:\n got %s\nwant %s\nfrom %s", name, got, want, text)
			}
		}
		var viaJSON Mapping
		if err := json.Unmarshal([]byte(want), &viaJSON); err != nil {
			t.Fatal(err)
		}
		if got := asJSON(t, &viaJSON); got != want {
			t.Errorf("%s by JSON:\n got %s\nwant %s", name, got, want)
		}
	}
}

func asJSON(t testing.TB, m *Mapping) string {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The console edits one field at a time, and programs make literals of their
// own kinds.
func TestOneFieldAlone(t *testing.T) {
	var byJSON, byYAML Field
	if err := json.Unmarshal([]byte(`{"target":"a","source":"userId","default_value":1.50}`), &byJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte("target: a\nsource: [userId]\ndefault_value: 1.50"), &byYAML); err != nil {
		t.Fatal(err)
	}
	for _, f := range []Field{byJSON, byYAML, {Target: "a", Source: Paths{"userId"}, DefaultValue: json.Number("1.50")}} {
		if b, err := json.Marshal(f); err != nil || string(b) != `{"target":"a","source":"userId","default_value":1.50}` {
			t.Errorf("field %s, %v", b, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"target":"a","sorce":"userId","as":1,"required":"yes"}`), &byJSON); len(Faults(err)) != 2 {
		t.Errorf("faults %v, want an unknown key and a kind", err)
	}
	var p Paths
	if err := json.Unmarshal([]byte(`["a","b"]`), &p); err != nil || len(p) != 2 {
		t.Errorf("paths %v, %v", p, err)
	}
	if err := yaml.Unmarshal([]byte("a"), &p); err != nil || len(p) != 1 {
		t.Errorf("paths %v, %v", p, err)
	}

	m := Mapping{Events: []EventRule{{Event: "Sold", Fields: []Field{
		{Target: "i", Value: 5}, {Target: "f", Value: 2.5}, {Target: "u", Value: uint8(7)},
		{Target: "l", Value: []string{"a"}}, {Target: "m", Value: map[string]any{"x": int64(1)}},
	}}}}
	program, err := m.Compile()
	if err != nil {
		t.Fatal(err)
	}
	if got := program.Run(Input{Event: received(t, sold(`{}`))}); string(got.Payload) != `{"i":5,"f":2.5,"u":7,"l":["a"],"m":{"x":1}}` {
		t.Errorf("payload %s", got.Payload)
	}
	m.Events[0].Fields[0].Value = func() {}
	if _, err := m.Compile(); err == nil || !strings.Contains(err.Error(), "events[0].fields[0].value: this is not a value that JSON can hold") {
		t.Errorf("compile of a func: %v", err)
	}
}
