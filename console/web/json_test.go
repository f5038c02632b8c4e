package web

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"
)

// plain gives what a person reads and copies of a drawn view.
func plain(drawn string) string {
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(drawn, ""))
}

func TestJSONView(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"digits stay as received", `{"total":11.70,"id":12345678901234567890,"e":1E5}`, "{\n  \"total\": 11.70,\n  \"id\": 12345678901234567890,\n  \"e\": 1E5\n}"},
		{"a list of one object is joined", `{"a":[{"type":"purchase","total":11.70,"currency":"USD","orderId":"DRV1534XC","more":"so that it is long"}]}`,
			"{\n  \"a\": [{\n    \"type\": \"purchase\",\n    \"total\": 11.70,\n    \"currency\": \"USD\",\n    \"orderId\": \"DRV1534XC\",\n    \"more\": \"so that it is long\"\n  }]\n}"},
		{"short ones stay on a line", `{"d":{"day":1,"month":2},"l":[1,2,3],"n":null,"o":{},"e":[]}`, "{\n  \"d\": {\"day\": 1, \"month\": 2},\n  \"l\": [1, 2, 3],\n  \"n\": null,\n  \"o\": {},\n  \"e\": []\n}"},
		{"text keeps its escapes", `"a\"b\u00e9é"`, `"a\"b\u00e9é"`},
		{"the order of keys stays", `{"b":1,"a":2}`, "{\n  \"b\": 1,\n  \"a\": 2\n}"},
		{"what is no JSON is text", "<html>Bad Gateway", "<html>Bad Gateway"},
		{"nothing is nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			drawn := renderJSON([]byte(tt.in), nil)
			if got := plain(drawn); got != tt.want {
				t.Errorf("drawn as\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func FuzzJSONView(f *testing.F) {
	for _, s := range []string{`{"a":[{"b":"<script>"}]}`, `[[[[1]]]]`, "<img src=x>", `{"a":1,"a":2}`, "\xff", `"\ud800"`} {
		f.Add(s)
	}
	tags := regexp.MustCompile(`</?span( class="[ksnlp]")?>`)
	f.Fuzz(func(t *testing.T, in string) {
		drawn := renderJSON([]byte(in), nil)
		if rest := tags.ReplaceAllString(drawn, ""); strings.ContainsAny(rest, "<>") {
			t.Fatalf("%q has markup: %q", in, drawn)
		}
		// What is drawn says the same as what came.
		if json.Valid([]byte(in)) && !strings.Contains(drawn, "the rest is in Copy") {
			var a, b any
			if json.Unmarshal([]byte(in), &a) == nil && (json.Unmarshal([]byte(plain(drawn)), &b) != nil || string(pretty(a)) != string(pretty(b))) {
				t.Fatalf("%q was drawn as %q", in, plain(drawn))
			}
		}
	})
}

func TestWords(t *testing.T) {
	tests := []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(1234567), "1,234,567"}, {count(-1234), "-1,234"},
		{some(1, "event"), "1 event"}, {some(1284, "event"), "1,284 events"},
		{took(84), "84 ms"}, {took(9999), "9,999 ms"}, {took(61_000), "1 min"},
		{age(4 * time.Second), "4 s"}, {age(28 * time.Minute), "28 min"}, {age(47 * time.Hour), "47 h"}, {age(72 * time.Hour), "3 days"},
		{size(402), "402 bytes"}, {size(1100), "1.1 KB"}, {size(1), "1 byte"},
		{short("a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d"), "a1b2c3d4"}, {short("short"), "short"}, {short("abcdefghijklmnop"), "abcdefghijkl…"},
		{initials("Mira Okafor"), "MO"}, {initials("ci"), "C"}, {initials("Ada King of Lovelace"), "AL"}, {initials(""), ""},
		{share(1, 0), ""}, {share(811, 1000), "81.1 %"}, {upper("ärger"), "Ärger"}, {upper(""), ""},
		{status(404), "404 Not Found"}, {status(799), "799"}, {admins([]string{"Jonas"}), "Jonas is admin."},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestTicksAreRoundAndReachTheTop(t *testing.T) {
	for _, top := range []float64{0, 0.0004, 0.9, 1, 3, 7.9, 15.6, 99, 100, 332, 1250, 1e6} {
		step, n := ticks(top)
		if step*float64(n) < top || n < 1 || n > 4 {
			t.Errorf("ticks(%v) = %v times %d", top, step, n)
		}
	}
}

func TestLocalAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"/debugger?q=a": "/debugger?q=a", "": "/", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example": "/",
		"javascript:alert(1)": "/", "/a\r\nSet-Cookie: x": "/", "debugger": "/", "/%2F/evil.example": "/%2F/evil.example",
	} {
		if got := local(in); got != want {
			t.Errorf("local(%q) = %q, want %q", in, got, want)
		}
	}
}

// The first page, all included, is small.
func TestBudget(t *testing.T) {
	total := 0
	for name, f := range assets() {
		total += len(f.packed)
		if limit := map[string]int{"signal.css": 12_000, "icons.svg": 4_000}[name]; limit > 0 && len(f.packed) > limit {
			t.Errorf("%s is %d bytes packed, more than %d", name, len(f.packed), limit)
		}
	}
	if total > 40_000 {
		t.Errorf("all files are %d bytes packed", total)
	}
}
