package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// readAhead bounds the decoded frames that a Reader holds for its caller.
	// One frame more may be on its way in.
	readAhead = 8 << 20

	// A fetch asks the server for that much at once. It must hold the largest
	// frame, or the server would never send it.
	fetchFrames = 256
	fetchBytes  = MaxFrameSize + 64<<10

	// fetchFor is how long a fetch waits at the end of the log.
	fetchFor = 30 * time.Second

	// A cursor that is not asked for that long is forgotten by the server, and
	// made again by the reader.
	idleCursor = time.Minute

	// A reader that cannot read tries again after a pause that doubles.
	firstRetry = 10 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// A Reader gives the frames of a log in sequence, from its start on and then as
// they are written. It reads ahead up to 8 MiB, and stops asking when its
// caller stops taking. It is for one goroutine, but for Close. Close it.
type Reader struct {
	log    *Log
	ctx    context.Context // ends with ErrClosed as its cause
	cancel context.CancelCauseFunc
	done   chan struct{}

	ready, room chan struct{} // hold an element when there may be some

	mu      sync.Mutex
	queue   []entry
	bytes   int
	skipped uint64 // of the frames that Next has given
}

// An entry is a frame, or a frame that cannot be read and why.
type entry struct {
	frame   Frame
	err     error
	bytes   int
	skipped uint64 // sequences between this frame and the one before
}

// Read opens a reader that begins at from, or at the first frame kept if that
// is later. From beyond the end waits for it. From 0 is 1.
func (l *Log) Read(ctx context.Context, from uint64) (*Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read log %q: %w", l.name, err)
	}
	r := &Reader{
		log: l, done: make(chan struct{}),
		ready: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	l.j.mu.Lock()
	defer l.j.mu.Unlock()
	if l.j.ctx.Err() != nil {
		return nil, fmt.Errorf("read log %q: %w", l.name, ErrClosed)
	}
	r.ctx, r.cancel = context.WithCancelCause(l.j.ctx)
	l.j.readers.Go(func() {
		defer close(r.done)
		r.run(max(from, 1))
	})
	return r, nil
}

// Next gives the frame behind the last one and waits for it if need be. It ends
// early with ctx's error, or with ErrClosed when the reader or the journal is
// closed. What the server or the connection suffer meanwhile it waits out. On
// ErrCorrupt the Frame has its Seq, and the next call goes on behind it.
func (r *Reader) Next(ctx context.Context) (Frame, error) {
	for {
		f, ok, err := r.TryNext()
		if ok || err != nil {
			return f, err
		}
		select {
		case <-r.ready:
		case <-ctx.Done():
			return Frame{}, fmt.Errorf("read log %q: %w", r.log.name, ctx.Err())
		case <-r.ctx.Done():
		}
	}
}

// TryNext is Next for the frames that have arrived. It reports false, without
// waiting, when there is none, though one may be on its way.
func (r *Reader) TryNext() (Frame, bool, error) {
	if r.ctx.Err() != nil {
		return Frame{}, false, fmt.Errorf("read log %q: %w", r.log.name, ErrClosed)
	}
	e, ok := r.take()
	if !ok {
		return Frame{}, false, nil
	}
	if e.err != nil {
		return e.frame, false, fmt.Errorf("read frame %d of log %q: %w", e.frame.Seq, r.log.name, e.err)
	}
	return e.frame, true, nil
}

func (r *Reader) take() (entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		return entry{}, false
	}
	e := r.queue[0]
	r.queue[0] = entry{}
	r.queue = r.queue[1:]
	r.bytes -= e.bytes
	r.skipped += e.skipped
	notify(r.room)
	return e, true
}

// Skipped counts the sequences that were passed over since the reader's start,
// because their frames were purged or aged out before they were read. It
// covers what Next and TryNext have given so far.
func (r *Reader) Skipped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.skipped
}

// Close ends the reader and waits for its goroutine. It may be called twice,
// and while Next waits.
func (r *Reader) Close() {
	r.cancel(ErrClosed)
	<-r.done
}

