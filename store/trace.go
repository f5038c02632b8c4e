package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/trace"
)

// The store keeps the history of the debugger.
var _ trace.Sink = (*Store)(nil)

// A TraceRow is one event in the debugger's list, as the live list has it too.
type TraceRow = trace.Summary

// traceKey is the event's place as one number, which orders events.
func traceKey(p event.Place) int64 { return int64(p.Seq)<<placeBits | int64(p.Index) }

// placeBits leaves room for a million events in a frame of 512 KiB.
const placeBits = 20

func tracePlace(id int64) event.Place {
	return event.Place{Seq: uint64(id >> placeBits), Index: int(id & (1<<placeBits - 1))}
}

// About what an event takes on disk beside its records: its row, the rows of
// its routes and words, and all their indexes.
const (
	eventBytes  = 900
	recordBytes = 60
	wordBytes   = 40
)

// tracedEvent is an event's row while a batch is merged into it.
type tracedEvent struct {
	trace.Summary
	words string
	bytes int64
}

// AddTraces merges records into the history in one transaction. The records
// of one event may come in any order and in different batches.
func (s *Store) AddTraces(ctx context.Context, records []trace.Record) error {
	if len(records) == 0 {
		return nil
	}
	bodies := make([][]any, len(records))
	for i := range records {
		body, err := json.Marshal(&records[i])
		if err != nil {
			return fmt.Errorf("encode a trace of event %s: %w", records[i].MessageID, err)
		}
		packed := s.pack.EncodeAll(body, make([]byte, 0, len(body)/2))
		bodies[i] = []any{traceKey(records[i].Place), stamp(records[i].At), packed}
	}
	return s.update(ctx, "add traces", func(t *tx) error {
		known, err := s.knownTraces(ctx, t, records)
		if err != nil {
			return err
		}
		if err := t.put(ctx, `INSERT INTO trace_records (id, at, body)`, ``, bodies); err != nil {
			return fmt.Errorf("records: %w", err)
		}
		return s.mergeTraces(ctx, t, known, records, bodies)
	})
}

// knownTraces gives the rows that are there for the events of records.
func (s *Store) knownTraces(ctx context.Context, t *tx, records []trace.Record) (map[int64]*tracedEvent, error) {
	ids := map[int64]bool{}
	for i := range records {
		ids[traceKey(records[i].Place)] = true
	}
	known := make(map[int64]*tracedEvent, len(ids))
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(ids)), idsAtOnce) {
		events, err := s.readTraces(ctx, t, `FROM trace_events e WHERE e.id IN (`+marks(len(chunk))+`)`, anys(chunk)...)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			known[traceKey(e.Place)] = e
		}
	}
	return known, nil
}

// mergeTraces writes what became of the events of a batch.
func (s *Store) mergeTraces(ctx context.Context, t *tx, known map[int64]*tracedEvent, records []trace.Record, bodies [][]any) error {
	var order []int64 // so that the same batch makes the same file
	touched := map[int64]bool{}
	words := [][]any{}
	var grown int64
	for i, r := range records {
		id := traceKey(r.Place)
		e := known[id]
		if e == nil {
			e = &tracedEvent{Summary: trace.NewSummary(r), bytes: eventBytes}
			known[id] = e
			grown += eventBytes
		} else {
			e.Add(r)
		}
		if !touched[id] {
			touched[id] = true
			order = append(order, id)
		}
		more := int64(len(bodies[i][2].([]byte)) + recordBytes)
		for _, w := range e.learn() {
			words = append(words, []any{w, id})
			more += wordBytes
		}
		e.bytes += more
		grown += more
	}
	var events, routes [][]any
	for _, id := range order {
		e := known[id]
		key := event.FoldName(e.Event)
		events = append(events, []any{id, e.MessageID, e.Pipeline, string(e.Type), e.Event, key, e.AnonymousID, e.UserID,
			stamp(e.ReceivedAt), boolean(e.Arrived), string(e.Outcome), e.words, e.bytes})
		for _, d := range e.Ends {
			routes = append(routes, []any{id, d.Integration, key, stamp(e.ReceivedAt), d.Gen, string(d.Outcome), d.Reason,
				d.Text, d.Status, d.Code, d.TookMS, d.Tries, stamp(d.At), stamp(d.Next)})
		}
	}
	return putTraces(ctx, t, events, routes, words, grown)
}

