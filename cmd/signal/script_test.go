package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// asSignal in the environment makes the test binary behave as signal.
const asSignal = "SIGNAL_TEST_AS_SIGNAL"

// The real binary, as a user runs it: the scripts start it by name, the crash
// test by the environment.
func TestMain(m *testing.M) {
	if os.Getenv(asSignal) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"signal": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: func(e *testscript.Env) error {
		e.Setenv("ADDR1", freeAddr(t))
		e.Setenv("ADDR2", freeAddr(t))
		e.Setenv("ADDR3", freeAddr(t))
		return nil
	}, Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"waitfor": waitForAnswer,
		"post":    postEvent,
		"settled": waitForEnds,
	}})
}
