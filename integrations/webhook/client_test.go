package webhook_test

import (
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/webhook"
)

// verified is what a receiver does with a request, written from the guide and
// not from the code.
func verified(r *http.Request, secret string, now time.Time) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	ms, err := strconv.ParseInt(r.Header.Get("X-Signal-Timestamp"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("no timestamp: %w", err)
	}
	if age := now.Sub(time.UnixMilli(ms)).Abs(); age > 5*time.Minute {
		return nil, fmt.Errorf("the timestamp is %v off", age)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(mac, "%d.%s", ms, body)
	want := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	if got := r.Header.Get("X-Signal-Signature"); !hmac.Equal([]byte(got), []byte(want)) {
		return nil, fmt.Errorf("the signature is %s, want %s", got, want)
	}
	return body, nil
}

// receive gives a connection to a server and a request for it, with settings
// over those of given.
func receive(t testing.TB, h http.HandlerFunc, more map[string]any) (*webhook.Connection, integrations.Request) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	all := map[string]any{"url": server.URL + "/hook"}
	for name, v := range more {
		all[name] = v
		if query, ok := strings.CutPrefix(fmt.Sprint(v), "?"); ok && name == "url" {
			all[name] = server.URL + "/hook?" + query
		}
	}
	c := connect(t, all)
	return c, *c.Build(integrations.Visit{}, []integrations.Item{item("M1", `{}`, `{"messageId":"M1","properties":{"revenue":11.70,"note":"é <&>"}}`)}).Request
}

func TestAReceiverCanVerify(t *testing.T) {
	type seen struct {
		body   []byte
		err    error
		header http.Header
		method string
		uri    string
		host   string
	}
	var got seen
	h := func(w http.ResponseWriter, r *http.Request) {
		got = seen{header: r.Header.Clone(), method: r.Method, uri: r.RequestURI, host: r.Host}
		got.body, got.err = verified(r, longSecret, time.Now())
		w.WriteHeader(http.StatusAccepted)
	}
	c, r := receive(t, h, map[string]any{
		"method": "PUT", "url": "?token=abc&x=%20", "bearer": "tok-123456",
		"headers": map[string]any{"X-Api-Key": "key-123456", "Content-Type": "application/x+json"},
	})
	result := c.Send(t.Context(), r)
	if result.Verdict != attempt.Delivered || result.Status != 202 || result.Took <= 0 {
		t.Fatalf("result = %+v", result)
	}
	if got.err != nil || string(got.body) != `{"messageId":"M1","properties":{"revenue":11.70,"note":"é <&>"}}` {
		t.Errorf("the receiver says %v of %s", got.err, got.body)
	}
	if got.method != "PUT" || got.uri != "/hook?token=abc&x=%20" {
		t.Errorf("%s %s", got.method, got.uri)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer tok-123456", "X-Api-Key": "key-123456", "Content-Type": "application/x+json",
		"User-Agent": "Signal/1.2.0", "X-Signal-Message-Id": "M1", "Content-Length": strconv.Itoa(len(got.body)),
	} {
		if v := got.header.Values(name); len(v) != 1 || v[0] != want {
			t.Errorf("%s: %q, want %q once", name, v, want)
		}
	}
	for name, values := range got.header {
		if strings.Contains(strings.Join(values, ""), "•") {
			t.Errorf("%s went out with dots: %q", name, values)
		}
	}
}

