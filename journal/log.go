package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// LogOptions bound what a log keeps.
type LogOptions struct {
	// MaxAge is how long frames are kept. Default 0: until they are purged.
	MaxAge time.Duration

	// MaxBytes is the most that the log's frames may take on disk. A log that
	// is full refuses frames until old ones age out or are purged. Default 0:
	// as much as the disk has. Options.MaxBytes goes before it.
	MaxBytes int64
}

// appendsInFlight is how many frames of one log may wait for the server at the
// same time. It syncs them one after the other, so more would only take memory.
const appendsInFlight = 4

// A Log is frames in the order of their sequences, from 1. It is safe for many
// goroutines.
type Log struct {
	j       *Journal
	name    string
	subject string
	stream  jetstream.Stream
	slots   chan struct{} // holds one element for each append in flight
}

// Log opens the log of that name and makes it if there is none. Any name but
// the empty one is allowed. Options given later apply to the frames that are
// there too.
func (j *Journal) Log(ctx context.Context, name string, o LogOptions) (*Log, error) {
	if name == "" {
		return nil, errors.New("open log: give it a name")
	}
	if n, ok := j.opts.MaxBytes[name]; ok {
		o.MaxBytes = n
	}
	var s jetstream.Stream
	err := j.ask(ctx, func(ctx context.Context) (err error) {
		s, err = j.stream(ctx, j.streamConfig(name, o))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open log %q: %w", name, err)
	}
	return &Log{
		j: j, name: name, subject: subject(name), stream: s,
		slots: make(chan struct{}, appendsInFlight),
	}, nil
}

// stream finds the stream of a log, or makes it. One that is as it should be is
// left alone: an update writes to the disk, which may be full.
func (j *Journal) stream(ctx context.Context, want jetstream.StreamConfig) (jetstream.Stream, error) {
	s, err := j.control.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return j.control.CreateStream(ctx, want)
	}
	if err != nil {
		return nil, err
	}
	have := s.CachedInfo().Config
	if have.MaxAge == want.MaxAge && have.MaxBytes == want.MaxBytes && have.Discard == want.Discard &&
		have.Replicas == want.Replicas && have.AllowDirect == want.AllowDirect {
		return s, nil
	}
	return j.control.UpdateStream(ctx, want)
}

func (j *Journal) streamConfig(name string, o LogOptions) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        streamName(name),
		Description: describes + name,
		Subjects:    []string{subject(name)},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxAge:      o.MaxAge,
		MaxBytes:    noLimit(o.MaxBytes),
		Replicas:    j.opts.Replicas,
		// Frames carry no message id, so nothing is held for duplicates.
		Duplicates: 100 * time.Millisecond,
		// A follower may lag, and would deny a frame that is there.
		AllowDirect: j.opts.Replicas == 1,
	}
}

// noLimit writes 0 as the server does, where 0 bytes would be none at all.
func noLimit(n int64) int64 {
	if n <= 0 {
		return -1
	}
	return n
}

// Name is what the log was opened by.
func (l *Log) Name() string { return l.name }

// Append writes one frame and returns its sequence once it is durable. Frames
// of one goroutine stand in the order of its calls. A frame holds at most
// MaxFrameSize bytes, else ErrTooLarge; any other error is an ErrNotDurable,
// after which the frame may be in the log all the same. meta and items are not
// kept.
func (l *Log) Append(ctx context.Context, meta []byte, items [][]byte) (seq uint64, err error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	if *buf, err = AppendFrame((*buf)[:0], meta, items); err != nil {
		return 0, fmt.Errorf("append to log %q: %w", l.name, err)
	}
	return l.publish(ctx, *buf)
}

// publish writes one encoded frame.
func (l *Log) publish(ctx context.Context, frame []byte) (uint64, error) {
	if n := l.j.writes.MaxPayload(); int64(len(frame)) > n && n > 0 {
		return 0, fmt.Errorf("append to log %q: %w: a frame of %d bytes, and max_payload of the NATS server is %d; raise it to %d",
			l.name, ErrTooLarge, len(frame), n, MaxFrameSize)
	}
	seq, err := l.tryPublish(ctx, frame)
	if err != nil && !errors.Is(err, ErrNotDurable) {
		err = fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	if err != nil {
		return 0, fmt.Errorf("append to log %q: %w", l.name, err)
	}
	return seq, nil
}

func (l *Log) tryPublish(ctx context.Context, frame []byte) (uint64, error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-l.j.ctx.Done():
		return 0, ErrClosed
	}
	if err := l.j.admit(len(frame)); err != nil {
		return 0, err
	}
	ctx, done := l.j.publishing(ctx)
	defer done()
	ack, err := l.j.writer.PublishMsg(ctx, &nats.Msg{Subject: l.subject, Data: frame})
	if err == nil && (ack.Stream != streamName(l.name) || ack.Sequence == 0) {
		return 0, fmt.Errorf("stream %q answered for this log; no other stream may take %q", ack.Stream, l.subject)
	}
	if err != nil {
		return 0, l.j.refusal(ctx, err)
	}
	return ack.Sequence, nil
}

