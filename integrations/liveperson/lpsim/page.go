package lpsim

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"maps"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

//go:embed static templates
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"clock": func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"date":  func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05") },
	"iso":   func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") },
	"thousands": func(n int) string {
		s := strconv.Itoa(n)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	},
	"plural": func(n int, one string) string {
		if n == 1 {
			return one
		}
		return one + "s"
	},
	"status": statusText,
	"spell":  spell,
}).ParseFS(files, "templates/*.html"))

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// listed is how many visitors, and requests, a page lists.
const listed = 100

func (s *Sim) pages(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.showHome)
	mux.HandleFunc("GET /visitors/{name}", s.showHome)
	mux.HandleFunc("GET /requests", s.showRequests)
	mux.HandleFunc("GET /faults", s.showFaults)
	mux.HandleFunc("POST /faults", s.postFault)
	mux.HandleFunc("POST /faults/end", s.postEnd)
	mux.HandleFunc("GET /clock", s.showClockPage)
	mux.HandleFunc("POST /clock", s.postClockPage)
	mux.HandleFunc("GET /forget", s.showForget)
	mux.HandleFunc("POST /forget", s.postForget)
	mux.HandleFunc("GET /_sim/static/{file}", serveStatic)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.render(w, http.StatusNotFound, "missing.html", s.frame(r, "Not found"))
	})
}

// A frame is what every page has.
type frame struct {
	Title    string
	About    string
	Status   Status
	Faults   []Fault
	Version  uint64
	Back     string // where a form returns to
	Visitors []Summary
	Open     *pane
	Missing  string // the visitor asked for, when there is none
	Home     bool
	Requests []requestView
	Sub      string
	Older    string
	Form     faultForm
	Now      time.Time
	Ahead    string // how far the clock is from real time, in words; "" when it is not
	Idle     time.Duration
	MaxAge   time.Duration
	Answered string // how often each status was answered, in words
}

func (s *Sim) frame(r *http.Request, title string) *frame {
	f := &frame{
		Title: title, Status: s.glance(), Faults: s.faults.list(), Version: s.version.Load(), Back: r.URL.RequestURI(),
		Now: s.clock.now(), Ahead: aheadWords(s.clock.ahead()), Idle: s.o.IdleTimeout, MaxAge: s.o.MaxAge,
	}
	account := "any account"
	if !s.o.AnyAccount {
		names := slices.Sorted(maps.Keys(s.o.Accounts))
		account = "account " + names[0]
		if len(names) > 1 {
			account = fmt.Sprintf("%d accounts", len(names))
		}
	}
	mode := "strict"
	if s.o.Lenient {
		mode = "lenient"
	}
	dialect := map[string]string{DialectBoth: "both dialects", DialectSeed: "seed dialect", DialectReference: "reference dialect"}
	f.About = account + " · " + mode + " · " + dialect[f.Status.Dialect]
	return f
}