// Two tries of one request are alike but for the time, so that the second is as
// fresh as the first.
func TestEachTryIsSignedAnew(t *testing.T) {
	var stamps, ids []string
	h := func(w http.ResponseWriter, r *http.Request) {
		if _, err := verified(r, longSecret, time.Now()); err != nil {
			t.Error(err)
		}
		stamps, ids = append(stamps, r.Header.Get("X-Signal-Timestamp")), append(ids, r.Header.Get("X-Signal-Message-Id"))
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	c, r := receive(t, h, nil)
	for len(stamps) < 2 || stamps[0] == stamps[len(stamps)-1] { // until the millisecond has passed
		if got := c.Send(t.Context(), r); got.Verdict != attempt.Retry || !got.Outage {
			t.Fatalf("result = %+v", got)
		}
	}
	for _, id := range ids {
		if id != "M1" {
			t.Errorf("the message ids are %q", ids)
		}
	}
}

func TestNothingIsSignedWithoutASecret(t *testing.T) {
	var header http.Header
	c, r := receive(t, func(_ http.ResponseWriter, r *http.Request) { header = r.Header.Clone() }, map[string]any{"secret": nil})
	if got := c.Send(t.Context(), r); got.Verdict != attempt.Delivered {
		t.Fatalf("result = %+v", got)
	}
	for _, name := range []string{"X-Signal-Timestamp", "X-Signal-Signature", "Authorization"} {
		if v, ok := header[name]; ok {
			t.Errorf("%s: %q", name, v)
		}
	}
}

func TestBasicAuthentication(t *testing.T) {
	var user, password string
	h := func(_ http.ResponseWriter, r *http.Request) { user, password, _ = r.BasicAuth() }
	c, r := receive(t, h, map[string]any{"basic": map[string]any{"user": "me", "password": "a:b c"}})
	if c.Send(t.Context(), r); user != "me" || password != "a:b c" {
		t.Errorf("%q, %q", user, password)
	}
}

// A batch is signed like a single event, over the bytes of the whole list.
func TestABatchIsSignedWhole(t *testing.T) {
	var body []byte
	h := func(_ http.ResponseWriter, r *http.Request) {
		var err error
		if body, err = verified(r, longSecret, time.Now()); err != nil {
			t.Error(err)
		}
	}
	c, _ := receive(t, h, map[string]any{"batch": 3})
	built := c.Build(integrations.Visit{}, []integrations.Item{item("M1", `{}`, `{"n":1}`), item("M2", `{}`, `{"n":2}`)})
	if c.Send(t.Context(), *built.Request); string(body) != `[{"n":1},{"n":2}]` {
		t.Errorf("body = %s", body)
	}
}

// rawly is a handler that writes bytes as they are and closes the connection.
func rawly(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(c, text)
		_ = c.Close()
	}
}

func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestSendEveryOddAnswer(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    attempt.Verdict
		status  int
		cause   string
		wait    time.Duration
		body    string
	}{
		{name: "taken, without a word", handler: say(204, ""), want: attempt.Delivered, status: 204},
		{name: "taken, with a page", handler: say(200, "<html>ok</html>"), want: attempt.Delivered, status: 200, body: "<html>ok</html>"},
		{name: "taken, and cut off", handler: rawly("HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\nhello"), want: attempt.Delivered, status: 200, body: "hello"},
		{name: "taken, with more than is kept", handler: say(200, strings.Repeat("a", 70<<10)), want: attempt.Delivered, status: 200, body: strings.Repeat("a", 64<<10)},
		{
			name: "taken, in gzip",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				_, _ = io.WriteString(z, "hello")
				_ = z.Close()
			},
			want: attempt.Delivered, status: 200, body: "hello",
		},
		{name: "bytes that are not text", handler: say(503, "\xff\xfe"), want: attempt.Retry, status: 503, cause: "unavailable", body: "\uFFFD"},
		{
			name: "slower, with a time",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "30")
				w.WriteHeader(http.StatusTooManyRequests)
			},
			want: attempt.Retry, status: 429, cause: "too_many_requests", wait: 30 * time.Second,
		},
		{
			name: "a redirect, which is not followed",
			handler: func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/hook" {
					t.Error("the redirect was followed")
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(http.StatusPermanentRedirect)
			},
			want: attempt.Hold, status: 308, cause: "redirect",
		},
		{name: "another protocol", handler: rawly("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), want: attempt.Hold, status: 101, cause: "foreign"},
		{name: "a hint before the answer", handler: rawly("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), want: attempt.Delivered, status: 200},
		{name: "a refused event", handler: say(422, `{"error":"no revenue"}`), want: attempt.Dead, status: 422, cause: "invalid", body: `{"error":"no revenue"}`},
		{name: "closed without a word", handler: rawly(""), want: attempt.Retry, cause: "connection_broken"},
		{name: "something that is not HTTP", handler: rawly("220 mail.example ESMTP\r\n"), want: attempt.Retry, cause: "not_http"},
		{
			name: "a reset",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					panic(err)
				}
				_ = c.(*net.TCPConn).SetLinger(0) // RST in the place of FIN
				_ = c.Close()
			},
			want: attempt.Retry, cause: "connection_broken",
		},
		{
			name: "no answer in time",
			handler: func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			},
			want: attempt.Retry, cause: "timeout",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, r := receive(t, tt.handler, map[string]any{"timeout": "1s"})
			got := c.Send(t.Context(), r)
			if got.Verdict != tt.want || got.Status != tt.status || got.Cause != tt.cause || got.RetryAfter != tt.wait || got.Answer.Body != tt.body {
				got.Answer.Body = fmt.Sprintf("%.80q", got.Answer.Body)
				t.Errorf("got %+v, want %v with %d, %s, %v, %.80q", got, tt.want, tt.status, tt.cause, tt.wait, tt.body)
			}
		})
	}
}

