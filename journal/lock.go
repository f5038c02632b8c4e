package journal

import "fmt"

// lockName is the file in Options.Dir that its process locks.
const lockName = "lock"

// errHeld names the directory that another process holds, and what to do.
func errHeld(dir, pid string) error {
	who := "another process"
	if pid != "" {
		who = "process " + pid
	}
	return fmt.Errorf("%s is in use by %s; stop that process, or give another data directory", dir, who)
}
