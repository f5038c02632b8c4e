package desk

import (
	"testing"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/trace"
)

func rowOf(seq uint64, o trace.Outcome, tries int) trace.Summary {
	return trace.Summary{Seq: seq, Place: event.Place{Seq: seq}, Outcome: o, Tries: tries}
}

func TestPacerSendsABurstWhole(t *testing.T) {
	p := newPacer()
	for i := range rowsASecond {
		p.add(rowOf(uint64(i+1), trace.Delivered, 1))
	}
	out := p.take()
	if len(out) != rowsASecond || out[0].Seq != 1 || out[len(out)-1].Seq != rowsASecond {
		t.Errorf("%d rows of a burst of %d, or not in order", len(out), rowsASecond)
	}
	if l, tell := p.lap(); tell || l.LeftOut != 0 {
		t.Errorf("left out = %+v", l)
	}
}

// Over many seconds a page never gets more than its share, failures never wait
// behind successes, and each row is either sent or counted.
func TestPacerAtFullLoad(t *testing.T) {
	p := newPacer()
	seq, sent, left, failures := uint64(0), 0, 0, 0
	const seconds = 20
	for range seconds {
		shown := 0
		for range 5 {
			for i := range 300 {
				seq++
				o, tries := trace.Delivered, 1
				if i%100 == 0 {
					o = trace.Dead
				}
				p.add(rowOf(seq, o, tries))
			}
			out := p.take()
			for _, s := range out {
				if s.Outcome == trace.Dead {
					failures++
				}
			}
			shown += len(out)
		}
		if shown > 2*rowsASecond {
			t.Fatalf("%d rows in one second", shown)
		}
		sent += shown
		l, tell := p.lap()
		if !tell {
			t.Fatal("nothing is said of what was left out")
		}
		left += l.LeftOut
	}
	if failures != seconds*15 {
		t.Errorf("%d failures of %d were sent", failures, seconds*15)
	}
	if sent > (seconds+1)*rowsASecond || sent+left+len(p.waiting) != int(seq) {
		t.Errorf("%d sent, %d left out, %d wait, of %d", sent, left, len(p.waiting), seq)
	}
}

func TestPacerKeepsTheLatestStateOfARow(t *testing.T) {
	p := newPacer()
	p.add(trace.Summary{Seq: 1, Place: event.Place{Seq: 7}, Outcome: trace.Pending, Missed: 2})
	p.add(trace.Summary{Seq: 2, Place: event.Place{Seq: 7}, Outcome: trace.Delivered, Missed: 1})
	out := p.take()
	if len(out) != 1 || out[0].Outcome != trace.Delivered || out[0].Missed != 3 {
		t.Errorf("rows = %+v, want the delivered one with 3 missed", out)
	}
}
