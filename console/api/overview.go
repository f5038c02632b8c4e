package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
)

// RangeInput chooses what is counted.
type RangeInput struct {
	Pipeline    string    `query:"pipeline"`
	Integration string    `query:"integration" doc:"ID (shop/liveperson) or name."`
	Range       string    `query:"range" enum:"1h,24h,7d" doc:"Up to this moment. Without it, and without from: since the beginning."`
	From        time.Time `query:"from"`
	To          time.Time `query:"to"`
}

func (in *RangeInput) query() desk.OverviewQuery {
	return desk.OverviewQuery{Pipeline: in.Pipeline, Integration: in.Integration, Range: desk.Range(in.Range), From: in.From, To: in.To}
}

func (s *server) overview() {
	get(s, "/overview", "What came, and how it ended", func(ctx context.Context, who auth.Actor, in *RangeInput) (*body[desk.Overview], error) {
		o, err := s.desk.Overview(ctx, who, in.query())
		return &body[desk.Overview]{o}, err
	})
	type seriesInput struct {
		RangeInput
		Steps int `query:"steps" default:"120" minimum:"1" maximum:"1000" doc:"At most so many points."`
	}
	get(s, "/overview/series", "Events per second and time to deliver, step by step", func(ctx context.Context, who auth.Actor, in *seriesInput) (*body[desk.Series], error) {
		o, err := s.desk.Series(ctx, who, in.query(), in.Steps)
		return &body[desk.Series]{o}, err
	})
	op := operation("GET", "/overview/stream", "The overview every two seconds, as server-sent events")
	huma.Register(s.api, op, func(ctx context.Context, in *RangeInput) (*huma.StreamResponse, error) {
		who := auth.From(ctx)
		// What is wrong with the call is said before the stream begins.
		if _, err := s.desk.Overview(ctx, who, in.query()); err != nil {
			return nil, s.answer(ctx, err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			e := newEvents(c)
			still := func() bool { return s.auth.Still(c.Context(), who) }
			err := s.desk.FollowOverview(c.Context(), who, in.query(), still, func(o desk.Overview) error { return e.send("", 0, o) }, e.beat)
			if err != nil {
				s.desk.Log().Error("the overview stream broke", "error", err)
			}
		}}, nil
	})
	get(s, "/verify", "Proves that every accepted event has one outcome for each integration, or is pending", func(ctx context.Context, who auth.Actor, _ *struct{}) (*body[desk.Proof], error) {
		p, err := s.desk.Verify(ctx, who)
		return &body[desk.Proof]{p}, err
	})
}
