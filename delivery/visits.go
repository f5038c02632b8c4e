package delivery

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/store"
)

// maxVisits bounds the visits in memory, about 300 bytes each.
const maxVisits = 200_000

// visits keeps what the vendor knows of visitors in memory and writes it
// behind. A crash may lose the last second of it: then the vendor begins a new
// session for those visitors, and no event is lost.
type visits struct {
	store       *store.Store
	integration string

	mu    sync.Mutex
	byID  map[string]integrations.Visit
	dirty map[string]bool
}

func newVisits(s *store.Store, integration string) *visits {
	return &visits{store: s, integration: integration, byID: map[string]integrations.Visit{}, dirty: map[string]bool{}}
}

// visit gives what is known of a visitor; the zero Visit when nothing is.
func (v *visits) visit(ctx context.Context, anonymousID string) (integrations.Visit, error) {
	v.mu.Lock()
	got, ok := v.byID[anonymousID]
	v.mu.Unlock()
	if ok {
		return got, nil
	}
	got, _, err := v.store.Visit(ctx, v.integration, anonymousID)
	if err != nil {
		return got, fmt.Errorf("read a visit: %w", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for id := range v.byID {
		if len(v.byID) < maxVisits {
			break
		}
		if !v.dirty[id] {
			delete(v.byID, id)
		}
	}
	v.byID[anonymousID] = got
	return got, nil
}

// keep replaces what is known of a visitor.
func (v *visits) keep(anonymousID string, visit integrations.Visit) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.byID[anonymousID] = visit
	v.dirty[anonymousID] = true
}

// flush writes down what changed. One flush runs at a time.
func (v *visits) flush(ctx context.Context) error {
	v.mu.Lock()
	rows := make([]store.VisitRow, 0, len(v.dirty))
	now := time.Now().UTC()
	for id := range v.dirty {
		rows = append(rows, store.VisitRow{Integration: v.integration, AnonymousID: id, Visit: v.byID[id], At: now})
	}
	v.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	if err := v.store.SaveVisits(ctx, rows); err != nil {
		return fmt.Errorf("write visits down: %w", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range rows {
		if same(v.byID[r.AnonymousID], r.Visit) {
			delete(v.dirty, r.AnonymousID)
		}
	}
	return nil
}

func same(a, b integrations.Visit) bool {
	if a.IDs != b.IDs || a.Of != b.Of || a.Bare != b.Bare || a.Refused != b.Refused || len(a.Waiting) != len(b.Waiting) {
		return false
	}
	for i := range a.Waiting {
		if a.Waiting[i] != b.Waiting[i] {
			return false
		}
	}
	return true
}
