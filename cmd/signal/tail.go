package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/datafly/signal/console/desk"
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
	told := failures{server: server}
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data:"); ok {
			c.show(ctx, s, strings.TrimSpace(data), &told)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the stream broke: %w", err)
	}
	return errors.New("the server ended the stream: it stopped, or the token is no longer valid")
}

// show prints one message of the stream.
func (c *tailCmd) show(ctx context.Context, s streams, data string, told *failures) {
	if c.JSON {
		fmt.Fprintln(s.out, data)
		return
	}
	var row trace.Summary
	if err := json.Unmarshal([]byte(data), &row); err != nil || row.MessageID == "" {
		return // a heartbeat, or what is for pages alone
	}
	for _, r := range row.Ends {
		if c.Integration != "" && r.Integration != c.Integration && !strings.HasSuffix(r.Integration, "/"+c.Integration) {
			continue
		}
		text := r.Text
		if r.Reason != "" {
			text = r.Reason
		}
		if text == "" {
			text = desk.Line(r.Outcome, r.Status, "", "")
		}
		status := "not sent"
		if r.Status > 0 {
			status = fmt.Sprintf("%d in %s", r.Status, time.Duration(r.TookMS)*time.Millisecond)
		}
		fmt.Fprintf(s.out, "%s  %-9s  %-22s %-16s %s · %s  (%s, %s)\n", row.ReceivedAt.Local().Format("15:04:05.000"), r.Outcome, row.Event, r.Integration, text, status, short(row.AnonymousID), row.MessageID)
		told.explain(ctx, s, row.MessageID, r)
	}
}

// failures explains each kind of failure once in a row: what Signal found wrong
// and what to do stand below its first event, not below each of thousands.
type failures struct {
	server *client
	last   map[string]string // reason, by integration
}

func (f *failures) explain(ctx context.Context, s streams, messageID string, r trace.End) {
	kind := fmt.Sprint(r.Outcome, r.Reason)
	if (r.Outcome != trace.Dead && r.Outcome != trace.Pending) || r.Reason == "" || f.last[r.Integration] == kind {
		return
	}
	a, err := f.attempt(ctx, messageID, r)
	if err != nil {
		fmt.Fprintf(s.err, "what to do about it is not known: %v\n", err)
	}
	if a == nil {
		return
	}
	if f.last == nil {
		f.last = map[string]string{}
	}
	f.last[r.Integration] = kind
	for _, check := range a.Wrong() {
		fmt.Fprintf(s.out, "              wrong: %s: %s\n", check.What, check.Say)
	}
	if a.Remedy != "" {
		fmt.Fprintf(s.out, "              what to do: %s\n", a.Remedy)
	}
}

// The stream is ahead of the history by this much at most.
const (
	historyAsks  = 10
	historyPause = 100 * time.Millisecond
)

// attempt gives the try that the stream told of, nil when the history has it
// not.
func (f *failures) attempt(ctx context.Context, messageID string, r trace.End) (*desk.Attempt, error) {
	for range historyAsks {
		var e desk.EventDetail
		if err := f.server.get(ctx, "events/"+url.PathEscape(messageID), nil, &e); err != nil {
			return nil, err
		}
		for _, route := range e.Routes {
			if last := route.Last(); route.Integration == r.Integration && last != nil && last.Reason == r.Reason {
				return last, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(historyPause):
		}
	}
	return nil, nil
}

func short(id string) string {
	if len(id) > 8 {
		return id[:8]
	}
	return id
}
