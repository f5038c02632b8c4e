package journaltest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/datafly/signal/journal"
)

func (p *place) committer(l *journal.Log, o journal.CommitterOptions) *journal.Committer {
	c := journal.NewCommitter(l, o)
	p.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// commitAll commits n items from as many goroutines and gives the frames that
// they came to stand in.
func (p *place) commitAll(c *journal.Committer, n int) map[uint64]int {
	p.Helper()
	var (
		mu     sync.Mutex
		wg     sync.WaitGroup
		frames = map[uint64]int{}
	)
	for i := range n {
		wg.Go(func() {
			seq, _, err := c.Commit(p.Context(), "shop", fmt.Appendf(nil, "item %d", i))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				p.Error(err)
			}
			frames[seq]++
		})
	}
	wg.Wait()
	return frames
}

func groups(p *place) {
	l := p.log(fresh())
	frames := p.commitAll(p.committer(l, journal.CommitterOptions{}), 2000)
	if len(frames) > 1000 {
		p.Errorf("2000 items at once made %d frames", len(frames))
	}
	seen := map[string]bool{}
	for seq, n := range frames {
		f, err := l.Frame(p.Context(), seq)
		p.must(err)
		if len(f.Items) != n {
			p.Errorf("frame %d has %d items, and %d were told so", seq, len(f.Items), n)
		}
		for _, it := range f.Items {
			seen[string(it)] = true
		}
	}
	if len(seen) != 2000 {
		p.Errorf("%d items of 2000", len(seen))
	}
}

func countsTags(p *place) {
	l := p.log(fresh())
	c := p.committer(l, journal.CommitterOptions{})
	want := map[string]int{"shop": 30, "bank": 20, `odd "tag"`: 10}
	var wg sync.WaitGroup
	for tag, n := range want {
		for range n {
			wg.Go(func() {
				if _, _, err := c.Commit(p.Context(), tag, []byte(tag)); err != nil {
					p.Error(err)
				}
			})
		}
	}
	wg.Wait()
	got := map[string]int{}
	_, last, err := l.Bounds(p.Context())
	p.must(err)
	for seq := uint64(1); seq <= last; seq++ {
		f, err := l.Frame(p.Context(), seq)
		p.must(err)
		inFrame := map[string]int{}
		for _, it := range f.Items {
			inFrame[string(it)]++
		}
		if tags := journal.Tags(f.Meta); !maps.Equal(tags, inFrame) {
			p.Errorf("frame %d: meta %s, items %v", seq, f.Meta, inFrame)
		}
		for tag, n := range inFrame {
			got[tag] += n
		}
	}
	if !maps.Equal(got, want) {
		p.Errorf("got %v, want %v", got, want)
	}
	for _, meta := range []string{"", "{", `{"upto":3}`, `{"n":[]}`} {
		if tags := journal.Tags([]byte(meta)); tags != nil {
			p.Errorf("tags of %q are %v", meta, tags)
		}
	}
}

func keepsOrder(p *place) {
	l := p.log(fresh())
	c := p.committer(l, journal.CommitterOptions{})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			var seq uint64
			index := -1
			for i := range 50 {
				item := fmt.Sprintf("%d-%d", w, i)
				s, n, err := c.Commit(p.Context(), "", []byte(item))
				if err != nil || s < seq || s == seq && n <= index {
					p.Errorf("%s at %d %d, behind %d %d: %v", item, s, n, seq, index, err)
					return
				}
				seq, index = s, n
				f, err := l.Frame(p.Context(), s)
				if err != nil || n >= len(f.Items) || string(f.Items[n]) != item {
					p.Errorf("%s is not at %d %d: %v", item, s, n, err)
				}
			}
		})
	}
	wg.Wait()
}

