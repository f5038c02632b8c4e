package journaltest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/datafly/signal/journal"
)

func readsBack(p *place) {
	l := p.log(fresh())
	before := time.Now()
	items := [][]byte{[]byte("first"), {}, []byte("third\x00\xff"), bytes.Repeat([]byte("x"), 5000)}
	seq, err := l.Append(p.Context(), []byte(`{"upto":7}`), items)
	p.must(err)
	_, err = l.Append(p.Context(), nil, nil)
	p.must(err)

	one, err := l.Frame(p.Context(), seq)
	p.must(err)
	r := p.read(l, seq)
	two, err := r.Next(p.Context())
	p.must(err)
	for _, f := range []journal.Frame{one, two} {
		if f.Seq != seq || string(f.Meta) != `{"upto":7}` || !slices.EqualFunc(f.Items, items, bytes.Equal) {
			p.Errorf("got frame %d, meta %q, items %.50q", f.Seq, f.Meta, f.Items)
		}
		if f.At.Before(before.Add(-time.Minute)) || f.At.After(time.Now().Add(time.Minute)) {
			p.Errorf("stored at %s, and it is %s", f.At, before)
		}
	}
	if !one.At.Equal(two.At) {
		p.Errorf("two times for one frame: %s, %s", one.At, two.At)
	}
	empty, err := r.Next(p.Context())
	p.must(err)
	if empty.Meta != nil || len(empty.Items) != 0 {
		p.Errorf("an empty frame came back with %q, %q", empty.Meta, empty.Items)
	}
}

func countsFromOne(p *place) {
	l := p.log(fresh())
	for want := uint64(1); want <= 20; want++ {
		if seq := p.append(l, "x"); seq != want {
			p.Fatalf("frame %d got sequence %d", want, seq)
		}
	}
	p.bounds(l, 1, 20)
}

func survivesRestart(p *place) {
	name := fresh()
	p.append(p.log(name), "a", "b", "c")
	p.restart()
	l := p.log(name)
	p.bounds(l, 1, 3)
	if seq := p.append(l, "d"); seq != 4 {
		p.Errorf("after a restart the sequence is %d, want 4", seq)
	}
	r := p.read(l, 2)
	p.next(r, 2, "b")
	p.next(r, 3, "c")
	p.next(r, 4, "d")
}

func boundsOfEmpty(p *place) {
	name := fresh()
	p.bounds(p.log(name), 1, 0)
	p.restart()
	p.bounds(p.log(name), 1, 0)
}

func boundsOverPurge(p *place) {
	name := fresh()
	l := p.log(name)
	p.append(l, "a", "b", "c", "d")
	p.must(l.Purge(p.Context(), 3))
	p.bounds(l, 3, 4)
	p.must(l.Purge(p.Context(), 2)) // behind what is purged: nothing
	p.bounds(l, 3, 4)
	p.restart()
	l = p.log(name)
	p.bounds(l, 3, 4)
	p.must(l.Purge(p.Context(), 5))
	p.bounds(l, 5, 4)
	p.restart()
	l = p.log(name)
	p.bounds(l, 5, 4)
	if seq := p.append(l, "e"); seq != 5 {
		p.Errorf("the sequence behind a purge and a restart is %d, want 5", seq)
	}
	p.next(p.read(l, 1), 5, "e")
}

func purgesBeyondTheEnd(p *place) {
	l := p.log(fresh())
	p.append(l, "a", "b")
	p.must(l.Purge(p.Context(), 1000))
	p.bounds(l, 3, 2)
	if seq := p.append(l, "c"); seq != 3 {
		p.Errorf("sequence %d, want 3", seq)
	}
}

func findsSince(p *place) {
	name := fresh()
	l := p.log(name)
	since := func(t time.Time, want uint64) {
		p.Helper()
		if seq, err := l.Since(p.Context(), t); seq != want || err != nil {
			p.Errorf("since %s: %d, %v, want %d", t, seq, err, want)
		}
	}
	since(time.Time{}.AddDate(2000, 0, 0), 1)
	p.append(l, "a", "b", "c", "d", "e")
	for seq := uint64(1); seq <= 5; seq++ {
		f, err := l.Frame(p.Context(), seq)
		p.must(err)
		since(f.At, seq)
		since(f.At.Add(1), seq+1)
	}
	since(time.Now().Add(-time.Hour), 1)
	since(time.Now().Add(time.Hour), 6)
	p.must(l.Purge(p.Context(), 4))
	since(time.Now().Add(-time.Hour), 4)
	p.restart()
	l = p.log(name)
	since(time.Now().Add(-time.Hour), 4)
	p.must(l.Purge(p.Context(), 6))
	since(time.Now().Add(-time.Hour), 6)
}

