package store

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/datafly/signal/event"
)

func TestRebind(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "",
		"SELECT 1":                          "SELECT 1",
		"a = ? AND b IN (?,?)":              "a = $1 AND b IN ($2,$3)",
		"?":                                 "$1",
		"(" + marks(12) + ")":               "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)",
		"x LIKE ? ESCAPE '\\' OR y LIKE ? ": "x LIKE $1 ESCAPE '\\' OR y LIKE $2 ",
	} {
		if got := Rebind(in); got != want {
			t.Errorf("Rebind(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTraceKeyKeepsPlacesAndTheirOrder(t *testing.T) {
	places := []event.Place{{}, {Index: 1}, {Index: 1<<placeBits - 1}, {Seq: 1}, {Seq: 1, Index: 7}, {Seq: 1 << 40}, {Seq: 1<<43 - 1, Index: 9}}
	for i, p := range places {
		if got := tracePlace(traceKey(p)); got != p {
			t.Errorf("place %v came back as %v", p, got)
		}
		if i > 0 && traceKey(p) <= traceKey(places[i-1]) {
			t.Errorf("%v is not behind %v", p, places[i-1])
		}
	}
}

func TestTookBuckets(t *testing.T) {
	for b := range TookBuckets - 1 {
		bound := TookBound(b)
		if got := TookBucket(bound - time.Microsecond); got != b {
			t.Errorf("just below %v is in bucket %d, want %d", bound, got, b)
		}
		if got := TookBucket(bound + time.Microsecond); got != b+1 {
			t.Errorf("just above %v is in bucket %d, want %d", bound, got, b+1)
		}
	}
	for d, want := range map[time.Duration]int{math.MinInt64: 0, -1: 0, 0: 0, math.MaxInt64: TookBuckets - 1} {
		if got := TookBucket(d); got != want {
			t.Errorf("bucket of %v = %d, want %d", d, got, want)
		}
	}
	if last := TookBound(TookBuckets - 2); last < 26*time.Hour || last > 27*time.Hour {
		t.Errorf("the last but one ends at %v, want 26 h", last)
	}
}

func TestQuantile(t *testing.T) {
	in := func(counts map[time.Duration]int64) (out [TookBuckets]int64) {
		for d, n := range counts {
			out[TookBucket(d)] += n
		}
		return out
	}
	tests := []struct {
		name   string
		in     [TookBuckets]int64
		q      float64
		lo, hi time.Duration
	}{
		{"nothing", in(nil), 0.5, 0, 0},
		{"below a millisecond", in(map[time.Duration]int64{1: 9}), 0.5, 1, time.Millisecond},
		{"all alike", in(map[time.Duration]int64{80 * time.Millisecond: 3}), 0.5, 60 * time.Millisecond, 91 * time.Millisecond},
		{"the slow tenth", in(map[time.Duration]int64{10 * time.Millisecond: 90, time.Minute: 10}), 0.95, 40 * time.Second, 80 * time.Second},
		{"without the slow tenth", in(map[time.Duration]int64{10 * time.Millisecond: 90, time.Minute: 10}), 0.5, 7 * time.Millisecond, 12 * time.Millisecond},
		{"all of it", in(map[time.Duration]int64{time.Second: 5}), 1, time.Second, 1500 * time.Millisecond},
		{"beyond the end", in(map[time.Duration]int64{1000 * time.Hour: 5}), 0.5, 26 * time.Hour, 40 * time.Hour},
		{"what was taken back does not count", in(map[time.Duration]int64{time.Second: -5, time.Minute: 1}), 0.5, 40 * time.Second, 80 * time.Second},
	}
	for _, tt := range tests {
		if got := Quantile(&tt.in, tt.q); got < tt.lo || got > tt.hi {
			t.Errorf("%s: %v, want %v to %v", tt.name, got, tt.lo, tt.hi)
		}
	}
}

// The spans of every range cover it once, without a hole.
func TestSpansCoverTheRangeOnce(t *testing.T) {
	now := time.Date(2026, 2, 25, 14, 30, 17, 0, time.UTC)
	for from := 0; from < 60*60*30; from += 977 {
		for length := 1; length < 60*60*40; length += 3571 {
			f := OverviewFilter{From: now.Add(-time.Duration(from) * time.Second)}
			f.To = f.From.Add(time.Duration(length) * time.Second)
			spans := f.spans(now)
			at := spans[0].from
			for _, p := range spans {
				if p.from != at || p.to <= p.from || p.from%p.grain != 0 || p.to%p.grain != 0 {
					t.Fatalf("%v to %v: spans %v", f.From, f.To, spans)
				}
				if p.grain == minuteGrain && p.from < now.Add(-minutesKept).Unix() {
					t.Fatalf("%v to %v: minutes that are gone: %v", f.From, f.To, spans)
				}
				at = p.to
			}
			if first := spans[0].from; first > f.From.Unix() || at < f.To.Unix() || f.From.Unix()-first >= hourGrain || at-f.To.Unix() >= hourGrain {
				t.Fatalf("%v to %v: spans %v", f.From, f.To, spans)
			}
		}
	}
	whole := OverviewFilter{}
	if got := whole.spans(now); len(got) != 1 || got[0].grain != hourGrain || got[0].to < now.Unix() {
		t.Errorf("everything: %v, want all hours", got)
	}
}

func TestWordsOf(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"purchase · USD 11.70 · DRV1534XC", []string{"purchase", "usd", "11", "70", "drv1534xc"}},
		{"order_completed Größe", []string{"order", "completed", "größe"}},
		{"%_'\"\\", nil},
		{"a" + string(make([]byte, 3)) + "b", []string{"a", "b"}},
		{"äääääääääääääääääääääääää", []string{"ääääääääääääääääääää"}},
	}
	for _, tt := range tests {
		if got := wordsOf(tt.in); len(got)+len(tt.want) > 0 && !reflect.DeepEqual(got, tt.want) {
			t.Errorf("wordsOf(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestCursorsComeBack(t *testing.T) {
	for _, at := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		for _, id := range []string{"", "a", "a.b", "0198c0de-0000"} {
			gotAt, gotID, err := readCursor(pageCursor(at, id))
			if gotAt != at || gotID != id || err != nil {
				t.Errorf("cursor of %d, %q came back as %d, %q, %v", at, id, gotAt, gotID, err)
			}
		}
	}
}
