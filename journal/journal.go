package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Options say where a journal is and how it behaves. The zero value is ready
// for use but for Dir.
type Options struct {
	// Dir holds the embedded server's files. It is made if missing. Required
	// unless URL is given.
	Dir string

	// URL is the address of a NATS cluster with JetStream, which is used in
	// place of the embedded server. Default empty.
	URL string

	// Replicas is the number of servers that keep each frame, with URL only.
	// Default 3. Fewer than 3 do not survive the loss of a server.
	Replicas int

	// ReserveBytes is the free space on Dir's disk below which appends are
	// refused. Default 64 MiB; negative switches the check off. Too low and the
	// server may meet a full disk, which costs a restart of it; too high and
	// space is left unused.
	ReserveBytes int64

	// MaxBytes bounds logs by name, and goes before LogOptions.MaxBytes.
	MaxBytes map[string]int64

	// Timeout bounds the wait for one frame to be durable. Default 5 s. Too
	// short refuses what a slow disk would have kept.
	Timeout time.Duration

	// Logger gets what the server complains of, and its restarts. It never gets
	// an item. Default slog.Default.
	Logger *slog.Logger

	// freeBytes measures the space on Dir's disk, for tests. Nil asks the
	// system.
	freeBytes func(dir string) (int64, error)
}

func (o Options) withDefaults() Options {
	o.Replicas = cmp.Or(o.Replicas, 3)
	if o.URL == "" {
		o.Replicas = 1
	}
	o.ReserveBytes = cmp.Or(o.ReserveBytes, 64<<20)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.freeBytes == nil {
		o.freeBytes = freeBytes
	}
	return o
}

var (
	// ErrNotDurable is every reason why a frame is not known to be durable. To
	// try again later is right; the frame may then be there twice.
	ErrNotDurable = errors.New("journal: not durable")

	// ErrClosed is an operation on a closed Journal, Committer or Reader.
	ErrClosed = errors.New("journal: closed")

	// ErrNoFrame is a sequence that was never written, was purged or aged out.
	ErrNoFrame = errors.New("journal: no such frame")
)

// A Journal holds logs. It is safe for many goroutines. Close it when its
// writers and readers are done.
type Journal struct {
	opts   Options
	lock   *dirLock // nil with a cluster
	engine *engine  // nil with a cluster
	space  *space   // nil with a cluster

	// Frames are written on one connection and all else goes over the other, so
	// that no acknowledgement waits behind what a reader catches up on.
	writes, reads   *nats.Conn
	writer, control jetstream.JetStream

	ctx     context.Context // ends with ErrClosed as its cause
	cancel  context.CancelCauseFunc
	readers sync.WaitGroup

	mu      sync.Mutex
	renewed context.Context // ends, and is replaced, when reads is connected again
	endOld  context.CancelFunc

	closing  sync.Once
	closeErr error
}

// Open starts the embedded server on o.Dir, or connects to the cluster of
// o.URL. It fails if another process holds the directory, or if a log in it
// cannot be read. It returns early if ctx ends.
func Open(ctx context.Context, o Options) (*Journal, error) {
	j, err := open(ctx, o.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", cmp.Or(o.URL, o.Dir, "(no directory given)"), err)
	}
	return j, nil
}

func open(ctx context.Context, o Options) (*Journal, error) {
	j := &Journal{opts: o}
	j.ctx, j.cancel = context.WithCancelCause(context.Background())
	j.renewed, j.endOld = context.WithCancel(j.ctx)
	if o.URL == "" {
		if err := j.embed(ctx); err != nil {
			return nil, errors.Join(err, j.Close())
		}
	}
	if err := j.connect(); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	if j.engine != nil {
		j.engine.watch(j.connected)
	}
	return j, nil
}

// embed takes the directory and starts the server on it.
func (j *Journal) embed(ctx context.Context) (err error) {
	if j.opts.Dir == "" {
		return errors.New("give a data directory")
	}
	if j.lock, err = lockDir(j.opts.Dir); err != nil {
		return err
	}
	j.space = &space{dir: j.opts.Dir, reserve: j.opts.ReserveBytes, free: j.opts.freeBytes}
	j.engine = newEngine(j.opts.Dir, j.opts.Logger)
	return j.engine.start(ctx)
}

