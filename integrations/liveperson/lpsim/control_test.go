package lpsim

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

// ask calls an address for tests and pages.
func ask(s *Sim, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func setFault(t *testing.T, s *Sim, body string) {
	t.Helper()
	if w := ask(s, "POST", "/_sim/faults", body); w.Code != 201 {
		t.Fatalf("fault %s: %d %s", body, w.Code, w.Body)
	}
}

func TestOtherSitesMayNotChangeAnything(t *testing.T) {
	s := New(Options{})
	send(t, s, try{})
	for _, tt := range []struct{ method, path, body string }{
		{"POST", "/_sim/faults", `{"status":503}`}, {"DELETE", "/_sim", ""}, {"DELETE", "/_sim/faults", ""},
		{"POST", "/faults", "kind=status&status=503"}, {"POST", "/_sim/clock", `{"advance":"1h"}`}, {"POST", "/clock", "by=31m"}, {"POST", "/forget", ""}, {"POST", "/faults/end", "id=0"},
	} {
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "same-site"}} {
			if w := ask(s, tt.method, tt.path, tt.body, header...); w.Code != 403 {
				t.Errorf("%s %s with %v: %d, want 403", tt.method, tt.path, header, w.Code)
			}
		}
	}
	if got := s.Status(); got.Visitors != 1 || got.Faults != 0 || got.Clock.OffsetMS != 0 {
		t.Errorf("status %+v; want nothing changed", got)
	}
}

func TestRequestsAreShownAsTheyCame(t *testing.T) {
	s := New(Options{})
	body := `{ "consumerId":"5be2f7a8-0c1d", "engagementAttributes":[{"type":"purchase","total":11.70,"orderId":"1"}]}`
	first := send(t, s, seedTry(body))
	send(t, s, try{method: "POST", header: map[string]string{"X-HTTP-Method-Override": "PUT"}, body: strings.ReplaceAll(search, "5be2", "6be2")})
	var list struct {
		Requests []Request
		Total    int
	}
	get := func(query string) {
		t.Helper()
		list.Requests = nil
		w := ask(s, "GET", "/_sim/requests"+query, "")
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	get("?sub=5be2f7a8-0c1d")
	if len(list.Requests) != 1 || list.Total != 2 {
		t.Fatalf("%d requests of 1, total %d of 2", len(list.Requests), list.Total)
	}
	r := list.Requests[0]
	if r.Method != "POST" || r.Override != "" || r.Form != "seed" || r.Body != body || r.Status != 201 || r.Answer != first.body ||
		r.URL != address+"?v=1.0" || r.Query["v"] != "1.0" || r.Headers["Content-Type"][0] != "application/json" {
		t.Errorf("request %+v", r)
	}
	if get("?limit=1"); len(list.Requests) != 1 || list.Requests[0].Override != "PUT" || list.Requests[0].Form != "reference" {
		t.Errorf("the newest: %+v", list.Requests)
	}
	if get("?after=2"); len(list.Requests) != 0 {
		t.Errorf("after the last: %+v", list.Requests)
	}
	for _, q := range []string{"limit=x", "limit=-1", "after=1.5"} {
		if w := ask(s, "GET", "/_sim/requests?"+q, ""); w.Code != 400 {
			t.Errorf("%s: %d, want 400", q, w.Code)
		}
	}
}

func TestControlAnswersInJSON(t *testing.T) {
	s := New(Options{})
	send(t, s, try{})
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/_sim", 200}, {"GET", "/_sim/", 200}, {"GET", "/_sim/visitors", 200}, {"GET", "/_sim/visitors?limit=x", 400},
		{"GET", "/_sim/visitors/5be2f7a8-0c1d", 200}, {"GET", "/_sim/visitors/nobody", 404},
		{"GET", "/_sim/visitors/5be2f7a8-0c1d?semantics=chat", 200}, {"GET", "/_sim/visitors/5be2f7a8-0c1d?semantics=x", 400},
		{"GET", "/_sim/visitors/5be2f7a8-0c1d?account=87654321", 404},
		{"GET", "/_sim/lints", 200}, {"GET", "/_sim/faults", 200}, {"GET", "/_sim/clock", 200}, {"GET", "/_sim/rules", 200}, {"POST", "/_sim/clock", 400}, {"POST", "/_sim/faults", 400}, {"GET", "/_sim/nothing", 404}, {"DELETE", "/_sim/faults/x", 400},
	} {
		w := ask(s, tt.method, tt.path, "")
		if w.Code != tt.status || w.Header().Get("Content-Type") != "application/json" || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: %d %s, want %d with JSON", tt.method, tt.path, w.Code, w.Body, tt.status)
		}
	}
	setFault(t, s, `{"status":503}`)
	if w := ask(s, "DELETE", "/_sim", ""); w.Code != 204 {
		t.Errorf("forget all: %d", w.Code)
	}
	if got := s.Status(); got.Visitors+got.Requests+got.Taken+got.SessionsCreated+got.Lints+got.Faults != 0 {
		t.Errorf("after forgetting all: %+v", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := New(Options{MaxRequests: 5, MaxVisitors: 3, MaxHistory: 4, SessionCap: -1})
	for i := range 20 {
		send(t, s, try{body: strings.ReplaceAll(search, "5be2f7a8", fmt.Sprintf("visitor-%d", i))})
	}
	if got := len(s.Requests("")); got != 5 {
		t.Errorf("%d requests kept, want 5", got)
	}
	if got := s.Status(); got.Visitors != 3 || len(s.state.sessions) != 3 || got.Requests != 20 {
		t.Errorf("%+v with %d sessions, want 3 visitors and sessions of 20 requests", got, len(s.state.sessions))
	}
	last := strings.ReplaceAll(search, "5be2f7a8", "visitor-19")
	send(t, s, try{body: strings.Replace(last, `{"type":"searchInfo","keywords":["mug"]}`, examples["empty cart"], 1)})
	for range 100 {
		send(t, s, try{body: last})
	}
	v, _ := s.Visitor("visitor-19-0c1d")
	if len(v.History) != 4 || v.Cart == nil || len(v.Sessions) != maxVisitorSessions || v.SessionsCreated != 102 {
		t.Errorf("%d attributes, cart %v, %d of %d sessions", len(v.History), v.Cart, len(v.Sessions), v.SessionsCreated)
	}
	s.Forget()
	if s.state.bytes != 0 || len(s.state.names) != 0 || len(s.state.anywhere) != 0 {
		t.Errorf("left over: %d bytes, %d names", s.state.bytes, len(s.state.names))
	}
}

func TestDroppedVisitorsLeaveNothing(t *testing.T) {
	s := New(Options{MaxVisitors: 1})
	for i := range 50 {
		sub := fmt.Sprintf("visitor-%d", i)
		send(t, s, try{body: `{"consumerId":"c-` + sub + `","identities":[{"acr":"0","sub":"` + sub + `"},{"acr":"loa1","sub":"p-` + sub + `"}],"entryPoints":["https://a/` + sub + `","sec://x"],"engagementAttributes":[` + examples["lead"] + `]}`})
	}
	s.drop(s.state.order.Front().Value.(*visitor), s.clock.now())
	if st := s.state; st.bytes != 0 || len(st.names)+len(st.anywhere)+len(st.sessions)+len(st.visitors) != 0 {
		t.Errorf("left over: %d bytes, %d names, %d, %d sessions, %d visitors", st.bytes, len(st.names), len(st.anywhere), len(st.sessions), len(st.visitors))
	}
}
