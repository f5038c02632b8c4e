//go:build !linux && !darwin && !freebsd

package journal

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// A dirLock keeps other processes out of a directory. On this system it is an
// open file that cannot be removed while it is open, as on Windows; where open
// files can be removed, the directory is not guarded.
type dirLock struct{ file *os.File }

// lockDir makes dir if need be and locks it, or says that it is held.
func lockDir(dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, lockName)
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errHeld(dir, "")
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &dirLock{f}, nil
}

func (l *dirLock) release() error { return l.file.Close() }

// freeBytes is not known on this system, so that ReserveBytes has no effect.
func freeBytes(string) (int64, error) { return math.MaxInt64, nil }
