package lpsim

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A Sim is one simulated LivePerson with all its accounts. It is safe for many
// goroutines.
type Sim struct {
	o       Options
	r       rules
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
	s := &Sim{o: o, r: o.rules(), state: newState()}
	s.log.max = o.MaxRequests
	s.control = s.controlHandler()
	return s
}

// Handler serves the Monitoring API, the Domain API, the page for people and
// the addresses for tests.
func (s *Sim) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	switch p := r.URL.Path; {
	case isDomainPath(p):
		s.serveDomain(w, r)
	case isControlPath(p):
		s.control.ServeHTTP(w, r)
	case s.cutOff(r.Host): // D7
		cut(w)
	default:
		s.serveAPI(w, r)
	}
}

func isControlPath(p string) bool {
	head, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	return oneOf(head, "", "_sim", "visitors", "requests", "faults", "forget")
}

// serveAPI answers one call of the Monitoring API.
func (s *Sim) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := s.read(w, r)
	if err != nil {
		cut(w) // the client went away in the middle of its request
		return
	}
	c := &call{
		seq: s.seq.Add(1), at: s.o.Now(), method: r.Method, override: r.Header.Get("X-HTTP-Method-Override"),
		url: r.URL, host: r.Host, header: r.Header, body: body, tls: r.TLS != nil,
	}
	fault, met := s.faults.meet(c) // T1
	if met && fault.When == "before" {
		pause(r, fault.DelayMS)
	}
	var a *answer
	if met {
		a = fault.scripted(c)
	}
	if a == nil {
		a = s.judge(c)
		a.close, a.truncate = fault.Reset, fault.Truncate
	} else {
		c.guessWho()
	}
	s.log.add(s.record(c, a, met))
	s.version.Add(1)
	if met && fault.When != "before" {
		pause(r, fault.DelayMS)
	}
	s.write(w, a)
	s.answeredFirst(c)
}

// judge takes a call through all checks. Only what passes is stored.
func (s *Sim) judge(c *call) *answer {
	if a := s.checkTransport(c); a != nil {
		c.guessWho()
		return a
	}
	if a := s.checkBody(c); a != nil {
		c.guessWho()
		return a
	}
	return s.settle(c)
}

// read takes the body, one byte past the limit at most.
func (s *Sim) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if n := r.ContentLength; n >= 0 && n <= int64(s.o.MaxBody) {
		b := make([]byte, n)
		_, err := io.ReadFull(r.Body, b)
		return b, err
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.o.MaxBody)))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return append(b, 0), nil // longer than the limit, for T13 to see
	}
	return b, err
}

// guessWho finds out whom a refused call was about, for the log only.
func (c *call) guessWho() {
	if c.who.name() != "" {
		return
	}
	if c.doc.kind == 0 {
		c.doc, _ = parse(c.body)
	}
	c.who.consumerID = c.doc.get("consumerId").text
	for _, id := range c.doc.get("identities").items {
		if sub := id.get("sub").text; sub != "" {
			c.who.add(sub, id.get("iss").text, id.get("acr").text)
		}
	}
	if c.query == nil {
		c.query = c.url.Query()
		c.vid, c.sid = c.query.Get("vid"), c.query.Get("sid")
	}
	if c.account == "" {
		c.readPath()
	}
}

func (s *Sim) dialect() string {
	if d := s.faults.setting(func(f *Fault) string { return f.Dialect }); d != "" {
		return d
	}
	return s.o.Dialect
}

func (s *Sim) write(w http.ResponseWriter, a *answer) {
	if a.close {
		cut(w)
		return
	}
	h := w.Header()
	kind := a.kind
	if kind == "" {
		kind = s.o.ContentType
	}
	h["Content-Type"] = []string{kind}
	if a.allow != "" {
		h["Allow"] = []string{a.allow}
	}
	if a.retryAfter != "" {
		h["Retry-After"] = []string{a.retryAfter}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		h.Del("Content-Length")
		w.WriteHeader(a.status)
		return
	}
	w.WriteHeader(a.status)
	if a.truncate {
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		cut(w)
		return
	}
	_, _ = w.Write(a.body) // a client that left needs no answer
}

// cut ends the connection without a further byte, and with a reset where the
// system allows it.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2: the server resets the stream
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// pause waits, or until the client left.
func pause(r *http.Request, ms int) {
	if ms <= 0 {
		return
	}
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}
