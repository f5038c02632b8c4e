package lpsim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func moveClock(t *testing.T, s *Sim, body string) Clock {
	t.Helper()
	w := ask(s, "POST", "/_sim/clock", body)
	var c Clock
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || w.Code != 200 {
		t.Fatalf("clock %s: %d %s", body, w.Code, w.Body)
	}
	return c
}

// Wherever the clock is put, it goes on running from there.
func TestTheClockIsMoved(t *testing.T) {
	c := newClock()
	s := New(Options{Now: c.now})
	for _, tt := range []struct {
		body string
		want string // the time a second later
	}{
		{`{"advance":"31m"}`, "2026-02-25T15:01:01Z"},
		{`{"advance_ms":1860000}`, "2026-02-25T15:32:02Z"},
		{`{"advance":"0s"}`, "2026-02-25T15:32:03Z"},
		{`{"advance":"24h"}`, "2026-02-26T15:32:04Z"},
		{`{"set":"2026-01-01T00:00:00Z"}`, "2026-01-01T00:00:01Z"},
		{`{"set":"2025-12-31T23:00:00-02:00"}`, "2026-01-01T01:00:01Z"},
		{`{"reset":true}`, "2026-02-25T14:30:07Z"},
	} {
		moved := moveClock(t, s, tt.body)
		c.forward(time.Second)
		var got Clock
		if err := json.Unmarshal(ask(s, "GET", "/_sim/clock", "").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if at := got.Now.Format(time.RFC3339); at != tt.want || got.Now.Sub(moved.Now) != time.Second || got.Now.Sub(got.Real).Milliseconds() != got.OffsetMS {
			t.Errorf("%s: it is %s after %+v, want %s", tt.body, at, moved, tt.want)
		}
	}
	if got := s.Clock(); got.OffsetMS != 0 || got.Offset != "0s" {
		t.Errorf("after reset: %+v", got)
	}
}

func TestNonsenseDoesNotMoveTheClock(t *testing.T) {
	s := New(Options{})
	for body, field := range map[string]string{
		``: "", `{}`: "", `[]`: "", `{"advance":"1m","set":"2026-01-01T00:00:00Z"}`: "", `{"advance":"1m"}x`: "",
		`{"forward":"1m"}`: "forward", `{"advance":31}`: "advance", `{"advance":"31"}`: "advance", `{"advance":"-1m"}`: "advance", `{"advance":"2000000h"}`: "advance",
		`{"advance_ms":"31"}`: "advance_ms", `{"advance_ms":-1}`: "advance_ms", `{"advance_ms":1.5}`: "advance_ms", `{"advance_ms":1e300}`: "advance_ms",
		`{"set":"yesterday"}`: "set", `{"set":0}`: "set", `{"set":"1969-12-31T23:59:59Z"}`: "set", `{"set":"2200-01-01T00:00:00Z"}`: "set",
		`{"reset":false}`: "reset", `{"reset":"true"}`: "reset",
	} {
		w := ask(s, "POST", "/_sim/clock", body)
		var e struct {
			Error  string
			Fields []string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != 400 || strings.Join(e.Fields, " ") != field || !strings.Contains(e.Error, field) {
			t.Errorf("clock %s: %d %s, want 400 naming %q", body, w.Code, w.Body, field)
		}
	}
	if s.Clock().OffsetMS != 0 {
		t.Errorf("the clock was moved: %+v", s.Clock())
	}
	if err := s.Advance(-1); err == nil {
		t.Error("Advance took a negative duration")
	}
	moveClock(t, s, `{"set":"2199-12-31T00:00:00Z"}`)
	if err := s.Advance(1<<63 - 1); err == nil {
		t.Error("Advance went beyond all years")
	}
}

// Everything that is measured goes by the moved clock.
func TestEverythingGoesByTheClock(t *testing.T) {
	c := newClock()
	fresh := func(o Options) *Sim { o.Now = c.now; return New(o) }
	forward := func(s *Sim, d time.Duration) {
		if err := s.Advance(d); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("idle sessions end, and others go on", func(t *testing.T) {
		s := fresh(Options{})
		a := send(t, s, try{})
		for i, step := range []time.Duration{29 * time.Minute, 29 * time.Minute, 31 * time.Minute} {
			forward(s, step)
			if got := send(t, s, try{query: with(a.vid, a.sid)}); got.status != 200+i/2 {
				t.Errorf("after %s: %d", step, got.status)
			}
		}
		if st := s.Status(); st.SessionsCreated != 2 || st.SessionsExpired != 1 || st.SessionsLive != 1 {
			t.Errorf("status %+v", st)
		}
		v, _ := s.Visitor(a.vid)
		if v.Sessions[0].Why != "idle" || v.Sessions[1].Ended {
			t.Errorf("sessions %+v", v.Sessions)
		}
	})
	t.Run("sessions grow old", func(t *testing.T) {
		s := fresh(Options{IdleTimeout: 24 * time.Hour})
		a := send(t, s, try{})
		forward(s, 6*time.Hour)
		if st := s.Status(); st.SessionsExpired != 1 {
			t.Errorf("status %+v", st)
		}
		if got := send(t, s, try{query: with(a.vid, a.sid)}); got.status != 201 {
			t.Errorf("after 6 h: %d", got.status)
		}
	})
	t.Run("caps of a minute", func(t *testing.T) {
		s := fresh(Options{SessionCap: 1, AccountCap: 2})
		other := func(n string) try { return try{body: strings.ReplaceAll(search, "5be2", n)} }
		got := []int{send(t, s, try{}).status, send(t, s, try{}).status, send(t, s, other("6be2")).status, send(t, s, other("7be2")).status}
		forward(s, time.Minute)
		got = append(got, send(t, s, try{}).status, send(t, s, other("7be2")).status)
		if fmt.Sprint(got) != "[201 503 201 503 201 201]" {
			t.Errorf("answers %v", got)
		}
	})
	t.Run("cold accounts", func(t *testing.T) {
		s := fresh(Options{ColdFor: time.Minute, ColdAfter: time.Hour})
		var got []int
		for _, step := range []time.Duration{0, 59 * time.Second, time.Second, time.Hour, time.Minute} {
			forward(s, step)
			got = append(got, send(t, s, try{}).status)
		}
		if fmt.Sprint(got) != "[202 202 201 202 201]" {
			t.Errorf("answers %v", got)
		}
	})
	t.Run("lookups of a minute", func(t *testing.T) {
		s := fresh(Options{})
		look := func() { ask(s, "GET", lookupPath+"?version=1.0", "") }
		look()
		forward(s, time.Minute)
		look()
		if n := s.Status().LintsByName["domain_lookups"]; n != 0 {
			t.Errorf("%d remarks after a minute", n)
		}
		look()
		look()
		if st := s.Status(); st.LintsByName["domain_lookups"] != 2 || st.Lints != 1 || st.Lookups != 4 {
			t.Errorf("status %+v, want one remark that was made twice", st)
		}
	})
	t.Run("times in lists and answers", func(t *testing.T) {
		s := fresh(Options{})
		forward(s, 24*time.Hour)
		want := c.at.Add(24 * time.Hour)
		send(t, s, try{body: attributes(examples["lead"], `{"type":"purchase"}`)})
		bad := send(t, s, try{query: "v=9"})
		v, _ := s.Visitor("5be2f7a8-0c1d")
		at := s.Requests("")[0].At
		for what, got := range map[string]time.Time{
			"request": at, "first": v.FirstAt, "last": v.LastAt, "history": v.History[0].At, "session": v.Sessions[0].CreatedAt, "lint": v.Lints[0].At,
		} {
			if !got.Equal(want) {
				t.Errorf("%s is of %s, want %s", what, got, want)
			}
		}
		if !strings.HasPrefix(bad.body, fmt.Sprintf(`{"time":%d,`, want.UnixMilli())) {
			t.Errorf("answer %s", bad.body)
		}
	})
}

// Set back, the clock ends nothing, caps nothing and remarks nothing.
func TestTheClockIsSetBack(t *testing.T) {
	c := newClock()
	s := New(Options{Now: c.now, SessionCap: 1, ColdFor: time.Second})
	send(t, s, try{})
	c.forward(time.Second)
	a := send(t, s, try{})
	ask(s, "GET", lookupPath+"?version=1.0", "")
	moveClock(t, s, `{"set":"2020-01-01T00:00:00Z"}`)
	if got := send(t, s, try{query: with(a.vid, a.sid)}); got.status != 200 {
		t.Errorf("the session: %d, want it to go on", got.status)
	}
	if got := send(t, s, try{body: strings.ReplaceAll(search, "5be2", "6be2")}); got.status != 201 {
		t.Errorf("another visitor: %d, want no cold account", got.status)
	}
	if got := send(t, s, try{}); got.status != 201 {
		t.Errorf("another session: %d, want no cap", got.status)
	}
	ask(s, "GET", lookupPath+"?version=1.0", "")
	if got := s.Status().LintsByName; fmt.Sprint(got) != "map[retry_without_vid:1 session_leak:1]" {
		t.Errorf("remarks %v, want none of the clock's", got)
	}
	s.Forget()
	if s.Clock().OffsetMS != 0 {
		t.Error("forgetting all left the clock where it was")
	}
}

func TestTheClockOnThePage(t *testing.T) {
	s := New(Options{Now: newClock().now})
	post := func(form string) (int, string) {
		w := ask(s, "POST", "/clock", form, "Content-Type", "application/x-www-form-urlencoded")
		return w.Code, w.Header().Get("Location")
	}
	for _, tt := range []struct{ form, says string }{
		{"by=31m&back=/requests", "The clock is 31 min ahead:"}, {"by=6h&back=/requests", "The clock is 6 h 31 min ahead:"},
		{"by=24h&back=/requests", "The clock is 1 day 6 h 31 min ahead:"}, {"by=real&back=/requests", ""},
	} {
		if code, to := post(tt.form); code != 303 || to != "/requests" {
			t.Errorf("%s: %d to %q", tt.form, code, to)
		}
		page := ask(s, "GET", "/", "").Body.String()
		if tt.says == "" && strings.Contains(page, "The clock is") || !strings.Contains(page, tt.says) {
			t.Errorf("%s: the page does not say %q", tt.form, tt.says)
		}
	}
	for _, form := range []string{"", "by=soon", "by=-1h"} {
		if code, _ := post(form); code != 400 {
			t.Errorf("%q: %d, want 400", form, code)
		}
	}
	moveClock(t, s, `{"set":"2026-02-25T14:29:59.2Z"}`)
	if page := ask(s, "GET", "/clock", "").Body.String(); !strings.Contains(page, "The clock is 800 ms behind:") || !strings.Contains(page, "25 Feb 2026, 14:29:59") {
		t.Errorf("the page does not say that the clock is behind: %s", page)
	}
}
