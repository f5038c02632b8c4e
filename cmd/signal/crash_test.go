package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/datafly/signal/integrations/liveperson/lpsim"
)

// A child is `signal serve` in a process of its own, to be killed.
type child struct {
	t       testing.TB
	config  string
	gateway string
	console string
	log     *os.File
	cmd     *exec.Cmd
}

// configure writes the configuration: no gate, the simulator as LivePerson.
func (c *child) configure(data, simulator string) {
	c.t.Helper()
	src := fmt.Sprintf(rigConfig, data, "[]", "deny", simulator, "dialect: signal", "[]")
	for _, url := range []string{c.gateway, c.console} {
		src = strings.Replace(src, "127.0.0.1:0", strings.TrimPrefix(url, "http://"), 1)
	}
	if err := os.WriteFile(c.config, []byte(src), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { // a test that fails leaves no server behind
		if c.cmd != nil && c.cmd.ProcessState == nil {
			c.kill()
		}
	})
}

func (c *child) start() {
	c.t.Helper()
	c.cmd = exec.Command(os.Args[0], "serve", "--config", c.config)
	c.cmd.Env = append(os.Environ(), asSignal+"=1")
	c.cmd.Stderr = c.log
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	waitFor(c.t, 20*time.Second, "the server is ready", func() bool {
		resp, err := http.Get(c.gateway + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

func (c *child) kill() {
	c.t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	_ = c.cmd.Wait() // it says that it was killed
}

// arrivals writes down which orders of which visitor the simulator took, report
// by report.
type arrivals struct {
	next    http.Handler
	mu      sync.Mutex
	reports map[string][][]int
}

func (a *arrivals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		a.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut off by the kill
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var report struct {
		ConsumerID           string
		EngagementAttributes []struct{ OrderID string }
	}
	if json.Unmarshal(body, &report) == nil {
		var orders []int
		for _, sde := range report.EngagementAttributes {
			n, _ := strconv.Atoi(sde.OrderID)
			orders = append(orders, n)
		}
		a.mu.Lock()
		a.reports[report.ConsumerID] = append(a.reports[report.ConsumerID], orders)
		a.mu.Unlock()
	}
	a.next.ServeHTTP(w, r)
}

// shoppers post orders 1, 2, 3, … of each visitor, each until it is answered
// with 200, and write down the last that was.
func shop(ctx context.Context, gateway string, visitors int, answered []atomic.Int64) *sync.WaitGroup {
	var wg sync.WaitGroup
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: visitors}}
	for v := range visitors {
		wg.Go(func() {
			for n := int64(1); ctx.Err() == nil; n++ {
				body := fmt.Sprintf(`{"event":"Order Completed","anonymousId":"visitor-%d","messageId":"%d-%d","properties":{"order_id":"%d","revenue":1.50,"currency":"EUR"}}`, v, v, n, n)
				for ctx.Err() == nil && !posted(ctx, client, gateway, body) {
					select {
					case <-ctx.Done():
					case <-time.After(5 * time.Millisecond):
					}
				}
				if ctx.Err() == nil {
					answered[v].Store(n)
				}
			}
		})
	}
	return &wg
}

func posted(ctx context.Context, client *http.Client, gateway, body string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, gateway+"/v1/t", strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer dk_test_shop")
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}

// Kill -9 under load, again and again on the same data: every answered event is
// delivered, none out of order within a visitor, and only what was under way
// arrives twice.
func TestKill(t *testing.T) {
	const visitors = 24
	sim := &arrivals{next: lpsim.New(lpsim.Options{SessionCap: -1}).Handler(), reports: map[string][][]int{}}
	at := httptest.NewServer(sim)
	defer at.Close()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	gateway, console := freeAddr(t), freeAddr(t)
	c := &child{t: t, config: filepath.Join(dir, "signal.yaml"), gateway: "http://" + gateway, console: "http://" + console, log: log}
	c.configure(filepath.Join(dir, "data"), at.Listener.Addr().String())
	c.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answered := make([]atomic.Int64, visitors)
	load := shop(ctx, c.gateway, visitors, answered)
	for range kills {
		<-time.After(time.Duration(200+rand.IntN(600)) * time.Millisecond)
		c.kill()
		c.start()
	}
	<-time.After(500 * time.Millisecond)
	cancel()
	load.Wait()

	r := &rig{t: t, console: c.console}
	var total int64
	for v := range answered {
		total += answered[v].Load()
	}
	var seen counts
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(log.Name())
			t.Logf("answered %d, counted %+v; the log of the children:\n%s", total, seen, log)
		}
	})
	waitFor(t, time.Minute, "everything is delivered", func() bool {
		seen = r.overview()
		return seen.Accepted >= total && seen.Pending == 0
	})
	repeats := check(t, sim, answered)
	t.Logf("%d kills, %d orders answered, %d accepted, %d delivered, %d reports arrived twice", kills, total, seen.Accepted, seen.Delivered, repeats)
	if most := kills * visitors; repeats > most {
		t.Errorf("%d reports arrived twice, at most %d were under way when killed", repeats, most)
	}
	if seen.Delivered != seen.Accepted || seen.Dead != 0 || seen.Filtered != 0 {
		t.Errorf("counts = %+v, want all delivered", seen)
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"verify", "--data", filepath.Join(dir, "data")}, streams{nil, &out, &errs}); code != 0 {
		t.Errorf("verify ended with %d:\n%s%s", code, &out, &errs)
	}
}

// check holds what arrived against what was answered, and counts the reports
// that arrived twice. Such a one follows at once upon its first, possibly parted
// otherwise: nothing of the visitor came between.
func check(t *testing.T, sim *arrivals, answered []atomic.Int64) (repeats int) {
	t.Helper()
	sim.mu.Lock()
	defer sim.mu.Unlock()
	for v := range answered {
		id := fmt.Sprint("visitor-", v)
		begin, last, most := 1, 0, 0 // of the report before, and of all
		for _, report := range sim.reports[id] {
			for i, n := range report {
				if n != report[0]+i {
					t.Errorf("%s: a report has the orders %v, want them in order", id, report)
				}
			}
			switch report[0] {
			case last + 1:
			case begin:
				repeats++
			default:
				t.Errorf("%s: a report with the orders %v came behind %d to %d", id, report, begin, last)
			}
			begin, last = report[0], report[len(report)-1]
			most = max(most, last)
		}
		if most < int(answered[v].Load()) {
			t.Errorf("%s: %d orders arrived, %d were answered", id, most, answered[v].Load())
		}
	}
	return repeats
}
