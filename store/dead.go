package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/datafly/signal/event"
)

// A DeadLetter is an event that was given up for an integration, with all that
// is needed to understand it and to send it again.
type DeadLetter struct {
	ID          string // uuid v7, made by AddDead when empty
	Pipeline    string
	Integration string
	MessageID   string
	Event       string // the name, or the type
	AnonymousID string
	UserID      string
	Reason      string // whole sentences for a marketer
	Remedy      string
	Status      int // of the last answer
	Code        int // the vendor's own
	Attempts    int
	FirstAt     time.Time // of the first attempt
	LastAt      time.Time // when it was given up
	Request     json.RawMessage
	Answer      json.RawMessage

	// What explains the failure beside the reason, as attempt.Result has it.
	Cause  string
	Fix    string
	Field  string
	Checks json.RawMessage // []attempt.Check; nil for none

	// Place and Gen name the report: it is dead once, however often it is added.
	Place event.Place
	Gen   int
	Item  []byte // the encoded integrations.Item
}

// A DeadKey names a dead report of one integration.
type DeadKey struct {
	ID    string
	Place event.Place
	Gen   int
}

// A DeadFilter chooses dead letters. What is empty does not filter.
type DeadFilter struct {
	Pipeline, Integration string
	Event                 string // in any spelling, see event.FoldName
	Reason                string // exactly
	Cause                 string // exactly
	Status                int    // of the last answer; NoAnswer for those that got none
	Q                     string // part of an id, a name or the reason, in any case
	From, To              time.Time
	Cursor                string // of the page before
	Limit                 int    // default 50, at most 500
}

// NoAnswer is the Status of a DeadFilter for what was given up without an answer.
const NoAnswer = -1

// AddDead keeps dead letters, all or none. One that is there already, by
// integration, place and replay, stays as it is.
func (s *Store) AddDead(ctx context.Context, letters []DeadLetter) error {
	return s.update(ctx, "keep dead letters", func(t *tx) error { return t.addDead(ctx, letters) })
}

func (t *tx) addDead(ctx context.Context, letters []DeadLetter) error {
	rows := make([][]any, 0, len(letters))
	for i := range letters {
		d := &letters[i]
		id := d.ID
		if id == "" {
			id = uuid.Must(uuid.NewV7()).String()
		}
		rows = append(rows, []any{
			id, d.Pipeline, d.Integration, d.MessageID, d.Event, event.FoldName(d.Event), d.AnonymousID, d.UserID,
			d.Reason, d.Remedy, d.Status, d.Code, d.Attempts, stamp(d.FirstAt), stamp(d.LastAt),
			string(d.Request), string(d.Answer), d.Cause, d.Fix, d.Field, string(d.Checks), int64(d.Place.Seq), d.Place.Index, d.Gen, notNil(d.Item),
		})
	}
	return t.put(ctx, `INSERT INTO dead_letters (id, pipeline, integration, message_id, event, event_key, anonymous_id,
		user_id, reason, remedy, status, code, attempts, first_at, last_at, request, answer, cause, fix, field, checks, seq, idx, gen, item)`,
		`ON CONFLICT (integration, seq, idx, gen) DO NOTHING`, rows)
}

// DeadLetters gives a page, newest first, and the cursor of the next one, ""
// after the last. Letters that are added meanwhile move nothing.
func (s *Store) DeadLetters(ctx context.Context, f DeadFilter) (page []DeadLetter, next string, err error) {
	w := f.where()
	if f.Cursor != "" {
		at, id, err := readCursor(f.Cursor)
		if err != nil {
			return nil, "", err
		}
		w.add(`(last_at, id) < (?, ?)`, at, id)
	}
	limit := pageSize(f.Limit)
	page, err = s.deadLetters(ctx, w.String()+` ORDER BY last_at DESC, id DESC LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	if len(page) > limit {
		page = page[:limit]
		last := &page[limit-1]
		next = pageCursor(stamp(last.LastAt), last.ID)
	}
	return page, next, nil
}

func (f *DeadFilter) where() where {
	var w where
	w.is("pipeline", f.Pipeline)
	w.is("integration", f.Integration)
	w.is("event_key", event.FoldName(f.Event))
	w.is("reason", f.Reason)
	w.is("cause", f.Cause)
	switch {
	case f.Status == NoAnswer:
		w.add("status = 0")
	case f.Status != 0:
		w.add("status = ?", f.Status)
	}
	w.between("last_at", f.From, f.To)
	if f.Q != "" {
		columns := []string{"message_id", "anonymous_id", "user_id", "event", "reason"}
		for i, c := range columns {
			columns[i] = `LOWER(` + c + `) LIKE ? ESCAPE '\'`
		}
		q := like(strings.ToLower(f.Q))
		w.add("("+strings.Join(columns, " OR ")+")", q, q, q, q, q)
	}
	return w
}

