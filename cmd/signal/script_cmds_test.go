package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/datafly/signal/ledger"
)

// waitForAnswer: waitfor URL waits until the URL answers 200.
func waitForAnswer(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: waitfor URL")
	}
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := http.Get(args[0])
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("%s does not answer: %v", args[0], err)
		}
	}
}

// waitForEnds: settled waits until the server of $SIGNAL_URL has nothing pending.
func waitForEnds(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 0 {
		ts.Fatalf("usage: settled")
	}
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequest(http.MethodGet, ts.Getenv("SIGNAL_URL")+"/v1/admin/verify", nil)
		ts.Check(err)
		req.Header.Set("Authorization", "Bearer "+ts.Getenv("SIGNAL_TOKEN"))
		resp, err := http.DefaultClient.Do(req)
		ts.Check(err)
		var p ledger.Proof
		err = json.NewDecoder(resp.Body).Decode(&p)
		_ = resp.Body.Close()
		ts.Check(err)
		if p.Unprocessed == 0 && p.Outcomes["pending"] == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("not everything ended: %+v", p)
		}
	}
}

// postEvent: post URL KEY FILE WANTED-STATUS posts a file to the gateway.
func postEvent(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: post URL KEY FILE STATUS")
	}
	req, err := http.NewRequest(http.MethodPost, args[0], strings.NewReader(ts.ReadFile(args[2])))
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+args[1])
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if got := resp.Status[:3]; got != args[3] {
		ts.Fatalf("%s answered %s %s, want %s", args[0], resp.Status, body, args[3])
	}
}
