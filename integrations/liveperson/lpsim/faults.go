package lpsim

import (
	"bytes"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A Fault is something that goes wrong on purpose, until Count calls met it or
// it is ended. The first active fault that matches a call is the one it meets.
type Fault struct {
	ID int `json:"id"`

	Status     int    `json:"status,omitempty"`      // answered instead of taking the call
	Code       *int   `json:"code,omitempty"`        // internalCode beside Status
	Message    string `json:"message,omitempty"`     // beside Status
	RetryAfter string `json:"retry_after,omitempty"` // header: seconds or a date
	Body       string `json:"body,omitempty"`        // "html": a proxy's page, with Status or 502
	DelayMS    int    `json:"delay_ms,omitempty"`    // the answer waits so long
	Reset      bool   `json:"reset,omitempty"`       // the connection is cut
	Truncate   bool   `json:"truncate,omitempty"`    // the call is taken, half the answer is sent
	When       string `json:"when,omitempty"`        // of DelayMS and Reset: "before" or "after" the call is taken
	Cold       int    `json:"cold,omitempty"`        // so many calls are answered "loading account"
	Expire     bool   `json:"expire,omitempty"`      // all sessions end now; nothing stays active
	Dialect    string `json:"dialect,omitempty"`     // until ended, as Options.Dialect
	Host       string `json:"host,omitempty"`        // until ended, what the Domain API answers

	Count   int    `json:"count,omitempty"`   // 0 is until ended
	Percent int    `json:"percent,omitempty"` // so many of a hundred calls; 0 is all
	Match   string `json:"match,omitempty"`   // only calls whose address or body contains it

	Hit  int    `json:"hit"`  // calls that met it
	Left int    `json:"left"` // calls that still will; 0 when it lasts until ended
	What string `json:"what"` // in words
}

// maxFaults is how many can be active at once.
const maxFaults = 100

// check names everything wrong with a fault that was asked for.
func (f *Fault) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		bad("status %d is no HTTP status: use 200 to 599", f.Status)
	}
	if f.Body != "" && f.Body != "html" {
		bad("body %q is not known: use html", f.Body)
	}
	if f.When != "" && f.When != "before" && f.When != "after" {
		bad("when %q is not known: use before or after", f.When)
	}
	if f.DelayMS < 0 || f.DelayMS > 600_000 {
		bad("delay_ms %d is out of range: use 0 to 600000", f.DelayMS)
	}
	if f.Count < 0 || f.Cold < 0 {
		bad("count and cold cannot be negative")
	}
	if f.Percent < 0 || f.Percent > 100 {
		bad("percent %d is out of range: use 1 to 100", f.Percent)
	}
	if !oneOf(f.Dialect, "", DialectBoth, DialectSeed, DialectReference) {
		bad("dialect %q is not known: use both, seed or reference", f.Dialect)
	}
	if strings.ContainsAny(f.RetryAfter+f.Host, "\r\n") {
		bad("retry_after and host are one line each")
	}
	if f.ID != 0 || f.Hit != 0 || f.Left != 0 || f.What != "" {
		bad("id, hit, left and what are given by the simulator: leave them out")
	}
	actions := 0
	for _, on := range []bool{f.Status != 0 || f.Body != "" || f.DelayMS != 0 || f.Reset || f.Truncate, f.Cold > 0, f.Expire, f.Dialect != "", f.Host != ""} {
		if on {
			actions++
		}
	}
	switch {
	case actions == 0:
		bad("nothing would fail: give one of status, delay_ms, reset, truncate, body, cold, expire, dialect, host")
	case actions > 1:
		bad("cold, expire, dialect and host each stand alone: set them one after the other")
	case f.Reset && (f.Status != 0 || f.Body != "" || f.Truncate), f.Truncate && (f.Status != 0 || f.Body != ""):
		bad("reset, truncate and status exclude each other: an answer is cut, halved or replaced")
	}
	return errors.Join(errs...)
}