func putTraces(ctx context.Context, t *tx, events, routes, words [][]any, grown int64) error {
	err := t.put(ctx, `INSERT INTO trace_events (id, message_id, pipeline, type, event, event_key, anonymous_id, user_id,
		received_at, arrived, outcome, words, bytes)`, `ON CONFLICT (id) DO UPDATE SET message_id = excluded.message_id,
		pipeline = excluded.pipeline, type = excluded.type, event = excluded.event, event_key = excluded.event_key,
		anonymous_id = excluded.anonymous_id, user_id = excluded.user_id, received_at = excluded.received_at,
		arrived = excluded.arrived, outcome = excluded.outcome, words = excluded.words, bytes = excluded.bytes`, events)
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	err = t.put(ctx, `INSERT INTO trace_routes (id, integration, event_key, received_at, gen, outcome, reason, summary,
		status, code, took_ms, tries, at, next_try)`, `ON CONFLICT (id, integration) DO UPDATE SET
		event_key = excluded.event_key, received_at = excluded.received_at, gen = excluded.gen,
		outcome = excluded.outcome, reason = excluded.reason, summary = excluded.summary, status = excluded.status,
		code = excluded.code, took_ms = excluded.took_ms, tries = excluded.tries, at = excluded.at,
		next_try = excluded.next_try`, routes)
	if err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	if err := t.put(ctx, `INSERT INTO trace_words (word, id)`, `ON CONFLICT (word, id) DO NOTHING`, words); err != nil {
		return fmt.Errorf("words: %w", err)
	}
	if _, err := t.exec(ctx, `UPDATE trace_size SET bytes = bytes + ? WHERE only = 1`, grown); err != nil {
		return fmt.Errorf("size: %w", err)
	}
	return nil
}

// A text search finds so many words of an event, and of each so much.
const (
	wordsOfEvent = 24
	wordLength   = 40
)

// learn brings the words of e up to date and gives those that came in.
func (e *tracedEvent) learn() (fresh []string) {
	have := strings.Fields(e.words)
	texts := []string{e.Event}
	for i := range e.Ends {
		texts = append(texts, e.Ends[i].Text, e.Ends[i].Reason)
	}
	for _, text := range texts {
		for _, w := range wordsOf(text) {
			if len(have) < wordsOfEvent && !slices.Contains(have, w) {
				have = append(have, w)
				fresh = append(fresh, w)
			}
		}
	}
	if len(fresh) > 0 {
		e.words = " " + strings.Join(have, " ")
	}
	return fresh
}

// wordsOf takes a text apart at everything but letters and digits.
func wordsOf(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		if len(w) > wordLength {
			words[i] = strings.ToValidUTF8(w[:wordLength], "")
		}
	}
	return words
}

// readTraces reads events with their routes, in the order of the query. rest
// begins with FROM and names trace_events e.
func (s *Store) readTraces(ctx context.Context, q querier, rest string, args ...any) ([]*tracedEvent, error) {
	var out []*tracedEvent
	byID := map[int64]*tracedEvent{}
	err := s.each(ctx, q, `SELECT e.id, e.message_id, e.pipeline, e.type, e.event, e.anonymous_id, e.user_id, e.received_at,
		e.arrived, e.outcome, e.words, e.bytes `+rest, args, func(scan func(...any) error) error {
		e := &tracedEvent{}
		var id, received int64
		var arrived int
		err := scan(&id, &e.MessageID, &e.Pipeline, &e.Type, &e.Event, &e.AnonymousID, &e.UserID, &received,
			&arrived, &e.Outcome, &e.words, &e.bytes)
		e.Place, e.ReceivedAt, e.Arrived = tracePlace(id), moment(received), arrived != 0
		byID[id] = e
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(byID)), idsAtOnce) {
		if err := s.readEnds(ctx, q, byID, chunk); err != nil {
			return nil, fmt.Errorf("routes: %w", err)
		}
	}
	for _, e := range out {
		e.Judge()
	}
	return out, nil
}

// readEnds fills in the ends of events.
func (s *Store) readEnds(ctx context.Context, q querier, byID map[int64]*tracedEvent, ids []int64) error {
	return s.each(ctx, q, `SELECT id, integration, gen, outcome, reason, summary, status, code, took_ms, tries, at, next_try
		FROM trace_routes WHERE id IN (`+marks(len(ids))+`) ORDER BY id, integration`, anys(ids),
		func(scan func(...any) error) error {
			var d trace.End
			var id, at, next int64
			err := scan(&id, &d.Integration, &d.Gen, &d.Outcome, &d.Reason, &d.Text, &d.Status, &d.Code, &d.TookMS,
				&d.Tries, &at, &next)
			d.At, d.Next = moment(at), moment(next)
			byID[id].Ends = append(byID[id].Ends, d)
			return err
		})
}

