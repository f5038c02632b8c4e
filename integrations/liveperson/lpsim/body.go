package lpsim

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// who is the identification of a call.
type who struct {
	sub, iss, acr string   // the strongest identity: the first loa1, else the first
	consumerID    string   // "" when not sent
	others        []string // further subs
}

// name is what the visitor is kept under: a sub, else the consumerId, else
// nothing, and then the vid has to do.
func (w who) name() string {
	if w.sub != "" {
		return w.sub
	}
	return w.consumerID
}

// goesBy says whether a name is one of those it came with.
func (w who) goesBy(name string) bool {
	return w.sub == name || w.consumerID == name || slices.Contains(w.others, name)
}

// An attribute is one entry of engagementAttributes that passed its checks.
type attribute struct {
	kind string // as sent: in the seed's form cartStatus stays cartStatus
	node node
}

// checkBody runs B1 to B14 over c.doc and reads it into c.
func (s *Sim) checkBody(c *call) *answer {
	if s.r.fields { // B1
		for _, m := range c.doc.members {
			switch m.name {
			case "consumerId", "identities", "engagementAttributes", "pageId", "entryPoints", "clientProperties":
			default:
				return c.invalid(m.name)
			}
		}
	}
	attrs := c.doc.get("engagementAttributes") // B2
	switch {
	case attrs.kind == '[' && (len(attrs.items) > 0 || !s.wantsSome(c)):
	case attrs.kind == 0 && c.kind == engagement:
	default:
		return c.invalid("engagementAttributes")
	}
	if c.kind == report && !identified(c) { // B3
		return c.invalid("consumerId")
	}
	c.who = who{}
	for _, check := range [...]func(*rules, *call) string{
		checkConsumer, checkIdentities, checkCustomerIDs, checkPageID, checkEntryPoints, checkClient,
	} {
		if path := check(&s.r, c); path != "" {
			return c.invalid(path)
		}
	}
	if a := s.checkAttributes(c, attrs); a != nil { // B14
		return a
	}
	s.remarkCall(c)
	return nil
}

// wantsSome says whether a call needs an attribute (B2).
func (s *Sim) wantsSome(c *call) bool {
	switch {
	case c.kind == engagement:
		return false
	case c.form == seed:
		return s.r.seedNotEmpty
	default:
		return s.r.notEmpty
	}
}

// identified is B3: anything that says who it is about.
func identified(c *call) bool {
	if c.doc.get("consumerId").text != "" || c.vid != "" {
		return true
	}
	for _, id := range c.doc.get("identities").items {
		if id.get("sub").text != "" {
			return true
		}
	}
	return false
}

func checkConsumer(_ *rules, c *call) string { // B4
	n := c.doc.get("consumerId")
	if n.kind == 0 {
		return ""
	}
	if n.kind != '"' || n.text == "" {
		return "consumerId"
	}
	c.who.consumerID = n.text
	return ""
}

func checkIdentities(r *rules, c *call) string { // B5 to B8
	ids := c.doc.get("identities")
	if ids.kind == 0 {
		return ""
	}
	if ids.kind != '[' {
		return "identities"
	}
	for _, id := range ids.items {
		if path := checkIdentity(r, id); path != "" {
			return path
		}
		c.who.add(id.get("sub").text, id.get("iss").text, id.get("acr").text)
	}
	return ""
}

func checkIdentity(r *rules, id node) string {
	if id.kind != '{' {
		return "identities"
	}
	if acr := id.get("acr"); acr.kind != '"' || acr.text != "0" && acr.text != "loa1" {
		return "identities.acr"
	}
	if sub := id.get("sub"); sub.kind != '"' || sub.text == "" {
		return "identities.sub"
	}
	if iss := id.get("iss"); iss.kind != 0 && iss.kind != '"' {
		return "identities.iss"
	}
	for _, m := range id.members {
		if r.identityFields && m.name != "iss" && m.name != "acr" && m.name != "sub" {
			return "identities"
		}
	}
	return ""
}