// Some receivers repeat a request in their answer, and answers are kept.
func TestAnswersAreKeptWithoutSecrets(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://example.com/"+r.URL.RawQuery)
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, "%s %s %v %s %s", longSecret, r.Header.Get("X-Api-Key"), r.Header.Get("Authorization"), r.URL.Query().Get("token"), r.Header.Get("Content-Type"))
	}
	c, r := receive(t, h, map[string]any{
		"url": "?token=hush%2Fquery", "basic": map[string]any{"user": "me", "password": "hush-password"}, "headers": map[string]any{"X-Api-Key": "hush-key"},
	})
	got := c.Send(t.Context(), r)
	if want := "•••• •••• Basic •••• •••• application/json"; got.Answer.Body != want {
		t.Errorf("body = %q, want %q", got.Answer.Body, want)
	}
	if got.Answer.Header["Location"] != "https://example.com/token=••••" || got.Answer.Header["Set-Cookie"] != "" {
		t.Errorf("header = %v", got.Answer.Header)
	}
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, "hush") || strings.Contains(text, longSecret) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte("me:hush-password"))) {
		t.Errorf("a secret is in %s", text)
	}
}

// A result that was not delivered may be logged: neither the address nor
// anything of the event is in it.
func TestSentencesHoldNothingOfTheRequest(t *testing.T) {
	for _, status := range []int{301, 400, 401, 404, 413, 418, 429, 500} {
		c, r := receive(t, say(status, "M1 11.70"), nil)
		got := c.Send(t.Context(), r)
		for _, part := range []string{"127.0.0.1", "/hook", "M1", "11.70"} {
			if text := got.Why + got.Remedy + got.Cause; strings.Contains(text, part) {
				t.Errorf("%d: %q is in %s", status, part, text)
			}
		}
	}
}

// The certificate of a test's server is signed by nobody we know.
func TestACertificateThatIsNotValidIsTriedAgain(t *testing.T) {
	server := httptest.NewUnstartedServer(say(200, ""))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	c := connect(t, map[string]any{"url": server.URL})
	got := c.Send(t.Context(), *c.Build(integrations.Visit{}, []integrations.Item{item("M1", `{}`, `{"a":1}`)}).Request)
	if got.Verdict != attempt.Retry || got.Cause != "certificate" || !got.Outage {
		t.Errorf("result = %+v", got)
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}
	c, r := receive(t, h, nil)
	if got := c.Send(ctx, r); got.Verdict != attempt.Retry || got.Cause != "stopped" || got.Outage {
		t.Errorf("result = %+v", got)
	}
}

// A connection is used by many lanes at once.
func TestManySendAtOnce(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	h := func(_ http.ResponseWriter, r *http.Request) {
		if _, err := verified(r, longSecret, time.Now()); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		seen[r.Header.Get("X-Signal-Message-Id")]++
	}
	c, _ := receive(t, h, nil)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			built := c.Build(integrations.Visit{}, []integrations.Item{item(strconv.Itoa(i), `{}`, `{"a":1}`)})
			if got := c.Send(t.Context(), *built.Request); got.Verdict != attempt.Delivered {
				t.Errorf("result = %+v", got)
			}
		})
	}
	wg.Wait()
	c.Close()
	c.Close()
	if len(seen) != 50 {
		t.Errorf("%d message ids arrived, want 50", len(seen))
	}
}
