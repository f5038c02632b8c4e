package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
)

type verifyCmd struct {
	remote
	Data string `help:"A data folder that no server holds, in the place of a running server." placeholder:"DIR"`
}

// errNotProven is the end of a verify that found faults; they are printed.
var errNotProven = errors.New("the ledger does not hold: see the faults above, and docs/operations.md")

func (c *verifyCmd) Run(ctx context.Context, s streams) error {
	p, err := c.proof(ctx)
	if err != nil {
		return err
	}
	say(s.out, &p)
	if !p.Holds() {
		return errNotProven
	}
	return nil
}

func (c *verifyCmd) proof(ctx context.Context) (ledger.Proof, error) {
	if c.Data != "" {
		return verifyData(ctx, c.Data)
	}
	server, err := c.open()
	if err != nil {
		return ledger.Proof{}, err
	}
	var p ledger.Proof
	return p, server.get(ctx, "verify", nil, &p)
}

// verifyData reads a folder that no server holds.
func verifyData(ctx context.Context, dir string) (ledger.Proof, error) {
	at := filepath.Join(dir, "journal")
	if _, err := os.Stat(at); err != nil {
		return ledger.Proof{}, usage{fmt.Errorf("--data: %s holds no journal of Signal: name the folder of `data:` in signal.yaml", dir)}
	}
	j, err := journal.Open(ctx, journal.Options{Dir: at})
	if err != nil {
		return ledger.Proof{}, err
	}
	defer j.Close()
	names, err := j.Names(ctx)
	if err != nil {
		return ledger.Proof{}, err
	}
	logs := ledger.Journals{Reports: map[string]*journal.Log{}}
	for _, name := range names {
		l, err := j.Log(ctx, name, journal.LogOptions{})
		if err != nil {
			return ledger.Proof{}, err
		}
		id, reports := strings.CutPrefix(name, logReports(""))
		switch {
		case name == logEvents:
			logs.Events = l
		case name == logLedger:
			logs.Ledger = l
		case reports:
			logs.Reports[id] = l
		}
	}
	if logs.Events == nil || logs.Ledger == nil {
		return ledger.Proof{}, usage{fmt.Errorf("--data: %s holds no events yet", dir)}
	}
	return ledger.Verify(ctx, logs)
}

// say prints a proof for a person.
func say(w io.Writer, p *ledger.Proof) {
	fmt.Fprintf(w, "%d events, %d of them not worked through yet; %d outcomes to account for:\n", p.Events, p.Unprocessed, p.Pairs)
	for _, o := range []string{"delivered", "carried", "filtered", "dead", "pending"} {
		fmt.Fprintf(w, "  %-10s %d\n", o, p.Outcomes[o])
	}
	for _, f := range p.Faults {
		fmt.Fprintf(w, "fault: %s\n", f)
	}
	switch {
	case p.Holds():
		fmt.Fprintln(w, "Proven: every accepted event has exactly one outcome per integration, or is pending and still there to be sent.")
	case p.FaultCount > len(p.Faults):
		fmt.Fprintf(w, "… and %d faults more\n", p.FaultCount-len(p.Faults))
	}
}
