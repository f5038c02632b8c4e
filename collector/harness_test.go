package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// sent is an event as it reached the gateway.
type sent struct {
	Type        string
	Event       string
	Name        string
	GroupID     string
	UserID      string
	AnonymousID string
	MessageID   string
	Timestamp   time.Time
	Properties  map[string]any
	Traits      map[string]any
	Context     struct {
		Page struct{ URL, Path, Referrer, Title, Search string }

		UserAgent, Locale, Timezone string

		Screen   map[string]int
		Campaign map[string]string
		Cookies  map[string]string
		Library  map[string]string
		Consent  map[string]map[string]bool
	}
}

// post is one request of the script.
type post struct {
	query  string
	media  string
	cookie bool // it came with credentials
	bytes  int
	sentAt time.Time
	events []sent
}

// gate stands in for the gateway: it serves the script and takes batches.
type gate struct {
	*httptest.Server
	mu     sync.Mutex
	posts  []post
	open   bool               // answers as for a pipeline without listed origins
	answer func(post int) int // the status of the n-th POST, from 0; nil is 200
	bad    []string           // POSTs that were no batch
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{}
	mux := http.NewServeMux()
	mux.Handle("GET /d.js", Handler())
	mux.HandleFunc("POST /v1/batch", g.take)
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	return g
}

func (g *gate) take(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var body struct {
		Batch  []sent
		SentAt time.Time
	}
	err := json.Unmarshal(text, &body)
	_, noCookie := r.Cookie("probe")
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.bad = append(g.bad, err.Error())
	}
	status := http.StatusOK
	if g.answer != nil {
		status = g.answer(len(g.posts))
	}
	p := post{query: r.URL.RawQuery, media: r.Header.Get("Content-Type"), cookie: noCookie == nil, bytes: len(text), sentAt: body.SentAt}
	if status == http.StatusOK {
		p.events = body.Batch
	}
	g.posts = append(g.posts, p)
	h := w.Header()
	if g.open {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"success":true}`)
}

func (g *gate) all() (posts []post, events []sent) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.posts {
		events = append(events, p.events...)
	}
	return append([]post(nil), g.posts...), events
}

// wait gives the first n events, or fails the test.
func (g *gate) wait(t *testing.T, n int) []sent {
	t.Helper()
	var events []sent
	until(t, func() bool { _, events = g.all(); return len(events) >= n }, func() string {
		return fmt.Sprintf("%d events came, want %d: %s", len(events), n, kinds(events))
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.bad {
		t.Errorf("a POST was no batch: %s", b)
	}
	return events
}

// until asks again and again, for at most 10 s.
func until(t *testing.T, ok func() bool, why func() string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal(why())
		}
	}
}

// kinds words events for a comparison: "page track:Order Completed".
func kinds(events []sent) string {
	var out []string
	for _, e := range events {
		s := e.Type
		if e.Event != "" {
			s += ":" + e.Event
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// site serves one page at every path, with GATE in the place of the gateway's
// address. It is another origin than the gateway.
func site(t *testing.T, g *gate, html string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/favicon.ico" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><title>Shop %s</title>%s", r.URL.Path, strings.ReplaceAll(html, "GATE", g.URL))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// load is the tag of the install guide.
const load = `<script async src="GATE/d.js" data-pipeline-key="dk_test_shop"></script>`

// settled waits until the script is there.
var settled = chromedp.Poll[chromedp.Void](`window.datafly && datafly.version`)

// engine is the one browser of all tests. It is started by the first that
// needs it and ended by TestMain.
var engine struct {
	once sync.Once
	ctx  context.Context
	end  func()
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if engine.end != nil {
		engine.end()
	}
	os.Exit(code)
}

func startEngine() {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	all, endAll := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(all)
	engine.ctx, engine.end = ctx, func() { end(); endAll() }
	engine.err = chromedp.Do(ctx)
}

// browser gives a tab. Where there is no Chromium it skips the test and says so.
func browser(t *testing.T) context.Context {
	t.Helper()
	engine.once.Do(startEngine)
	if engine.ctx == nil {
		t.Skip("no chromium on this machine: the collector is not tested in a browser here")
	}
	if engine.err != nil {
		t.Fatal(engine.err)
	}
	tab, end := chromedp.NewContext(engine.ctx)
	t.Cleanup(end)
	if err := chromedp.Do(tab); err != nil { // the tab lives as long as the context of this call
		t.Fatal(err)
	}
	return tab
}

// run does the actions in order. One that met a page on its way out is done
// again on the next.
func run(t *testing.T, tab context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, end := context.WithTimeout(tab, 30*time.Second)
	defer end()
	for _, action := range actions {
		err := chromedp.Do(ctx, action)
		for err != nil && strings.Contains(err.Error(), "Cannot find context") && ctx.Err() == nil {
			<-time.After(20 * time.Millisecond)
			err = chromedp.Do(ctx, action)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// js runs a script in the page, which fails the test when it throws.
func js(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void]("{" + script + "}")
}

// hurry makes the script send what it has: it does so when the browser is back
// online.
var hurry = js(`dispatchEvent(new Event("online"))`)

// ask gives the value of an expression in the page.
func ask[T any](t *testing.T, tab context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(tab, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
