package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/identity"
	"github.com/datafly/signal/integrations"
)

// A Visitor is a visitor as process last knew them.
type Visitor struct {
	identity.Visitor
	Consent consent.State // the last state in force
	Seq     uint64        // of the EVENTS frame that they were last seen in
}

// visitorDoc is the form on disk.
type visitorDoc struct {
	identity.Visitor
	Consent consent.State `json:"consent"`
	Seq     uint64        `json:"seq"`
}

// Visitor gives one visitor, and false when nothing is known of them.
func (s *Store) Visitor(ctx context.Context, pipeline, anonymousID string) (Visitor, bool, error) {
	found, err := s.Visitors(ctx, pipeline, []string{anonymousID})
	v, ok := found[anonymousID]
	return v, ok, err
}

// idsAtOnce bounds the ids of one IN list.
const idsAtOnce = 500

// Visitors gives those of the visitors of a pipeline that are known, by their
// anonymous id.
func (s *Store) Visitors(ctx context.Context, pipeline string, ids []string) (map[string]Visitor, error) {
	found := make(map[string]Visitor, len(ids))
	for len(ids) > 0 {
		n := min(idsAtOnce, len(ids))
		args := append(make([]any, 0, n+1), pipeline)
		for _, id := range ids[:n] {
			args = append(args, id)
		}
		ids = ids[n:]
		query := `SELECT doc FROM visitors WHERE pipeline = ? AND anonymous_id IN (` + marks(n) + `)`
		err := s.each(ctx, s.read, query, args, func(scan func(...any) error) error {
			var doc []byte
			if err := scan(&doc); err != nil {
				return err
			}
			v, err := readVisitor(doc)
			found[v.AnonymousID] = v
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read visitors of %s: %w", pipeline, err)
		}
	}
	return found, nil
}

// readVisitor keeps the digits of numbers in traits.
func readVisitor(doc []byte) (Visitor, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v visitorDoc
	if err := d.Decode(&v); err != nil {
		return Visitor{}, fmt.Errorf("decode a stored visitor: %w", err)
	}
	return Visitor(v), nil
}

// SaveVisitors writes visitors down, together with the EVENTS sequence that
// they are good for: after a crash process reads on from there. All or nothing.
func (s *Store) SaveVisitors(ctx context.Context, visitors []Visitor, reached uint64) error {
	last := make(map[[2]string]int, len(visitors)) // of a visitor that is there twice the last one counts
	rows := make([][]any, 0, len(visitors))
	for i := range visitors {
		v := &visitors[i]
		doc, err := json.Marshal(visitorDoc(*v))
		if err != nil {
			return fmt.Errorf("encode a visitor of %s: %w", v.Pipeline, err)
		}
		row := []any{v.Pipeline, v.AnonymousID, v.UserID, stamp(v.lastSeen()), string(doc)}
		key := [2]string{v.Pipeline, v.AnonymousID}
		if at, again := last[key]; again {
			rows[at] = row
			continue
		}
		last[key] = len(rows)
		rows = append(rows, row)
	}
	return s.update(ctx, "save visitors", func(t *tx) error {
		err := t.put(ctx, `INSERT INTO visitors (pipeline, anonymous_id, user_id, last_seen, doc)`,
			`ON CONFLICT (pipeline, anonymous_id) DO UPDATE
			SET user_id = excluded.user_id, last_seen = excluded.last_seen, doc = excluded.doc`, rows)
		if err != nil {
			return err
		}
		return t.setCursor(ctx, CursorProcess, Cursor{Seq: reached})
	})
}

func (v *Visitor) lastSeen() time.Time {
	if v.Session.Last.IsZero() {
		return v.FirstSeen
	}
	return v.Session.Last
}

// prunedAtOnce bounds how long a clean-up keeps other writers waiting.
const prunedAtOnce = 1000

// PruneVisitors forgets visitors that were last seen before an instant, and
// what vendors knew of them. It gives the number of visitors.
func (s *Store) PruneVisitors(ctx context.Context, before time.Time) (int, error) {
	n, err := s.drop(ctx, "forget old visitors", func(t *tx) (int, error) {
		return t.exec(ctx, `DELETE FROM visitors WHERE (pipeline, anonymous_id) IN
			(SELECT pipeline, anonymous_id FROM visitors WHERE last_seen < ? LIMIT ?)`, stamp(before), prunedAtOnce)
	})
	if err != nil {
		return n, err
	}
	_, err = s.drop(ctx, "forget old visits", func(t *tx) (int, error) {
		return t.exec(ctx, `DELETE FROM visits WHERE (integration, anonymous_id) IN
			(SELECT integration, anonymous_id FROM visits WHERE at < ? LIMIT ?)`, stamp(before), prunedAtOnce)
	})
	return n, err
}

// A VisitRow is what one integration knows of one visitor at its vendor.
type VisitRow struct {
	Integration, AnonymousID string
	Visit                    integrations.Visit
	At                       time.Time // of the last change
}

// Visit gives what an integration knows of a visitor, and false when that is
// nothing.
func (s *Store) Visit(ctx context.Context, integration, anonymousID string) (integrations.Visit, bool, error) {
	var doc []byte
	var v integrations.Visit
	ok, err := s.one(ctx, `SELECT doc FROM visits WHERE integration = ? AND anonymous_id = ?`,
		[]any{integration, anonymousID}, &doc)
	if ok {
		err = json.Unmarshal(doc, &v)
	}
	if err != nil {
		return integrations.Visit{}, false, fmt.Errorf("read a visit of %s: %w", integration, err)
	}
	return v, ok, nil
}

// SaveVisits writes visits down, all or nothing. Of a visit that is there
// twice the last one counts.
func (s *Store) SaveVisits(ctx context.Context, visits []VisitRow) error {
	last := make(map[[2]string]int, len(visits))
	rows := make([][]any, 0, len(visits))
	for _, v := range visits {
		doc, err := json.Marshal(v.Visit)
		if err != nil {
			return fmt.Errorf("encode a visit of %s: %w", v.Integration, err)
		}
		row := []any{v.Integration, v.AnonymousID, stamp(v.At), string(doc)}
		key := [2]string{v.Integration, v.AnonymousID}
		if at, again := last[key]; again {
			rows[at] = row
			continue
		}
		last[key] = len(rows)
		rows = append(rows, row)
	}
	return s.update(ctx, "save visits", func(t *tx) error {
		return t.put(ctx, `INSERT INTO visits (integration, anonymous_id, at, doc)`,
			`ON CONFLICT (integration, anonymous_id) DO UPDATE SET at = excluded.at, doc = excluded.doc`, rows)
	})
}
