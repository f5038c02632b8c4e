package trace

import (
	"cmp"
	"slices"
	"time"

	"github.com/datafly/signal/event"
)

// A Summary is one event as a row of the debugger's list. The live list and
// the history make it of the same records with Add, so that they never differ.
// It holds no payload.
type Summary struct {
	// Seq is the hub's number of this state of the row, for Last-Event-ID. It
	// grows with each change, over restarts too. 0 in the history.
	Seq uint64 `json:"id,omitempty"`
	// Missed is how many changes before this one the subscriber was too slow
	// for, or came too late for.
	Missed int `json:"missed,omitempty"`

	Place       event.Place `json:"place"`
	MessageID   string      `json:"message_id"`
	Pipeline    string      `json:"pipeline"`
	Type        event.Type  `json:"type,omitempty"`
	Event       string      `json:"event"`
	AnonymousID string      `json:"anonymous_id"`
	UserID      string      `json:"user_id,omitempty"`
	// ReceivedAt is the time of the first record while nothing better is known.
	ReceivedAt time.Time `json:"received_at"`
	// Arrived says that the arrival is kept. Without it the event was sampled
	// out and shows because a delivery failed.
	Arrived bool `json:"arrived"`

	// The worst end, which the row shows.
	Outcome     Outcome `json:"outcome"`
	Integration string  `json:"integration,omitempty"` // "" when no integration wanted it
	Reason      string  `json:"reason,omitempty"`
	Text        string  `json:"summary,omitempty"` // "purchase · USD 11.70 · DRV1534XC"
	Status      int     `json:"status,omitempty"`
	Code        int     `json:"code,omitempty"`
	TookMS      int64   `json:"took_ms,omitempty"`
	Tries       int     `json:"tries,omitempty"`

	Ends []End `json:"integrations"` // by name of the integration
}

// An End is how far an event came for one integration.
type End struct {
	Integration string  `json:"integration"`
	Gen         int     `json:"gen,omitempty"` // of the replay
	Outcome     Outcome `json:"outcome"`
	Reason      string  `json:"reason,omitempty"`
	Text        string  `json:"summary,omitempty"`
	Status      int     `json:"status,omitempty"`
	Code        int     `json:"code,omitempty"`
	TookMS      int64   `json:"took_ms,omitempty"`
	Tries       int     `json:"tries,omitempty"`
	// At is when the step was taken. Zero when only process spoke.
	At   time.Time `json:"at,omitzero"`
	Next time.Time `json:"next_try,omitzero"`
}

// severity orders the outcomes: the worst of several is what a row shows.
var severity = map[Outcome]int{Delivered: 1, Carried: 2, Filtered: 3, Pending: 4, Dead: 5}

// NewSummary gives the row of one record.
func NewSummary(r Record) Summary {
	s := Summary{Place: r.Place, MessageID: r.MessageID, ReceivedAt: r.At}
	s.Add(r)
	return s
}

// Add takes in a further record of the same event. Records may come in any
// order, and the same one twice.
func (s *Summary) Add(r Record) {
	// The ends may be shared with a copy that somebody reads.
	s.Ends = slices.Clone(s.Ends)
	switch {
	case r.Arrival != nil:
		s.arrive(r.Arrival)
	case r.Step != nil:
		s.step(r.At, r.Step)
	}
	s.Judge()
}

func (s *Summary) arrive(a *Arrival) {
	s.Arrived = true
	s.Type = a.Type
	s.describe(Subject{a.Pipeline, a.Event, a.AnonymousID, a.UserID, a.ReceivedAt})
	for _, r := range a.Routes {
		s.end(End{Integration: r.Integration, Gen: r.Gen, Outcome: r.Outcome, Reason: r.Reason})
	}
	if len(a.Routes) == 0 && len(s.Ends) == 0 {
		s.end(End{Outcome: Filtered, Reason: "No integration of this pipeline takes the event."})
	}
}

func (s *Summary) step(at time.Time, t *Step) {
	if !s.Arrived {
		s.describe(t.Of)
	}
	s.end(End{
		Integration: t.Integration, Gen: t.Gen, Outcome: t.Outcome, Reason: t.Reason, Text: t.Summary,
		Status: t.Status, Code: t.Code, TookMS: millis(t.Took), Tries: t.Try, At: at, Next: t.Next,
	})
}

func (s *Summary) describe(of Subject) {
	s.Pipeline = cmp.Or(of.Pipeline, s.Pipeline)
	s.Event = cmp.Or(of.Event, s.Event)
	s.AnonymousID = cmp.Or(of.AnonymousID, s.AnonymousID)
	s.UserID = cmp.Or(of.UserID, s.UserID)
	if !of.ReceivedAt.IsZero() {
		s.ReceivedAt = of.ReceivedAt
	}
}

// end keeps e if it is later than what is known of its integration.
func (s *Summary) end(e End) {
	i, found := slices.BinarySearchFunc(s.Ends, e.Integration, func(have End, name string) int {
		return cmp.Compare(have.Integration, name)
	})
	if !found {
		s.Ends = slices.Insert(s.Ends, i, e)
		return
	}
	old := s.Ends[i]
	if e.before(old) {
		if old.Text == "" {
			s.Ends[i].Text = e.Text
		}
		return
	}
	e.Text = cmp.Or(e.Text, old.Text)
	if e.Gen == old.Gen {
		e.Tries = max(e.Tries, old.Tries)
	}
	s.Ends[i] = e
}

// before reports whether e is older news than f. A later replay wins, then the
// later step; of two at one instant the one that settles.
func (e End) before(f End) bool {
	if c := cmp.Compare(e.Gen, f.Gen); c != 0 {
		return c < 0
	}
	if c := e.At.Compare(f.At); c != 0 {
		return c < 0
	}
	return e.Outcome == Pending && f.Outcome != Pending
}

// Judge copies the worst end into the row. Add calls it; it is for who fills in Ends.
func (s *Summary) Judge() {
	if len(s.Ends) == 0 {
		return
	}
	w := s.Ends[0]
	for _, e := range s.Ends[1:] {
		if severity[e.Outcome] > severity[w.Outcome] {
			w = e
		}
	}
	s.Outcome, s.Integration, s.Reason, s.Text = w.Outcome, w.Integration, w.Reason, w.Text
	s.Status, s.Code, s.TookMS, s.Tries = w.Status, w.Code, w.TookMS, w.Tries
}

// millis rounds, and keeps what is not 0 from looking like it.
func millis(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return max(1, d.Round(time.Millisecond).Milliseconds())
}
