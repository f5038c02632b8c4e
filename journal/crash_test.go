package journal

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// childArg makes the test binary a program that appends to a journal and
// prints what was acknowledged, until it is killed.
const childArg = "journal-child"

// noise is n bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, rand.Uint64())
	}
	return b[:n]
}

// child appends until it is killed: "commit" with many goroutines through a
// committer, "purge" a few frames that it purges again. With "append" it writes
// a few frames one by one and ends by itself.
func child(args []string) {
	ctx := context.Background()
	j, err := Open(ctx, Options{Dir: args[1], Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println("fault", err)
		return
	}
	l, err := j.Log(ctx, "events", LogOptions{})
	if err != nil {
		fmt.Println("fault", err)
		return
	}
	switch args[0] {
	case "append":
		childAppend(ctx, l)
		_ = j.Close()
		return
	case "purge":
		childAppend(ctx, l)
		fmt.Println("purged", l.Purge(ctx, 21))
		select {}
	}
	c := NewCommitter(l, CommitterOptions{})
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() { childCommit(ctx, c, args[2]+"-"+strconv.Itoa(w)) })
	}
	wg.Wait()
}

func childAppend(ctx context.Context, l *Log) {
	for i := range 20 {
		seq, err := l.Append(ctx, nil, [][]byte{[]byte("JOURNALMARK" + strconv.Itoa(i)), noise(300)})
		if err != nil {
			fmt.Println("fault", err)
			return
		}
		fmt.Println("ack", seq)
	}
}

func childCommit(ctx context.Context, c *Committer, who string) {
	for i := 0; ; i++ {
		id := who + "-" + strconv.Itoa(i)
		seq, at, err := c.Commit(ctx, "shop", append([]byte(id+" "), noise(900)...))
		if err != nil {
			fmt.Println("fault", err)
			return
		}
		fmt.Printf("ack %d %d %s\n", seq, at, id) // one write, so one line
	}
}

type ackedItem struct {
	seq   uint64
	index int
}

// killed runs a child on dir, kills it in the middle of its work, and gives
// what it printed as acknowledged.
func killed(t *testing.T, dir string, round int, after int) map[string]ackedItem {
	t.Helper()
	cmd := exec.Command(os.Args[0], childArg, "commit", dir, "r"+strconv.Itoa(round))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := map[string]ackedItem{}
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // a cut line was no answer
		}
		var a ackedItem
		var id string
		if _, err := fmt.Sscanf(line, "ack %d %d %s", &a.seq, &a.index, &id); err != nil {
			t.Fatalf("the child says %q", line)
		}
		if _, twice := acked[id]; twice {
			t.Fatalf("%s was acknowledged twice", id)
		}
		acked[id] = a
		if n == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // killed, as it should be
	return acked
}

// Every acknowledged item is where its answer said, after any number of kills;
// so none is lost, none is doubled, and each goroutine's stand in order.
func TestKilledInTheMiddleOfCommits(t *testing.T) {
	dir := t.TempDir()
	acked := map[string]ackedItem{}
	for round := range 4 {
		for id, a := range killed(t, dir, round, 300+rand.IntN(3000)) {
			acked[id] = a
		}
		checkAcked(t, dir, acked)
	}
	t.Logf("%d items acknowledged over 4 kills, all there", len(acked))
}

func checkAcked(t *testing.T, dir string, acked map[string]ackedItem) {
	t.Helper()
	j, err := Open(t.Context(), Options{Dir: dir, Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	l := openLog(t, j, "events")
	_, last, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	found := map[string]ackedItem{}
	order := map[string]int{}
	for seq := uint64(1); seq <= last; seq++ {
		f, err := r.Next(t.Context())
		if err != nil || f.Seq != seq {
			t.Fatalf("frame %d, want %d: %v", f.Seq, seq, err)
		}
		for i, item := range f.Items {
			id, _, _ := strings.Cut(string(item), " ")
			if at, twice := found[id]; twice {
				t.Fatalf("%s is at %v and at %d %d", id, at, seq, i)
			}
			found[id] = ackedItem{seq, i}
			who, n := splitID(t, id)
			if n != order[who] {
				t.Fatalf("%s follows %s-%d", id, who, order[who]-1)
			}
			order[who]++
		}
	}
	for id, a := range acked {
		if found[id] != a {
			t.Fatalf("%s was acknowledged at %v, and is at %v", id, a, found[id])
		}
	}
}

func splitID(t *testing.T, id string) (who string, n int) {
	t.Helper()
	i := strings.LastIndexByte(id, '-')
	n, err := strconv.Atoi(id[i+1:])
	if err != nil {
		t.Fatalf("item %q: %v", id, err)
	}
	return id[:i], n
}

// A log that was emptied goes on with its sequences, even if nothing but the
// purge itself reached the disk.
func TestKilledBehindAPurge(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], childArg, "purge", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "fault") {
			t.Error(lines.Text())
		}
		if strings.HasPrefix(lines.Text(), "purged") {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // killed, as it should be
	l := openLog(t, openDir(t, dir), "events")
	if first, last, err := l.Bounds(t.Context()); first != 21 || last != 20 || err != nil {
		t.Errorf("bounds %d, %d, %v, want 21, 20", first, last, err)
	}
	if seq := appendOne(t, l, "x"); seq != 21 {
		t.Errorf("sequence %d, want 21", seq)
	}
}

// The system calls of an append, as strace shows them: what was written is
// synced before the answer is given.
func TestSyncComesBeforeTheAnswer(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed, so the system calls cannot be seen; TestKilledInTheMiddleOfCommits and the server's sync_always stand for it")
	}
	file := t.TempDir() + "/trace"
	cmd := exec.Command(strace, "-f", "-y", "-s", "64", "-e", "trace=pwrite64,write,fsync,fdatasync", "-o", file,
		os.Args[0], childArg, "append", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "fault") {
		t.Skipf("strace may not trace here: %v: %s", err, out)
	}
	trace, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	checkTrace(t, string(trace))
}

// checkTrace walks through the calls: each answer needs a write of its frame to
// the log's file, then a sync of that file that has returned, both behind the
// answer before.
func checkTrace(t *testing.T, trace string) {
	t.Helper()
	written, synced, answers := false, false, 0
	syncing := map[string]bool{} // threads inside a sync of the log's file
	for line := range strings.Lines(trace) {
		thread, call, _ := strings.Cut(line, " ")
		call = strings.TrimSpace(call)
		ofLog := strings.Contains(call, ".blk>")
		sync := strings.HasPrefix(call, "fsync(") || strings.HasPrefix(call, "fdatasync(")
		switch {
		case ofLog && strings.HasPrefix(call, "pwrite64(") && strings.Contains(call, "signal.log.events"):
			written, synced = true, false
		case ofLog && sync && strings.Contains(call, "<unfinished"):
			syncing[thread] = written
		case ofLog && sync && strings.HasSuffix(call, "= 0"):
			synced = written
		case syncing[thread] && strings.Contains(call, "sync resumed>") && strings.HasSuffix(call, "= 0"):
			synced = true
			delete(syncing, thread)
		case strings.HasPrefix(call, "write(1<") && strings.Contains(call, `"ack `):
			if !written || !synced {
				t.Fatalf("answer %d: written %v, synced %v\n%s", answers, written, synced, trace)
			}
			written, synced = false, false
			answers++
		}
	}
	if answers != 20 {
		t.Errorf("%d answers in the trace, want 20\n%s", answers, trace)
	}
}
