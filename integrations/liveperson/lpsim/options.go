package lpsim

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
)

// The account and app that the zero Options know.
const (
	DefaultAccount = "12345678"
	DefaultApp     = "a1b2c3d4-1234-5678-90ab-cdef12345678"
)

// Dialects say which form of a request the simulator takes.
const (
	// DialectBoth judges each request by the form it comes in.
	DialectBoth = "both"
	// DialectSeed takes plain POST and the names cartStatus and searchContent,
	// and refuses PUT with 405.
	DialectSeed = "seed"
	// DialectReference takes PUT, or POST with the override header, with
	// LivePerson's own names, and refuses plain POST with 405.
	DialectReference = "reference"
)

// Session modes say what an unknown or expired pair of ids meets (S10).
const (
	SessionCreate = "create" // a new session, 201
	SessionReject = "reject" // 404 with code 37 or 39
)

// Options tune a Sim. The zero value is ready for use: strict, both dialects,
// one account with one app.
type Options struct {
	// Dialect is DialectBoth (the default), DialectSeed or DialectReference.
	Dialect string

	// Lenient refuses only what LivePerson's pages say is refused.
	Lenient bool

	// Rules switches single rules and remarks on or off, by the names of
	// RuleNames, over what strict or lenient would say.
	Rules map[string]bool

	// Accounts holds the app keys of each account. Default: DefaultAccount
	// with DefaultApp.
	Accounts map[string][]string

	// AnyAccount takes every well-formed account with every app key.
	AnyAccount bool

	// RequireTLS refuses plain HTTP (T2), as RuleTLS does. Off by default, as
	// the simulator is for loopback.
	RequireTLS bool

	// SessionMode is SessionCreate (the default) or SessionReject.
	SessionMode string

	// IdleTimeout ends a session that was not used for so long. Default 30 min.
	IdleTimeout time.Duration
	// MaxAge ends a session so long after its first report. Default 6 h.
	MaxAge time.Duration

	// ColdCalls is how many first calls of each account are answered "loading
	// account" (S1, S2). Default 0.
	ColdCalls int
	// ColdFor is how long an account goes on loading after its first call.
	// Default 0.
	ColdFor time.Duration
	// ColdAfter makes an account cold again when it was not called for so
	// long. Default 0: never.
	ColdAfter time.Duration

	// EventCap is how many attributes a session takes before it is blocked and
	// a new one begun (S11). 0 means no cap.
	EventCap int
	// SessionCap is how many sessions an identity may begin in a minute (S12).
	// Default 20, which only a client that loses its ids reaches, and none if
	// lenient, as LivePerson tells no number; negative means no cap.
	SessionCap int
	// AccountCap is the same for a whole account. 0 means no cap.
	AccountCap int
	// CapStatus is the status of a capped call, 503 by default, or 500.
	CapStatus int

	// Engagements are what /engagement may offer.
	Engagements []Engagement
	// Conversations maps a sub to the id of its open conversation.
	Conversations map[string]string

	// Host is what the Domain API answers. Default: the host and port the
	// question was asked at.
	Host string
	// MovedHost, when set, is what the Domain API answers after MovedAfter
	// lookups; from then on calls to Host are cut off (D7).
	MovedHost  string
	MovedAfter int
	// HostList gives the answer of one service as a list (D1).
	HostList bool

	// ContentType of answers of the Monitoring API. Default
	// application/octet-stream, which LivePerson was seen to send.
	ContentType string
	// Chunked sends answers of the Monitoring API without Content-Length, as
	// LivePerson was seen to.
	Chunked bool
	// ExtraFields puts fields that nobody knows into success answers, which a
	// client has to bear.
	ExtraFields bool

	// MaxBody is the largest body taken, in bytes (T13). Default 1 MiB.
	MaxBody int

	// Faults are active from the start, in this order.
	Faults []Fault
	// Seed makes the chance of faults with a Rate come out the same in every
	// run that has the same requests in the same order. 0 takes a new one.
	Seed uint64

	// MaxRequests is how many requests are kept to look at; the oldest are
	// dropped, also when their bytes pass 64 MiB. Default 10,000.
	MaxRequests int
	// MaxVisitors is how many visitors are kept; the one not heard of for
	// longest is dropped, also when their histories pass 256 MiB. Default
	// 100,000. A visitor that was dropped begins anew.
	MaxVisitors int
	// MaxHistory is how many attributes are kept of one visitor. Default 500.
	MaxHistory int
	// Quiet keeps no headers and bodies of requests, for load tests.
	Quiet bool

	// Now is the clock that Sim.Advance and Sim.SetClock move away from.
	// Default time.Now.
	Now func() time.Time

	// Log gets the simulator's own faults. Nil discards. What visitors sent is
	// never logged.
	Log *slog.Logger
}

