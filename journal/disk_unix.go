//go:build linux || darwin || freebsd

package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A dirLock keeps other processes out of a directory. The system lets go of it
// when the process ends, however it ends.
type dirLock struct{ file *os.File }

// lockDir makes dir if need be and locks it, or says who holds it.
func lockDir(dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errHeld(dir, holder(f))
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	// The process id is for people; on a full disk the lock holds without it.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return &dirLock{f}, nil
}

// holder reads the process id that the holder of the lock wrote.
func holder(f *os.File) string {
	b, _ := io.ReadAll(io.LimitReader(f, 32))
	return strings.TrimSpace(string(b))
}

func (l *dirLock) release() error { return l.file.Close() }

// freeBytes is what an ordinary process may still write on dir's disk.
func freeBytes(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // the types differ between systems
}
