package mapping

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
)

// one makes a mapping with one rule, for the event Sold, out of its fields.
func one(fields string) string {
	return "events: [{event: Sold, attributes: [{type: purchase, fields: [" + fields + "]}]}]"
}

// sold makes the event Sold.
func sold(properties string) string {
	return `{"type":"track","event":"Sold","anonymousId":"A","properties":` + properties + `}`
}

// attribute wraps what a test wants of the one attribute.
func wantAttribute(members string) string {
	return `{"engagementAttributes":[{"type":"purchase",` + members + `}]}`
}

func TestRun(t *testing.T) {
	tests := []struct {
		name    string
		mapping string
		event   string
		want    string   // the payload, exactly
		stop    string   // exactly, when there is no payload
		faults  []string // exactly
	}{
		{
			name:    "the first source that is present and neither null nor empty wins, and digits are kept",
			mapping: one(`{target: total, source: [properties.a, properties.b, properties.c, properties.d]}`),
			event:   sold(`{"b":null,"c":"","d":100.00}`),
			want:    wantAttribute(`"total":100.00`),
		},
		{
			name:    "false and zero are present",
			mapping: one(`{target: a, source: [properties.a, properties.x]}, {target: b, source: [properties.b, properties.x]}`),
			event:   sold(`{"a":0,"b":false,"x":9}`),
			want:    wantAttribute(`"a":0,"b":false`),
		},
		{
			name:    "keys stand in the order of the rules, not of the event",
			mapping: one(`{target: z.b, source: properties.b}, {target: a, source: properties.a}, {target: z.a, source: properties.a}`),
			event:   sold(`{"a":1,"b":2}`),
			want:    wantAttribute(`"z":{"b":2,"a":1},"a":1`),
		},
		{
			name:    "a list with a gap closes it",
			mapping: one(`{target: "l[2].x", source: properties.c}, {target: "l[0].x", source: properties.a}, {target: "l[1].x", source: properties.b}`),
			event:   sold(`{"a":1,"c":3}`),
			want:    wantAttribute(`"l":[{"x":1},{"x":3}]`),
		},
		{
			name:    "[] appends, a list element by element, without what is empty",
			mapping: one(`{target: "k[]", source: properties.a}, {target: "k[]", source: properties.b, as: upper}, {target: "k[0]", value: first}`),
			event:   sold(`{"a":"x","b":["y",null,"",7]}`),
			want:    wantAttribute(`"k":["first","x","Y","7"]`),
		},
		{
			name:    "a list of empties is absent, so the next source is tried",
			mapping: one(`{target: "k[]", source: [properties.a, properties.b]}`),
			event:   sold(`{"a":["",null],"b":"z"}`),
			want:    wantAttribute(`"k":["z"]`),
		},
		{
			name:    "an object is copied whole without its nulls",
			mapping: one(`{target: o, source: properties.o}`),
			event:   sold(`{"o":{"b":null,"a":[1,null,{"x":null}],"c":"\u2028<"}}`),
			want:    wantAttribute(`"o":{"a":[1,{}],"c":"` + "\u2028" + `<"}`),
		},
		{
			name:    "value_map comes before as, by the text of what was found",
			mapping: one(`{target: a, source: properties.a, value_map: {"true": "7", "1": "8"}, as: number}, {target: b, source: properties.b, value_map: {"1": "8"}, as: number}`),
			event:   sold(`{"a":true,"b":1}`),
			want:    wantAttribute(`"a":7,"b":8`),
		},
		{
			name:    "a value that is not in the map takes the default as it stands, else the field is left out",
			mapping: one(`{target: a, source: properties.x, value_map: {p: 1}, as: number, default_value: none}, {target: b, source: properties.x, value_map: {p: 1}}, {target: c, source: properties.x}`),
			event:   sold(`{"x":"q"}`),
			want:    wantAttribute(`"a":"none","c":"q"`),
		},
		{
			name:    "a value that cannot be read counts as absent, and the next source is tried",
			mapping: one(`{target: total, source: [properties.a, properties.b], as: number}`),
			event:   sold(`{"a":"12,50","b":" 59.80 "}`),
			want:    wantAttribute(`"total":59.80`),
		},
		{
			name:    "what could not be read is named when nothing else was there, without the value",
			mapping: one(`{target: id, source: properties.id}, {target: total, source: properties.a, as: number}, {target: q, source: properties.a, as: integer, default_value: 1}`),
			event:   sold(`{"id":1,"a":"12,50"}`),
			want:    wantAttribute(`"id":1,"q":1`),
			faults: []string{
				"purchase: total left out: properties.a is text that is not a number",
				"purchase: q has its default: properties.a is text that is not a whole number",
			},
		},
		{
			name:    "a required field that is missing stops the attribute, all of them at once",
			mapping: one(`{target: total, source: [properties.revenue, properties.total], as: number, required: true}, {target: id, source: properties.id, required: true}, {target: x, source: properties.x}`),
			event:   sold(`{"x":1,"total":"free"}`),
			stop:    "purchase: total is missing (looked at properties.revenue, properties.total, which is text that is not a number); id is missing (looked at properties.id)",
		},
		{
			name:    "an attribute for which nothing is there is not built, whatever its literals and defaults say",
			mapping: one(`{target: total, source: properties.total}, {target: currency, value: EUR}, {target: n, source: properties.n, default_value: 1}`),
			event:   sold(`{}`),
			stop:    "purchase: nothing for it was on the event",
		},
		{
			name:    "an attribute of literals alone is built",
			mapping: one(`{target: topic, value: opened}, {target: "x[1]", value: 0.50}`),
			event:   sold(`{}`),
			want:    wantAttribute(`"topic":"opened","x":[0.50]`),
		},
		{
			name: "one attribute that is built carries the event, the reasons of the others are told",
			mapping: `events: [{event: Sold, attributes: [
				{type: a, fields: [{target: x, source: properties.x, required: true}]},
				{type: b, when: event.properties.y > 5, fields: [{target: y, source: properties.y}]},
				{type: c, fields: [{target: y, source: properties.y}]},
				{type: d, fields: [{target: z, source: properties.z}]}]}]`,
			event:  sold(`{"y":1}`),
			want:   `{"engagementAttributes":[{"type":"c","y":1}]}`,
			faults: []string{"a: x is missing (looked at properties.x)", "d: nothing for it was on the event"},
		},
		{
			name:    "a condition that is false filters the event, with the rule's own words",
			mapping: `events: [{event: Sold, when: event.properties.test != true, otherwise: test orders stay here, attributes: [{type: a, fields: [{target: x, source: properties.x}]}]}]`,
			event:   sold(`{"test":true,"x":1}`),
			stop:    "test orders stay here",
		},
		{
			name:    "or with a general sentence",
			mapping: `events: [{event: Sold, when: event.properties.test != true}]`,
			event:   sold(`{"test":true}`),
			stop:    `the rule for "Sold" does not apply: its condition is not met (event.properties.test != true)`,
		},
		{
			name:    "a condition that cannot be worked out says why",
			mapping: `events: [{event: Sold, when: event.properties.test}]`,
			event:   sold(`{"test":"yes"}`),
			stop:    `the condition of the rule for "Sold" could not be worked out: text stands where true or false is needed; compare it, as in == "yes"`,
		},
		{
			name:    "required in common stops the event",
			mapping: "common: [{target: consumerId, source: [userId, traits.id], required: true}]\nevents: [{event: Sold}]",
			event:   sold(`{}`),
			stop:    "consumerId is missing (looked at userId, traits.id)",
		},
		{
			name:    "fields of the event stand beside its attributes and go before those of common",
			mapping: "common: [{target: site, value: shop}, {target: who, source: anonymousId}, {target: \"e[]\", value: 1}]\nevents: [{event: Sold, fields: [{target: site, source: properties.site}, {target: \"e[]\", value: 2}, {target: more, value: true}]}]",
			event:   sold(`{"site":"other"}`),
			want:    `{"site":"other","who":"A","e":[1,2],"more":true}`,
		},
		{
			name:    "when the event's own field finds nothing, that of common stays",
			mapping: "common: [{target: site, value: shop}]\nevents: [{event: Sold, fields: [{target: site, source: properties.site}]}]",
			event:   sold(`{}`),
			want:    `{"site":"shop"}`,
		},
		{
			name:    "the same target twice: the first whose condition holds and that finds something wins",
			mapping: one(`{target: a, source: properties.a, when: event.properties.vip == true}, {target: a, source: properties.b}, {target: c, source: properties.b}`),
			event:   sold(`{"a":1,"b":2,"vip":false}`),
			want:    wantAttribute(`"a":2,"c":2`),
		},
		{
			name:    "only_with leaves a field out when its companion found nothing",
			mapping: one(`{target: n, value: 1, only_with: p}, {target: p.q, source: properties.q}, {target: p.r, source: properties.r, only_with: p}, {target: s, source: properties.s}`),
			event:   sold(`{"r":1,"s":2}`),
			want:    wantAttribute(`"s":2`),
		},
		{
			name:    "only_with writes it in its place when the companion is there",
			mapping: one(`{target: n, value: 1, only_with: p}, {target: p.q, source: properties.q}, {target: p.r, source: properties.r, only_with: p}`),
			event:   sold(`{"q":0,"r":1}`),
			want:    wantAttribute(`"n":1,"p":{"q":0,"r":1}`),
		},
		{
			name:    "each takes the first list that has any element with something in it",
			mapping: one(`{target: lines, each: [properties.a, properties.b, properties.c], fields: [{target: p.sku, source: [sku, id], as: string}, {target: q, source: q, default_value: 1}]}`),
			event:   sold(`{"a":[],"b":[{"x":1},null,5],"c":[{"sku":"A"},{},{"id":7,"q":2}]}`),
			want:    wantAttribute(`"lines":[{"p":{"sku":"A"},"q":1},{"p":{"sku":"7"},"q":2}]`),
		},
		{
			name:    "an object counts as a list of one",
			mapping: one(`{target: lines, each: [properties.lines, properties], fields: [{target: sku, source: sku}]}`),
			event:   sold(`{"sku":"A"}`),
			want:    wantAttribute(`"lines":[{"sku":"A"}]`),
		},
		{
			name:    "keep_empty writes a list that is there and empty, and nothing when there is none",
			mapping: one(`{target: a, each: [properties.a, properties.b], keep_empty: true, fields: [{target: x, source: x}]}, {target: c, each: properties.c, keep_empty: true, fields: [{target: x, source: x}]}`),
			event:   sold(`{"a":[],"b":[]}`),
			want:    wantAttribute(`"a":[]`),
		},
		{
			name:    "each inside each, $. for the event, item for the element, . for a bare value",
			mapping: one(`{target: "o[]", each: properties.o, fields: [{target: n, expr: "item.n * 2"}, {target: cur, source: $.properties.cur}, {target: tags, each: tags, fields: [{target: name, source: .}]}]}, {target: "o[]", value: last}`),
			event:   sold(`{"cur":"EUR","o":[{"n":1.5,"tags":["a","b"]},{"n":2}]}`),
			want:    wantAttribute(`"o":[{"n":3.0,"cur":"EUR","tags":[{"name":"a"},{"name":"b"}]},{"n":4,"cur":"EUR"},"last"]`),
		},
		{
			name:    "required inside each leaves the element out and says so",
			mapping: one(`{target: l, each: properties.l, fields: [{target: sku, source: [sku, id], required: true}, {target: n, source: n}]}`),
			event:   sold(`{"l":[{"n":1},{"id":"B","n":2}]}`),
			want:    wantAttribute(`"l":[{"sku":"B","n":2}]`),
			faults:  []string{"purchase: l has an element less: sku is missing (looked at properties.l[0].sku, properties.l[0].id)"},
		},
		{
			name:    "the expression is tried when no source gave anything",
			mapping: one(`{target: a, source: properties.a, expr: "event.properties.b * 2", as: number}, {target: c, source: properties.c, expr: "1/0"}`),
			event:   sold(`{"b":"29.90","c":1}`),
			want:    wantAttribute(`"a":59.80,"c":1`),
		},
		{
			name:    "an expression that fails counts as absent, with the reason",
			mapping: one(`{target: a, source: properties.a}, {target: b, expr: "event.properties.b * 2"}, {target: c, expr: "event.properties.b * 2", required: true}`),
			event:   sold(`{"a":1,"b":"x"}`),
			stop:    "purchase: c is missing (looked at properties.b): its expression could not be worked out: text that is not a number, so it cannot be calculated with",
			faults:  []string{"purchase: b left out: its expression could not be worked out: text that is not a number, so it cannot be calculated with"},
		},
		{
			name:    "names match without regard to case, spaces, underscores and hyphens",
			mapping: `events: [{event: Order Completed, aliases: [purchase], fields: [{target: x, value: 1}]}]`,
			event:   `{"type":"track","event":"ORDER-completed","anonymousId":"A"}`,
			want:    `{"x":1}`,
		},
		{
			name:    "a track called page is not a page",
			mapping: `events: [{event: page, fields: [{target: x, value: 1}]}]`,
			event:   `{"type":"track","event":"page","anonymousId":"A"}`,
			stop:    `not mapped: no rule for "page"`,
		},
		{
			name:    "a screen is the page of an app",
			mapping: `events: [{event: Page, fields: [{target: x, value: 1}]}]`,
			event:   `{"type":"screen","anonymousId":"A"}`,
			want:    `{"x":1}`,
		},
		{
			name:    "unless it has a rule of its own",
			mapping: `events: [{event: page, fields: [{target: x, value: 1}]}, {event: screen, fields: [{target: x, value: 2}]}]`,
			event:   `{"type":"screen","anonymousId":"A"}`,
			want:    `{"x":2}`,
		},
		{
			name:    "a group without a rule is not mapped",
			mapping: `preset: blank`,
			event:   `{"type":"group","anonymousId":"A"}`,
			stop:    `not mapped: no rule for "group"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := compiled(t, tt.mapping)
			e := received(t, tt.event)
			before, _ := json.Marshal(e)
			got := p.Run(Input{Event: e})
			if string(got.Payload) != tt.want || got.Stop != tt.stop || !equalTexts(got.Faults, tt.faults) {
				t.Errorf("run of %s:\n got %s, stop %q, faults %q\nwant %s, stop %q, faults %q", tt.event, got.Payload, got.Stop, got.Faults, tt.want, tt.stop, tt.faults)
			}
			if after, _ := json.Marshal(e); string(after) != string(before) {
				t.Errorf("the event was changed:\n from %s\n   to %s", before, after)
			}
		})
	}
}

func equalTexts(a, b []string) bool {
	return strings.Join(a, "\n") == strings.Join(b, "\n") && len(a) == len(b)
}

func TestAs(t *testing.T) {
	const absent = ""
	tests := []struct{ as, value, want string }{
		{"string", `12345678901234567`, `"12345678901234567"`},
		{"string", `100.0`, `"100.0"`},
		{"string", `true`, `"true"`},
		{"string", `[1]`, absent},
		{"string", `{}`, absent},
		{"number", `11.70`, `11.70`},
		{"number", `" 59.80 "`, `59.80`},
		{"number", `"-1e3"`, `-1e3`},
		{"number", `"1,50"`, absent},
		{"number", `"1.000,50"`, absent},
		{"number", `"12 EUR"`, absent},
		{"number", `"+5"`, absent},
		{"number", `"007"`, absent},
		{"number", `"1e999"`, absent},
		{"number", `"NaN"`, absent},
		{"number", `"0x10"`, absent},
		{"number", `true`, absent},
		{"integer", `30.0`, `30`},
		{"integer", `"30"`, `30`},
		{"integer", `30.5`, absent},
		{"integer", `3e2`, `300`},
		{"integer", `-0`, `0`},
		{"integer", `12345678901234567890`, `12345678901234567890`},
		{"integer", `1e300`, "1" + strings.Repeat("0", 300)},
		{"boolean", `"Yes"`, `true`},
		{"boolean", `0`, `false`},
		{"boolean", `"maybe"`, absent},
		{"boolean", `2`, absent},
		{"lower", `"ÄB"`, `"äb"`},
		{"upper", `"eur"`, `"EUR"`},
		{"upper", `[]`, absent},
		{"date", `"2026-02-25"`, `{"day":25,"month":2,"year":2026}`},
		{"date", `"1990-04-15T23:30:00-05:00"`, `{"day":15,"month":4,"year":1990}`},
		{"date", `"2026-02-25T14:30:00.000Z"`, `{"day":25,"month":2,"year":2026}`},
		{"date", `1772029800`, `{"day":25,"month":2,"year":2026}`},
		{"date", `1772029800000`, `{"day":25,"month":2,"year":2026}`},
		{"date", `"1772029800"`, `{"day":25,"month":2,"year":2026}`},
		{"date", `{"day":5,"month":"6","year":2001}`, `{"day":5,"month":6,"year":2001}`},
		{"date", `{"day":31,"month":2,"year":2001}`, absent},
		{"date", `20260225`, absent},
		{"date", `"25.02.2026"`, absent},
		{"date", `"2026-02-30"`, absent},
		{"date", `"0001-01-01"`, absent},
		{"url", `"https://example.com/a?b#c"`, `"https://example.com/a?b#c"`},
		{"url", `"http://[::1]:8080/"`, `"http://[::1]:8080/"`},
		{"url", `"/cart"`, absent},
		{"url", `"//example.com"`, absent},
		{"url", `"ftp://example.com"`, absent},
		{"url", `"javascript:alert(1)"`, absent},
		{"url", `"https://"`, absent},
		{"url", `"https:///path"`, absent},
		{"url", `"https://u@/path"`, absent},
		{"url", `"https://exa mple.com"`, absent},
		{"url", `5`, absent},
	}
	for _, tt := range tests {
		p := compiled(t, one(`{target: k, value: 1}, {target: i, source: properties.i}, {target: x, source: properties.x, as: `+tt.as+`}`))
		got := p.Run(Input{Event: received(t, sold(`{"i":1,"x":`+tt.value+`}`))})
		want := wantAttribute(`"k":1,"i":1`)
		if tt.want != absent {
			want = wantAttribute(`"k":1,"i":1,"x":` + tt.want)
		}
		if string(got.Payload) != want || (len(got.Faults) == 1) != (tt.want == absent) {
			t.Errorf("%s as %s:\n got %s %q\nwant %s", tt.value, tt.as, got.Payload, got.Faults, want)
		}
	}
}

func TestExplain(t *testing.T) {
	p := retail(t)
	e := received(t, `{"type":"track","event":"Order Completed","anonymousId":"A","properties":{"total":11.70,"transaction_id":7,
		"items":[{"x":1},{"item_name":"Mug","price":"5.50","quantity":2},{"sku":"T"}]},"context":{"page":{"url":"https://example.com/"}}}`)
	got := p.Run(Input{Event: e, Explain: true})
	b, err := json.Marshal(got.Explain)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		`[{"target":"consumerId","source":"anonymousId","value":"A"}`,
		`{"target":"identities[0].iss","source":"literal","value":"Datafly"}`,
		`{"target":"identities[0].acr","source":"default","value":"0"}`,
		`{"target":"identities[0].sub","source":"anonymousId","value":"A"}`,
		`{"target":"entryPoints[0]","source":"context.page.url","value":"https://example.com/"}`,
		`{"target":"engagementAttributes[0].total","source":"properties.total","value":11.70}`,
		`{"target":"engagementAttributes[0].orderId","source":"properties.transaction_id","value":"7"}`,
		`{"target":"engagementAttributes[0].cart.products[0].product.name","source":"properties.items[1].item_name","value":"Mug"}`,
		`{"target":"engagementAttributes[0].cart.products[0].product.price","source":"properties.items[1].price","value":5.50}`,
		`{"target":"engagementAttributes[0].cart.products[0].quantity","source":"properties.items[1].quantity","value":2}`,
		`{"target":"engagementAttributes[0].cart.products[1].product.sku","source":"properties.items[2].sku","value":"T"}`,
		`{"target":"engagementAttributes[0].cart.products[1].quantity","source":"default","value":1}`,
		`{"target":"engagementAttributes[0].cart.numItems","source":"expr","value":4}]`,
	}, ",")
	if string(b) != want {
		t.Errorf("explain:\n got %s\nwant %s", strings.ReplaceAll(string(b), "},{", "},\n{"), strings.ReplaceAll(want, "},{", "},\n{"))
	}
	if plain := p.Run(Input{Event: e}); string(plain.Payload) != string(got.Payload) || plain.Explain != nil {
		t.Errorf("without explain: %s %v, want %s", plain.Payload, plain.Explain, got.Payload)
	}
}

// A Program is used by all shards at once.
func TestTheRuleForAnyEventIsForThoseWithoutTheirOwn(t *testing.T) {
	p := compiled(t, `{common: [{target: id, source: anonymousId}], events: [{event: "*", fields: [{target: rule, value: any}]}, {event: Sold, fields: [{target: rule, value: sold}]}, {event: page, fields: [{target: rule, value: page}]}]}`)
	for body, want := range map[string]string{
		sold(`{}`): "sold",
		`{"type":"track","event":"sold ","anonymousId":"A"}`:  "sold",
		`{"type":"track","event":"Bought","anonymousId":"A"}`: "any",
		`{"type":"track","event":"*","anonymousId":"A"}`:      "any",
		`{"type":"page","anonymousId":"A"}`:                   "page",
		`{"type":"identify","anonymousId":"A"}`:               "any",
		`{"type":"group","groupId":"g","anonymousId":"A"}`:    "any",
	} {
		r := p.Run(Input{Event: received(t, body)})
		if got, want := string(r.Payload), `{"id":"A","rule":"`+want+`"}`; got != want {
			t.Errorf("%s became %s %s, want %s", body, got, r.Stop, want)
		}
	}
}

func TestRunInManyGoroutines(t *testing.T) {
	p := retail(t)
	bodies := []string{
		`{"type":"track","event":"purchase","anonymousId":"A","properties":{"value":1,"items":[{"sku":"A"}]}}`,
		`{"type":"track","event":"Cart Viewed","anonymousId":"B","properties":{"products":[{"price":"29.90","quantity":2},{"price":24.9}]}}`,
		`{"type":"identify","anonymousId":"C","userId":"U","traits":{"birthday":"1990-04-15","gender":"x"}}`,
		`{"type":"track","event":"Cart Viewed","anonymousId":"D","properties":{"products":"none"}}`,
	}
	var want []string
	for _, b := range bodies {
		r := p.Run(Input{Event: received(t, b)})
		want = append(want, string(r.Payload)+r.Stop)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				n := i % len(bodies)
				r := p.Run(Input{Event: received(t, bodies[n]), Explain: i%3 == 0})
				if got := string(r.Payload) + r.Stop; got != want[n] {
					t.Errorf("got %s, want %s", got, want[n])
					return
				}
			}
		})
	}
	wg.Wait()
}