// An OptionError says what is wrong with one field of Options.
type OptionError struct {
	Option string // the field, such as SessionMode
	Why    string // with what to write instead
}

// Error names the option and what to write instead.
func (e *OptionError) Error() string { return e.Option + ": " + e.Why }

// Check names everything that is wrong with o, at once: its error joins one
// *OptionError for each fault.
func (o Options) Check() error {
	var errs []error
	bad := func(option, format string, args ...any) {
		errs = append(errs, &OptionError{option, fmt.Sprintf(format, args...)})
	}
	o.checkWords(bad)
	o.checkNumbers(bad)
	for _, name := range slices.Sorted(maps.Keys(o.Rules)) {
		if !slices.Contains(RuleNames(), name) {
			bad("Rules", "rule %q is not known: use one of %s", name, strings.Join(RuleNames(), ", "))
		}
	}
	for _, account := range slices.Sorted(maps.Keys(o.Accounts)) {
		if !isAccount(account) {
			bad("Accounts", "%q is no account id: use 1 to 20 letters, digits or _", account)
		}
	}
	if len(o.Faults) > maxFaults {
		bad("Faults", "%d are too many: use at most %d", len(o.Faults), maxFaults)
	}
	for _, f := range o.Faults {
		if err := f.check(); err != nil {
			bad("Faults", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	return errors.Join(errs...)
}

func (o Options) checkWords(bad func(option, format string, args ...any)) {
	if !oneOf(o.Dialect, "", DialectBoth, DialectSeed, DialectReference) {
		bad("Dialect", "%q is not known: use both, seed or reference", o.Dialect)
	}
	if !oneOf(o.SessionMode, "", SessionCreate, SessionReject) {
		bad("SessionMode", "%q is not known: use create or reject", o.SessionMode)
	}
	if strings.ContainsAny(o.ContentType, "\r\n") {
		bad("ContentType", "it is one line")
	}
	if o.MovedAfter != 0 && o.MovedHost == "" {
		bad("MovedAfter", "name the host it moves to, too")
	}
}

func (o Options) checkNumbers(bad func(option, format string, args ...any)) {
	if o.CapStatus != 0 && (o.CapStatus < 500 || o.CapStatus > 599) {
		bad("CapStatus", "%d is no server error: use 503 or 500", o.CapStatus)
	}
	for _, d := range []struct {
		option string
		value  time.Duration
	}{{"IdleTimeout", o.IdleTimeout}, {"MaxAge", o.MaxAge}, {"ColdFor", o.ColdFor}, {"ColdAfter", o.ColdAfter}} {
		if d.value < 0 {
			bad(d.option, "%s is negative: use a duration such as 30m", d.value)
		}
	}
	for _, n := range []struct {
		option string
		value  int
	}{
		{"ColdCalls", o.ColdCalls}, {"EventCap", o.EventCap}, {"AccountCap", o.AccountCap}, {"MovedAfter", o.MovedAfter}, {"MaxBody", o.MaxBody},
		{"MaxRequests", o.MaxRequests}, {"MaxVisitors", o.MaxVisitors}, {"MaxHistory", o.MaxHistory},
	} {
		if n.value < 0 {
			bad(n.option, "%d is negative: use a whole number such as 20", n.value)
		}
	}
	if o.MaxBody > maxBodyEver {
		bad("MaxBody", "%d is too large: use at most %d", o.MaxBody, maxBodyEver)
	}
	if o.ColdAfter > 0 && o.ColdCalls == 0 && o.ColdFor == 0 {
		bad("ColdAfter", "say how cold the account is then, too: for how many calls, or how long")
	}
}

// maxBodyEver is the largest body read, whatever the rules, in bytes.
const maxBodyEver = 64 << 20

// isAccount is ^[a-zA-Z0-9_]{1,20}$
func isAccount(s string) bool {
	return s != "" && len(s) <= 20 && all(s, func(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' })
}

func (o Options) withDefaults() Options {
	orText := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	orInt := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	orText(&o.Dialect, DialectBoth)
	orText(&o.SessionMode, SessionCreate)
	orText(&o.ContentType, "application/octet-stream")
	orInt(&o.CapStatus, 503)
	if o.Lenient {
		orInt(&o.SessionCap, -1)
	}
	orInt(&o.SessionCap, 20)
	orInt(&o.MaxBody, 1<<20)
	orInt(&o.MaxRequests, 10_000)
	orInt(&o.MaxVisitors, 100_000)
	orInt(&o.MaxHistory, 500)
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 30 * time.Minute
	}
	if o.MaxAge == 0 {
		o.MaxAge = 6 * time.Hour
	}
	if len(o.Accounts) == 0 {
		o.Accounts = map[string][]string{DefaultAccount: {DefaultApp}}
	}
	if o.Seed == 0 {
		o.Seed = newSeed()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
