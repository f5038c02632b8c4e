package journal

import (
	"context"
	"errors"
)

// Each gives the frames from a sequence on up to the end that the log has at
// the call, in order. It blocks until f has had the last, f fails, or ctx ends.
func (l *Log) Each(ctx context.Context, from uint64, f func(Frame) error) error {
	first, last, err := l.Bounds(ctx)
	if err != nil || max(from, first) > last {
		return err
	}
	r, err := l.Read(ctx, from)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		frame, ok, err := r.TryNext()
		if err == nil && !ok {
			// Were the last frame purged meanwhile, Next would wait for one to come.
			if _, err := l.Frame(ctx, last); errors.Is(err, ErrNoFrame) {
				return nil
			}
			frame, err = r.Next(ctx)
		}
		if err != nil {
			return err
		}
		if frame.Seq <= last {
			if err := f(frame); err != nil {
				return err
			}
		}
		if frame.Seq >= last {
			return nil
		}
	}
}
