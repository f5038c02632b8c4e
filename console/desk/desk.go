// Package desk holds what people can see and do with a running Signal: the
// operations behind both the Management API and the pages, so that neither can
// do what the other cannot. Each operation takes who asks, checks their role,
// and masks personal data for those who may not see it.
//
// Before it stand console/api and console/web; behind it the store, the live
// hub, and what the process hands over in Options.
package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/ops"
	"github.com/datafly/signal/process"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// Options are what the console works on. Store, Hub and Pipelines are needed;
// a nil function means that this process cannot do it, and the page and the
// API say so.
type Options struct {
	Store *store.Store
	Hub   *trace.Hub

	// Pipelines gives the pipelines in force. It is called often.
	Pipelines func() []store.Pipeline
	// Replay sends dead letters again through the current revision, at most
	// process.ReplayAtOnce, in the order given. Those that are sent or filtered
	// leave the dead letters. A dry run changes nothing.
	Replay func(ctx context.Context, ids []string, dry bool) (process.Replayed, error)
	// Find looks for stored events, and Resend sends the next n of them again.
	Find   func(ctx context.Context, s process.Selection) (*process.Found, error)
	Resend func(ctx context.Context, f *process.Found, n int, dry bool) (process.Replayed, error)
	// Resume ends the pause of an integration, by its ID, and reports whether it
	// runs here.
	Resume func(id string) bool
	// Forget lets an integration find out anew how its vendor wants to be spoken
	// to, by its ID, and reports whether it runs here. A pause ends with it.
	Forget func(id string) bool
	// Status gives how each integration fares. It is called often.
	Status func() []IntegrationStatus
	// Verify proves from the ledger that every accepted event has one outcome
	// for each integration or is pending.
	Verify func(ctx context.Context) (Proof, error)
	// Domain asks LivePerson for the monitoring domain of an account.
	Domain func(ctx context.Context, accountID string) (string, error)

	// Tokens are the API tokens of the configuration.
	Tokens []auth.Token
	// Secure says that the console is reached over HTTPS.
	Secure bool
	// Passwords is the cost of a password hash; the zero value is the default.
	Passwords auth.PasswordOptions

	// Endpoint is the public address of the gateway, for the snippet that people
	// copy: "https://data.example.com". Empty shows a place to fill in.
	Endpoint string
	// Version of the program, as people read it.
	Version string
	// Metrics serves /metrics; nil leaves it out.
	Metrics http.Handler
	// Ready are the checks of /readyz.
	Ready []ops.Check
	// Log takes faults of ours; nil discards.
	Log *slog.Logger
	// Now is the clock, nil for time.Now.
	Now func() time.Time
}

// Proof is what `signal verify` found.
type Proof = ledger.Proof

// A Desk serves the operations. It is safe for many goroutines.
type Desk struct {
	o       Options
	replays replays
}

// New makes a Desk.
func New(o Options) *Desk {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Pipelines == nil {
		o.Pipelines = func() []store.Pipeline { return nil }
	}
	if o.Status == nil {
		o.Status = func() []IntegrationStatus { return nil }
	}
	return &Desk{o: o}
}

// Errors that callers tell apart. Each comes wrapped in what was asked.
var (
	ErrNobody   = errors.New("nobody is signed in")
	ErrRole     = errors.New("this role may not do that")
	ErrNotFound = errors.New("there is no such thing")
	ErrInvalid  = errors.New("the request is wrong")
	ErrFile     = errors.New("this is managed by a file")
	ErrAbsent   = errors.New("this process cannot do that")
)

// A Fault is an error with the sentence that people read.
type Fault struct {
	Kind error // one of the errors above
	Say  string
}

// Error gives the sentence.
func (f *Fault) Error() string { return f.Say }

// Unwrap gives the kind.
func (f *Fault) Unwrap() error { return f.Kind }

func fault(kind error, format string, args ...any) error {
	return &Fault{kind, fmt.Sprintf(format, args...)}
}

// allow checks that who may do what needs a role.
func allow(who auth.Actor, need auth.Role) error {
	if !who.Known() {
		return fault(ErrNobody, "Sign in, or send an API token as Authorization: Bearer.")
	}
	if !who.Role.May(need) {
		return fault(ErrRole, "Your role is %s. This needs %s.", who.Role.Word(), need.Word())
	}
	return nil
}

// masks reports whether personal data is hidden from who.
func masks(who auth.Actor) bool { return !who.Role.May(auth.Editor) }

// Now is the desk's clock.
func (d *Desk) Now() time.Time { return d.o.Now() }

// Log takes faults of ours.
func (d *Desk) Log() *slog.Logger { return d.o.Log }
