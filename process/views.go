package process

import (
	"time"

	"github.com/datafly/signal/identity"
)

// views are what mappings see beside the event.
type views struct{ session, visitor map[string]any }

// see makes them, once for all integrations. identified is the last stage that
// changes what they show.
func (w *Work) see() *views {
	if w.views == nil {
		w.views = &views{sessionView(&w.Visitor.Session), visitorView(&w.Visitor.Visitor)}
	}
	return w.views
}

func sessionView(s *identity.Session) map[string]any {
	view := map[string]any{"vid": s.Vid, "sid": s.Sid, "start": s.Start.UTC().Format(time.RFC3339Nano), "last": s.Last.UTC().Format(time.RFC3339Nano)}
	if s.Landed {
		view["landed"] = true
	}
	if s.Referrer != "" {
		view["referrer"] = s.Referrer
	}
	if len(s.Campaign) > 0 {
		campaign := make(map[string]any, len(s.Campaign))
		for name, value := range s.Campaign {
			campaign[name] = value
		}
		view["campaign"] = campaign
	}
	return view
}

func visitorView(v *identity.Visitor) map[string]any {
	return map[string]any{"anonymousId": v.AnonymousID, "userId": v.UserID, "traits": v.Traits, "firstSeen": v.FirstSeen.UTC().Format(time.RFC3339Nano)}
}

// made names the attributes of a route's mapping that are not due any more in
// this session. An event that is sent again is no part of the visit: it takes
// along what it made itself the first time, while that session lasts, and
// nothing else of this kind.
func (w *Work) made(r *Route) []string {
	var out []string
	had := w.Visitor.Session.Once[r.ID]
	for _, name := range r.Program.Once() {
		by, was := had[name]
		due := !was
		if w.Replayed {
			due = was && by == w.Place
		}
		if !due {
			out = append(out, name)
		}
	}
	return out
}
