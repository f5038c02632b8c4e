// Command signal collects a site's events, keeps them, and delivers them to the
// vendors that a marketer connected. This package holds the commands; it only
// wires the rooms together. The way of an event begins in serve.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/datafly/signal/config"
	"github.com/datafly/signal/ops"
)

// cli are the commands with their flags. Flags go over the environment
// (SIGNAL_…), that over the file, that over the defaults.
type cli struct {
	Demo       demoCmd       `cmd:"" help:"Everything in one process on this machine: gateway, console, sample shop and LivePerson simulator."`
	Serve      serveCmd      `cmd:"" help:"Run the server."`
	Check      checkCmd      `cmd:"" help:"Check a configuration and print the effective one, secrets masked."`
	Map        mapCmd        `cmd:"" help:"Dry run: events on stdin, one a line, the requests they would become on stdout."`
	Tail       tailCmd       `cmd:"" help:"The live Event Debugger in a terminal."`
	Dead       deadCmd       `cmd:"" help:"The dead letters: list, show, replay, drop."`
	Replay     replayCmd     `cmd:"" help:"Send stored events to one integration again, through the current revision."`
	Verify     verifyCmd     `cmd:"" help:"Prove that every accepted event has exactly one outcome per integration, or is pending."`
	LivePerson livePersonCmd `cmd:"" name:"liveperson" help:"Tools for LivePerson."`
	Version    versionCmd    `cmd:"" help:"Print version, commit and Go version."`
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	// Each fsync keeps a thread, and with it a processor of Go's scheduler, for
	// its whole length. Two more than the machine has keep answers quick
	// meanwhile (docs/performance.md). The environment's GOMAXPROCS goes first.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// usage is wrong use: exit code 2.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

// run runs one command and gives the exit code: 0 done, 1 failed, 2 wrong use.
func run(ctx context.Context, args []string, s streams) (code int) {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("signal"),
		kong.Description("First-party events, kept durably and delivered server-to-server."),
		kong.Writers(s.out, s.err),
		kong.Exit(func(status int) { panic(exit(status)) }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s),
		kong.UsageOnError(),
	)
	if err != nil {
		panic(err) // a fault in the tags above
	}
	defer func() {
		if r := recover(); r != nil {
			status, ok := r.(exit)
			if !ok {
				panic(r)
			}
			code = int(status)
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(s.err, "signal: %v; see signal --help\n", err)
		return 2
	}
	err = k.Run()
	var u usage
	var f *config.Fault
	switch {
	case err == nil:
		return 0
	case errors.As(err, &u), errors.As(err, &f):
		complain(s.err, err)
		return 2
	default:
		complain(s.err, err)
		return 1
	}
}

// exit is how kong ends after --help.
type exit int

// complain prints each error that was joined on a line of its own.
func complain(w io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(w, "signal: %s\n", strings.TrimRight(line, "\n"))
	}
}

type versionCmd struct{}

func (versionCmd) Run(s streams) error {
	_, err := fmt.Fprintln(s.out, ops.Current())
	return err
}
