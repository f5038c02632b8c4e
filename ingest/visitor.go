package ingest

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/google/uuid"
)

// cookieName holds the visitor's anonymousId. It is strictly necessary, so it
// is set whatever the consent.
const cookieName = "_dfid"

// A visitor decides the anonymousIds of one request: the cookie, else the
// body's, else a new one.
type visitor struct {
	browser bool
	cookie  string // the id that came in the cookie, "" when it is none
	adopted string // the first UUID of the body, for a browser without cookie
	foreign bool   // the body has an id of another form
	made    string // the new id of a browser call
	newID   func() string
}

func (g *Gateway) visitorOf(r *http.Request) visitor {
	v := visitor{newID: g.opts.NewAnonymousID}
	v.browser = r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
	// After reset() of the collector the visitor is a new one, and the script
	// cannot take the HttpOnly cookie away itself.
	if c, err := r.Cookie(cookieName); err == nil && isUUID(c.Value) && queryValue(r.URL.RawQuery, "reset") != "1" {
		v.cookie = c.Value
	}
	return v
}

// idOf gives the anonymousId of an event whose own is given, or "".
func (v *visitor) idOf(own string) string {
	switch {
	case v.cookie != "":
		return v.cookie
	case own != "":
		if !isUUID(own) {
			v.foreign = true
		} else if v.adopted == "" {
			v.adopted = own
		}
		return own
	case !v.browser:
		// Events of one server call may be about different people.
		return v.newID()
	case v.adopted != "":
		return v.adopted
	case v.made == "":
		v.made = v.newID()
	}
	return v.made
}

// toSet gives the id that the answer's cookie carries, or "" for no cookie. A
// cookie that came is set again, so that it lives on from the last visit.
func (v *visitor) toSet() string {
	switch {
	case !v.browser:
		return ""
	case v.cookie != "":
		return v.cookie
	case v.adopted != "":
		return v.adopted
	case v.foreign:
		return ""
	}
	return v.made
}

func (g *Gateway) setCookie(w http.ResponseWriter, r *http.Request, id string) {
	if id == "" {
		return
	}
	c := http.Cookie{ //nolint:gosec // Secure follows the scheme of the call: the demo speaks plain HTTP
		Name: cookieName, Value: id, Path: "/", Domain: g.opts.CookieDomain,
		MaxAge: 34_560_000, // 400 days, the most that browsers keep
		Secure: g.overTLS(r), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if text := c.String(); text != "" {
		w.Header()["Set-Cookie"] = []string{text}
	}
}

func (g *Gateway) overTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	if len(g.opts.TrustedProxies) == 0 || !g.trusted(peer(r)) {
		return false
	}
	// Proxies append; the last one is ours.
	proto := r.Header.Get("X-Forwarded-Proto")
	if i := strings.LastIndexByte(proto, ','); i >= 0 {
		proto = proto[i+1:]
	}
	return strings.EqualFold(strings.TrimSpace(proto), "https")
}

// clientIP gives the address of the client: the connection's own or, behind a
// trusted proxy, the right-most of X-Forwarded-For that is not itself one.
// What stands left of that is the client's own word and is not believed.
func (g *Gateway) clientIP(r *http.Request) string {
	at := peer(r)
	if len(g.opts.TrustedProxies) > 0 && g.trusted(at) {
		at = g.beforeProxies(r.Header.Values("X-Forwarded-For"), at)
	}
	if !at.IsValid() {
		return ""
	}
	return at.String()
}

func (g *Gateway) beforeProxies(lines []string, at netip.Addr) netip.Addr {
	chain := strings.Join(lines, ",")
	for chain != "" {
		hop := chain
		if i := strings.LastIndexByte(chain, ','); i >= 0 {
			hop, chain = chain[i+1:], chain[:i]
		} else {
			chain = ""
		}
		next := parseHop(hop)
		if !next.IsValid() {
			return at
		}
		at = next
		if !g.trusted(at) {
			return at
		}
	}
	return at
}

func (g *Gateway) trusted(a netip.Addr) bool {
	for _, p := range g.opts.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func peer(r *http.Request) netip.Addr { return parseHop(r.RemoteAddr) }

// parseHop reads an address with or without a port, as proxies write it.
func parseHop(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// isUUID reports whether s is a UUID in its one common form. The UUID of zeros
// is none: clients send it when they have no id, and it would make one visitor
// of them all.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	u, err := uuid.Parse(s)
	return err == nil && u != uuid.Nil
}
