package desk

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/store"
)

// ErrTaken means that a name is in use.
var ErrTaken = errors.New("this is in use")

// A User is an account of the console.
type User struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Role      string    `json:"role"`
	CreatedAt time.Time `json:"created_at"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
}

func user(u store.User) User {
	return User{u.ID, u.Name, u.Email, u.Role, u.CreatedAt, u.LastSeen}
}

// Users gives all accounts, for admins.
func (d *Desk) Users(ctx context.Context, who auth.Actor) ([]User, error) {
	if err := allow(who, auth.Admin); err != nil {
		return nil, err
	}
	found, err := d.o.Store.Users(ctx)
	out := []User{}
	for _, u := range found {
		out = append(out, user(u))
	}
	return out, err
}

// Admins gives the names of those who may do everything, for the sentence that
// tells others whom to ask.
func (d *Desk) Admins(ctx context.Context) []string {
	found, err := d.o.Store.Users(ctx)
	if err != nil {
		return nil
	}
	var names []string
	for _, u := range found {
		if u.Role == string(auth.Admin) {
			names = append(names, u.Name)
		}
	}
	return names
}

// AddUser makes an account.
func (d *Desk) AddUser(ctx context.Context, who auth.Actor, a *auth.Auth, p auth.Person, role auth.Role) (User, error) {
	if err := allow(who, auth.Admin); err != nil {
		return User{}, err
	}
	if _, err := auth.ParseRole(string(role)); err != nil {
		return User{}, fault(ErrInvalid, "%s.", upper(err.Error()))
	}
	if f := p.Check(); f != nil {
		return User{}, fault(ErrInvalid, "%s", firstFault(f))
	}
	hash, err := a.Hash(ctx, p.Password)
	if err != nil {
		return User{}, err
	}
	u, err := d.o.Store.AddUser(ctx, store.User{Name: p.Name, Email: p.Email, Role: string(role), PasswordHash: hash})
	if errors.Is(err, store.ErrTaken) {
		return User{}, fault(ErrTaken, "There is an account with this e-mail. Set its password, or use another one.")
	}
	return user(u), err
}

func firstFault(f auth.Faults) string {
	for _, k := range []string{"name", "email", "password"} {
		if f[k] != "" {
			return k + ": " + f[k]
		}
	}
	return "The account is not complete."
}

// SetPassword sets the password of an account by its e-mail or id, which ends
// all its sessions.
func (d *Desk) SetPassword(ctx context.Context, who auth.Actor, a *auth.Auth, account, password string) (User, error) {
	if err := allow(who, auth.Admin); err != nil {
		return User{}, err
	}
	u, ok, err := d.o.Store.UserByEmail(ctx, account)
	if err == nil && !ok {
		u, ok, err = d.o.Store.User(ctx, account)
	}
	if err != nil {
		return User{}, err
	}
	if !ok {
		return User{}, fault(ErrNotFound, "There is no such account.")
	}
	if err := auth.CheckPassword(password); err != nil {
		return User{}, fault(ErrInvalid, "%s.", upper(err.Error()))
	}
	hash, err := a.Hash(ctx, password)
	if err != nil {
		return User{}, err
	}
	return user(u), d.o.Store.SetPassword(ctx, u.ID, hash)
}

// CheckEvents says what is wrong with a query before a stream of it begins.
func (d *Desk) CheckEvents(who auth.Actor, q EventQuery) error {
	if err := allow(who, auth.Viewer); err != nil {
		return err
	}
	_, err := d.traceFilter(q)
	return err
}

// Verify proves that nothing was lost.
func (d *Desk) Verify(ctx context.Context, who auth.Actor) (Proof, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return Proof{}, err
	}
	if d.o.Verify == nil {
		return Proof{}, fault(ErrAbsent, "This process has no ledger to prove it from.")
	}
	return d.o.Verify(ctx)
}

// Domain asks LivePerson for the monitoring domain of an account.
func (d *Desk) Domain(ctx context.Context, who auth.Actor, account string) (string, error) {
	if err := allow(who, auth.Editor); err != nil {
		return "", err
	}
	if d.o.Domain == nil {
		return "", fault(ErrAbsent, "This process cannot ask LivePerson. Look the domain up in Conversational Cloud.")
	}
	host, err := d.o.Domain(ctx, account)
	if err != nil {
		return "", fault(ErrInvalid, "%s", upper(err.Error()))
	}
	return host, nil
}

// DropMatching drops many; without any filter it wants to hear that all are
// meant.
func (d *Desk) DropMatching(ctx context.Context, who auth.Actor, q DeadQuery, all, dry bool) (Result, error) {
	if err := allow(who, auth.Editor); err != nil {
		return Result{}, err
	}
	if !all && !dry && !q.filters() {
		return Result{}, fault(ErrInvalid, "This would drop every dead letter. Name a filter, or send \"all\": true.")
	}
	return d.DropDead(ctx, who, q, dry)
}

func (q DeadQuery) filters() bool {
	return slices.ContainsFunc([]string{q.Pipeline, q.Integration, q.Event, q.Reason, q.Cause, q.Q}, func(s string) bool { return s != "" }) ||
		q.Status != 0 || !q.From.IsZero() || !q.To.IsZero() || len(q.IDs) > 0
}

// Tokens gives the names and roles of the API tokens.
func (d *Desk) Tokens(who auth.Actor) ([]auth.Token, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return nil, err
	}
	out := []auth.Token{}
	for _, t := range d.o.Tokens {
		out = append(out, auth.Token{Name: t.Name, Role: t.Role})
	}
	return out, nil
}

// Version is that of the program.
func (d *Desk) Version() string { return d.o.Version }

// Endpoint is the public address of the gateway, or "".
func (d *Desk) Endpoint() string { return d.o.Endpoint }

// HasUsers reports whether there is any account.
func (d *Desk) HasUsers(ctx context.Context) (bool, error) {
	n, err := d.o.Store.CountUsers(ctx)
	return n > 0, err
}
