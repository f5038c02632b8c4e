package mapping

import (
	"fmt"
	"strings"
	"testing"
)

// field makes a mapping of one field in an attribute, on one line.
func oneField(f string) string { return one("{" + f + "}") }

// What an author mistypes must be said in words that mend it.
func TestFaults(t *testing.T) {
	const attr = "events[0].attributes[0]"
	tests := []struct {
		name, mapping string
		want          []string // a part of each fault, in order
	}{
		// The form: Parse.
		{"not YAML", "events: [", []string{"line 1, column 9: this is not YAML"}},
		{"not JSON", "{\n \"events\": [}", []string{"line 2, column 13: this is not JSON"}},
		{"nothing", "", []string{"the mapping is empty; it needs events"}},
		{"a list", "- a", []string{"line 1, column 1: a mapping is an object with keys such as preset, this is a list"}},
		{"two documents", "preset: a\n---\npreset: b", []string{"line 3, column 1: one text holds one mapping"}},
		{"a key misspelt", "evnets: []", []string{`line 1, column 1: a mapping has no key "evnets"; did you mean "events"?`}},
		{"a key that is not known", "rules: []", []string{`a mapping has no key "rules"; it may have preset, common, attributes, events`}},
		{"a key twice", "preset: a\npreset: b", []string{"line 2, column 1: preset: preset stands twice"}},
		{"several at once, each with its place", "common:\n  - {taget: a, source: userId}\n  - target: [b]\n    required: yes please\nevents: 5", []string{
			`line 2, column 6: common[0]: a field has no key "taget"; did you mean "target"?`,
			"line 3, column 13: common[1].target: text is needed here, this is a list",
			"line 4, column 15: common[1].required: true or false is needed here, this is text",
			"line 5, column 9: events: a list is needed here, this is a number",
		}},
		{"an empty value", oneField("target: a, value: "), []string{"leave the key out"}},
		{"an empty text", oneField(`target: a, source: ""`), []string{"this is empty; write a value or leave the key out"}},
		{"an empty list", oneField("target: a, source: []"), []string{"this list is empty"}},
		{"a value_map that is a list", oneField("target: a, source: userId, value_map: [a]"), []string{"value_map is an object such as"}},
		{"a merge key", "events:\n  - &a {event: x}\n  - <<: *a", []string{"<< is not part of the language"}},
		{"an alias of nothing", "events: *a", []string{"no anchor &a stands before this"}},
		{"an alias of itself", "events: &a [*a]", []string{"too big or nested too deeply"}},

		// What it says: Compile.
		{"no target", oneField("source: userId"), []string{attr + ".fields[0].target: the field needs a target"}},
		{"a dot too many", oneField("target: a..b, source: userId"), []string{`"a..b" has an empty step`}},
		{"a dot before a bracket", oneField(`target: "a.[0]", source: userId`), []string{"write products[0], not products.[0]"}},
		{"a dot missing", oneField(`target: "a[0]b", source: userId`), []string{"a dot is missing after"}},
		{"a bracket open", oneField(`target: "a[0", source: userId`), []string{"the brackets must hold a number from 0 to 999"}},
		{"a negative index", oneField(`target: "a[-1]", source: userId`), []string{"the brackets must hold a number"}},
		{"a star", oneField(`target: "a[*]", source: userId`), []string{"the brackets must hold a number"}},
		{"[] in the middle", oneField(`target: "a[].b", source: userId`), []string{`"[]" may only stand at the end; write [0] for one element, or each for many`}},
		{"[] in a source", oneField(`target: a, source: "properties.b[].c"`), []string{`"[]" is for targets`}},
		{"spaces around", oneField(`target: " a", source: "userId "`), []string{"has spaces around it", "has spaces around it"}},
		{"a source that begins with event", oneField("target: a, source: event.properties.x"), []string{`.source[0]: a path starts inside the event; write "properties.x"`}},
		{"properties misspelt", oneField("target: a, source: propertes.x"), []string{`an event has no field "propertes"; did you mean "properties"?`}},
		{"properties left out", oneField("target: a, source: revenue"), []string{`write "properties.revenue", or "$.revenue" for a field of your own`}},
		{"the whole session", oneField("target: a, source: session"), []string{`session holds several things; name one of them, such as "session.campaign"`}},
		{"a field of the session misspelt", oneField("target: a, source: session.campaignn.source"), []string{`a session has no field "campaignn"; did you mean "campaign"?`}},
		{"a field of the visitor that is not known", oneField("target: a, source: visitor.shoes"), []string{`a visitor has no field "shoes"; it has anonymousId, userId, traits, firstSeen`}},
		{"a source twice", oneField("target: a, source: [userId, userId]"), []string{`.source[1]: "userId" stands twice`}},
		{"nothing to write", oneField("target: a"), []string{"the field has nothing to write; give it a source, an expr, a value, or each with fields"}},
		{"value and source", oneField("target: a, value: 1, source: userId"), []string{"make it default_value"}},
		{"value and as", oneField("target: a, value: 1, as: string"), []string{"leave as, value_map and default_value out"}},
		{"value and required", oneField("target: a, value: 1, required: true"), []string{"a value is always there"}},
		{"default and required", oneField("target: a, source: userId, default_value: 1, required: true"), []string{"the field is always there"}},
		{"a reading misspelt", oneField("target: a, source: userId, as: nubmer"), []string{`there is no reading "nubmer"; did you mean "number"?`}},
		{"a reading that is not known", oneField("target: a, source: userId, as: currency"), []string{"use one of string, number, integer, boolean, date, lower, upper, url"}},
		{"an empty value_map", oneField("target: a, source: userId, value_map: {}"), []string{"the value_map is empty"}},
		{"each without fields", oneField("target: a, each: properties.a"), []string{"each needs fields"}},
		{"fields without each", oneField("target: a, source: properties.a, fields: [{target: b, source: c}]"), []string{"fields belong to each"}},
		{"keep_empty without each", oneField("target: a, source: userId, keep_empty: true"), []string{"keep_empty belongs to each"}},
		{"each with source", oneField("target: a, each: properties.a, source: userId, fields: [{target: b, source: c}]"), []string{"each takes its paths itself"}},
		{"each with as", oneField("target: a, each: properties.a, as: string, fields: [{target: b, source: c}]"), []string{"use as, value_map and default_value inside its fields"}},
		{"a fault inside each", oneField("target: a, each: properties.a, fields: [{target: b, source: c, as: x}]"), []string{attr + ".fields[0].fields[0].as: there is no reading"}},
		{"an absolute each inside each", oneField("target: a, each: properties.a, fields: [{target: b, each: $.properties.a, fields: [{target: c, source: d}]}]"), []string{"leave \"$.\" out"}},
		{"each too deep", oneField("target: a.b.c.d.e.f, each: properties.a, fields: [{target: a.b.c.d.e.f, each: b, fields: [{target: c, source: d}]}]"), []string{"each stands inside each too often"}},
		{"a target too deep", oneField("target: a.b.c.d.e.f.g.h.i.j, each: properties.a, fields: [{target: a.b.c, source: d}]"), []string{"nested deeper than 14 steps"}},
		{"a target twice", one("{target: a, source: userId}, {target: a, source: anonymousId}"), []string{`.fields[1].target: "a" is written twice, here and in ` + attr + ".fields[0]"}},
		{"a value and something inside it", one("{target: a, source: userId}, {target: a.b, source: userId}"), []string{`"a.b" stands inside "a", which has a value of its own`}},
		{"the same the other way round", one("{target: a.b, source: userId}, {target: a, source: userId}"), []string{`"a" has a value of its own, but "a.b" stands inside it`}},
		{"a list and an object", one(`{target: "a[0]", source: userId}, {target: a.b, source: userId}`), []string{"one makes a list, the other an object"}},
		{"only_with nothing", oneField("target: a, source: userId, only_with: b.c"), []string{`no other field of this list finds a value for "b.c"`}},
		{"only_with itself", oneField("target: a, source: userId, only_with: a"), []string{"no other field of this list"}},
		{"the type as a field", oneField("target: type, value: x"), []string{"the type is written by itself"}},
		{"an attribute without type and fields", "events: [{event: a, attributes: [{when: \"true\"}]}]", []string{"the attribute needs a type", "the attribute has no fields"}},
		{"a once that is not known", "attributes: [{type: x, once: visit, fields: [{target: a, value: 1}]}]\nevents: [{event: a, attributes: [{type: x, once: Session, fields: [{target: a, value: 1}]}]}]",
			[]string{`line 1, column 30: attributes[0].once: once cannot be "visit"; write session, or leave it out`, `line 2, column 50: events[0].attributes[0].once: once cannot be "Session"`}},
		{"an empty once", "attributes: [{type: x, once: , fields: [{target: a, value: 1}]}]", []string{"attributes[0].once: this is empty; write a value or leave the key out"}},
		{"faults of what rides on every event, told once", "attributes: [{type: x, fields: [{target: a, source: propertes.x}]}]\nevents: [{event: a, fields: [{target: a, value: 1}]}, {event: b, fields: [{target: a, value: 1}]}]",
			[]string{`line 1, column 53: attributes[0].fields[0].source[0]: an event has no field "propertes"`}},
		{"engagementAttributes by hand", "common: [{target: \"engagementAttributes[0].x\", value: 1}]", []string{"common[0].target: engagementAttributes is made of the attributes"}},
		{"a rule without a name", "events: [{attributes: [{type: a, fields: [{target: b, value: 1}]}]}]", []string{"events[0].event: the rule needs the name of its event"}},
		{"an event twice", "events: [{event: Order Completed, fields: [{target: a, value: 1}]}, {event: Sold, aliases: [x, order_completed], fields: [{target: a, value: 1}]}]",
			[]string{`events[1].aliases[1]: "order_completed" has a rule already, that of "Order Completed"`}},
		{"a target that common makes otherwise", "common: [{target: \"e[]\", value: 1}]\nevents: [{event: a, fields: [{target: e, value: 1}]}]", []string{`events[0].fields[0].target: "e" has a value of its own`}},

		// Expressions.
		{"an expression that is cut", oneField(`target: a, expr: "event.properties."`), []string{".expr: the expression is not right: "}},
		{"event left out", oneField("target: a, expr: properties.x * 2"), []string{"properties is not known to expressions by itself; write event.properties"}},
		{"a function misspelt", oneField(`target: a, expr: 'linetotal(event.properties.x, "a", "b")'`), []string{"did you mean lineTotal?"}},
		{"too few arguments", oneField(`target: a, expr: 'lineTotal(event.properties.x, "a")'`), []string{"not enough arguments to call lineTotal"}},
		{"kinds that do not go together", oneField(`target: a, expr: '"a" * 2'`), []string{"invalid operation: *"}},
		{"a condition that is not one", oneField(`target: a, source: userId, when: '"yes"'`), []string{".when: the expression is not right: expected bool, but got string"}},
		{"item outside each", oneField("target: a, expr: item.x"), []string{"item is known inside each only"}},
		{"the clock", oneField("target: a, expr: now()"), []string{"now"}},
		{"ranges", oneField("target: a, expr: 1..1000000"), []string{`the operator ".." is not part of the language`}},
		{"reduce", oneField("target: a, expr: 'reduce(event.properties.x, # + #acc)'"), []string{`there is no function "reduce"`}},
		{"a method", oneField("target: a, expr: event.properties.x()"), []string{"cannot be called"}},
		{"a pattern that is not right", oneField(`target: a, expr: 'event.userId matches "("'`), []string{"error parsing regexp"}},
		{"an expression that is too long", oneField("target: a, expr: '1" + strings.Repeat("+1", 400) + "'"), []string{"exceeds maximum allowed nodes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := parseAndCompile(tt.mapping)
			faults := Faults(err)
			if len(faults) != len(tt.want) {
				t.Fatalf("%d faults of %s:\n%v\nwant %q", len(faults), tt.mapping, err, tt.want)
			}
			for i, f := range faults {
				if !strings.Contains(f.Error(), tt.want[i]) {
					t.Errorf("fault %d of %s:\n got %s\nwant %s", i, tt.mapping, f, tt.want[i])
				}
				if f.Line == 0 && tt.mapping != "" {
					t.Errorf("fault %d has no line: %s", i, f)
				}
			}
		})
	}
}

