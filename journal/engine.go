package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// watchEvery is the pause between two looks at the publishes in flight. One
	// that saw none answered in between asks the server how it is.
	watchEvery = 250 * time.Millisecond

	// A restart that fails is tried again after a pause that doubles from the
	// first to the last. It starts over when a server lasted for healthyAfter.
	firstPause   = 100 * time.Millisecond
	lastPause    = 10 * time.Second
	healthyAfter = time.Minute
)

var errStopped = errors.New("the embedded server is stopped")

// An engine is the embedded server, and what replaces it when it fails: the
// server takes no more writes for good once its disk refused one, and gives the
// publisher no answer then.
type engine struct {
	opts server.Options
	log  *slog.Logger

	inFlight, answered atomic.Int64
	doubt              chan struct{} // asks for a check before the next look

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when the watch has ended; nil before it began

	mu    sync.Mutex
	srv   *server.Server  // nil while there is none
	fault error           // why there is none
	life  context.Context // ends when srv is given up, with the fault as its cause
	end   context.CancelCauseFunc
}

func newEngine(dir string, log *slog.Logger) *engine {
	e := &engine{
		log:   log,
		doubt: make(chan struct{}, 1),
		fault: errStopped,
		opts: server.Options{
			ServerName:             "signal-journal",
			DontListen:             true,
			NoSigs:                 true,
			NoLog:                  true,
			NoSystemAccount:        true,
			DisableJetStreamBanner: true,

			JetStream:          true,
			StoreDir:           dir,
			SyncAlways:         true,    // fsync before the acknowledgement
			JetStreamMaxStore:  1 << 60, // the logs' own limits and ReserveBytes hold
			JetStreamMaxMemory: 1 << 30, // nothing is stored there but cursors
			MaxPayload:         MaxFrameSize,
			// Readers bound what they ask for, so the server need not cut off a
			// connection for what is under way to it.
			MaxPending:    1 << 30,
			WriteDeadline: time.Minute,
		},
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.life, e.end = context.WithCancelCause(context.Background())
	return e
}

// start brings up the first server. It returns early if ctx ends; the server is
// shut down then.
func (e *engine) start(ctx context.Context) error {
	type outcome struct {
		srv *server.Server
		err error
	}
	up := make(chan outcome, 1)
	go func() {
		srv, err := e.launch()
		up <- outcome{srv, err}
	}()
	select {
	case o := <-up:
		if o.err == nil {
			e.install(o.srv)
		}
		return o.err
	case <-ctx.Done():
		if o := <-up; o.err == nil {
			shutDown(o.srv)
		}
		return ctx.Err()
	}
}

// readyWithin is how long a server may take from its start until it is ready. It
// takes a millisecond; on a busy machine that may be seconds later.
const readyWithin = 10 * time.Second

// launch starts a server and makes sure that it has read all logs.
func (e *engine) launch() (*server.Server, error) {
	opts := e.opts
	srv, err := server.NewServer(&opts)
	if err != nil {
		return nil, fmt.Errorf("embedded server: %w", err)
	}
	log := &serverLog{to: e.log}
	srv.SetLoggerV2(log, false, false, false)
	srv.Start()
	if err := errors.Join(log.fatal(), check(srv)); err != nil {
		shutDown(srv)
		return nil, err
	}
	return srv, nil
}

// check says what keeps a server from storing frames: JetStream is off, a log
// was not read back, or a log met a write error.
func check(srv *server.Server) error {
	h := srv.Healthz(&server.HealthzOptions{Details: true})
	if h.StatusCode >= 400 && srv.ReadyForConnections(readyWithin) {
		// Its own look lasts a millisecond, for which a busy machine may be away.
		h = srv.Healthz(&server.HealthzOptions{Details: true})
	}
	var errs []error
	for _, e := range h.Errors {
		errs = append(errs, fmt.Errorf("embedded server: %s", e.Error))
	}
	if len(errs) == 0 && h.StatusCode >= 400 {
		errs = append(errs, fmt.Errorf("embedded server: %s", h.Status))
	}
	return errors.Join(errs...)
}

func shutDown(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}

// InProcessConn connects to the server of the moment.
func (e *engine) InProcessConn() (net.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.srv == nil {
		return nil, e.fault
	}
	return e.srv.InProcessConn()
}

// broken says why there is no server, or nil.
func (e *engine) broken() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fault
}

// publishing notes a publish in flight until answered is called. life ends if
// the server is given up before.
func (e *engine) publishing() (life context.Context, answered func()) {
	e.inFlight.Add(1)
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.life, func() {
		e.answered.Add(1)
		e.inFlight.Add(-1)
	}
}

// suspect asks for a look at the server, after a publish failed.
func (e *engine) suspect() {
	select {
	case e.doubt <- struct{}{}:
	default: // one is asked for already
	}
}

// watch looks after the server until stop. connected says whether the clients
// have reached a restarted one.
func (e *engine) watch(connected func() bool) {
	e.done = make(chan struct{})
	go func() {
		defer close(e.done)
		e.look(connected)
	}()
}

func (e *engine) look(connected func() bool) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var before int64
	started, pause := time.Now(), firstPause
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-e.doubt:
		case <-tick.C:
			answered := e.answered.Load()
			stuck := e.inFlight.Load() > 0 && answered == before
			before = answered
			if !stuck {
				continue
			}
		}
		err := check(e.srv)
		if err == nil {
			continue
		}
		if time.Since(started) > healthyAfter {
			pause = firstPause
		}
		pause = e.restart(err, pause, connected)
		started = time.Now()
	}
}

// restart replaces the server, however often it takes, and gives the pause that
// the next restart begins with.
func (e *engine) restart(fault error, pause time.Duration, connected func() bool) time.Duration {
	e.log.Error("journal: the embedded server failed and is restarted", "error", fault)
	shutDown(e.giveUp(fault))
	for e.wait(pause) {
		pause = min(2*pause, lastPause)
		srv, err := e.launch()
		if err != nil {
			e.log.Error("journal: the embedded server does not start; it is tried again", "pause", pause, "error", err)
			continue
		}
		e.install(srv)
		e.meet(connected)
		e.log.Info("journal: the embedded server is back")
		break
	}
	return pause
}

// wait reports whether d passed before the engine was stopped.
func (e *engine) wait(d time.Duration) bool {
	select {
	case <-e.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// meet waits until the clients are connected, but not for ever.
func (e *engine) meet(connected func() bool) {
	for end := time.Now().Add(5 * time.Second); !connected() && time.Now().Before(end); {
		if !e.wait(5 * time.Millisecond) {
			return
		}
	}
}

func (e *engine) install(srv *server.Server) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.srv, e.fault = srv, nil
	e.life, e.end = context.WithCancelCause(context.Background())
}

// giveUp takes the server away from its clients.
func (e *engine) giveUp(fault error) *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	srv := e.srv
	e.end(fault)
	e.srv, e.fault = nil, fault
	return srv
}

// stop ends the watch and the server.
func (e *engine) stop() {
	e.cancel()
	if e.done != nil {
		<-e.done
	}
	if srv := e.giveUp(errStopped); srv != nil {
		shutDown(srv)
	}
}
