package store

import (
	"context"
	"fmt"
	"time"
)

// FindWebSession gives the data of a browser's session, and false when there
// is none or it is over. token is the hash that the caller makes of the one in
// the cookie, so that the file alone signs nobody in.
func (s *Store) FindWebSession(ctx context.Context, token string) (data []byte, found bool, err error) {
	found, err = s.one(ctx, `SELECT data FROM web_sessions WHERE token = ? AND expires > ?`,
		[]any{token, stamp(time.Now())}, &data)
	if err != nil {
		return nil, false, fmt.Errorf("read a session: %w", err)
	}
	return data, found, nil
}

// CommitWebSession keeps a session until expiry, over what was kept before.
func (s *Store) CommitWebSession(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return s.update(ctx, "keep a session", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO web_sessions (token, data, expires) VALUES (?, ?, ?)
			ON CONFLICT (token) DO UPDATE SET data = excluded.data, expires = excluded.expires`,
			token, notNil(data), stamp(expiry))
		return err
	})
}

// DeleteWebSession ends a session; one that is not there is no error.
func (s *Store) DeleteWebSession(ctx context.Context, token string) error {
	return s.update(ctx, "end a session", func(t *tx) error {
		_, err := t.exec(ctx, `DELETE FROM web_sessions WHERE token = ?`, token)
		return err
	})
}

// PruneWebSessions deletes sessions and setup tokens that were over at an
// instant.
func (s *Store) PruneWebSessions(ctx context.Context, at time.Time) (int, error) {
	n := 0
	err := s.update(ctx, "delete sessions that are over", func(t *tx) (err error) {
		if n, err = t.exec(ctx, `DELETE FROM web_sessions WHERE expires <= ?`, stamp(at)); err != nil {
			return err
		}
		_, err = t.exec(ctx, `DELETE FROM setup_tokens WHERE expires <= ?`, stamp(at))
		return err
	})
	return n, err
}

// CreateSetupToken keeps the hash of a link that may be used once until it
// expires.
func (s *Store) CreateSetupToken(ctx context.Context, hash string, expires time.Time) error {
	return s.update(ctx, "keep a setup link", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO setup_tokens (hash, expires) VALUES (?, ?)
			ON CONFLICT (hash) DO NOTHING`, hash, stamp(expires))
		return err
	})
}

// SetupToken reports whether a link could be used.
func (s *Store) SetupToken(ctx context.Context, hash string) (bool, error) {
	var n int
	ok, err := s.one(ctx, `SELECT 1 FROM setup_tokens WHERE hash = ? AND expires > ?`, []any{hash, stamp(time.Now())}, &n)
	if err != nil {
		return false, fmt.Errorf("read a setup link: %w", err)
	}
	return ok, nil
}

// UseSetupToken uses a link up and reports whether it was good. Of many
// callers at once only one hears true.
func (s *Store) UseSetupToken(ctx context.Context, hash string) (bool, error) {
	var n int
	err := s.update(ctx, "use a setup link", func(t *tx) (err error) {
		n, err = t.exec(ctx, `DELETE FROM setup_tokens WHERE hash = ? AND expires > ?`, hash, stamp(time.Now()))
		return err
	})
	return err == nil && n == 1, err
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
