package journal

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a disk of 24 MiB and puts a ballast of 8 MiB on it.
func smallDisk(t *testing.T) (dir, ballast string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("a small disk cannot be mounted here (%v); TestAppendsAreRefusedWhileTheReserveIsTouched stands for it", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast = filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, noise(8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, ballast
}

func TestAFullDiskWithAndWithoutReserve(t *testing.T) {
	tests := []struct {
		name    string
		reserve int64
	}{
		{"the reserve keeps the server from the end of the disk", 4 << 20},
		{"the server meets the end of the disk and is restarted", -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, ballast := smallDisk(t)
			j := openWith(t, Options{Dir: filepath.Join(dir, "data"), ReserveBytes: tt.reserve, Logger: quiet(t)})
			fillAndFree(t, j, ballast)
			if tt.reserve > 0 {
				return
			}
			reopenOnAFullDisk(t, j, dir)
		})
	}
}

// reopenOnAFullDisk opens what a full disk left behind, with not a byte free.
func reopenOnAFullDisk(t *testing.T, j *Journal, dir string) {
	t.Helper()
	_, last, err := openLog(t, j, "events").Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	rest := filepath.Join(dir, "rest")
	_ = os.WriteFile(rest, noise(24<<20), 0o600) // up to the end of the disk
	j = openDir(t, filepath.Join(dir, "data"))
	if err := j.Ready(); !errors.Is(err, ErrNotDurable) {
		t.Errorf("Ready on a full disk: %v", err)
	}
	l := openLog(t, j, "events")
	if _, n, err := l.Bounds(t.Context()); n != last || err != nil {
		t.Errorf("last is %d, %v, and was %d", n, err, last)
	}
	if _, err := l.Frame(t.Context(), last); err != nil {
		t.Error(err)
	}
}

// fillAndFree fills the disk twice, with some space given back in between, and
// expects every acknowledged frame in its place.
func fillAndFree(t *testing.T, j *Journal, ballast string) {
	l := openLog(t, j, "events")
	r, err := l.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	acked := fill(t, l)
	// A client that repeats while the disk is full gets a clean refusal.
	for range 3 {
		acked = append(acked, fill(t, l)...)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	freed := time.Now()
	eventually(t, "appends are taken again", func() bool {
		seq, err := l.Append(t.Context(), nil, [][]byte{noise(60 << 10)})
		if err == nil {
			acked = append(acked, seq)
		}
		return err == nil
	})
	t.Logf("appends are taken again %s after space was there", time.Since(freed).Round(time.Millisecond))
	acked = append(acked, fill(t, l)...)
	checkFrames(t, l, r, acked)
}

func checkFrames(t *testing.T, l *Log, r *Reader, acked []uint64) {
	t.Helper()
	last := uint64(0)
	for _, seq := range acked {
		if seq <= last {
			t.Fatalf("frame %d was acknowledged behind %d", seq, last)
		}
		last = seq
		for f := (Frame{}); f.Seq < seq; {
			var err error
			if f, err = r.Next(t.Context()); err != nil || f.Seq > seq || len(f.Items) != 1 {
				t.Fatalf("read frame %d with %d items, %v, want %d", f.Seq, len(f.Items), err, seq)
			}
		}
		if _, err := l.Frame(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	if r.Skipped() != 0 {
		t.Errorf("the reader skipped %d", r.Skipped())
	}
}
