// Package journaltest is what every kind of journal has to do: one suite that
// the embedded server passes, and a cluster. It tests by the exported names
// alone, and knows what journal promises, not how it keeps it.
package journaltest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/datafly/signal/journal"
)

// Run tests a kind of journal. open opens it in one and the same place at each
// call, and the suite closes it before it calls open again. Each test uses logs
// of its own.
func Run(t *testing.T, open func(t *testing.T) *journal.Journal) {
	tests := []struct {
		name string
		run  func(p *place)
	}{
		{"a frame is read as it was appended", readsBack},
		{"sequences count from one, without a gap", countsFromOne},
		{"a reader begins at its cursor", readsFromCursor},
		{"a reader waits at the end for what comes", waitsAtTheEnd},
		{"a reader that starts beyond the end waits for its start", startsBeyondTheEnd},
		{"a reader goes on over a purge ahead of it", readsOverAPurge},
		{"a reader stops reading ahead when nobody takes", readsAheadWithinBounds},
		{"a reader ends with its ctx, its close and the journal's", readerEnds},
		{"TryNext gives what is there and does not wait", triesNext},
		{"all is there after a restart", survivesRestart},
		{"bounds of an empty log", boundsOfEmpty},
		{"bounds keep the highest sequence over purge and restart", boundsOverPurge},
		{"a purge beyond the end changes no sequence", purgesBeyondTheEnd},
		{"a log finds the first frame since a time", findsSince},
		{"Each gives the frames up to the end and returns", eachFrame},
		{"a journal names its logs", namesLogs},
		{"a frame that is not there is ErrNoFrame", noFrame},
		{"frames of every size up to the limit", sizes},
		{"logs of like names are apart", names},
		{"old frames age out and their sequences stay used", agesOut},
		{"a committer puts what waits into one frame", groups},
		{"a committer counts tags", countsTags},
		{"a committer keeps each goroutine's order", keepsOrder},
		{"items committed together stay in order", commitsTogether},
		{"a committer that is full is busy at once", busy},
		{"a commit ends with its ctx", commitEnds},
		{"a committer finishes its queue when it is closed", finishes},
		{"a closed journal refuses", refusesClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &place{T: t, open: open}
			p.j = open(t)
			t.Cleanup(p.close)
			tt.run(p)
		})
	}
}

// A place is one test's view of the journal. Its helpers end the test on an
// error.
type place struct {
	*testing.T
	open func(t *testing.T) *journal.Journal
	j    *journal.Journal
}

func (p *place) close() {
	if err := p.j.Close(); err != nil {
		p.Error(err)
	}
}

// restart closes the journal and opens it again.
func (p *place) restart() {
	p.Helper()
	p.close()
	p.j = p.open(p.T)
}

var serial atomic.Int64

// fresh gives a name that no other log has, in a place used before either.
func fresh() string {
	return fmt.Sprintf("Suite.%d/%d", time.Now().UnixNano(), serial.Add(1))
}

func (p *place) log(name string) *journal.Log {
	p.Helper()
	l, err := p.j.Log(p.Context(), name, journal.LogOptions{})
	p.must(err)
	return l
}

func (p *place) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// append writes frames of one item each.
func (p *place) append(l *journal.Log, items ...string) (last uint64) {
	p.Helper()
	for _, it := range items {
		seq, err := l.Append(p.Context(), nil, [][]byte{[]byte(it)})
		p.must(err)
		last = seq
	}
	return last
}

func (p *place) read(l *journal.Log, from uint64) *journal.Reader {
	p.Helper()
	r, err := l.Read(p.Context(), from)
	p.must(err)
	p.Cleanup(r.Close)
	return r
}

// next expects the next frame to have that sequence and that one item.
func (p *place) next(r *journal.Reader, seq uint64, item string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 20*time.Second)
	defer cancel()
	f, err := r.Next(ctx)
	if err != nil || f.Seq != seq || len(f.Items) != 1 || string(f.Items[0]) != item {
		p.Fatalf("got frame %d %.100q, %v, want %d %.100q", f.Seq, f.Items, err, seq, item)
	}
}

// bounds expects those bounds.
func (p *place) bounds(l *journal.Log, first, last uint64) {
	p.Helper()
	f, n, err := l.Bounds(p.Context())
	if f != first || n != last || err != nil {
		p.Errorf("bounds %d, %d, %v, want %d, %d", f, n, err, first, last)
	}
}

// eventually polls until ok.
func (p *place) eventually(what string, ok func() bool) {
	p.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(20 * time.Second); !ok(); {
		select {
		case <-tick.C:
		case <-end:
			p.Fatalf("not within 20 s: %s", what)
		}
	}
}
