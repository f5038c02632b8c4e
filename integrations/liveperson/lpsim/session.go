package lpsim

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	mrand "math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shortly is how soon after an answer a second first call counts as sent
// before the answer was there.
const shortly = 20 * time.Millisecond

// settle runs S1 to S13 over a call whose body is right, stores it, and gives
// its answer. It is where the state's lock is held.
func (s *Sim) settle(c *call) *answer {
	st := s.state
	st.mu.Lock()
	defer st.mu.Unlock()
	if a := s.loading(c); a != nil { // S1 to S3
		return a
	}
	if s.r.ids && c.vid != "" && !isVid(c.vid) { // S4
		return refuse(c.at, 404, 37, "invalid visitorId")
	}
	if s.r.ids && c.sid != "" && !isSid(c.sid) { // S5
		return refuse(c.at, 404, 39, "invalid sessionId")
	}
	x := st.session(c)
	if x != nil && s.ended(x, c.at) != "" {
		x = nil
	}
	if x != nil && s.o.EventCap > 0 && x.events+len(c.attrs) > s.o.EventCap { // S11
		x.blocked = true
		x = nil
	}
	if x == nil {
		if a := s.mayBegin(c); a != nil { // S10 reject, S12
			return a
		}
	}
	if s.r.contexts && !hasContexts(c, x) {
		return c.invalid("eContext")
	}
	return s.take(c, x)
}

// take stores a call in its session, or in a new one.
func (s *Sim) take(c *call, x *session) *answer {
	st, status := s.state, 200
	vid := c.vid
	if vid == "" || x == nil && !s.r.keepVid {
		vid = newVid()
	}
	v := st.enter(c, vid)
	if x == nil { // S6, S7, S8, S10
		status = 201
		s.remarkFirst(v, c)
		x = &session{vid: vid, sid: newSid(), account: c.account, app: c.app, owner: v, created: c.at}
		s.begin(v, x)
	} else if !slices.Contains(v.sessions, x) {
		s.join(v, x)
	}
	x.last = c.at
	x.reports++
	x.events += len(c.attrs)
	st.remember(v, c, x, s.o.MaxHistory)
	for _, r := range c.remarks {
		s.lint(v, c, r)
	}
	s.bound(c.at)
	if c.pageID == "" {
		c.pageID = strconv.Itoa(100_000_000 + mrand.IntN(9_900_000_000))
	}
	return &answer{status: status, body: s.success(c, x)}
}

func (s *Sim) success(c *call, x *session) []byte {
	b := append(make([]byte, 0, 160), `{"sessionId":`...)
	b = quote(b, x.sid)
	b = append(b, `,"visitorId":`...)
	b = quote(b, x.vid)
	b = append(b, `,"pageId":`...)
	b = quote(b, c.pageID)
	if c.kind == engagement {
		b = s.offer(b, c, x)
	}
	if s.o.ExtraFields {
		b = append(b, `,"futureField":{"of":["a","later","version"]}`...)
	}
	return append(b, '}')
}

// session gives the session that a call names, if the pair belongs together.
func (st *state) session(c *call) *session {
	if c.vid == "" || c.sid == "" {
		return nil
	}
	x := st.sessions[c.sid]
	if x == nil || x.vid != c.vid || x.account != c.account || x.app != c.app {
		return nil
	}
	return x
}

// ended says why a session has ended, "" while it has not.
func (s *Sim) ended(x *session, now time.Time) string {
	switch {
	case x.expired:
		return "fault"
	case x.blocked:
		return "full"
	case now.Sub(x.last) >= s.o.IdleTimeout:
		return "idle"
	case now.Sub(x.created) >= s.o.MaxAge:
		return "age"
	default:
		return ""
	}
}

// mayBegin says whether a new session may begin for a call, nil when it may.
func (s *Sim) mayBegin(c *call) *answer {
	st := s.state
	old := st.session(c)
	if s.o.SessionMode == SessionReject && c.vid != "" && c.sid != "" && (old == nil || !old.blocked) { // S10
		if st.names[visitorKey{c.account, c.vid}] == nil {
			return refuse(c.at, 404, 37, "invalid visitorId")
		}
		return refuse(c.at, 404, 39, "invalid sessionId")
	}
	known := st.find(c)
	capped := known != nil && s.o.SessionCap > 0 && lastMinute(&known.recent, c.at) >= s.o.SessionCap
	if s.o.AccountCap > 0 && lastMinute(&st.account(s, c.account).recent, c.at) >= s.o.AccountCap {
		capped = true
	}
	if capped { // S12
		return refuse(c.at, s.o.CapStatus, 18, "capped")
	}
	return nil
}

// lastMinute drops what is not within the last minute and counts the rest.
func lastMinute(times *[]time.Time, now time.Time) int {
	*times = slices.DeleteFunc(*times, func(at time.Time) bool { return !within(now, at, time.Minute) })
	return len(*times)
}

func (s *Sim) begin(v *visitor, x *session) {
	st := s.state
	st.created++
	v.created++
	if s.o.SessionCap > 0 {
		v.recent = append(v.recent, x.created)
	}
	if s.o.AccountCap > 0 {
		a := st.account(s, x.account)
		a.recent = append(a.recent, x.created)
	}
	st.sessions[x.sid] = x
	s.join(v, x)
}

// join keeps a session with a visitor. The oldest of too many is dropped.
func (s *Sim) join(v *visitor, x *session) {
	v.sessions = append(v.sessions, x)
	s.state.grow(v, 300)
	if len(v.sessions) > maxVisitorSessions {
		old := v.sessions[0]
		v.sessions = slices.Delete(v.sessions, 0, 1)
		s.state.grow(v, -300)
		if old.owner == v {
			s.forgetSession(old, x.created)
		}
	}
}

