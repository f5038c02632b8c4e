package desk

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/process"
	"github.com/datafly/signal/trace"
)

// How fast a replay goes, in events a second, unless it is told; and how fast it
// may be told to go.
const (
	ReplayRate    = 50
	maxReplayRate = 10_000
)

const (
	replaysKept   = 50 // that ended, and can still be asked for
	replaysAtOnce = 8
	dryAtOnce     = 100 // events of a dry run between two batches of live ones
)

// States of a Replay.
const (
	ReplaySearching = "searching" // for the stored events
	ReplayRunning   = "running"
	ReplayStopping  = "stopping" // what is under way is finished
	ReplayDone      = "done"
	ReplayStopped   = "stopped" // by a person: what was not sent stays as it was
	ReplayFailed    = "failed"
)

// A Replay is a job that sends many dead letters or stored events again. It
// lives in this process: after a restart it is gone, and what it had not sent
// yet is as it was.
type Replay struct {
	ID        string    `json:"id"`
	State     string    `json:"state" enum:"searching,running,stopping,done,stopped,failed"`
	Error     string    `json:"error,omitempty" doc:"Why it failed."`
	Matched   int       `json:"matched" doc:"Dead letters or stored events that it is about."`
	Done      int       `json:"done" doc:"How many of them it is through with."`
	Sent      int       `json:"sent" doc:"Handed on to be sent; in a dry run, those that would be."`
	Filtered  int       `json:"filtered" doc:"Not sent, see reasons."`
	Kept      int       `json:"kept" doc:"Left as they were, see reasons."`
	Pending   int       `json:"pending" doc:"Stored events that still wait to be sent, and are not sent a second time."`
	Gone      int       `json:"gone" doc:"Dead letters that somebody else replayed or dropped meanwhile."`
	NotKept   int       `json:"not_kept" doc:"Stored events that were dropped meanwhile, for their age."`
	Repeats   int       `json:"repeats" doc:"Of sent: delivered or carried before, so that they arrive twice."`
	Same      int       `json:"same" doc:"Of sent: dead letters from which the mapping makes what was given up before."`
	Short     int       `json:"short" doc:"Of sent: without a field that could not be made."`
	Reasons   []Reason  `json:"reasons,omitempty" doc:"Of filtered and kept."`
	Oldest    time.Time `json:"oldest,omitzero" doc:"Of stored events: when the oldest that is still stored was received. What was asked for before it is not kept."`
	DryRun    bool      `json:"dry_run,omitempty" doc:"It counts and sends nothing."`
	Rate      int       `json:"rate" doc:"Events a second, at most."`
	By        string    `json:"by"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`

	Letters *DeadQuery   `json:"letters,omitempty" doc:"The dead letters that it is about."`
	Events  *ReplayQuery `json:"events,omitempty" doc:"The stored events that it is about."`
}

// Ended reports whether nothing more will come of it.
func (r *Replay) Ended() bool {
	return r.State == ReplayDone || r.State == ReplayStopped || r.State == ReplayFailed
}

// ReplayQuery chooses stored events to be sent to one integration again.
type ReplayQuery struct {
	Integration string    `json:"integration" doc:"ID (shop/liveperson) or name."`
	Pipeline    string    `json:"pipeline,omitempty" doc:"Needed only when several have an integration of that name."`
	From        time.Time `json:"from" doc:"Of receipt."`
	To          time.Time `json:"to" doc:"Of receipt; not in it."`
	Event       string    `json:"event,omitempty" doc:"The name in any spelling, or page, identify, group, screen."`
	Visitor     string    `json:"visitor,omitempty" doc:"An anonymousId or a userId."`
}

// ReplayOptions say how a replay goes.
type ReplayOptions struct {
	DryRun bool `json:"dry_run,omitempty" doc:"Counts what would be sent, and sends nothing."`
	Rate   int  `json:"rate,omitempty" minimum:"0" maximum:"10000" doc:"Events a second, at most. Default 50."`
}

// replays are the jobs of this process, the latest last.
type replays struct {
	mu   sync.Mutex
	list []*replayJob
}

// replayJob is a Replay with what runs it. Its fields are guarded by replays.mu.
type replayJob struct {
	Replay
	stop  context.CancelFunc
	ended chan struct{}
}

func (d *Desk) mayReplay(who auth.Actor) error {
	if err := allow(who, auth.Editor); err != nil {
		return err
	}
	if d.o.Replay == nil {
		return fault(ErrAbsent, "This process does not deliver, so it cannot replay. Ask one with the role worker.")
	}
	return nil
}

