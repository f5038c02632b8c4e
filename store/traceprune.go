package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/datafly/signal/trace"
)

// TraceLimits bound the history.
type TraceLimits struct {
	// Age is how long events are kept. Default 24 h.
	Age time.Duration
	// Bytes is about how much disk they take. Default 1 GiB. When it is
	// reached the oldest that went well go first, then the oldest others.
	Bytes int64
}

// Outcomes in the order in which they make room.
var (
	wentWell  = []trace.Outcome{trace.Delivered, trace.Carried, trace.Filtered}
	wentBadly = []trace.Outcome{trace.Pending, trace.Dead}
)

// tracesAtOnce bounds how long a clean-up keeps other writers waiting.
const tracesAtOnce = 250

// PruneTraces deletes events until the history is within limits, and gives
// how many.
func (s *Store) PruneTraces(ctx context.Context, l TraceLimits) (int, error) {
	oldest := time.Now().Add(-cmp.Or(l.Age, 24*time.Hour))
	most := cmp.Or(l.Bytes, 1<<30)
	return s.drop(ctx, "prune traces", func(t *tx) (int, error) {
		ids, err := s.outdated(ctx, t, oldest, most)
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		return len(ids), s.deleteTraces(ctx, t, ids)
	})
}

// outdated gives the next events to go, none when the history is within limits.
func (s *Store) outdated(ctx context.Context, t *tx, oldest time.Time, most int64) ([]int64, error) {
	old, err := s.agedTraces(ctx, t, `received_at < ?`, stamp(oldest))
	if err != nil || len(old) > 0 {
		return idsOf(old, 0), err
	}
	var size int64
	err = s.each(ctx, t, `SELECT bytes FROM trace_size WHERE only = 1`, nil,
		func(scan func(...any) error) error { return scan(&size) })
	if err != nil || size <= most {
		return nil, err
	}
	for _, outcomes := range [][]trace.Outcome{wentWell, wentBadly} {
		var found []aged
		for _, o := range outcomes { // one by one, as each is in order in the index
			some, err := s.agedTraces(ctx, t, `outcome = ?`, string(o))
			if err != nil {
				return nil, err
			}
			found = append(found, some...)
		}
		if len(found) > 0 {
			slices.SortFunc(found, func(x, y aged) int { return cmp.Or(cmp.Compare(x.received, y.received), cmp.Compare(x.id, y.id)) })
			return idsOf(found[:min(len(found), tracesAtOnce)], size-most), nil
		}
	}
	return nil, nil
}

// aged is an event that may go.
type aged struct{ id, received, bytes int64 }

func (s *Store) agedTraces(ctx context.Context, t *tx, condition string, arg any) ([]aged, error) {
	var out []aged
	err := s.each(ctx, t, `SELECT id, received_at, bytes FROM trace_events WHERE `+condition+` ORDER BY received_at LIMIT ?`,
		[]any{arg, tracesAtOnce}, func(scan func(...any) error) error {
			var a aged
			err := scan(&a.id, &a.received, &a.bytes)
			out = append(out, a)
			return err
		})
	return out, err
}

// idsOf gives the ids of events until they hold enough bytes; 0 is all.
func idsOf(events []aged, enough int64) []int64 {
	var ids []int64
	var bytes int64
	for _, a := range events {
		ids = append(ids, a.id)
		if bytes += a.bytes; enough > 0 && bytes >= enough {
			break
		}
	}
	return ids
}

// deleteTraces deletes events and everything of them.
func (s *Store) deleteTraces(ctx context.Context, t *tx, ids []int64) error {
	in := ` IN (` + marks(len(ids)) + `)`
	words := map[string][]int64{}
	var bytes int64
	err := s.each(ctx, t, `SELECT id, words, bytes FROM trace_events WHERE id`+in, anys(ids), func(scan func(...any) error) error {
		var id, n int64
		var text string
		err := scan(&id, &text, &n)
		bytes += n
		for _, w := range strings.Fields(text) {
			words[w] = append(words[w], id)
		}
		return err
	})
	if err != nil {
		return err
	}
	for word, of := range words {
		args := append([]any{word}, anys(of)...)
		if _, err := t.exec(ctx, `DELETE FROM trace_words WHERE word = ? AND id IN (`+marks(len(of))+`)`, args...); err != nil {
			return fmt.Errorf("words: %w", err)
		}
	}
	for _, table := range []string{"trace_records", "trace_routes", "trace_events"} {
		if _, err := t.exec(ctx, `DELETE FROM `+table+` WHERE id`+in, anys(ids)...); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	_, err = t.exec(ctx, `UPDATE trace_size SET bytes = bytes - ? WHERE only = 1`, bytes)
	return err
}
