package lpsim

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestSessionRules(t *testing.T) {
	otherSid := "stM0CzMWRye4MZgRBAL4UQ"
	tests := []struct {
		name    string
		o       Options
		query   string
		status  int
		code    int
		message string
		sameVid bool // the vid sent comes back
	}{
		{"S4: a vid has 22 letters and digits", Options{}, with("abc", knownSid), 404, 37, "invalid visitorId", false},
		{"S4: any vid will do if lenient", Options{Lenient: true}, with("abc", "xyz"), 201, 0, "", true},
		{"S5: a sid has 22 characters", Options{}, with(knownVid, "abc"), 404, 39, "invalid sessionId", false},
		{"S5: the dotted form is fine", Options{}, with(knownVid, knownSid+".c524460e"), 201, 0, "", true},
		{"S5: a dot wants hex behind it", Options{}, with(knownVid, knownSid+".xyz"), 404, 39, "invalid sessionId", false},
		{"S5: the form of a sid ends at 64 hex", Options{}, with(knownVid, knownSid+"."+strings.Repeat("a", 65)), 404, 39, "invalid sessionId", false},
		{"S4: comes before S5", Options{}, with("abc", "abc"), 404, 37, "invalid visitorId", false},
		{"S4: also without a sid", Options{}, "v=1.1&obh=true&vid=" + knownVid + "x", 404, 37, "invalid visitorId", false},
		{"S6: no ids make a session in the reference dialect", Options{Dialect: DialectReference}, "", 201, 0, "", false},
		{"S7: a vid alone is kept in reject", Options{SessionMode: SessionReject}, "v=1.1&obh=true&vid=" + knownVid, 201, 0, "", true},
		{"S10: Signal's own pair keeps its vid in the reference dialect", Options{Dialect: DialectReference}, with(knownVid, knownSid), 201, 0, "", true},
		{"S10: and is refused in reject", Options{Dialect: DialectReference, SessionMode: SessionReject}, with(knownVid, knownSid), 404, 37, "invalid visitorId", false},
		{"S6: no ids make a session", Options{}, "", 201, 0, "", false},
		{"S7: a vid alone is kept", Options{}, "v=1.1&obh=true&vid=" + knownVid, 201, 0, "", true},
		{"S8: a sid alone makes both", Options{}, "v=1.1&obh=true&sid=" + otherSid, 201, 0, "", false},
		{"S10: an unknown pair keeps its vid", Options{}, with(knownVid, knownSid), 201, 0, "", true},
		{"S10: an unknown vid is refused in reject", Options{SessionMode: SessionReject}, with(knownVid, knownSid), 404, 37, "invalid visitorId", false},
		{"S10: reject takes a first report without ids", Options{SessionMode: SessionReject}, "", 201, 0, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := send(t, New(tt.o), try{query: tt.query})
			wantAnswer(t, got, tt.status, tt.code, tt.message)
			if sent := strings.Contains(tt.query, "vid="+got.vid) && got.vid != ""; got.status < 300 && sent != tt.sameVid {
				t.Errorf("vid %q came back of %q", got.vid, tt.query)
			}
			if got.sid == knownSid {
				t.Errorf("the sid sent was taken for a session")
			}
		})
	}
}

