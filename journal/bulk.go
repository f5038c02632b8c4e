package journal

import (
	"context"
	"fmt"
)

// CommitAll is Commit for items that belong together and stand in their order.
// All are queued or none: ErrBusy when there is no room for all. They may share
// frames with other items. After another error some may be written all the same.
func (c *Committer) CommitAll(ctx context.Context, tag string, items [][]byte) error {
	batches, err := c.enqueueAll(tag, items)
	if err != nil {
		return fmt.Errorf("commit to log %q: %w", c.log.name, err)
	}
	for _, b := range batches {
		select {
		case <-b.done:
			if b.err != nil {
				return b.err
			}
		case <-ctx.Done():
			return fmt.Errorf("commit to log %q: %w: %w", c.log.name, ErrNotDurable, context.Cause(ctx))
		}
	}
	return nil
}

// enqueueAll copies items into the batches that wait, and gives those batches.
func (c *Committer) enqueueAll(tag string, items [][]byte) ([]*batch, error) {
	bytes := 0
	for _, item := range items {
		if len(item) > commitBytes {
			return nil, fmt.Errorf("%w: an item of %d bytes, at most %d", ErrTooLarge, len(item), commitBytes)
		}
		bytes += len(item) + len(tag)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.room(len(items), bytes); err != nil {
		return nil, err
	}
	var batches []*batch
	for _, item := range items {
		if b, _ := c.put(tag, item); len(batches) == 0 || batches[len(batches)-1] != b {
			batches = append(batches, b)
		}
	}
	return batches, nil
}

// room says whether so many items of so many bytes may wait. The lock is held.
func (c *Committer) room(items, bytes int) error {
	switch {
	case c.closed:
		return fmt.Errorf("%w: %w", ErrNotDurable, ErrClosed)
	case c.items+items > c.opts.MaxItems, c.items > 0 && c.bytes+bytes > c.opts.MaxBytes:
		return ErrBusy
	}
	return nil
}

// put copies item into the last batch that waits. The lock is held.
func (c *Committer) put(tag string, item []byte) (*batch, int) {
	size := len(item) + len(tag)
	b := c.last(size)
	b.list = appendItem(b.list, item)
	b.count++
	b.bytes += size
	b.tags[tag]++
	c.items++
	c.bytes += size
	notify(c.wake)
	return b, b.count - 1
}
