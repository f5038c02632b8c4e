package collector

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/datafly/signal/collector/internal/bundle"
)

func TestGeneratedFilesAreFresh(t *testing.T) {
	files, err := bundle.Build(".")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("dist", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("dist/%s is stale: run go generate ./collector", name)
		}
	}
}

func get(h http.Handler, method string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/d.js", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestScriptIsSmall(t *testing.T) {
	const limit = 4 << 10
	if n := get(Handler(), "GET", "Accept-Encoding", "gzip").Body.Len(); n >= limit {
		t.Errorf("the script has %d bytes gzipped, want less than %d", n, limit)
	}
}

func TestCodings(t *testing.T) {
	h := Handler()
	for accept, want := range map[string]string{
		"": "", "gzip": "gzip", "br, gzip;q=0.8, *;q=0.1": "gzip", "GZIP": "gzip", "*": "gzip",
		"gzip;q=0": "", "gzip; q=0.0": "", "br": "", "identity": "", "gzipped": "",
	} {
		w := get(h, "GET", "Accept-Encoding", accept)
		if got := w.Header().Get("Content-Encoding"); got != want || w.Code != 200 {
			t.Errorf("Accept-Encoding %q: %d %q, want %q", accept, w.Code, got, want)
		}
		body := w.Body.Bytes()
		if want == "gzip" {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(body, Script()) {
			t.Errorf("Accept-Encoding %q: %d bytes, want the script", accept, len(body))
		}
	}
}

func TestHeadersOfTheScript(t *testing.T) {
	w := get(Handler(), "GET")
	for name, want := range map[string]string{
		"Content-Type":                 "text/javascript; charset=utf-8",
		"Cache-Control":                "public, max-age=3600, stale-while-revalidate=86400",
		"Vary":                         "Accept-Encoding",
		"Access-Control-Allow-Origin":  "*",
		"Cross-Origin-Resource-Policy": "cross-origin",
		"X-Content-Type-Options":       "nosniff",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestRevalidation(t *testing.T) {
	h := Handler()
	plain := get(h, "GET").Header().Get("ETag")
	small := get(h, "GET", "Accept-Encoding", "gzip").Header().Get("ETag")
	if plain == "" || plain == small {
		t.Fatalf("ETags %q and %q, want two", plain, small)
	}
	for _, tt := range []struct {
		name, accept, match string
		want                int
	}{
		{"the same", "", plain, 304},
		{"the same, weakened by a proxy", "", "W/" + plain, 304},
		{"one of several", "gzip", `"x", ` + small, 304},
		{"any", "", "*", 304},
		{"another coding", "gzip", plain, 200},
		{"another version", "", `"x"`, 200},
	} {
		w := get(h, "GET", "Accept-Encoding", tt.accept, "If-None-Match", tt.match)
		if w.Code != tt.want || (w.Body.Len() == 0) != (tt.want == 304) {
			t.Errorf("%s: %d with %d bytes, want %d", tt.name, w.Code, w.Body.Len(), tt.want)
		}
	}
	if w := get(h, "HEAD"); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("ETag") != plain {
		t.Errorf("HEAD: %d with %d bytes", w.Code, w.Body.Len())
	}
}
