package lpsim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// BenchmarkReport is one report of a visitor with a session, through the
// handler.
func BenchmarkReport(b *testing.B) {
	for _, tt := range []struct {
		name  string
		quiet bool
	}{{"kept", false}, {"quiet", true}} {
		b.Run(tt.name, func(b *testing.B) {
			s := New(Options{Quiet: tt.quiet})
			h := s.Handler()
			const visitors = 1000
			queries, bodies := make([]string, visitors), make([]string, visitors)
			for i := range visitors {
				bodies[i] = strings.ReplaceAll(attributes(examples["cart"]), "5be2f7a8", fmt.Sprintf("b-%d", i))
				got := send(b, s, try{body: bodies[i]})
				queries[i] = with(got.vid, got.sid)
			}
			var next atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			began := processorTime()
			b.RunParallel(func(pb *testing.PB) {
				header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Go-http-client/1.1"}}
				for pb.Next() {
					i := int(next.Add(1)) % visitors
					r := httptest.NewRequest("PUT", address, strings.NewReader(bodies[i]))
					r.URL.RawQuery, r.Header = queries[i], header
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if w.Code != 200 {
						b.Fatalf("answer %d %s", w.Code, w.Body)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
			b.ReportMetric(float64(b.N)/(processorTime()-began).Seconds(), "reports/core-s")
		})
	}
}

// processorTime is what the process has used, so that a busy machine does not
// change the result.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