var errNoAnswer = errors.New("no answer in time")

// publishing bounds one publish: by the timeout, by the journal's end, and by
// the end of the embedded server.
func (j *Journal) publishing(ctx context.Context) (context.Context, func()) {
	ctx, give := context.WithCancelCause(ctx)
	ctx, stop := context.WithTimeoutCause(ctx, j.opts.Timeout, errNoAnswer)
	closed := context.AfterFunc(j.ctx, func() { give(ErrClosed) })
	done := func() { closed(); stop(); give(nil) }
	if j.engine == nil {
		return ctx, done
	}
	life, answer := j.engine.publishing()
	failed := context.AfterFunc(life, func() { give(context.Cause(life)) })
	return ctx, func() { failed(); answer(); done() }
}

// refusal words a failed publish, and has the embedded server looked at if it
// did not answer.
func (j *Journal) refusal(ctx context.Context, err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		if api.ErrorCode == storeFailed {
			return fmt.Errorf("the log is full: %w; raise its size, or purge it", err)
		}
		return err
	}
	if j.engine != nil {
		j.engine.suspect()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return j.cause(err)
}

// storeFailed is the server's code for a frame over the log's MaxBytes.
const storeFailed jetstream.ErrorCode = 10077

// cause is ErrClosed for what failed because the journal is closed.
func (j *Journal) cause(err error) error {
	if j.ctx.Err() != nil {
		return ErrClosed
	}
	return err
}

// Bounds gives the sequences of the first frame that is kept and of the last
// that was ever written, purged or not. Of an empty log first is last+1.
func (l *Log) Bounds(ctx context.Context) (first, last uint64, err error) {
	var info *jetstream.StreamInfo
	err = l.j.ask(ctx, func(ctx context.Context) (err error) {
		info, err = l.stream.Info(ctx)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("bounds of log %q: %w", l.name, err)
	}
	if info.State.Msgs == 0 {
		return info.State.LastSeq + 1, info.State.LastSeq, nil
	}
	return info.State.FirstSeq, info.State.LastSeq, nil
}

// Frame reads one frame. The error is ErrNoFrame if it is not there.
func (l *Log) Frame(ctx context.Context, seq uint64) (Frame, error) {
	f, err := l.frame(ctx, seq)
	if err != nil {
		return Frame{}, fmt.Errorf("read frame %d of log %q: %w", seq, l.name, err)
	}
	return f, nil
}

func (l *Log) frame(ctx context.Context, seq uint64) (Frame, error) {
	if seq == 0 {
		return Frame{}, ErrNoFrame
	}
	var msg *jetstream.RawStreamMsg
	err := l.j.ask(ctx, func(ctx context.Context) (err error) {
		msg, err = l.stream.GetMsg(ctx, seq)
		return err
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Frame{}, ErrNoFrame
	}
	if err != nil {
		return Frame{}, err
	}
	meta, items, err := DecodeFrame(msg.Data)
	return Frame{Seq: msg.Sequence, At: msg.Time, Meta: meta, Items: items}, err
}

// Since gives the sequence of the first frame that was stored at or after t,
// and last+1 if there is none. It goes by the server's clock.
func (l *Log) Since(ctx context.Context, t time.Time) (seq uint64, err error) {
	_, last, err := l.Bounds(ctx)
	if err != nil {
		return 0, err
	}
	err = l.j.ask(ctx, func(ctx context.Context) error {
		seq, err = l.since(ctx, t)
		return err
	})
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return last + 1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("search log %q by time: %w", l.name, err)
	}
	return seq, nil
}

// since asks the server. The client library has no call for it.
func (l *Log) since(ctx context.Context, t time.Time) (uint64, error) {
	req, err := json.Marshal(map[string]any{"start_time": t.UTC(), "next_by_subj": l.subject})
	if err != nil {
		return 0, err
	}
	msg, err := l.j.reads.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+streamName(l.name), req)
	if err != nil {
		return 0, err
	}
	var resp struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Seq uint64 `json:"seq"`
		} `json:"message"`
	}
	if err := json.Unmarshal(msg.Data, &resp); err != nil {
		return 0, err
	}
	if resp.Error != nil {
		return 0, resp.Error
	}
	return resp.Message.Seq, nil
}

// Purge drops the frames with sequences below before. Sequences go on where
// they were. A before beyond the end drops all frames there are at the moment.
func (l *Log) Purge(ctx context.Context, before uint64) error {
	first, last, err := l.Bounds(ctx)
	if err != nil {
		return err
	}
	// The server would go on with the sequences from a purge beyond the end.
	before = min(before, last+1)
	if before <= first {
		return nil
	}
	err = l.j.ask(ctx, func(ctx context.Context) error {
		return l.stream.Purge(ctx, jetstream.WithPurgeSequence(before))
	})
	if err != nil {
		return fmt.Errorf("purge log %q: %w", l.name, err)
	}
	return nil
}
