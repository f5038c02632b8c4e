package event

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAdmit(t *testing.T) {
	tests := []struct {
		name   string
		raw    string
		byPath Type
		want   Head
		err    string // a part of the error; "" for none
	}{
		{name: "a track with its fields", raw: `{"type":"track","event":"Order Completed","messageId":"m","anonymousId":"a","userId":"u","properties":{"event":"inner","list":[{"type":1}]}}`,
			want: Head{Type: Track, Name: "Order Completed", MessageID: "m", AnonymousID: "a", UserID: "u"}},
		{name: "the address names the type", raw: `{"event":"x"}`, byPath: Track, want: Head{Type: Track, Name: "x"}},
		{name: "a page needs no name", raw: `{"type":"page","event":null}`, want: Head{Type: Page}},
		{name: "ids sent as numbers are text", raw: `{"type":"page","userId":12345678901234567,"messageId":7}`, want: Head{Type: Page, UserID: "12345678901234567", MessageID: "7"}},
		{name: "nested fields are not the event's own", raw: `{"type":"page","context":{"messageId":"inner","x":{"type":"y"}},"messageId":"outer"}`, want: Head{Type: Page, MessageID: "outer"}},
		{name: "sentAt is read", raw: `{"type":"page","sentAt":"2026-02-25T14:30:00.000Z"}`, want: Head{Type: Page, SentAt: time.Date(2026, 2, 25, 14, 30, 0, 0, time.UTC)}},
		{name: "type and address differ", raw: `{"type":"page"}`, byPath: Track, err: `type is "page", but the address is for "track"`},
		{name: "no type", raw: `{}`, err: "type is required"},
		{name: "an unknown type", raw: `{"type":"alias"}`, err: "type must be"},
		{name: "a track without a name", raw: `{"type":"track"}`, err: "event is required"},
		{name: "every fault is named", raw: `{"type":"track","event":5,"properties":[],"traits":"x","context":1,"timestamp":"soon","sentAt":5,"anonymousId":true}`,
			err: "event must be text; event is required for a track: the event's name; anonymousId must be text; timestamp must be a time by ISO 8601, such as 2026-02-25T14:30:00.000Z; sentAt must be a time by ISO 8601, such as 2026-02-25T14:30:00.000Z; properties must be an object; traits must be an object; context must be an object"},
		{name: "an anonymousId that is too long", raw: `{"type":"page","anonymousId":"` + strings.Repeat("é", MaxAnon+1) + `"}`, err: "anonymousId is longer than 128"},
		{name: "not an object", raw: `[1]`, err: "an event is an object"},
		{name: "nothing", raw: ``, err: "an event is an object"},
		{name: "cut off", raw: `{"type":"page"`, err: "ends too early"},
		{name: "something behind it", raw: `{"type":"page"}{}`, err: "something follows"},
		{name: "a duplicate key", raw: `{"type":"page","type":"page"}`, err: "a key is there twice"},
		{name: "a duplicate key deep inside", raw: `{"type":"page","a":[{"b":1,"b":2}]}`, err: "a key is there twice"},
		{name: "invalid UTF-8", raw: "{\"type\":\"page\",\"a\":\"\xff\"}", err: "fault at byte"},
		{name: "a NUL in a text", raw: `{"type":"page","a":"\u0000"}`, err: `\u0000`},
		{name: "a NUL in a key", raw: `{"type":"page","\u0000":1}`, err: `\u0000`},
		{name: "a number beyond a double", raw: `{"type":"page","a":1e999}`, err: "beyond the range"},
		{name: "a very long number within a double", raw: `{"type":"page","a":` + strings.Repeat("9", 300) + `}`, want: Head{Type: Page}},
		{name: "a very long number beyond a double", raw: `{"type":"page","a":` + strings.Repeat("9", 400) + `}`, err: "beyond the range"},
		{name: "32 deep", raw: `{"type":"page","a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, want: Head{Type: Page}},
		{name: "33 deep", raw: `{"type":"page","a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, err: "nested deeper than 32"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Admit([]byte(tt.raw), tt.byPath)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("Admit(%s) = %v, want an error with %q", tt.raw, err, tt.err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("Admit(%s):\n got %+v, %v\nwant %+v", tt.raw, got, err, tt.want)
			}
		})
	}
}

func TestSplitBatch(t *testing.T) {
	tests := []struct {
		name string
		body string
		want []string
		err  string
	}{
		{name: "two events and the rest", body: `{"batch":[ {"a":1} , {"b":[2]}],"sentAt":"2026-01-01T00:00:00Z","context":{"x":[1]},"writeKey":"k"}`, want: []string{`{"a":1}`, `{"b":[2]}`}},
		{name: "a bad event does not sink the good one", body: `{"batch":[{"a":1,"a":2},{"b":1}]}`, want: []string{`{"a":1,"a":2}`, `{"b":1}`}},
		{name: "an empty batch", body: `{"batch":[]}`},
		{name: "no batch", body: `{"events":[]}`, err: "batch must be a list"},
		{name: "batch is no list", body: `{"batch":{}}`, err: "batch must be a list"},
		{name: "two batches", body: `{"batch":[],"batch":[]}`, err: "twice"},
		{name: "cut off", body: `{"batch":[{"a":1}`, err: "ends too early"},
		{name: "trailing data", body: `{"batch":[]} x`, err: "something follows"},
		{name: "a list", body: `[]`, err: "a batch is an object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := SplitBatch([]byte(tt.body))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("SplitBatch(%s) = %v, want an error with %q", tt.body, err, tt.err)
				}
				return
			}
			var got []string
			for _, e := range b.Events {
				got = append(got, string(e))
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("SplitBatch(%s) = %q, %v, want %q", tt.body, got, err, tt.want)
			}
		})
	}
}