// ReplayDead begins a job that sends all dead letters that match again, in the
// order in which their events were received.
func (d *Desk) ReplayDead(ctx context.Context, who auth.Actor, q DeadQuery, o ReplayOptions) (Replay, error) {
	if err := d.mayReplay(who); err != nil {
		return Replay{}, err
	}
	ids, err := d.matching(ctx, q)
	if err != nil {
		return Replay{}, err
	}
	q.Cursor, q.Limit = "", 0
	job := Replay{State: ReplayRunning, Matched: len(ids), Letters: &q}
	return d.start(ctx, who, job, o, func(ctx context.Context, j *replayJob) error {
		return d.send(ctx, j, len(ids), func(ctx context.Context, at, n int) (process.Replayed, error) {
			return d.o.Replay(ctx, ids[at:at+n], o.DryRun)
		})
	})
}

// ReplayEvents begins a job that sends stored events to one integration again,
// in the order of receipt.
func (d *Desk) ReplayEvents(ctx context.Context, who auth.Actor, q ReplayQuery, o ReplayOptions) (Replay, error) {
	if err := d.mayReplay(who); err != nil {
		return Replay{}, err
	}
	sel, err := d.selection(&q)
	if err != nil {
		return Replay{}, err
	}
	return d.start(ctx, who, Replay{State: ReplaySearching, Events: &q}, o, func(ctx context.Context, j *replayJob) error {
		found, err := d.o.Find(ctx, sel)
		if err != nil {
			return err
		}
		d.replays.change(func() {
			j.Matched, j.Oldest = found.Len(), found.Oldest
			if j.State == ReplaySearching {
				j.State = ReplayRunning
			}
		})
		return d.send(ctx, j, found.Len(), func(ctx context.Context, _, n int) (process.Replayed, error) {
			return d.o.Resend(ctx, found, n, o.DryRun)
		})
	})
}

// selection checks a query and completes it.
func (d *Desk) selection(q *ReplayQuery) (process.Selection, error) {
	if q.Integration == "" {
		return process.Selection{}, fault(ErrInvalid, "integration: name the one that gets the events, as pipeline/name.")
	}
	id, err := d.integration(q.Integration, q.Pipeline)
	if err != nil {
		return process.Selection{}, err
	}
	pipeline := ""
	for _, p := range d.o.Pipelines() {
		for _, i := range p.Integrations {
			if i.ID == id && (q.Pipeline == "" || q.Pipeline == p.Name) {
				pipeline = p.Name
			}
		}
	}
	switch {
	case pipeline == "":
		return process.Selection{}, fault(ErrInvalid, "integration: there is no %q here. GET /v1/admin/integrations lists them.", q.Integration)
	case q.From.IsZero(), q.To.IsZero():
		return process.Selection{}, fault(ErrInvalid, "from, to: name both, as 2026-02-24T08:00:00Z.")
	case !q.From.Before(q.To):
		return process.Selection{}, fault(ErrInvalid, "from, to: from must be before to.")
	}
	q.Integration, q.Pipeline = id, pipeline
	return process.Selection{Pipeline: pipeline, Integration: id, From: q.From, To: q.To, Event: q.Event, Visitor: q.Visitor}, nil
}

// start begins a job.
func (d *Desk) start(ctx context.Context, who auth.Actor, r Replay, o ReplayOptions, run func(ctx context.Context, j *replayJob) error) (Replay, error) {
	if o.Rate < 0 || o.Rate > maxReplayRate {
		return Replay{}, fault(ErrInvalid, "rate: %d is not from 1 to %d.", o.Rate, maxReplayRate)
	}
	r.ID, r.By, r.StartedAt = uuid.Must(uuid.NewV7()).String(), who.Name, d.Now().UTC()
	r.Rate, r.DryRun = cmp.Or(o.Rate, ReplayRate), o.DryRun
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	j := &replayJob{Replay: r, stop: stop, ended: make(chan struct{})}
	if !d.replays.add(j) {
		stop()
		return Replay{}, fault(ErrTaken, "%d replays run already. Wait for one, or stop it.", replaysAtOnce)
	}
	go func() {
		defer stop()
		d.finish(j, run(ctx, j))
	}()
	return r, nil
}

// finish notes how a job ended.
func (d *Desk) finish(j *replayJob, err error) {
	d.replays.change(func() {
		j.EndedAt, j.State = d.Now().UTC(), ReplayDone
		switch {
		case errors.Is(err, context.Canceled):
			j.State = ReplayStopped
		case err != nil:
			j.State, j.Error = ReplayFailed, upper(err.Error())+"."
		}
	})
	d.o.Log.Info("replay ended", "id", j.ID, "by", j.By, "state", j.State, "dry", j.DryRun, "matched", j.Matched, "sent", j.Sent, "error", err)
	close(j.ended)
}

