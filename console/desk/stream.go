package desk

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/trace"
)

// A live stream sends one page at most so many rows a second; the rest is
// counted. Each window is short, so that a row shows at once on a quiet site.
const (
	rowsASecond = 50
	window      = 200 * time.Millisecond
	beat        = 15 * time.Second
	recheck     = 30 * time.Second
)

// LeftOut says how many rows a stream did not send in the last seconds.
type LeftOut struct {
	Seconds int `json:"seconds"`
	Shown   int `json:"shown"`
	LeftOut int `json:"left_out"`
}

// Sink takes what a stream sends. Each call may block for as long as its
// receiver is slow; an error ends the stream.
type Sink struct {
	Row     func(Row) error
	LeftOut func(LeftOut) error
	Beat    func() error
}

// Follow sends the rows that match as they change, until ctx or the hub ends,
// or who may no longer see them (still says false). after is the number of the
// last row that the receiver has.
func (d *Desk) Follow(ctx context.Context, who auth.Actor, q EventQuery, after uint64, still func() bool, to Sink) error {
	if err := allow(who, auth.Viewer); err != nil {
		return err
	}
	f, err := d.traceFilter(q)
	if err != nil {
		return err
	}
	match := matcher(f)
	rows, cancel := d.o.Hub.Subscribe(match, after)
	defer cancel()
	if err := to.Beat(); err != nil { // the receiver hears at once that it is connected
		return nil
	}
	p := newPacer()
	tick, heart, check := time.NewTicker(window), time.NewTicker(beat), time.NewTicker(recheck)
	defer tick.Stop()
	defer heart.Stop()
	defer check.Stop()
	second := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case s, open := <-rows:
			if !open {
				return nil
			}
			p.add(s)
		case <-heart.C:
			if to.Beat() != nil {
				return nil
			}
		case <-check.C:
			if !still() {
				return nil
			}
		case <-tick.C:
			for _, s := range p.take() {
				r := d.row(who, s)
				r.Match = match(s)
				if to.Row(r) != nil {
					return nil
				}
			}
			if second++; second%int(time.Second/window) == 0 {
				if l, tell := p.lap(); tell && to.LeftOut(l) != nil {
					return nil
				}
			}
		}
	}
}

// A pacer chooses what to send of a window: failures first, then changes of
// rows that were sent, then new rows. What has no room waits for a second at
// most, and is then left out. It remembers the rows that were sent.
type pacer struct {
	tokens  int
	waiting []trace.Summary
	at      map[event.Place]int // in waiting
	sent    map[event.Place]trace.Outcome
	shown   int
	left    int
	told    bool
	missed  int // to be said with the next row
}

// maxWaiting bounds a window, and remembered what is known to be sent.
const (
	maxWaiting = 4096
	remembered = 2000
)

func newPacer() *pacer {
	return &pacer{tokens: rowsASecond, at: map[event.Place]int{}, sent: map[event.Place]trace.Outcome{}}
}

func (p *pacer) add(s trace.Summary) {
	if i, ok := p.at[s.Place]; ok {
		s.Missed += p.waiting[i].Missed
		p.waiting[i] = s
		return
	}
	if len(p.waiting) >= maxWaiting {
		p.left++
		return
	}
	p.at[s.Place] = len(p.waiting)
	p.waiting = append(p.waiting, s)
}

func (p *pacer) weight(s trace.Summary) int {
	_, known := p.sent[s.Place]
	switch {
	case s.Outcome == trace.Dead:
		return 0
	case s.Outcome == trace.Pending && s.Tries > 0:
		return 1
	case known:
		return 2
	}
	return 3
}

// take gives what is sent of this window, in the order of the changes.
func (p *pacer) take() []trace.Summary {
	p.tokens = min(rowsASecond, p.tokens+rowsASecond/int(time.Second/window))
	if len(p.waiting) == 0 {
		return nil
	}
	missed := 0
	for _, s := range p.waiting {
		missed += s.Missed
	}
	slices.SortStableFunc(p.waiting, func(a, b trace.Summary) int {
		return cmp.Or(cmp.Compare(p.weight(a), p.weight(b)), cmp.Compare(b.Seq, a.Seq))
	})
	n := min(p.tokens, len(p.waiting))
	out := slices.Clone(p.waiting[:n])
	p.tokens -= n
	p.shown += n
	p.keep(p.waiting[n:])
	slices.SortFunc(out, func(a, b trace.Summary) int { return cmp.Compare(a.Seq, b.Seq) })
	if len(p.sent) > remembered {
		clear(p.sent)
	}
	for i := range out {
		p.sent[out[i].Place] = out[i].Outcome
		out[i].Missed = 0
	}
	if n == 0 {
		p.missed += missed
		return nil
	}
	out[0].Missed, p.missed = missed+p.missed, 0
	return out
}

// keep lets rows wait for the next window, as many as a second sends.
func (p *pacer) keep(rest []trace.Summary) {
	n := min(rowsASecond, len(rest))
	p.left += len(rest) - n
	p.waiting = slices.Clone(rest[:n])
	clear(p.at)
	for i := range p.waiting {
		p.waiting[i].Missed = 0
		p.at[p.waiting[i].Place] = i
	}
}

// lap ends a second: it tells what was left out, and once more when nothing is
// any longer.
func (p *pacer) lap() (LeftOut, bool) {
	l := LeftOut{Seconds: 1, Shown: p.shown, LeftOut: p.left}
	tell := p.left > 0 || p.told
	p.told = p.left > 0
	p.shown, p.left = 0, 0
	return l, tell
}

// FollowOverview sends the overview every other second while it changes.
func (d *Desk) FollowOverview(ctx context.Context, who auth.Actor, q OverviewQuery, still func() bool, send func(Overview) error, alive func() error) error {
	if err := allow(who, auth.Viewer); err != nil {
		return err
	}
	tick, check := time.NewTicker(2*time.Second), time.NewTicker(recheck)
	defer tick.Stop()
	defer check.Stop()
	for n := 0; ; n++ {
		o, err := d.Overview(ctx, who, q)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		if send(o) != nil || (n%8 == 0 && alive() != nil) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-check.C:
			if !still() {
				return nil
			}
		case <-tick.C:
		}
	}
}
