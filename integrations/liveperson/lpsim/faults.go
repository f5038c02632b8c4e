package lpsim

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A Fault is something that goes wrong on purpose, until Count calls met it or
// it is ended. A call meets the first active fault that matches it, in the order
// in which they were set.
type Fault struct {
	ID int `json:"id"`

	Status     int    `json:"status,omitempty"`      // answered instead of taking the call
	Code       *int   `json:"code,omitempty"`        // internalCode beside Status
	Message    string `json:"message,omitempty"`     // beside Status
	RetryAfter string `json:"retry_after,omitempty"` // header: seconds or a date
	Redirect   string `json:"redirect,omitempty"`    // Location, with Status or 302
	Body       string `json:"body,omitempty"`        // "html": a proxy's page, with Status or 502
	DelayMS    int    `json:"delay_ms,omitempty"`    // the answer waits so long, in real time
	Reset      bool   `json:"reset,omitempty"`       // the connection is cut
	Truncate   bool   `json:"truncate,omitempty"`    // the call is taken, half the answer is sent
	When       string `json:"when,omitempty"`        // of DelayMS and Reset: "before" or "after" the call is taken
	Cold       int    `json:"cold,omitempty"`        // so many calls are answered "loading account"
	Expire     bool   `json:"expire,omitempty"`      // sessions end now; nothing stays active
	Dialect    string `json:"dialect,omitempty"`     // until ended, as Options.Dialect
	Host       string `json:"host,omitempty"`        // until ended, what the Domain API answers

	Count   int     `json:"count,omitempty"`   // 0 is until ended
	Rate    float64 `json:"rate,omitempty"`    // the share of the calls that match, up to 1; 0 is all
	Percent int     `json:"percent,omitempty"` // the same of a hundred
	Seed    uint64  `json:"seed,omitempty"`    // of the chance: the same calls meet it in every run

	// Only calls that match all of these meet it. Empty matches every call, but
	// for Path: a call of the Domain API is met only if it is named.
	Sub     string `json:"sub,omitempty"`     // a sub, consumerId or vid
	Account string `json:"account,omitempty"` // in the address
	Path    string `json:"path,omitempty"`    // "report", "engagement" or "domain"
	SDE     string `json:"sde,omitempty"`     // the type of one of the attributes, by either of its names
	Match   string `json:"match,omitempty"`   // a text that occurs in the address or the body

	Hit  int    `json:"hit"`  // calls that met it
	Left int    `json:"left"` // calls that still will; 0 when it lasts until ended
	What string `json:"what"` // in words
}

// maxFaults is how many can be active at once.
const maxFaults = 100

// A faultError says what is wrong with one field of a Fault.
type faultError struct{ field, why string }

func (e *faultError) Error() string { return e.field + ": " + e.why }

// check names everything wrong with a fault that was asked for.
func (f *Fault) check() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, &faultError{field, fmt.Sprintf(format, args...)})
	}
	f.checkRanges(bad)
	f.checkWords(bad)
	f.checkTogether(bad)
	return errors.Join(errs...)
}

func (f *Fault) checkRanges(bad func(field, format string, args ...any)) {
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		bad("status", "%d is no HTTP status: use 200 to 599", f.Status)
	}
	if f.DelayMS < 0 || f.DelayMS > 600_000 {
		bad("delay_ms", "%d is out of range: use 0 to 600000", f.DelayMS)
	}
	if f.Count < 0 {
		bad("count", "%d is negative: use 1 and more, or leave it out for until ended", f.Count)
	}
	if f.Cold < 0 {
		bad("cold", "%d is negative: use 1 and more", f.Cold)
	}
	if !(f.Rate >= 0 && f.Rate <= 1) {
		bad("rate", "%v is out of range: use a share above 0 and up to 1, such as 0.05", f.Rate)
	}
	if f.Percent < 0 || f.Percent > 100 {
		bad("percent", "%d is out of range: use 1 to 100", f.Percent)
	}
	for _, given := range []struct {
		field string
		is    bool
	}{{"id", f.ID != 0}, {"hit", f.Hit != 0}, {"left", f.Left != 0}, {"what", f.What != ""}} {
		if given.is {
			bad(given.field, "the simulator gives it: leave it out")
		}
	}
}

