package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A User is an account of the console.
type User struct {
	ID           string
	Email        string // unique whatever its case
	Name         string
	Role         string // org_admin, editor, viewer
	PasswordHash string // as the caller made it; never shown or logged
	CreatedAt    time.Time
	LastSeen     time.Time // zero before the first sign-in
}

// ErrTaken means that there is an account with the e-mail address already.
var ErrTaken = errors.New("there is an account with this e-mail address already: use another one, or set its password")

// ErrNoUser means that there is no account with the id.
var ErrNoUser = errors.New("there is no such account")

const userColumns = `id, email, name, role, password_hash, created_at, last_seen`

// AddUser makes an account and gives it as it was kept: with an id and the
// time where they were empty. It returns ErrTaken for a known address.
func (s *Store) AddUser(ctx context.Context, u User) (User, error) {
	if u.ID == "" {
		u.ID = uuid.Must(uuid.NewV7()).String()
	}
	if u.CreatedAt.IsZero() {
		u.CreatedAt = time.Now().UTC()
	}
	u.Email = strings.TrimSpace(u.Email)
	err := s.update(ctx, "add an account", func(t *tx) error {
		n, err := t.exec(ctx, `INSERT INTO users (`+userColumns+`, email_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (email_key) DO NOTHING`,
			u.ID, u.Email, u.Name, u.Role, u.PasswordHash, stamp(u.CreatedAt), stamp(u.LastSeen), emailKey(u.Email))
		if err == nil && n == 0 {
			return ErrTaken
		}
		return err
	})
	return u, err
}

func emailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// UserByEmail gives an account by its address, whatever its case.
func (s *Store) UserByEmail(ctx context.Context, email string) (User, bool, error) {
	return s.user(ctx, `email_key`, emailKey(email))
}

// User gives an account by its id.
func (s *Store) User(ctx context.Context, id string) (User, bool, error) {
	return s.user(ctx, `id`, id)
}

func (s *Store) user(ctx context.Context, column, value string) (User, bool, error) {
	users, err := s.users(ctx, ` WHERE `+column+` = ?`, value)
	if err != nil || len(users) == 0 {
		return User{}, false, err
	}
	return users[0], true, nil
}

// Users gives all accounts, the oldest first.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	return s.users(ctx, ` ORDER BY created_at, id`)
}

func (s *Store) users(ctx context.Context, rest string, args ...any) ([]User, error) {
	var users []User
	err := s.each(ctx, s.read, `SELECT `+userColumns+` FROM users`+rest, args, func(scan func(...any) error) error {
		var u User
		var created, seen int64
		if err := scan(&u.ID, &u.Email, &u.Name, &u.Role, &u.PasswordHash, &created, &seen); err != nil {
			return err
		}
		u.CreatedAt, u.LastSeen = moment(created), moment(seen)
		users = append(users, u)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	return users, nil
}

// CountUsers gives the number of accounts.
func (s *Store) CountUsers(ctx context.Context) (int, error) {
	var n int
	if _, err := s.one(ctx, `SELECT COUNT(*) FROM users`, nil, &n); err != nil {
		return 0, fmt.Errorf("count accounts: %w", err)
	}
	return n, nil
}

// SetPassword replaces the hash of an account's password. It returns ErrNoUser.
func (s *Store) SetPassword(ctx context.Context, id, hash string) error {
	return s.changeUser(ctx, "set a password", `UPDATE users SET password_hash = ? WHERE id = ?`, hash, id)
}

// SetRole changes what an account may do. It returns ErrNoUser.
func (s *Store) SetRole(ctx context.Context, id, role string) error {
	return s.changeUser(ctx, "set a role", `UPDATE users SET role = ? WHERE id = ?`, role, id)
}

// SeenUser notes that an account was in use. It never goes back.
func (s *Store) SeenUser(ctx context.Context, id string, at time.Time) error {
	return s.changeUser(ctx, "note an account's use",
		`UPDATE users SET last_seen = CASE WHEN last_seen < ? THEN ? ELSE last_seen END WHERE id = ?`,
		stamp(at), stamp(at), id)
}

// DeleteUser takes an account away. It returns ErrNoUser.
func (s *Store) DeleteUser(ctx context.Context, id string) error {
	return s.changeUser(ctx, "delete an account", `DELETE FROM users WHERE id = ?`, id)
}

func (s *Store) changeUser(ctx context.Context, doing, query string, args ...any) error {
	return s.update(ctx, doing, func(t *tx) error {
		n, err := t.exec(ctx, query, args...)
		if err == nil && n == 0 {
			return ErrNoUser
		}
		return err
	})
}