// A TraceDetail is everything that the history has of one event.
type TraceDetail struct {
	TraceRow
	// Arrival is how it came. nil when it was sampled out and shows because a
	// delivery failed. Of an event that was replayed it is the first.
	Arrival *trace.Arrival
	Routes  []TraceRoute // by name of the integration
}

// A TraceRoute is an event's way to one integration.
type TraceRoute struct {
	Integration string
	// Route is what process decided, in the last replay if there was one. nil
	// when the arrival was sampled out.
	Route *trace.Route
	// Steps are the tries of all replays, in order.
	Steps []trace.Record
}

// Trace gives an event by its message id, and false when the history has
// none. Of several with the same id it is the latest.
func (s *Store) Trace(ctx context.Context, messageID string) (TraceDetail, bool, error) {
	d := TraceDetail{}
	events, err := s.readTraces(ctx, s.read, `FROM trace_events e WHERE e.message_id = ?
		ORDER BY e.received_at DESC, e.id DESC LIMIT 1`, messageID)
	if err == nil && len(events) > 0 {
		d.TraceRow = events[0].Summary
		err = s.readRecords(ctx, &d)
	}
	if err != nil {
		return TraceDetail{}, false, fmt.Errorf("read trace of event %s: %w", messageID, err)
	}
	return d, len(events) > 0, nil
}

// TraceRows gives the rows of events by their message ids, in the order of ids.
// What the history does not have is left out; of several with the same id it is
// the latest.
func (s *Store) TraceRows(ctx context.Context, ids []string) ([]TraceRow, error) {
	found := make(map[string]TraceRow, len(ids))
	for chunk := range slices.Chunk(ids, idsAtOnce) {
		args := make([]any, len(chunk))
		for i, id := range chunk {
			args[i] = id
		}
		events, err := s.readTraces(ctx, s.read, `FROM trace_events e WHERE e.message_id IN (`+marks(len(chunk))+`)
			ORDER BY e.received_at, e.id`, args...)
		if err != nil {
			return nil, fmt.Errorf("read traces by message id: %w", err)
		}
		for _, e := range events {
			found[e.MessageID] = e.Summary
		}
	}
	var out []TraceRow
	for _, id := range ids {
		if row, ok := found[id]; ok {
			out = append(out, row)
		}
	}
	return out, nil
}

// readRecords fills in how the event came and what was tried.
func (s *Store) readRecords(ctx context.Context, d *TraceDetail) error {
	routes := map[string]*TraceRoute{}
	route := func(integration string) *TraceRoute {
		if routes[integration] == nil {
			routes[integration] = &TraceRoute{Integration: integration}
		}
		return routes[integration]
	}
	err := s.each(ctx, s.read, `SELECT body FROM trace_records WHERE id = ? ORDER BY at, n`, []any{traceKey(d.Place)},
		func(scan func(...any) error) error {
			var packed []byte
			if err := scan(&packed); err != nil {
				return err
			}
			body, err := s.unpack.DecodeAll(packed, nil)
			if err != nil {
				return err
			}
			var r trace.Record
			if err := json.Unmarshal(body, &r); err != nil {
				return err
			}
			if r.Step != nil {
				route(r.Step.Integration).Steps = append(route(r.Step.Integration).Steps, r)
			}
			if r.Arrival == nil {
				return nil
			}
			if d.Arrival == nil {
				d.Arrival = r.Arrival
			}
			for i := range r.Arrival.Routes {
				part := &r.Arrival.Routes[i]
				if at := route(part.Integration); at.Route == nil || part.Gen >= at.Route.Gen {
					at.Route = part
				}
			}
			return nil
		})
	for _, r := range routes {
		slices.SortStableFunc(r.Steps, func(x, y trace.Record) int {
			return cmp.Or(cmp.Compare(x.Step.Gen, y.Step.Gen), x.At.Compare(y.At))
		})
		d.Routes = append(d.Routes, *r)
	}
	slices.SortFunc(d.Routes, func(x, y TraceRoute) int { return cmp.Compare(x.Integration, y.Integration) })
	return err
}

func anys(ids []int64) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
