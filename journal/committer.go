package journal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// ErrBusy is a full queue: the disk takes less than what comes in.
var ErrBusy = fmt.Errorf("%w: the queue is full", ErrNotDurable)

// commitBytes is the most bytes of items in a committer's frame.
const commitBytes = 512 << 10

// CommitterOptions bound a Committer's queue. The zero value is ready for use.
type CommitterOptions struct {
	// MaxItems is how many items may wait or be on their way to the disk.
	// Default 16,384. Too low refuses bursts; too high makes them wait longer
	// than their clients do.
	MaxItems int

	// MaxBytes bounds the same items by their size. Default 32 MiB.
	MaxBytes int
}

// A Committer gathers the items of many goroutines into frames of one log. It
// has no timer: what came in while one frame was written is the next frame. So
// a lone item waits for nothing, and the more there are, the fewer syncs each
// costs. It is safe for many goroutines. Close it before its Journal.
type Committer struct {
	log    *Log
	opts   CommitterOptions
	ctx    context.Context // ends when Close cannot wait any longer
	cancel context.CancelCauseFunc
	wake   chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	closed  bool
	waiting []*batch // oldest first; the last one takes more items
	items   int      // waiting, and on their way to the disk
	bytes   int
	spare   []byte // the list of a batch that is done, for another one
}

// A batch is a frame that is being gathered, then written.
type batch struct {
	list  []byte // the items, as they stand in the frame
	count int
	bytes int
	tags  map[string]int

	done chan struct{} // closed when seq and err stand
	seq  uint64
	err  error
}

// NewCommitter starts a committer's goroutine.
func NewCommitter(l *Log, o CommitterOptions) *Committer {
	o.MaxItems = cmp.Or(o.MaxItems, 16_384)
	o.MaxBytes = cmp.Or(o.MaxBytes, 32<<20)
	c := &Committer{log: l, opts: o, wake: make(chan struct{}, 1), done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	go c.run()
	return c
}

// Commit writes item and returns where it stands once it is durable: the frame
// and the index in it. Items of one goroutine stand in the order of its calls.
// tag is counted in the frame's meta (see Tags). item is copied.
//
// ErrBusy comes at once. When ctx ends, Commit returns early with an
// ErrNotDurable, and the item may be written all the same. Every item of a
// frame that could not be written gets the same ErrNotDurable; the frame may be
// in the log nevertheless, so to commit the item again may double it. An item
// over 512 KiB is ErrTooLarge.
func (c *Committer) Commit(ctx context.Context, tag string, item []byte) (seq uint64, index int, err error) {
	if len(item) > commitBytes {
		return 0, 0, fmt.Errorf("commit to log %q: %w: an item of %d bytes, at most %d",
			c.log.name, ErrTooLarge, len(item), commitBytes)
	}
	b, index, err := c.enqueue(tag, item)
	if err != nil {
		return 0, 0, fmt.Errorf("commit to log %q: %w", c.log.name, err)
	}
	select {
	case <-b.done:
		return b.seq, index, b.err
	case <-ctx.Done():
		return 0, 0, fmt.Errorf("commit to log %q: %w: %w", c.log.name, ErrNotDurable, context.Cause(ctx))
	}
}

// enqueue copies item into the last batch that waits.
func (c *Committer) enqueue(tag string, item []byte) (*batch, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.room(1, len(item)+len(tag)); err != nil {
		return nil, 0, err
	}
	b, index := c.put(tag, item)
	return b, index, nil
}

// last gives the batch that takes an item of that size.
func (c *Committer) last(size int) *batch {
	if n := len(c.waiting); n > 0 && c.waiting[n-1].bytes+size <= commitBytes {
		return c.waiting[n-1]
	}
	b := &batch{list: c.spare[:0], tags: map[string]int{}, done: make(chan struct{})}
	c.spare = nil
	c.waiting = append(c.waiting, b)
	return b
}

// run writes one batch after the other until the committer is closed and empty.
func (c *Committer) run() {
	defer close(c.done)
	for {
		b, closed := c.first()
		switch {
		case b != nil:
			c.write(b)
		case closed:
			return
		default:
			<-c.wake
		}
	}
}

// first takes the oldest batch off the queue. Its items still count.
func (c *Committer) first() (b *batch, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		return nil, c.closed
	}
	b = c.waiting[0]
	c.waiting[0] = nil
	c.waiting = c.waiting[1:]
	return b, false
}

// write makes one frame of b and answers all who wait for it.
func (c *Committer) write(b *batch) {
	b.seq, b.err = c.append(b)
	c.mu.Lock()
	c.items -= b.count
	c.bytes -= b.bytes
	c.spare, b.list = b.list, nil
	c.mu.Unlock()
	close(b.done)
}

func (c *Committer) append(b *batch) (uint64, error) {
	meta, err := json.Marshal(tagged{b.tags})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	if *buf, err = appendFrame((*buf)[:0], meta, b.count, b.list); err != nil {
		return 0, fmt.Errorf("commit to log %q: %w", c.log.name, err)
	}
	return c.log.publish(c.ctx, *buf)
}

// Close takes no more items, writes those that wait and ends the committer's
// goroutine. When ctx ends first, what is left is answered with ErrNotDurable
// and Close returns ctx's error. It may be called twice.
func (c *Committer) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	notify(c.wake)
	defer c.cancel(ErrClosed)
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		c.cancel(errors.Join(ErrClosed, context.Cause(ctx)))
		<-c.done
		return fmt.Errorf("close the committer of log %q: %w", c.log.name, context.Cause(ctx))
	}
}

// tagged is the meta of a committer's frame.
type tagged struct {
	Counts map[string]int `json:"n"`
}

// Tags reads how many items of each tag a committer's frame holds. It is nil
// for a meta that is not a committer's.
func Tags(meta []byte) map[string]int {
	var t tagged
	if json.Unmarshal(meta, &t) != nil {
		return nil
	}
	return t.Counts
}
