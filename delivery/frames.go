package delivery

import "sync"

// A frame is one frame of REPORTS whose items are not all settled.
type frame struct {
	seq      uint64
	left     int
	ledgerAt uint64 // no item of it was settled before this LEDGER sequence
}

// frames knows how far REPORTS is settled. Frames come in sequence and are done
// in any order; the cursor is the lowest that is not done.
type frames struct {
	mu     sync.Mutex
	open   []*frame // in sequence; done ones in the middle wait for those before
	next   uint64   // one past the last frame that came
	latest uint64   // LEDGER sequence when the last frame came
	saved  place
}

// place is where reading starts after a restart.
type place struct{ seq, ledgerAt uint64 }

func (f *frames) add(seq uint64, items int, ledgerAt uint64) *frame {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := &frame{seq: seq, left: items, ledgerAt: ledgerAt}
	f.open = append(f.open, at)
	f.next, f.latest = seq+1, ledgerAt
	f.trim()
	return at
}

// settled says that an item of a frame is written down.
func (f *frames) settled(at *frame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at.left--
	f.trim()
}

func (f *frames) trim() {
	n := 0
	for n < len(f.open) && f.open[n].left == 0 {
		f.open[n] = nil
		n++
	}
	f.open = f.open[n:]
}

// cursor gives the place to write down, and whether it is another than the last.
func (f *frames) cursor() (place, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := place{f.next, f.latest}
	if len(f.open) > 0 {
		at = place{f.open[0].seq, f.open[0].ledgerAt}
	}
	return at, at.seq > f.saved.seq
}

func (f *frames) written(at place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.saved = at
}