// Each visitor's session remembers what was made once, so there may not be any
// number of it.
func TestTooMuchToRemember(t *testing.T) {
	once := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("{type: t%d, once: session, fields: [{target: a, value: 1}]}", i))
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	src := func(riding, own int) string {
		return "attributes: " + once(riding) + "\nevents: [{event: a, attributes: " + once(own) + "}]"
	}
	if err := parseAndCompile(src(60, 40)); err != nil {
		t.Errorf("100 attributes: %v", err)
	}
	err := parseAndCompile(src(60, 50))
	if faults := Faults(err); len(faults) != 1 || faults[0].Path != "events[0].attributes[40].once" || faults[0].Line != 2 {
		t.Errorf("110 attributes: %v, want one fault at the 101st", err)
	}
}

func parseAndCompile(src string) error {
	m, err := Parse([]byte(src))
	if err != nil {
		return err
	}
	_, err = m.Compile()
	return err
}

func TestACompileFaultStandsWhereItIsWritten(t *testing.T) {
	src := "common:\n  - {target: consumerId, source: anonymousId}\nevents:\n  - event: Sold\n    attributes:\n      - type: purchase\n        fields:\n          - target: total\n            source:\n              - properties.total\n              - total\n"
	err := parseAndCompile(src)
	want := `line 11, column 17: events[0].attributes[0].fields[0].source[1]: an event has no field "total"; write "properties.total", or "$.total" for a field of your own at the top of the event`
	if err == nil || err.Error() != want {
		t.Errorf("error:\n got %v\nwant %s", err, want)
	}
}

