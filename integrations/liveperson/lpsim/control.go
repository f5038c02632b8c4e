package lpsim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// controlHandler serves the pages and what stands under /_sim. A browser may
// change things only from the simulator's own pages.
func (s *Sim) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/{$}", s.showStatus)
	mux.HandleFunc("GET /_sim", s.showStatus)
	mux.HandleFunc("DELETE /_sim", s.deleteAll)
	mux.HandleFunc("DELETE /_sim/{$}", s.deleteAll)
	mux.HandleFunc("GET /_sim/requests", s.listRequests)
	mux.HandleFunc("GET /_sim/visitors", s.listVisitors)
	mux.HandleFunc("GET /_sim/visitors/{name}", s.showVisitor)
	mux.HandleFunc("GET /_sim/lints", s.listLints)
	mux.HandleFunc("GET /_sim/faults", s.listFaults)
	mux.HandleFunc("POST /_sim/faults", s.addFault)
	mux.HandleFunc("DELETE /_sim/faults", s.endFaults)
	mux.HandleFunc("DELETE /_sim/faults/{id}", s.endFaults)
	mux.HandleFunc("GET /_sim/clock", s.showClock)
	mux.HandleFunc("POST /_sim/clock", s.postClock)
	mux.HandleFunc("GET /_sim/rules", s.listRules)
	mux.HandleFunc("GET /_sim/stream", s.stream)
	mux.HandleFunc("/_sim/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "there is no %s %s here: see GET /_sim", r.Method, r.URL.Path)
	})
	s.pages(mux)
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "a page of another site may not change the simulator")
	}))
	return guard.Handler(mux)
}

// reply answers with JSON.
func reply(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		http.Error(w, "encode answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

func fail(w http.ResponseWriter, status int, format string, args ...any) {
	reply(w, status, map[string]any{"error": fmt.Sprintf(format, args...)})
}

func (s *Sim) deleteAll(w http.ResponseWriter, _ *http.Request) {
	s.Forget()
	w.WriteHeader(http.StatusNoContent)
}

// A Request is one call as it came, with what it was answered.
type Request struct {
	Seq      uint64              `json:"seq"`
	At       time.Time           `json:"at"`
	Method   string              `json:"method"`
	Override string              `json:"override"` // X-HTTP-Method-Override
	Form     string              `json:"form"`     // seed or reference
	Host     string              `json:"host"`
	URL      string              `json:"url"` // path and query
	Query    map[string]string   `json:"query"`
	Headers  map[string][]string `json:"headers"`
	Body     string              `json:"body"` // as sent
	Sub      string              `json:"sub"`
	Status   int                 `json:"status"` // 0 when the connection was cut
	Answer   string              `json:"answer"`
	Fault    bool                `json:"fault"` // whether a fault met it
}

func (r *record) public() Request {
	q := map[string]string{}
	_, raw, _ := strings.Cut(r.uri, "?")
	values, _ := url.ParseQuery(raw) // what cannot be read stands in the URL
	for k, v := range values {
		q[k] = strings.Join(v, ", ")
	}
	headers := map[string][]string(r.header)
	if headers == nil {
		headers = map[string][]string{}
	}
	return Request{
		Seq: r.seq, At: r.at, Method: r.method, Override: r.override, Form: r.form, Host: r.host, URL: r.uri,
		Query: q, Headers: headers, Body: string(r.body), Sub: r.who.name(), Status: r.status,
		Answer: string(r.answer), Fault: r.fault,
	}
}

// Requests gives the requests that are kept, oldest first: all, or those of a
// sub, consumerId or vid.
func (s *Sim) Requests(name string) []Request {
	return public(s.log.pick(logFilter{name: name}))
}

func public(records []*record) []Request {
	out := make([]Request, 0, len(records))
	for _, r := range records {
		out = append(out, r.public())
	}
	return out
}

// Visitor gives what is known of a visitor, by sub, consumerId or vid.
func (s *Sim) Visitor(name string) (Visitor, bool) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	v := s.state.lookup("", name)
	if v == nil {
		return Visitor{}, false
	}
	return s.readBack(v, s.clock.now(), false, ""), true
}

func (s *Sim) listRequests(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, err1 := whole(q.Get("limit"))
	after, err2 := whole(q.Get("after"))
	if err := errors.Join(err1, err2); err != nil {
		fail(w, http.StatusBadRequest, "limit and after are whole numbers: %v", err)
		return
	}
	records := s.log.pick(logFilter{name: q.Get("sub"), account: q.Get("account"), after: uint64(after), limit: limit})
	reply(w, http.StatusOK, map[string]any{"requests": public(records), "total": s.log.counted().total})
}

func whole(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err == nil && n < 0 {
		err = fmt.Errorf("%d is negative", n)
	}
	return n, err
}

func (s *Sim) listVisitors(w http.ResponseWriter, r *http.Request) {
	limit, err := whole(r.URL.Query().Get("limit"))
	if err != nil {
		fail(w, http.StatusBadRequest, "limit is a whole number: %v", err)
		return
	}
	visitors, total := s.summaries(limit)
	reply(w, http.StatusOK, map[string]any{"visitors": visitors, "total": total})
}

func (s *Sim) showVisitor(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	chat := q.Get("semantics") == "chat"
	if v := q.Get("semantics"); v != "" && v != "chat" && v != "messaging" {
		fail(w, http.StatusBadRequest, "semantics %q is not known: use messaging or chat", v)
		return
	}
	s.state.mu.Lock()
	v := s.state.lookup(q.Get("account"), r.PathValue("name"))
	if v == nil {
		s.state.mu.Unlock()
		fail(w, http.StatusNotFound, "there is no visitor of that name: nothing was taken of it, or it was dropped or forgotten")
		return
	}
	out := s.readBack(v, s.clock.now(), chat, q.Get("sid"))
	s.state.mu.Unlock()
	reply(w, http.StatusOK, out)
}

// Lints gives what was remarked, oldest first, for one visitor or code or all.
func (s *Sim) Lints(visitor, code string) []Lint {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	out := []Lint{}
	if v := s.state.lookup("", visitor); v != nil {
		visitor = v.key.name
	}
	for _, l := range s.state.lints {
		if (code == "" || l.Code == code) && (visitor == "" || l.Visitor == visitor) {
			out = append(out, *l)
		}
	}
	return out
}

func (s *Sim) listLints(w http.ResponseWriter, r *http.Request) {
	lints := s.Lints(r.URL.Query().Get("sub"), r.URL.Query().Get("code"))
	reply(w, http.StatusOK, map[string]any{"lints": lints, "total": len(lints)})
}

func (s *Sim) listFaults(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"faults": s.faults.list()})
}