func TestDecodeKeepsDigits(t *testing.T) {
	body := `{"type":"track","event":"x","properties":{"a":11.70,"b":12345678901234567,"c":1e2},"writeKey":"secret"}`
	e, err := Decode(Received{Type: Track, MessageID: "m", AnonymousID: "a", Body: []byte(body), ReceivedAt: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(e.Fields["properties"])
	if want := `{"a":11.70,"b":12345678901234567,"c":1e2}`; string(got) != want {
		t.Errorf("properties = %s, want %s", got, want)
	}
	if _, ok := e.Fields["writeKey"]; ok {
		t.Error("the pipeline key is still on the event")
	}
}

func TestClock(t *testing.T) {
	at := func(s string) time.Time { v, _ := ParseTime(s); return v }
	received := at("2026-02-25T14:30:00Z")
	tests := []struct {
		name, timestamp, sentAt, want string
	}{
		{"no timestamp is the receipt", "", "", "2026-02-25T14:30:00Z"},
		{"no sentAt leaves it", "2026-02-25T14:29:00Z", "", "2026-02-25T14:29:00Z"},
		{"a clock an hour fast is put right", "2026-02-25T15:29:50Z", "2026-02-25T15:29:59Z", "2026-02-25T14:29:51Z"},
		{"a clock a year slow is put right", "2025-02-25T14:29:50Z", "2025-02-25T14:30:00Z", "2026-02-25T14:29:50Z"},
		{"never after the receipt", "2026-02-25T15:00:00Z", "", "2026-02-25T14:30:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sent time.Time
			if tt.sentAt != "" {
				sent = at(tt.sentAt)
			}
			if got, _ := Clock(tt.timestamp, sent, received); !got.Equal(at(tt.want)) {
				t.Errorf("Clock(%q, %q) = %v, want %s", tt.timestamp, tt.sentAt, got, tt.want)
			}
		})
	}
}

func TestWalk(t *testing.T) {
	root, err := DecodeTree([]byte(`{"a":{"b":[{"c":1},[2,3]]},"d.e":4}`))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path string
		want any
		ok   bool
	}{
		{"a.b[0].c", json.Number("1"), true},
		{"a.b[1][1]", json.Number("3"), true},
		{"a.b[2]", nil, false},
		{"a.b[-1]", nil, false},
		{"a.b[x]", nil, false},
		{"a.x", nil, false},
		{"a.b.c", nil, false},
	}
	for _, tt := range tests {
		if got, ok := Walk(root, tt.path); got != tt.want || ok != tt.ok {
			t.Errorf("Walk(%q) = %v, %v, want %v, %v", tt.path, got, ok, tt.want, tt.ok)
		}
	}
}

func TestReceivedRoundTrip(t *testing.T) {
	want := Received{Pipeline: "shop", MessageID: "m", AnonymousID: "a", Type: Page, ReceivedAt: time.Unix(1, 5e6).UTC(), IP: "192.0.2.1", Browser: true, Body: []byte("{\"a\":\n1}")}
	b, err := want.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseReceived(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := ParseReceived([]byte("{}")); err == nil {
		t.Error("an event without stamps was read")
	}
}

// What Admit takes, Decode reads, and what Decode gives is taken again with the
// same digits.
func FuzzAdmit(f *testing.F) {
	for _, s := range []string{`{"type":"track","event":"x","properties":{"a":[1.50,{"b":null}]}}`, `{"type":"page","a":"\u00e9"}`, `{`, `[]`, `{"type":"page","n":1e400}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := Admit(raw, "")
		if err != nil {
			var bad Invalid
			if !errors.Is(err, ErrJSON) && !errors.As(err, &bad) {
				t.Fatalf("Admit gave an error of no known kind: %v", err)
			}
			return
		}
		first, err := DecodeTree(raw)
		if err != nil {
			t.Fatalf("admitted, not decoded: %v", err)
		}
		out, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := DecodeTree(out)
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("not the same after a round: %v", err)
		}
		if _, err := Decode(Received{Type: h.Type, Body: raw}); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzSplitBatch(f *testing.F) {
	f.Add([]byte(`{"batch":[{"type":"page"},1,"x"],"sentAt":"2026-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := SplitBatch(body)
		if err != nil {
			return
		}
		for _, e := range b.Events {
			if !json.Valid(e) {
				t.Fatalf("split off %q, which is no JSON", e)
			}
		}
	})
}

func BenchmarkAdmit(b *testing.B) {
	raw := []byte(`{"type":"track","event":"Order Completed","messageId":"01956b1e-5f2c-7d10-8000-000000000000","anonymousId":"a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d","properties":{"order_id":"DRV1534XC","revenue":11.70,"currency":"USD","products":[{"product_id":"M-1","name":"Mug","price":29.90,"quantity":2}]},"context":{"page":{"url":"https://example.com/checkout/confirmation","path":"/checkout/confirmation","title":"Thanks"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36","locale":"en-GB","timezone":"Europe/London","screen":{"width":1440,"height":900},"consent":{"categories":{"C0004":true}},"library":{"name":"@datafly/collector","version":"1.0.0"}},"timestamp":"2026-02-25T14:30:00.000Z","sentAt":"2026-02-25T14:30:00.100Z"}`)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Admit(raw, Track); err != nil {
			b.Fatal(err)
		}
	}
}