func TestSessionLivesAndEnds(t *testing.T) {
	tests := []struct {
		name   string
		o      Options
		before func(*Sim, *clock)
		status int
		code   int
	}{
		{"S9: a session goes on", Options{}, func(*Sim, *clock) {}, 200, 0},
		{"S9: just before the idle time is over", Options{}, func(_ *Sim, c *clock) { c.forward(30*time.Minute - 1) }, 200, 0},
		{"S10: idle for 30 minutes", Options{}, func(_ *Sim, c *clock) { c.forward(30 * time.Minute) }, 201, 0},
		{"S10: six hours old", Options{IdleTimeout: 7 * time.Hour}, func(_ *Sim, c *clock) { c.forward(6 * time.Hour) }, 201, 0},
		{"S10: ended by a fault", Options{}, func(s *Sim, _ *clock) { _, _ = s.Fail(Fault{Expire: true}) }, 201, 0},
		{"S10: idle in reject", Options{SessionMode: SessionReject}, func(_ *Sim, c *clock) { c.forward(31 * time.Minute) }, 404, 39},
		{"S10: of another app", Options{Accounts: map[string][]string{DefaultAccount: {"other"}}}, func(s *Sim, _ *clock) { s.o.Accounts = map[string][]string{DefaultAccount: {DefaultApp}} }, 201, 0},
		{"S11: full", Options{EventCap: 1}, func(*Sim, *clock) {}, 201, 0},
		{"S11: full in reject", Options{EventCap: 1, SessionMode: SessionReject}, func(*Sim, *clock) {}, 201, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClock()
			tt.o.Now = c.now
			s := New(tt.o)
			first := try{}
			for _, apps := range tt.o.Accounts {
				first.path = strings.Replace(address, DefaultApp, apps[0], 1)
			}
			a := send(t, s, first)
			if a.status != 201 {
				t.Fatalf("first report: %d %s", a.status, a.body)
			}
			tt.before(s, c)
			b := send(t, s, try{query: with(a.vid, a.sid)})
			if b.status != tt.status || b.code != tt.code {
				t.Fatalf("second report: %d %s, want %d, code %d", b.status, b.body, tt.status, tt.code)
			}
			if b.status < 300 && (b.vid != a.vid || (b.sid == a.sid) != (b.status == 200)) {
				t.Errorf("ids %s %s after %s %s at %d", b.vid, b.sid, a.vid, a.sid, b.status)
			}
		})
	}
}

func TestColdAccount(t *testing.T) {
	told := regexp.MustCompile(`^Loading account: 12345678, vid: ([A-Za-z0-9]{22})$`)
	for _, tt := range []struct {
		name, v      string
		status, code int
	}{
		{"S1: v1.0 answers 500", "1.0", 500, 20},
		{"S2: v1.1 answers 202", "1.1", 202, 38},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Options{ColdCalls: 2})
			a := send(t, s, try{query: "obh=true&v=" + tt.v})
			m := told.FindStringSubmatch(a.message)
			if a.status != tt.status || a.code != tt.code || m == nil {
				t.Fatalf("%d %s, want %d, code %d and a vid", a.status, a.body, tt.status, tt.code)
			}
			b := send(t, s, try{query: "obh=true&v=" + tt.v + "&vid=" + m[1]})
			if !strings.HasSuffix(b.message, m[1]) {
				t.Errorf("the second answer %q names not the vid that was sent", b.message)
			}
			c := send(t, s, try{query: "obh=true&v=" + tt.v + "&vid=" + m[1]})
			if c.status != 201 || c.vid != m[1] {
				t.Errorf("after loading: %d with vid %q, want 201 with %q", c.status, c.vid, m[1])
			}
			v, _ := s.Visitor(m[1])
			if len(v.Searches) != 1 || len(s.Lints("", "")) != 0 {
				t.Errorf("%d searches, lints %+v; want one and none", len(v.Searches), s.Lints("", ""))
			}
		})
	}
	t.Run("S3: a retry without the vid is remarked", func(t *testing.T) {
		s := New(Options{ColdCalls: 1})
		send(t, s, try{})
		send(t, s, try{})
		if got := s.Lints("", "retry_without_vid"); len(got) != 1 {
			t.Errorf("lints %+v, want one", got)
		}
		lenient := New(Options{ColdCalls: 1, Lenient: true})
		send(t, lenient, try{})
		if send(t, lenient, try{}); len(lenient.Lints("", "")) != 0 {
			t.Errorf("lenient remarks %+v", lenient.Lints("", ""))
		}
	})
	t.Run("S3: it is a new visitor while the account is cold", func(t *testing.T) {
		s := New(Options{ColdCalls: 2})
		a, b := send(t, s, try{}), send(t, s, try{})
		if a.message == b.message || !told.MatchString(b.message) {
			t.Errorf("answers %q and %q, want two vids", a.message, b.message)
		}
	})
	t.Run("S1: an account is cold for a time, and again after idling", func(t *testing.T) {
		c := newClock()
		s := New(Options{Now: c.now, ColdFor: 5 * time.Second, ColdAfter: time.Hour})
		var got []int
		for _, wait := range []time.Duration{0, 3 * time.Second, 3 * time.Second, time.Hour, 5 * time.Second} {
			c.forward(wait)
			got = append(got, send(t, s, try{}).status)
		}
		if want := "[202 202 201 202 201]"; fmt.Sprint(got) != want {
			t.Errorf("answers %v, want %s", got, want)
		}
	})
}

