package api

import (
	"context"
	"net/http"
	"time"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
)

// DeadInput are the filters of dead letters in an address.
type DeadInput struct {
	Pipeline    string    `query:"pipeline"`
	Integration string    `query:"integration" doc:"ID (shop/liveperson) or name."`
	Event       string    `query:"event"`
	Reason      string    `query:"reason" doc:"Exactly as in the groups."`
	Cause       string    `query:"cause" doc:"The kind of failure: unknown_app_key."`
	Status      int       `query:"status" minimum:"-1" maximum:"999" doc:"HTTP status of the last answer; -1 for those that got none."`
	Q           string    `query:"q"`
	From        time.Time `query:"from"`
	To          time.Time `query:"to"`
}

func (in *DeadInput) query() desk.DeadQuery {
	return desk.DeadQuery{Pipeline: in.Pipeline, Integration: in.Integration, Event: in.Event, Reason: in.Reason, Cause: in.Cause, Status: in.Status, Q: in.Q, From: in.From, To: in.To}
}

type deadID struct {
	ID string `path:"id"`
}

// bulk is the body of a replay or a drop of many. The filter may stand in it
// as it is or below "filter".
type bulk struct {
	desk.DeadQuery
	Filter *desk.DeadQuery `json:"filter,omitempty" doc:"The filter may stand here too."`
	All    bool            `json:"all,omitempty" doc:"A drop needs it when nothing is filtered."`
	desk.ReplayOptions
}

func (b *bulk) query() desk.DeadQuery {
	if b.Filter != nil {
		return *b.Filter
	}
	return b.DeadQuery
}

type bulkInput struct {
	Body *bulk `required:"false"`
}

func (s *server) dead() {
	type listInput struct {
		DeadInput
		Cursor string `query:"cursor"`
		Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
	}
	get(s, "/dead-letters", "Dead letters, newest first", func(ctx context.Context, who auth.Actor, in *listInput) (*body[page[desk.DeadLetter]], error) {
		q := in.query()
		q.Cursor, q.Limit = in.Cursor, in.Limit
		letters, next, err := s.desk.DeadLetters(ctx, who, q)
		return paged(letters, next), err
	})
	get(s, "/dead-letters/groups", "Dead letters by reason", func(ctx context.Context, who auth.Actor, in *DeadInput) (*body[list[desk.DeadGroup]], error) {
		groups, err := s.desk.DeadGroups(ctx, who, in.query())
		return &body[list[desk.DeadGroup]]{list[desk.DeadGroup]{groups}}, err
	})
	get(s, "/dead-letters/{id}", "One dead letter", func(ctx context.Context, who auth.Actor, in *deadID) (*body[desk.DeadLetter], error) {
		l, err := s.desk.DeadLetter(ctx, who, in.ID)
		return &body[desk.DeadLetter]{l}, err
	})
	one := func(do func(ctx context.Context, who auth.Actor, id string) (desk.Result, error)) func(context.Context, auth.Actor, *deadID) (*body[desk.Result], error) {
		return func(ctx context.Context, who auth.Actor, in *deadID) (*body[desk.Result], error) {
			r, err := do(ctx, who, in.ID)
			return &body[desk.Result]{r}, err
		}
	}
	register(s, http.MethodPost, "/dead-letters/{id}/replay", "Sends one again, at once, through the current revision", one(s.desk.ReplayOne))
	register(s, http.MethodPost, "/dead-letters/replay", "Begins to send all that match again; without a filter, all. Gives a replay, see GET /replays/{id}", s.replayMany)
	register(s, http.MethodDelete, "/dead-letters/{id}", "Drops one for good", one(s.desk.DropOne))
	register(s, http.MethodPost, "/dead-letters/{id}/drop", "Drops one for good", one(s.desk.DropOne))
	register(s, http.MethodPost, "/dead-letters/drop", "Drops all that match for good; a filter, or \"all\", is needed", s.dropMany)
}

// dropMany asks for a filter: what is dropped is gone.
func (s *server) dropMany(ctx context.Context, who auth.Actor, in *bulkInput) (*body[desk.Result], error) {
	b := bulk{}
	if in.Body != nil {
		b = *in.Body
	}
	r, err := s.desk.DropMatching(ctx, who, b.query(), b.All, b.DryRun)
	return &body[desk.Result]{r}, err
}
