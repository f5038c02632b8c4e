package api

import (
	"context"
	"net/http"
	"time"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
)

// firstLook is how long the answer to a new replay waits for its end: most are
// so small that a script need not ask again.
const firstLook = time.Second

// ReplayID names a replay. It is exported because huma reads no embedded type
// that is not.
type ReplayID struct {
	ID string `path:"id"`
}

type replayBody struct {
	desk.ReplayQuery
	desk.ReplayOptions
}

func (s *server) replays() {
	type eventsInput struct{ Body replayBody }
	get(s, "/replays", "Replays of many dead letters and of stored events, the latest first", func(_ context.Context, who auth.Actor, _ *struct{}) (*body[list[desk.Replay]], error) {
		all, err := s.desk.Replays(who)
		return &body[list[desk.Replay]]{list[desk.Replay]{all}}, err
	})
	register(s, http.MethodPost, "/replays", "Begins to send stored events to one integration again, through the current revision", func(ctx context.Context, who auth.Actor, in *eventsInput) (*body[desk.Replay], error) {
		r, err := s.desk.ReplayEvents(ctx, who, in.Body.ReplayQuery, in.Body.ReplayOptions)
		return s.begun(ctx, who, r, err)
	})
	type waitInput struct {
		ReplayID
		Wait int `query:"wait" minimum:"0" maximum:"30" doc:"Seconds to wait for its end before answering."`
	}
	get(s, "/replays/{id}", "How far a replay is", func(ctx context.Context, who auth.Actor, in *waitInput) (*body[desk.Replay], error) {
		r, err := s.desk.Replay(ctx, who, in.ID, time.Duration(in.Wait)*time.Second)
		return &body[desk.Replay]{r}, err
	})
	register(s, http.MethodPost, "/replays/{id}/cancel", "Stops a replay; what it has not sent stays as it was", func(ctx context.Context, who auth.Actor, in *ReplayID) (*body[desk.Replay], error) {
		r, err := s.desk.StopReplay(ctx, who, in.ID)
		return &body[desk.Replay]{r}, err
	})
}

// replayMany begins a replay of dead letters.
func (s *server) replayMany(ctx context.Context, who auth.Actor, in *bulkInput) (*body[desk.Replay], error) {
	b := bulk{}
	if in.Body != nil {
		b = *in.Body
	}
	r, err := s.desk.ReplayDead(ctx, who, b.query(), b.ReplayOptions)
	return s.begun(ctx, who, r, err)
}

// begun gives a replay as it is after a moment.
func (s *server) begun(ctx context.Context, who auth.Actor, r desk.Replay, err error) (*body[desk.Replay], error) {
	if err == nil {
		r, err = s.desk.Replay(ctx, who, r.ID, firstLook)
	}
	return &body[desk.Replay]{r}, err
}
