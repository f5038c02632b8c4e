package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/datafly/signal/trace"
)

type tailCmd struct {
	remote
	Pipeline    string `help:"Only this pipeline."`
	Integration string `help:"Only this integration, by name or as pipeline/name."`
	Event       string `help:"Only this event name."`
	Outcome     string `help:"Only this outcome: delivered, carried, filtered, dead or pending."`
	Q           string `help:"Only what has this text: visitor, user, message id or free text." name:"q"`
	JSON        bool   `help:"One JSON object a line."`
}

func (c *tailCmd) Run(ctx context.Context, s streams) error {
	if o := trace.Outcome(c.Outcome); c.Outcome != "" && o != trace.Delivered && o != trace.Carried && o != trace.Filtered && o != trace.Dead && o != trace.Pending {
		return usage{fmt.Errorf("--outcome: %q is no outcome: use delivered, carried, filtered, dead or pending", c.Outcome)}
	}
	server, err := c.open()
	if err != nil {
		return err
	}
	query := url.Values{}
	for name, v := range map[string]string{"pipeline": c.Pipeline, "integration": c.Integration, "event": c.Event, "outcome": c.Outcome, "q": c.Q} {
		if v != "" {
			query.Set(name, v)
		}
	}
	resp, err := server.request(ctx, http.MethodGet, "debugger/stream", query, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	fmt.Fprintln(s.err, "Waiting for events. Ctrl-C ends it.")
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data:"); ok {
			c.show(s, strings.TrimSpace(data))
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("the server ended the stream: %w", lines.Err())
}

// show prints one message of the stream.
func (c *tailCmd) show(s streams, data string) {
	if c.JSON {
		fmt.Fprintln(s.out, data)
		return
	}
	var row trace.Summary
	if err := json.Unmarshal([]byte(data), &row); err != nil || row.MessageID == "" {
		return // a heartbeat, or what is for pages alone
	}
	for _, r := range row.Ends {
		text := r.Text
		if r.Reason != "" {
			text = r.Reason
		}
		status := "not sent"
		if r.Status > 0 {
			status = fmt.Sprintf("%d in %s", r.Status, time.Duration(r.TookMS)*time.Millisecond)
		}
		fmt.Fprintf(s.out, "%s  %-9s  %-22s %-16s %s · %s  (%s, %s)\n", row.ReceivedAt.Local().Format("15:04:05.000"), r.Outcome, row.Event, r.Integration, text, status, short(row.AnonymousID), row.MessageID)
	}
}

func short(id string) string {
	if len(id) > 8 {
		return id[:8]
	}
	return id
}
