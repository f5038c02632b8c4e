package lpsim

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// A Sim is one simulated LivePerson with all its accounts. It is safe for many
// goroutines.
type Sim struct {
	o       Options
	r       rules
	usual   []string // the content type of answers
	clock   simClock
	state   *state
	faults  faults
	log     requestLog
	seq     atomic.Uint64
	version atomic.Uint64 // counts changes, for pages that are open
	control http.Handler
}

// New makes a simulator. Check names what is wrong with Options; a dialect,
// mode or rule that does not exist makes New panic, as no test that misspells
// one should pass.
func New(o Options) *Sim {
	if err := o.Check(); err != nil {
		panic("lpsim: " + err.Error())
	}
	o = o.withDefaults()
	s := &Sim{o: o, r: o.rules(), usual: []string{o.ContentType}, state: newState()}
	s.clock.base = o.Now
	s.log.max, s.log.counts = o.MaxRequests, newCounts()
	s.faults.seed = o.Seed
	s.setFaults()
	s.control = s.controlHandler()
	return s
}

// setFaults sets those that are active from the start.
func (s *Sim) setFaults() {
	for _, f := range s.o.Faults {
		if _, err := s.Fail(f); err != nil {
			panic("lpsim: " + err.Error()) // Check has looked at them
		}
	}
}

// Handler serves the Monitoring API, the Domain API, the page for people and
// the addresses for tests.
func (s *Sim) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	if isControlPath(r.URL.Path) {
		s.control.ServeHTTP(w, r)
		return
	}
	if account, service, ok := readDomainAddress(r.URL.Path); ok {
		s.serveDomain(w, r, account, service)
		return
	}
	if s.cutOff(r.Host) { // D7
		cut(w)
		return
	}
	s.serveAPI(w, r)
}

func isControlPath(p string) bool {
	if p == "/" {
		return true
	}
	head, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	return oneOf(head, "_sim", "visitors", "requests", "faults", "clock", "forget")
}

// serveAPI answers one call of the Monitoring API.
func (s *Sim) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := s.read(w, r)
	if err != nil {
		cut(w) // the client went away in the middle of its request
		return
	}
	c := &call{
		seq: s.seq.Add(1), at: s.clock.now(), method: r.Method, override: r.Header.Get("X-HTTP-Method-Override"),
		url: r.URL, uri: uriOf(r), host: r.Host, header: r.Header, body: body, tls: r.TLS != nil, dialect: s.dialect(),
	}
	c.readAddress(s.r.path)
	fault, met := s.faults.meet(c) // T1
	a := s.throughFault(r, c, fault, met, func() *answer { return s.judge(c) })
	s.write(w, a)
	s.answeredFirst(c)
}

// uriOf gives path and query as they came.
func uriOf(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI() // through a proxy, or not from a server
}

// throughFault gives the answer to a call that met a fault, or none: that of
// the fault, or that of take with what the fault does to it. The call is logged
// before the fault's wait, unless that is before the call is taken.
func (s *Sim) throughFault(r *http.Request, c *call, f Fault, met bool, take func() *answer) *answer {
	if met && f.When == "before" {
		pause(r, f.DelayMS)
		c.at = s.clock.now()
	}
	var a *answer
	if met {
		a = f.scripted(c)
	}
	if a == nil {
		a = take()
		a.close, a.truncate = f.Reset, f.Truncate
	} else {
		c.guessWho()
	}
	if c.kind != domain {
		s.log.add(s.record(c, a, met))
	}
	s.version.Add(1)
	if met && f.When != "before" {
		pause(r, f.DelayMS)
	}
	return a
}

// judge takes a call through all checks. Only what passes is stored.
func (s *Sim) judge(c *call) *answer {
	a := s.checkTransport(c)
	if a == nil {
		a = s.checkBody(c)
	}
	if a != nil {
		c.guessWho()
		return a
	}
	return s.settle(c)
}

// read takes the body, one byte past the limit at most.
func (s *Sim) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limit := s.maxBody()
	if n := r.ContentLength; n >= 0 && n <= int64(limit) {
		b := make([]byte, n)
		_, err := io.ReadFull(r.Body, b)
		return b, err
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return append(b, 0), nil // longer than the limit, for T13 to see
	}
	return b, err
}

// guessWho finds out whom a call was about that is not checked, for the log and
// for faults that are for one visitor.
func (c *call) guessWho() {
	c.parse()
	c.who = who{consumerID: c.doc.get("consumerId").text}
	for _, id := range c.doc.get("identities").items {
		if sub := id.get("sub").text; sub != "" {
			c.who.add(sub, id.get("iss").text, id.get("acr").text)
		}
	}
}

func (s *Sim) dialect() string {
	if d := s.faults.setting(func(f *Fault) string { return f.Dialect }); d != "" {
		return d
	}
	return s.o.Dialect
}
