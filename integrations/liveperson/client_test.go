package liveperson_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
)

const success = `{"sessionId":"LS","visitorId":"LV","pageId":"1674628973"}`

// say is a handler that answers with a status and a body.
func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
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

func reset(w http.ResponseWriter, _ *http.Request) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = c.(*net.TCPConn).SetLinger(0) // RST in the place of FIN
	_ = c.Close()
}

// hang answers nothing until the client goes away, which a server notices only
// once it has read the request.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// dial gives a connection to a server, and a request for it that has ids.
func dial(t testing.TB, timeout time.Duration, host string) (*liveperson.Connection, integrations.Request) {
	t.Helper()
	out := integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.1"}}
	v := liveperson.New(liveperson.Options{Timeout: timeout})
	connection, err := v.Check(given(map[string]any{"monitoring_domain": host}), out)
	if err != nil {
		t.Fatal(err)
	}
	c := connection.(*liveperson.Connection)
	t.Cleanup(c.Close)
	built := c.Build(integrations.Visit{}, []integrations.Item{item(`"entryPoints":["https://example.com/secret-path"],` + sdes(purchase))})
	return c, *built.Request
}

func TestSendEveryOddAnswer(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    attempt.Verdict
		status  int
		code    int
		ids     attempt.IDs
		anomaly string
		why     string
		answer  string // the body that is kept; "" not compared
	}{
		{
			name: "a visit that LivePerson knows", handler: say(200, success),
			want: attempt.Delivered, status: 200, ids: attempt.IDs{Visitor: "LV", Session: "LS"}, answer: success,
		},
		{
			name: "a new visit, as a stream of octets in chunks",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/octet-stream")
				w.WriteHeader(201)
				for _, part := range []string{success[:10], success[10:]} {
					_, _ = io.WriteString(w, part)
					w.(http.Flusher).Flush()
				}
			},
			want: attempt.Delivered, status: 201, ids: attempt.IDs{Visitor: "LV", Session: "LS"}, answer: success,
		},
		{
			name: "an answer in gzip",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				_, _ = io.WriteString(z, success)
				_ = z.Close()
			},
			want: attempt.Delivered, status: 200, ids: attempt.IDs{Visitor: "LV", Session: "LS"}, answer: success,
		},
		{
			name: "a success without a body", handler: say(200, ""),
			want: attempt.Delivered, status: 200, anomaly: "LivePerson took the report, but its answer was empty.",
		},
		{
			name: "a success whose body is a page", handler: say(201, "<html>hello</html>"),
			want: attempt.Delivered, status: 201, anomaly: "LivePerson took the report, but its answer was not LivePerson's JSON.", answer: "<html>hello</html>",
		},
		{
			name: "a success that names one id only", handler: say(200, `{"visitorId":"LV"}`),
			want: attempt.Delivered, status: 200, ids: attempt.IDs{Visitor: "LV"}, anomaly: "LivePerson took the report, but its answer did not name the visit.",
		},
		{
			name: "a success that is cut off", handler: rawly("HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n" + success[:20]),
			want: attempt.Delivered, status: 200, anomaly: "LivePerson took the report, but its answer was cut off.", answer: success[:20],
		},
		{
			name: "a success that does not end", handler: say(200, success+strings.Repeat(" ", 70<<10)),
			want: attempt.Delivered, status: 200, ids: attempt.IDs{Visitor: "LV", Session: "LS"}, anomaly: "LivePerson took the report, but its answer was cut off.",
		},
		{
			name: "a loading account", handler: say(202, `{"time":1,"message":"Loading account: 12345678, vid: LV","internalCode":38}`),
			want: attempt.Retry, status: 202, code: 38, ids: attempt.IDs{Visitor: "LV"}, why: "LivePerson is still loading this account.",
		},
		{
			name: "a refused field", handler: say(400, `{"time":1,"message":"lead.currency","internalCode":5}`),
			want: attempt.Dead, status: 400, code: 5, why: "LivePerson refused lead.currency.",
		},
		{
			name: "a refusal in a wrapper with text for a code", handler: say(400, `{"error":{"message":"Illegal Version","internalCode":"33"}}`),
			want: attempt.Reform, status: 400, code: 33, why: "LivePerson wants the other dialect.",
		},
		{
			name: "a refused visit", handler: say(404, `{"message":"invalid sessionId","internalCode":39}`),
			want: attempt.Rejoin, status: 404, code: 39, why: "LivePerson does not know this visit any more.",
		},
		{
			name: "a proxy's page", handler: say(502, "<html>Bad Gateway</html>"),
			want: attempt.Retry, status: 502, why: "LivePerson does not take reports now. It answered 502.", answer: "<html>Bad Gateway</html>",
		},
		{
			name: "a redirect, which is not followed",
			handler: func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/elsewhere" {
					t.Error("the redirect was followed")
				}
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			},
			want: attempt.Hold, status: 307, why: "LivePerson's address sends us elsewhere.",
		},
		{
			name: "bytes that are not text", handler: say(503, "\xff\xfe"),
			want: attempt.Retry, status: 503, why: "LivePerson does not take reports now. It answered 503.", answer: "\uFFFD",
		},
		{
			name: "no answer in time", handler: hang,
			want: attempt.Retry, why: "LivePerson does not take reports now. It gave no answer within 0.5 s.",
		},
		{
			name: "an answer whose body does not come in time",
			handler: func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, success[:20])
				w.(http.Flusher).Flush()
				hang(w, r)
			},
			want: attempt.Delivered, status: 200, anomaly: "LivePerson took the report, but its answer was cut off.",
		},
		{
			name: "a reset", handler: reset,
			want: attempt.Retry, why: "LivePerson does not take reports now. It broke the connection off.",
		},
		{
			name: "closed without a word", handler: rawly(""),
			want: attempt.Retry, why: "LivePerson does not take reports now. It broke the connection off.",
		},
		{
			name: "cut off within the head", handler: rawly("HTTP/1.1 200 OK\r\nContent-Le"),
			want: attempt.Retry, why: "LivePerson does not take reports now. Its answer was not HTTP.",
		},
		{
			name: "something that is not HTTP", handler: rawly("220 mail.example ESMTP\r\n"),
			want: attempt.Retry, why: "LivePerson does not take reports now. Its answer was not HTTP.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(tt.handler)
			defer srv.Close()
			c, r := dial(t, 500*time.Millisecond, srv.Listener.Addr().String())
			got := c.Send(t.Context(), r)
			if got.Verdict != tt.want || got.Status != tt.status || got.Code != tt.code || got.IDs != tt.ids {
				t.Errorf("got %v, status %d, code %d, ids %+v\nwant %v, %d, %d, %+v", got.Verdict, got.Status, got.Code, got.IDs, tt.want, tt.status, tt.code, tt.ids)
			}
			if got.Why != tt.why || got.Anomaly != tt.anomaly {
				t.Errorf("got why %q, anomaly %q\nwant %q, %q", got.Why, got.Anomaly, tt.why, tt.anomaly)
			}
			if tt.answer != "" && got.Answer.Body != tt.answer {
				t.Errorf("answer = %q, want %q", got.Answer.Body, tt.answer)
			}
			if got.Took <= 0 || len(got.Answer.Body) > 64<<10 {
				t.Errorf("took %v, answer of %d bytes", got.Took, len(got.Answer.Body))
			}
			if got.Verdict != attempt.Delivered && got.Remedy == "" {
				t.Error("there is no remedy")
			}
		})
	}
}

