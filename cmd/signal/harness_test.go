package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/datafly/signal/config"
	"github.com/datafly/signal/integrations/liveperson/lpsim"
)

const adminToken = "token-of-the-tests"

// rig is a whole Signal in this process, with a LivePerson simulator behind it.
type rig struct {
	t         testing.TB
	sim       *httptest.Server
	simulator *lpsim.Sim
	gateway   string
	console   string
	dir       string
	server    *server

	stopOnce sync.Once
	cancel   context.CancelFunc
	done     chan error
}

// rigOptions are what a test may want otherwise. The zero value is a shop with
// the Retail preset, the dialect of the seed and no gate.
type rigOptions struct {
	dir        string
	settings   string // YAML, beside domain, account and app: "dialect: signal"
	categories string // "[marketing]"
	unknown    string // deny or allow
	sim        lpsim.Options
	simulator  *httptest.Server // of an earlier rig
	origins    string           // "[\"https://shop.example\"]"
	roles      []string         // none means all
}

const rigConfig = `
data: %q
gateway: {addr: "127.0.0.1:0"}
console: {addr: "127.0.0.1:0", api_tokens: [{name: tests, token: ` + adminToken + `, role: org_admin}, {name: looker, token: looker-of-the-tests, role: viewer}]}
outbound: {allow_http: true, allow_hosts: [127.0.0.1]}
pipelines:
  - name: shop
    key: dk_test_shop
    allowed_origins: %s
    consent: {when_unknown: %s, mapping: {C0004: marketing}}
    integrations:
      - name: liveperson
        vendor: liveperson
        settings: {monitoring_domain: %q, account_id: "12345678", app_installation_id: a1b2c3d4-1234-5678-90ab-cdef12345678, rate_limit: 100000, %s}
        consent_categories: %s
        preset: retail
`

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func startRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	r := &rig{t: t, dir: o.dir, sim: o.simulator, done: make(chan error, 1)}
	if r.dir == "" {
		r.dir = t.TempDir()
	}
	if r.sim == nil {
		o.sim.SessionCap = -1
		r.simulator = lpsim.New(o.sim)
		r.sim = httptest.NewServer(r.simulator.Handler())
		t.Cleanup(r.sim.Close)
	}
	src := fmt.Sprintf(rigConfig, r.dir, or(o.origins, "[]"), or(o.unknown, "deny"), r.sim.Listener.Addr().String(), or(o.settings, "dialect: signal"), or(o.categories, "[]"))
	cfg, err := config.Parse("rig.yaml", []byte(src), vendors())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	up := make(chan *server, 1)
	go func() {
		r.done <- serve(ctx, cfg, serveOptions{roles: o.roles, log: slog.New(slog.DiscardHandler), started: func(ctx context.Context, s *server) error {
			up <- s
			<-ctx.Done()
			return nil
		}})
	}()
	select {
	case r.server = <-up:
	case err := <-r.done:
		t.Fatalf("the server did not start: %v", err)
	}
	r.gateway, r.console = address(r.server.gatewayAt), address(r.server.consoleAt)
	t.Cleanup(r.stop)
	return r
}

// stop ends the server as SIGTERM does; it must not fail.
func (r *rig) stop() {
	r.stopOnce.Do(func() {
		r.cancel()
		if err := <-r.done; err != nil {
			r.t.Errorf("the server ended with %v", err)
		}
	})
}

// post sends a body to the gateway and gives status and answer.
func (r *rig) post(path, body string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.gateway+path, bytes.NewReader([]byte(body)))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer dk_test_shop")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// accept posts an event that must be taken.
func (r *rig) accept(body string) {
	r.t.Helper()
	if status, answer := r.post("/v1/batch", `{"batch":[`+body+`]}`); status != 200 {
		r.t.Fatalf("the gateway answered %d %s to %s", status, answer, body)
	}
}

// admin asks the Management API.
func (r *rig) admin(method, path string, into any) int {
	r.t.Helper()
	req, err := http.NewRequest(method, r.console+"/v1/admin/"+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	return r.read(req, into)
}

func (r *rig) read(req *http.Request, into any) int {
	r.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			r.t.Fatalf("%s answered %d %s: %v", req.URL, resp.StatusCode, b, err)
		}
	}
	return resp.StatusCode
}

// counts are those of GET /v1/admin/overview.
type counts struct {
	Accepted, Delivered, Carried, Filtered, Dead, Pending, Duplicates, Rejected int64
}

func (c counts) ended() int64 { return c.Delivered + c.Carried + c.Filtered + c.Dead }

func (r *rig) overview() counts {
	r.t.Helper()
	var c counts
	r.admin(http.MethodGet, "overview", &c)
	return c
}

// settle waits until n events are accepted and none is pending.
func (r *rig) settle(n int64) counts {
	r.t.Helper()
	var c counts
	r.until(func() bool {
		c = r.overview()
		return c.Accepted >= n && c.Pending == 0
	}, "all events ended")
	return c
}

// until waits for a condition that other goroutines bring about.
func (r *rig) until(ok func() bool, what string) {
	r.t.Helper()
	waitFor(r.t, 30*time.Second, what, ok)
}

func waitFor(t testing.TB, long time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(long)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", long, what)
		}
	}
}

// requests gives what the simulator got, oldest first.
func (r *rig) requests() []lpsim.Request {
	r.t.Helper()
	var out struct {
		Requests []lpsim.Request `json:"requests"`
	}
	req, err := http.NewRequest(http.MethodGet, r.sim.URL+"/_sim/requests?limit=10000", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.read(req, &out)
	return out.Requests
}

// fault tells the simulator to fail.
func (r *rig) fault(body string) { r.t.Helper(); r.simulate("faults", body) }

// simulate posts to a page of the simulator's control.
func (r *rig) simulate(page, body string) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.sim.URL+"/_sim/"+page, bytes.NewReader([]byte(body)))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if status := r.read(req, nil); status/100 != 2 {
		r.t.Fatalf("the simulator answered %d to %s %s", status, page, body)
	}
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
