// Package console serves the console's listener: the pages for people, the
// Management API for scripts, and what operators probe. Pages (console/web) and
// API (console/api) are two faces of the same operations (console/desk).
//
//	people ──> console/web ─┐
//	                        ├──> console/desk ──> store, hub, process
//	scripts ─> console/api ─┘
package console

import (
	"net/http"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/api"
	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/console/web"
	"github.com/datafly/signal/ops"
)

// What main hands over.
type (
	// Options are what the console works on.
	Options = desk.Options
	// IntegrationStatus is how one integration fares.
	IntegrationStatus = desk.IntegrationStatus
	// Rate is how fast an integration sends.
	Rate = desk.Rate
	// Proof is what `signal verify` found.
	Proof = desk.Proof
	// Token is an API token of the configuration.
	Token = auth.Token
)

// New makes the handler of the console's listener: /v1/admin/…, the pages,
// /healthz, /readyz and /metrics. Its error says what is wrong with the tokens.
// Streams end with their request, so end the server with its base context.
func New(o Options) (http.Handler, error) {
	who, err := auth.New(o.Store, auth.Options{Tokens: o.Tokens, Secure: o.Secure, Passwords: o.Passwords})
	if err != nil {
		return nil, err
	}
	d := desk.New(o)
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", ops.Healthz())
	mux.Handle("GET /readyz", ops.Readyz(o.Ready...))
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	mux.Handle("/v1/admin/", who.Wrap(api.New(d, who, o.Version)))
	mux.Handle("/", web.New(d, who))
	return mux, nil
}