func noFrame(p *place) {
	l := p.log(fresh())
	p.append(l, "a", "b")
	p.must(l.Purge(p.Context(), 2))
	for _, seq := range []uint64{0, 1, 3, 1 << 60} {
		if _, err := l.Frame(p.Context(), seq); !errors.Is(err, journal.ErrNoFrame) {
			p.Errorf("frame %d: %v, want ErrNoFrame", seq, err)
		}
	}
	if _, err := l.Frame(p.Context(), 2); err != nil {
		p.Error(err)
	}
}

func sizes(p *place) {
	l := p.log(fresh())
	const overhead = 64
	largest := journal.MaxFrameSize - overhead
	r := p.read(l, 1)
	for i, size := range []int{0, 1, 63, 1 << 10, 66 << 10, 512 << 10, 1 << 20, largest} {
		item := noise(size)
		seq, err := l.Append(p.Context(), nil, [][]byte{item})
		p.must(err)
		p.next(r, uint64(i+1), string(item))
		f, err := l.Frame(p.Context(), seq)
		p.must(err)
		if !bytes.Equal(f.Items[0], item) {
			p.Errorf("a frame of %d bytes came back otherwise", size)
		}
	}
	_, err := l.Append(p.Context(), nil, [][]byte{noise(journal.MaxFrameSize)})
	if !errors.Is(err, journal.ErrTooLarge) || errors.Is(err, journal.ErrNotDurable) {
		p.Errorf("a frame over the limit: %v, want ErrTooLarge alone", err)
	}
	p.append(l, "and on")
	p.next(r, 9, "and on")
}

// noise is n bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

func names(p *place) {
	base := fresh()
	all := []string{
		base, strings.ToUpper(base), strings.ToLower(base) + "x", base + ".", base + "/", base + "+", base + "=", base + "~",
		base + " ", base + "*", base + ">", base + `\`, base + "\n", base + "é", base + "\xff",
		base + strings.Repeat("long", 100), base + strings.Repeat("long", 100) + "er",
		"reports.shop/liveperson" + base, "reports/shop.liveperson" + base,
	}
	for _, name := range all {
		p.append(p.log(name), name)
	}
	p.restart()
	for _, name := range all {
		l := p.log(name)
		p.bounds(l, 1, 1)
		p.next(p.read(l, 1), 1, name)
		if l.Name() != name {
			p.Errorf("the log %q says that it is %q", name, l.Name())
		}
	}
}

func namesLogs(p *place) {
	want := []string{fresh(), fresh(), "Reports." + fresh()}
	for _, name := range want {
		p.log(name)
	}
	p.restart()
	got, err := p.j.Names(p.Context())
	p.must(err)
	for _, name := range want {
		if !slices.Contains(got, name) {
			p.Errorf("%q is not among the %d names", name, len(got))
		}
	}
	if !slices.IsSorted(got) {
		p.Errorf("not in order: %q", got)
	}
}

func agesOut(p *place) {
	l, err := p.j.Log(p.Context(), fresh(), journal.LogOptions{MaxAge: 200 * time.Millisecond})
	p.must(err)
	p.append(l, "a", "b")
	p.eventually("two frames aged out", func() bool {
		first, last, err := l.Bounds(context.WithoutCancel(p.Context()))
		p.must(err)
		return first == 3 && last == 2
	})
	if seq := p.append(l, "c"); seq != 3 {
		p.Errorf("sequence %d, want 3", seq)
	}
}

func refusesClosed(p *place) {
	l := p.log(fresh())
	c := journal.NewCommitter(l, journal.CommitterOptions{})
	p.append(l, "a")
	p.close()
	p.close() // twice is allowed
	_, err := l.Append(p.Context(), nil, nil)
	if !errors.Is(err, journal.ErrNotDurable) || !errors.Is(err, journal.ErrClosed) {
		p.Errorf("Append = %v", err)
	}
	if _, _, err := c.Commit(p.Context(), "", nil); !errors.Is(err, journal.ErrNotDurable) {
		p.Errorf("Commit = %v", err)
	}
	p.must(c.Close(p.Context()))
	if _, err := l.Read(p.Context(), 1); !errors.Is(err, journal.ErrClosed) {
		p.Errorf("Read = %v", err)
	}
	if _, _, err := l.Bounds(p.Context()); !errors.Is(err, journal.ErrClosed) {
		p.Errorf("Bounds = %v", err)
	}
	if _, err := l.Frame(p.Context(), 1); !errors.Is(err, journal.ErrClosed) {
		p.Errorf("Frame = %v", err)
	}
	if err := p.j.Ready(); !errors.Is(err, journal.ErrClosed) {
		p.Errorf("Ready = %v", err)
	}
}
