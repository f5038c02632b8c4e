// Package identity holds who an event is about: the visitor, what was learned
// of them, and Signal's own session. It is pure; process keeps the visitors
// and store writes them down.
package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/datafly/signal/event"
)

// A Visitor is one browser or device of one pipeline, and what is known of the
// person behind it.
type Visitor struct {
	Pipeline    string         `json:"pipeline"`
	AnonymousID string         `json:"anonymousId"`
	UserID      string         `json:"userId,omitempty"`
	Traits      map[string]any `json:"traits,omitempty"`
	FirstSeen   time.Time      `json:"firstSeen"`
	Session     Session        `json:"session"`
}

// A Session is Signal's own visit. Vid is made once per visitor, Sid once per
// session; both are 22 characters in the shape that liveperson.md 4.2 shows.
//
// A copy of a Session is its own: the maps are never written to, but replaced.
type Session struct {
	Vid   string    `json:"vid"`
	Sid   string    `json:"sid"`
	Start time.Time `json:"start"`
	Last  time.Time `json:"last"`

	// Landed is true once an event of the session came from a page.
	Landed bool `json:"landed,omitempty"`
	// Campaign is what led to the session, by the names of the collector:
	// source, medium, name, term, content, and the click ids such as gclid.
	// Nil when nothing said so.
	Campaign map[string]string `json:"campaign,omitempty"`
	// Referrer is the host of the site that led to it, "" for none.
	Referrer string `json:"referrer,omitempty"`

	// Once are the attributes that are made once in a session and were made in
	// this one, by integration and name, each with the event that made it.
	Once map[string]map[string]event.Place `json:"once,omitempty"`
}

// Rules say when a session ends. They go by receipt time.
type Rules struct {
	// Idle ends a session without an event. Default 30 min.
	Idle time.Duration `json:"idle"`
	// Max ends a session however busy. Default 24 h.
	Max time.Duration `json:"max"`
}

// WithDefaults gives r with the defaults in the place of zeros.
func (r Rules) WithDefaults() Rules {
	if r.Idle == 0 {
		r.Idle = 30 * time.Minute
	}
	if r.Max == 0 {
		r.Max = 24 * time.Hour
	}
	return r
}

// Touch notes an event of v received at the given instant and begins a new
// session if the last one is over; it reports whether it did. salt makes the
// ids unguessable; the same visitor, instant and salt give the same ids, so
// that events read again after a crash are in the same session.
func (v *Visitor) Touch(at time.Time, rules Rules, salt []byte) (began bool) {
	rules = rules.WithDefaults()
	s := &v.Session
	if v.FirstSeen.IsZero() {
		v.FirstSeen = at
	}
	if s.Vid == "" {
		s.Vid = vid(v, salt)
	}
	if s.Sid == "" || at.Sub(s.Last) >= rules.Idle || at.Sub(s.Start) >= rules.Max {
		*s = Session{Vid: s.Vid, Sid: sid(v, at, salt), Start: at, Last: at}
		return true
	}
	if at.After(s.Last) {
		s.Last = at
	}
	return false
}

// Made notes that the event at a place made the named attributes for an
// integration, and that they are not due any more in this session.
func (s *Session) Made(integration string, names []string, by event.Place) {
	if len(names) == 0 {
		return
	}
	all := make(map[string]map[string]event.Place, len(s.Once)+1)
	maps.Copy(all, s.Once)
	one := make(map[string]event.Place, len(all[integration])+len(names))
	maps.Copy(one, all[integration])
	for _, name := range names {
		one[name] = by
	}
	all[integration] = one
	s.Once = all
}

// Identify links a userId and merges traits, new keys winning. An empty userId
// keeps the one that is known. It reports what changed by field name.
func (v *Visitor) Identify(userID string, traits map[string]any) (changed []string) {
	if userID != "" && userID != v.UserID {
		v.UserID = userID
		changed = append(changed, "userId")
	}
	if len(traits) == 0 {
		return changed
	}
	merged := make(map[string]any, len(v.Traits)+len(traits))
	maps.Copy(merged, v.Traits)
	maps.Copy(merged, traits)
	v.Traits = merged
	return append(changed, "traits")
}

// vid is the tail of the base64 of a hex text: 22 letters and digits, as the
// vendor's own samples are made (liveperson.md 4.2).
func vid(v *Visitor, salt []byte) string {
	sum := digest(salt, "vid", v.Pipeline, v.AnonymousID)
	text := base64.RawStdEncoding.EncodeToString([]byte(hex.EncodeToString(sum)))
	return text[len(text)-22:]
}

// sid is 16 bytes in base64url without padding: 22 characters.
func sid(v *Visitor, start time.Time, salt []byte) string {
	sum := digest(salt, "sid", v.Pipeline, v.AnonymousID, strconv.FormatInt(start.UnixNano(), 10))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func digest(salt []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, salt)
	h.Write([]byte(strings.Join(parts, "\x00")))
	return h.Sum(nil)
}