func TestSendWithoutAServer(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	plain := httptest.NewServer(say(200, success))
	defer plain.Close()
	self := httptest.NewUnstartedServer(say(200, success))
	self.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails
	self.StartTLS()
	defer self.Close()
	c, r := dial(t, 5*time.Second, gone.Listener.Addr().String())
	at := func(url string) integrations.Request {
		r := r
		r.URL = url + "/api/account/12345678/app/a1b2/report?v=1.0"
		return r
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name    string
		ctx     context.Context
		request integrations.Request
		want    attempt.Verdict
		why     string
	}{
		{"nobody listens", t.Context(), r, attempt.Retry, "LivePerson does not take reports now. It refused the connection."},
		{"a certificate of nobody", t.Context(), at(self.URL), attempt.Retry, "LivePerson does not take reports now. Its certificate is not valid."},
		{"plain HTTP where HTTPS should be", t.Context(), at("https://" + plain.Listener.Addr().String()), attempt.Retry, "LivePerson does not take reports now. No secure connection came about."},
		{"an address of our own network", t.Context(), at("https://localhost:1"), attempt.Hold, "LivePerson does not answer at this domain. Its address is not public, so Signal does not go there."},
		{"plain HTTP to a host that is not open", t.Context(), at("http://localhost:1"), attempt.Hold, "LivePerson is spoken to in HTTPS only, and the settings say plain HTTP."},
		{"an address that is none", t.Context(), at("http://%zz"), attempt.Hold, "The settings do not make an address."},
		{"Signal is stopping", stopped, r, attempt.Retry, "Signal stopped while the report was on its way."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := c.Send(tt.ctx, tt.request)
			if got.Verdict != tt.want || got.Why != tt.why || got.Remedy == "" {
				t.Errorf("got %v %q %q\nwant %v %q", got.Verdict, got.Why, got.Remedy, tt.want, tt.why)
			}
		})
	}
}

