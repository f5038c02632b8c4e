package lpsim

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// benchVisitors report over and over, each in its own session.
const benchVisitors = 1000

// begin makes a simulator in which the visitors have sessions, and gives query
// and body of a report of each: a cart with two lines, 420 bytes.
func begin(b *testing.B, o Options) (s *Sim, queries, bodies []string) {
	b.Helper()
	s = New(o)
	queries, bodies = make([]string, benchVisitors), make([]string, benchVisitors)
	for i := range benchVisitors {
		bodies[i] = strings.ReplaceAll(attributes(examples["cart"]), "5be2f7a8", fmt.Sprintf("b-%d", i))
		got := send(b, s, try{body: bodies[i]})
		queries[i] = with(got.vid, got.sid)
	}
	return s, queries, bodies
}

// BenchmarkLoopback is one report over a kept connection: 64 connections with a
// light client that writes prepared bytes and reads status and length. Client
// and simulator share the processors, and both are in the figure.
func BenchmarkLoopback(b *testing.B) {
	for _, tt := range []struct {
		name  string
		quiet bool
	}{{"quiet", true}, {"kept", false}} {
		b.Run(tt.name, func(b *testing.B) {
			s, queries, bodies := begin(b, Options{Quiet: tt.quiet})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- s.ServeOn(ctx, l) }()
			requests := make([][]byte, benchVisitors)
			for i := range requests {
				requests[i] = fmt.Appendf(nil, "PUT %s?%s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
					address, queries[i], l.Addr(), len(bodies[i]), bodies[i])
			}
			var next atomic.Int64
			var clients sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			began := processorTime()
			for range 64 {
				clients.Go(func() {
					if err := report64(l.Addr().String(), requests, &next, int64(b.N)); err != nil {
						b.Error(err)
					}
				})
			}
			clients.Wait()
			b.StopTimer()
			perSecond(b, began)
			stop()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
	}
}

// report64 sends reports over one connection until n are sent by all.
func report64(addr string, requests [][]byte, next *atomic.Int64, n int64) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for i := next.Add(1); i <= n; i = next.Add(1) {
		if _, err := c.Write(requests[i%benchVisitors]); err != nil {
			return err
		}
		if err := readAnswer(r); err != nil {
			return err
		}
	}
	return nil
}

// readAnswer goes past one answer, which has to be a 200.
func readAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil || !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answer %q: %w", line, err)
	}
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			_, err := r.Discard(length)
			return err
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
	}
}

// BenchmarkReport is one report of a visitor with a session, through the
// handler alone.
func BenchmarkReport(b *testing.B) {
	for _, tt := range []struct {
		name  string
		quiet bool
	}{{"quiet", true}, {"kept", false}} {
		b.Run(tt.name, func(b *testing.B) {
			s, queries, bodies := begin(b, Options{Quiet: tt.quiet})
			h := s.Handler()
			var next atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			began := processorTime()
			b.RunParallel(func(pb *testing.PB) {
				header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Go-http-client/1.1"}}
				for pb.Next() {
					i := int(next.Add(1)) % benchVisitors
					r := httptest.NewRequest("PUT", address, strings.NewReader(bodies[i]))
					r.URL.RawQuery, r.Header = queries[i], header
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if w.Code != 200 {
						b.Fatalf("answer %d %s", w.Code, w.Body)
					}
				}
			})
			perSecond(b, began)
		})
	}
}

// perSecond reports the figures: reports in a second, and in a second of one
// processor, which a busy machine does not change.
func perSecond(b *testing.B, began time.Duration) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
	b.ReportMetric(float64(b.N)/(processorTime()-began).Seconds(), "reports/core-s")
}

// processorTime is what the process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