func (s *Sim) render(w http.ResponseWriter, status int, name string, f *frame) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, f); err != nil {
		s.o.Log.Error("simulator page not rendered", "page", name, "err", err)
		http.Error(w, "this page could not be made", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// showHome is the agent's view: the list, and one visitor opened.
func (s *Sim) showHome(w http.ResponseWriter, r *http.Request) {
	f := s.frame(r, "LivePerson simulator")
	f.Visitors, _ = s.summaries(listed)
	name, account := r.PathValue("name"), r.URL.Query().Get("account")
	f.Home = name == ""
	if f.Home && len(f.Visitors) > 0 {
		name, account = f.Visitors[0].Sub, f.Visitors[0].Account
	}
	if name == "" {
		s.render(w, http.StatusOK, "home.html", f)
		return
	}
	s.state.mu.Lock()
	v := s.state.lookup(account, name)
	if v == nil {
		s.state.mu.Unlock()
		f.Missing = name
		s.render(w, http.StatusNotFound, "home.html", f)
		return
	}
	back, called := s.readBack(v, f.Now, false, ""), v.called
	s.state.mu.Unlock()
	f.Open = s.pane(back, called)
	f.Title = f.Open.Name + " · LivePerson simulator"
	s.render(w, http.StatusOK, "home.html", f)
}

type requestView struct {
	Request
	What        string
	Good        bool
	HeaderLines []pair
	Pretty      string
	PrettyReply string
}

func (s *Sim) showRequests(w http.ResponseWriter, r *http.Request) {
	f := s.frame(r, "Requests · LivePerson simulator")
	f.Sub = strings.TrimSpace(r.URL.Query().Get("sub"))
	before, _ := strconv.ParseUint(r.URL.Query().Get("before"), 10, 64)
	records := s.log.pick(logFilter{name: f.Sub, before: before})
	if n := len(records); n > listed {
		records = records[n-listed:]
		f.Older = fmt.Sprintf("/requests?sub=%s&before=%d", template.URLQueryEscaper(f.Sub), records[0].seq)
	}
	slices.Reverse(records)
	f.Answered = answeredWords(f.Status.ByStatus)
	for _, rec := range records {
		v := requestView{Request: rec.public(), What: rec.kindsOf(), Good: rec.status == 200 || rec.status == 201}
		for _, k := range slices.Sorted(maps.Keys(rec.header)) {
			v.HeaderLines = append(v.HeaderLines, pair{k, strings.Join(rec.header[k], ", ")})
		}
		v.Pretty, v.PrettyReply = pretty(rec.body), pretty(rec.answer)
		f.Requests = append(f.Requests, v)
	}
	s.render(w, http.StatusOK, "requests.html", f)
}

// answeredWords says how often each status was answered: "200 × 12, cut × 1".
func answeredWords(byStatus map[string]int) string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		parts = append(parts, fmt.Sprintf("%s × %d", status, byStatus[status]))
	}
	return strings.Join(parts, ", ")
}

// pretty indents JSON and leaves anything else as it is.
func pretty(b []byte) string {
	const most = 64 << 10
	if len(b) > most {
		return strings.ToValidUTF8(string(b[:most]), "�") + fmt.Sprintf("\n… %d bytes in all", len(b))
	}
	v := jsontext.Value(bytes.Clone(b))
	if len(b) == 0 || v.Indent(jsontext.WithIndent("  ")) != nil {
		return strings.ToValidUTF8(string(b), "�")
	}
	return string(v)
}

func (s *Sim) showForget(w http.ResponseWriter, r *http.Request) {
	f := s.frame(r, "Forget all · LivePerson simulator")
	s.render(w, http.StatusOK, "forget.html", f)
}

func (s *Sim) postForget(w http.ResponseWriter, r *http.Request) {
	s.Forget()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// stream tells open pages that something changed, twice a second at most.
func (s *Sim) stream(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	last, quiet := uint64(0), 0
	for first := true; ; first = false {
		now := s.version.Load()
		switch quiet++; {
		case first, now != last:
			quiet = 0
			_, _ = fmt.Fprintf(w, "id: %d\ndata: {\"version\":%[1]d}\n\n", now)
		case quiet == 30:
			quiet = 0
			_, _ = fmt.Fprint(w, ": still here\n\n")
		}
		last = now
		if rc.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

var etags = func() map[string]string {
	out := map[string]string{}
	entries, err := files.ReadDir("static")
	if err != nil {
		panic("lpsim: static files are not embedded: " + err.Error())
	}
	for _, e := range entries {
		b, _ := files.ReadFile("static/" + e.Name())
		sum := sha256.Sum256(b)
		out[e.Name()] = `"` + hex.EncodeToString(sum[:8]) + `"`
	}
	return out
}()

func serveStatic(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	b, err := files.ReadFile("static/" + name)
	if err != nil {
		fail(w, http.StatusNotFound, "there is no file of that name")
		return
	}
	h := w.Header()
	h.Set("ETag", etags[name])
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
}
