package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// Meta gives a value that SetMeta kept, and false when there is none.
func (s *Store) Meta(ctx context.Context, key string) (string, bool, error) {
	var value string
	ok, err := s.one(ctx, `SELECT value FROM meta WHERE name = ?`, []any{key}, &value)
	if err != nil {
		return "", false, fmt.Errorf("read %s: %w", key, err)
	}
	return value, ok, nil
}

// SetMeta keeps a small value under a name.
func (s *Store) SetMeta(ctx context.Context, key, value string) error {
	return s.update(ctx, "write "+key, func(t *tx) error { return t.setMeta(ctx, key, value) })
}

func (t *tx) setMeta(ctx context.Context, key, value string) error {
	_, err := t.exec(ctx, `INSERT INTO meta (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, key, value)
	return err
}

const saltKey = "salt"

// Salt gives 32 random bytes, made once and the same ever after. Visit ids
// are made with them, so whoever has them can guess those.
func (s *Store) Salt(ctx context.Context) ([]byte, error) {
	text, ok, err := s.Meta(ctx, saltKey)
	if err != nil {
		return nil, err
	}
	if !ok {
		if text, err = s.makeSalt(ctx); err != nil {
			return nil, err
		}
	}
	salt, err := hex.DecodeString(text)
	if err != nil || len(salt) != 32 {
		return nil, fmt.Errorf("read salt: the store holds %d characters where 64 in hex should be", len(text))
	}
	return salt, nil
}

// makeSalt lets the first of several callers win.
func (s *Store) makeSalt(ctx context.Context) (string, error) {
	salt := make([]byte, 32)
	_, _ = rand.Read(salt) // never fails
	err := s.update(ctx, "make salt", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`,
			saltKey, hex.EncodeToString(salt))
		return err
	})
	if err != nil {
		return "", err
	}
	text, _, err := s.Meta(ctx, saltKey)
	return text, err
}

// A Cursor is how far a room came: in the EVENTS journal, or the one that it
// reads, and in LEDGER.
type Cursor struct{ Seq, Ledger uint64 }

// Names of cursors that the store writes itself, in the transaction with what
// they are good for.
const (
	CursorProcess = "process" // of SaveVisitors
	cursorCounts  = "counts"  // of ApplyCounts
)

// Cursor gives a cursor by name; one that was never set is zero.
func (s *Store) Cursor(ctx context.Context, name string) (Cursor, error) {
	var seq, ledger int64
	_, err := s.one(ctx, `SELECT seq, ledger FROM cursors WHERE name = ?`, []any{name}, &seq, &ledger)
	if err != nil {
		return Cursor{}, fmt.Errorf("read cursor %s: %w", name, err)
	}
	return Cursor{uint64(seq), uint64(ledger)}, nil
}

// SetCursor keeps a cursor under a name. It may go back.
func (s *Store) SetCursor(ctx context.Context, name string, c Cursor) error {
	return s.update(ctx, "write cursor "+name, func(t *tx) error { return t.setCursor(ctx, name, c) })
}

func (t *tx) setCursor(ctx context.Context, name string, c Cursor) error {
	_, err := t.exec(ctx, `INSERT INTO cursors (name, seq, ledger) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, ledger = excluded.ledger`,
		name, int64(c.Seq), int64(c.Ledger))
	return err
}
