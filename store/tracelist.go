package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/datafly/signal/event"
)

// A TraceFilter chooses events of the history. What is empty does not filter.
type TraceFilter struct {
	Pipeline    string
	Integration string // events that were routed to it
	Event       string // in any spelling, see event.FoldName
	Outcome     string // for Integration, or the worst of all
	Visitor     string // an anonymousId or a userId
	// Q is text: the begin of an id, or words that all begin a word of the
	// name, the summary or the reason.
	Q        string
	From, To time.Time // of receipt

	OldestFirst bool
	Cursor      string // of the page before
	Limit       int    // default 50, at most 500
}

// Traces gives a page of events by time of receipt, and the cursor of the next
// one, "" after the last. Events that come in meanwhile move nothing.
//
// A text of which each word is common is looked for in so many events at a
// time that the page comes soon. Such a page may be short, or empty, with a
// cursor that goes on.
func (s *Store) Traces(ctx context.Context, f TraceFilter) (page []TraceRow, next string, err error) {
	limit := pageSize(f.Limit)
	plans, err := s.plans(ctx, f)
	if err != nil {
		return nil, "", err
	}
	for _, p := range plans {
		if err := p.after(f); err != nil {
			return nil, "", err
		}
		if next, err = s.window(ctx, p, f); err != nil {
			return nil, "", fmt.Errorf("list traces: %w", err)
		}
		rest := p.from + p.String() + p.order(f) + ` LIMIT ?`
		events, err := s.readTraces(ctx, s.read, rest, append(p.args, limit+1)...)
		if err != nil {
			return nil, "", fmt.Errorf("list traces: %w", err)
		}
		for _, e := range events {
			page = append(page, e.Summary)
		}
	}
	if len(plans) > 1 {
		slices.SortFunc(page, f.compare)
	}
	if len(page) > limit {
		page = page[:limit]
		last := page[limit-1]
		next = pageCursor(stamp(last.ReceivedAt), traceID(traceKey(last.Place)))
	}
	return page, next, nil
}

// compare gives the order of a page.
func (f *TraceFilter) compare(x, y TraceRow) int {
	c := cmp.Or(x.ReceivedAt.Compare(y.ReceivedAt), cmp.Compare(traceKey(x.Place), traceKey(y.Place)))
	if f.OldestFirst {
		return c
	}
	return -c
}

func traceID(id int64) string { return strconv.FormatInt(id, 36) }

// lookedThrough is how many events one page looks through for a text.
const lookedThrough = 10_000

// window bounds a plan that compares texts to the next events in order, adds
// the text to it, and gives the cursor behind them, "" when they are the last.
func (s *Store) window(ctx context.Context, p *plan, f TraceFilter) (next string, err error) {
	if p.text == nil {
		return "", nil
	}
	var at, id int64
	query := `SELECT ` + p.by + `.received_at, ` + p.by + `.id ` + p.from + p.String() + p.order(f) + ` LIMIT 1 OFFSET ?`
	more, err := s.one(ctx, query, append(slices.Clone(p.args), lookedThrough-1), &at, &id)
	if err != nil {
		return "", err
	}
	if more {
		comparison := ">="
		if f.OldestFirst {
			comparison = "<="
		}
		p.add("("+p.by+".received_at, "+p.by+".id) "+comparison+" (?, ?)", at, id)
		next = pageCursor(at, traceID(id))
	}
	p.match(p.text)
	return next, nil
}

// CountLimit is how far CountTraces counts.
const CountLimit = 10_000

// CountTraces gives how many events match. It reports true when there may be
// more: it counts to CountLimit, and a text of common words in so many events
// as Traces looks through at a time.
func (s *Store) CountTraces(ctx context.Context, f TraceFilter) (n int, more bool, err error) {
	plans, err := s.plans(ctx, f)
	if err != nil {
		return 0, false, err
	}
	for _, p := range plans {
		next, err := s.window(ctx, p, f)
		part := 0
		if err == nil {
			query := `SELECT COUNT(*) FROM (SELECT 1 ` + p.from + p.String() + ` LIMIT ?) AS found`
			_, err = s.one(ctx, query, append(p.args, CountLimit+1), &part)
		}
		if err != nil {
			return 0, false, fmt.Errorf("count traces: %w", err)
		}
		n += part
		more = more || next != ""
	}
	return min(n, CountLimit), more || n > CountLimit, nil
}

// A plan is one query. Its table is chosen here and not left to the database,
// because on a page that is read in order a bad choice reads everything.
type plan struct {
	where
	from string // the table that is read in order comes first
	by   string // its alias: e for events, r for routes
	text *query // still to be looked for, row by row
}

