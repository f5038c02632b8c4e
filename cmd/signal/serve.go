package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/collector"
	"github.com/datafly/signal/config"
	"github.com/datafly/signal/console"
	"github.com/datafly/signal/delivery"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/ingest"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/ledger"
	"github.com/datafly/signal/ops"
	"github.com/datafly/signal/process"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/store/sqlite"
	"github.com/datafly/signal/trace"
)

type serveCmd struct {
	Config      string   `help:"The configuration." default:"signal.yaml" env:"SIGNAL_CONFIG" placeholder:"FILE"`
	Data        string   `help:"Folder of the journal and the database; goes over the file." env:"SIGNAL_DATA" placeholder:"DIR"`
	GatewayAddr string   `help:"Address that takes events; goes over the file." env:"SIGNAL_GATEWAY_ADDR" placeholder:"HOST:PORT"`
	ConsoleAddr string   `help:"Address of console and Management API; goes over the file." env:"SIGNAL_CONSOLE_ADDR" placeholder:"HOST:PORT"`
	Role        []string `help:"What this process does: gateway, worker, console." default:"gateway,worker,console" env:"SIGNAL_ROLE" placeholder:"ROLE"`
	LogFormat   string   `help:"text or json." default:"text" env:"SIGNAL_LOG_FORMAT"`
	LogLevel    string   `help:"debug, info, warn or error." default:"info" env:"SIGNAL_LOG_LEVEL"`
}

func (c *serveCmd) Run(ctx context.Context, s streams) error {
	cfg, err := config.Load(c.Config, vendors())
	if err != nil {
		return err
	}
	log, err := ops.Log(s.err, c.LogFormat, c.LogLevel)
	if err != nil {
		return usage{err}
	}
	for _, r := range c.Role {
		if !slices.Contains(roles, r) {
			return usage{fmt.Errorf("--role: %q is not known: use gateway, worker, console", r)}
		}
	}
	for _, o := range []struct{ from, to *string }{{&c.Data, &cfg.Data}, {&c.GatewayAddr, &cfg.GatewayAddr}, {&c.ConsoleAddr, &cfg.ConsoleAddr}} {
		if *o.from != "" {
			*o.to = *o.from
		}
	}
	return serve(ctx, cfg, serveOptions{roles: c.Role, log: log, started: func(ctx context.Context, srv *server) error {
		return srv.invite(ctx, s.out)
	}})
}

var roles = []string{"gateway", "worker", "console"}

// serveOptions are what serve needs beside the configuration.
type serveOptions struct {
	roles []string // none means all
	log   *slog.Logger
	// started is called once everything runs; nil is not called.
	started func(ctx context.Context, s *server) error
}

func (o serveOptions) does(role string) bool {
	return len(o.roles) == 0 || slices.Contains(o.roles, role)
}

// server is one running Signal. The fields stand in the order of an event's way.
type server struct {
	cfg  *config.Config
	opts serveOptions
	log  *slog.Logger

	gatewayAt, consoleAt net.Listener

	store   *store.Store
	journal *journal.Journal
	hub     *trace.Hub
	tap     trace.Tap
	sampler *trace.Sampler

	events    *journal.Log
	committer *journal.Committer
	gateway   *ingest.Gateway
	refused   *tallies

	worker   *process.Worker
	reports  map[string]*journal.Log
	couriers []*delivery.Courier
	ledger   *journal.Log
	counter  *ledger.Counter

	console http.Handler

	totalsMu sync.Mutex // guards what /metrics shows
	totalsAt time.Time
	totalsOf store.Totals
}

// serve runs a server until ctx ends: 0 once what was under way is finished.
func serve(ctx context.Context, cfg *config.Config, o serveOptions) error {
	began := time.Now()
	s := &server{cfg: cfg, opts: o, log: o.log, reports: map[string]*journal.Log{}}
	if err := s.listen(); err != nil {
		return err
	}
	defer s.close()
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := s.wire(ctx); err != nil {
		return err
	}
	return s.run(ctx, began)
}

