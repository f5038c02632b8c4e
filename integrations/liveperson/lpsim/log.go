package lpsim

import (
	"cmp"
	"maps"
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
	host     string
	header   http.Header
	body     []byte
	status   int // 0: cut off
	code     int // internalCode, when coded
	coded    bool
	answer   []byte
	fault    bool
	form     string
	account  string
	who      who
	vid      string
	bytes    int
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
	return r.vid == name || r.who.goesBy(name)
}

func (s *Sim) record(c *call, a *answer, fault bool) *record {
	r := &record{
		seq: c.seq, at: c.at, method: c.method, override: c.override, uri: c.uri, host: c.host,
		status: a.status, code: a.code, coded: a.coded, fault: fault, account: c.account, who: c.who, vid: c.vid, form: "reference",
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
	counts
}

// counts are of all requests since the start or the last clear.
type counts struct {
	total, taken, faulted int
	byStatus              map[int]int
	byCode                map[[2]int]int // of status and code, of what was not taken
}

func newCounts() counts { return counts{byStatus: map[int]int{}, byCode: map[[2]int]int{}} }

func (n *counts) add(r *record) {
	n.total++
	if r.fault {
		n.faulted++
	}
	n.byStatus[r.status]++
	switch {
	case r.status == 200 || r.status == 201:
		n.taken++
	case r.coded && r.status != 0:
		n.byCode[[2]int{r.status, r.code}]++
	}
}

func (l *requestLog) add(r *record) {
	r.bytes = r.size()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.add(r)
	l.records = append(l.records, r)
	l.bytes += r.bytes
	for len(l.records) > 1 && (len(l.records) > l.max || l.bytes > maxLogBytes) {
		l.bytes -= l.records[0].bytes
		l.records[0] = nil
		l.records = l.records[1:]
	}
}

func (l *requestLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records, l.bytes, l.counts = nil, 0, newCounts()
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

// counted gives a copy of the counts.
func (l *requestLog) counted() counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.counts
	n.byStatus, n.byCode = maps.Clone(n.byStatus), maps.Clone(n.byCode)
	return n
}

// kindsOf lists what a request reported, for a line of a list.
func (r *record) kindsOf() string {
	if r.body == nil {
		return "not kept"
	}
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
