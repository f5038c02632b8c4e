package mapping

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestExpressions(t *testing.T) {
	const properties = `{"n":29.90,"q":2,"t":"24.90","word":"red mug","yes":true,"no":false,"zero":0,"empty":"",
		"l":[{"p":29.90,"q":2},{"p":"24.90"},{"q":5}],"tags":["a","b",""],"o":{"k":"v","nil":null}}`
	tests := []struct{ expr, want string }{
		// Numbers are exact and keep what digits make sense.
		{`event.properties.n * event.properties.q + event.properties.t`, `84.70`},
		{`0.1 + 0.2`, `0.3`},
		{`1 / 3`, `0.3333333333333333`},
		{`-1 / 3 * 3`, `-0.9999999999999999`},
		{`10 / 4`, `2.5`},
		{`6 / 2`, `3`},
		{`2 / 3`, `0.6666666666666667`},
		{`event.properties.n - 30`, `-0.10`},
		{`-event.properties.n`, `-29.90`},
		{`12345678901234567890 + 1`, ``},
		{`number("12345678901234567890") + 1`, `12345678901234567891`},
		{`number("1e2") * 3`, `300`},
		{`round(event.properties.n * 1.075, 2)`, `32.14`},
		{`round(2.5)`, `3`},
		{`round(-2.5)`, `-3`},
		{`floor(-2.5)`, `-3`},
		{`ceil(2.1)`, `3`},
		{`floor(2.999, 2)`, `2.99`},
		{`abs("-5.50")`, `5.50`},
		{`min(3, "2.50", nil)`, `2.50`},
		{`max([1, 20, 3])`, `20`},
		{`max(event.properties.missing)`, ``},

		// What is missing gives nothing, never an error.
		{`event.properties.missing.deeper[3].still`, ``},
		{`event.properties.missing * 2`, ``},
		{`event.properties.word.x`, ``},
		{`event.properties.l[7].p`, ``},
		{`event.properties.l[-1].q`, `5`},
		{`event.properties["n"]`, `29.90`},
		{`event.properties.missing > 5`, `false`},
		{`event.properties.missing == nil`, `true`},
		{`event.properties.missing ?? "else"`, `"else"`},
		{`firstOf(event.properties.missing, event.properties.empty, event.properties.word)`, `"red mug"`},
		{`not event.properties.missing`, `true`},
		{`event.properties.missing and true`, `false`},
		{`len(event.properties.missing)`, `0`},
		{`filter(event.properties.missing, true)`, `[]`},
		{`visitor.plan ?? session.number`, `3`},

		// Comparisons.
		{`event.properties.n > 29.9`, `false`},
		{`event.properties.n == 29.9`, `true`},
		{`event.properties.t == 24.9`, `true`},
		{`event.properties.t > 5`, `true`},
		{`"2026-01-02" < "2026-01-10"`, `true`},
		{`"10" > "9"`, `true`},
		{`event.properties.word == "red mug"`, `true`},
		{`event.properties.zero == ""`, `false`},
		{`event.properties.word != nil`, `true`},
		{`event.properties.q in [1, 2]`, `true`},
		{`"k" in event.properties.o`, `true`},
		{`event.properties.word in event.properties.missing`, `false`},
		{`event.properties.word contains "mug" and event.properties.word startsWith "red" and event.properties.word endsWith "mug"`, `true`},
		{`event.properties.word matches "^r.d"`, `true`},
		{`event.properties.missing matches "x"`, `false`},
		{`event.properties.n matches "29"`, `true`},
		{`event.properties.yes or event.properties.missing > 1`, `true`},
		{`event.properties.no ? 1 : event.properties.zero`, `0`},

		// Lists and texts.
		{`sum(event.properties.l, {.p * .q})`, `59.80`},
		{`sum([1.50, "2.50", nil])`, `4.00`},
		{`lineTotal(event.properties.l, "p", "q")`, `84.70`},
		{`lineTotal(event.properties.l, ["price", "p"], "q")`, `84.70`},
		{`lineTotal(event.properties.missing, "p", "q")`, ``},
		{`lineTotal([], "p", "q")`, `0`},
		{`lineCount(event.properties.l, "q")`, `8`},
		{`lineCount(lines(event.properties.missing, event.properties.o), "q")`, `1`},
		{`len(lines([], event.properties.l))`, `3`},
		{`count(event.properties.l, .p != nil)`, `2`},
		{`any(event.properties.l, .q > 4)`, `true`},
		{`all(event.properties.l, .q > 4)`, `false`},
		{`none(event.properties.l, .q > 5) and one(event.properties.l, .q == 5)`, `true`},
		{`find(event.properties.l, .q == 5).q`, `5`},
		{`map(event.properties.tags, upper(#))`, `["A","B"]`},
		{`map(event.properties.tags, #index)`, `[0,1,2]`},
		{`join(event.properties.tags, "+")`, `"a+b"`},
		{`join([event.properties.missing, "x"], " ")`, `"x"`},
		{`split("a,b", ",")[1]`, `"b"`},
		{`replace("a-b-c", "-", "")`, `"abc"`},
		{`first(event.properties.tags) + last(event.properties.l).q`, ``},
		{`first(event.properties.tags) + "!"`, `"a!"`},
		{`upper(trim("  a "))`, `"A"`},
		{`len("äö")`, `2`},
		{`text(event.properties.n) + " EUR"`, `"29.90 EUR"`},
		{`let a = event.properties.q; let b = a + 1; a * b`, `6`},
		{`map([1, 2], {let x = #; map([10], {# * x})[0]})`, `[10,20]`},
		{`{a: event.properties.q, b: nil}`, `{"a":2}`},
		{`date("2026-02-25T10:00:00Z")`, `{"day":25,"month":2,"year":2026}`},
		{`age("1990-02-26", event.receivedAt)`, `{"age":35,"day":26,"month":2,"year":1990}`},
		{`age("1990-02-25", event.receivedAt).age`, `36`},
		{`age("2030-01-01", event.receivedAt)`, ``},
		{`isURL("https://example.com") and not isURL(event.properties.word)`, `true`},
		{`event.properties.word | upper()`, `"RED MUG"`},
		{`event.properties?.word`, `"red mug"`},
		{`"bad" + "\x00"`, ``},
	}
	e := received(t, sold(properties))
	for _, tt := range tests {
		src, _ := json.Marshal(tt.expr)
		m, err := Parse([]byte(`{"events":[{"event":"Sold","fields":[{"target":"k","value":1},{"target":"x","expr":` + string(src) + `}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Compile()
		if err != nil {
			if tt.want != "" {
				t.Errorf("%s: %v", tt.expr, err)
			}
			continue
		}
		got := p.Run(Input{Event: e, Session: map[string]any{"number": 3}})
		want := `{"k":1}`
		if tt.want != "" {
			want = `{"k":1,"x":` + tt.want + `}`
		}
		if string(got.Payload) != want {
			t.Errorf("%s:\n got %s %q %s\nwant %s", tt.expr, got.Payload, got.Faults, got.Stop, want)
		}
	}
}

// The work of one event is bounded whatever the expression and the event.
func TestExpressionsAreBounded(t *testing.T) {
	big := "[" + strings.Repeat("0,", 9000) + "0]"
	long := `"` + strings.Repeat("x", 30000) + `"`
	tests := []string{
		`all(event.properties.l, {let a = #; all(event.properties.l, {all(event.properties.l, {# == a})})})`,
		`map(event.properties.l, {event.properties.s + event.properties.s})`,
		`map(event.properties.l, {replace(event.properties.s, "x", "y")})`,
		`count(event.properties.l, {event.properties.s matches "(x+x+)+y"})`,
		`map(event.properties.l, {map(event.properties.l, {[1,2,3,4,5,6,7,8]})})`,
		`any(event.properties.l, {event.properties.l == event.properties.m})`,
		`sum(event.properties.l, {lineTotal(event.properties.l, "a", "b") ?? sum(event.properties.l)})`,
	}
	e := received(t, sold(`{"l":`+big+`,"m":`+big[:len(big)-2]+`1]}`))
	e.Fields["properties"].(map[string]any)["s"] = long
	for _, src := range tests {
		p := compiled(t, one("{target: x, value: 1}, {target: y, expr: '"+src+"'}"))
		got := p.Run(Input{Event: e})
		if len(got.Faults) != 1 || !strings.Contains(got.Faults[0], "too many steps") {
			t.Errorf("%s: %q %d bytes, want a fault that it takes too many steps", src, got.Faults, len(got.Payload))
		}
	}
}

// A sum of lines is what a person gets on paper.
func TestLineTotalIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cents, lines := int64(0), []any{}
		for range rapid.IntRange(0, 20).Draw(t, "lines") {
			price, quantity := rapid.Int64Range(-1e6, 1e9).Draw(t, "price"), rapid.Int64Range(0, 1000).Draw(t, "quantity")
			cents += price * quantity
			lines = append(lines, map[string]any{
				"price":    decimal{small: price, scale: 2}.number(),
				"quantity": string(whole(quantity).number()),
			})
		}
		got, err := lineTotal(&scope{work: maxWork}, []any{lines, "price", "quantity"})
		want := decimal{small: cents, scale: 2}
		n, ok := decimalOf(got)
		if err != nil || !ok || n.cmp(want) != 0 {
			t.Fatalf("total of %v = %v, %v, want %v", lines, got, err, want.number())
		}
	})
}

// The short way for small numbers gives what the long way gives.
func TestDecimalsSmallAndBigAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := func(label string) (small, big decimal) {
			small = decimal{small: rapid.Int64Range(-1e18+1, 1e18-1).Draw(t, label), scale: rapid.IntRange(0, 18).Draw(t, label+" scale")}
			return small, decimal{coef: small.big(), scale: small.scale}
		}
		a, bigA := number("a")
		b, bigB := number("b")
		for name, op := range map[string]func(a, b decimal) (decimal, error){"add": decimal.add, "mul": decimal.mul, "div": decimal.div} {
			got, err := op(a, b)
			want, wantErr := op(bigA, bigB)
			if (err == nil) != (wantErr == nil) || err == nil && got.number() != want.number() {
				t.Fatalf("%s of %v and %v = %v %v, want %v %v", name, a.number(), b.number(), got.number(), err, want.number(), wantErr)
			}
		}
		if got, want := a.cmp(b), bigA.cmp(bigB); got != want {
			t.Fatalf("cmp of %v and %v = %d, want %d", a.number(), b.number(), got, want)
		}
		if again, err := parseDecimal(string(a.number())); err != nil || again.number() != a.number() {
			t.Fatalf("%v reads back as %v, %v", a.number(), again.number(), err)
		}
	})
}