// Fail sets a fault, as POST /_sim/faults does, and says what is active. Its
// error names everything wrong with f.
func (s *Sim) Fail(f Fault) (Fault, error) {
	if err := f.check(); err != nil {
		return Fault{}, err
	}
	s.version.Add(1)
	if f.Expire {
		f.Hit = s.expire(f.Account, cmp.Or(f.Sub, f.Match))
		f.What = fmt.Sprintf("ended %d sessions", f.Hit)
		return f, nil
	}
	return s.faults.add(f)
}

// EndFault ends one fault, or all with id 0, and says how many ended.
func (s *Sim) EndFault(id int) int {
	s.version.Add(1)
	return s.faults.end(id)
}

// expire ends all sessions, or those of one visitor, of one account.
func (s *Sim) expire(account, name string) int {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	now, n := s.clock.now(), 0
	only := s.state.lookup(account, name)
	for _, x := range s.state.sessions {
		if s.ended(x, now) == "" && (account == "" || x.account == account) && (name == "" || x.owner == only) {
			x.expired = true
			n++
		}
	}
	return n
}

func (s *Sim) addFault(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		fail(w, http.StatusBadRequest, "the body of a fault cannot be read: %v", err)
		return
	}
	f, err := readFault(body)
	if err == nil {
		f, err = s.Fail(f)
	}
	switch {
	case errors.Is(err, errTooManyFaults):
		fail(w, http.StatusConflict, "%v", err)
	case err != nil:
		refuseFields(w, err)
	default:
		reply(w, http.StatusCreated, f)
	}
}

// refuseFields answers 400 and names the fields that are wrong.
func refuseFields(w http.ResponseWriter, err error) {
	fields := []string{}
	for _, e := range unjoin(err) {
		if f := (*faultError)(nil); errors.As(e, &f) {
			fields = append(fields, f.field)
		}
	}
	reply(w, http.StatusBadRequest, map[string]any{"error": strings.ReplaceAll(err.Error(), "\n", "; "), "fields": fields})
}

// unjoin takes an error of errors.Join apart.
func unjoin(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return []error{err}
}

func (s *Sim) endFaults(w http.ResponseWriter, r *http.Request) {
	id := 0
	if text := r.PathValue("id"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			fail(w, http.StatusBadRequest, "a fault's id is a number: GET /_sim/faults lists them")
			return
		}
		id = n
	}
	if s.EndFault(id) == 0 && id != 0 {
		fail(w, http.StatusNotFound, "no fault %d is active: GET /_sim/faults lists them", id)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
