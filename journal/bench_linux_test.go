package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// eventLike is 1 KB of the kind of JSON that events are: half of it the same
// in each, half of it not.
func eventLike() []byte {
	b := []byte(`{"type":"track","event":"Order Completed","properties":{"currency":"USD","products":[`)
	for len(b) < 1000 {
		b = fmt.Appendf(b, `{"product_id":"%x","name":"Product %d","price":%d.%02d,"quantity":1},`,
			rand.Uint64(), rand.IntN(1000), rand.IntN(500), rand.IntN(100))
	}
	return b[:1024]
}

func manyEvents() [][]byte {
	items := make([][]byte, 512)
	for i := range items {
		items[i] = eventLike()
	}
	return items
}

// workers runs do b.N times in n goroutines and reports the rate and the CPU
// time of the process for each.
func workers(b *testing.B, n int, do func(i int)) {
	b.SetBytes(1024)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				do(int(i))
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(cpuTime()-before)/1e3/float64(b.N), "cpu-µs/event")
}

func cpuTime() int64 {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return ru.Utime.Nano() + ru.Stime.Nano()
}

func BenchmarkCommit(b *testing.B) {
	items := manyEvents()
	for _, n := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			l := openLog(b, openDir(b, b.TempDir()), "events")
			c := NewCommitter(l, CommitterOptions{})
			workers(b, n, func(i int) {
				if _, _, err := c.Commit(b.Context(), "shop", items[i%len(items)]); err != nil {
					b.Error(err)
				}
			})
			if err := c.Close(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
}

// BenchmarkBareFile is the limit: the same group commit with nothing but a file
// and fdatasync.
func BenchmarkBareFile(b *testing.B) {
	items := manyEvents()
	for _, n := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			f, err := os.Create(b.TempDir() + "/file")
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			w := &bareFile{f: f, room: &group{done: make(chan struct{})}, wake: make(chan struct{}, 1)}
			end := make(chan struct{})
			go w.run(b, end)
			workers(b, n, func(i int) { w.commit(items[i%len(items)]) })
			close(end)
		})
	}
}

type group struct {
	bytes.Buffer
	done chan struct{}
}

type bareFile struct {
	f    *os.File
	mu   sync.Mutex
	room *group
	wake chan struct{}
}

func (w *bareFile) commit(item []byte) {
	w.mu.Lock()
	g := w.room
	g.Write(item)
	w.mu.Unlock()
	notify(w.wake)
	<-g.done
}

func (w *bareFile) run(b *testing.B, end chan struct{}) {
	for {
		select {
		case <-w.wake:
		case <-end:
			return
		}
		w.mu.Lock()
		g := w.room
		w.room = &group{done: make(chan struct{})}
		w.mu.Unlock()
		if _, err := w.f.Write(g.Bytes()); err != nil {
			b.Error(err)
		}
		if err := syscall.Fdatasync(int(w.f.Fd())); err != nil {
			b.Error(err)
		}
		close(g.done)
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	items := manyEvents()[:64]
	b.SetBytes(64 * 1024)
	b.ReportAllocs()
	var buf []byte
	var err error
	for b.Loop() {
		if buf, err = AppendFrame(buf[:0], nil, items); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(buf))/(64*1024), "size")
}

func BenchmarkDecodeFrame(b *testing.B) {
	frame := mustFrame(b, nil, manyEvents()[:64]...)
	b.SetBytes(64 * 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeFrame(frame); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppend is one frame of 64 events after the other, by one goroutine.
func BenchmarkAppend(b *testing.B) {
	l := openLog(b, openDir(b, b.TempDir()), "events")
	items := manyEvents()[:64]
	b.SetBytes(64 * 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(b.Context(), nil, items); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			l := openLog(b, openDir(b, b.TempDir()), "events")
			items := manyEvents()[:n]
			const frames = 4000
			for range frames {
				if _, err := l.Append(b.Context(), nil, items); err != nil {
					b.Fatal(err)
				}
			}
			var r *Reader
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if i%frames == 0 {
					r = reopen(b, l, r)
				}
				if _, err := r.Next(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "events/s")
			r.Close()
		})
	}
}

func reopen(b *testing.B, l *Log, old *Reader) *Reader {
	b.Helper()
	if old != nil {
		old.Close()
	}
	r, err := l.Read(b.Context(), 1)
	if err != nil {
		b.Fatal(err)
	}
	return r
}
