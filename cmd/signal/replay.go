package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/datafly/signal/console/desk"
)

// askAbove is how many dead letters or events are sent or dropped without asking.
const askAbove = 10

type replayCmd struct {
	remote
	Integration string `help:"The integration that gets the events, by name or as pipeline/name." required:""`
	From        when   `help:"Events received from then on: 2026-02-24T08:00:00Z, 2026-02-24, or how long ago: 2h, 7d." required:"" placeholder:"TIME"`
	To          when   `help:"Events received before then." required:"" placeholder:"TIME"`
	Pipeline    string `help:"Only this pipeline."`
	Event       string `help:"Only this event name, in any spelling."`
	Visitor     string `help:"Only this visitor, by anonymousId or userId."`
	DryRun      bool   `help:"Only count what would be sent."`
	Rate        int    `help:"Events a second, at most." default:"50"`
	Yes         bool   `help:"Do not ask above 10." short:"y"`
	JSON        bool   `help:"The result as one JSON object."`
}

func (c *replayCmd) Run(ctx context.Context, s streams) error {
	if err := inOrder(c.From, c.To); err != nil {
		return err
	}
	server, err := c.open()
	if err != nil {
		return err
	}
	type body struct {
		desk.ReplayQuery
		desk.ReplayOptions
	}
	q := desk.ReplayQuery{Integration: c.Integration, Pipeline: c.Pipeline, From: c.From.Time, To: c.To.Time, Event: c.Event, Visitor: c.Visitor}
	return replaying{server: server, path: "replays", dry: c.DryRun, yes: c.Yes, json: c.JSON, rate: c.Rate,
		body: func(o desk.ReplayOptions) any { return body{q, o} },
	}.run(ctx, s)
}

// when is a point in time as people write it.
type when struct{ time.Time }

// UnmarshalText reads RFC 3339, a date, which is its first instant here, or how
// long ago it was.
func (w *when) UnmarshalText(text []byte) error {
	s := string(text)
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		w.Time = t
		return nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		w.Time = t
		return nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 36500 {
			w.Time = time.Now().AddDate(0, 0, -n)
			return nil
		}
	}
	if s == "now" {
		s = "0s"
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		w.Time = time.Now().Add(-d)
		return nil
	}
	return fmt.Errorf("%q is no time: write 2026-02-24T08:00:00Z, 2026-02-24, now, or how long ago, such as 2h or 7d", s)
}

// inOrder checks that a stretch of time is one.
func inOrder(from, to when) error {
	if !from.IsZero() && !to.IsZero() && !from.Before(to.Time) {
		return usage{fmt.Errorf("--from: %s is not before --to, %s", from.Format(time.RFC3339), to.Format(time.RFC3339))}
	}
	return nil
}

// replaying is a replay of many from here: a dry run, a question, the replay.
type replaying struct {
	server         *client
	path           string
	dry, yes, json bool
	named          bool // dead letters by their ids
	rate           int
	body           func(o desk.ReplayOptions) any
}

// errNone says that ids name no dead letter.
var errNone = errors.New("none of them is a dead letter: they were replayed or dropped, or never were; see signal dead list")

func (r replaying) run(ctx context.Context, s streams) error {
	if r.rate < 1 || r.rate > 10_000 {
		return usage{fmt.Errorf("--rate: %d is not from 1 to 10000", r.rate)}
	}
	job, err := r.begin(ctx, s, true)
	if err != nil {
		return err
	}
	if r.named && job.Matched == 0 {
		return errNone
	}
	if r.dry || job.Sent+job.Filtered == 0 {
		return r.say(s.out, job)
	}
	if job.Matched > askAbove && !r.yes {
		if err := sayReplay(s.err, job); err != nil {
			return err
		}
		if err := ask(s, fmt.Sprintf("Send %s again? [y/N] ", plural(job.Sent, "event")), "y", "yes"); err != nil {
			return err
		}
	}
	if job, err = r.begin(ctx, s, false); err != nil {
		return err
	}
	if err := r.say(s.out, job); err != nil {
		return err
	}
	if job.State == desk.ReplayStopped {
		return errors.New("the replay was stopped: what was not sent is as it was")
	}
	return nil
}

// begin begins a replay and follows it to its end.
func (r replaying) begin(ctx context.Context, s streams, dry bool) (*desk.Replay, error) {
	var job desk.Replay
	if err := r.server.post(ctx, r.path, r.body(desk.ReplayOptions{DryRun: dry, Rate: r.rate}), &job); err != nil {
		return nil, err
	}
	told := 0
	for !job.Ended() {
		if job.Done > told {
			told = job.Done
			fmt.Fprintf(s.err, "%d of %d\n", job.Done, job.Matched)
		}
		err := r.server.get(ctx, "replays/"+job.ID, url.Values{"wait": {"2"}}, &job)
		if ctx.Err() != nil {
			return r.stop(ctx, &job)
		}
		if err != nil {
			return nil, err
		}
	}
	if job.State == desk.ReplayFailed {
		return nil, fmt.Errorf("the replay ended early after %d of %d: %s", job.Done, job.Matched, job.Error)
	}
	return &job, nil
}

// stop stops the replay because the command was interrupted.
func (r replaying) stop(ctx context.Context, job *desk.Replay) (*desk.Replay, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := r.server.post(ctx, "replays/"+job.ID+"/cancel", nil, job); err != nil {
		return nil, fmt.Errorf("the replay goes on: %w", err)
	}
	return job, nil
}

func (r replaying) say(out io.Writer, job *desk.Replay) error {
	if r.json {
		return json.NewEncoder(out).Encode(job)
	}
	return sayReplay(out, job)
}

// sayReplay prints the numbers of a replay for a person.
func sayReplay(out io.Writer, j *desk.Replay) error {
	noun, sent, filtered := "dead letter", "sent", "filtered"
	if j.Events != nil {
		noun = "stored event"
	}
	if j.DryRun {
		sent, filtered = "would be sent", "would be filtered"
	}
	match := " match."
	if j.Matched == 1 {
		match = " matches."
	}
	lines := []string{plural(j.Matched, noun) + match}
	add := func(n int, say string) {
		if n > 0 {
			lines = append(lines, fmt.Sprintf("%8d %s", n, say))
		}
	}
	add(j.Sent, sent)
	add(j.Repeats, "of these a second time: the vendor has them already")
	add(j.Same, "of these as the same request that was given up")
	add(j.Short, "of these without a field that could not be made")
	for _, r := range j.Reasons {
		if r.Outcome == "filtered" {
			add(int(r.Count), filtered+": "+desk.Say(r.Reason))
		} else {
			add(int(r.Count), "stay as they are: "+desk.Say(r.Reason))
		}
	}
	add(j.Pending, "still wait to be sent, and are not sent a second time")
	add(j.Gone, "are on the list no more: somebody replayed or dropped them")
	add(j.NotKept, "are not stored any more")
	if j.Events != nil && !j.Oldest.IsZero() && j.Events.From.Before(j.Oldest) {
		lines = append(lines, "Events from before "+clock(j.Oldest)+" are not kept any more.")
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}

// ask asks a question; any answer but those given ends the command.
func ask(s streams, question string, answers ...string) error {
	fmt.Fprint(s.err, question)
	line, err := bufio.NewReader(s.in).ReadString('\n')
	line = strings.ToLower(strings.TrimSpace(line))
	if err != nil && line == "" {
		return usage{errors.New("nobody answers: add --yes to go on without asking")}
	}
	for _, a := range answers {
		if line == a {
			return nil
		}
	}
	return errors.New("nothing was done")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
