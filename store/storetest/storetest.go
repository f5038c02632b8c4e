// Package storetest is the suite that every database behind store passes. It
// knows nothing of any of them.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/datafly/signal/store"
)

// An Opener gives the store of a test. Called again by the same test, after
// Close, it opens the same one again; another test gets an empty one.
type Opener func(t *testing.T) *store.Store

// Run proves a database. The tests run one after the other.
func Run(t *testing.T, open func(t *testing.T) *store.Store) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"life", lifeTests},
		{"meta", metaTests},
		{"visitors", visitorTests},
		{"dead letters", deadTests},
		{"counts", countTests},
		{"traces", traceTests},
		{"accounts", accountTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, tt := range group.tests {
				t.Run(tt.name, func(t *testing.T) { tt.run(t, open) })
			}
		})
	}
}

type test struct {
	name string
	run  func(t *testing.T, open Opener)
}

// began is the time of the tests' data: a whole hour a while ago, so that a
// series by minute still has it.
var began = time.Now().UTC().Truncate(time.Hour).Add(-2 * time.Hour)

// opened gives an open store that is closed with the test.
func opened(t *testing.T, open Opener) *store.Store {
	t.Helper()
	s := open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// reopened closes s and opens it again.
func reopened(t *testing.T, s *store.Store, open Opener) *store.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close before reopening: %v", err)
	}
	return opened(t, open)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// have gives what a look-up found: have(s.Visitor(…))(t).
func have[T any](v T, ok bool, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			t.Fatalf("%T not found", v)
		}
		return v
	}
}

// get gives what a call returned without error: get(s.Salt(ctx))(t).
func get[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// many runs f in n goroutines at once and waits for them.
func many(n int, f func(i int)) {
	done := make(chan struct{})
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			f(i)
		}()
	}
	for range n {
		<-done
	}
}

// countdown is a context that ends after it was asked n times whether it has:
// it ends a piece of work in the middle, each time at another place.
type countdown struct {
	context.Context
	cancel context.CancelFunc
	left   chan struct{}
}

func newCountdown(ctx context.Context, n int) *countdown {
	c := &countdown{left: make(chan struct{}, n)}
	c.Context, c.cancel = context.WithCancel(ctx)
	for range n {
		c.left <- struct{}{}
	}
	return c
}

func (c *countdown) tick() {
	select {
	case <-c.left:
	default:
		c.cancel()
	}
}

// cancellations gives how often a piece of work may ask before it is ended:
// each number at first, then ever wider apart.
func cancellations(yield func(int) bool) {
	for n := 0; n < 1_000_000; n += 1 + n/4 {
		if !yield(n) {
			return
		}
	}
}

// Done counts too, as that is what database/sql asks for.
func (c *countdown) Done() <-chan struct{} {
	c.tick()
	return c.Context.Done()
}

func (c *countdown) Err() error {
	c.tick()
	return c.Context.Err()
}