func TestWithCommon(t *testing.T) {
	preset, err := Parse(retailSource(t))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, common string
		want         string // targets
	}{
		{"a mapping without common gets the preset's identity, not its entry points", "", "consumerId identities[0].iss identities[0].acr identities[0].sub"},
		{"one of them alone is added", "common: [{target: x, value: 1}, {target: consumerId, source: userId}]", "identities[0].iss identities[0].acr identities[0].sub x consumerId"},
		{"what is there stays as it is", `common: [{target: "identities[0].sub", source: userId}, {target: consumerId, source: userId}]`, "identities[0].sub consumerId"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse([]byte(tt.common + "\nevents: [{event: Sold, fields: [{target: y, value: 1}]}]"))
			if err != nil {
				t.Fatal(err)
			}
			before := asJSON(t, m)
			got := m.WithCommon(preset)
			var targets []string
			for _, f := range got.Common {
				targets = append(targets, f.Target)
			}
			if s := strings.Join(targets, " "); s != tt.want {
				t.Errorf("targets %s, want %s", s, tt.want)
			}
			if asJSON(t, m) != before {
				t.Errorf("the mapping was changed: %s", asJSON(t, m))
			}
			if _, err := got.Compile(); err != nil {
				t.Error(err)
			}
		})
	}
}