func (f *Fault) checkWords(bad func(field, format string, args ...any)) {
	if !oneOf(f.Body, "", "html") {
		bad("body", "%q is not known: use html", f.Body)
	}
	if !oneOf(f.When, "", "before", "after") {
		bad("when", "%q is not known: use before or after", f.When)
	}
	if !oneOf(f.Dialect, "", DialectBoth, DialectSeed, DialectReference) {
		bad("dialect", "%q is not known: use both, seed or reference", f.Dialect)
	}
	if !oneOf(f.Path, "", string(report), string(engagement), string(domain)) {
		bad("path", "%q is not known: use report, engagement or domain", f.Path)
	}
	if f.Account != "" && !isAccount(f.Account) {
		bad("account", "%q is no account id: use 1 to 20 letters, digits or _", f.Account)
	}
	if _, err := url.Parse(f.Redirect); err != nil {
		bad("redirect", "%q is no address: use one such as https://elsewhere.example/", f.Redirect)
	}
	for _, line := range []struct{ field, value string }{{"retry_after", f.RetryAfter}, {"redirect", f.Redirect}, {"host", f.Host}} {
		if strings.ContainsAny(line.value, "\r\n") {
			bad(line.field, "it is one line")
		}
	}
}

// answers says whether the fault has to do with the answer of a call (T1).
func (f *Fault) answers() bool {
	return f.Status != 0 || f.Body != "" || f.Redirect != "" || f.DelayMS != 0 || f.Reset || f.Truncate
}

// checkTogether looks at fields that need or exclude each other.
func (f *Fault) checkTogether(bad func(field, format string, args ...any)) {
	var does []string
	for _, action := range []struct {
		field string
		is    bool
	}{{"status", f.answers()}, {"cold", f.Cold > 0}, {"expire", f.Expire}, {"dialect", f.Dialect != ""}, {"host", f.Host != ""}} {
		if action.is {
			does = append(does, action.field)
		}
	}
	replaced := f.Status != 0 || f.Body != "" || f.Redirect != ""
	switch {
	case len(does) == 0:
		bad("status", "nothing would fail: give one of status, delay_ms, reset, truncate, body, redirect, cold, expire, dialect, host")
	case len(does) > 1:
		bad(does[1], "cold, expire, dialect and host each stand alone: set one after the other")
	case f.Reset && (replaced || f.Truncate):
		bad("reset", "an answer is cut, halved or replaced, not several at once")
	case f.Truncate && replaced:
		bad("truncate", "an answer is halved or replaced, not both")
	case f.Redirect != "" && f.Body != "":
		bad("redirect", "an answer is a redirect or a page, not both")
	case f.Redirect != "" && f.Status != 0 && f.Status/100 != 3:
		bad("status", "%d is no redirect: use 301, 302, 303, 307 or 308, or leave it out", f.Status)
	}
	f.checkBeside(bad, does, replaced)
}

