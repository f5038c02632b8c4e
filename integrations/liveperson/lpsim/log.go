package lpsim

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxLogBytes bounds the requests that are kept to look at.
const maxLogBytes = 64 << 20

// A record is one request as it came, with its answer.
type record struct {
	seq      uint64
	at       time.Time
	method   string
	override string
	uri      string
	query    map[string][]string
	host     string
	header   http.Header
	body     []byte
	status   int // 0: cut off
	answer   []byte
	fault    bool
	form     string
	account  string
	who      who
	vid      string
}

func (r *record) size() int {
	n := 600 + len(r.uri) + len(r.body) + len(r.answer)
	for k, v := range r.header {
		n += len(k) + 32
		for _, s := range v {
			n += len(s)
		}
	}
	return n
}

// about says whether the record is of the visitor that goes by that name.
func (r *record) about(name string) bool {
	return r.who.sub == name || r.who.consumerID == name || r.vid == name || slices.Contains(r.who.others, name)
}

func (s *Sim) record(c *call, a *answer, fault bool) *record {
	r := &record{
		seq: c.seq, at: c.at, method: c.method, override: c.override, uri: c.url.RequestURI(), host: c.host,
		query: c.query, status: a.status, fault: fault, account: c.account, who: c.who, vid: c.vid, form: "reference",
	}
	if c.method == http.MethodPost && c.override == "" {
		r.form = "seed"
	}
	if a.close {
		r.status = 0
	}
	if !s.o.Quiet {
		r.header, r.body, r.answer = c.header, c.body, a.body
	}
	return r
}

// requestLog keeps the last requests.
type requestLog struct {
	mu      sync.Mutex
	max     int
	records []*record // oldest first
	bytes   int
	total   int
	taken   int
}

func (l *requestLog) add(r *record) {
	size := r.size()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	if r.status == 200 || r.status == 201 {
		l.taken++
	}
	l.records = append(l.records, r)
	l.bytes += size
	for len(l.records) > 1 && (len(l.records) > l.max || l.bytes > maxLogBytes) {
		l.bytes -= l.records[0].size()
		l.records[0] = nil
		l.records = l.records[1:]
	}
}

func (l *requestLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records, l.bytes, l.total, l.taken = nil, 0, 0, 0
}

// A logFilter picks records. Its zero value picks all.
type logFilter struct {
	name    string // a sub, consumerId or vid
	account string
	after   uint64
	before  uint64
	limit   int // the newest so many
}

// pick gives matching records, oldest first.
func (l *requestLog) pick(f logFilter) []*record {
	l.mu.Lock()
	all := slices.Clone(l.records)
	l.mu.Unlock()
	all = slices.DeleteFunc(all, func(r *record) bool {
		return r.seq <= f.after || f.before > 0 && r.seq >= f.before || f.name != "" && !r.about(f.name) || f.account != "" && r.account != f.account
	})
	slices.SortFunc(all, func(a, b *record) int { return cmp.Compare(a.seq, b.seq) })
	if f.limit > 0 && len(all) > f.limit {
		all = all[len(all)-f.limit:]
	}
	return all
}

func (l *requestLog) counts() (total, taken int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total, l.taken
}

// kindsOf lists what a request reported, for a line of a list.
func (r *record) kindsOf() string {
	doc, ok := parse(r.body)
	if !ok {
		return "unreadable body"
	}
	var names []string
	for _, a := range doc.get("engagementAttributes").items {
		if t := a.get("type").text; t != "" && !slices.Contains(names, t) {
			names = append(names, t)
		}
	}
	if len(names) == 0 {
		return "entry point"
	}
	return strings.Join(names, ", ")
}
