package lpsim

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
)

// Status is what GET /_sim says: a summary that a test can assert on. What it
// counts, it counts since the start or the last DELETE /_sim.
type Status struct {
	Simulator   string          `json:"simulator"` // so that nobody mistakes it
	Dialect     string          `json:"dialect"`
	Strict      bool            `json:"strict"`
	SessionMode string          `json:"session_mode"`
	Seed        uint64          `json:"seed"` // of faults with a rate and no seed of their own
	Rules       map[string]bool `json:"rules"`
	Clock       Clock           `json:"clock"`

	Requests int            `json:"requests"`           // of the Monitoring API
	Taken    int            `json:"taken"`              // answered 200 or 201
	Faulted  int            `json:"faulted"`            // met a fault
	ByStatus map[string]int `json:"requests_by_status"` // "cut" when the connection was
	Refused  map[string]int `json:"refused_by_code"`    // such as "400/5": status and internalCode
	Repeated map[string]int `json:"repeated_ids"`       // orderId, leadId and serviceId that a visitor's history had already
	Lookups  int            `json:"domain_lookups"`     // that were answered with a host
	Visitors int            `json:"visitors"`           // that are kept

	SessionsCreated int `json:"sessions_created"`
	SessionsLive    int `json:"sessions_live"`
	SessionsExpired int `json:"sessions_expired"` // idle, too old, or ended by a fault
	SessionsBlocked int `json:"sessions_blocked"` // by the cap of events

	Lints       int            `json:"lints"`         // different ones
	LintsByName map[string]int `json:"lints_by_name"` // how often each was seen
	Faults      int            `json:"faults"`        // active
}

// Status counts what the simulator holds and has seen.
func (s *Sim) Status() Status {
	st := s.glance()
	st.Clock = s.Clock()
	st.Rules = map[string]bool{}
	for _, r := range Rules() {
		st.Rules[r.Name] = s.o.switched(r)
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	t := s.tally(st.Clock.Now)
	st.SessionsLive, st.SessionsExpired, st.SessionsBlocked = t.live, t.expired, t.blocked
	st.Repeated, st.LintsByName = maps.Clone(s.state.repeats), maps.Clone(s.state.remarked)
	return st
}

// glance is the part of Status that takes no time, for pages.
func (s *Sim) glance() Status {
	n := s.log.counted()
	st := Status{
		Simulator: "not LivePerson", Dialect: s.dialect(), Strict: !s.o.Lenient, SessionMode: s.o.SessionMode, Seed: s.o.Seed,
		Requests: n.total, Taken: n.taken, Faulted: n.faulted, ByStatus: map[string]int{}, Refused: map[string]int{},
		Faults: len(s.faults.list()),
	}
	for status, times := range n.byStatus {
		st.ByStatus[statusText(status)] = times
	}
	for code, times := range n.byCode {
		st.Refused[fmt.Sprintf("%d/%d", code[0], code[1])] = times
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	st.Visitors, st.SessionsCreated, st.Lints, st.Lookups = s.state.order.Len(), s.state.created, s.state.lintSeen, s.state.lookups
	return st
}

// statusText says a status, which is 0 where the connection was cut.
func statusText(status int) string {
	if status == 0 {
		return "cut"
	}
	return strconv.Itoa(status)
}

func (s *Sim) showStatus(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, s.Status())
}

func (s *Sim) listRules(w http.ResponseWriter, _ *http.Request) {
	type row struct {
		Rule
		On bool `json:"on"`
	}
	var rows []row
	for _, r := range Rules() {
		rows = append(rows, row{r, s.o.switched(r)})
	}
	reply(w, http.StatusOK, map[string]any{"rules": rows})
}

// Forget drops visitors, sessions, requests, lints and faults, those of the
// start as well, and goes back to real time.
func (s *Sim) Forget() {
	s.faults.end(0)
	s.log.clear()
	s.ResetClock()
	s.state.mu.Lock()
	s.state.clear()
	s.state.mu.Unlock()
	s.version.Add(1)
}
