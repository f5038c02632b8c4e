package desk

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// A DeadLetter is an event that was given up for an integration.
type DeadLetter struct {
	ID          string `json:"id"`
	MessageID   string `json:"message_id"`
	Event       string `json:"event"`
	AnonymousID string `json:"anonymous_id"`
	UserID      string `json:"user_id,omitempty"`
	Pipeline    string `json:"pipeline"`
	Integration string `json:"integration" doc:"Its ID: pipeline/name."`
	Reason      string `json:"reason"`
	Remedy      string `json:"remedy,omitempty"`
	Explanation
	Status   int             `json:"status"`
	Code     int             `json:"code"`
	Attempts int             `json:"attempts"`
	FirstAt  time.Time       `json:"first_at"`
	LastAt   time.Time       `json:"last_at"`
	Request  json.RawMessage `json:"request,omitempty"`
	Answer   json.RawMessage `json:"answer,omitempty"`
}

// A DeadGroup are the dead letters of one integration with one reason.
type DeadGroup struct {
	Pipeline    string    `json:"pipeline"`
	Integration string    `json:"integration"`
	Reason      string    `json:"reason"`
	Remedy      string    `json:"remedy,omitempty"`
	Explanation           // of the latest of them
	Status      int       `json:"status"`
	Code        int       `json:"code"`
	Count       int       `json:"count"`
	FirstAt     time.Time `json:"first_at"`
	LastAt      time.Time `json:"last_at"`
}

// DeadQuery chooses dead letters. What is empty does not filter.
type DeadQuery struct {
	Pipeline    string    `json:"pipeline,omitempty"`
	Integration string    `json:"integration,omitempty" doc:"ID (shop/liveperson) or name."`
	Event       string    `json:"event,omitempty"`
	Reason      string    `json:"reason,omitempty" doc:"Exactly as in the groups."`
	Cause       string    `json:"cause,omitempty" doc:"The kind of failure, for scripts: unknown_app_key."`
	Status      int       `json:"status,omitempty" minimum:"-1" maximum:"999" doc:"HTTP status of the last answer; -1 for those that got none."`
	Q           string    `json:"q,omitempty" doc:"Part of an id, a name or the reason."`
	From        time.Time `json:"from,omitzero"`
	To          time.Time `json:"to,omitzero"`
	IDs         []string  `json:"ids,omitempty" doc:"These alone, whatever else is set."`

	Cursor string `json:"-"`
	Limit  int    `json:"-"`
}

func (d *Desk) deadFilter(q DeadQuery) (store.DeadFilter, error) {
	id, err := d.integration(q.Integration, q.Pipeline)
	return store.DeadFilter{
		Pipeline: q.Pipeline, Integration: id, Event: q.Event, Reason: q.Reason, Cause: q.Cause, Status: q.Status, Q: q.Q,
		From: q.From, To: q.To, Cursor: q.Cursor, Limit: q.Limit,
	}, err
}

// DeadLetters gives a page, newest first, and the cursor of the next.
func (d *Desk) DeadLetters(ctx context.Context, who auth.Actor, q DeadQuery) (page []DeadLetter, next string, err error) {
	if err := allow(who, auth.Viewer); err != nil {
		return nil, "", err
	}
	f, err := d.deadFilter(q)
	if err != nil {
		return nil, "", err
	}
	found, next, err := d.o.Store.DeadLetters(ctx, f)
	if err != nil {
		return nil, "", cursorFault(err)
	}
	page = []DeadLetter{}
	for _, l := range found {
		page = append(page, deadLetter(l, masks(who)))
	}
	return page, next, nil
}

// DeadLetter gives one by its id.
func (d *Desk) DeadLetter(ctx context.Context, who auth.Actor, id string) (DeadLetter, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return DeadLetter{}, err
	}
	l, ok, err := d.o.Store.DeadLetter(ctx, id)
	if err != nil {
		return DeadLetter{}, err
	}
	if !ok {
		return DeadLetter{}, fault(ErrNotFound, "There is no dead letter %q. It was replayed or dropped, or never was.", id)
	}
	return deadLetter(l, masks(who)), nil
}

func deadLetter(l store.DeadLetter, mask bool) DeadLetter {
	out := DeadLetter{
		Explanation: explanation(l.Cause, l.Fix, l.Field, l.Checks),
		ID:          l.ID, MessageID: l.MessageID, Event: l.Event, AnonymousID: l.AnonymousID, UserID: l.UserID,
		Pipeline: l.Pipeline, Integration: l.Integration, Reason: l.Reason, Remedy: l.Remedy, Status: l.Status,
		Code: l.Code, Attempts: l.Attempts, FirstAt: l.FirstAt, LastAt: l.LastAt, Request: l.Request, Answer: l.Answer,
	}
	if !mask {
		return out
	}
	m := trace.NewMask(l.UserID)
	if out.UserID != "" {
		out.UserID = hidden
	}
	out.Reason, out.Remedy = m.Text(out.Reason), m.Text(out.Remedy)
	out.Explanation = out.Explanation.masked(m)
	out.Request, out.Answer = maskNested(m, out.Request), maskNested(m, out.Answer)
	return out
}

