package lpsim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
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

// readDomainAddress tells /api/account/{a}/service[/{name}]/baseURI.json. The
// service is "" when all are asked for.
func readDomainAddress(path string) (account, service string, ok bool) {
	path, ok = strings.CutSuffix(path, "/"+domainFile)
	if !ok {
		return "", "", false
	}
	parts := strings.Split(path, "/")
	if n := len(parts); n != 5 && n != 6 || parts[0] != "" || parts[1] != "api" || parts[2] != "account" || parts[4] != "service" {
		return "", "", false
	}
	if len(parts) == 6 {
		service = parts[5]
		ok = service != ""
	}
	return parts[3], service, ok
}

// serveDomain is D1 to D8, with the faults that are for it before.
func (s *Sim) serveDomain(w http.ResponseWriter, r *http.Request, account, service string) {
	c := &call{
		kind: domain, account: account, at: s.clock.now(), method: r.Method, url: r.URL, uri: uriOf(r), host: r.Host,
		query: readQuery(r.URL.RawQuery), parsed: true,
	}
	fault, met := s.faults.meet(c)
	a := s.throughFault(r, c, fault, met, func() *answer { return s.judgeDomain(c, service) })
	s.version.Add(1)
	s.write(w, a)
}

func (s *Sim) judgeDomain(c *call, name string) *answer {
	if c.method != http.MethodGet && s.r.domainMethod { // D6
		return &answer{status: http.StatusMethodNotAllowed, allow: http.MethodGet}
	}
	if s.r.domainVersion && !slices.Equal(c.url.Query()["version"], []string{"1.0"}) { // D4
		return bare(http.StatusBadRequest)
	}
	if _, known := s.o.Accounts[c.account]; !known && (!s.o.AnyAccount || !isAccount(c.account)) { // D5
		return bare(http.StatusUnauthorized)
	}
	if name != "" && name != "smt" { // D3
		return bare(http.StatusNotFound)
	}
	smt := service{"smt", c.account, s.lookUp(c)}
	switch {
	case name == "": // D2
		return domainAnswer(map[string]any{"baseURIs": []service{smt, {"asyncMessagingEnt", c.account, smt.BaseURI}}})
	case s.o.HostList:
		return domainAnswer(map[string]any{"baseURIs": []service{smt}})
	default: // D1
		return domainAnswer(smt)
	}
}

func domainAnswer(v any) *answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic("lpsim: an answer of the Domain API is no JSON: " + err.Error())
	}
	return &answer{status: http.StatusOK, kind: "application/json", body: body}
}

// lookUp counts a lookup and gives the host (D7, D8).
func (s *Sim) lookUp(c *call) string {
	st := s.state
	st.mu.Lock()
	defer st.mu.Unlock()
	a := st.account(s, c.account)
	if a.lookups > 0 && within(c.at, a.lookedUp, time.Minute) {
		s.lint(nil, c, remark{"domain_lookups", "The Domain API was asked again.",
			fmt.Sprintf("Account %s was looked up twice within a minute. The answer can be kept for ten.", c.account)})
	}
	a.lookups++
	a.lookedUp = c.at
	st.lookups++
	if h := s.faults.setting(func(f *Fault) string { return f.Host }); h != "" {
		return h
	}
	switch {
	case s.o.MovedHost != "" && st.lookups > s.o.MovedAfter:
		return s.o.MovedHost
	case s.o.Host != "":
		return s.o.Host
	default:
		st.oldHost = c.host
		return c.host
	}
}

// cutOff says whether a host does not answer since it moved (D7).
func (s *Sim) cutOff(host string) bool {
	if s.o.MovedHost == "" || host == s.o.MovedHost {
		return false
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return s.state.lookups > s.o.MovedAfter && host == cmp.Or(s.o.Host, s.state.oldHost)
}
