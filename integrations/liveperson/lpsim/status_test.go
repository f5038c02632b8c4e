package lpsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// GET /_sim is a summary that a test can assert on.
func TestSummary(t *testing.T) {
	c := newClock()
	s := New(Options{Now: c.now, ColdCalls: 1, EventCap: 3, Seed: 9})
	send(t, s, try{query: "v=1.0&obh=true"})                         // 500/20
	a := send(t, s, try{})                                           // 201, without the vid
	send(t, s, try{query: with(a.vid, a.sid)})                       // 200
	send(t, s, try{query: with(a.vid, a.sid)})                       // 200
	send(t, s, try{query: with(a.vid, a.sid)})                       // 201: full
	send(t, s, try{query: "v=3"})                                    // 400/33
	send(t, s, try{body: `{}`})                                      // 400/5
	send(t, s, try{body: `[]`})                                      // 400/5
	send(t, s, try{method: "DELETE"})                                // 405/0
	send(t, s, try{body: strings.ReplaceAll(search, "5be2", "6be")}) // 201
	setFault(t, s, `{"body":"html","count":1}`)
	send(t, s, try{})
	if err := s.Advance(31 * 60e9); err != nil {
		t.Fatal(err)
	}
	var got Status
	if err := json.Unmarshal(ask(s, "GET", "/_sim", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ what, got, want string }{
		{"requests by status", fmt.Sprint(got.ByStatus), "map[200:2 201:3 400:3 405:1 500:1 502:1]"},
		{"refused by code", fmt.Sprint(got.Refused), "map[400/33:1 400/5:2 405/0:1 500/20:1]"},
		{"lints by name", fmt.Sprint(got.LintsByName), "map[retry_without_vid:1]"},
		{"requests, taken, with a fault", fmt.Sprint(got.Requests, got.Taken, got.Faulted), "11 5 1"},
		{"sessions created, live, expired, blocked", fmt.Sprint(got.SessionsCreated, got.SessionsLive, got.SessionsExpired, got.SessionsBlocked), "3 0 2 1"},
		{"visitors and faults", fmt.Sprint(got.Visitors, got.Faults), "2 0"},
		{"the rest", strings.TrimSpace(fmt.Sprintln(got.Simulator, got.Strict, got.Dialect, got.SessionMode, got.Seed, got.Clock.OffsetMS)), "not LivePerson true both create 9 1860000"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.what, tt.got, tt.want)
		}
	}
	if page := ask(s, "GET", "/requests", "").Body.String(); !strings.Contains(page, "200 × 2, 201 × 3, 400 × 3") {
		t.Error("the page of requests does not count the answers")
	}
}

// Sessions that are not kept any more still count.
func TestDroppedSessionsStillCount(t *testing.T) {
	s := New(Options{SessionCap: -1, MaxVisitors: 2})
	for range maxVisitorSessions + 10 {
		send(t, s, try{})
	}
	s.expire("", "")
	for i := range 5 {
		send(t, s, try{body: strings.ReplaceAll(search, "5be2", fmt.Sprint("visitor", i))})
	}
	got := s.Status()
	if got.SessionsCreated != maxVisitorSessions+15 || got.SessionsLive+got.SessionsExpired+got.SessionsBlocked != got.SessionsCreated || got.SessionsExpired != maxVisitorSessions {
		t.Errorf("%+v", got)
	}
}

// A visitor can always be found by the ids it had last, however many it had.
func TestManyNamesOfOneVisitor(t *testing.T) {
	s := New(Options{SessionCap: -1})
	var last out
	for range 3 * maxNames {
		last = send(t, s, try{})
	}
	v, ok := s.Visitor(last.vid)
	if !ok || len(v.Names) != maxNames || v.Names[0] != "5be2f7a8-0c1d" {
		t.Errorf("found %t by its last vid, with the names %v", ok, v.Names)
	}
	if _, ok := s.Visitor("5be2f7a8-0c1d"); !ok {
		t.Error("its own sub was forgotten")
	}
}

func TestAnswersAsInTheField(t *testing.T) {
	s := New(Options{Chunked: true, ExtraFields: true, ContentType: "text/json"})
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	r, err := http.NewRequest("PUT", srv.URL+address+"?v=1.1&obh=true", strings.NewReader(search))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 201 || fmt.Sprint(resp.TransferEncoding) != "[chunked]" || resp.Header.Get("Content-Type") != "text/json" {
		t.Errorf("%d %v, sent as %v, %v", resp.StatusCode, err, resp.TransferEncoding, resp.Header)
	}
	if !json.Valid(body) || !strings.Contains(string(body), `"futureField":{`) {
		t.Errorf("body %s", body)
	}
}

func TestQuietKeepsNoBodies(t *testing.T) {
	s := New(Options{Quiet: true})
	send(t, s, try{})
	if r := s.Requests("5be2f7a8-0c1d"); len(r) != 1 || r[0].Body != "" || r[0].Answer != "" || len(r[0].Headers) != 0 || r[0].Status != 201 {
		t.Errorf("requests %+v", r)
	}
	if page := ask(s, "GET", "/requests", "").Body.String(); !strings.Contains(page, "not kept") {
		t.Error("the page does not say that the body is not kept")
	}
	if v, _ := s.Visitor("5be2f7a8-0c1d"); len(v.Searches) != 1 {
		t.Errorf("visitor %+v, want what it reported", v)
	}
}