// maskNested masks JSON, and the JSON that stands as text in its body.
func maskNested(m trace.Mask, b json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(b, &object) != nil {
		return m.JSON(b)
	}
	var body string
	if json.Unmarshal(object["body"], &body) == nil && json.Valid([]byte(body)) {
		if text, err := json.Marshal(string(m.JSON(json.RawMessage(body)))); err == nil {
			object["body"] = text
			if b2, err := json.Marshal(object); err == nil {
				b = b2
			}
		}
	}
	return m.JSON(b)
}

// DeadGroups gives the groups of the dead letters that match.
func (d *Desk) DeadGroups(ctx context.Context, who auth.Actor, q DeadQuery) ([]DeadGroup, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return nil, err
	}
	f, err := d.deadFilter(q)
	if err != nil {
		return nil, err
	}
	found, err := d.o.Store.DeadGroups(ctx, f)
	if err != nil {
		return nil, err
	}
	out := []DeadGroup{}
	for _, g := range found {
		one := DeadGroup{
			Pipeline: g.Pipeline, Integration: g.Integration, Reason: g.Reason, Remedy: g.Remedy, Status: g.Status,
			Code: g.Code, Count: g.Count, FirstAt: g.FirstAt, LastAt: g.LastAt,
		}
		latest, _, err := d.o.Store.DeadLetters(ctx, store.DeadFilter{Pipeline: g.Pipeline, Integration: g.Integration, Reason: g.Reason, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(latest) > 0 {
			one.Explanation = deadLetter(latest[0], masks(who)).Explanation
		}
		out = append(out, one)
	}
	return out, nil
}

// CountDead gives how many dead letters match.
func (d *Desk) CountDead(ctx context.Context, who auth.Actor, q DeadQuery) (int, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return 0, err
	}
	f, err := d.deadFilter(q)
	if err != nil {
		return 0, err
	}
	return d.o.Store.CountDead(ctx, f)
}

// matching gives the ids of all dead letters that match, beyond any page, in the
// order in which their events were received.
func (d *Desk) matching(ctx context.Context, q DeadQuery) ([]string, error) {
	if len(q.IDs) > 0 {
		return d.o.Store.SortDead(ctx, q.IDs)
	}
	f, err := d.deadFilter(q)
	if err != nil {
		return nil, err
	}
	return d.o.Store.DeadIDs(ctx, f)
}

// Result is what came of a replay of one, or of a drop.
type Result struct {
	Matched int  `json:"matched" doc:"Dead letters that match."`
	Done    int  `json:"done" doc:"How many were replayed or dropped."`
	DryRun  bool `json:"dry_run,omitempty"`
}

// ReplayOne sends one dead letter again, at once, through the current revision.
func (d *Desk) ReplayOne(ctx context.Context, who auth.Actor, id string) (Result, error) {
	if err := d.mayReplay(who); err != nil {
		return Result{}, err
	}
	if _, err := d.DeadLetter(ctx, who, id); err != nil {
		return Result{}, err
	}
	r, err := d.o.Replay(ctx, []string{id}, false)
	if err != nil {
		return Result{Matched: 1}, err
	}
	for why := range r.Kept {
		return Result{Matched: 1}, fault(ErrInvalid, "It stays a dead letter. %s.", upper(why))
	}
	d.o.Log.Info("dead letters replayed", "by", who.Name, "count", 1)
	return Result{Matched: 1, Done: r.Events() - r.Gone}, nil
}

// DropDead deletes all dead letters that match for good. Their events stay
// counted as dead.
func (d *Desk) DropDead(ctx context.Context, who auth.Actor, q DeadQuery, dry bool) (Result, error) {
	if err := allow(who, auth.Editor); err != nil {
		return Result{}, err
	}
	ids, err := d.matching(ctx, q)
	out := Result{Matched: len(ids), DryRun: dry}
	if err != nil || dry {
		return out, err
	}
	out.Done, err = d.o.Store.DropDead(ctx, ids)
	if err == nil {
		d.o.Log.Info("dead letters dropped", "by", who.Name, "count", out.Done)
	}
	return out, err
}

// DropOne deletes one dead letter for good; it is an error when there is none.
func (d *Desk) DropOne(ctx context.Context, who auth.Actor, id string) (Result, error) {
	if err := allow(who, auth.Editor); err != nil {
		return Result{}, err
	}
	if _, err := d.DeadLetter(ctx, who, id); err != nil {
		return Result{}, err
	}
	return d.DropDead(ctx, who, DeadQuery{IDs: []string{id}}, false)
}

// DeadOf gives the dead letters of one event, by the ID of the integration.
func (d *Desk) DeadOf(ctx context.Context, who auth.Actor, messageID string) (map[string]string, error) {
	page, _, err := d.DeadLetters(ctx, who, DeadQuery{Q: messageID, Limit: 100})
	out := map[string]string{}
	for _, l := range page {
		if l.MessageID == messageID {
			out[l.Integration] = l.ID
		}
	}
	return out, err
}

func cursorFault(err error) error {
	if errors.Is(err, store.ErrCursor) {
		return fault(ErrInvalid, "%s", upper(store.ErrCursor.Error())+".")
	}
	return err
}
