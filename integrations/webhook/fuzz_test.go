package webhook_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/webhook"
)

// Whatever settings are given, they are refused with faults that name settings,
// or make requests that go where they say, over HTTPS, with a header that is
// one.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"url":"https://example.com/a?b=c","secret":"0123456789abcdef"}`, `{"url":"https://example.com","bearer":"a","headers":{"X-A":"b","x-a":1}}`,
		`{"url":"https://me:you@example.com/#x"}`, `{"url":"http://127.0.0.1:1/","basic":{"user":"a","password":"b:c"},"batch":3,"timeout":"2s"}`,
		`{"url":"https://[::1]/","headers":{"X-A\r\nHost":"b"},"method":"PATCH","body":"mapped"}`, `{"url":"https://example.com","headers":{"X-A":"a\r\nX-B: c"}}`,
		`{"url":"//example.com","rate_limit":-1,"concurrency":1e99,"batch":"x","basic":[]}`, `{"url":"https://EXAMPLE.com:443/%41?é"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var values map[string]any
		if json.Unmarshal(raw, &values) != nil {
			return
		}
		before := maps.Clone(values)
		c, err := webhook.New(webhook.Options{}).Check(values, integrations.Outbound{})
		if len(before) != len(values) {
			t.Error("the settings were written to")
		}
		if err != nil {
			if _, ok := errors.AsType[*integrations.SettingFault](err); !ok {
				t.Errorf("%v names no setting", err)
			}
			return
		}
		s := c.(*webhook.Connection).Settings()
		u, err := url.Parse(s.URL)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
			t.Errorf("url = %q, %v", s.URL, err)
		}
		r := c.Build(integrations.Visit{}, []integrations.Item{item("M1", `{}`, `{"a":1}`)}).Request
		for name, value := range r.Header {
			if name != http.CanonicalHeaderKey(name) || strings.ContainsAny(name+value, "\r\n\x00") {
				t.Errorf("header %q: %q", name, value)
			}
		}
		for name, value := range s.Headers {
			if strings.ContainsAny(name+string(value), "\r\n\x00") {
				t.Errorf("header %q", name)
			}
		}
		if _, err := http.NewRequestWithContext(t.Context(), r.Method, s.URL, nil); err != nil {
			t.Error(err)
		}
	})
}

// Whatever passes the gateway is written whole: reading it back gives the same
// fields, digits and all.
func FuzzExtract(f *testing.F) {
	f.Add([]byte(`{"type":"track","event":"Order Completed","messageId":"M1","anonymousId":"A1","properties":{"revenue":11.70,"a":[1,{"b":null}],"":"\u2028<&>"}}`))
	f.Add([]byte(`{"type":"group","messageId":"M1","anonymousId":"A1","groupId":1E5,"traits":{"é":-0}}`))
	f.Add([]byte(`{"type":"page","messageId":"M1","anonymousId":"A1","properties":null,"x":"\"\\"}`))
	c := connect(f, nil)
	f.Fuzz(func(t *testing.T, raw []byte) {
		head, err := event.Admit(raw, "")
		if err != nil {
			return
		}
		e, err := event.Decode(event.Received{MessageID: head.MessageID, AnonymousID: head.AnonymousID, Type: head.Type, Body: raw})
		if err != nil {
			return
		}
		out := c.Extract(e)
		back, err := event.DecodeTree(out)
		if err != nil {
			t.Fatalf("%s becomes %s: %v", raw, out, err)
		}
		want := maps.Clone(e.Fields)
		maps.DeleteFunc(want, func(_ string, v any) bool { return v == nil })
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(back)
		if string(a) != string(b) {
			t.Errorf("\n got %s\nwant %s", b, a)
		}
	})
}

// Whatever id a site gives its events, it fits a header and reads back.
func FuzzMessageID(f *testing.F) {
	for _, id := range []string{"M1", "a b", "é\r\nX: y", "%41", "\x00\x7f\xff"} {
		f.Add(id)
	}
	c := connect(f, nil)
	f.Fuzz(func(t *testing.T, id string) {
		r := c.Build(integrations.Visit{}, []integrations.Item{item(id, `{}`, `{"a":1}`)}).Request
		got := r.Header["X-Signal-Message-Id"]
		if strings.ContainsFunc(got, func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Errorf("%q becomes %q", id, got)
		}
		if back, err := url.PathUnescape(got); err != nil || back != id {
			t.Errorf("%q reads back as %q, %v", id, back, err)
		}
	})
}
