package lpsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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

func TestFaultsAnswer(t *testing.T) {
	tests := []struct {
		name, fault string
		status      int
		code        int
		message     string
		header      string // name and value
		stored      bool
	}{
		{"T1 a status", `{"status":503,"count":1}`, 503, 18, "Service Unavailable", "", false},
		{"T1 a status with its code", `{"status":404,"code":18,"message":"no such app"}`, 404, 18, "no such app", "", false},
		{"T1 a status with code 0", `{"status":404,"code":0}`, 404, 0, "Not Found", "", false},
		{"T1 429 with Retry-After", `{"status":429,"retry_after":"7"}`, 429, 0, "Too many requests", "Retry-After 7", false},
		{"T1 a page in HTML", `{"body":"html"}`, 502, 0, "", "Content-Type text/html; charset=utf-8", false},
		{"T1 a page in HTML with 200", `{"body":"html","status":200}`, 200, 0, "", "Content-Type text/html; charset=utf-8", false},
		{"S2 a cold account", `{"cold":1}`, 202, 38, "*", "", false},
		{"a fault that matches nothing", `{"status":503,"match":"another-sub"}`, 201, 0, "", "", true},
		{"a fault that matches the sub", `{"status":503,"match":"5be2f7a8-0c1d"}`, 503, 18, "Service Unavailable", "", false},
		{"a fault that matches the address", `{"status":503,"match":"/report"}`, 503, 18, "Service Unavailable", "", false},
		{"T4 another dialect", `{"dialect":"seed"}`, 405, 0, "Method Not Allowed", "Allow POST", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Options{})
			setFault(t, s, tt.fault)
			got := send(t, s, try{})
			if tt.message == "*" {
				tt.message = got.message
			}
			wantAnswer(t, got, tt.status, tt.code, tt.message)
			if name, value, ok := strings.Cut(tt.header, " "); ok && got.header.Get(name) != value {
				t.Errorf("header %s is %q, want %q", name, got.header.Get(name), value)
			}
			if stored := s.Status().Visitors == 1; stored != tt.stored {
				t.Errorf("stored %t, want %t", stored, tt.stored)
			}
			if r := s.Requests("5be2f7a8-0c1d"); len(r) != 1 || r[0].Status != tt.status {
				t.Errorf("requests of the sub: %+v, want one with status %d", r, tt.status)
			}
		})
	}
}

func TestFaultsEnd(t *testing.T) {
	s := New(Options{})
	setFault(t, s, `{"status":503,"count":2}`)
	setFault(t, s, `{"status":500}`)
	var got []int
	for range 4 {
		got = append(got, send(t, s, try{}).status)
	}
	if fmt.Sprint(got) != "[503 503 500 500]" {
		t.Errorf("answers %v, want the first fault twice, then the second", got)
	}
	var list struct{ Faults []Fault }
	_ = json.Unmarshal(ask(s, "GET", "/_sim/faults", "").Body.Bytes(), &list)
	if len(list.Faults) != 1 || list.Faults[0].Hit != 2 || list.Faults[0].What != "answers 500, code 18" {
		t.Fatalf("active faults %+v", list.Faults)
	}
	if w := ask(s, "DELETE", fmt.Sprintf("/_sim/faults/%d", list.Faults[0].ID), ""); w.Code != 204 {
		t.Errorf("end one: %d %s", w.Code, w.Body)
	}
	if w := ask(s, "DELETE", "/_sim/faults/99", ""); w.Code != 404 {
		t.Errorf("end what is not active: %d", w.Code)
	}
	if got := send(t, s, try{}).status; got != 201 {
		t.Errorf("after the end: %d, want 201", got)
	}
	setFault(t, s, `{"status":503}`)
	if w := ask(s, "DELETE", "/_sim/faults", ""); w.Code != 204 || len(s.faults.list()) != 0 {
		t.Errorf("end all: %d", w.Code)
	}
}

func TestFaultForAShareOfTheCalls(t *testing.T) {
	s := New(Options{SessionCap: -1})
	setFault(t, s, `{"status":503,"percent":30}`)
	failed := 0
	for range 1000 {
		if send(t, s, try{}).status == 503 {
			failed++
		}
	}
	if failed < 200 || failed > 400 {
		t.Errorf("%d of 1000 failed, want about 300", failed)
	}
}

