package auth

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Limiter bounds wrong sign-ins: MaxTries for one account from one address,
// then a wait of Pause; and ten times as many from one address over all
// accounts. Somebody who guesses elsewhere cannot lock the owner out. It keeps
// at most maxKeys counts and is safe for many goroutines.
type Limiter struct {
	mu     sync.Mutex
	counts map[string]*count
}

// The limits of sign-in.
const (
	MaxTries = 5
	Pause    = 15 * time.Minute

	perAddress = 10 * MaxTries
	maxKeys    = 20_000
)

type count struct {
	tries int
	since time.Time
}

// NewLimiter makes a Limiter.
func NewLimiter() *Limiter { return &Limiter{counts: map[string]*count{}} }

// Take counts one try before its password is looked at, so that tries made at
// once are all counted. left is how many remain if this one is wrong. When the
// tries are used up it reports false and until when to wait.
func (l *Limiter) Take(email string, from netip.Addr, now time.Time) (left int, until time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	account, address := keys(email, from)
	for _, k := range []struct {
		key string
		max int
	}{{account, MaxTries}, {address, perAddress}} {
		if c := l.at(k.key, now); c != nil && c.tries >= k.max {
			return 0, c.since.Add(Pause), false
		}
	}
	n := l.add(account, now)
	l.add(address, now)
	return MaxTries - n, now.Add(Pause), true
}

// Right forgets the tries of an account after a right password, and gives the
// address its try back.
func (l *Limiter) Right(email string, from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	account, address := keys(email, from)
	delete(l.counts, account)
	if c := l.counts[address]; c != nil && c.tries > 0 {
		c.tries--
	}
}

func (l *Limiter) at(key string, now time.Time) *count {
	c := l.counts[key]
	if c != nil && now.Sub(c.since) >= Pause {
		delete(l.counts, key)
		return nil
	}
	return c
}

// add counts a try. The pause is counted from the last one, so that it is as
// long as people were told.
func (l *Limiter) add(key string, now time.Time) int {
	c := l.at(key, now)
	if c == nil {
		l.makeRoom(now)
		c = &count{}
		l.counts[key] = c
	}
	c.tries++
	c.since = now
	return c.tries
}

// makeRoom forgets what is over; with the table still full, the oldest quarter
// goes, so that room is made rarely.
func (l *Limiter) makeRoom(now time.Time) {
	if len(l.counts) < maxKeys {
		return
	}
	var ages []time.Time
	for k, c := range l.counts {
		if now.Sub(c.since) >= Pause {
			delete(l.counts, k)
		} else {
			ages = append(ages, c.since)
		}
	}
	if len(l.counts) < maxKeys {
		return
	}
	slices.SortFunc(ages, time.Time.Compare)
	last := ages[len(ages)/4]
	for k, c := range l.counts {
		if !c.since.After(last) {
			delete(l.counts, k)
		}
	}
}

// keys names the counts of a try. A household of IPv6 is one /64.
func keys(email string, from netip.Addr) (account, address string) {
	from = from.Unmap().WithZone("")
	if from.Is6() {
		if p, err := from.Prefix(64); err == nil {
			from = p.Addr()
		}
	}
	address = from.String()
	return address + " " + foldEmail(email), address
}

// foldEmail is the form in which two spellings of an e-mail are the same.
func foldEmail(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
