package auth

import (
	"context"
	"fmt"
)

// A Role is what somebody may do. Each may do all that the one before may.
type Role string

// The roles, weakest first.
const (
	Viewer Role = "viewer"    // sees everything, with personal data masked
	Editor Role = "editor"    // sees personal data, changes, replays, drops
	Admin  Role = "org_admin" // and the team, the tokens, the settings
)

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	switch r := Role(s); r {
	case Viewer, Editor, Admin:
		return r, nil
	}
	return "", fmt.Errorf("%q is no role: use viewer, editor or org_admin", s)
}

func (r Role) rank() int {
	switch r {
	case Viewer:
		return 1
	case Editor:
		return 2
	case Admin:
		return 3
	}
	return 0
}

// May reports whether r includes need. An unknown role may nothing.
func (r Role) May(need Role) bool { return r.rank() >= need.rank() && need.rank() > 0 }

// Word is the role as people read it.
func (r Role) Word() string {
	if r == Admin {
		return "admin"
	}
	return string(r)
}

// An Actor is who does something: a person who is signed in, or an API token.
// The zero Actor is nobody.
type Actor struct {
	ID    string // of the user, "" for a token
	Name  string // of the person or the token
	Email string // "" for a token
	Role  Role
}

// Known reports whether a is anybody.
func (a Actor) Known() bool { return a.Role.rank() > 0 }

type actorKey struct{}

// With gives a context in which a acts.
func With(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// From gives who acts in ctx; the zero Actor when nobody signed in.
func From(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}
