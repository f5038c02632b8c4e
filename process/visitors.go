package process

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/identity"
	"github.com/datafly/signal/store"
)

// maxVisitors bounds the visitors in memory, about 1 KB each. Those that are
// written down make room for others.
const maxVisitors = 100_000

type visitorKey struct{ pipeline, anonymousID string }

// mark is how far the state is good: the EVENTS sequence of the visitors, that
// of the LEDGER's knowledge, and the LEDGER sequence where it says so.
type mark struct{ reached, handed, ledger uint64 }

// visitors keeps the visitors of a shard in memory and writes them behind. The
// Worker alone writes to them; Allowed reads from other goroutines.
type visitors struct {
	store *store.Store

	mu     sync.Mutex
	byKey  map[visitorKey]*store.Visitor
	dirty  map[visitorKey]bool
	saving map[visitorKey]bool // in a snapshot that is not yet written; nil when none is

	saved mark // of the last snapshot written
}

func newVisitors(s *store.Store) *visitors {
	return &visitors{store: s, byKey: map[visitorKey]*store.Visitor{}, dirty: map[visitorKey]bool{}}
}

// load reads the visitors of a batch that are not in memory, in one query a
// pipeline.
func (v *visitors) load(ctx context.Context, batch []stored) error {
	missing := map[string][]string{}
	seen := map[visitorKey]bool{}
	v.mu.Lock()
	v.evict()
	for i := range batch {
		k := visitorKey{batch[i].Pipeline, batch[i].AnonymousID}
		if v.byKey[k] == nil && !seen[k] {
			seen[k] = true
			missing[k.pipeline] = append(missing[k.pipeline], k.anonymousID)
		}
	}
	v.mu.Unlock()
	for pipeline, ids := range missing {
		found, err := v.store.Visitors(ctx, pipeline, ids)
		if err != nil {
			return fmt.Errorf("load visitors: %w", err)
		}
		v.mu.Lock()
		for _, id := range ids {
			visitor, ok := found[id]
			if !ok {
				visitor = store.Visitor{Visitor: identity.Visitor{Pipeline: pipeline, AnonymousID: id}}
			}
			v.byKey[visitorKey{pipeline, id}] = &visitor
		}
		v.mu.Unlock()
	}
	return nil
}

// with runs f on a visitor that load brought, and marks it as changed.
func (v *visitors) with(pipeline, anonymousID string, f func(*store.Visitor)) {
	k := visitorKey{pipeline, anonymousID}
	v.mu.Lock()
	defer v.mu.Unlock()
	visitor := v.byKey[k]
	if visitor == nil {
		panic("process: visitor used before it was loaded")
	}
	f(visitor)
	v.dirty[k] = true
}

// copied gives a visitor as it is now, for what must not change it.
func (v *visitors) copied(ctx context.Context, pipeline, anonymousID string) (store.Visitor, error) {
	v.mu.Lock()
	visitor := v.byKey[visitorKey{pipeline, anonymousID}]
	if visitor != nil {
		defer v.mu.Unlock()
		return *visitor, nil
	}
	v.mu.Unlock()
	got, ok, err := v.store.Visitor(ctx, pipeline, anonymousID)
	if err != nil {
		return store.Visitor{}, fmt.Errorf("load a visitor: %w", err)
	}
	if !ok {
		got.Pipeline, got.AnonymousID = pipeline, anonymousID
	}
	return got, nil
}

func (v *visitors) consent(ctx context.Context, pipeline, anonymousID string) (consent.State, error) {
	visitor, err := v.copied(ctx, pipeline, anonymousID)
	return visitor.Consent, err
}

// snapshot is what one write takes: copies, and how far they are good.
type snapshot struct {
	rows []store.Visitor
	at   mark
}

// snapshot copies what changed, unless a write is still under way or there is
// nothing new to say.
func (v *visitors) snapshot(at mark) (snapshot, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.saving != nil || len(v.dirty) == 0 && at == v.saved {
		return snapshot{}, false
	}
	s := snapshot{at: at, rows: make([]store.Visitor, 0, len(v.dirty))}
	for k := range v.dirty {
		s.rows = append(s.rows, *v.byKey[k])
	}
	v.saving, v.dirty = v.dirty, map[visitorKey]bool{}
	return s, true
}

// write writes a snapshot down. What could not be written is tried again with
// the next one.
func (v *visitors) write(ctx context.Context, s snapshot, log *slog.Logger) {
	err := v.put(ctx, s)
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		log.Error("visitors are not written down yet", "count", len(s.rows), "error", err)
		for k := range v.saving {
			v.dirty[k] = true
		}
	} else {
		v.saved = s.at
	}
	v.saving = nil
}

// put writes the visitors, and then where processing stands.
func (v *visitors) put(ctx context.Context, s snapshot) error {
	if err := v.store.SaveVisitors(ctx, s.rows, s.at.reached); err != nil {
		return fmt.Errorf("write visitors down: %w", err)
	}
	if err := v.store.SetCursor(ctx, CursorHanded, store.Cursor{Seq: s.at.handed, Ledger: s.at.ledger}); err != nil {
		return fmt.Errorf("write down where processing stands: %w", err)
	}
	return nil
}

// save writes down everything that changed, at the end.
func (v *visitors) save(ctx context.Context, at mark) error {
	s, ok := v.snapshot(at)
	if !ok {
		return nil
	}
	return v.put(ctx, s)
}

// evict makes room among those that are written down. It is called with the lock
// held, by the Worker alone, between batches.
func (v *visitors) evict() {
	for k := range v.byKey {
		if len(v.byKey) <= maxVisitors {
			return
		}
		if !v.dirty[k] && !v.saving[k] {
			delete(v.byKey, k)
		}
	}
}
