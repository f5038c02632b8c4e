package lpsim

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
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

// Names of rules that can be switched in Options.Rules. Those that come from
// LivePerson's own pages cannot be switched and have no name here.
const (
	RuleKnownAccount = "known_account"                 // T7: the account is registered. On.
	RuleQuery        = "known_query"                   // T10: only v, vid, sid and obh, each once. On if strict.
	RuleContentType  = "content_type"                  // T11: application/json. On if strict.
	RuleNoAuth       = "no_authorization"              // T12: no credentials. On if strict.
	RuleFields       = "known_fields"                  // B1, B8 and attributes: no unknown field. On if strict.
	RulePageID       = "page_id_pattern"               // B11: 1 to 20 digits. On if strict.
	RuleEntryPoints  = "entry_points"                  // B12: each has a scheme. On if strict.
	RuleNotEmpty     = "attributes_given"              // B2: engagementAttributes is not empty. On; never asked of the seed's form.
	RuleTextLength   = "text_length"                   // attributes: at most 50,000 characters. On if strict.
	RuleIDs          = "id_pattern"                    // S4, S5: form of vid and sid. On if strict.
	RuleCustomerID   = "customer_id_match"             // B10: consumerId equals every customerId. Off.
	RuleNoSearch     = "mobile_app_rejects_searchInfo" // attributes: searches are refused. Off.
	RuleMoreEnums    = "allow_extended_enums"          // channel 5 and 6, service status 11 to 13. Off.
	RulePlainPost    = "allow_plain_post"              // T4: the reference dialect takes POST without override. Off.
	RuleContexts     = "impression_contexts"           // attributes: an impression needs its engagement in the session. On.
)

// ruleDefaults are the values in strict and in lenient mode.
var ruleDefaults = map[string]struct{ strict, lenient bool }{
	RuleKnownAccount: {true, true},
	RuleQuery:        {true, false},
	RuleContentType:  {true, false},
	RuleNoAuth:       {true, false},
	RuleFields:       {true, false},
	RulePageID:       {true, false},
	RuleEntryPoints:  {true, false},
	RuleNotEmpty:     {true, true},
	RuleTextLength:   {true, false},
	RuleIDs:          {true, false},
	RuleCustomerID:   {false, false},
	RuleNoSearch:     {false, false},
	RuleMoreEnums:    {false, false},
	RulePlainPost:    {false, false},
	RuleContexts:     {true, true},
}

// RuleNames lists the rules that Options.Rules may name, in order.
func RuleNames() []string { return slices.Sorted(maps.Keys(ruleDefaults)) }

// Options tune a Sim. The zero value is ready for use: strict, both dialects,
// one account with one app.
type Options struct {
	// Dialect is DialectBoth (the default), DialectSeed or DialectReference.
	Dialect string

	// Lenient switches off the rules that LivePerson does not document.
	Lenient bool

	// Rules switches single rules on or off, by the names of RuleNames, over
	// what strict or lenient would say.
	Rules map[string]bool

	// Accounts holds the app keys of each account. Default: DefaultAccount
	// with DefaultApp.
	Accounts map[string][]string

	// AnyAccount takes every well-formed account with every app key.
	AnyAccount bool

	// RequireTLS refuses plain HTTP (T2). Off by default, as the simulator is
	// for loopback.
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
	// Default 20, which only a client that loses its ids reaches; negative
	// means no cap.
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

	// MaxBody is the largest body taken, in bytes (T13). Default 1 MiB.
	MaxBody int

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

	// Now is the clock. Default time.Now.
	Now func() time.Time

	// Log gets the simulator's own faults. Nil discards. What visitors sent is
	// never logged.
	Log *slog.Logger
}

// Check names everything that is wrong with o, at once.
func (o Options) Check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !slices.Contains([]string{"", DialectBoth, DialectSeed, DialectReference}, o.Dialect) {
		bad("dialect %q is not known: use both, seed or reference", o.Dialect)
	}
	if !slices.Contains([]string{"", SessionCreate, SessionReject}, o.SessionMode) {
		bad("session mode %q is not known: use create or reject", o.SessionMode)
	}
	if o.CapStatus != 0 && (o.CapStatus < 500 || o.CapStatus > 599) {
		bad("cap status %d is no server error: use 503 or 500", o.CapStatus)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Rules)) {
		if _, ok := ruleDefaults[name]; !ok {
			bad("rule %q is not known: use one of %s", name, strings.Join(RuleNames(), ", "))
		}
	}
	for _, account := range slices.Sorted(maps.Keys(o.Accounts)) {
		if !accountPattern.MatchString(account) {
			bad("account %q is no account id: use 1 to 20 letters, digits or _", account)
		}
	}
	return errors.Join(errs...)
}

var accountPattern = regexp.MustCompile(`^[a-zA-Z0-9_]{1,20}$`)

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
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// rules are the switches as the checks read them.
type rules struct {
	knownAccount, query, contentType, noAuth, fields, pageID, entryPoints, notEmpty,
	textLength, ids, customerID, noSearch, moreEnums, plainPost, contexts bool
}

func (o Options) rules() rules {
	on := func(name string) bool {
		if v, ok := o.Rules[name]; ok {
			return v
		}
		if o.Lenient {
			return ruleDefaults[name].lenient
		}
		return ruleDefaults[name].strict
	}
	return rules{
		knownAccount: on(RuleKnownAccount), query: on(RuleQuery), contentType: on(RuleContentType),
		noAuth: on(RuleNoAuth), fields: on(RuleFields), pageID: on(RulePageID),
		entryPoints: on(RuleEntryPoints), notEmpty: on(RuleNotEmpty), textLength: on(RuleTextLength),
		ids: on(RuleIDs), customerID: on(RuleCustomerID), noSearch: on(RuleNoSearch),
		moreEnums: on(RuleMoreEnums), plainPost: on(RulePlainPost), contexts: on(RuleContexts),
	}
}
