// Package store keeps what must be found by name or by query: visitors and
// what vendors know of them, dead letters, counts, the history of the
// debugger, accounts of the console. Events themselves are in the journal.
//
// One set of SQL statements serves every database: `?` for arguments, which
// Rebind numbers where the database wants it, INSERT … ON CONFLICT, and no
// function that only one of them has. store/sqlite opens a file; another
// database is another folder beside it, and storetest proves each of them.
//
// What a method has written when it returns without error survives a crash.
// All methods are safe for many goroutines.
package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// ErrCursor means that a page was asked for with a cursor that no page gave.
var ErrCursor = errors.New("this cursor is not one that Signal gave: leave it out to begin at the first page")

// A Store is an open database. Close it when everything that uses it has ended.
type Store struct {
	write, read *sql.DB
	numbered    bool
	pack        *zstd.Encoder // of traces
	unpack      *zstd.Decoder
	closing     sync.Once
	closed      error
}

// Options say how a database differs from the others.
type Options struct {
	// Numbered says that arguments are written $1, $2 and not ?.
	Numbered bool
}

// New makes a Store of an opened and migrated database. write takes the
// transactions that change something, read everything else; they may be the
// same. The Store closes both.
func New(write, read *sql.DB, o Options) *Store {
	// Neither fails with options that are in range. The window is that of one
	// record; two at a time are as many as there are writers.
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("store: " + err.Error())
	}
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		panic("store: " + err.Error())
	}
	return &Store{write: write, read: read, numbered: o.Numbered, pack: pack, unpack: unpack}
}

// Close ends all statements and closes the database. It may be called twice.
func (s *Store) Close() error {
	s.closing.Do(func() {
		err := s.read.Close()
		if s.write != s.read {
			err = errors.Join(err, s.write.Close())
		}
		if err != nil {
			s.closed = fmt.Errorf("close store: %w", err)
		}
	})
	return s.closed
}

// Rebind numbers the arguments of a statement: "a = ? AND b = ?" becomes
// "a = $1 AND b = $2". No statement here has a question mark in a text.
func Rebind(query string) string {
	var b strings.Builder
	b.Grow(len(query) + 16)
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		query = after
	}
}

func (s *Store) bind(query string) string {
	if s.numbered {
		return Rebind(query)
	}
	return query
}

// A querier is a transaction or the readers.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// tx is one transaction that changes something.
type tx struct {
	*sql.Tx
	bind func(string) string
}

// update runs f in one transaction: all of it or, with an error, nothing.
// doing is what the caller does, for the error.
func (s *Store) update(ctx context.Context, doing string, f func(t *tx) error) error {
	t, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := f(&tx{t, s.bind}); err != nil {
		_ = t.Rollback() // the error that matters is the first one
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// exec runs one statement and gives the number of rows that it changed.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int, error) {
	r, err := t.ExecContext(ctx, t.bind(query), args...)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// put inserts rows with one prepared statement: head is "INSERT INTO t (a, b)",
// tail the ON CONFLICT clause. A row a statement costs SQLite less than many
// rows in one: measured 100 µs an event of the debugger against 140.
func (t *tx) put(ctx context.Context, head, tail string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	p, err := t.PrepareContext(ctx, t.bind(head+" VALUES ("+marks(len(rows[0]))+") "+tail))
	if err != nil {
		return err
	}
	defer p.Close()
	for _, r := range rows {
		if _, err := p.ExecContext(ctx, r...); err != nil {
			return err
		}
	}
	return nil
}

// marks gives "?,?,?".
func marks(n int) string {
	if n == 0 {
		return "NULL" // IN (NULL) holds nothing
	}
	return "?" + strings.Repeat(",?", n-1)
}

// each runs a query and calls f for each row, which scans it.
func (s *Store) each(ctx context.Context, q querier, query string, args []any, f func(scan func(...any) error) error) error {
	rows, err := q.QueryContext(ctx, s.bind(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one runs a query for one row and reports false when there is none.
func (s *Store) one(ctx context.Context, query string, args []any, into ...any) (bool, error) {
	err := s.read.QueryRowContext(ctx, s.bind(query), args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// drop deletes rows in short transactions, so that other writers come in
// between, until del finds none. It gives their number.
func (s *Store) drop(ctx context.Context, doing string, del func(t *tx) (int, error)) (int, error) {
	total := 0
	for {
		var n int
		err := s.update(ctx, doing, func(t *tx) (err error) {
			n, err = del(t)
			return err
		})
		if err != nil || n == 0 {
			return total, err
		}
		total += n
	}
}

// stamp gives the nanoseconds in which times are kept; 0 is no time.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// where gathers conditions that must all hold.
type where struct {
	terms []string
	args  []any
}

func (w *where) add(term string, args ...any) {
	w.terms = append(w.terms, term)
	w.args = append(w.args, args...)
}

// is adds column = value, unless value is empty.
func (w *where) is(column, value string) {
	if value != "" {
		w.add(column+" = ?", value)
	}
}

// between bounds column to [from, to); a zero time is no bound.
func (w *where) between(column string, from, to time.Time) {
	if !from.IsZero() {
		w.add(column+" >= ?", stamp(from))
	}
	if !to.IsZero() {
		w.add(column+" < ?", stamp(to))
	}
}

func (w *where) String() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// like gives a LIKE pattern that finds text anywhere, with \ as its ESCAPE.
func like(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(text) + "%"
}

// pageCursor names the last row of a page: the time that pages go by, and the
// id that tells rows of one time apart.
func pageCursor(at int64, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(at, 36) + "." + id))
}

func readCursor(cursor string) (at int64, id string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, "", ErrCursor
	}
	text, id, ok := strings.Cut(string(b), ".")
	if at, err = strconv.ParseInt(text, 36, 64); err != nil || !ok {
		return 0, "", ErrCursor
	}
	return at, id, nil
}

// Pages have 50 rows unless asked otherwise, and at most 500.
const (
	defaultPage = 50
	maxPage     = 500
)

func pageSize(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, maxPage)
}
