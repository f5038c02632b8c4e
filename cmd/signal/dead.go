package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/store"
)

type deadCmd struct {
	List   deadListCmd   `cmd:"" help:"Dead letters, newest first."`
	Show   deadShowCmd   `cmd:"" help:"One dead letter: why, what to do, every try, request and answer."`
	Replay deadReplayCmd `cmd:"" help:"Send dead letters again, through the current revision: those named, or all that match."`
	Drop   deadDropCmd   `cmd:"" help:"Delete dead letters for good: those named, or all that match."`
}

// deadFilter chooses dead letters.
type deadFilter struct {
	Pipeline    string `help:"Only this pipeline."`
	Integration string `help:"Only this integration, by name or as pipeline/name."`
	Event       string `help:"Only this event name, in any spelling."`
	Reason      string `help:"Only this reason, exactly as it is listed."`
	Cause       string `help:"Only this kind of failure, such as unknown_app_key."`
	Status      string `help:"Only this HTTP status of the last answer; none for those that got no answer."`
	From        when   `help:"Only what was given up from then on: 2026-02-24T08:00:00Z, 2026-02-24, or how long ago: 2h, 7d." placeholder:"TIME"`
	To          when   `help:"Only what was given up before then." placeholder:"TIME"`
	Q           string `help:"Only what has this text: visitor, user, message id or reason." name:"q"`
}

// query checks the filter.
func (f *deadFilter) query() (desk.DeadQuery, error) {
	q := desk.DeadQuery{
		Pipeline: f.Pipeline, Integration: f.Integration, Event: f.Event, Reason: f.Reason, Cause: f.Cause, Q: f.Q,
		From: f.From.Time, To: f.To.Time,
	}
	switch n, err := strconv.Atoi(f.Status); {
	case f.Status == "":
	case f.Status == "none":
		q.Status = store.NoAnswer
	case err != nil || n < 100 || n > 999:
		return q, usage{fmt.Errorf("--status: %q is no HTTP status: write 400, or none for those that got no answer", f.Status)}
	default:
		q.Status = n
	}
	return q, inOrder(f.From, f.To)
}

// values are the filter as a query of an address.
func values(q desk.DeadQuery) url.Values {
	out := url.Values{}
	for name, v := range map[string]string{"pipeline": q.Pipeline, "integration": q.Integration, "event": q.Event, "reason": q.Reason, "cause": q.Cause, "q": q.Q} {
		if v != "" {
			out.Set(name, v)
		}
	}
	for name, t := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !t.IsZero() {
			out.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	if q.Status != 0 {
		out.Set("status", strconv.Itoa(q.Status))
	}
	return out
}

type deadListCmd struct {
	remote
	deadFilter
	Limit int  `help:"At most so many." default:"50"`
	JSON  bool `help:"One JSON object a line."`
}

func (c *deadListCmd) Run(ctx context.Context, s streams) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	if c.Limit < 1 {
		return usage{fmt.Errorf("--limit: %d is not 1 or more", c.Limit)}
	}
	server, err := c.open()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if !c.JSON {
		fmt.Fprintln(table, "GIVEN UP\tID\tINTEGRATION\tEVENT\tVISITOR\tANSWER\tTRIES\tREASON")
	}
	lines, query := json.NewEncoder(s.out), values(q)
	left := c.Limit
	for left > 0 {
		query.Set("limit", strconv.Itoa(min(left, 500)))
		var page struct {
			Data       []desk.DeadLetter
			NextCursor *string `json:"next_cursor"`
		}
		if err := server.get(ctx, "dead-letters", query, &page); err != nil {
			return err
		}
		for i := range page.Data {
			l := &page.Data[i]
			if c.JSON {
				err = lines.Encode(l)
			} else {
				_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", clock(l.LastAt), l.ID, l.Integration, l.Event, short(l.AnonymousID), answerWord(l.Status, l.Code), l.Attempts, l.Reason)
			}
			if err != nil {
				return err
			}
		}
		left -= len(page.Data)
		if page.NextCursor == nil {
			break
		}
		query.Set("cursor", *page.NextCursor)
	}
	switch {
	case c.JSON:
		return nil
	case left == c.Limit:
		fmt.Fprintln(s.err, "No dead letter matches.")
		return nil
	}
	return table.Flush()
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func answerWord(status, code int) string {
	switch {
	case status == 0:
		return "none"
	case code == 0:
		return strconv.Itoa(status)
	}
	return fmt.Sprintf("%d/%d", status, code)
}

type deadShowCmd struct {
	remote
	ID   string `arg:"" help:"The dead letter, as 'signal dead list' prints it."`
	JSON bool   `help:"One JSON object: the dead letter, and its tries as far as the history has them."`
}

func (c *deadShowCmd) Run(ctx context.Context, s streams) error {
	server, err := c.open()
	if err != nil {
		return err
	}
	var l desk.DeadLetter
	if err := server.get(ctx, "dead-letters/"+url.PathEscape(c.ID), nil, &l); err != nil {
		return err
	}
	tries, err := server.tries(ctx, &l)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(s.out).Encode(struct {
			desk.DeadLetter
			Tries []desk.Attempt `json:"tries"`
		}{l, tries})
	}
	return showLetter(s.out, &l, tries)
}