// plans gives the queries whose rows together match f. They share none.
func (s *Store) plans(ctx context.Context, f TraceFilter) ([]*plan, error) {
	q := newQuery(f.Q)
	if f.Visitor != "" { // one for each index; a visitor's events are few
		anonymous, user := f.events(), f.events()
		anonymous.add("e.anonymous_id = ?", f.Visitor)
		user.add("e.user_id = ? AND e.user_id <> '' AND e.anonymous_id <> ?", f.Visitor, f.Visitor)
		anonymous.match(q)
		user.match(q)
		return []*plan{anonymous, user}, nil
	}
	if q == nil {
		return []*plan{f.ordered()}, nil
	}
	few, err := s.few(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("search traces: %w", err)
	}
	if !few {
		p := f.ordered()
		p.text = q
		return []*plan{p}, nil
	}
	p := f.events()
	candidates, args := q.candidates()
	p.from = `FROM (SELECT DISTINCT id FROM (` + candidates + `) AS u) AS c CROSS JOIN ` + strings.TrimPrefix(p.from, "FROM ")
	p.add("e.id = c.id")
	p.args = append(args, p.args...)
	p.match(q)
	return []*plan{p}, nil
}

// ordered reads the routes of an integration in order, or all events.
func (f *TraceFilter) ordered() *plan {
	if f.Integration == "" {
		return f.events()
	}
	p := &plan{from: `FROM trace_routes r CROSS JOIN trace_events e`, by: "r"}
	p.add("e.id = r.id")
	p.is("r.integration", f.Integration)
	p.is("r.outcome", f.Outcome)
	p.is("r.event_key", event.FoldName(f.Event))
	p.is("e.pipeline", f.Pipeline)
	p.between("r.received_at", f.From, f.To)
	return p
}

// events reads events in order and looks up their routes.
func (f *TraceFilter) events() *plan {
	p := &plan{from: `FROM trace_events e`, by: "e"}
	p.is("e.pipeline", f.Pipeline)
	p.is("e.event_key", event.FoldName(f.Event))
	p.between("e.received_at", f.From, f.To)
	if f.Integration == "" {
		p.is("e.outcome", f.Outcome)
		return p
	}
	p.from += ` CROSS JOIN trace_routes r`
	p.add("r.id = e.id")
	p.is("r.integration", f.Integration)
	p.is("r.outcome", f.Outcome)
	return p
}

func (p *plan) order(f TraceFilter) string {
	direction := " DESC"
	if f.OldestFirst {
		direction = ""
	}
	return " ORDER BY " + p.by + ".received_at" + direction + ", " + p.by + ".id" + direction
}

// after begins behind the cursor.
func (p *plan) after(f TraceFilter) error {
	if f.Cursor == "" {
		return nil
	}
	at, text, err := readCursor(f.Cursor)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(text, 36, 64)
	if err != nil {
		return ErrCursor
	}
	comparison := "<"
	if f.OldestFirst {
		comparison = ">"
	}
	p.add("("+p.by+".received_at, "+p.by+".id) "+comparison+" (?, ?)", at, id)
	return nil
}

// A query is the text that somebody looks for.
type query struct {
	text  string
	words []string
}

func newQuery(q string) *query {
	q = strings.TrimSpace(q)
	if q == "" {
		return nil
	}
	return &query{q, wordsOf(q)}
}

// beyond is behind all texts that begin with s.
func beyond(s string) string { return s + "\U0010FFFF" }

// match adds that an event has the text; nil adds nothing.
func (p *plan) match(q *query) {
	if q == nil {
		return
	}
	end := beyond(q.text)
	args := []any{q.text, end, q.text, end, q.text, end}
	either := []string{"e.message_id >= ? AND e.message_id < ?", "e.anonymous_id >= ? AND e.anonymous_id < ?",
		"e.user_id >= ? AND e.user_id < ?"}
	if n := len(q.words); n > 0 {
		either = append(either, "e.words LIKE ?"+strings.Repeat(" AND e.words LIKE ?", n-1))
	}
	for _, w := range q.words {
		args = append(args, "% "+w+"%")
	}
	p.add("("+strings.Join(either, " OR ")+")", args...)
}

// candidates finds the events that may match through indexes: by the begin of
// an id, and by the longest word, which is likely the rarest.
func (q *query) candidates() (string, []any) {
	end := beyond(q.text)
	parts := []string{
		`SELECT id FROM trace_events WHERE message_id >= ? AND message_id < ?`,
		`SELECT id FROM trace_events WHERE anonymous_id >= ? AND anonymous_id < ?`,
		`SELECT id FROM trace_events WHERE user_id <> '' AND user_id >= ? AND user_id < ?`,
	}
	args := []any{q.text, end, q.text, end, q.text, end}
	if len(q.words) > 0 {
		w := slices.MaxFunc(q.words, func(x, y string) int { return cmp.Compare(len(x), len(y)) })
		parts = append(parts, `SELECT id FROM trace_words WHERE word >= ? AND word < ?`)
		args = append(args, w, beyond(w))
	}
	return strings.Join(parts, " UNION ALL "), args
}

// fewCandidates are sorted faster than a page is found by reading in order.
const fewCandidates = 5000

// few reports whether the candidates are few. Many are found soon by reading
// in order.
func (s *Store) few(ctx context.Context, q *query) (bool, error) {
	candidates, args := q.candidates()
	n := 0
	_, err := s.one(ctx, `SELECT COUNT(*) FROM (SELECT id FROM (`+candidates+`) AS u LIMIT ?) AS found`,
		append(args, fewCandidates+1), &n)
	return n <= fewCandidates, err
}
