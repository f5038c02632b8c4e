package lpsim

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A form is the shape in which a request comes.
type form int

const (
	reference form = iota // PUT, or POST with the override header
	seed                  // plain POST
)

// A call is one request of the Monitoring API, first as it came, then with
// what the checks read from it.
type call struct {
	seq      uint64
	at       time.Time
	method   string
	override string
	url      *url.URL
	host     string
	header   http.Header
	body     []byte // at most Options.MaxBody+1 bytes
	tls      bool

	// From the address.
	engagement   bool // else a report
	account, app string
	form         form
	version      string // "1.0" or "1.1"
	query        url.Values
	vid, sid     string
	onBehalf     bool

	// From the body.
	doc     node
	who     who
	attrs   []attribute
	pageID  string
	remarks []remark

	first *visitor // of a call that began a session, until it is answered
}

// An answer is what a call gets.
type answer struct {
	status     int
	body       []byte
	kind       string // content type, when not the usual one
	allow      string
	retryAfter string
	close      bool // cut the connection instead of answering
	truncate   bool
}

// refuse is the error answer of all checks.
func refuse(at time.Time, status, code int, message string) *answer {
	b := append(make([]byte, 0, 96), `{"time":`...)
	b = strconv.AppendInt(b, at.UnixMilli(), 10)
	b = append(b, `,"message":`...)
	b = quote(b, message)
	b = append(b, `,"internalCode":`...)
	b = strconv.AppendInt(b, int64(code), 10)
	return &answer{status: status, body: append(b, '}')}
}

func (c *call) invalid(what string) *answer { return refuse(c.at, 400, 5, what) }

// checkTransport runs T2 to T14 and reads address and body into c. It gives
// nil when all pass.
func (s *Sim) checkTransport(c *call) *answer {
	if s.o.RequireTLS && !c.tls { // T2
		return c.invalid("https")
	}
	if !c.readPath() { // T3
		return refuse(c.at, 404, 28, "null for uri")
	}
	if a := s.checkMethod(c); a != nil { // T4
		return a
	}
	c.query = c.url.Query()
	v, ok := version(c.query["v"])
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
	if len(c.body) > s.o.MaxBody { // T13
		return refuse(c.at, 413, 5, "body")
	}
	doc, ok := parse(c.body) // T14
	if !ok {
		return c.invalid("body")
	}
	c.doc = doc
	return nil
}

// readPath takes /api/account/{account}/app/{app}/report or /engagement apart.
func (c *call) readPath() bool {
	parts := strings.Split(c.url.EscapedPath(), "/")
	if len(parts) != 7 || parts[0] != "" || parts[1] != "api" || parts[2] != "account" || parts[4] != "app" {
		return false
	}
	switch parts[6] {
	case "report":
	case "engagement":
		c.engagement = true
	default:
		return false
	}
	var err1, err2 error
	c.account, err1 = url.PathUnescape(parts[3])
	c.app, err2 = url.PathUnescape(parts[5])
	return err1 == nil && err2 == nil
}

func (s *Sim) checkMethod(c *call) *answer {
	put := c.method == http.MethodPut || c.method == http.MethodPost && strings.EqualFold(c.override, http.MethodPut)
	plain := c.method == http.MethodPost && c.override == ""
	dialect := s.dialect()
	allow := "PUT, POST"
	switch {
	case c.engagement:
		allow = "POST"
		if plain {
			if dialect == DialectSeed {
				c.form = seed
			}
			return nil
		}
	case put && dialect != DialectSeed:
		return nil
	case plain && dialect != DialectReference:
		c.form = seed
		return nil
	case plain && s.r.plainPost:
		return nil
	}
	if dialect == DialectSeed {
		allow = "POST"
	}
	a := refuse(c.at, 405, 0, "Method Not Allowed")
	a.allow = allow
	return a
}

// version reads v=1.0 or v=1.1 in any spelling of the number.
func version(v []string) (string, bool) {
	if len(v) != 1 {
		return "", false
	}
	switch v[0] {
	case "1", "1.0":
		return "1.0", true
	case "1.1":
		return "1.1", true
	default:
		return "", false
	}
}

func (s *Sim) checkAccount(c *call) *answer {
	if !accountPattern.MatchString(c.account) { // T6
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
	for _, v := range c.query["obh"] { // T9
		if v != "true" && v != "false" {
			return c.invalid("obh")
		}
	}
	if s.r.query { // T10
		if strings.Contains(c.url.RawQuery, ";") {
			return c.invalid(";")
		}
		for _, name := range sortedKeys(c.query) {
			switch name {
			case "v", "vid", "sid", "obh":
				if len(c.query[name]) == 1 {
					continue
				}
			}
			return c.invalid(name)
		}
	}
	c.vid, c.sid = c.query.Get("vid"), c.query.Get("sid")
	c.onBehalf = c.query.Get("obh") == "true"
	return nil
}

func sortedKeys(v url.Values) []string {
	keys := make([]string, 0, 4)
	for k := range v {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
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
