package lpsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Serve listens at addr, prints one line with the address to out, and serves a
// new simulator until ctx ends. Then it finishes what is under way, for at
// most 5 s, and returns nil.
func Serve(ctx context.Context, addr string, o Options, out io.Writer) error {
	if err := o.Check(); err != nil {
		return fmt.Errorf("simulator options: %w", err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("simulator: listen at %s: %w", addr, err)
	}
	if _, err := fmt.Fprintf(out, "LivePerson simulator (not LivePerson): http://%s/\n", l.Addr()); err != nil {
		_ = l.Close()
		return fmt.Errorf("simulator: print address: %w", err)
	}
	return New(o).ServeOn(ctx, l)
}

// ServeOn is Serve for a listener that is open already. It closes l.
func (s *Sim) ServeOn(ctx context.Context, l net.Listener) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler:           s.Handler(),
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelWarn),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("simulator: serve: %w", err)
	case <-ctx.Done():
	}
	cancel() // ends the streams of open pages and faults that wait
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	err := srv.Shutdown(grace)
	if err != nil {
		err = errors.Join(fmt.Errorf("simulator: drain: %w", err), srv.Close())
	}
	<-done
	return err
}