func TestNonsenseFaultsAreRefused(t *testing.T) {
	for _, body := range []string{
		``, `{`, `[]`, `{}`, `{"count":3}`, `{"status":42}`, `{"status":"503"}`, `{"stauts":503}`, `{"body":"xml"}`, `{"percent":101,"status":503}`,
		`{"delay_ms":-1}`, `{"status":503,"count":-1}`, `{"cold":1,"status":503}`, `{"reset":true,"status":503}`, `{"when":"soon","reset":true}`,
		`{"dialect":"latin"}`, `{"expire":true,"cold":1}`, `{"id":4,"status":503}`, `{"status":503}{}`, `{"status":503,"retry_after":"1\r\nX: y"}`,
	} {
		s := New(Options{})
		w := ask(s, "POST", "/_sim/faults", body)
		var e struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != 400 || e.Error == "" {
			t.Errorf("fault %s: %d %s, want 400 with an error", body, w.Code, w.Body)
		}
		if len(s.faults.list()) != 0 {
			t.Errorf("fault %s became active", body)
		}
	}
}

func TestDelay(t *testing.T) {
	for _, tt := range []struct {
		name, fault string
		early       bool // whether the report is stored before the wait
	}{
		{"the report is taken, then the answer waits", `{"delay_ms":2000}`, true},
		{"the report waits before it is taken", `{"delay_ms":2000,"when":"before"}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{})
				setFault(t, s, tt.fault)
				began := time.Now()
				done := make(chan out)
				go func() { done <- send(t, s, try{}) }()
				synctest.Wait()
				if stored := s.Status().Visitors == 1; stored != tt.early {
					t.Errorf("stored before the wait: %t, want %t", stored, tt.early)
				}
				got := <-done
				if took := time.Since(began); got.status != 201 || took != 2*time.Second {
					t.Errorf("%d after %s, want 201 after 2s", got.status, took)
				}
			})
		})
	}
}

func TestConnectionsAreCut(t *testing.T) {
	for _, tt := range []struct {
		name, fault string
		stored      bool
	}{
		{"reset stores nothing", `{"reset":true}`, false},
		{"reset after the report was taken", `{"reset":true,"when":"after"}`, true},
		{"half an answer", `{"truncate":true}`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Options{})
			srv := httptest.NewServer(s.Handler())
			defer srv.Close()
			setFault(t, s, tt.fault)
			r, err := http.NewRequest("PUT", srv.URL+address+"?v=1.1&obh=true", strings.NewReader(search))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			resp, err := srv.Client().Do(r)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			if err == nil {
				t.Error("a whole answer came")
			}
			if stored := s.Status().Visitors == 1; stored != tt.stored {
				t.Errorf("stored %t, want %t", stored, tt.stored)
			}
		})
	}
}

func TestOtherSitesMayNotChangeAnything(t *testing.T) {
	s := New(Options{})
	send(t, s, try{})
	for _, tt := range []struct{ method, path, body string }{
		{"POST", "/_sim/faults", `{"status":503}`}, {"DELETE", "/_sim", ""}, {"DELETE", "/_sim/faults", ""},
		{"POST", "/faults", "kind=status&status=503"}, {"POST", "/forget", ""}, {"POST", "/faults/end", "id=0"},
	} {
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "same-site"}} {
			if w := ask(s, tt.method, tt.path, tt.body, header...); w.Code != 403 {
				t.Errorf("%s %s with %v: %d, want 403", tt.method, tt.path, header, w.Code)
			}
		}
	}
	if got := s.Status(); got.Visitors != 1 || got.Faults != 0 {
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
		{"GET", "/_sim/lints", 200}, {"GET", "/_sim/faults", 200}, {"GET", "/_sim/nothing", 404}, {"DELETE", "/_sim/faults/x", 400},
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
	s.state.drop(s.state.order.Front().Value.(*visitor))
	if st := s.state; st.bytes != 0 || len(st.names)+len(st.anywhere)+len(st.sessions)+len(st.visitors) != 0 {
		t.Errorf("left over: %d bytes, %d names, %d, %d sessions, %d visitors", st.bytes, len(st.names), len(st.anywhere), len(st.sessions), len(st.visitors))
	}
}
