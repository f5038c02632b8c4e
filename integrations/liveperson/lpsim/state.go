package lpsim

import (
	"container/list"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds that no setting changes.
const (
	maxStateBytes      = 256 << 20 // histories of all visitors
	maxVisitorSessions = 50
	maxVisitorPages    = 100
	maxNames           = 20 // subs, consumerIds and vids of one visitor
	maxLints           = 10_000
	maxTold            = 10_000 // vids told by loading answers
)

// A visitorKey is a person at an account.
type visitorKey struct{ account, name string }

// A visitor is one person as LivePerson tells them apart: by sub, else by
// consumerId, else by vid.
type visitor struct {
	key        visitorKey
	who        who
	called     string // first and last name, when known
	vid, sid   string // last used
	first      time.Time
	last       time.Time
	reports    int
	created    int         // sessions begun, ever
	recent     []time.Time // when the last ones began
	names      []visitorKey
	sessions   []*session
	pages      []page
	entries    []page // entry points other than pages
	history    []entry
	kept       map[string]entry // of replaced kinds, when history had to drop them
	lints      []*Lint
	replaced   map[string]time.Time // pairs that were answered with a new one
	firstCalls int                  // first calls not answered yet
	answered   time.Time            // when the last first call was answered
	bytes      int
	place      *list.Element
}

// A page is an entry point with the time it was reported.
type page struct {
	URL string    `json:"url"`
	At  time.Time `json:"at"`
}

// An entry is one attribute of a visitor's history.
type entry struct {
	At       time.Time
	Request  uint64
	Type     string // as sent
	Vid      string
	Sid      string
	SDE      []byte // as sent
	id       string // of an order, a lead or a service
	repeatOf uint64 // the first request that had the same id, 0 for none
	repeated bool   // whether that was in the same session, as LivePerson marks it
}

type session struct {
	vid, sid     string
	account, app string
	owner        *visitor
	created      time.Time
	last         time.Time
	reports      int
	events       int
	expired      bool // by a fault, before its time
	blocked      bool // by the cap of events
	contexts     []Engagement
}

// An account's own state.
type account struct {
	coldLeft int
	coldFrom time.Time
	lastCall time.Time
	recent   []time.Time // sessions begun, when there is a cap
	lookups  int
	lookedUp time.Time
}

// state is everything stored. Its lock is held for map work only: reading and
// checking a call happen outside.
type state struct {
	mu       sync.Mutex
	visitors map[visitorKey]*visitor
	names    map[visitorKey]*visitor // by any name; the last one to use it
	anywhere map[string]*visitor     // the same without the account
	order    *list.List              // of *visitor, latest heard of in front
	sessions map[string]*session     // by sid
	accounts map[string]*account
	told     map[visitorKey]string // vid told in a loading answer
	lints    []*Lint               // oldest first
	loose    map[string]*Lint      // of no visitor, by code and account
	lintSeen int
	remarked map[string]int // how often, by code
	repeats  map[string]int // ids that came again, by the id's name
	created  int
	past     tally // of sessions that are not kept any more
	bytes    int
	lookups  int    // of the Domain API
	oldHost  string // what it answered last, when no host was set
}

func newState() *state {
	st := &state{}
	st.clear()
	return st
}

func (st *state) clear() {
	st.visitors = map[visitorKey]*visitor{}
	st.names = map[visitorKey]*visitor{}
	st.anywhere = map[string]*visitor{}
	st.order = list.New()
	st.sessions = map[string]*session{}
	st.accounts = map[string]*account{}
	st.told = map[visitorKey]string{}
	st.loose = map[string]*Lint{}
	st.remarked = map[string]int{}
	st.repeats = map[string]int{}
	st.past = tally{}
	st.lints, st.lintSeen, st.created, st.bytes, st.lookups, st.oldHost = nil, 0, 0, 0, 0, ""
}

// find gives the visitor a call is about, or nil.
func (st *state) find(c *call) *visitor {
	if name := c.who.name(); name != "" {
		return st.visitors[visitorKey{c.account, name}]
	}
	if c.vid == "" {
		return nil
	}
	return st.names[visitorKey{c.account, c.vid}]
}

// lookup finds a visitor by any of its names, at any account when account is
// empty.
func (st *state) lookup(account, name string) *visitor {
	if account == "" {
		return st.anywhere[name]
	}
	return st.names[visitorKey{account, name}]
}

// enter gives the visitor of a call that is taken, making it if needed.
func (st *state) enter(c *call, vid string) *visitor {
	v := st.find(c)
	if v == nil {
		name := c.who.name()
		if name == "" {
			name = vid
		}
		v = &visitor{key: visitorKey{c.account, name}, first: c.at}
		st.visitors[v.key] = v
		v.place = st.order.PushFront(v)
		st.grow(v, 512)
		st.call(v, name)
	}
	return v
}

// call makes a visitor known under one more name.
func (st *state) call(v *visitor, name string) {
	k := visitorKey{v.key.account, name}
	if name == "" || st.names[k] == v && st.anywhere[name] == v {
		return
	}
	if other := st.names[k]; other != nil && other != v && other.key == k {
		return // it is the other's own sub
	}
	if !slices.Contains(v.names, k) {
		if len(v.names) >= maxNames { // the oldest but its own makes room
			st.unname(v, v.names[1])
			v.names = slices.Delete(v.names, 1, 2)
		}
		v.names = append(v.names, k)
		st.grow(v, len(name)+100)
	}
	st.names[k], st.anywhere[name] = v, v
}

func (st *state) grow(v *visitor, n int) {
	v.bytes += n
	st.bytes += n
}

// unname takes one of a visitor's names off the lists.
func (st *state) unname(v *visitor, k visitorKey) {
	if st.names[k] == v {
		delete(st.names, k)
	}
	if st.anywhere[k.name] == v {
		delete(st.anywhere, k.name)
	}
	st.grow(v, -len(k.name)-100)
}

// drop forgets a visitor and the sessions it began.
func (s *Sim) drop(v *visitor, now time.Time) {
	st := s.state
	st.order.Remove(v.place)
	delete(st.visitors, v.key)
	for _, k := range v.names {
		st.unname(v, k)
	}
	for _, x := range v.sessions {
		if x.owner == v {
			s.forgetSession(x, now)
		}
	}
	st.bytes -= v.bytes
}

// bound drops the visitors not heard of for longest until all fits.
func (s *Sim) bound(now time.Time) {
	st := s.state
	for st.order.Len() > 1 && (st.order.Len() > s.o.MaxVisitors || st.bytes > maxStateBytes) {
		s.drop(st.order.Back().Value.(*visitor), now)
	}
}

// remember adds what a taken call says to the visitor's history.
func (st *state) remember(v *visitor, c *call, x *session, maxHistory int) {
	v.reports++
	v.last = c.at
	if c.who.name() != "" {
		v.who = c.who
	}
	v.vid, v.sid = x.vid, x.sid
	st.order.MoveToFront(v.place)
	st.call(v, c.who.sub)
	st.call(v, c.who.consumerID)
	st.call(v, x.vid)
	for _, name := range c.who.others {
		st.call(v, name)
	}
	for _, e := range c.doc.get("entryPoints").items {
		st.visit(v, page{e.text, c.at})
	}
	for _, a := range c.attrs {
		e := entry{At: c.at, Request: c.seq, Type: a.kind, Vid: x.vid, Sid: x.sid, SDE: slices.Clone(a.node.raw)}
		st.recognise(v, &e, a.node)
		v.history = append(v.history, e)
		st.grow(v, len(e.SDE)+128)
		if a.kind == "personal" {
			p := a.node.get("personal")
			v.called = strings.TrimSpace(p.get("firstname").text + " " + p.get("lastname").text)
		}
	}
	for len(v.history) > maxHistory {
		st.forgetOldest(v)
	}
}

// idOf names the id that an attribute has for LivePerson to know it again, and
// gives it.
func idOf(kind string, n node) (name, id string) {
	switch kind {
	case "purchase":
		return "orderId", n.get("orderId").text
	case "lead":
		return "leadId", n.at("lead", "leadId").text
	case "service":
		return "serviceId", n.at("service", "serviceId").text
	default:
		return "", ""
	}
}

// recognise marks an entry whose id the visitor's history has already.
func (st *state) recognise(v *visitor, e *entry, n node) {
	name, id := idOf(e.Type, n)
	if id == "" {
		return
	}
	e.id = id
	for i := range v.history {
		old := &v.history[i]
		if old.id != id || old.Type != e.Type {
			continue
		}
		if e.repeatOf == 0 {
			e.repeatOf = old.Request
			st.repeats[name]++
		}
		if old.Sid == e.Sid {
			e.repeated = true
			return
		}
	}
}

// visit notes an entry point; one that repeats the last is noted once.
func (st *state) visit(v *visitor, p page) {
	into := &v.entries
	if isPage(p.URL) {
		into = &v.pages
	}
	if n := len(*into); n > 0 && (*into)[n-1].URL == p.URL {
		(*into)[n-1].At = p.At
		return
	}
	*into = append(*into, p)
	st.grow(v, len(p.URL)+48)
	if len(*into) > maxVisitorPages {
		st.grow(v, -len((*into)[0].URL)-48)
		*into = slices.Delete(*into, 0, 1)
	}
}

func isPage(url string) bool {
	return strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://")
}

// forgetOldest drops the first entry of a history, but keeps it apart while it
// is the last word of a kind that replaces.
func (st *state) forgetOldest(v *visitor) {
	e := v.history[0]
	v.history[0] = entry{}
	v.history = v.history[1:]
	st.grow(v, -len(e.SDE)-128)
	if !replaces(e.Type) {
		return
	}
	if v.kept == nil {
		v.kept = map[string]entry{}
	}
	old := v.kept[e.Type]
	v.kept[e.Type] = e
	st.grow(v, len(e.SDE)-len(old.SDE))
}

// lint stores a remark, once for each code and visitor, or account if it is of
// nobody and v is nil.
func (s *Sim) lint(v *visitor, c *call, r remark) {
	if s.r.quiet[r.code] {
		return
	}
	st := s.state
	st.remarked[r.code]++
	key := r.code + " " + c.account + " " + c.who.name()
	known := st.loose[key]
	if v != nil {
		known = nil
		if i := slices.IndexFunc(v.lints, func(l *Lint) bool { return l.Code == r.code }); i >= 0 {
			known = v.lints[i]
		}
	}
	if known != nil {
		known.Count++
		known.LastAt = c.at
		return
	}
	l := &Lint{
		Code: r.code, Account: c.account, Title: r.title, Text: r.text,
		Visitor: c.who.name(), At: c.at, LastAt: c.at, Count: 1, Request: c.seq,
	}
	if v != nil {
		l.Visitor = v.key.name
		v.lints = append(v.lints, l)
		st.grow(v, len(l.Text)+256)
	} else if len(st.loose) < maxLints {
		st.loose[key] = l
	}
	st.lintSeen++
	st.lints = append(st.lints, l)
	if len(st.lints) > maxLints {
		st.lints[0] = nil
		st.lints = st.lints[1:]
	}
}