// run keeps following the log from next on until the reader is closed.
func (r *Reader) run(next uint64) {
	pause := firstRetry
	for r.ctx.Err() == nil {
		renewed := r.log.j.renewal()
		reached, err := r.follow(renewed, next)
		if reached > next {
			pause = firstRetry
		}
		next = reached
		if err == nil {
			continue
		}
		if pause == lastRetry {
			r.log.j.opts.Logger.Warn("journal: a log cannot be read; it is tried again",
				"log", r.log.name, "from", next, "pause", pause, "error", err)
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, lastRetry)
		case <-renewed.Done():
		case <-r.ctx.Done():
		}
	}
}

// follow reads with one cursor of the server for as long as that is whole, and
// gives the sequence to go on with. renewed means that the cursor may be gone.
func (r *Reader) follow(renewed context.Context, next uint64) (uint64, error) {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	defer context.AfterFunc(renewed, cancel)()
	cursor, err := r.log.j.control.CreateConsumer(ctx, streamName(r.log.name), jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       next,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: idleCursor,
	})
	if err != nil {
		return next, err
	}
	defer r.drop(cursor)
	for delivered := uint64(0); ctx.Err() == nil; {
		next, delivered, err = r.fetch(ctx, cursor, next, delivered)
		if err != nil {
			return next, err
		}
	}
	return next, nil
}

// drop tells the server that the cursor is done with. If it does not hear, it
// finds out by itself.
func (r *Reader) drop(cursor jetstream.Consumer) {
	if r.log.j.ctx.Err() != nil || !r.log.j.reads.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(r.log.j.ctx, time.Second)
	defer cancel()
	_ = r.log.j.control.DeleteConsumer(ctx, streamName(r.log.name), cursor.CachedInfo().Name)
}

var errLostFrames = errors.New("frames were lost on their way")

// fetch asks for frames once and queues them. It counts those that the cursor
// has delivered, to see when one was lost on its way.
func (r *Reader) fetch(ctx context.Context, cursor jetstream.Consumer, next, delivered uint64) (uint64, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchFor)
	defer cancel()
	batch, err := cursor.Fetch(fetchFrames, jetstream.FetchMaxBytes(fetchBytes),
		jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(fetchFor/6))
	if err != nil {
		return next, delivered, err
	}
	for msg := range batch.Messages() {
		md, err := msg.Metadata()
		if err != nil {
			return next, delivered, err
		}
		if delivered++; md.Sequence.Consumer != delivered {
			return next, delivered, errLostFrames
		}
		if md.Sequence.Stream < next {
			continue // the cursor began before a start beyond the end
		}
		if !r.put(entryOf(md, msg.Data(), next)) {
			return next, delivered, nil
		}
		next = md.Sequence.Stream + 1
	}
	if err := batch.Error(); err != nil && ctx.Err() == nil {
		return next, delivered, err
	}
	return next, delivered, nil
}

func entryOf(md *jetstream.MsgMetadata, data []byte, next uint64) entry {
	seq := md.Sequence.Stream
	e := entry{frame: Frame{Seq: seq, At: md.Timestamp}, skipped: seq - next}
	e.frame.Meta, e.frame.Items, e.err = DecodeFrame(data)
	const each = 24 // of the slice of items
	e.bytes = len(data) + len(e.frame.Meta) + each*len(e.frame.Items)
	for _, it := range e.frame.Items {
		e.bytes += len(it)
	}
	return e
}

// put queues e and waits for room first. It reports false when the reader was
// closed meanwhile.
func (r *Reader) put(e entry) bool {
	for !r.offer(e) {
		select {
		case <-r.room:
		case <-r.ctx.Done():
			return false
		}
	}
	notify(r.ready)
	return true
}

func (r *Reader) offer(e entry) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) > 0 && r.bytes+e.bytes > readAhead {
		return false
	}
	r.queue = append(r.queue, e)
	r.bytes += e.bytes
	return true
}

// notify leaves an element in c if there is none.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
