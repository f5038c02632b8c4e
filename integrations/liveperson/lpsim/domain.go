package lpsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A service is one line of the Domain API.
type service struct {
	Service string `json:"service"`
	Account string `json:"account"`
	BaseURI string `json:"baseURI"`
}

const domainFile = "baseURI.json"

// isDomainPath tells /api/account/{a}/service[/{name}]/baseURI.json.
func isDomainPath(p string) bool {
	parts := strings.Split(p, "/")
	n := len(parts)
	return (n == 6 || n == 7) && parts[1] == "api" && parts[2] == "account" && parts[4] == "service" && parts[n-1] == domainFile
}

// serveDomain is D1 to D8.
func (s *Sim) serveDomain(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/")
	account, name := parts[3], ""
	if len(parts) == 7 {
		name = parts[5]
	}
	if r.Method != http.MethodGet { // D6
		w.Header().Set("Allow", http.MethodGet)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Query().Get("version") != "1.0" { // D4
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if _, known := s.o.Accounts[account]; !known && (!s.o.AnyAccount || !accountPattern.MatchString(account)) { // D5
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	smt := service{"smt", account, s.lookUp(account, r.Host)}
	var answer any
	switch {
	case name == "": // D2
		answer = map[string]any{"baseURIs": []service{smt, {"asyncMessagingEnt", account, smt.BaseURI}}}
	case name != "smt": // D3
		w.WriteHeader(http.StatusNotFound)
		return
	case s.o.HostList:
		answer = map[string]any{"baseURIs": []service{smt}}
	default: // D1
		answer = smt
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// lookUp counts a lookup and gives the host (D7, D8).
func (s *Sim) lookUp(id, asked string) string {
	now := s.o.Now()
	st := s.state
	st.mu.Lock()
	defer st.mu.Unlock()
	a := st.account(s, id)
	if a.lookups > 0 && now.Sub(a.lookedUp) < time.Minute {
		c := &call{account: id, at: now}
		st.lint(nil, c, remark{"domain_lookups", "The Domain API was asked again.",
			fmt.Sprintf("Account %s was looked up twice within a minute. The answer can be kept for ten.", id)})
	}
	a.lookups++
	a.lookedUp = now
	st.moved++
	if h := s.faults.setting(func(f *Fault) string { return f.Host }); h != "" {
		return h
	}
	switch {
	case s.o.MovedHost != "" && st.moved > s.o.MovedAfter:
		return s.o.MovedHost
	case s.o.Host != "":
		return s.o.Host
	default:
		return asked
	}
}

// cutOff says whether a host does not answer since it moved (D7).
func (s *Sim) cutOff(host string) bool {
	if s.o.MovedHost == "" || host != s.o.Host || host == s.o.MovedHost {
		return false
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return s.state.moved > s.o.MovedAfter
}
