// Package api is the Management API: the desk's operations as JSON over HTTP
// below /v1/admin/, described by OpenAPI 3.1 at /v1/admin/openapi.json. A caller
// is known by an API token or by the session of the console.
//
// It decides nothing: who may do what is decided by the operation.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
)

// New makes the handler of /v1/admin/. Wrap it with who.Wrap.
func New(d *desk.Desk, who *auth.Auth, version string) http.Handler {
	ownErrors()
	c := huma.DefaultConfig("Signal Management API", version)
	c.OpenAPIPath = "/v1/admin/openapi"
	c.DocsPath, c.SchemasPath = "", ""
	c.CreateHooks = nil // no $schema fields and no Link headers
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "An API token of the configuration."},
		"session": {Type: "apiKey", In: "cookie", Name: "signal_session", Description: "The session of the console."},
	}
	c.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	mux := http.NewServeMux()
	a := &server{desk: d, auth: who, api: humago.New(mux, c)}
	a.overview()
	a.events()
	a.dead()
	a.replays()
	a.configuration()
	a.people()
	mux.HandleFunc("/v1/admin/", func(w http.ResponseWriter, r *http.Request) {
		status, code := http.StatusNotFound, "NOT_FOUND"
		write(w, status, code, "There is no "+r.Method+" "+r.URL.Path+". See /v1/admin/openapi.json.")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		mux.ServeHTTP(w, r)
	})
}

// maxBody bounds what a call may send.
const maxBody = 1 << 20

type server struct {
	desk *desk.Desk
	auth *auth.Auth
	api  huma.API
}

// Error is the shape of every error: {"error":{"code","message"}}.
type Error struct {
	status int
	Body   struct {
		Code    string `json:"code" example:"NOT_FOUND" doc:"For scripts."`
		Message string `json:"message" doc:"For people: what is wrong, and what to do."`
	} `json:"error"`
}

// Error gives the sentence.
func (e *Error) Error() string { return e.Body.Message }

// GetStatus gives the HTTP status.
func (e *Error) GetStatus() int { return e.status }

func newError(status int, code, message string) *Error {
	e := &Error{status: status}
	e.Body.Code, e.Body.Message = code, message
	return e
}

func write(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(newError(status, code, message))
}

// ownErrors gives huma's own refusals the same shape. huma has one place for
// this in the whole process.
var ownErrors = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		parts := []string{upper(message)}
		for _, e := range errs {
			if e != nil {
				parts = append(parts, e.Error())
			}
		}
		if status == http.StatusUnprocessableEntity {
			status = http.StatusBadRequest
		}
		code := "INVALID_REQUEST"
		switch {
		case status == http.StatusRequestEntityTooLarge:
			code = "PAYLOAD_TOO_LARGE"
		case status == http.StatusUnsupportedMediaType:
			code = "UNSUPPORTED_MEDIA_TYPE"
		case status >= 500:
			code = "INTERNAL"
		}
		return newError(status, code, strings.Join(parts, ": ")+".")
	}
})

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// answer turns an error of an operation into the one that a script gets.
func (s *server) answer(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	for _, k := range []struct {
		kind   error
		status int
		code   string
	}{
		{desk.ErrNobody, http.StatusUnauthorized, "UNAUTHORIZED"},
		{desk.ErrRole, http.StatusForbidden, "FORBIDDEN"},
		{desk.ErrNotFound, http.StatusNotFound, "NOT_FOUND"},
		{desk.ErrInvalid, http.StatusBadRequest, "INVALID_REQUEST"},
		{desk.ErrFile, http.StatusConflict, "MANAGED_BY_FILE"},
		{desk.ErrTaken, http.StatusConflict, "TAKEN"},
		{desk.ErrAbsent, http.StatusNotImplemented, "NOT_AVAILABLE"},
	} {
		if errors.Is(err, k.kind) {
			return newError(k.status, k.code, err.Error())
		}
	}
	if ctx.Err() == nil {
		s.desk.Log().Error("a management call broke", "error", err)
	}
	return newError(http.StatusInternalServerError, "INTERNAL", "Signal could not answer. Its log has the reason.")
}

// A Body is an answer's body.
type body[T any] struct{ Body T }

// A list is an answer with all there is.
type list[T any] struct {
	Data []T `json:"data"`
}

// A page is an answer with a part, and how to ask for the next one.
type page[T any] struct {
	Data       []T     `json:"data"`
	NextCursor *string `json:"next_cursor"`
	HasMore    bool    `json:"has_more"`
}

func paged[T any](data []T, next string) *body[page[T]] {
	p := page[T]{Data: data, HasMore: next != ""}
	if next != "" {
		p.NextCursor = &next
	}
	return &body[page[T]]{p}
}

// get registers an operation without side effects.
func get[I, O any](s *server, path, summary string, f func(ctx context.Context, who auth.Actor, in *I) (*O, error)) {
	register(s, http.MethodGet, path, summary, f)
}

// register adds an operation; f gets who calls, and its errors become answers.
func register[I, O any](s *server, method, path, summary string, f func(ctx context.Context, who auth.Actor, in *I) (*O, error)) {
	huma.Register(s.api, operation(method, path, summary), func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, auth.From(ctx), in)
		if err != nil {
			return nil, s.answer(ctx, err)
		}
		return out, nil
	})
}

func operation(method, path, summary string) huma.Operation {
	return huma.Operation{
		OperationID: strings.ToLower(method) + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(path),
		Method:      method, Path: "/v1/admin" + path, Summary: summary, MaxBodyBytes: maxBody,
		Errors: []int{400, 401, 403, 404, 409, 500},
	}
}
