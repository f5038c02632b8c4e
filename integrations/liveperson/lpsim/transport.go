package lpsim

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A form is the shape in which a request comes.
type form int

const (
	reference form = iota // PUT, or POST with the override header
	seed                  // plain POST
)

// A kind is what a call asks of LivePerson.
type kind string

const (
	nothing    kind = "" // its address is none of LivePerson's
	report     kind = "report"
	engagement kind = "engagement"
	domain     kind = "domain"
)

// A call is one request of the Monitoring API, first as it came, then with
// what the checks read from it.
type call struct {
	seq      uint64
	at       time.Time
	method   string
	override string
	url      *url.URL
	uri      string // path and query, as they came
	host     string
	header   http.Header
	body     []byte // at most a byte more than is allowed
	tls      bool

	// From the address.
	kind         kind
	account, app string
	form         form
	version      string // "1.0" or "1.1"
	query        query
	vid, sid     string
	dialect      string // in force when it came

	// From the body.
	doc     node
	parsed  bool // whether doc was tried
	isJSON  bool // whether it is one JSON object
	who     who
	attrs   []attribute
	pageID  string
	remarks []remark

	first *visitor // of a call that began a session, until it is answered
}

// checkTransport runs T2 to T14 and reads address and body into c. It gives
// nil when all pass.
func (s *Sim) checkTransport(c *call) *answer {
	if s.r.tls && !c.tls { // T2
		return c.invalid("https")
	}
	if c.kind == nothing { // T3
		return refuse(c.at, 404, 28, "null for uri")
	}
	if a := s.checkMethod(c); a != nil { // T4
		return a
	}
	v, ok := version(c.query.v)
	if !ok { // T5
		return refuse(c.at, 400, 33, "Illegal Version")
	}
	c.version = v
	if a := s.checkAccount(c); a != nil { // T6 to T8
		return a
	}
	if a := s.checkQuery(c); a != nil { // T9, T10
		return a
	}
	if s.r.contentType && !isJSON(c.header["Content-Type"]) { // T11
		return refuse(c.at, 415, 5, "Content-Type")
	}
	if s.r.noAuth && len(c.header["Authorization"]) > 0 { // T12
		return c.invalid("Authorization")
	}
	if len(c.body) > s.maxBody() { // T13
		return refuse(c.at, 413, 5, "body")
	}
	if !c.parse() { // T14
		return c.invalid("body")
	}
	return nil
}

func (s *Sim) maxBody() int {
	if s.r.bodyLimit {
		return s.o.MaxBody
	}
	return maxBodyEver
}

// parse reads the body into doc, once.
func (c *call) parse() bool {
	if !c.parsed {
		c.doc, c.isJSON = parse(c.body)
		c.parsed = true
	}
	return c.isJSON
}

// readAddress takes path and query apart. An address that is none of
// LivePerson's leaves the kind at nothing.
func (c *call) readAddress(exact bool) {
	c.query = readQuery(c.url.RawQuery)
	c.vid, c.sid = c.query.vid.value, c.query.sid.value
	path := c.url.EscapedPath()
	if !exact {
		path = strings.TrimSuffix(path, "/")
	}
	p, ok := pathParts(path)
	same := func(got, want string) bool { return got == want || !exact && strings.EqualFold(got, want) }
	if !ok || !same(p[0], "api") || !same(p[1], "account") || !same(p[3], "app") {
		return
	}
	account, err1 := unescapePath(p[2])
	app, err2 := unescapePath(p[4])
	switch {
	case err1 != nil || err2 != nil:
		return
	case same(p[5], "report"):
		c.kind = report
	case same(p[5], "engagement"):
		c.kind = engagement
	default:
		return
	}
	c.account, c.app = account, app
}

// pathParts splits a path that has as many parts as a report's.
func pathParts(path string) (parts [6]string, ok bool) {
	for i := range parts {
		if path == "" || path[0] != '/' {
			return parts, false
		}
		path = path[1:]
		if end := strings.IndexByte(path, '/'); end >= 0 {
			parts[i], path = path[:end], path[end:]
		} else {
			parts[i], path = path, ""
		}
	}
	return parts, path == ""
}

func unescapePath(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 {
		return s, nil
	}
	return url.PathUnescape(s)
}

func (s *Sim) checkMethod(c *call) *answer {
	put := c.method == http.MethodPut || c.method == http.MethodPost && strings.EqualFold(c.override, http.MethodPut)
	plain := c.method == http.MethodPost && c.override == ""
	if c.dialect == DialectSeed || c.kind == report && plain && c.dialect == DialectBoth {
		c.form = seed
	}
	allow := "PUT, POST"
	switch {
	case c.kind == engagement && plain, c.kind == report && s.takes(c.dialect, put, plain), !s.r.method:
		return nil
	case c.kind == engagement, c.dialect == DialectSeed:
		allow = "POST"
	}
	a := refuse(c.at, 405, 0, "Method Not Allowed")
	a.allow = allow
	return a
}

// takes says whether a dialect has a report's method.
func (s *Sim) takes(dialect string, put, plain bool) bool {
	switch dialect {
	case DialectSeed:
		return plain
	case DialectReference:
		return put || plain && s.r.plainPost
	default:
		return put || plain
	}
}

// version reads v=1, v=1.0 or v=1.1, which is there once.
func version(v param) (string, bool) {
	switch {
	case v.times != 1:
		return "", false
	case v.value == "1", v.value == "1.0":
		return "1.0", true
	default:
		return "1.1", v.value == "1.1"
	}
}

func (s *Sim) checkAccount(c *call) *answer {
	if !isAccount(c.account) { // T6
		return c.invalid("accountId")
	}
	apps, known := s.o.Accounts[c.account]
	if !known && !s.o.AnyAccount && s.r.knownAccount { // T7
		return refuse(c.at, 404, 6, "Invalid account")
	}
	if c.app == "" || !s.o.AnyAccount && !slices.Contains(apps, c.app) { // T8
		return refuse(c.at, 404, 18, "invalid appInstallationId")
	}
	return nil
}

func (s *Sim) checkQuery(c *call) *answer {
	if s.r.onBehalf && c.query.obh.times > 0 && !isBool(c.query.obh.value) { // T9
		return c.invalid("obh")
	}
	if s.r.query && c.query.wrong != "" { // T10
		return c.invalid(c.query.wrong)
	}
	return nil
}

// isJSON takes application/json with any parameters, but no charset other
// than UTF-8.
func isJSON(values []string) bool {
	if len(values) != 1 {
		return false
	}
	if values[0] == "application/json" {
		return true
	}
	kind, params, err := mime.ParseMediaType(values[0])
	if err != nil || kind != "application/json" {
		return false
	}
	charset, given := params["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}
