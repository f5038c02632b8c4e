package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/identity"
	"github.com/datafly/signal/store"
)

var lifeTests = []test{
	{"closing twice is fine", func(t *testing.T, open Opener) {
		s := open(t)
		must(t, s.Close())
		must(t, s.Close())
	}},
	{"a closed store says so and does not hang", func(t *testing.T, open Opener) {
		s := open(t)
		must(t, s.Close())
		if err := s.SetMeta(t.Context(), "a", "b"); err == nil {
			t.Error("SetMeta after Close = nil, want an error")
		}
		if _, _, err := s.Meta(t.Context(), "a"); err == nil {
			t.Error("Meta after Close = nil, want an error")
		}
	}},
	{"everything is there after reopening", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		salt := get(s.Salt(ctx))(t)
		v := visitor("shop", "ann")
		must(t, s.SaveVisitors(ctx, []store.Visitor{v}, 7))
		must(t, s.AddDead(ctx, []store.DeadLetter{dead("d1", 1, 0)}))
		must(t, s.ApplyCounts(ctx, store.CountBatch{Ledger: 3, Events: 4, Counts: []store.Count{count("delivered", "", 5)}}))
		must(t, s.AddTraces(ctx, order(1, "m1")))

		s = reopened(t, s, open)
		if again := get(s.Salt(ctx))(t); !bytes.Equal(again, salt) {
			t.Error("the salt changed")
		}
		sameVisitor(t, have(s.Visitor(ctx, "shop", "ann"))(t), v)
		if c := get(s.Cursor(ctx, store.CursorProcess))(t); c != (store.Cursor{Seq: 7}) {
			t.Errorf("cursor = %+v, want sequence 7", c)
		}
		have(s.DeadLetter(ctx, "d1"))(t)
		if o := get(s.Overview(ctx, store.OverviewFilter{}))(t); o.Delivered != 5 {
			t.Errorf("delivered = %d, want 5", o.Delivered)
		}
		have(s.Trace(ctx, "m1"))(t)
	}},
}

var metaTests = []test{
	{"a value is kept and replaced", func(t *testing.T, open Opener) {
		s := opened(t, open)
		if _, ok, err := s.Meta(t.Context(), "k"); ok || err != nil {
			t.Errorf("Meta of nothing = %t, %v, want false, nil", ok, err)
		}
		for _, want := range []string{"one", "", "drei – 3"} {
			must(t, s.SetMeta(t.Context(), "k", want))
			if got := have(s.Meta(t.Context(), "k"))(t); got != want {
				t.Errorf("Meta = %q, want %q", got, want)
			}
		}
	}},
	{"the salt is made once, by however many at a time", func(t *testing.T, open Opener) {
		s := opened(t, open)
		salts := make([][]byte, 16)
		many(len(salts), func(i int) { salts[i], _ = s.Salt(t.Context()) })
		for i, salt := range salts {
			if len(salt) != 32 || !bytes.Equal(salt, salts[0]) {
				t.Fatalf("salt %d = %x, want 32 bytes like the first, %x", i, salt, salts[0])
			}
		}
		if bytes.Equal(salts[0], make([]byte, 32)) {
			t.Error("the salt is all zeros")
		}
	}},
	{"a cursor begins at zero, and may go back", func(t *testing.T, open Opener) {
		s := opened(t, open)
		for _, want := range []store.Cursor{{}, {Seq: 9, Ledger: 1<<63 - 1}, {Seq: 2, Ledger: 3}} {
			if want != (store.Cursor{}) {
				must(t, s.SetCursor(t.Context(), "a", want))
			}
			if got := get(s.Cursor(t.Context(), "a"))(t); got != want {
				t.Errorf("cursor = %+v, want %+v", got, want)
			}
		}
		if got := get(s.Cursor(t.Context(), "b"))(t); got != (store.Cursor{}) {
			t.Errorf("another cursor = %+v, want zero", got)
		}
	}},
}

// visitor gives a visitor with something in each field.
func visitor(pipeline, id string) store.Visitor {
	at := began.Add(123456789)
	return store.Visitor{
		Visitor: identity.Visitor{
			Pipeline: pipeline, AnonymousID: id, UserID: "u-" + id, Traits: tree(`{"plan":"gold","balance":11.70}`),
			FirstSeen: at, Session: identity.Session{Vid: "vid", Sid: "sid", Start: at, Last: at.Add(time.Minute)},
		},
		Consent: consent.State{
			Categories: map[string]bool{"C0004": true, "C0002": false},
			Canonical:  map[consent.Bucket]bool{consent.Marketing: true, consent.Analytics: false},
		},
		Seq: 42,
	}
}
