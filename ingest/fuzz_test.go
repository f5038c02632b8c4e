package ingest

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/datafly/signal/event"
)

// lines is a log in memory.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// FuzzGateway sends anything at all. With a journal that works the answer is
// never a 5xx, a 200 means that exactly the accepted events are stored, and
// what is stored can be read by the rest of Signal.
func FuzzGateway(f *testing.F) {
	f.Add("/v1/t", []byte(`{"event":"x","messageId":"m"}`), "application/json", "", shop, "Bearer "+shopKey, "1.2.3.4", "_dfid="+uuid1)
	f.Add("/v1/batch", []byte(`{"batch":[{"type":"page"},{"type":5},{"type":"page","messageId":"m"},{"type":"page","messageId":"m"}],"writeKey":"dk_test_open"}`), "", "", "null", "", "", "")
	f.Add("/v1/batch?wk=dk_test_open&reset=1", []byte(zipped(`{"batch":[{"type":"page"}]}`)), "text/plain;charset=UTF-8", "gzip", "", "Basic eDo=", "x, y", "_dfid=x")
	f.Add("/v1/i", []byte{0xff, 0, '{'}, "text/plain; charset=\"", "gzip", "https://x", "Basic ", ",,,", ";;")
	f.Fuzz(func(t *testing.T, target string, body []byte, media, coding, origin, authorization, forwarded, cookie string) {
		g, d := gateway(t, func(o *Options) { o.NewAnonymousID, o.NewMessageID, o.Now = nil, nil, time.Now })
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		u, err := r.URL.Parse(target)
		if err != nil {
			return
		}
		r.URL = u
		for name, v := range map[string]string{"Content-Type": media, "Content-Encoding": coding, "Origin": origin, "Authorization": authorization, "X-Forwarded-For": forwarded, "Cookie": cookie, "User-Agent": forwarded} {
			if v != "" {
				r.Header[name] = []string{v}
			}
		}
		w := httptest.NewRecorder()
		g.Handler().ServeHTTP(w, r)
		checkAnswer(t, w, d.all())
	})
}

func checkAnswer(t *testing.T, w *httptest.ResponseRecorder, stored []event.Received) {
	t.Helper()
	if w.Code >= 500 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var got struct {
		Success  bool
		Accepted *int
		Error    *struct{ Code, Message string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("the answer is no JSON: %s", w.Body)
	}
	if w.Code != http.StatusOK {
		if len(stored) > 0 || got.Error == nil || got.Error.Code == "" || got.Error.Message == "" {
			t.Fatalf("%d %s with %d stored", w.Code, w.Body, len(stored))
		}
		return
	}
	ids := map[string]bool{}
	for _, r := range stored {
		if _, err := event.Decode(r); err != nil {
			t.Errorf("stored what cannot be read: %v", err)
		}
		if ids[r.MessageID] || r.MessageID == "" || r.AnonymousID == "" || r.Pipeline == "" {
			t.Errorf("stamps %+v", r)
		}
		ids[r.MessageID] = true
	}
	// Repeats within a batch are accepted and not stored again.
	if !got.Success || got.Accepted == nil && len(stored) != 1 || got.Accepted != nil && (*got.Accepted < len(stored) || len(stored) == 0) {
		t.Errorf("%s with %d stored", w.Body, len(stored))
	}
}