// send works through n events in batches, as fast as the job may. It stops
// between two batches.
func (d *Desk) send(ctx context.Context, j *replayJob, n int, batch func(ctx context.Context, at, n int) (process.Replayed, error)) error {
	size := min(max(1, j.Rate/5), process.ReplayAtOnce)
	if j.DryRun {
		size = dryAtOnce
	}
	due := time.NewTimer(0)
	defer due.Stop()
	next := time.Now()
	for at := 0; at < n; at += size {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-due.C:
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		some := min(size, n-at)
		r, err := batch(context.WithoutCancel(ctx), at, some)
		d.replays.change(func() { j.add(r) })
		if err != nil {
			return err
		}
		if !j.DryRun {
			next = next.Add(time.Duration(some) * time.Second / time.Duration(j.Rate))
			if now := time.Now(); next.Before(now) {
				next = now
			}
		}
		due.Reset(time.Until(next))
	}
	return nil
}

// add adds what came of a batch.
func (j *replayJob) add(r process.Replayed) {
	j.Done += r.Events()
	j.Sent += r.Sent
	j.Pending += r.Pending
	j.Gone += r.Gone
	j.NotKept += r.NotKept
	j.Repeats += r.Repeats
	j.Same += r.Same
	j.Short += r.Short
	j.Filtered += j.reasons(trace.Filtered, r.Filtered)
	j.Kept += j.reasons(trace.Dead, r.Kept)
}

// reasonsShown bounds the reasons of a job: they hold names from outside.
const reasonsShown = 100

func (j *replayJob) reasons(o trace.Outcome, by map[string]int) (total int) {
	list := slices.Clone(j.Reasons)
	for reason, n := range by {
		total += n
		i := slices.IndexFunc(list, func(r Reason) bool { return r.Outcome == string(o) && r.Reason == reason })
		switch {
		case i >= 0:
			list[i].Count += int64(n)
		case len(list) < reasonsShown:
			list = append(list, Reason{Outcome: string(o), Reason: reason, Count: int64(n)})
		}
	}
	slices.SortFunc(list, func(a, b Reason) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason)) })
	j.Reasons = list
	return total
}

// add takes a job in, unless too many run, and lets go of the oldest that ended.
func (s *replays) add(j *replayJob) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	running := 0
	for _, o := range s.list {
		if !o.Ended() {
			running++
		}
	}
	if running >= replaysAtOnce {
		return false
	}
	s.list = append(s.list, j)
	for len(s.list) > replaysKept+replaysAtOnce {
		i := slices.IndexFunc(s.list, func(o *replayJob) bool { return o.Ended() })
		s.list = slices.Delete(s.list, i, i+1)
	}
	return true
}

func (s *replays) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (d *Desk) job(id string) (*replayJob, error) {
	d.replays.mu.Lock()
	defer d.replays.mu.Unlock()
	for _, j := range d.replays.list {
		if j.ID == id {
			return j, nil
		}
	}
	return nil, fault(ErrNotFound, "There is no replay %q. It ended long ago, or the server was started since; what it had not sent is as it was.", id)
}

// Replays gives the jobs of this process, the latest first.
func (d *Desk) Replays(who auth.Actor) ([]Replay, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return nil, err
	}
	out := []Replay{}
	d.replays.change(func() {
		for _, j := range slices.Backward(d.replays.list) {
			out = append(out, j.shown(masks(who)))
		}
	})
	return out, nil
}

// Replay gives one job by its id. It waits for its end, but no longer than long.
func (d *Desk) Replay(ctx context.Context, who auth.Actor, id string, long time.Duration) (r Replay, err error) {
	if err := allow(who, auth.Viewer); err != nil {
		return Replay{}, err
	}
	j, err := d.job(id)
	if err != nil {
		return Replay{}, err
	}
	if long > 0 {
		enough := time.NewTimer(long)
		defer enough.Stop()
		select {
		case <-j.ended:
		case <-enough.C:
		case <-ctx.Done():
		}
	}
	d.replays.change(func() { r = j.shown(masks(who)) })
	return r, nil
}

// StopReplay stops a job after what is under way. What it has not sent stays as
// it was. One that has ended stays so.
func (d *Desk) StopReplay(ctx context.Context, who auth.Actor, id string) (Replay, error) {
	if err := allow(who, auth.Editor); err != nil {
		return Replay{}, err
	}
	j, err := d.job(id)
	if err != nil {
		return Replay{}, err
	}
	d.replays.change(func() {
		if !j.Ended() {
			j.State = ReplayStopping
		}
	})
	j.stop()
	return d.Replay(ctx, who, id, time.Second)
}

// shown is a copy for whoever asks.
func (j *replayJob) shown(mask bool) Replay {
	r := j.Replay
	if !mask {
		return r
	}
	m := trace.NewMask()
	r.Reasons = slices.Clone(r.Reasons)
	for i := range r.Reasons {
		r.Reasons[i].Reason = m.Text(r.Reasons[i].Reason)
	}
	if r.Letters != nil {
		q := *r.Letters
		q.Reason = m.Text(q.Reason)
		if q.Q != "" {
			q.Q = hidden
		}
		r.Letters = &q
	}
	if r.Events != nil && r.Events.Visitor != "" {
		q := *r.Events
		q.Visitor = hidden
		r.Events = &q
	}
	r.Error = m.Text(r.Error)
	return r
}
