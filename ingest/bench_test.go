package ingest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// null takes everything at once, so that a benchmark measures the gateway.
type null struct{}

func (null) Commit(context.Context, string, []byte) (uint64, int, error) { return 1, 0, nil }

func (null) CommitAll(context.Context, string, [][]byte) error { return nil }

// sink is a ResponseWriter that keeps only the status.
type sink struct {
	h      http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

// SetReadDeadline is there so that the benchmark does not count the making of
// an error that no server makes.
func (s *sink) SetReadDeadline(time.Time) error { return nil }

// order is a purchase as the collector sends it, about 1 KB.
const order = `{"type":"track","event":"Order Completed","properties":{"order_id":"DRV1534XC","revenue":11.70,"currency":"USD","products":[{"product_id":"SKU-1","name":"Espresso beans","category":"Coffee","price":5.85,"quantity":2}]},"anonymousId":"11111111-2222-4333-8444-555555555555","userId":null,"messageId":"@@@@@@@@@@@@","timestamp":"2026-02-25T14:30:00.000Z","context":{"page":{"url":"https://example.com/checkout/confirmation","path":"/checkout/confirmation","referrer":"https://example.com/checkout","title":"Thank you","search":""},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0 Safari/537.36","locale":"en-GB","timezone":"Europe/London","screen":{"width":1920,"height":1080},"campaign":{"source":"newsletter","medium":"email"},"consent":{"categories":{"C0002":true,"C0004":true},"canonical":{"essential":true,"marketing":true}},"library":{"name":"@datafly/collector","version":"0.1.0"}}}`

// BenchmarkSingle is one event from a browser, from the request to the answer,
// with a journal that takes it at once. Each messageId is another.
func BenchmarkSingle(b *testing.B) {
	benchmark(b, "/v1/t", func(next func() string) string { return strings.Replace(order, "@@@@@@@@@@@@", next(), 1) })
}

// BenchmarkBatch10 is ten events in one POST, as the collector sends them.
func BenchmarkBatch10(b *testing.B) {
	benchmark(b, "/v1/batch", func(next func() string) string {
		events := make([]string, 10)
		for i := range events {
			events[i] = strings.Replace(order, "@@@@@@@@@@@@", next(), 1)
		}
		return `{"batch":[` + strings.Join(events, ",") + `],"sentAt":"2026-02-25T14:30:00.000Z"}`
	})
}

func benchmark(b *testing.B, path string, body func(next func() string) string) {
	g := New(Options{Pipelines: pipelines(), Committer: null{}})
	h := g.Handler()
	var n atomic.Uint64
	next := func() string {
		const digits = "0123456789abcdef"
		id := []byte("000000000000")
		for i, v := len(id)-1, n.Add(1); v > 0; i, v = i-1, v/16 {
			id[i] = digits[v%16]
		}
		return string(id)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(body(next))))
	b.RunParallel(func(pb *testing.PB) {
		r := httptest.NewRequest("POST", path+"?wk="+shopKey, nil)
		r.Header.Set("Origin", shop)
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
		r.Header.Set("Cookie", "_dfid="+uuid1)
		w := &sink{h: http.Header{}}
		for pb.Next() {
			text := body(next)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			clear(w.h)
			h.ServeHTTP(w, r)
			if w.status != http.StatusOK {
				b.Fatalf("status %d", w.status)
			}
		}
	})
}
