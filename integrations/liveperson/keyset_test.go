package liveperson

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// clock is a server of keys in a bubble: it answers with what it has, after a
// second, and counts.
type clock struct {
	mu    sync.Mutex
	kids  []string
	wrong error
	asked []time.Duration // since start
	start time.Time
}

func newClock(kids ...string) (*clock, *keySet) {
	s := &clock{kids: kids, start: time.Now()}
	return s, &keySet{fetch: s.fetch}
}

func (s *clock) fetch(ctx context.Context) ([]key, error) {
	s.mu.Lock()
	s.asked = append(s.asked, time.Since(s.start))
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrong != nil {
		return nil, s.wrong
	}
	var keys []key
	for _, kid := range s.kids {
		keys = append(keys, key{kid: kid})
	}
	return keys, nil
}

func (s *clock) says(wrong error, kids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong, s.kids = wrong, kids
}

func (s *clock) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func kids(keys []key) string {
	var out []string
	for _, k := range keys {
		out = append(out, k.kid)
	}
	return strings.Join(out, " ")
}

func holds(t *testing.T, k *keySet, want string) {
	t.Helper()
	keys, err := k.held(t.Context())
	if got := kids(keys); got != want || (err == nil) != (want != "") {
		t.Errorf("after %v: keys %q, %v, want %q", time.Since(k.since), got, err, want)
	}
}

var errDown = errors.New("the server answered 503")

func TestKeysAreFetchedOnceForManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, k := newClock("a")
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { holds(t, k, "a") })
		}
		all.Wait()
		if got := time.Since(server.start); server.count() != 1 || got != time.Second {
			t.Errorf("asked %d times in %v, want once in 1 s", server.count(), got)
		}
	})
}

func TestKeysAreKeptFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, k := newClock("a")
		ctx, stop := context.WithCancel(t.Context())
		var tended sync.WaitGroup
		tended.Go(func() { k.tend(ctx) })
		time.Sleep(2 * time.Second)
		holds(t, k, "a")
		server.says(nil, "b")
		time.Sleep(10 * time.Minute)
		holds(t, k, "a") // nobody waits: the request is under way
		time.Sleep(30 * time.Second)
		holds(t, k, "b") // a withdrawn key counts no more
		time.Sleep(time.Hour)
		if n := server.count(); n != 7 {
			t.Errorf("asked %d times in 70 min, want 7: %v", n, server.asked)
		}
		stop()
		tended.Wait()
	})
}

func TestOldKeysStayWhileTheServerFails(t *testing.T) {
	for _, tended := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			server, k := newClock("a")
			ctx, stop := context.WithCancel(t.Context())
			defer synctest.Wait()
			defer stop()
			holds(t, k, "a")
			if tended {
				go k.tend(ctx)
			}
			server.says(errDown)
			for range 23 {
				time.Sleep(time.Hour)
				holds(t, k, "a")
			}
			time.Sleep(time.Hour)
			_, err := k.held(t.Context())
			if want := "the keys of identity_keys could not be fetched: the server answered 503"; err == nil || err.Error() != want {
				t.Errorf("after a day, tended %v: %v, want %q", tended, err, want)
			}
			server.says(nil, "b")
			time.Sleep(time.Minute)
			holds(t, k, "b")
		})
	}
}

func TestWithoutAnyKeysTheServerIsAskedEveryFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, k := newClock()
		server.says(errDown)
		for range 600 {
			if _, err := k.held(t.Context()); err == nil {
				t.Fatal("no error")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := server.count(); n < 10 || n > 12 {
			t.Errorf("asked %d times in a minute, want about 10: %v", n, server.asked)
		}
		server.says(nil, "a")
		time.Sleep(5 * time.Second)
		holds(t, k, "a")
	})
}

func TestAnUnknownKidAsksAtOnceAndEveryThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, k := newClock("a")
		holds(t, k, "a")
		server.says(nil, "a", "b")
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if keys, err := k.look(t.Context()); err != nil || kids(keys) != "a b" {
					t.Errorf("look = %q, %v, want the new key on first sight", kids(keys), err)
				}
			})
		}
		all.Wait()
		for range 58 { // seconds of a flood
			if _, err := k.look(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if want := []time.Duration{0, time.Second, 32 * time.Second}; !slices.Equal(server.asked, want) {
			t.Errorf("asked at %v, want %v", server.asked, want)
		}
	})
}

func TestAnUnknownKidIsNotJudgedWhileTheServerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, k := newClock("a")
		holds(t, k, "a")
		server.says(errDown)
		for range 3 {
			if _, err := k.look(t.Context()); err == nil {
				t.Error("nobody can know whether there is such a key, and look gave no error")
			}
		}
		holds(t, k, "a") // tokens of the old key are not held up
		server.says(nil, "a", "b")
		time.Sleep(30 * time.Second)
		if keys, err := k.look(t.Context()); err != nil || kids(keys) != "a b" {
			t.Errorf("look = %q, %v", kids(keys), err)
		}
	})
}

func TestWithdrawnKeysCountNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, k := newClock("a")
		holds(t, k, "a")
		server.says(errNoKeys)
		time.Sleep(keysFresh)
		holds(t, k, "")
		server.says(nil, "b")
		time.Sleep(tryAgain)
		holds(t, k, "b")
	})
}

func TestACallerWhoGivesUpDoesNotSpoilItForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, k := newClock("a")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := k.held(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who gave up got %v", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if _, err := k.held(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who waited and gave up got %v", err)
			}
		})
		all.Go(func() { holds(t, k, "a") })
		all.Wait()
		if server.count() != 2 {
			t.Errorf("asked %d times, want twice", server.count())
		}
	})
}

func TestKeysOfTheSettingsAreNotTended(t *testing.T) {
	k := &keySet{keys: []key{{kid: "a"}}}
	k.tend(t.Context())
	(*keySet)(nil).tend(t.Context())
	holds(t, k, "a")
	if keys, err := k.look(t.Context()); err != nil || kids(keys) != "a" {
		t.Errorf("look = %q, %v", kids(keys), err)
	}
	new(Connection).tendKeys(t.Context())
}
