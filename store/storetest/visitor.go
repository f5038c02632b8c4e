package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/store"
)

// tree decodes an object as process does.
func tree(text string) map[string]any {
	v, err := event.DecodeTree([]byte(text))
	if err != nil {
		panic("storetest: " + err.Error())
	}
	return v
}

func sameVisitor(t *testing.T, got, want store.Visitor) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("visitor:\n got %+v\nwant %+v", got, want)
	}
}

var visitorTests = []test{
	{"a visitor comes back as it was, to the nanosecond", func(t *testing.T, open Opener) {
		s := opened(t, open)
		want := visitor("shop", "ann")
		must(t, s.SaveVisitors(t.Context(), []store.Visitor{want}, 1))
		sameVisitor(t, have(s.Visitor(t.Context(), "shop", "ann"))(t), want)
		for _, key := range [][2]string{{"shop", "bob"}, {"blog", "ann"}, {"shop", "Ann"}} {
			if _, ok, err := s.Visitor(t.Context(), key[0], key[1]); ok || err != nil {
				t.Errorf("visitor %v = %t, %v, want none", key, ok, err)
			}
		}
	}},
	{"traits keep their digits", func(t *testing.T, open Opener) {
		s := opened(t, open)
		const traits = `{"a":11.70,"b":12345678901234567,"c":1e400000,"d":[0.10,{"e":-0.0}],"f":null,"g":true,"h":"<b>&\u2028"}`
		v := visitor("shop", "ann")
		d := json.NewDecoder(jsonText(traits))
		d.UseNumber()
		must(t, d.Decode(&v.Traits))
		want, _ := json.Marshal(v.Traits)
		must(t, s.SaveVisitors(t.Context(), []store.Visitor{v}, 1))
		got, _ := json.Marshal(have(s.Visitor(t.Context(), "shop", "ann"))(t).Traits)
		if string(got) != string(want) {
			t.Errorf("traits:\n got %s\nwant %s", got, want)
		}
	}},
	{"a batch is read at once, with those that are known", func(t *testing.T, open Opener) {
		s := opened(t, open)
		var rows []store.Visitor
		var ids []string
		for i := range 1203 {
			id := fmt.Sprintf("v%d", i)
			ids = append(ids, id, "nobody-"+id)
			rows = append(rows, visitor("shop", id))
		}
		must(t, s.SaveVisitors(t.Context(), rows, 1))
		found := get(s.Visitors(t.Context(), "shop", ids))(t)
		if len(found) != len(rows) {
			t.Fatalf("found %d, want %d", len(found), len(rows))
		}
		sameVisitor(t, found["v1202"], rows[1202])
		if none := get(s.Visitors(t.Context(), "shop", nil))(t); len(none) != 0 {
			t.Errorf("found %d of nobody", len(none))
		}
	}},
	{"saving replaces, and the last of a batch counts", func(t *testing.T, open Opener) {
		s := opened(t, open)
		v := visitor("shop", "ann")
		must(t, s.SaveVisitors(t.Context(), []store.Visitor{v}, 10))
		v.UserID = "second"
		third := v
		third.UserID, third.Consent.Canonical = "third", nil
		must(t, s.SaveVisitors(t.Context(), []store.Visitor{v, third}, 20))
		sameVisitor(t, have(s.Visitor(t.Context(), "shop", "ann"))(t), third)
		if c := get(s.Cursor(t.Context(), store.CursorProcess))(t); c.Seq != 20 {
			t.Errorf("reached = %d, want 20", c.Seq)
		}
	}},
	{"an empty batch still moves the cursor", func(t *testing.T, open Opener) {
		s := opened(t, open)
		must(t, s.SaveVisitors(t.Context(), nil, 5))
		if c := get(s.Cursor(t.Context(), store.CursorProcess))(t); c.Seq != 5 {
			t.Errorf("reached = %d, want 5", c.Seq)
		}
	}},
	{"a save that is cancelled leaves neither visitors nor cursor", func(t *testing.T, open Opener) {
		s := opened(t, open)
		var rows []store.Visitor
		for i := range 500 {
			rows = append(rows, visitor("shop", fmt.Sprintf("v%d", i)))
		}
		for n := range cancellations {
			ctx := newCountdown(t.Context(), n)
			err := s.SaveVisitors(ctx, rows, 9)
			ctx.cancel()
			found := get(s.Visitors(t.Context(), "shop", []string{"v0", "v499"}))(t)
			c := get(s.Cursor(t.Context(), store.CursorProcess))(t)
			if done := c.Seq == 9; len(found) != 0 && !done || done && len(found) != 2 || err == nil && !done {
				t.Fatalf("ended at %d: error %v, %d of 2 visitors, reached %d", n, err, len(found), c.Seq)
			}
			if c.Seq == 9 {
				return
			}
		}
		t.Error("the batch was never applied")
	}},
	{"old visitors are forgotten with what vendors knew of them", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		var rows []store.Visitor
		for i := range 2501 {
			rows = append(rows, visitor("shop", fmt.Sprintf("old%d", i)))
		}
		fresh := visitor("shop", "fresh")
		fresh.Session.Last = began.Add(24 * time.Hour)
		must(t, s.SaveVisitors(ctx, append(rows, fresh), 1))
		must(t, s.SaveVisits(ctx, []store.VisitRow{
			{Integration: "shop/lp", AnonymousID: "old1", At: began}, {Integration: "shop/lp", AnonymousID: "fresh", At: began.Add(24 * time.Hour)},
		}))
		if n := get(s.PruneVisitors(ctx, began.Add(time.Hour)))(t); n != 2501 {
			t.Errorf("forgot %d, want 2501", n)
		}
		have(s.Visitor(ctx, "shop", "fresh"))(t)
		have(s.Visit(ctx, "shop/lp", "fresh"))(t)
		if _, ok, _ := s.Visit(ctx, "shop/lp", "old1"); ok {
			t.Error("the visit of a forgotten visitor is still there")
		}
	}},
	{"a visit comes back as it was", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		if _, ok, err := s.Visit(ctx, "shop/lp", "ann"); ok || err != nil {
			t.Errorf("visit of nobody = %t, %v, want false, nil", ok, err)
		}
		want := integrations.Visit{
			IDs: attempt.IDs{Visitor: "A", Session: "B"}, Of: "sid", Bare: true, Waiting: []string{"https://example.com/?a=1&b=ü"},
		}
		other := integrations.Visit{Of: "other"}
		must(t, s.SaveVisits(ctx, []store.VisitRow{
			{Integration: "shop/lp", AnonymousID: "ann", Visit: other}, {Integration: "shop/hook", AnonymousID: "ann", Visit: other},
			{Integration: "shop/lp", AnonymousID: "ann", Visit: want, At: began},
		}))
		if got := have(s.Visit(ctx, "shop/lp", "ann"))(t); !reflect.DeepEqual(got, want) {
			t.Errorf("visit = %+v, want %+v", got, want)
		}
		if got := have(s.Visit(ctx, "shop/hook", "ann"))(t); !reflect.DeepEqual(got, other) {
			t.Errorf("visit = %+v, want %+v", got, other)
		}
		must(t, s.SaveVisits(ctx, nil))
	}},
	{"many write and read at once", func(t *testing.T, open Opener) {
		s := opened(t, open)
		errs := make([]error, 8)
		many(len(errs), func(i int) {
			for n := range 20 {
				id := fmt.Sprintf("v%d-%d", i, n)
				if err := s.SaveVisitors(t.Context(), []store.Visitor{visitor("shop", id)}, uint64(n)); err != nil {
					errs[i] = err
					return
				}
				if _, ok, err := s.Visitor(context.WithoutCancel(t.Context()), "shop", id); !ok || err != nil {
					errs[i] = fmt.Errorf("%s: found %t, %w", id, ok, err)
					return
				}
			}
		})
		for _, err := range errs {
			must(t, err)
		}
	}},
}