// checkBeside looks at fields that say how, how often and for whom, and so mean
// something only beside what they are about.
func (f *Fault) checkBeside(bad func(field, format string, args ...any), does []string, replaced bool) {
	chance := f.Rate > 0 || f.Percent > 0
	narrowed := f.Sub != "" || f.Account != "" || f.Path != "" || f.SDE != "" || f.Match != ""
	for _, beside := range []struct {
		wrong      bool
		field, why string
	}{
		{f.Rate > 0 && f.Percent > 0, "rate", "give rate or percent, not both"},
		{f.Seed > 0 && !chance, "seed", "it stands beside rate or percent"},
		{f.Code != nil && f.Status == 0, "code", "it stands beside status"},
		{f.Message != "" && f.Status == 0, "message", "it stands beside status"},
		{f.RetryAfter != "" && !replaced, "retry_after", "it stands beside status, body or redirect"},
		{f.When != "" && !f.Reset && f.DelayMS == 0, "when", "it stands beside reset or delay_ms"},
		{f.Count > 0 && f.Cold > 0, "count", "cold says how many calls: leave it out"},
		{f.Path == string(domain) && (f.Sub != "" || f.SDE != "" || f.Cold > 0), "path", "the Domain API knows neither visitors nor attributes: leave sub, sde and cold out"},
	} {
		if beside.wrong {
			bad(beside.field, "%s", beside.why)
		}
	}
	switch {
	case f.Expire && (f.Count > 0 || chance || f.Path != "" || f.SDE != ""):
		bad("expire", "it happens once, and may have sub and account only beside it")
	case f.Dialect+f.Host != "" && (f.Count > 0 || chance || narrowed):
		bad(does[0], "it holds for all calls until ended: leave the rest out")
	}
}

// complete fills in what a status says by itself.
func (f *Fault) complete() {
	switch {
	case f.Status != 0:
	case f.Body != "":
		f.Status = http.StatusBadGateway
	case f.Redirect != "":
		f.Status = http.StatusFound
	}
	if f.Status != 0 && f.Code == nil {
		code := map[int]int{400: 5, 404: 18, 500: 18, 503: 18}[f.Status]
		f.Code = &code
	}
	if f.Cold > 0 {
		f.Count = f.Cold
	}
	if f.Percent > 0 {
		f.Rate = float64(f.Percent) / 100
	}
	if f.Status != 0 && f.Message == "" {
		f.Message = http.StatusText(f.Status)
		if f.Status == http.StatusTooManyRequests {
			f.Message = "Too many requests"
		}
	}
	f.Left = f.Count
	f.What = f.describe()
}

// describe says in words what the fault does.
func (f *Fault) describe() string {
	parts := f.action()
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if f.RetryAfter != "" {
		add("Retry-After %s", f.RetryAfter)
	}
	if f.DelayMS > 0 {
		add("waits %d ms", f.DelayMS)
	}
	if f.Rate > 0 && f.Rate < 1 {
		add("%s %% of the calls", strconv.FormatFloat(f.Rate*100, 'g', 4, 64))
	}
	if f.Path != "" {
		add("only %s", map[string]string{"report": "reports", "engagement": "calls of /engagement", "domain": "calls of the Domain API"}[f.Path])
	}
	for _, only := range []struct{ format, value string }{
		{"only of %s", f.Sub}, {"only at account %s", f.Account}, {"only with %s", f.SDE}, {"only where %q occurs", f.Match},
	} {
		if only.value != "" {
			add(only.format, only.value)
		}
	}
	return strings.Join(parts, ", ")
}

func (f *Fault) action() []string {
	switch {
	case f.Cold > 0:
		return []string{"says that the account is loading"}
	case f.Dialect == DialectSeed:
		return []string{"takes only the seed's form"}
	case f.Dialect == DialectReference:
		return []string{"takes only the reference form"}
	case f.Dialect != "":
		return []string{"takes both forms"}
	case f.Host != "":
		return []string{"Domain API answers " + f.Host}
	case f.Body != "":
		return []string{fmt.Sprintf("answers %d with a page in HTML", f.Status)}
	case f.Redirect != "":
		return []string{fmt.Sprintf("answers %d to %s", f.Status, f.Redirect)}
	case f.Status != 0 && *f.Code != 0:
		return []string{fmt.Sprintf("answers %d", f.Status), fmt.Sprintf("code %d", *f.Code)}
	case f.Status != 0:
		return []string{fmt.Sprintf("answers %d", f.Status)}
	case f.Reset && f.When == "after":
		return []string{"takes the report, then cuts the connection"}
	case f.Reset:
		return []string{"cuts the connection"}
	case f.Truncate:
		return []string{"sends half the answer"}
	default:
		return nil
	}
}