// listen binds the addresses first, so that one in use is said before anything
// is touched.
func (s *server) listen() error {
	for _, l := range []struct {
		role, setting, addr string
		into                *net.Listener
	}{{"gateway", "gateway.addr", s.cfg.GatewayAddr, &s.gatewayAt}, {"console", "console.addr", s.cfg.ConsoleAddr, &s.consoleAt}} {
		if !s.opts.does(l.role) {
			continue
		}
		at, err := net.Listen("tcp", l.addr)
		if err != nil {
			return fmt.Errorf("%s: cannot listen on %s: %w: stop what uses it, or choose another address", l.setting, l.addr, err)
		}
		*l.into = at
	}
	return nil
}

// open opens what is on disk.
func (s *server) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.cfg.Data, 0o700); err != nil {
		return fmt.Errorf("data: %w: name a folder that can be written to", err)
	}
	if s.journal, err = journal.Open(ctx, journal.Options{Dir: filepath.Join(s.cfg.Data, "journal"), Logger: s.log}); err != nil {
		return err
	}
	if s.store, err = sqlite.Open(ctx, filepath.Join(s.cfg.Data, "signal.db")); err != nil {
		return err
	}
	if s.events, err = s.journal.Log(ctx, logEvents, journal.LogOptions{}); err != nil {
		return err
	}
	if s.ledger, err = s.journal.Log(ctx, logLedger, journal.LogOptions{}); err != nil {
		return err
	}
	for _, p := range s.cfg.Pipelines {
		for _, in := range p.Integrations {
			if s.reports[in.ID], err = s.journal.Log(ctx, logReports(in.ID), journal.LogOptions{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Names of the journals.
const (
	logEvents = "events"
	logLedger = "ledger"
)

func logReports(integration string) string { return "reports." + integration }

// wire makes the parts, from the gateway down.
func (s *server) wire(ctx context.Context) error {
	salt, err := s.store.Salt(ctx)
	if err != nil {
		return err
	}
	s.hub, s.tap = trace.NewHub(trace.Options{Sink: s.store, Logger: s.log})
	s.sampler = trace.NewSampler(0)
	s.refused = newTallies()

	s.committer = journal.NewCommitter(s.events, journal.CommitterOptions{})
	s.gateway = ingest.New(ingest.Options{
		Pipelines: s.cfg.Pipelines, Committer: s.committer, TrustedProxies: s.cfg.TrustedProxies,
		CookieDomain: s.cfg.CookieDomain, DedupeWindow: s.cfg.DedupeWindow,
		Collector: collector.Handler(), Log: s.log, Count: s.refused.count,
		Ready: func(context.Context) error { return s.journal.Ready() },
	})
	if err := s.rememberRepeats(ctx); err != nil {
		return err
	}

	running := pipelines(s.cfg, false)
	s.worker = process.New(process.Options{
		Pipelines: running, Events: s.events, Reports: s.reports, Ledger: s.ledger,
		Store: s.store, Salt: salt, Tap: s.tap, Sample: s.sampler.Sample, Log: s.log,
	})
	for _, p := range running {
		for _, r := range p.Routes {
			s.couriers = append(s.couriers, s.courier(r))
		}
	}
	s.counter = ledger.NewCounter(s.ledger, s.store, s.log)
	s.console, err = console.New(s.consoleOptions())
	return err
}

func (s *server) courier(r process.Route) *delivery.Courier {
	o := delivery.Options{
		Integration: r.Integration, Connection: r.Connection, Reports: s.reports[r.ID], Ledger: s.ledger,
		Store: s.store, Allowed: s.worker.Allowed, Tap: s.tap, Log: s.log,
	}
	if p, ok := r.Connection.(integrations.Paced); ok {
		o.PerSecond, o.Concurrency = p.Rate()
	}
	return delivery.New(o)
}

// rememberRepeats reads the message ids of the last minutes, so that a repeat
// is known for one across a restart.
func (s *server) rememberRepeats(ctx context.Context) error {
	since, err := s.events.Since(ctx, time.Now().Add(-s.cfg.DedupeWindow))
	if err != nil {
		return err
	}
	return s.events.Each(ctx, since, func(f journal.Frame) error {
		for _, raw := range f.Items {
			if r, err := event.ParseReceived(raw); err == nil {
				s.gateway.Remember(r.Pipeline, r.MessageID, r.ReceivedAt)
			}
		}
		return nil
	})
}

// run starts the parts from the end of the way to its beginning, and stops them
// the other way round: nothing is taken that cannot go on.
func (s *server) run(ctx context.Context, began time.Time) error {
	failed := make(chan error, 16)
	var stops []func()
	start := func(name string, run func(context.Context) error) {
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := run(ctx); err != nil {
				failed <- fmt.Errorf("%s: %w", name, err)
			}
		})
		stops = append(stops, func() { cancel(); wg.Wait() })
	}
	start("debugger", func(ctx context.Context) error { s.hub.Run(ctx); return nil })
	if s.opts.does("console") {
		start("console", func(ctx context.Context) error { return serveHTTP(ctx, s.consoleAt, s.console) })
	}
	if s.opts.does("worker") {
		start("counts", s.counter.Run)
		start("retention", s.keepTidy)
		for _, c := range s.couriers {
			start("delivery", c.Run)
		}
		start("processing", s.worker.Run)
	}
	start("refusals", s.writeRefusals)
	if s.opts.does("gateway") {
		start("gateway", func(ctx context.Context) error { return serveHTTP(ctx, s.gatewayAt, s.gateway.Handler()) })
	}
	s.log.Info("signal runs", "version", ops.Current().Version, "gateway", address(s.gatewayAt), "console", address(s.consoleAt),
		"data", s.cfg.Data, "pipelines", len(s.cfg.Pipelines), "integrations", len(s.couriers), "took", time.Since(began).Round(time.Millisecond))

	var err error
	if s.opts.started != nil {
		start("greeting", func(ctx context.Context) error { return s.opts.started(ctx, s) })
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.log.Info("signal stops", "finishing", "what is under way")
	for _, stop := range slices.Backward(stops) {
		stop()
	}
	close(failed)
	for e := range failed {
		err = errors.Join(err, e)
	}
	return err
}

// invite prints the link by which the first account is made, while there is
// none. It is for the person who starts the server, and no log line.
func (s *server) invite(ctx context.Context, out io.Writer) error {
	if !s.opts.does("console") {
		return nil
	}
	token, until, err := auth.NewSetup(ctx, s.store)
	if err != nil || token == "" {
		return err
	}
	_, err = fmt.Fprintf(out, "Make the first account: %s/setup/%s\nThe link works once, until %s. Start again for another.\n", address(s.consoleAt), token, until.Local().Format("15:04"))
	return err
}

func address(l net.Listener) string {
	if l == nil {
		return ""
	}
	return "http://" + strings.Replace(l.Addr().String(), "[::]", "127.0.0.1", 1)
}

// serveHTTP serves until ctx ends, then lets requests finish for 10 s.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler: h, BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	var stopping sync.WaitGroup
	stopping.Go(func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := srv.Shutdown(grace); err != nil {
			_ = srv.Close() // what is left does not end by itself
		}
	})
	if err := srv.Serve(l); ctx.Err() == nil {
		return err
	}
	stopping.Wait()
	return nil
}

// close lets go of everything, in the order opposite to open. It is called
// after run, or when the start failed half-way.
func (s *server) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, l := range []net.Listener{s.gatewayAt, s.consoleAt} {
		if l != nil {
			_ = l.Close() // closed already when it was served
		}
	}
	if s.committer != nil {
		if err := s.committer.Close(ctx); err != nil {
			s.log.Error("the committer did not finish", "error", err)
		}
	}
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.log.Error("the store did not close", "error", err)
		}
	}
	if s.journal != nil {
		if err := s.journal.Close(); err != nil {
			s.log.Error("the journal did not close", "error", err)
		}
	}
}
