package trace

import (
	"sync/atomic"

	"golang.org/x/time/rate"
)

// A Sampler decides which successes the debugger keeps, so that at full load
// the history is not paid for with throughput. Failures are kept always and
// never ask. Delivered, carried and filtered count as success. It is safe for
// many goroutines; a nil Sampler keeps everything.
type Sampler struct {
	limit *rate.Limiter
	left  atomic.Int64
}

// NewSampler keeps up to perSecond events a second, with as many at once.
// 0 is the default of 200; below 0 keeps none. More costs disk writes and
// shortens how far back the history goes.
func NewSampler(perSecond int) *Sampler {
	if perSecond == 0 {
		perSecond = 200
	}
	n := max(perSecond, 0)
	return &Sampler{limit: rate.NewLimiter(rate.Limit(n), n)}
}

// Sample reports whether the next event is kept.
func (s *Sampler) Sample() bool {
	if s == nil || s.limit.Allow() {
		return true
	}
	s.left.Add(1)
	return false
}

// LeftOut is how many events were not kept since the start.
func (s *Sampler) LeftOut() int64 {
	if s == nil {
		return 0
	}
	return s.left.Load()
}
