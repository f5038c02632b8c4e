// Package ops holds what every server of Signal needs to be run by somebody
// else: its version, its log, its metrics, and whether it is alive and ready.
// It knows nothing of events and imports nothing of ours.
package ops

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version and Commit are set by the linker in a release build:
//
//	go build -ldflags "-X github.com/datafly/signal/ops.Version=1.0.0 -X github.com/datafly/signal/ops.Commit=abc123"
//
// Empty means that the build information of Go is asked instead.
var (
	Version string
	Commit  string
)

// A Build says what runs.
type Build struct {
	Version string `json:"version"` // "dev" when nothing is known
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
}

// Current gives the build that runs.
func Current() Build {
	b := Build{Version: Version, Commit: Commit, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if ok && b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if ok && b.Commit == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	if b.Version == "" {
		b.Version = "dev"
	}
	return b
}

// String gives one line for people.
func (b Build) String() string {
	if b.Commit == "" {
		return fmt.Sprintf("signal %s (%s)", b.Version, b.Go)
	}
	return fmt.Sprintf("signal %s, commit %.12s (%s)", b.Version, b.Commit, b.Go)
}
