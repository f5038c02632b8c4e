package ingest

import (
	"net/http"
	"strings"

	"github.com/datafly/signal/event"
)

// A route is what one path answers.
type route struct {
	method  string // GET routes take HEAD too
	handler http.HandlerFunc
}

// table lists every path. The standard mux is not used because its own 404 and
// 405 are plain text.
func (g *Gateway) table() map[string]route {
	routes := map[string]route{
		"/d.js":       {http.MethodGet, g.opts.Collector.ServeHTTP},
		"/datafly.js": {http.MethodGet, g.opts.Collector.ServeHTTP},
		"/healthz":    {http.MethodGet, g.healthz},
		"/readyz":     {http.MethodGet, g.readyz},
		"/v1/batch":   {http.MethodPost, g.batch},
		"/v1/b":       {http.MethodPost, g.batch}, // Segment's script calls /v1/b and /v1/s
	}
	for path, t := range map[string]event.Type{
		"/v1/t": event.Track, "/v1/track": event.Track,
		"/v1/p": event.Page, "/v1/page": event.Page,
		"/v1/i": event.Identify, "/v1/identify": event.Identify,
		"/v1/g": event.Group, "/v1/group": event.Group,
		"/v1/s": event.Screen, "/v1/screen": event.Screen,
	} {
		routes[path] = route{http.MethodPost, func(w http.ResponseWriter, r *http.Request) { g.single(w, r, t) }}
	}
	return routes
}

// Handler gives the gateway's HTTP side.
func (g *Gateway) Handler() http.Handler { return http.HandlerFunc(g.serve) }

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) {
	g.hurry(w, r)
	events := strings.HasPrefix(r.URL.Path, "/v1/")
	if events {
		g.sites.Load().allowAny(w.Header(), r.Header.Get("Origin"))
	}
	found, ok := g.routes[r.URL.Path]
	if !ok {
		refuse(w, refusal{http.StatusNotFound, "NOT_FOUND", "no such address here; events go to /v1/track, /v1/page, /v1/identify, /v1/group, /v1/screen or /v1/batch"})
		return
	}
	allow := found.method + ", OPTIONS"
	if found.method == http.MethodGet {
		allow = "GET, HEAD, OPTIONS"
	}
	switch {
	case r.Method == found.method, r.Method == http.MethodHead && found.method == http.MethodGet:
		found.handler(w, r)
	case r.Method == http.MethodOptions && events && r.Header.Get("Origin") != "":
		g.preflight(w, r, allow)
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", allow)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", allow)
		refuse(w, refusal{http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "this address takes " + found.method})
	}
}

func (g *Gateway) healthz(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, []byte(`{"status":"ok"}`))
}

func (g *Gateway) readyz(w http.ResponseWriter, r *http.Request) {
	if err := g.opts.Ready(r.Context()); err != nil {
		w.Header().Set("Retry-After", retryAfter)
		refuse(w, refusal{http.StatusServiceUnavailable, "NOT_READY", err.Error()})
		return
	}
	answer(w, http.StatusOK, []byte(`{"status":"ready"}`))
}