// tries gives every try of a dead letter that the history still has.
func (c *client) tries(ctx context.Context, l *desk.DeadLetter) ([]desk.Attempt, error) {
	var e desk.EventDetail
	err := c.get(ctx, "events/"+url.PathEscape(l.MessageID), nil, &e)
	var r refusal
	if errors.As(err, &r) && r.status == http.StatusNotFound {
		return nil, nil // it is older than what the debugger keeps
	}
	for _, route := range e.Routes {
		if route.Integration == l.Integration {
			return route.Attempts, err
		}
	}
	return nil, err
}

func showLetter(out io.Writer, l *desk.DeadLetter, tries []desk.Attempt) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "dead letter\t%s\n", l.ID)
	fmt.Fprintf(w, "event\t%s, message %s\n", l.Event, l.MessageID)
	fmt.Fprintf(w, "visitor\t%s\n", l.AnonymousID)
	if l.UserID != "" {
		fmt.Fprintf(w, "user\t%s\n", l.UserID)
	}
	fmt.Fprintf(w, "integration\t%s\n", l.Integration)
	fmt.Fprintf(w, "given up\t%s, first tried %s\n", clock(l.LastAt), clock(l.FirstAt))
	fmt.Fprintf(w, "answer\t%s\n", answerWord(l.Status, l.Code))
	fmt.Fprintf(w, "reason\t%s\n", l.Reason)
	for _, check := range l.Checks {
		sign := "not known"
		switch {
		case check.Right:
			sign = "right"
		case check.Wrong:
			sign = "wrong"
		}
		fmt.Fprintf(w, "%s\t%s: %s\n", sign, check.What, check.Say)
	}
	if l.Remedy != "" {
		fmt.Fprintf(w, "what to do\t%s\n", l.Remedy)
	}
	fmt.Fprintf(w, "\ntries\t%d, of which the history has %d\n", l.Attempts, len(tries))
	for _, a := range tries {
		status := 0
		if a.Answer != nil {
			status = a.Answer.Status
		}
		name := "end"
		if a.Try > 0 {
			name = strconv.Itoa(a.Try)
		}
		if a.Gen > 0 {
			name += fmt.Sprintf(", replay %d", a.Gen)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", name, clock(a.At), answerWord(status, 0), verdictWord(a), a.Reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		body json.RawMessage
	}{{"request", l.Request}, {"answer", l.Answer}} {
		if len(part.body) > 0 {
			fmt.Fprintf(out, "\n%s\n%s\n", part.name, part.body)
		}
	}
	return nil
}

func verdictWord(a desk.Attempt) string {
	if a.Verdict != "" {
		return a.Verdict
	}
	return string(a.Outcome)
}

// deadChoice names dead letters, or chooses all that match.
type deadChoice struct {
	IDs []string `arg:"" optional:"" help:"Dead letters, as 'signal dead list' prints them." name:"id"`
	deadFilter
	All    bool `help:"All of them: needed when neither an ID nor a filter is given."`
	DryRun bool `help:"Only count."`
	Yes    bool `help:"Do not ask above 10." short:"y"`
}

func (c *deadChoice) query() (desk.DeadQuery, error) {
	q, err := c.deadFilter.query()
	if err != nil {
		return q, err
	}
	filtered := len(values(q)) > 0
	switch {
	case len(c.IDs) > 0 && (filtered || c.All):
		return q, usage{errors.New("name dead letters by ID, or filter them, not both")}
	case len(c.IDs) == 0 && !filtered && !c.All:
		return q, usage{errors.New("which: name IDs, a filter such as --integration, or --all")}
	}
	q.IDs = c.IDs
	return q, nil
}

type deadReplayCmd struct {
	remote
	deadChoice
	Rate int  `help:"Events a second, at most." default:"50"`
	JSON bool `help:"The result as one JSON object."`
}

func (c *deadReplayCmd) Run(ctx context.Context, s streams) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	server, err := c.open()
	if err != nil {
		return err
	}
	type body struct {
		desk.DeadQuery
		desk.ReplayOptions
	}
	return replaying{server: server, path: "dead-letters/replay", dry: c.DryRun, yes: c.Yes, json: c.JSON, named: len(c.IDs) > 0, rate: c.Rate,
		body: func(o desk.ReplayOptions) any { return body{q, o} },
	}.run(ctx, s)
}

type deadDropCmd struct {
	remote
	deadChoice
}

func (c *deadDropCmd) Run(ctx context.Context, s streams) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	server, err := c.open()
	if err != nil {
		return err
	}
	type body struct {
		desk.DeadQuery
		All    bool `json:"all,omitempty"`
		DryRun bool `json:"dry_run,omitempty"`
	}
	var r desk.Result
	if err := server.post(ctx, "dead-letters/drop", body{q, c.All, true}, &r); err != nil {
		return err
	}
	switch {
	case r.Matched == 0 && len(c.IDs) > 0:
		return errNone
	case r.Matched == 0:
		fmt.Fprintln(s.err, "No dead letter matches.")
		return nil
	case c.DryRun:
		_, err := fmt.Fprintf(s.out, "%s would be dropped.\n", plural(r.Matched, "dead letter"))
		return err
	}
	if r.Matched > askAbove && !c.Yes {
		if err := ask(s, fmt.Sprintf("This deletes %s for good. Type the word drop to go on: ", plural(r.Matched, "dead letter")), "drop"); err != nil {
			return err
		}
	}
	if err := server.post(ctx, "dead-letters/drop", body{q, c.All, false}, &r); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s dropped.\n", plural(r.Done, "dead letter"))
	return err
}
