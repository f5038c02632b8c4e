package delivery

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/datafly/signal/integrations"
)

// What a Learner found out survives a restart: its state stands in the store
// under this name and the integration's id.
func (c *Courier) learnedName() string { return "learned/" + c.opts.Integration.ID }

// restore gives a Learner what an earlier run found out. What it cannot read is
// worth a line in the log and no more: it learns anew.
func (c *Courier) restore(ctx context.Context) error {
	l := c.lanes.learner
	if l == nil {
		return nil
	}
	state, ok, err := c.opts.Store.Meta(ctx, c.learnedName())
	if err != nil {
		return err
	}
	if ok && state != "" {
		if err := l.Restore(json.RawMessage(state)); err != nil {
			c.opts.Log.Error("what was learned of the vendor cannot be read, so it is learned anew", "integration", c.opts.Integration.ID, "error", err)
		}
	}
	c.learned = l.Learned().Version
	return nil
}

// keepLearned writes down what a Learner found out since the last time.
func (c *Courier) keepLearned(ctx context.Context) error {
	l := c.lanes.learner
	if l == nil {
		return nil
	}
	now := l.Learned()
	if now.Version == c.learned {
		return nil
	}
	if err := c.opts.Store.SetMeta(ctx, c.learnedName(), string(now.State)); err != nil {
		return fmt.Errorf("write down what was learned: %w", err)
	}
	c.learned = now.Version
	return nil
}

// tend lets a connection work beside the tries that has something to do there.
func (c *Courier) tend(ctx context.Context) {
	if t, ok := c.opts.Connection.(integrations.Tended); ok {
		t.Tend(ctx)
	}
}

// Forget lets the connection find out anew how its vendor wants to be spoken
// to. Without anything to learn it does nothing.
func (c *Courier) Forget() {
	if c.lanes.learner != nil {
		c.lanes.learner.Forget()
	}
}