// describe says in words what the fault does.
func (f *Fault) describe() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case f.Cold > 0:
		add("says that the account is loading")
	case f.Dialect == DialectSeed:
		add("takes only the seed's form")
	case f.Dialect == DialectReference:
		add("takes only the reference form")
	case f.Dialect != "":
		add("takes both forms")
	case f.Host != "":
		add("Domain API answers %s", f.Host)
	case f.Body != "":
		add("answers %d with a page in HTML", f.Status)
	case f.Status != 0:
		add("answers %d", f.Status)
		if *f.Code != 0 {
			add("code %d", *f.Code)
		}
	case f.Reset:
		add("cuts the connection")
	case f.Truncate:
		add("sends half the answer")
	}
	if f.RetryAfter != "" {
		add("Retry-After %s", f.RetryAfter)
	}
	if f.DelayMS > 0 {
		add("waits %d ms", f.DelayMS)
	}
	if f.Percent > 0 && f.Percent < 100 {
		add("%d %% of the calls", f.Percent)
	}
	if f.Match != "" {
		add("only where %q occurs", f.Match)
	}
	return strings.Join(parts, ", ")
}

// complete fills in what a status says by itself.
func (f *Fault) complete() {
	if f.Body != "" && f.Status == 0 {
		f.Status = http.StatusBadGateway
	}
	if f.Status != 0 && f.Code == nil {
		code := map[int]int{400: 5, 404: 18, 500: 18, 503: 18}[f.Status]
		f.Code = &code
	}
	if f.Cold > 0 {
		f.Count = f.Cold
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

// faults are the active ones.
type faults struct {
	mu     sync.Mutex
	active []*Fault
	lastID int
	some   atomic.Bool // whether any is active, to be read without the lock
}

var errTooManyFaults = fmt.Errorf("%d faults are active, which is the most: end some first", maxFaults)

func (fs *faults) add(f Fault) (Fault, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(fs.active) >= maxFaults {
		return Fault{}, errTooManyFaults
	}
	fs.lastID++
	f.ID = fs.lastID
	f.complete()
	fs.active = append(fs.active, &f)
	fs.some.Store(true)
	return f, nil
}

func (fs *faults) list() []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	all := make([]Fault, 0, len(fs.active))
	for _, f := range fs.active {
		all = append(all, *f)
	}
	return all
}

// end ends one fault, or all when id is 0, and says how many.
func (fs *faults) end(id int) int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	before := len(fs.active)
	fs.active = slices.DeleteFunc(fs.active, func(f *Fault) bool { return id == 0 || f.ID == id })
	fs.some.Store(len(fs.active) > 0)
	return before - len(fs.active)
}

// meet gives the fault of a call (T1), or false.
func (fs *faults) meet(c *call) (Fault, bool) {
	return fs.take(c, func(f *Fault) bool { return f.Status != 0 || f.DelayMS != 0 || f.Reset || f.Truncate })
}

// cold says whether a cold fault meets a call (S1, S2).
func (fs *faults) cold(c *call) bool {
	_, met := fs.take(c, func(f *Fault) bool { return f.Cold > 0 })
	return met
}

func (fs *faults) take(c *call, kind func(*Fault) bool) (Fault, bool) {
	if !fs.some.Load() {
		return Fault{}, false
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for i, f := range fs.active {
		if !kind(f) || !f.matches(c) || f.Percent > 0 && mrand.IntN(100) >= f.Percent {
			continue
		}
		f.Hit++
		f.Left = max(0, f.Count-f.Hit)
		met := *f
		if f.Count > 0 && f.Left == 0 {
			fs.active = slices.Delete(fs.active, i, i+1)
			fs.some.Store(len(fs.active) > 0)
		}
		return met, true
	}
	return Fault{}, false
}

func (f *Fault) matches(c *call) bool {
	return f.Match == "" || strings.Contains(c.url.RequestURI(), f.Match) || bytes.Contains(c.body, []byte(f.Match))
}

// setting gives the latest active fault of a kind that lasts until ended.
func (fs *faults) setting(value func(*Fault) string) string {
	if !fs.some.Load() {
		return ""
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for i := len(fs.active) - 1; i >= 0; i-- {
		if v := value(fs.active[i]); v != "" {
			return v
		}
	}
	return ""
}

// scripted is the answer of a fault that replaces the call, or nil when the
// call is taken first.
func (f *Fault) scripted(c *call) *answer {
	switch {
	case f.Body == "html":
		return &answer{
			status: f.Status, kind: "text/html; charset=utf-8", retryAfter: f.RetryAfter,
			body: fmt.Appendf(nil, "<html><head><title>%d %s</title></head><body><h1>%[1]d %[2]s</h1></body></html>\n", f.Status, http.StatusText(f.Status)),
		}
	case f.Status != 0:
		a := refuse(c.at, f.Status, *f.Code, f.Message)
		a.retryAfter = f.RetryAfter
		return a
	case f.Reset && f.When != "after":
		return &answer{close: true}
	default:
		return nil
	}
}
