package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/store"
)

func jsonText(s string) io.Reader { return strings.NewReader(s) }

// dead gives a dead letter with something in each field.
func dead(id string, seq uint64, gen int) store.DeadLetter {
	return store.DeadLetter{
		ID: id, Pipeline: "shop", Integration: "shop/lp", MessageID: "m-" + id, Event: "Order Completed", AnonymousID: "ann",
		UserID: "u1", Reason: "LivePerson refused the order.", Remedy: "Open mapping.", Status: 400, Code: 5, Attempts: 2,
		FirstAt: began, LastAt: began.Add(time.Duration(seq) * time.Second),
		Request: json.RawMessage(`{"body":{"total":11.70}}`), Answer: json.RawMessage(`{"status":400}`),
		Cause: "field_refused", Fix: "mapping", Field: "order.total", Checks: json.RawMessage(`[{"what":"domain","right":true,"say":"It is right."}]`),
		Place: event.Place{Seq: seq, Index: 3}, Gen: gen, Item: []byte{0, 1, 0xff, '{'},
	}
}

func ids(letters []store.DeadLetter) string {
	var out []string
	for _, d := range letters {
		out = append(out, d.ID)
	}
	return strings.Join(out, " ")
}

var deadTests = []test{
	{"a dead letter comes back as it was", func(t *testing.T, open Opener) {
		s := opened(t, open)
		want := dead("d1", 1, 2)
		must(t, s.AddDead(t.Context(), []store.DeadLetter{want}))
		if got := have(s.DeadLetter(t.Context(), "d1"))(t); !reflect.DeepEqual(got, want) {
			t.Errorf("dead letter:\n got %+v\nwant %+v", got, want)
		}
		if _, ok, err := s.DeadLetter(t.Context(), "nobody"); ok || err != nil {
			t.Errorf("no such letter = %t, %v, want false, nil", ok, err)
		}
	}},
	{"one without an id gets one, and one without request, answer and checks stays without", func(t *testing.T, open Opener) {
		s := opened(t, open)
		d := dead("", 1, 0)
		d.Request, d.Answer, d.Checks, d.Item = nil, nil, nil, nil
		must(t, s.AddDead(t.Context(), []store.DeadLetter{d, dead("", 2, 0)}))
		page, _, err := s.DeadLetters(t.Context(), store.DeadFilter{})
		must(t, err)
		if len(page) != 2 || len(page[0].ID) != 36 || page[0].ID == page[1].ID {
			t.Fatalf("ids = %q, want two uuids", ids(page))
		}
		if got := page[1]; got.Request != nil || got.Answer != nil || got.Checks != nil {
			t.Errorf("request %q, answer %q, checks %q, want none", got.Request, got.Answer, got.Checks)
		}
	}},
	{"the same report is dead once, a replay of it again", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		first, again, replayed, other := dead("a", 1, 0), dead("b", 1, 0), dead("c", 1, 1), dead("d", 1, 0)
		again.Reason, other.Integration = "something else", "shop/hook"
		must(t, s.AddDead(ctx, []store.DeadLetter{first}))
		must(t, s.AddDead(ctx, []store.DeadLetter{again, replayed, other, other}))
		page, _, err := s.DeadLetters(ctx, store.DeadFilter{})
		must(t, err)
		if got := ids(page); got != "d c a" {
			t.Errorf("letters %q, want d, c and a", got)
		}
		if got := have(s.DeadLetter(ctx, "a"))(t); got.Reason != first.Reason {
			t.Errorf("reason = %q, want the first one", got.Reason)
		}
	}},
	{"filters", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		a, b, c := dead("a", 1, 0), dead("b", 2, 0), dead("c", 3, 0)
		b.Integration, b.Pipeline, b.Event = "blog/hook", "blog", "lead_generated"
		c.Reason, c.AnonymousID, c.MessageID = "Timed out after 100% of 24 h_", "Bob", "0198-XYZ"
		c.Status, c.Cause = 0, "no_answer"
		must(t, s.AddDead(ctx, []store.DeadLetter{a, b, c}))
		for _, tt := range []struct {
			name string
			f    store.DeadFilter
			want string
		}{
			{"nothing", store.DeadFilter{}, "c b a"},
			{"pipeline", store.DeadFilter{Pipeline: "blog"}, "b"},
			{"integration", store.DeadFilter{Integration: "shop/lp"}, "c a"},
			{"event in another spelling", store.DeadFilter{Event: "Lead Generated"}, "b"},
			{"reason exactly", store.DeadFilter{Reason: a.Reason}, "b a"},
			{"reason in part finds none", store.DeadFilter{Reason: "LivePerson"}, ""},
			{"cause", store.DeadFilter{Cause: "field_refused"}, "b a"},
			{"status of the answer", store.DeadFilter{Status: 400}, "b a"},
			{"no answer", store.DeadFilter{Status: store.NoAnswer}, "c"},
			{"text in the visitor, in any case", store.DeadFilter{Q: "bOB"}, "c"},
			{"text in the message id", store.DeadFilter{Q: "98-xy"}, "c"},
			{"text in the reason", store.DeadFilter{Q: "refused THE"}, "b a"},
			{"a percent sign is itself", store.DeadFilter{Q: "100%"}, "c"},
			{"an underscore is itself", store.DeadFilter{Q: "h_"}, "c"},
			{"a percent sign alone is no wildcard", store.DeadFilter{Q: "%"}, "c"},
			{"from is with, to is without", store.DeadFilter{From: a.LastAt, To: c.LastAt}, "b a"},
			{"two filters", store.DeadFilter{Integration: "shop/lp", Q: "order"}, "c a"},
			{"no match", store.DeadFilter{Pipeline: "none"}, ""},
		} {
			page, next, err := s.DeadLetters(ctx, tt.f)
			must(t, err)
			if got := ids(page); got != tt.want || next != "" {
				t.Errorf("%s: %q and cursor %q, want %q and none", tt.name, got, next, tt.want)
			}
			if n := get(s.CountDead(ctx, tt.f))(t); n != len(page) {
				t.Errorf("%s: count %d, want %d", tt.name, n, len(page))
			}
		}
	}},
	{"pages hold still while letters are added, also of one time", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		var letters []store.DeadLetter
		var want []string
		for i := range 25 {
			d := dead(fmt.Sprintf("d%02d", i), uint64(i+1), 0)
			d.LastAt = began.Add(time.Duration(i/10) * time.Second)
			letters = append(letters, d)
			want = append(want, d.ID)
		}
		must(t, s.AddDead(ctx, letters))
		slices.Reverse(want)
		var got []string
		f := store.DeadFilter{Limit: 7}
		for n := uint64(0); ; n++ {
			page, next, err := s.DeadLetters(ctx, f)
			must(t, err)
			for _, d := range page {
				got = append(got, d.ID)
			}
			if f.Cursor = next; next == "" {
				break
			}
			must(t, s.AddDead(ctx, []store.DeadLetter{dead(fmt.Sprintf("new%d", n), 1000+n, 0)}))
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages:\n got %v\nwant %v", got, want)
		}
	}},
	{"ids come in the order of receipt, whenever each died", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		a, b, c, d := dead("a", 7, 0), dead("b", 2, 0), dead("c", 7, 0), dead("d", 900, 0)
		a.Place.Index, d.LastAt, d.Integration = 9, began, "shop/hook"
		must(t, s.AddDead(ctx, []store.DeadLetter{a, b, c, d}))
		if got := get(s.DeadIDs(ctx, store.DeadFilter{}))(t); !slices.Equal(got, []string{"b", "c", "a", "d"}) {
			t.Errorf("all: %q", got)
		}
		if got := get(s.DeadIDs(ctx, store.DeadFilter{Integration: "shop/lp", Limit: 1}))(t); !slices.Equal(got, []string{"b", "c", "a"}) {
			t.Errorf("filtered: %q", got)
		}
		many := append(slices.Repeat([]string{"nobody"}, 1200), "d", "a", "b", "a")
		if got := get(s.SortDead(ctx, many))(t); !slices.Equal(got, []string{"b", "a", "d"}) {
			t.Errorf("of a list: %q", got)
		}
		if got := have(s.DeadAt(ctx, "shop/lp", a.Place, 0))(t); got.ID != "a" {
			t.Errorf("at a place: %q", got.ID)
		}
		if _, ok, err := s.DeadAt(ctx, "shop/lp", a.Place, 1); ok || err != nil {
			t.Errorf("another generation: %t, %v", ok, err)
		}
	}},
	{"letters are taken with a note and come back as they were", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		a, b := dead("a", 1, 0), dead("b", 2, 0)
		must(t, s.AddDead(ctx, []store.DeadLetter{a, b}))
		must(t, s.TakeDead(ctx, []string{"a", "b"}, "note", "what for"))
		s = reopened(t, s, open)
		if n := get(s.CountDead(ctx, store.DeadFilter{}))(t); n != 0 {
			t.Errorf("%d are still there", n)
		}
		if got := have(s.Meta(ctx, "note"))(t); got != "what for" {
			t.Errorf("note = %q", got)
		}
		must(t, s.ReturnDead(ctx, []store.DeadLetter{b}, "note"))
		must(t, s.ReturnDead(ctx, nil, "note"))
		if got := have(s.DeadLetter(ctx, "b"))(t); !reflect.DeepEqual(got, b) {
			t.Errorf("it came back as %+v", got)
		}
		if _, ok, err := s.Meta(ctx, "note"); ok || err != nil {
			t.Errorf("the note is still there, %v", err)
		}
	}},
	{"a foreign cursor is refused", func(t *testing.T, open Opener) {
		s := opened(t, open)
		for _, cursor := range []string{"x", "!!", "MTIz"} {
			if _, _, err := s.DeadLetters(t.Context(), store.DeadFilter{Cursor: cursor}); !errors.Is(err, store.ErrCursor) {
				t.Errorf("cursor %q: %v, want ErrCursor", cursor, err)
			}
		}
	}},
	{"groups are by integration, reason and answer", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		a, b, c, d := dead("a", 1, 0), dead("b", 2, 0), dead("c", 3, 0), dead("d", 4, 0)
		c.Reason = "Timed out."
		d.Integration = "shop/hook"
		must(t, s.AddDead(ctx, []store.DeadLetter{a, b, c, d}))
		groups := get(s.DeadGroups(ctx, store.DeadFilter{}))(t)
		var got []string
		for _, g := range groups {
			got = append(got, fmt.Sprintf("%s %s %d %d x%d %v-%v", g.Integration, g.Reason, g.Status, g.Code, g.Count,
				g.FirstAt.Sub(began), g.LastAt.Sub(began)))
		}
		want := []string{
			"shop/hook LivePerson refused the order. 400 5 x1 4s-4s", "shop/lp Timed out. 400 5 x1 3s-3s",
			"shop/lp LivePerson refused the order. 400 5 x2 1s-2s",
		}
		if !slices.Equal(got, want) {
			t.Errorf("groups:\n got %q\nwant %q", got, want)
		}
		if groups := get(s.DeadGroups(ctx, store.DeadFilter{Reason: "Timed out."}))(t); len(groups) != 1 || groups[0].Remedy != c.Remedy {
			t.Errorf("filtered groups = %+v, want one with its remedy", groups)
		}
	}},
	{"dropping tells how many there were", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		var letters []store.DeadLetter
		var all []string
		for i := range 1100 {
			letters = append(letters, dead(fmt.Sprintf("d%d", i), uint64(i), 0))
			all = append(all, letters[i].ID)
		}
		must(t, s.AddDead(ctx, letters))
		if n := get(s.DropDead(ctx, append(all[:1090:1090], "nobody")))(t); n != 1090 {
			t.Errorf("dropped %d, want 1090", n)
		}
		if n := get(s.DropDead(ctx, all))(t); n != 10 {
			t.Errorf("dropped %d, want the last 10", n)
		}
		if n := get(s.DropDead(ctx, nil))(t); n != 0 {
			t.Errorf("dropped %d of nothing", n)
		}
	}},
	{"places are those from a sequence on, in order", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		other := dead("x", 9, 0)
		other.Integration = "shop/hook"
		must(t, s.AddDead(ctx, []store.DeadLetter{dead("a", 9, 1), dead("b", 5, 0), dead("c", 9, 0), dead("d", 7, 0), other}))
		got := get(s.DeadPlaces(ctx, "shop/lp", 7))(t)
		want := []store.DeadKey{
			{ID: "d", Place: event.Place{Seq: 7, Index: 3}}, {ID: "c", Place: event.Place{Seq: 9, Index: 3}},
			{ID: "a", Place: event.Place{Seq: 9, Index: 3}, Gen: 1},
		}
		if !slices.Equal(got, want) {
			t.Errorf("places = %v, want %v", got, want)
		}
	}},
}
