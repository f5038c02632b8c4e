package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
)

// EventInput are the filters of events in an address. It is exported because
// huma reads no embedded type that is not.
type EventInput struct {
	Pipeline    string    `query:"pipeline"`
	Integration string    `query:"integration" doc:"ID (shop/liveperson) or name."`
	Event       string    `query:"event" doc:"The name in any spelling, or page, identify, group, screen."`
	Outcome     string    `query:"outcome" doc:"delivered, carried, filtered, dead or pending; of the integration, or the worst of all."`
	Visitor     string    `query:"visitor" doc:"An anonymousId or a userId."`
	Q           string    `query:"q" doc:"The begin of an id, or words of the name, the summary or the reason."`
	From        time.Time `query:"from"`
	To          time.Time `query:"to"`
}

func (in *EventInput) query() desk.EventQuery {
	return desk.EventQuery{
		Pipeline: in.Pipeline, Integration: in.Integration, Event: in.Event, Outcome: in.Outcome,
		Visitor: in.Visitor, Q: in.Q, From: in.From, To: in.To,
	}
}

func (s *server) events() {
	type listInput struct {
		EventInput
		Sort   string `query:"sort" enum:"newest,oldest" default:"newest"`
		Cursor string `query:"cursor" doc:"next_cursor of the page before."`
		Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
	}
	get(s, "/events", "Events of the debugger's history", func(ctx context.Context, who auth.Actor, in *listInput) (*body[page[desk.Row]], error) {
		q := in.query()
		q.OldestFirst, q.Cursor, q.Limit = in.Sort == "oldest", in.Cursor, in.Limit
		rows, next, err := s.desk.Events(ctx, who, q)
		return paged(rows, next), err
	})
	type idInput struct {
		ID string `path:"messageId"`
	}
	get(s, "/events/{messageId}", "One event, stage by stage", func(ctx context.Context, who auth.Actor, in *idInput) (*body[desk.EventDetail], error) {
		e, err := s.desk.Event(ctx, who, in.ID)
		return &body[desk.EventDetail]{e}, err
	})
	s.stream()
}

func (s *server) stream() {
	type streamInput struct {
		EventInput
		After       string `query:"after" doc:"id of the last row that the caller has."`
		LastEventID string `header:"Last-Event-ID"`
		Sort        string `query:"sort" doc:"Ignored: a stream is in the order of the changes."`
	}
	op := operation("GET", "/debugger/stream", "Events as they change, as server-sent events")
	op.Description = "Each message is a row as in GET /events, with its number as id; match is false for a row that no longer passes the filters. At most 50 rows a second, failures first; the event left_out says how many were not sent."
	huma.Register(s.api, op, func(ctx context.Context, in *streamInput) (*huma.StreamResponse, error) {
		who := auth.From(ctx)
		if err := s.desk.CheckEvents(who, in.query()); err != nil {
			return nil, s.answer(ctx, err)
		}
		// A browser that connects again knows more than the address it began with.
		after, err := strconv.ParseUint(in.LastEventID, 10, 64)
		if err != nil {
			after, _ = strconv.ParseUint(in.After, 10, 64)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			e := newEvents(c)
			still := func() bool { return s.auth.Still(c.Context(), who) }
			err := s.desk.Follow(c.Context(), who, in.query(), after, still, desk.Sink{
				Row:     func(r desk.Row) error { return e.send("", r.Seq, r) },
				LeftOut: func(l desk.LeftOut) error { return e.send("left_out", 0, l) },
				Beat:    e.beat,
			})
			if err != nil {
				s.desk.Log().Error("the debugger's stream broke", "error", err)
			}
		}}, nil
	})
}

// events writes server-sent events to one receiver.
type events struct {
	w http.ResponseWriter
	c *http.ResponseController
}

// patience is how long a receiver may take for one message before it is let go.
const patience = 20 * time.Second

func newEvents(c huma.Context) *events {
	_, w := humago.Unwrap(c)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies pass each message on at once
	return &events{w, http.NewResponseController(w)}
}

func (e *events) send(name string, id uint64, data any) error {
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	var head string
	if id > 0 {
		head = fmt.Sprintf("id: %d\n", id)
	}
	if name != "" {
		head += "event: " + name + "\n"
	}
	return e.write(head + "data: " + string(b) + "\n\n")
}

// beat keeps proxies from ending a quiet stream.
func (e *events) beat() error { return e.write(": beat\n\n") }

func (e *events) write(s string) error {
	// Not every writer of a test has deadlines, and without one it still works.
	_ = e.c.SetWriteDeadline(time.Now().Add(patience))
	if _, err := e.w.Write([]byte(s)); err != nil {
		return err
	}
	return e.c.Flush()
}
