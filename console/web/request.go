package web

import (
	"fmt"
	"time"

	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/trace"
)

func (t *telling) request() stage {
	s := stage{Key: "request", Title: "Request", Glyph: "filtered", What: "Not built"}
	if t.sent != nil {
		s.Glyph = "delivered"
		s.What = "1 report"
		if t.sent.Request.Summary != "" {
			s.What = t.sent.Request.Summary + " · in 1 report"
		}
		if n := len(t.sent.With); n > 0 {
			s.What += " with " + some(n, "other event")
		}
		if t.route.Outcome == trace.Carried {
			s.Glyph, s.What = "carried", s.What+" · "+t.ridden()
		}
		s.When = since(t.e.ReceivedAt, t.sent.SentAt)
	} else if len(t.route.Payload) > 0 {
		s.Glyph, s.What = "pending", "Mapped, not sent yet"
		if t.route.Outcome == trace.Carried {
			s.Glyph, s.What = "carried", t.ridden()
		}
		if t.route.Outcome == trace.Filtered {
			s.Glyph, s.What = "filtered", "Not sent"
		}
	}
	s.Inside = requestIn(t.requestView())
	return s
}

// ridden says what became of the address of a carried page.
func (t *telling) ridden() string {
	switch {
	case t.ride.With != nil:
		return "Its address left with a later report of the visitor"
	case t.ride.Waits:
		return "Its address waits for the visitor’s next report"
	}
	return "Its address travels with the visitor’s next report"
}

// other is another event, as a link where the history has it.
type other struct {
	Event, ID, Href string
	At              time.Time
}

func (t *telling) other(r desk.Row) other {
	return other{Event: r.Event, ID: r.MessageID, Href: rowHref(r.MessageID, t.query), At: r.ReceivedAt}
}

// requestView is what the Request stage shows.
type requestView struct {
	Route  *desk.RouteDetail
	Sent   *desk.Attempt
	Fed    []explainRow
	Open   bool // the table of sources tells
	Others []other
	Ride   *other
}

func (t *telling) requestView() requestView {
	v := requestView{Route: &t.route, Sent: t.sent, Fed: explained(t.route.Explain)}
	if last := t.route.Last(); last != nil && last.Outcome == trace.Dead {
		v.Open = tells(v.Fed, last.Field)
	}
	if t.ride.With != nil {
		ride := t.other(*t.ride.With)
		v.Ride = &ride
	}
	if t.sent == nil {
		return v
	}
	for _, id := range t.sent.With {
		one := other{ID: id}
		for _, r := range t.others {
			if r.MessageID == id {
				one = t.other(r)
			}
		}
		v.Others = append(v.Others, one)
	}
	return v
}

func requestCaption(r *desk.RouteDetail, sent *desk.Attempt) string {
	out := "Body · " + size(len(sent.Request.Body))
	if r.Revision > 0 {
		out += fmt.Sprintf(" · revision %d", r.Revision)
	}
	if sent.Request.Dialect != "" {
		out += " · dialect " + sent.Request.Dialect
	}
	return out
}
