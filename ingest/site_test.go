package ingest

import (
	"testing"

	"github.com/datafly/signal/store"
)

func TestCORSOfACall(t *testing.T) {
	tests := []struct {
		name    string
		headers []string
		body    string
		status  int
		origin  string // Access-Control-Allow-Origin
		creds   string
	}{
		{name: "a listed origin, with credentials", headers: []string{bearer, fromWeb}, status: 200, origin: shop, creds: "true"},
		{name: "case and the scheme's own port do not matter", headers: []string{bearer, "Origin: HTTPS://www.example.com:443"}, status: 200, origin: "HTTPS://www.example.com:443", creds: "true"},
		{name: "a closing slash in the settings does not matter", headers: []string{bearer, "Origin: http://localhost:3000"}, status: 200, origin: "http://localhost:3000", creds: "true"},
		{name: "another port is another origin", headers: []string{bearer, "Origin: https://www.example.com:8443"}, status: 403},
		{name: "another scheme is another origin", headers: []string{bearer, "Origin: http://www.example.com"}, status: 403},
		{name: "a subdomain is another origin", headers: []string{bearer, "Origin: https://a.www.example.com"}, status: 403},
		{name: "an opaque origin", headers: []string{bearer, "Origin: null"}, status: 403},
		{name: "no origin is no browser from elsewhere", headers: []string{bearer}, status: 200},
		{name: "any origin where none is listed, without credentials", headers: []string{open, "Origin: https://elsewhere.test"}, status: 200, origin: "*"},
		{name: "another pipeline's origin has no credentials here", headers: []string{open, fromWeb}, status: 200, origin: "*"},
		{name: "an error can be read by a listed origin", headers: []string{bearer, fromWeb}, body: "{", status: 400, origin: shop, creds: "true"},
		{name: "an error before the key is known, by any pipeline's", headers: []string{"Authorization: Bearer x", fromWeb}, status: 401, origin: shop, creds: "true"},
		{name: "an error before the key is known, by others", headers: []string{"Authorization: Bearer x", "Origin: https://elsewhere.test"}, status: 401, origin: "*"},
		{name: "the key in the body is judged too", headers: []string{"Origin: https://elsewhere.test"}, body: `{"writeKey":"` + shopKey + `"}`, status: 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, d := gateway(t, nil)
			if tt.body == "" {
				tt.body = "{}"
			}
			w := call(g, "POST", "/v1/p", tt.body, tt.headers...)
			h := w.Header()
			if w.Code != tt.status || h.Get("Access-Control-Allow-Origin") != tt.origin || h.Get("Access-Control-Allow-Credentials") != tt.creds {
				t.Errorf("%d %s with %v, want %d, origin %q, credentials %q", w.Code, w.Body, h, tt.status, tt.origin, tt.creds)
			}
			if h.Get("Vary") != "Origin" {
				t.Errorf("Vary = %q", h.Get("Vary"))
			}
			if n := len(d.all()); (n == 1) != (tt.status == 200) {
				t.Errorf("stored %d", n)
			}
			if tt.status == 403 && h.Get("Set-Cookie") != "" {
				t.Error("a refused origin got a cookie")
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	closed := []store.Pipeline{pipelines()[0], {Name: "blog", Key: "b", AllowedOrigins: []string{"https://blog.example.com"}}}
	tests := []struct {
		name      string
		pipelines []store.Pipeline
		origin    string
		status    int
		allow     string
		creds     string
	}{
		{name: "an origin of one pipeline", pipelines: closed, origin: shop, status: 204, allow: shop, creds: "true"},
		{name: "an origin of another pipeline", pipelines: closed, origin: "https://blog.example.com", status: 204, allow: "https://blog.example.com", creds: "true"},
		{name: "an origin of none", pipelines: closed, origin: "https://elsewhere.test", status: 403},
		{name: "an origin of none, where one pipeline takes any", pipelines: pipelines(), origin: "https://elsewhere.test", status: 204, allow: "*"},
		{name: "a listed origin, where one pipeline takes any", pipelines: pipelines(), origin: shop, status: 204, allow: shop, creds: "true"},
		{name: "a star in the list takes any", pipelines: []store.Pipeline{{Name: "s", Key: "s", AllowedOrigins: []string{"*"}}}, origin: shop, status: 204, allow: "*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := gateway(t, func(o *Options) { o.Pipelines = tt.pipelines })
			w := call(g, "OPTIONS", "/v1/batch", "", "Origin: "+tt.origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type,anonymousid")
			h := w.Header()
			if w.Code != tt.status || h.Get("Access-Control-Allow-Origin") != tt.allow || h.Get("Access-Control-Allow-Credentials") != tt.creds {
				t.Fatalf("%d with %v", w.Code, h)
			}
			if tt.status != 204 {
				return
			}
			if h.Get("Access-Control-Max-Age") != "7200" || h.Get("Access-Control-Allow-Methods") != "POST, OPTIONS" || h.Get("Access-Control-Allow-Headers") != "content-type,anonymousid" {
				t.Errorf("headers %v", h)
			}
		})
	}
}
