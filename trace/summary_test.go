package trace

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/datafly/signal/event"
)

func TestSummaryOfTwoSteps(t *testing.T) {
	base := time.Unix(100, 0)
	to := func(try, gen int, at time.Duration, o Outcome) Record {
		return Record{At: base.Add(at), Place: event.Place{Seq: 1}, MessageID: "m",
			Step: &Step{Integration: "lp", Try: try, Gen: gen, Outcome: o, Reason: string(o)}}
	}
	route := func(gen int, o Outcome) Record {
		return Record{At: base, Place: event.Place{Seq: 1}, MessageID: "m",
			Arrival: &Arrival{Event: "x", Routes: []Route{{Integration: "lp", Gen: gen, Outcome: o}}}}
	}
	tests := []struct {
		name string
		x, y Record
		want Outcome
	}{
		{"the later step stands", to(1, 0, 1, Pending), to(2, 0, 2, Delivered), Delivered},
		{"a step stands over what process decided", route(0, Pending), to(1, 0, 1, Dead), Dead},
		{"a replay stands over the end before it", to(1, 0, 1, Dead), route(1, Pending), Pending},
		{"an end of a replay stands over what was decided of it", route(1, Pending), to(1, 1, 9, Delivered), Delivered},
		{"a late word of the first time does not stand over a replay", to(1, 0, 99, Dead), to(1, 1, 9, Delivered), Delivered},
		{"of one instant the one that settles stands", to(1, 0, 1, Pending), to(1, 0, 1, Delivered), Delivered},
		{"carried, then delivered with a report", to(0, 0, 1, Carried), to(1, 0, 2, Delivered), Delivered},
	}
	for _, tt := range tests {
		for _, order := range [][2]Record{{tt.x, tt.y}, {tt.y, tt.x}} {
			s := NewSummary(order[0])
			s.Add(order[1])
			s.Add(order[0])
			if s.Outcome != tt.want || len(s.Ends) != 1 {
				t.Errorf("%s: %s in %d ends, want %s in one", tt.name, s.Outcome, len(s.Ends), tt.want)
			}
		}
	}
}

// Every pair of outcomes there is.
func TestSummaryShowsTheWorst(t *testing.T) {
	order := []Outcome{Delivered, Carried, Filtered, Pending, Dead}
	for i, x := range order {
		for j, y := range order {
			s := NewSummary(Record{Arrival: &Arrival{Routes: []Route{{Integration: "a", Outcome: x}, {Integration: "b", Outcome: y}}}})
			want, of := order[max(i, j)], "a"
			if j > i {
				of = "b"
			}
			if s.Outcome != want || s.Integration != of {
				t.Errorf("%s and %s show %s of %s, want %s of %s", x, y, s.Outcome, s.Integration, want, of)
			}
		}
	}
}

// A copy that a subscriber holds must not change under it.
func TestSummaryAddLeavesCopiesAlone(t *testing.T) {
	s := NewSummary(came(1))
	before := s
	text, _ := json.Marshal(before)
	s.Add(went(1, Dead))
	if again, _ := json.Marshal(before); string(again) != string(text) {
		t.Errorf("the copy became %s, was %s", again, text)
	}
}

func TestMillis(t *testing.T) {
	for d, want := range map[time.Duration]int64{0: 0, -1: 0, 1: 1, time.Microsecond: 1, 84_400 * time.Microsecond: 84, 84_500 * time.Microsecond: 85} {
		if got := millis(d); got != want {
			t.Errorf("millis(%v) = %d, want %d", d, got, want)
		}
	}
}
