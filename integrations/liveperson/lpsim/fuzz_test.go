package lpsim

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
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
	strict, lenient := New(Options{SessionCap: -1, MaxVisitors: 50}), New(Options{Lenient: true, SessionCap: -1, MaxVisitors: 50})
	f.Fuzz(func(t *testing.T, body, query, kind string, put bool) {
		for _, s := range []*Sim{strict, lenient} {
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

// FuzzParse compares the reader with the standard library: the same documents,
// the same text, and every value's bytes parse to the same value again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(search))
	f.Add([]byte(` {"a" : [1 , -2.5e+3,true,false,null,"\u00e9\n\"\\",{}],"b":{"c":[[]]}} `))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := parse(b)
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
