package lpsim

import (
	"bytes"
	"fmt"
	mrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// faults are the active ones.
type faults struct {
	mu     sync.Mutex
	seed   uint64 // of those that bring none
	active []*activeFault
	lastID int
	some   atomic.Bool // whether any is active, to be read without the lock
}

// An activeFault has its own chance, so that what meets it does not depend on
// the faults beside it.
type activeFault struct {
	Fault
	chance *mrand.Rand
}

// newSeed is small enough for a JSON number in any language.
func newSeed() uint64 { return mrand.Uint64N(1<<32) + 1 }

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
	if f.Rate > 0 && f.Seed == 0 {
		f.Seed = (fs.seed + uint64(f.ID) - 1) % (1 << 53)
	}
	fs.active = append(fs.active, &activeFault{f, mrand.New(mrand.NewPCG(f.Seed, 0))})
	fs.some.Store(true)
	return f, nil
}

func (fs *faults) list() []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	all := make([]Fault, 0, len(fs.active))
	for _, f := range fs.active {
		all = append(all, f.Fault)
	}
	return all
}

// end ends one fault, or all when id is 0, and says how many.
func (fs *faults) end(id int) int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	before := len(fs.active)
	fs.active = slices.DeleteFunc(fs.active, func(f *activeFault) bool { return id == 0 || f.ID == id })
	fs.some.Store(len(fs.active) > 0)
	return before - len(fs.active)
}

// meet gives the fault of a call's answer (T1), or false.
func (fs *faults) meet(c *call) (Fault, bool) { return fs.take(c, (*Fault).answers) }

// cold says whether a cold fault meets a call (S1, S2).
func (fs *faults) cold(c *call) bool {
	_, met := fs.take(c, func(f *Fault) bool { return f.Cold > 0 })
	return met
}

func (fs *faults) take(c *call, of func(*Fault) bool) (Fault, bool) {
	if !fs.some.Load() {
		return Fault{}, false
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for i, f := range fs.active {
		if !of(&f.Fault) || !f.matches(c) || f.Rate > 0 && f.chance.Float64() >= f.Rate {
			continue
		}
		f.Hit++
		f.Left = max(0, f.Count-f.Hit)
		met := f.Fault
		if f.Count > 0 && f.Left == 0 {
			fs.active = slices.Delete(fs.active, i, i+1)
			fs.some.Store(len(fs.active) > 0)
		}
		return met, true
	}
	return Fault{}, false
}

// matches says whether a call is one that the fault is for.
func (f *Fault) matches(c *call) bool {
	switch {
	case f.Path != "" && f.Path != string(c.kind), f.Path == "" && c.kind == domain:
		return false
	case f.Account != "" && f.Account != c.account:
		return false
	case f.Match != "" && !strings.Contains(c.uri, f.Match) && !bytes.Contains(c.body, []byte(f.Match)):
		return false
	}
	return (f.Sub == "" || c.isOf(f.Sub)) && (f.SDE == "" || c.reports(f.SDE))
}

// isOf says whether a call is about the visitor that goes by that name.
func (c *call) isOf(name string) bool {
	c.guessWho()
	return c.vid == name || c.who.goesBy(name)
}

// reports says whether a call has an attribute of a type, by either name.
func (c *call) reports(kind string) bool {
	own := func(name string) string {
		if other, ok := seedNames[name]; ok {
			return other
		}
		return name
	}
	c.parse()
	return slices.ContainsFunc(c.doc.get("engagementAttributes").items, func(n node) bool {
		return own(n.get("type").text) == own(kind)
	})
}

// setting gives the latest active fault of a kind that lasts until ended.
func (fs *faults) setting(value func(*Fault) string) string {
	if !fs.some.Load() {
		return ""
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range slices.Backward(fs.active) {
		if v := value(&f.Fault); v != "" {
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
		a.retryAfter, a.location = f.RetryAfter, f.Redirect
		return a
	case f.Reset && f.When != "after":
		return &answer{close: true}
	default:
		return nil
	}
}
