package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/event"
)

func TestKeyPlaces(t *testing.T) {
	basic := func(user string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user))
	}
	tests := []struct {
		name    string
		target  string
		body    string
		headers []string
		want    string // the pipeline; "" for 401
	}{
		{name: "Bearer", headers: []string{bearer}, want: "shop"},
		{name: "Bearer in lower case", headers: []string{"Authorization: bearer " + shopKey}, want: "shop"},
		{name: "Basic user name without password", headers: []string{basic(shopKey + ":")}, want: "shop"},
		{name: "Basic user name with a password that is ignored", headers: []string{basic(shopKey + ":x:y")}, want: "shop"},
		{name: "Basic user name without a colon", headers: []string{basic(shopKey)}, want: "shop"},
		{name: "writeKey in the body", body: `{"writeKey":"` + shopKey + `"}`, want: "shop"},
		{name: "wk in the query", target: "/v1/p?a=b&wk=" + shopKey, want: "shop"},
		{name: "wk in the query, escaped", target: "/v1/p?wk=%64k_test_shop", want: "shop"},
		{name: "the header counts before the query", target: "/v1/p?wk=" + openKey, headers: []string{bearer}, want: "shop"},
		{name: "the query counts before the body", target: "/v1/p?wk=" + openKey, body: `{"writeKey":"` + shopKey + `"}`, want: "open"},
		{name: "a wrong header is not mended by the body", headers: []string{"Authorization: Bearer x"}, body: `{"writeKey":"` + shopKey + `"}`},
		{name: "a header of another scheme holds no key", headers: []string{"Authorization: Digest x"}, body: `{"writeKey":"` + shopKey + `"}`, want: "shop"},
		{name: "an empty Basic user holds no key", headers: []string{basic(":x")}, target: "/v1/p?wk=" + shopKey, want: "shop"},
		{name: "Basic that is no base64 holds no key", headers: []string{"Authorization: Basic %%%"}},
		{name: "none"},
		{name: "a key that is part of one", headers: []string{"Authorization: Bearer dk_test"}},
		{name: "a very long key", headers: []string{"Authorization: Bearer " + strings.Repeat("k", 5000)}},
		{name: "writeKey of a batch", target: "/v1/batch", body: `{"batch":[{"type":"page","writeKey":"x"}],"writeKey":"` + shopKey + `"}`, want: "shop"},
		{name: "writeKey of a batch's event is not the batch's", target: "/v1/batch", body: `{"batch":[{"type":"page","writeKey":"` + shopKey + `"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, d := gateway(t, nil)
			if tt.target == "" {
				tt.target = "/v1/p"
			}
			if tt.body == "" {
				tt.body = "{}"
			}
			w := call(g, "POST", tt.target, tt.body, tt.headers...)
			got := d.all()
			switch {
			case tt.want == "" && (w.Code != 401 || len(got) != 0):
				t.Errorf("%d %s, stored %d, want 401 and none", w.Code, w.Body, len(got))
			case tt.want != "" && (w.Code != 200 || len(got) != 1 || got[0].Pipeline != tt.want):
				t.Errorf("%d %s, stored %+v, want 200 and one for %s", w.Code, w.Body, got, tt.want)
			}
		})
	}
}

func TestContentTypes(t *testing.T) {
	tests := []struct {
		value string
		want  int
	}{
		{"application/json", 200}, {"text/plain", 200}, {"text/plain;charset=UTF-8", 200},
		{"Application/JSON; Charset=\"utf-8\"", 200}, {"text/plain; charset=us-ascii", 200}, {"", 200},
		{"application/json; charset=iso-8859-1", 415}, {"text/plain; charset=utf-16", 415},
		{"application/x-www-form-urlencoded", 415}, {"text/html", 415}, {"multipart/form-data; boundary=x", 415},
		{"nonsense", 415}, {";", 415}, {"application/json; charset", 415},
	}
	for _, tt := range tests {
		g, _ := gateway(t, nil)
		if w := call(g, "POST", "/v1/p", "{}", bearer, "Content-Type: "+tt.value); w.Code != tt.want {
			t.Errorf("Content-Type %q: %d %s, want %d", tt.value, w.Code, w.Body, tt.want)
		}
	}
	g, _ := gateway(t, nil)
	if w := call(g, "POST", "/v1/p", "{}", bearer); w.Code != 200 {
		t.Errorf("no Content-Type: %d", w.Code)
	}
	if w := call(g, "POST", "/v1/p", "{}", bearer, asJSON, "Content-Type: text/plain"); w.Code != 415 {
		t.Errorf("two Content-Types: %d", w.Code)
	}
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, s)
	_ = z.Close()
	return b.String()
}

func TestContentEncodings(t *testing.T) {
	bomb := zipped(`{"batch":[` + strings.Repeat(" ", 60<<20) + `]}`)
	full := `{"batch":[{"type":"page"}]}` + strings.Repeat(" ", event.MaxBody-27)
	tests := []struct {
		name   string
		coding string
		body   string
		status int
		code   string
	}{
		{"gzip", "gzip", zipped(`{"batch":[{"type":"page"}]}`), 200, ""},
		{"GZIP by another name", "X-GZip", zipped(`{"batch":[{"type":"page"}]}`), 200, ""},
		{"exactly the limit", "gzip", zipped(full), 200, ""},
		{"one byte over the limit", "gzip", zipped(full + " "), 413, "PAYLOAD_TOO_LARGE"},
		{"a bomb of 60 MiB in 60 KiB", "gzip", bomb, 413, "PAYLOAD_TOO_LARGE"},
		{"two members that are over together", "gzip", zipped(full) + zipped("  "), 413, "PAYLOAD_TOO_LARGE"},
		{"not gzip", "gzip", `{"batch":[]}`, 400, "INVALID_JSON"},
		{"nothing", "gzip", ``, 400, "INVALID_JSON"},
		{"cut off", "gzip", zipped(`{"batch":[{"type":"page"}]}`)[:30], 400, "INVALID_JSON"},
		{"garbage behind it", "gzip", zipped(`{"batch":[{"type":"page"}]}`) + "xx", 400, "INVALID_JSON"},
		{"identity", "identity", `{"batch":[{"type":"page"}]}`, 200, ""},
		{"brotli", "br", `x`, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"twice", "gzip, gzip", `x`, 415, "UNSUPPORTED_MEDIA_TYPE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := gateway(t, nil)
			w := call(g, "POST", "/v1/batch", tt.body, bearer, "Content-Encoding: "+tt.coding)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.code) {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, tt.status, tt.code)
			}
		})
	}
}

func TestABodyThatIsMemoryUsedBeforeIsNotMixedUp(t *testing.T) {
	g, d := gateway(t, nil)
	for i := range 20 {
		call(g, "POST", "/v1/t", fmt.Sprintf(`{"event":"e%d"%s}`, i, strings.Repeat(" ", (20-i)*50)), bearer)
	}
	for i, r := range d.all() {
		if want := fmt.Sprintf(`{"event":"e%d"`, i); !strings.HasPrefix(string(r.Body), want) {
			t.Errorf("event %d is %s", i, r.Body)
		}
	}
}

// raw sends bytes over a socket of its own and reads the answer.
func raw(t *testing.T, url string, parts ...string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for _, p := range parts {
		if _, err := io.WriteString(conn, p); err != nil {
			t.Fatal(err)
		}
	}
	return readAnswer(t, conn)
}

func TestASlowBodyIsGivenUp(t *testing.T) {
	g, d := gateway(t, func(o *Options) { o.BodyTimeout = 50 * time.Millisecond })
	s := httptest.NewServer(g.Handler())
	t.Cleanup(s.Close)
	r, body := raw(t, s.URL, "POST /v1/p HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+shopKey+"\r\nContent-Length: 20\r\n\r\n{")
	if r.StatusCode != 408 || !strings.Contains(body, "REQUEST_TIMEOUT") || len(d.all()) != 0 {
		t.Errorf("%d %s, stored %d", r.StatusCode, body, len(d.all()))
	}
}

func TestARefusalDoesNotWaitForASlowBody(t *testing.T) {
	g, _ := gateway(t, func(o *Options) { o.BodyTimeout = 50 * time.Millisecond })
	s := httptest.NewServer(g.Handler())
	t.Cleanup(s.Close)
	for target, want := range map[string]int{"/v1/p?wk=wrong": 401, "/nowhere": 404} {
		r, body := raw(t, s.URL, "POST "+target+" HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{")
		if r.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", target, r.StatusCode, body, want)
		}
	}
}

func TestTheDeadlineOfABodyDoesNotEndTheConnection(t *testing.T) {
	// The commit takes longer than a body may: the deadline must be gone by then.
	gate := make(chan struct{})
	g, _ := gateway(t, func(o *Options) {
		o.BodyTimeout = 20 * time.Millisecond
		o.Committer.(*disk).gate = gate
	})
	s := httptest.NewServer(g.Handler())
	t.Cleanup(s.Close)
	timer := time.AfterFunc(100*time.Millisecond, func() { close(gate) })
	defer timer.Stop()
	const post = "POST /v1/p HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + shopKey + "\r\nContent-Length: 2\r\n\r\n{}"
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for range 2 {
		if _, err := io.WriteString(conn, post); err != nil {
			t.Fatal(err)
		}
		if r, body := readAnswer(t, conn); r.StatusCode != 200 {
			t.Errorf("%d %s", r.StatusCode, body)
		}
	}
}

func TestAnnouncedSizeIsRefusedBeforeItComes(t *testing.T) {
	g, _ := gateway(t, nil)
	s := httptest.NewServer(g.Handler())
	t.Cleanup(s.Close)
	r, body := raw(t, s.URL, "POST /v1/p HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+shopKey+"\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n")
	if r.StatusCode != 413 || !strings.Contains(body, "PAYLOAD_TOO_LARGE") {
		t.Errorf("%d %s", r.StatusCode, body)
	}
}

func TestABodyWithoutEndIsCutOff(t *testing.T) {
	g, _ := gateway(t, nil)
	s := httptest.NewServer(g.Handler())
	t.Cleanup(s.Close)
	chunk := "10000\r\n" + strings.Repeat(" ", 0x10000) + "\r\n"
	r, body := raw(t, s.URL, "POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+shopKey+"\r\nTransfer-Encoding: chunked\r\n\r\n"+strings.Repeat(chunk, 9))
	if r.StatusCode != 413 || !strings.Contains(body, "PAYLOAD_TOO_LARGE") {
		t.Errorf("%d %s", r.StatusCode, body)
	}
}

func readAnswer(t *testing.T, conn net.Conn) (*http.Response, string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(body)
}
