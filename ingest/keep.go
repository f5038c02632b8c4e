package ingest

import "context"

// cargo is the admitted events of one request on their way to the journal.
type cargo struct {
	tag    string
	items  []item
	repeat int // how many were stored before, or stood twice in the request
}

// item is one admitted event. bytes is what the journal gets.
type item struct {
	bytes  []byte
	key    id
	keyed  bool // the client gave the messageId
	flight *flight
}

// keep makes every event of c durable once: it returns nil only when each is
// on disk, be it through this request or an earlier one. A repeat of an event
// that another request is just storing waits for that, and takes its place if
// it fails.
//
// A client that goes away does not end the commit: what is on its way is
// stored, and remembered, so that its repeat is a duplicate.
func (g *Gateway) keep(ctx context.Context, c *cargo) error {
	todo := c.items
	for len(todo) > 0 {
		mine, others := g.claim(c, todo)
		if err := g.commit(ctx, c.tag, mine); err != nil {
			return err
		}
		var err error
		if todo, err = await(ctx, c, others); err != nil {
			return err
		}
	}
	return nil
}

// claim sorts out which events are this request's to store and which another
// request is storing. Known ones are counted.
func (g *Gateway) claim(c *cargo, todo []item) (mine, others []item) {
	now := g.opts.Now()
	mine = todo[:0:0]
	if len(todo) == 1 && !todo[0].keyed {
		return todo, nil
	}
	for _, it := range todo {
		if !it.keyed {
			mine = append(mine, it)
			continue
		}
		f, first, known := g.seen.claim(it.key, c, now)
		switch {
		case known, !first && f.by == c:
			c.repeat++
		case first:
			it.flight = f
			mine = append(mine, it)
		default:
			it.flight = f
			others = append(others, it)
		}
	}
	return mine, others
}

// commit stores the events and lands each flight, whatever happens.
func (g *Gateway) commit(ctx context.Context, tag string, mine []item) error {
	if len(mine) == 0 {
		return nil
	}
	kept := 0
	defer func() {
		now := g.opts.Now()
		for i, it := range mine {
			if it.flight != nil {
				g.seen.land(it.key, it.flight, i < kept, now)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.opts.CommitTimeout)
	defer cancel()
	var err error
	kept, err = g.write(ctx, tag, mine)
	return err
}

// write gives the events to the journal in order and reports how many of them,
// from the first on, are certainly kept.
func (g *Gateway) write(ctx context.Context, tag string, mine []item) (kept int, err error) {
	if bulk, ok := g.opts.Committer.(BulkCommitter); ok && len(mine) > 1 {
		items := make([][]byte, len(mine))
		for i, it := range mine {
			items[i] = it.bytes
		}
		if err := bulk.CommitAll(ctx, tag, items); err != nil {
			return 0, err
		}
		return len(mine), nil
	}
	for i, it := range mine {
		if _, _, err := g.opts.Committer.Commit(ctx, tag, it.bytes); err != nil {
			return i, err
		}
	}
	return len(mine), nil
}

// await waits for the other requests and gives the events that they failed to
// store. Nothing of this request is in flight meanwhile, so two requests
// cannot wait for each other.
func await(ctx context.Context, c *cargo, others []item) (failed []item, err error) {
	for _, it := range others {
		select {
		case <-it.flight.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if it.flight.kept {
			c.repeat++
			continue
		}
		it.flight = nil
		failed = append(failed, it)
	}
	return failed, nil
}
