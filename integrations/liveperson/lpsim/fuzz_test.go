package lpsim

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzReport sends any bytes in every form: the simulator never panics, always
// answers, and stores nothing of what it refused.
func FuzzReport(f *testing.F) {
	for _, sde := range examples {
		f.Add(attributes(sde), "v=1.1&obh=true", "application/json", true)
	}
	f.Add(search, with(knownVid, knownSid), "application/json", false)
	f.Add(`{"consumerId":"a","identities":[{"acr":"loa1","sub":"\ud800"}],"entryPoints":["a://b","https://é"],"engagementAttributes":[{"type":"searchContent","keywords":[]}]}`, "v=1", "", false)
	f.Add(`{"a":[[[[[]]]]],"b":"\u0000\"","c":-1.5e3,"d":null}`, "v=1.0&x=%zz;y", "text/plain", false)
	f.Fuzz(func(t *testing.T, body, query, kind string, put bool) {
		for _, s := range []*Sim{New(Options{}), New(Options{Lenient: true})} {
			r := httptest.NewRequest("POST", address, strings.NewReader(body))
			if put {
				r.Method = "PUT"
			}
			r.URL.RawQuery = query
			r.Header.Set("Content-Type", kind)
			before := s.Status()
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			after := s.Status()
			taken := w.Code == 200 || w.Code == 201
			if !json.Valid(w.Body.Bytes()) || !utf8.Valid(w.Body.Bytes()) {
				t.Fatalf("answer %d is not JSON: %q", w.Code, w.Body)
			}
			if !taken && w.Code < 400 {
				t.Fatalf("answer %d", w.Code)
			}
			if !taken && (after.Visitors != before.Visitors || after.SessionsCreated != before.SessionsCreated || after.Taken != before.Taken) {
				t.Fatalf("refused with %d, but stored: %+v then %+v", w.Code, before, after)
			}
			if taken && !json.Valid([]byte(body)) {
				t.Fatalf("took what is no JSON: %q", body)
			}
			if taken {
				visitors, _ := s.summaries(1)
				s.readBackAll(visitors[0].Sub)
			}
		}
	})
}

// readBackAll runs what pages and scripts do with a visitor.
func (s *Sim) readBackAll(name string) {
	if v, ok := s.Visitor(name); ok {
		s.pane(v, "")
	}
}

// FuzzParse compares the reader with the library that Signal's own is made of:
// the same documents, the same text, and every value's bytes parse to the same
// value again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(search))
	f.Add([]byte(` {"a" : [1 , -2.5e+3,true,false,null,"\u00e9\n\"\\",{}],"b":{"c":[[]]}} `))
	for _, wrong := range []string{`{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":1e}`, `{"a":tru}`, `{"a":"\x"}`, `{"a":"\ud800"}`, `{"a":"`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{"a":[1,]}`, `{"a":1}}`, "{\"a\":\"\x01\"}", `{"a":1,"\u0061":2}`} {
		f.Add([]byte(wrong))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := parse(b)
		plain := bytes.TrimLeft(b, " \t\r\n")
		if valid := jsontext.Value(b).IsValid() && len(plain) > 0 && plain[0] == '{'; ok != valid && bytes.Count(b, []byte("{"))+bytes.Count(b, []byte("[")) <= maxDepth {
			t.Fatalf("parse says %t, the library %t: %q", ok, valid, b)
		}
		if !ok {
			return
		}
		var want map[string]any
		if err := json.Unmarshal(b, &want); err != nil {
			return // a number beyond a double, which the standard library refuses
		}
		if len(n.members) != len(want) {
			t.Fatalf("%d members, want %d", len(n.members), len(want))
		}
		for _, m := range n.members {
			var v any
			if err := json.Unmarshal(m.value.raw, &v); err != nil {
				t.Fatalf("member %q is %q: %v", m.name, m.value.raw, err)
			}
			if text, isText := v.(string); isText && text != m.value.text {
				t.Fatalf("text %q, want %q", m.value.text, text)
			}
			if _, there := want[m.name]; !there {
				t.Fatalf("name %q is not in the document", m.name)
			}
		}
	})
}

// FuzzFault reads any text as a fault: what is taken can be set, is written as
// it is read, and is refused naming a field otherwise.
func FuzzFault(f *testing.F) {
	for _, text := range []string{
		`{"status":503,"count":20}`, `{"delay_ms":100,"when":"before"}`, `{"reset":"after","rate":0.05,"seed":7}`, `{"cold":3,"sub":"x"}`, `{"expire":true}`,
		`{"redirect":"https://a/","path":"domain","account":"12345678"}`, `status=429,retry_after=7`, `reset,percent=5,sde=cart,match=a b`, `dialect=seed`, `host=h:1`, `body=html`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := ParseFault(text)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without a word")
			}
			return
		}
		again, err := json.Marshal(fault)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseFault(string(again)); err != nil || !reflect.DeepEqual(back, fault) {
			t.Fatalf("%s is read as %+v, %v, want %+v", again, back, err, fault)
		}
		s := New(Options{})
		if _, err := s.Fail(fault); err != nil {
			t.Fatalf("%q was read, but is refused: %v", text, err)
		}
		r := try{}.request()
		c := &call{url: r.URL, uri: r.RequestURI, body: []byte(search), kind: report}
		if met, ok := s.faults.meet(c); ok {
			met.scripted(c)
		}
	})
}

// FuzzQuery compares the reader of the address with the standard library.
func FuzzQuery(f *testing.F) {
	f.Add("v=1.1&vid=a%20b&sid=c+d&obh=true")
	f.Add("&&v&=&v=2&%zz=1&vid=%")
	f.Fuzz(func(t *testing.T, raw string) {
		q := readQuery(raw)
		want, err := url.ParseQuery(raw)
		if (err != nil || len(want) > 4) && q.wrong == "" && !strings.Contains(raw, ";") && !(strings.HasPrefix(raw, "=") || strings.Contains(raw, "&=")) {
			t.Fatalf("%q has something wrong: %v", raw, err)
		}
		if strings.Contains(raw, ";") {
			return // where the standard library gives up
		}
		for name, p := range map[string]param{"v": q.v, "vid": q.vid, "sid": q.sid} {
			if p.times != len(want[name]) || p.value != want.Get(name) {
				t.Fatalf("%q: %s is %+v, want %q", raw, name, p, want[name])
			}
		}
	})
}

// FuzzClock moves the clock by anything: it is refused, or stands within its
// years.
func FuzzClock(f *testing.F) {
	for _, body := range []string{`{"advance":"31m"}`, `{"advance_ms":1e18}`, `{"set":"2026-01-01T00:00:00Z"}`, `{"reset":true}`, `{"advance":"2562047h47m16.854775807s"}`} {
		f.Add(body, body)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		s := New(Options{})
		for _, body := range []string{first, second} {
			err := s.moveBy([]byte(body))
			if now := s.clock.now(); now.Before(clockFrom) || now.After(clockTo.Add(time.Hour)) {
				t.Fatalf("after %q, %v, it is %s", body, err, now)
			}
		}
	})
}
