package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/datafly/signal/integrations/liveperson/lpsim"
)

// The figures of docs/performance.md that concern the whole program. Each holds
// Signal against the least that could do the same, in one run.

const benchEvent = `{"type":"track","event":"Order Completed","messageId":"%s","anonymousId":"%s","properties":{"order_id":"DRV1534XC","revenue":11.70,"currency":"USD","products":[{"product_id":"M-1","name":"Stoneware mug","category":"Mugs","price":29.90,"quantity":2},{"product_id":"T-9","name":"Assam tea 250 g","category":"Tea","price":24.90,"quantity":1}]},"context":{"page":{"url":"https://www.kettleandpine.example/checkout/confirmation","path":"/checkout/confirmation","title":"Thank you","referrer":"https://www.kettleandpine.example/checkout"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36","locale":"en-GB","timezone":"Europe/London","screen":{"width":1440,"height":900},"consent":{"categories":{"C0001":true,"C0004":true}},"library":{"name":"@datafly/collector","version":"1.0.0"}},"timestamp":"2026-02-25T14:30:00.000Z","sentAt":"2026-02-25T14:30:00.100Z"}`

// BenchmarkIngest posts from 64 connections, single events and ten a POST, to a
// bare server that appends to a file with group fsync, to the gateway with its
// journal, and to a whole Signal that processes and delivers meanwhile.
func BenchmarkIngest(b *testing.B) {
	for _, per := range []int{1, 10} {
		b.Run(fmt.Sprintf("bare/per=%d", per), func(b *testing.B) {
			s := httptest.NewServer(newBareServer(b))
			defer s.Close()
			pound(b, s.Listener.Addr().String(), per)
		})
		b.Run(fmt.Sprintf("gateway/per=%d", per), func(b *testing.B) {
			r := startRig(b, rigOptions{roles: []string{"gateway"}})
			pound(b, strings.TrimPrefix(r.gateway, "http://"), per)
		})
		b.Run(fmt.Sprintf("whole/per=%d", per), func(b *testing.B) {
			r := startRig(b, rigOptions{settings: "dialect: signal, concurrency: 1"})
			pound(b, strings.TrimPrefix(r.gateway, "http://"), per)
			b.StopTimer()
			r.cancel()
		})
	}
}

