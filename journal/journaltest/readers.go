package journaltest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/datafly/signal/journal"
)

func readsFromCursor(p *place) {
	l := p.log(fresh())
	var want []string
	for i := range 1000 {
		want = append(want, strconv.Itoa(i))
	}
	p.append(l, want...)
	for _, from := range []uint64{0, 1, 2, 500, 1000} {
		r := p.read(l, from)
		for seq := max(from, 1); seq <= 1000; seq++ {
			p.next(r, seq, want[seq-1])
		}
		if n := r.Skipped(); n != 0 {
			p.Errorf("from %d: skipped %d", from, n)
		}
		r.Close()
	}
}

func waitsAtTheEnd(p *place) {
	l := p.log(fresh())
	r := p.read(l, 1)
	for i := range 10 {
		got := make(chan error, 1)
		go func() {
			f, err := r.Next(p.Context())
			if err == nil && f.Seq != uint64(i+1) {
				err = errors.New("sequence " + strconv.FormatUint(f.Seq, 10))
			}
			got <- err
		}()
		p.append(l, "x")
		select {
		case err := <-got:
			p.must(err)
		case <-time.After(20 * time.Second):
			p.Fatalf("frame %d did not arrive", i+1)
		}
	}
}

func startsBeyondTheEnd(p *place) {
	l := p.log(fresh())
	p.append(l, "a", "b")
	r := p.read(l, 5)
	// A purge moves what the server takes for the end of the log.
	p.append(l, "c", "d", "e", "f")
	p.next(r, 5, "e")
	p.next(r, 6, "f")
}

func readsOverAPurge(p *place) {
	l := p.log(fresh())
	big := string(noise(1 << 20))
	for range 40 { // more than a reader holds
		p.append(l, big)
	}
	r := p.read(l, 1)
	p.next(r, 1, big)
	p.must(l.Purge(p.Context(), 40))
	p.append(l, "x")
	last := uint64(1)
	for last < 41 {
		f, err := r.Next(p.Context())
		p.must(err)
		if f.Seq <= last {
			p.Fatalf("frame %d behind %d", f.Seq, last)
		}
		last = f.Seq
	}
	if n := r.Skipped(); n == 0 || n > 38 {
		p.Errorf("skipped %d, want some of the 38 that were purged", n)
	}
	late := p.read(l, 7)
	p.next(late, 40, big)
	if n := late.Skipped(); n != 33 {
		p.Errorf("a reader from 7 skipped %d up to 40, want 33", n)
	}
}

func readsAheadWithinBounds(p *place) {
	l := p.log(fresh())
	item := string(noise(1 << 20))
	for range 30 {
		p.append(l, item)
	}
	r := p.read(l, 1)
	// It reads ahead of a caller that is slow, and loses nothing by waiting.
	for seq := uint64(1); seq <= 30; seq++ {
		p.next(r, seq, item)
	}
}

func readerEnds(p *place) {
	l := p.log(fresh())
	r := p.read(l, 1)
	ctx, cancel := context.WithCancel(p.Context())
	cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		p.Errorf("Next with a ctx that ended: %v", err)
	}
	p.append(l, "a")
	p.next(r, 1, "a")

	ended := make(chan error, 1)
	go func() {
		_, err := r.Next(p.Context())
		ended <- err
	}()
	r.Close()
	r.Close() // twice is allowed
	if err := <-ended; !errors.Is(err, journal.ErrClosed) {
		p.Errorf("Next of a closed reader: %v", err)
	}
	if _, _, err := r.TryNext(); !errors.Is(err, journal.ErrClosed) {
		p.Errorf("TryNext of a closed reader: %v", err)
	}

	r = p.read(l, 2)
	go func() {
		_, err := r.Next(p.Context())
		ended <- err
	}()
	p.restart()
	if err := <-ended; !errors.Is(err, journal.ErrClosed) {
		p.Errorf("Next of a closed journal: %v", err)
	}
}

func triesNext(p *place) {
	l := p.log(fresh())
	r := p.read(l, 1)
	if f, ok, err := r.TryNext(); ok || err != nil {
		p.Fatalf("TryNext of an empty log: %d, %v", f.Seq, err)
	}
	p.append(l, "a", "b", "c")
	p.next(r, 1, "a")
	var got []uint64
	p.eventually("two frames by TryNext", func() bool {
		f, ok, err := r.TryNext()
		p.must(err)
		if ok {
			got = append(got, f.Seq)
		}
		return len(got) == 2
	})
	if got[0] != 2 || got[1] != 3 {
		p.Errorf("TryNext gave %d", got)
	}
}

func eachFrame(p *place) {
	l := p.log(fresh())
	each := func(from uint64) (got []uint64) {
		p.Helper()
		p.must(l.Each(p.Context(), from, func(f journal.Frame) error {
			got = append(got, f.Seq)
			return nil
		}))
		return got
	}
	if got := each(1); got != nil {
		p.Errorf("an empty log gave %d", got)
	}
	p.append(l, "a", "b", "c", "d")
	p.must(l.Purge(p.Context(), 2))
	for from, want := range map[uint64][]uint64{0: {2, 3, 4}, 3: {3, 4}, 4: {4}, 5: nil} {
		if got := each(from); !slices.Equal(got, want) {
			p.Errorf("from %d: got %d, want %d", from, got, want)
		}
	}
	stop := errors.New("enough")
	if err := l.Each(p.Context(), 1, func(journal.Frame) error { return stop }); !errors.Is(err, stop) {
		p.Errorf("Each = %v, want the error of its function", err)
	}
	p.must(l.Purge(p.Context(), 5))
	if got := each(1); got != nil {
		p.Errorf("a purged log gave %d", got)
	}
}