func (j *Journal) connect() (err error) {
	if j.writes, err = j.dial("signal journal writes"); err != nil {
		return err
	}
	if j.reads, err = j.dial("signal journal reads", nats.ReconnectHandler(j.renew)); err != nil {
		return err
	}
	if j.writer, err = jetstream.New(j.writes); err != nil {
		return err
	}
	j.control, err = jetstream.New(j.reads)
	return err
}

func (j *Journal) dial(name string, more ...nats.Option) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name(name),
		nats.MaxReconnects(-1),
		// A publish on a lost connection fails at once, so that no frame is
		// stored after its writer was told that it is not.
		nats.ReconnectBufSize(-1),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			j.opts.Logger.Warn("journal connection", "connection", name, "error", err)
		}),
	}
	if j.engine != nil {
		opts = append(opts, nats.InProcessServer(j.engine),
			nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0))
	}
	nc, err := nats.Connect(j.opts.URL, append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return nc, nil
}

// renew tells the readers that what the server knew of them may be gone.
func (j *Journal) renew(*nats.Conn) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.endOld()
	j.renewed, j.endOld = context.WithCancel(j.ctx)
}

// renewal ends when the connection of the readers is a new one.
func (j *Journal) renewal() context.Context {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.renewed
}

// ask makes a request that does no harm twice. It is repeated while the server
// is away, until Options.Timeout.
func (j *Journal) ask(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, j.opts.Timeout)
	defer cancel()
	stop := context.AfterFunc(j.ctx, cancel)
	defer stop()
	for {
		renewed := j.renewal()
		try, end := context.WithCancel(ctx)
		unhook := context.AfterFunc(renewed, end) // the answer was lost with the connection
		err := request(try)
		unhook()
		end()
		if err == nil || answered(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return j.cause(err)
		case <-renewed.Done():
		case <-time.After(firstRetry):
		}
	}
}

// answered reports whether err is the server's own word, other than that it
// cannot answer at the moment.
func answered(err error) bool {
	js, ok := errors.AsType[jetstream.JetStreamError](err)
	return ok && js.APIError() != nil && js.APIError().Code != 503
}

func (j *Journal) connected() bool { return j.writes.IsConnected() && j.reads.IsConnected() }

// Conn gives a connection for core subjects, such as live traces. It stays the
// same when the embedded server is restarted, and belongs to the journal: do
// not close it. Publishing on it fails while the server is away.
func (j *Journal) Conn() *nats.Conn { return j.reads }

// Ready says why frames are refused at the moment, or nil. It is cheap.
func (j *Journal) Ready() error { return j.admit(0) }

// admit says why a frame of that size would be refused before it is tried.
func (j *Journal) admit(size int) error {
	if j.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, ErrClosed)
	}
	if j.engine == nil {
		return nil
	}
	if err := j.engine.broken(); err != nil {
		return fmt.Errorf("%w: the embedded server is being restarted: %w", ErrNotDurable, err)
	}
	if err := j.space.take(size); err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return nil
}

// Close stops the readers and the server, and unlocks the directory. Appends
// under way fail with ErrNotDurable. It may be called twice.
func (j *Journal) Close() error {
	j.closing.Do(func() { j.closeErr = j.close() })
	return j.closeErr
}

func (j *Journal) close() error {
	// Read and Close take turns, so that no reader begins behind the wait.
	j.mu.Lock()
	j.cancel(ErrClosed)
	j.mu.Unlock()
	j.endOld()
	j.readers.Wait()
	for _, nc := range []*nats.Conn{j.writes, j.reads} {
		if nc != nil {
			nc.Close()
		}
	}
	if j.engine != nil {
		j.engine.stop()
	}
	if j.lock != nil {
		return j.lock.release()
	}
	return nil
}