// newBareServer appends each body to a file and answers once it is synced.
func newBareServer(b *testing.B) http.Handler {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	type write struct {
		data []byte
		done chan error
	}
	writes := make(chan write, 4096)
	go func() {
		for first := range writes {
			batch := []write{first}
			for more := true; more; {
				select {
				case w := <-writes:
					batch = append(batch, w)
				default:
					more = false
				}
			}
			var data []byte
			for _, w := range batch {
				data = append(data, w.data...)
			}
			_, err := f.Write(data)
			if err == nil {
				err = f.Sync()
			}
			for _, w := range batch {
				w.done <- err
			}
		}
	}()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		done := make(chan error, 1)
		writes <- write{body, done}
		if err := <-done; err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"success":true}`)
	})
}

// pound posts b.N events over 64 connections and reports events/s and how long
// answers took.
func pound(b *testing.B, addr string, per int) {
	const connections = 64
	var next atomic.Int64
	took := make([][]time.Duration, connections)
	var wg sync.WaitGroup
	b.ResetTimer()
	for c := range connections {
		wg.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for {
				n := next.Add(int64(per))
				if n > int64(b.N)+int64(per)-1 {
					return
				}
				request := postBytes(addr, n, per)
				began := time.Now()
				if err := exchange(conn, answers, request); err != nil {
					b.Error(err)
					return
				}
				took[c] = append(took[c], time.Since(began))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	quantiles(b, slices.Concat(took...))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(0, "ns/op")
}

func postBytes(addr string, n int64, per int) []byte {
	var body bytes.Buffer
	path := "/v1/t"
	if per != 1 {
		path = "/v1/batch"
		body.WriteString(`{"batch":[`)
	}
	for i := range per {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, benchEvent, "m"+strconv.FormatInt(n*1000+int64(i), 36)+strconv.FormatInt(time.Now().UnixNano(), 36), "visitor-"+strconv.FormatInt((n+int64(i))%5000, 10))
	}
	if per != 1 {
		body.WriteString(`]}`)
	}
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer dk_test_shop\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, addr, body.Len(), &body)
}

func exchange(conn net.Conn, answers *bufio.Reader, request []byte) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s %w", resp.StatusCode, answer, err)
	}
	return nil
}

func quantiles(b *testing.B, took []time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	for _, q := range []int{50, 99} {
		b.ReportMetric(float64(took[len(took)*q/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", q))
	}
}

// BenchmarkDelivery sends reports of many visitors into the simulator: by a bare
// http.Client loop, and through gateway, journals and delivery.
func BenchmarkDelivery(b *testing.B) {
	const workers = 64
	sim := httptest.NewServer(lpsim.New(lpsim.Options{SessionCap: -1}).Handler())
	defer sim.Close()
	b.Run("bare", func(b *testing.B) {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
		var next atomic.Int64
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
					if err := bareReport(client, sim.URL, n); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "delivered/s")
		b.ReportMetric(0, "ns/op")
	})
	b.Run("signal", func(b *testing.B) {
		r := startRig(b, rigOptions{settings: "dialect: signal, concurrency: 64", simulator: sim})
		addr := strings.TrimPrefix(r.gateway, "http://")
		before := r.overview()
		b.ResetTimer()
		var next atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					b.Error(err)
					return
				}
				defer conn.Close()
				answers := bufio.NewReader(conn)
				for n := next.Add(100) - 100; n < int64(b.N); n = next.Add(100) - 100 {
					if err := exchange(conn, answers, postBytes(addr, n, min(100, b.N-int(n)))); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		r.until(func() bool {
			c := r.overview()
			return c.Delivered-before.Delivered >= int64(b.N) && c.Pending == 0
		}, "all is delivered")
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "delivered/s")
		b.ReportMetric(0, "ns/op")
	})
}

func bareReport(client *http.Client, sim string, n int64) error {
	visitor := fmt.Sprintf("visitor-%d", n%5000)
	body := fmt.Sprintf(`{"consumerId":%q,"identities":[{"iss":"Datafly","acr":"0","sub":%q}],"entryPoints":["https://www.kettleandpine.example/checkout/confirmation"],"engagementAttributes":[{"type":"purchase","total":11.70,"currency":"USD","orderId":"DRV1534XC"}]}`, visitor, visitor)
	req, err := http.NewRequest(http.MethodPost, sim+"/api/account/"+lpsim.DefaultAccount+"/app/"+lpsim.DefaultApp+"/report?v=1.0", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		return fmt.Errorf("%d %s %w", resp.StatusCode, answer, err)
	}
	return nil
}

// BenchmarkLatency posts 500 events a second, evenly, and reports how long each
// took from its POST to its arrival at the simulator.
func BenchmarkLatency(b *testing.B) {
	arrived := make(chan string, 10_000)
	sim := lpsim.New(lpsim.Options{SessionCap: -1}).Handler()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			if _, rest, ok := strings.Cut(string(body), `"consumerId":"`); ok {
				id, _, _ := strings.Cut(rest, `"`)
				arrived <- id
			}
		}
		sim.ServeHTTP(w, r)
	}))
	defer s.Close()
	r := startRig(b, rigOptions{settings: "dialect: signal, concurrency: 64", simulator: s})
	sent := map[string]time.Time{}
	var mu sync.Mutex
	var took []time.Duration
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var collecting sync.WaitGroup
	collecting.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case id := <-arrived:
				mu.Lock()
				took = append(took, time.Since(sent[id]))
				mu.Unlock()
			}
		}
	})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	var posting sync.WaitGroup
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	b.ResetTimer()
	for n := range b.N {
		<-tick.C
		posting.Go(func() {
			id := fmt.Sprint("visitor-", n) // one event each: no lane waits
			mu.Lock()
			sent[id] = time.Now()
			mu.Unlock()
			req, _ := http.NewRequest(http.MethodPost, r.gateway+"/v1/t", strings.NewReader(fmt.Sprintf(benchEvent, "m-"+id, id)))
			req.Header.Set("Authorization", "Bearer dk_test_shop")
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		})
	}
	posting.Wait()
	r.until(func() bool { mu.Lock(); defer mu.Unlock(); return len(took) >= b.N }, "all arrived")
	b.StopTimer()
	cancel()
	collecting.Wait()
	quantiles(b, took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkProcess starts the program anew each time and reports how long it
// takes to be ready and the memory that it holds: idle, and after a load of
// 20,000 events that were delivered.
func BenchmarkProcess(b *testing.B) {
	sim := httptest.NewServer(lpsim.New(lpsim.Options{SessionCap: -1}).Handler())
	defer sim.Close()
	for b.Loop() {
		dir := b.TempDir()
		gateway, console := freeAddr(b), freeAddr(b)
		log, err := os.Create(filepath.Join(dir, "log"))
		if err != nil {
			b.Fatal(err)
		}
		c := &child{t: b, config: filepath.Join(dir, "signal.yaml"), gateway: "http://" + gateway, console: "http://" + console, log: log}
		c.configure(filepath.Join(dir, "data"), sim.Listener.Addr().String())
		began := time.Now()
		c.start()
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ready-ms")
		b.ReportMetric(c.resident(), "idle-MiB")
		conn, err := net.Dial("tcp", gateway)
		if err != nil {
			b.Fatal(err)
		}
		answers := bufio.NewReader(conn)
		for n := range int64(200) {
			if err := exchange(conn, answers, postBytes(gateway, n*100, 100)); err != nil {
				b.Fatal(err)
			}
		}
		_ = conn.Close()
		r := &rig{t: b, console: c.console}
		most := 0.0
		r.until(func() bool { most = max(most, c.resident()); return r.overview().Delivered >= 20_000 }, "the load is delivered")
		b.ReportMetric(most, "loaded-MiB")
		c.kill()
		_ = log.Close()
	}
	b.ReportMetric(0, "ns/op")
}

// resident is the memory that the child holds, in MiB.
func (c *child) resident() float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0 // no such file on this system
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return 0
	}
	kb, _ := strconv.ParseFloat(string(m[1]), 64)
	return kb / 1024
}