// DeadLetter gives one by its id.
func (s *Store) DeadLetter(ctx context.Context, id string) (DeadLetter, bool, error) {
	found, err := s.deadLetters(ctx, ` WHERE id = ?`, id)
	if err != nil || len(found) == 0 {
		return DeadLetter{}, false, err
	}
	return found[0], true, nil
}

func (s *Store) deadLetters(ctx context.Context, rest string, args ...any) ([]DeadLetter, error) {
	var out []DeadLetter
	query := `SELECT id, pipeline, integration, message_id, event, anonymous_id, user_id, reason, remedy, status, code,
		attempts, first_at, last_at, request, answer, cause, fix, field, checks, seq, idx, gen, item FROM dead_letters` + rest
	err := s.each(ctx, s.read, query, args, func(scan func(...any) error) error {
		var d DeadLetter
		var first, last, seq int64
		var request, answer, checks []byte
		err := scan(&d.ID, &d.Pipeline, &d.Integration, &d.MessageID, &d.Event, &d.AnonymousID, &d.UserID, &d.Reason,
			&d.Remedy, &d.Status, &d.Code, &d.Attempts, &first, &last, &request, &answer,
			&d.Cause, &d.Fix, &d.Field, &checks, &seq, &d.Place.Index, &d.Gen, &d.Item)
		d.FirstAt, d.LastAt, d.Place.Seq = moment(first), moment(last), uint64(seq)
		d.Request, d.Answer, d.Checks = raw(request), raw(answer), raw(checks)
		out = append(out, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	return out, nil
}

// raw gives nil for nothing, so that it encodes as null and not as bad JSON.
func raw(b []byte) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	return b
}

// CountDead gives how many dead letters match; Cursor and Limit do not count.
func (s *Store) CountDead(ctx context.Context, f DeadFilter) (int, error) {
	w := f.where()
	var n int
	if _, err := s.one(ctx, `SELECT COUNT(*) FROM dead_letters`+w.String(), w.args, &n); err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	return n, nil
}

// A DeadGroup are the dead letters of one integration with one reason.
type DeadGroup struct {
	Pipeline, Integration string
	Reason, Remedy        string
	Status, Code          int
	Count                 int
	FirstAt, LastAt       time.Time // when the first and the last were given up
}

// DeadGroups gives the groups of the dead letters that match, the one with
// the latest letter first.
func (s *Store) DeadGroups(ctx context.Context, f DeadFilter) ([]DeadGroup, error) {
	w := f.where()
	var out []DeadGroup
	query := `SELECT pipeline, integration, reason, MAX(remedy), status, code, COUNT(*), MIN(last_at), MAX(last_at)
		FROM dead_letters` + w.String() + `
		GROUP BY pipeline, integration, reason, status, code ORDER BY MAX(last_at) DESC, reason`
	err := s.each(ctx, s.read, query, w.args, func(scan func(...any) error) error {
		var g DeadGroup
		var first, last int64
		err := scan(&g.Pipeline, &g.Integration, &g.Reason, &g.Remedy, &g.Status, &g.Code, &g.Count, &first, &last)
		g.FirstAt, g.LastAt = moment(first), moment(last)
		out = append(out, g)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("group dead letters: %w", err)
	}
	return out, nil
}

// DeadIDs gives the ids of all dead letters that match, in the order in which
// their events were received; Cursor and Limit do not count.
func (s *Store) DeadIDs(ctx context.Context, f DeadFilter) ([]string, error) {
	w := f.where()
	keys, err := s.deadKeys(ctx, w.String()+` ORDER BY seq, idx, id`, w.args)
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.ID
	}
	return out, err
}

// SortDead gives those of the ids that are dead letters, each once, in the order
// in which their events were received.
func (s *Store) SortDead(ctx context.Context, ids []string) ([]string, error) {
	var keys []DeadKey
	for len(ids) > 0 {
		n := min(idsAtOnce, len(ids))
		some, err := s.deadKeys(ctx, ` WHERE id IN (`+marks(n)+`)`, anyTexts(ids[:n]))
		if err != nil {
			return nil, err
		}
		keys, ids = append(keys, some...), ids[n:]
	}
	slices.SortFunc(keys, func(a, b DeadKey) int {
		return cmp.Or(cmp.Compare(a.Place.Seq, b.Place.Seq), cmp.Compare(a.Place.Index, b.Place.Index), strings.Compare(a.ID, b.ID))
	})
	var out []string
	for _, k := range slices.Compact(keys) {
		out = append(out, k.ID)
	}
	return out, nil
}

func anyTexts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// DropDead deletes dead letters, all or none, and gives how many there were.
func (s *Store) DropDead(ctx context.Context, ids []string) (int, error) {
	total := 0
	err := s.update(ctx, "drop dead letters", func(t *tx) (err error) {
		total, err = t.dropDead(ctx, ids)
		return err
	})
	if err != nil {
		return 0, err
	}
	return total, nil
}

func (t *tx) dropDead(ctx context.Context, ids []string) (total int, err error) {
	for len(ids) > 0 {
		n := min(idsAtOnce, len(ids))
		dropped, err := t.exec(ctx, `DELETE FROM dead_letters WHERE id IN (`+marks(n)+`)`, anyTexts(ids[:n])...)
		if err != nil {
			return 0, err
		}
		total, ids = total+dropped, ids[n:]
	}
	return total, nil
}

// TakeDead takes dead letters off the list and keeps a note in the same
// transaction, as SetMeta does: whoever took them writes there how to go on
// after a crash. ReturnDead is how it ends.
func (s *Store) TakeDead(ctx context.Context, ids []string, note, value string) error {
	return s.update(ctx, "take dead letters off the list", func(t *tx) error {
		if _, err := t.dropDead(ctx, ids); err != nil {
			return err
		}
		return t.setMeta(ctx, note, value)
	})
}

// ReturnDead puts letters back on the list and deletes the note of TakeDead.
func (s *Store) ReturnDead(ctx context.Context, letters []DeadLetter, note string) error {
	return s.update(ctx, "end the note "+note, func(t *tx) error {
		if err := t.addDead(ctx, letters); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM meta WHERE name = ?`, note)
		return err
	})
}

// DeadAt gives the dead letter of a report, by its event's place.
func (s *Store) DeadAt(ctx context.Context, integration string, at event.Place, gen int) (DeadLetter, bool, error) {
	found, err := s.deadLetters(ctx, ` WHERE integration = ? AND seq = ? AND idx = ? AND gen = ?`, integration, int64(at.Seq), at.Index, gen)
	if err != nil || len(found) == 0 {
		return DeadLetter{}, false, err
	}
	return found[0], true, nil
}

// DeadPlaces gives the dead reports of an integration from an EVENTS sequence
// on, in order: what a restart must not send again.
func (s *Store) DeadPlaces(ctx context.Context, integration string, from uint64) ([]DeadKey, error) {
	return s.deadKeys(ctx, ` WHERE integration = ? AND seq >= ? ORDER BY seq, idx, gen`, []any{integration, int64(from)})
}

func (s *Store) deadKeys(ctx context.Context, rest string, args []any) ([]DeadKey, error) {
	var out []DeadKey
	err := s.each(ctx, s.read, `SELECT id, seq, idx, gen FROM dead_letters`+rest, args, func(scan func(...any) error) error {
		var k DeadKey
		var seq int64
		err := scan(&k.ID, &seq, &k.Place.Index, &k.Gen)
		k.Place.Seq = uint64(seq)
		out = append(out, k)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the places of dead letters: %w", err)
	}
	return out, nil
}
