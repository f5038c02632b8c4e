package ingest

import (
	"crypto/sha256"
	"sync"
	"time"
)

// An id is the digest of a pipeline and a messageId. Half a SHA-256 cannot be
// made to collide, so nobody who knows a public key can make another's event
// look like a repeat.
type id [16]byte

func seenKey(pipeline, messageID string) id {
	var space [512]byte
	text := append(space[:0], pipeline...)
	text = append(text, 0)
	text = append(text, messageID...)
	sum := sha256.Sum256(text)
	return id(sum[:16])
}

// seen remembers the messageIds that are stored, and those on their way to the
// journal. It is safe for many goroutines.
//
// Memory is bounded: each shard has two generations of at most a half of its
// part. When the younger is full, or has lasted a window, the older is dropped
// whole; so the oldest go first, and none goes before its time unless the
// bound is reached. An entry takes about 55 bytes.
type seen struct {
	window time.Duration
	limit  int // of one generation of one shard
	shards [32]shard
}

type shard struct {
	mu         sync.Mutex
	young, old map[id]int64 // when it was stored, Unix nanoseconds
	born       int64        // of young
	flying     map[id]*flight
}

// A flight is a messageId between claim and land: another request with it
// waits for the outcome. kept is written before done is closed.
type flight struct {
	by   *cargo
	done chan struct{}
	kept bool
}

func newSeen(window time.Duration, limit int) *seen {
	s := &seen{window: window, limit: max(limit/2/len(seen{}.shards), 1)}
	for i := range s.shards {
		s.shards[i] = shard{young: map[id]int64{}, flying: map[id]*flight{}}
	}
	return s
}

func (s *seen) shard(k id) *shard { return &s.shards[int(k[0])%len(s.shards)] }

// claim asks for the right to store k. It gives known when k is stored
// already. Otherwise it gives the flight that decides: one that is by the
// caller itself was begun here or earlier in the same request, another's is to
// be waited for. first reports that it was begun by this very call, which must
// then land it.
func (s *seen) claim(k id, by *cargo, now time.Time) (f *flight, first, known bool) {
	h := s.shard(k)
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.flying[k]; f != nil {
		return f, false, false
	}
	at, ok := h.young[k]
	if !ok {
		at, ok = h.old[k]
	}
	if ok && now.UnixNano()-at < int64(s.window) {
		return nil, false, true
	}
	f = &flight{by: by, done: make(chan struct{})}
	h.flying[k] = f
	return f, true, false
}

// land ends a flight. kept says whether k is stored.
func (s *seen) land(k id, f *flight, kept bool, now time.Time) {
	h := s.shard(k)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.flying, k)
	if kept {
		h.put(k, now.UnixNano(), now.UnixNano(), s)
	}
	f.kept = kept
	close(f.done)
}

// remember notes that k was stored at the given instant.
func (s *seen) remember(k id, at time.Time) {
	h := s.shard(k)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put(k, at.UnixNano(), at.UnixNano(), s)
}

func (h *shard) put(k id, at, now int64, s *seen) {
	if len(h.young) == 0 {
		h.born = now
	}
	if len(h.young) >= s.limit || now-h.born >= int64(s.window) {
		h.old, h.young, h.born = h.young, make(map[id]int64, len(h.young)), now
	}
	h.young[k] = at
}
