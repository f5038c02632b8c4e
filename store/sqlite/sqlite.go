// Package sqlite opens a store in one file. It needs nothing installed and
// suits one machine: one writer at a time, any number of readers beside it.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/datafly/signal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks a file as ours: "Sgnl" in ASCII.
const applicationID = 0x53676e6c

// Open opens the store in a file, which is made when it is not there, with
// the folder that it is in, for the owner alone. It brings the tables up to
// date. A file of something else is left alone; the error names the path.
func Open(ctx context.Context, path string) (*store.Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	write, err := sql.Open("sqlite", source(path, writer))
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	// SQLite has one writer. Waiting for it here is fair and costs nothing,
	// while its own lock is polled.
	write.SetMaxOpenConns(1)
	if err := patiently(ctx, func() error { return prepare(ctx, write) }); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, errors.Join(explain(err), write.Close()))
	}
	read, err := sql.Open("sqlite", source(path, reader))
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, errors.Join(err, write.Close()))
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return store.New(write, read, store.Options{}), nil
}

// create makes the file, so that only its owner may read what is in it;
// SQLite gives the files beside it the same rights.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// Settings of a connection. A commit is on disk when it returns: synchronous
// FULL, for dead letters are only here.
var (
	common = []string{"busy_timeout(10000)", "foreign_keys(1)", "temp_store(MEMORY)", "cache_size(-16000)"}
	writer = append(slices.Clone(common), "journal_mode(WAL)", "synchronous(FULL)", "journal_size_limit(67108864)")
	reader = append(slices.Clone(common), "query_only(1)")
)

func source(path string, pragmas []string) string {
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

// errForeign and errNewer say what a person does about the file.
var (
	errForeign = errors.New("the file is a SQLite database of another program: give another data folder")
	errNewer   = errors.New("the file was written by a newer version of Signal: use that version, or another data folder")
)

// patience is how long Open waits for another process that is just making the
// file; patienceStep how often it looks.
const (
	patience     = 10 * time.Second
	patienceStep = 20 * time.Millisecond
)

// patiently runs f again while the file is locked. The change to a write-ahead
// log does not wait for a lock by itself, whatever busy_timeout says.
func patiently(ctx context.Context, f func() error) error {
	for began := time.Now(); ; {
		err := f()
		if !locked(err) || time.Since(began) > patience {
			return err
		}
		select {
		case <-time.After(patienceStep):
		case <-ctx.Done():
			return err
		}
	}
}

func locked(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
}

// prepare checks whose file it is and migrates it.
func prepare(ctx context.Context, db *sql.DB) error {
	var id, tables int
	// In this order: a file that another process is just making is marked
	// before it has tables.
	if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master`).Scan(&tables); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id); err != nil {
		return err
	}
	if id != applicationID && (id != 0 || tables > 0) {
		return errForeign
	}
	if id == 0 {
		if _, err := db.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID)); err != nil {
			return err
		}
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	return migrate(ctx, p)
}

// migrate brings the tables up to date. Each migration is one transaction; if
// another process was faster, its work is found the second time.
func migrate(ctx context.Context, p *goose.Provider) error {
	var failed error
	for range 3 {
		have, know, err := p.GetVersions(ctx)
		if err != nil {
			return err
		}
		if have > know {
			return errNewer
		}
		if have == know {
			return nil
		}
		if _, failed = p.Up(ctx); failed == nil {
			return nil
		}
	}
	return fmt.Errorf("migrate: %w", failed)
}

// explain gives the causes that a person can mend in their words.
func explain(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("the file is not a SQLite database: move it away, or give another data folder (%w)", err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("the file is damaged: restore it from a backup (%w)", err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("another program keeps the file locked: end it first (%w)", err)
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("the file or its folder cannot be written: change their rights (%w)", err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk is full: make room (%w)", err)
	}
	return err
}