func TestSendSendsTheRequestAndNothingElse(t *testing.T) {
	var got *http.Request
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(context.Background())
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Set-Cookie", "LPVID=x")
		w.Header().Set("Retry-After", "7")
		say(429, "")(w, r)
	}))
	defer srv.Close()
	c, r := dial(t, 5*time.Second, srv.Listener.Addr().String())
	result := c.Send(t.Context(), r)
	if got.Method != "POST" || got.URL.RequestURI() != "/api/account/12345678/app/a1b2c3d4-1234-5678-90ab-cdef12345678/report?v=1.0&vid=V1&sid=S1" {
		t.Errorf("request = %s %s", got.Method, got.URL.RequestURI())
	}
	if !bytes.Equal(body, r.Body) {
		t.Errorf("body:\n got %s\nwant %s", body, r.Body)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Accept": "application/json", "Authorization": "", "Cookie": "", "Transfer-Encoding": ""} {
		if g := got.Header.Get(name); g != want {
			t.Errorf("header %s = %q, want %q", name, g, want)
		}
	}
	if got.ProtoMajor != 1 || got.ContentLength != int64(len(r.Body)) {
		t.Errorf("protocol %s, length %d", got.Proto, got.ContentLength)
	}
	if result.RetryAfter != 7*time.Second || result.Answer.Header["Retry-After"] != "7" {
		t.Errorf("pause %v, kept headers %v", result.RetryAfter, result.Answer.Header)
	}
	if result.Answer.Header["Set-Cookie"] != "" {
		t.Error("a cookie was kept")
	}
}

func TestSendKeepsItsConnections(t *testing.T) {
	addresses := map[string]bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addresses[r.RemoteAddr] = true
		say(200, success)(w, r)
	}))
	defer srv.Close()
	c, r := dial(t, 5*time.Second, srv.Listener.Addr().String())
	for range 5 {
		if got := c.Send(t.Context(), r); got.Verdict != attempt.Delivered {
			t.Fatal(got.Why)
		}
	}
	if len(addresses) != 1 {
		t.Errorf("5 reports took %d connections, want 1", len(addresses))
	}
}

func TestRateIsThatOfTheSettings(t *testing.T) {
	perSecond, concurrency := connect(t, map[string]any{"rate_limit": 12.5, "concurrency": 3}).Rate()
	if perSecond != 12.5 || concurrency != 3 {
		t.Errorf("Rate = %v, %d, want 12.5, 3", perSecond, concurrency)
	}
}

// Nothing of a report, of its address, or of the account may be in a log line or
// in the sentences that go into logs and dead letters.
func TestNothingPersonalIsSaidOrLogged(t *testing.T) {
	var logged bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil))) // log.Default goes there too
	t.Cleanup(func() { slog.SetDefault(slog.New(slog.NewTextHandler(log.Default().Writer(), nil))) })
	secrets := []string{"12345678", "a1b2c3d4", "ANON", "DRV1534XC", "11.70", "secret-path", "V1", "S1", "127.0.0.1", "report?v", "jane@example.com"}

	leaky := `{"message":"ANON jane@example.com 12345678 DRV1534XC","internalCode":%d}`
	var handlers []http.HandlerFunc
	for _, status := range []int{200, 202, 204, 301, 400, 401, 403, 404, 405, 413, 418, 429, 500, 503} {
		for _, code := range []int{0, 5, 18, 20, 33, 37} {
			handlers = append(handlers, say(status, fmt.Sprintf(leaky, code)))
		}
	}
	handlers = append(handlers, reset, rawly(""), rawly("jane@example.com\r\n"), say(400, `{"message":"ANON","internalCode":5}`))
	for i, h := range handlers {
		srv := httptest.NewServer(h)
		c, r := dial(t, 500*time.Millisecond, srv.Listener.Addr().String())
		got := c.Send(t.Context(), r)
		srv.Close()
		for _, said := range []string{got.Why, got.Remedy, got.Anomaly} {
			for _, s := range secrets {
				if strings.Contains(said, s) {
					t.Errorf("answer %d: %q holds %q", i, said, s)
				}
			}
		}
	}
	if logged.Len() > 0 {
		t.Errorf("logged: %s", logged.String())
	}
}

// The bodies of a request are what the journal and the debugger show, so they
// must be JSON and as small as can be.
func TestBodyIsCompactJSON(t *testing.T) {
	c := connect(t, nil)
	got := c.Build(integrations.Visit{}, []integrations.Item{item(`"entryPoints":["https://example.com/"],` + sdes(purchase, cart))})
	var small bytes.Buffer
	if err := json.Compact(&small, got.Request.Body); err != nil {
		t.Fatal(err)
	}
	if small.String() != string(got.Request.Body) {
		t.Errorf("body is %s, want %s", got.Request.Body, &small)
	}
}
