package liveperson_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
)

// A network is one in memory, so that tests in a bubble need no other.
type network struct {
	mu      sync.Mutex
	hosts   map[string]*host // by address, with the port
	servers sync.WaitGroup
}

type host struct {
	conns  chan net.Conn
	closed chan struct{}
	server *http.Server
}

func newNetwork(t testing.TB) *network {
	n := &network{hosts: map[string]*host{}}
	t.Cleanup(n.close)
	return n
}

// serve lets an address answer.
func (n *network) serve(addr string, h http.HandlerFunc) {
	at := &host{conns: make(chan net.Conn), closed: make(chan struct{}), server: &http.Server{Handler: h}}
	n.mu.Lock()
	n.hosts[addr] = at
	n.mu.Unlock()
	n.servers.Go(func() { _ = at.server.Serve(at) })
}

// stop lets an address refuse connections from now on.
func (n *network) stop(addr string) {
	n.mu.Lock()
	at := n.hosts[addr]
	delete(n.hosts, addr)
	n.mu.Unlock()
	if at != nil {
		_ = at.server.Close()
	}
}

func (n *network) close() {
	n.mu.Lock()
	var all []string
	for addr := range n.hosts {
		all = append(all, addr)
	}
	n.mu.Unlock()
	for _, addr := range all {
		n.stop(addr)
	}
	n.servers.Wait()
}

// dial opens a connection to an address that answers.
func (n *network) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	at := n.hosts[addr]
	n.mu.Unlock()
	if name, _, _ := net.SplitHostPort(addr); name == "unknown.example" {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	if at == nil {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	here, there := net.Pipe()
	select {
	case at.conns <- there:
		return here, nil
	case <-at.closed:
	case <-ctx.Done():
	}
	_, _ = here.Close(), there.Close()
	return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
}

// Accept, Close and Addr make a host a listener.
func (h *host) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, errors.New("closed")
	}
}

func (h *host) Close() error {
	select {
	case <-h.closed:
	default:
		close(h.closed)
	}
	return nil
}

func (h *host) Addr() net.Addr { return &net.TCPAddr{} }

// opened are hosts that stand for LivePerson's in a network.
var opened = integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"lp.example", "moved.example", "unknown.example", "api.example"}}

// join gives a connection to lp.example in n.
func (n *network) join(t testing.TB, more map[string]any) *liveperson.Connection {
	t.Helper()
	settings := given(map[string]any{"monitoring_domain": "lp.example"})
	maps.Copy(settings, more)
	c, err := liveperson.New(liveperson.Options{Dial: n.dial}).Check(settings, opened)
	if err != nil {
		t.Fatal(err)
	}
	connection := c.(*liveperson.Connection)
	t.Cleanup(connection.Close)
	return connection
}

// An account answers reports as one of LivePerson's may.
type account struct {
	post, put    bool   // methods that it takes
	seedNames    bool   // with POST it knows cartStatus and searchContent
	noPages      bool   // it refuses a report without attributes
	noOwnIDs     bool   // it refuses ids that it did not give
	refuse       string // it answers everything with 400/5 and this message
	mu           sync.Mutex
	seen         []string // "POST 201"
	bodies, urls []string
}

func (a *account) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	status, message, code := a.judge(r, string(body))
	a.mu.Lock()
	a.seen = append(a.seen, r.Method+" "+strconv.Itoa(status))
	a.bodies, a.urls = append(a.bodies, string(body)), append(a.urls, r.URL.RequestURI())
	a.mu.Unlock()
	w.WriteHeader(status)
	if status/100 == 2 {
		_, _ = io.WriteString(w, success)
		return
	}
	_, _ = io.WriteString(w, `{"time":1,"message":"`+message+`","internalCode":`+strconv.Itoa(code)+`}`)
}

func (a *account) judge(r *http.Request, body string) (status int, message string, code int) {
	given := r.URL.Query().Get("vid")
	cartOrSearch := contains(body, "cartStatus", "searchContent")
	switch {
	case r.Method == http.MethodPost && !a.post, r.Method == http.MethodPut && !a.put:
		return 405, "Method Not Allowed", 0
	case a.refuse != "":
		return 400, a.refuse, 5
	case contains(body, `"engagementAttributes":[]`) && (a.noPages || r.Method == http.MethodPut):
		return 400, "engagementAttributes", 5
	case cartOrSearch && !(a.seedNames && r.Method == http.MethodPost):
		return 400, "engagementAttributes[0].type", 5
	case given != "" && given != "LV" && a.noOwnIDs:
		return 404, "invalid visitorId", 37
	case given == "":
		return 201, "", 0
	}
	return 200, "", 0
}

// took gives what was answered since it was asked last.
func (a *account) took() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.seen
	a.seen = nil
	return seen
}

// A courier does with items what delivery does: it builds, sends, and does what
// the answer means, until they ended.
type courier struct {
	*liveperson.Connection
	visit integrations.Visit
}

// send brings items to their end and names it.
func (c *courier) send(t testing.TB, items ...integrations.Item) (end string, last attempt.Result) {
	t.Helper()
	form := ""
	for range 6 {
		built := c.BuildAs(form, c.visit, items)
		if form == "" {
			built = c.Build(c.visit, items)
		}
		form = ""
		if built.Request == nil {
			c.visit = built.Visit
			return "carried", last
		}
		last = c.Send(t.Context(), *built.Request)
		switch last.Verdict {
		case attempt.Delivered:
			c.visit = built.Visit.Taken(last.IDs, items[0].Session.Sid)
			return "delivered", last
		case attempt.Rejoin:
			c.visit = integrations.Visit{Waiting: c.visit.Waiting, Bare: true, Refused: built.Request.IDs}
		case attempt.Reform:
			form = last.Form
		default:
			return last.Verdict.String(), last
		}
	}
	t.Fatalf("no end after 6 tries: %+v", last)
	return "", last
}

func contains(s string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(s, part) })
}
