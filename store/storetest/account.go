package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/datafly/signal/store"
)

var accountTests = []test{
	{"an account comes back as it was, by id and by address in any case", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		want := get(s.AddUser(ctx, store.User{
			Email: " Ann@Example.com ", Name: "Ann", Role: "org_admin", PasswordHash: "$argon2id$x", CreatedAt: began,
		}))(t)
		if want.ID == "" || want.Email != "Ann@Example.com" {
			t.Fatalf("added %+v, want an id and a trimmed address", want)
		}
		if got := have(s.User(ctx, want.ID))(t); got != want {
			t.Errorf("by id %+v, want %+v", got, want)
		}
		if got := have(s.UserByEmail(ctx, "ann@example.COM"))(t); got != want {
			t.Errorf("by address %+v, want %+v", got, want)
		}
		if _, ok, err := s.UserByEmail(ctx, "bob@example.com"); ok || err != nil {
			t.Errorf("nobody = %t, %v, want false, nil", ok, err)
		}
		if _, ok, err := s.User(ctx, "nobody"); ok || err != nil {
			t.Errorf("nobody = %t, %v, want false, nil", ok, err)
		}
	}},
	{"an address is taken once, by however many at a time", func(t *testing.T, open Opener) {
		s := opened(t, open)
		errs := make([]error, 8)
		many(len(errs), func(i int) { _, errs[i] = s.AddUser(t.Context(), store.User{Email: "ann@example.com"}) })
		taken := 0
		for _, err := range errs {
			if errors.Is(err, store.ErrTaken) {
				taken++
			} else if err != nil {
				t.Error(err)
			}
		}
		if n := get(s.CountUsers(t.Context()))(t); n != 1 || taken != 7 {
			t.Errorf("%d accounts and %d refused, want 1 and 7", n, taken)
		}
	}},
	{"accounts are listed, the oldest first", func(t *testing.T, open Opener) {
		s := opened(t, open)
		for i, email := range []string{"c@x", "a@x", "b@x"} {
			_, err := s.AddUser(t.Context(), store.User{Email: email, CreatedAt: began.Add(time.Duration(i))})
			must(t, err)
		}
		var got []string
		for _, u := range get(s.Users(t.Context()))(t) {
			got = append(got, u.Email)
		}
		if want := []string{"c@x", "a@x", "b@x"}; !slices.Equal(got, want) {
			t.Errorf("accounts = %v, want %v", got, want)
		}
	}},
	{"password, role and use change, of accounts that are there", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		u := get(s.AddUser(ctx, store.User{Email: "ann@example.com", Role: "viewer"}))(t)
		must(t, s.SetPassword(ctx, u.ID, "new"))
		must(t, s.SetRole(ctx, u.ID, "editor"))
		must(t, s.SeenUser(ctx, u.ID, began.Add(time.Hour)))
		must(t, s.SeenUser(ctx, u.ID, began))
		got := have(s.User(ctx, u.ID))(t)
		if got.PasswordHash != "new" || got.Role != "editor" || !got.LastSeen.Equal(began.Add(time.Hour)) {
			t.Errorf("account = %+v, want the new password, the role editor, and the later use", got)
		}
		for _, err := range []error{
			s.SetPassword(ctx, "nobody", "x"), s.SetRole(ctx, "nobody", "x"), s.SeenUser(ctx, "nobody", began), s.DeleteUser(ctx, "nobody"),
		} {
			if !errors.Is(err, store.ErrNoUser) {
				t.Errorf("change of nobody = %v, want ErrNoUser", err)
			}
		}
		must(t, s.DeleteUser(ctx, u.ID))
		if n := get(s.CountUsers(ctx))(t); n != 0 {
			t.Errorf("%d accounts after deleting the only one", n)
		}
	}},
	{"a session lives until it expires or is ended", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		soon := time.Now().Add(time.Hour)
		must(t, s.CommitWebSession(ctx, "a", []byte{0, 1, 2}, soon))
		must(t, s.CommitWebSession(ctx, "a", []byte{3}, soon))
		must(t, s.CommitWebSession(ctx, "empty", nil, soon))
		must(t, s.CommitWebSession(ctx, "over", []byte("x"), time.Now().Add(-time.Second)))
		if got := have(s.FindWebSession(ctx, "a"))(t); !slices.Equal(got, []byte{3}) {
			t.Errorf("data = %v, want what was committed last", got)
		}
		have(s.FindWebSession(ctx, "empty"))(t)
		for _, token := range []string{"over", "nobody", ""} {
			if _, ok, err := s.FindWebSession(ctx, token); ok || err != nil {
				t.Errorf("session %q = %t, %v, want false, nil", token, ok, err)
			}
		}
		must(t, s.DeleteWebSession(ctx, "a"))
		must(t, s.DeleteWebSession(ctx, "a"))
		if _, ok, _ := s.FindWebSession(ctx, "a"); ok {
			t.Error("a session that was ended is found")
		}
		if n := get(s.PruneWebSessions(ctx, time.Now()))(t); n != 1 {
			t.Errorf("pruned %d, want the one that is over", n)
		}
	}},
	{"a setup link is good once, for one of many", func(t *testing.T, open Opener) {
		s := opened(t, open)
		ctx := t.Context()
		must(t, s.CreateSetupToken(ctx, "h", time.Now().Add(time.Hour)))
		must(t, s.CreateSetupToken(ctx, "over", time.Now().Add(-time.Second)))
		for hash, want := range map[string]bool{"h": true, "over": false, "nobody": false} {
			if ok := get(s.SetupToken(ctx, hash))(t); ok != want {
				t.Errorf("link %q good = %t, want %t", hash, ok, want)
			}
		}
		used := make([]bool, 8)
		many(len(used), func(i int) { used[i], _ = s.UseSetupToken(ctx, "h") })
		n := 0
		for _, ok := range used {
			if ok {
				n++
			}
		}
		if n != 1 {
			t.Errorf("used %d times, want once", n)
		}
		if get(s.UseSetupToken(ctx, "over"))(t) || get(s.SetupToken(ctx, "h"))(t) {
			t.Error("a link that is over or used up is good")
		}
	}},
}