// add takes one identity in; the first with loa1 leads.
func (w *who) add(sub, iss, acr string) {
	if w.sub == "" || acr == "loa1" && w.acr != "loa1" {
		sub, w.sub = w.sub, sub
		w.iss, w.acr = iss, acr
	}
	if sub != "" && sub != w.sub {
		w.others = append(w.others, sub)
	}
}

// checkCustomerIDs compares before the attributes are checked, so it takes them
// as they come.
func checkCustomerIDs(r *rules, c *call) string { // B10
	if !r.customerID || c.who.consumerID == "" {
		return ""
	}
	for _, n := range c.doc.get("engagementAttributes").items {
		id := n.at("info", "customerId")
		if n.get("type").text == "ctmrinfo" && id.kind == '"' && id.text != c.who.consumerID {
			return "customerId"
		}
	}
	return ""
}

func checkPageID(r *rules, c *call) string { // B11
	n := c.doc.get("pageId")
	if n.kind == 0 {
		return ""
	}
	if n.kind != '"' || r.pageID && (len(n.text) == 0 || len(n.text) > 20 || !all(n.text, isDigit)) {
		return "pageId"
	}
	c.pageID = n.text
	return ""
}

func checkEntryPoints(r *rules, c *call) string { // B12
	n := c.doc.get("entryPoints")
	if n.kind == 0 {
		return ""
	}
	if n.kind != '[' {
		return "entryPoints"
	}
	for _, e := range n.items {
		if e.kind != '"' || r.entryPoints && !hasScheme(e.text) {
			return "entryPoints"
		}
	}
	return ""
}

// hasScheme is ^[a-z][a-z0-9+.-]*://.+
func hasScheme(s string) bool {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme == "" || rest == "" || strings.HasPrefix(rest, "\n") {
		return false
	}
	return isLower(scheme[0]) && all(scheme, func(c byte) bool {
		return isLower(c) || isDigit(c) || c == '+' || c == '.' || c == '-'
	})
}

func checkClient(r *rules, c *call) string { // B13
	n := c.doc.get("clientProperties")
	if n.kind == 0 || c.kind == report && !r.client {
		return ""
	}
	if n.kind != '{' {
		return "clientProperties"
	}
	for _, m := range n.members {
		ok := m.value.kind == '"'
		switch m.name {
		case "deviceFamily":
			ok = ok && oneOf(m.value.text, "DESKTOP", "TABLET", "MOBILE")
		case "os", "osName":
			ok = ok && oneOf(m.value.text, "WINDOWS", "MAC_OSX", "LINUX", "IOS", "ANDROID")
		case "ipAddress":
			ip, err := netip.ParseAddr(m.value.text)
			ok = ok && err == nil && ip.Is4()
		}
		if !ok {
			return "clientProperties." + m.name
		}
	}
	return ""
}

// checkAttributes is B14: every attribute is right, or nothing is taken.
func (s *Sim) checkAttributes(c *call, attrs node) *answer {
	if len(attrs.items) == 0 {
		return nil
	}
	k := checker{rules: &s.r, form: c.form, dialect: c.dialect, engagement: c.kind == engagement}
	c.attrs = make([]attribute, 0, len(attrs.items))
	for i, n := range attrs.items {
		if f := k.attribute(n); f != fine {
			return c.invalid("engagementAttributes[" + strconv.Itoa(i) + "]" + f.suffix())
		}
		c.attrs = append(c.attrs, attribute{kind: n.get("type").text, node: n})
	}
	return nil
}

func oneOf(s string, allowed ...string) bool {
	for _, a := range allowed {
		if s == a {
			return true
		}
	}
	return false
}

func all(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLower(c byte) bool  { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool  { return c >= 'A' && c <= 'Z' }
func isLetter(c byte) bool { return isLower(c) || isUpper(c) }