// forgetSession drops a session, and counts it once more if it had ended.
func (s *Sim) forgetSession(x *session, now time.Time) {
	delete(s.state.sessions, x.sid)
	s.state.past.add(s.ended(x, now))
}

// A tally counts sessions by how they stand.
type tally struct{ live, expired, blocked int }

func (t *tally) add(ended string) {
	switch ended {
	case "":
		t.live++
	case "full":
		t.blocked++
	default:
		t.expired++
	}
}

// tally counts all sessions that ever began. One that was dropped counts as it
// stood then.
func (s *Sim) tally(now time.Time) tally {
	t := s.state.past
	for _, x := range s.state.sessions {
		t.add(s.ended(x, now))
	}
	return t
}

// remarkFirst notes how a client came to need a new session (S13).
func (s *Sim) remarkFirst(v *visitor, c *call) {
	pair := c.vid + " " + c.sid
	replacedAt, replaced := v.replaced[pair]
	hasLive := slices.ContainsFunc(v.sessions, func(x *session) bool { return s.ended(x, c.at) == "" })
	inTime := v.firstCalls > 0 || within(c.at, v.answered, shortly)
	switch {
	case hasLive && inTime:
		s.lint(v, c, remark{"parallel_first", "Two first reports at once.",
			"The visitor's second report was sent before the first was answered, so LivePerson began two sessions."})
	case hasLive && replaced && c.at.Sub(replacedAt) >= shortly:
		s.lint(v, c, remark{"stale_pair", "The new session was not taken over.",
			"LivePerson had answered these ids with new ones, and the old ones were sent again."})
	case hasLive && (c.vid == "" || c.sid == ""):
		s.lint(v, c, remark{"session_leak", "A session was lost.",
			"A visitor LivePerson already had a session for came without its ids, so another was begun. LivePerson caps that."})
	}
	if c.sid != "" {
		if v.replaced == nil || len(v.replaced) > 100 {
			v.replaced = map[string]time.Time{}
		}
		v.replaced[pair] = c.at
	}
	v.firstCalls++
	c.first = v
}

// answeredFirst tells the state that a first call has its answer.
func (s *Sim) answeredFirst(c *call) {
	if c.first == nil {
		return
	}
	s.state.mu.Lock()
	c.first.firstCalls--
	c.first.answered = s.clock.now()
	s.state.mu.Unlock()
}

func (st *state) account(s *Sim, id string) *account {
	a := st.accounts[id]
	if a == nil {
		a = &account{coldLeft: s.o.ColdCalls}
		if s.o.AnyAccount && len(st.accounts) > 10_000 {
			st.accounts = map[string]*account{}
		}
		st.accounts[id] = a
	}
	return a
}

// loading is S1 to S3: the answer of an account that is not loaded.
func (s *Sim) loading(c *call) *answer {
	a := s.state.account(s, c.account)
	if s.o.ColdAfter > 0 && !a.lastCall.IsZero() && c.at.Sub(a.lastCall) >= s.o.ColdAfter {
		a.coldLeft, a.lastCall = s.o.ColdCalls, time.Time{}
	}
	if a.lastCall.IsZero() && s.o.ColdFor > 0 {
		a.coldFrom = c.at
	}
	a.lastCall = c.at
	s.heed(c)
	switch {
	case a.coldLeft > 0:
		a.coldLeft--
	case s.o.ColdFor > 0 && within(c.at, a.coldFrom, s.o.ColdFor), s.faults.cold(c):
	default:
		return nil
	}
	vid := c.vid
	if vid == "" {
		vid = newVid()
	}
	s.state.tell(c, vid)
	message := fmt.Sprintf("Loading account: %s, vid: %s", c.account, vid)
	if c.version == "1.0" {
		return refuse(c.at, 500, 20, message)
	}
	return refuse(c.at, 202, 38, message)
}

// heed looks whether a call has the vid that a loading answer told (S3).
func (s *Sim) heed(c *call) {
	key := visitorKey{c.account, c.who.name()}
	told, ok := s.state.told[key]
	if !ok {
		return
	}
	if c.vid == "" {
		s.lint(s.state.find(c), c, remark{"retry_without_vid", "The vid of a loading answer was not used.",
			"LivePerson names a vid while it loads an account, and the repeated report has to carry it."})
	}
	if c.vid == "" || c.vid == told {
		delete(s.state.told, key)
	}
}

// tell remembers the vid of a loading answer.
func (st *state) tell(c *call, vid string) {
	if c.who.name() == "" {
		return
	}
	if len(st.told) >= maxTold {
		clear(st.told)
	}
	st.told[visitorKey{c.account, c.who.name()}] = vid
}

// newVid is the tail of the base64 of random hex, as LivePerson's look.
func newVid() string {
	var b [9]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(b[:])))[2:]
}

func newSid() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func isVid(s string) bool {
	return len(s) == 22 && all(s, func(c byte) bool { return isLetter(c) || isDigit(c) })
}

// isSid is ^[A-Za-z0-9_-]{22}(\.[0-9a-f]{1,64})?$
func isSid(s string) bool {
	head, tail, dotted := strings.Cut(s, ".")
	if dotted && (len(tail) == 0 || len(tail) > 64 || !all(tail, func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' })) {
		return false
	}
	return len(head) == 22 && all(head, func(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' || c == '-' })
}
