package store

import (
	"math"
	"time"
)

// TookBuckets is the number of buckets of a latency histogram. Two buckets
// double the duration: the first ends at 1 ms, the last but one at 26 h.
const TookBuckets = 55

// TookBucket gives the bucket that d falls in.
func TookBucket(d time.Duration) int {
	if d <= time.Millisecond {
		return 0
	}
	b := int(math.Ceil(2 * math.Log2(float64(d)/float64(time.Millisecond))))
	return min(b, TookBuckets-1)
}

// TookBound gives the duration at which bucket i ends.
func TookBound(i int) time.Duration {
	return time.Duration(float64(time.Millisecond) * math.Exp2(float64(i)/2))
}

// Quantile gives the duration that the share q of those in a histogram did not
// pass, to within a bucket. It is 0 for an empty one.
func Quantile(buckets *[TookBuckets]int64, q float64) time.Duration {
	var total int64
	for _, n := range buckets {
		total += max(n, 0)
	}
	if total == 0 {
		return 0
	}
	rank := q * float64(total)
	var below float64
	for i, n := range buckets {
		if n <= 0 {
			continue
		}
		if below+float64(n) >= rank {
			share := (rank - below) / float64(n)
			if i == 0 {
				return time.Duration(share * float64(time.Millisecond))
			}
			return time.Duration(float64(TookBound(i-1)) * math.Exp2(share/2)).Round(time.Microsecond)
		}
		below += float64(n)
	}
	return TookBound(TookBuckets - 1)
}