func commitsTogether(p *place) {
	l := p.log(fresh())
	c := p.committer(l, journal.CommitterOptions{MaxItems: 1000})
	var wg sync.WaitGroup
	for w := range 4 {
		items := make([][]byte, 100)
		for i := range items {
			items[i] = append(fmt.Appendf(nil, "%d-%d ", w, i), noise(9<<10)...) // more than a frame takes
		}
		wg.Go(func() {
			if err := c.CommitAll(p.Context(), "shop", items); err != nil {
				p.Error(err)
			}
		})
	}
	wg.Wait()
	next := [4]int{}
	err := l.Each(p.Context(), 1, func(f journal.Frame) error {
		for _, it := range f.Items {
			var w, i int
			if _, err := fmt.Sscanf(string(it[:8]), "%d-%d ", &w, &i); err != nil || i != next[w] {
				p.Errorf("item %d-%d, want %d-%d: %v", w, i, w, next[w], err)
			}
			next[w]++
		}
		return nil
	})
	if err != nil || next != [4]int{100, 100, 100, 100} {
		p.Errorf("items %v: %v", next, err)
	}
	if err := c.CommitAll(p.Context(), "", make([][]byte, 1001)); !errors.Is(err, journal.ErrBusy) {
		p.Errorf("more than the queue holds: %v", err)
	}
	if err := c.CommitAll(p.Context(), "", [][]byte{nil, noise(513 << 10)}); !errors.Is(err, journal.ErrTooLarge) {
		p.Errorf("an item over the limit: %v", err)
	}
	p.must(c.CommitAll(p.Context(), "", nil))
}

// busy offers far more than the queue holds, so that some of it must be
// refused, and checks that exactly the rest was written.
func busy(p *place) {
	for _, o := range []journal.CommitterOptions{{MaxItems: 8}, {MaxBytes: 8 << 10}} {
		l := p.log(fresh())
		c := p.committer(l, o)
		var taken, refused atomic.Int64
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				_, _, err := c.Commit(p.Context(), "", noise(1<<10))
				switch {
				case err == nil:
					taken.Add(1)
				case errors.Is(err, journal.ErrBusy) && errors.Is(err, journal.ErrNotDurable):
					refused.Add(1)
				default:
					p.Error(err)
				}
			})
		}
		wg.Wait()
		if refused.Load() == 0 || taken.Load() == 0 {
			p.Errorf("%+v: %d taken, %d refused", o, taken.Load(), refused.Load())
		}
		p.must(c.Close(p.Context()))
		if n := p.count(l); n != taken.Load() {
			p.Errorf("%d items were taken, and %d written", taken.Load(), n)
		}
	}
}

// count gives the number of items in a log.
func (p *place) count(l *journal.Log) (n int64) {
	p.Helper()
	first, last, err := l.Bounds(p.Context())
	p.must(err)
	for seq := first; seq <= last; seq++ {
		f, err := l.Frame(p.Context(), seq)
		p.must(err)
		n += int64(len(f.Items))
	}
	return n
}

func commitEnds(p *place) {
	l := p.log(fresh())
	c := p.committer(l, journal.CommitterOptions{})
	ctx, cancel := context.WithCancel(p.Context())
	cancel()
	// The item may be written before the end of ctx is seen.
	for range 100 {
		_, _, err := c.Commit(ctx, "", []byte("x"))
		if err == nil {
			continue
		}
		if !errors.Is(err, context.Canceled) || !errors.Is(err, journal.ErrNotDurable) {
			p.Errorf("Commit = %v, want both Canceled and ErrNotDurable", err)
		}
	}
	p.must(c.Close(p.Context()))
	if n := p.count(l); n != 100 {
		p.Errorf("%d items written of 100 whose callers left", n)
	}
	if _, err := l.Append(ctx, nil, nil); !errors.Is(err, context.Canceled) || !errors.Is(err, journal.ErrNotDurable) {
		p.Errorf("Append = %v, want both Canceled and ErrNotDurable", err)
	}
	_, _, err := c.Commit(p.Context(), "", noise(513<<10))
	if !errors.Is(err, journal.ErrTooLarge) {
		p.Errorf("an item over the limit: %v", err)
	}
}

func finishes(p *place) {
	l := p.log(fresh())
	c := p.committer(l, journal.CommitterOptions{})
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range 300 {
		wg.Go(func() {
			_, _, err := c.Commit(p.Context(), "", noise(3<<10))
			switch {
			case err == nil:
				taken.Add(1)
			case !errors.Is(err, journal.ErrClosed) || !errors.Is(err, journal.ErrNotDurable):
				p.Error(err)
			}
		})
	}
	p.eventually("something is written", func() bool { return taken.Load() > 0 })
	ctx, cancel := context.WithTimeout(p.Context(), 20*time.Second)
	defer cancel()
	p.must(c.Close(ctx))
	p.must(c.Close(ctx)) // twice is allowed
	wg.Wait()
	if n := p.count(l); n != taken.Load() {
		p.Errorf("%d items were taken, and %d written", taken.Load(), n)
	}
	if _, _, err := c.Commit(p.Context(), "", nil); !errors.Is(err, journal.ErrClosed) {
		p.Errorf("Commit behind Close = %v", err)
	}
}