func TestSessionCap(t *testing.T) {
	t.Run("S12: an identity that loses its ids is capped", func(t *testing.T) {
		c := newClock()
		s := New(Options{Now: c.now})
		for i := range 20 {
			if got := send(t, s, try{}); got.status != 201 {
				t.Fatalf("report %d: %d", i, got.status)
			}
		}
		wantAnswer(t, send(t, s, try{}), 503, 18, "capped")
		wantAnswer(t, send(t, s, try{body: strings.ReplaceAll(search, "5be2", "6be2")}), 201, 0, "")
		c.forward(time.Minute)
		wantAnswer(t, send(t, s, try{}), 201, 0, "")
	})
	t.Run("S12: there is no cap if lenient, unless one is set", func(t *testing.T) {
		s := New(Options{Lenient: true, SessionCap: 1})
		send(t, s, try{})
		wantAnswer(t, send(t, s, try{}), 503, 18, "capped")
	})
	t.Run("S12: a cap may be high", func(t *testing.T) {
		s := New(Options{SessionCap: 1500})
		for range 1500 {
			send(t, s, try{})
		}
		wantAnswer(t, send(t, s, try{}), 503, 18, "capped")
	})
	t.Run("S12: so is an account, if asked", func(t *testing.T) {
		s := New(Options{AccountCap: 1, CapStatus: 500})
		send(t, s, try{})
		wantAnswer(t, send(t, s, try{body: strings.ReplaceAll(search, "5be2", "6be2")}), 500, 18, "capped")
	})
}

func TestLostSessionsAreRemarked(t *testing.T) {
	c := newClock()
	s := New(Options{Now: c.now})
	codes := func() string {
		var out []string
		for _, l := range s.Lints("", "") {
			out = append(out, l.Code)
		}
		return strings.Join(out, " ")
	}
	a := send(t, s, try{query: with(knownVid, knownSid)})
	c.forward(time.Second)
	send(t, s, try{query: with(a.vid, a.sid)})
	if got := codes(); got != "" {
		t.Fatalf("lints %q of a client that takes the ids over, want none", got)
	}
	send(t, s, try{query: with(knownVid, knownSid)})
	if got := codes(); got != "stale_pair" {
		t.Errorf("lints %q, want stale_pair", got)
	}
	c.forward(time.Second)
	send(t, s, try{})
	send(t, s, try{}) // at the same moment as the one before
	if got := codes(); got != "stale_pair session_leak parallel_first" {
		t.Errorf("lints %q, want stale_pair session_leak parallel_first", got)
	}
	c.forward(time.Hour)
	before := codes()
	send(t, s, try{})
	if got := codes(); got != before {
		t.Errorf("lints %q: a session that has ended cannot be lost", got)
	}
}

// S13: first calls of one sub that race each begin a session, and the race is
// remarked.
func TestParallelFirstCalls(t *testing.T) {
	s := New(Options{SessionCap: -1})
	h := s.Handler()
	start := make(chan struct{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			<-start
			w := httptest.NewRecorder()
			h.ServeHTTP(w, try{}.request())
			if w.Code != 201 {
				t.Errorf("answer %d %s", w.Code, w.Body)
			}
		})
	}
	close(start)
	wg.Wait()
	v, _ := s.Visitor("5be2f7a8-0c1d")
	if v.SessionsCreated != 50 || v.Reports != 50 || len(v.History) != 50 {
		t.Errorf("%d sessions, %d reports, %d attributes; want 50 each", v.SessionsCreated, v.Reports, len(v.History))
	}
	if got := s.Lints("5be2f7a8-0c1d", "parallel_first"); len(got) != 1 {
		t.Errorf("lints %+v, want one of parallel first calls", got)
	}
	for i := 1; i < len(v.History); i++ {
		if v.History[i].At.Before(v.History[i-1].At.Add(-time.Second)) {
			t.Errorf("history is out of order at %d", i)
		}
	}
}

func TestIdsHaveLivePersonsForm(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		v, sid := newVid(), newSid()
		if !isVid(v) || !isSid(sid) || seen[v] || seen[sid] {
			t.Fatalf("vid %q, sid %q", v, sid)
		}
		seen[v], seen[sid] = true, true
	}
}
