package journal

import (
	"fmt"
	"sync"
	"time"
)

// measureEvery is the least pause between two measurements of the free space.
const measureEvery = 100 * time.Millisecond

// A space guards the end of the disk: it measures what is free, and counts what
// is written until it measures again.
type space struct {
	dir     string
	reserve int64 // negative switches the guard off
	free    func(dir string) (int64, error)

	mu   sync.Mutex
	at   time.Time // of the last measurement
	left int64
}

// take counts size bytes as written, or says why they must not be.
func (s *space) take(size int) error {
	if s.reserve < 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.at.IsZero() || now.Sub(s.at) >= measureEvery {
		left, err := s.free(s.dir)
		if err != nil {
			return fmt.Errorf("measure the free space of %s: %w", s.dir, err)
		}
		s.at, s.left = now, left
	}
	if s.left-int64(size) < s.reserve {
		return fmt.Errorf("%s has %d bytes free, fewer than the %d to keep; free some space or lower reserve_bytes",
			s.dir, s.left, s.reserve)
	}
	s.left -= int64(size)
	return nil
}
