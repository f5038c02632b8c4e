package store

import (
	"context"
	"fmt"
	"time"
)

// A Count is how many events came to one outcome for one integration in one
// minute, from LEDGER.
type Count struct {
	Pipeline, Integration string // Integration is "" for an event that none wanted
	// Outcome is one of trace's. "pending" counts +1 when an event becomes
	// pending and −1 when it ends, so that its sum is what waits.
	Outcome string
	Reason  string             // of filtered and dead
	Minute  time.Time          // any instant of it
	N       int64              // below 0 when an outcome is taken back, as for a dead letter that is replayed
	TookSum time.Duration      // of delivered, from receipt
	Took    [TookBuckets]int64 // of delivered, see TookBucket
}

// Accepted is how many events a pipeline took in one minute.
type Accepted struct {
	Pipeline string
	Minute   time.Time // any instant of it
	N        int64
}

// A CountBatch is what stretches of the journals add to the counts.
type CountBatch struct {
	// Ledger and Events are the sequences that are counted now. 0 leaves the
	// one that is stored.
	Ledger, Events uint64
	Counts         []Count
	Accepted       []Accepted
}

// A GatewayCount is how many requests or events the gateway did not accept.
type GatewayCount struct {
	Pipeline string // "" when the key named none
	Kind     string // Duplicate or Rejected
	Reason   string // of Rejected: the code of the answer
	Minute   time.Time
	N        int64
}

// Words in the place of an outcome for what is counted in events.
const (
	AcceptedEvents = "accepted"
	Duplicate      = "duplicate"
	Rejected       = "rejected"
)

// Counts are kept by minute for the charts of a day and by hour for those of
// a month. The totals are kept for good.
const (
	minuteGrain = int64(60)
	hourGrain   = int64(3600)
	minutesKept = 25 * time.Hour
	hoursKept   = 30 * 24 * time.Hour
)

// Reasons hold the names of events, which come from outside. Beyond so many
// different ones in an hour, and so many characters, they are counted together.
const (
	reasonsAnHour = 200
	reasonLength  = 200
	otherReasons  = "other reasons"
)

type totalKey struct{ pipeline, integration, outcome string }

type countKey struct {
	grain, at int64
	totalKey
	reason string
}

type latencyKey struct {
	grain, at             int64
	pipeline, integration string
	bucket                int
}

// tally gathers a batch, so that each row is written once.
type tally struct {
	totals  map[totalKey]sum
	counts  map[countKey]sum
	latency map[latencyKey]int64
}

type sum struct {
	n    int64
	took time.Duration
}

func (s sum) plus(o sum) sum { return sum{s.n + o.n, s.took + o.took} }

func newTally() *tally {
	return &tally{map[totalKey]sum{}, map[countKey]sum{}, map[latencyKey]int64{}}
}

func (y *tally) add(k totalKey, reason string, at time.Time, n sum) {
	y.totals[k] = y.totals[k].plus(n)
	for _, grain := range []int64{minuteGrain, hourGrain} {
		key := countKey{grain, floor(at.Unix(), grain), k, cut(reason)}
		y.counts[key] = y.counts[key].plus(n)
	}
}

func (y *tally) took(c *Count) {
	for bucket, n := range c.Took {
		if n == 0 {
			continue
		}
		for _, grain := range []int64{minuteGrain, hourGrain} {
			y.latency[latencyKey{grain, floor(c.Minute.Unix(), grain), c.Pipeline, c.Integration, bucket}] += n
		}
	}
}

func floor(at, grain int64) int64 { return at - at%grain }

func cut(reason string) string {
	n := 0
	for i := range reason {
		if n == reasonLength {
			return reason[:i] + "…"
		}
		n++
	}
	return reason
}

// ApplyCounts adds a batch and the sequences that it reaches in one
// transaction, so that everything is counted once: after an error, or a crash,
// the caller reads CountCursor and goes on from there. A batch that reaches no
// further than what is stored was applied already and adds nothing.
func (s *Store) ApplyCounts(ctx context.Context, b CountBatch) error {
	y := newTally()
	for i := range b.Counts {
		c := &b.Counts[i]
		y.add(totalKey{c.Pipeline, c.Integration, c.Outcome}, c.Reason, c.Minute, sum{c.N, c.TookSum})
		y.took(c)
	}
	for _, a := range b.Accepted {
		y.add(totalKey{a.Pipeline, "", AcceptedEvents}, "", a.Minute, sum{n: a.N})
	}
	return s.update(ctx, "apply counts", func(t *tx) error {
		var seq, ledger int64
		err := s.each(ctx, t, `SELECT seq, ledger FROM cursors WHERE name = ?`, []any{cursorCounts},
			func(scan func(...any) error) error { return scan(&seq, &ledger) })
		if err != nil {
			return err
		}
		reached := Cursor{Seq: max(b.Events, uint64(seq)), Ledger: max(b.Ledger, uint64(ledger))}
		if (b.Events > 0 || b.Ledger > 0) && reached == (Cursor{uint64(seq), uint64(ledger)}) {
			return nil
		}
		if err := s.writeTally(ctx, t, y); err != nil {
			return err
		}
		return t.setCursor(ctx, cursorCounts, reached)
	})
}

// CountCursor gives the sequences of LEDGER and EVENTS that are counted.
func (s *Store) CountCursor(ctx context.Context) (ledger, events uint64, err error) {
	c, err := s.Cursor(ctx, cursorCounts)
	return c.Ledger, c.Seq, err
}

// AddGateway adds what the gateway did not accept.
func (s *Store) AddGateway(ctx context.Context, counts []GatewayCount) error {
	y := newTally()
	for _, c := range counts {
		y.add(totalKey{c.Pipeline, "", c.Kind}, c.Reason, c.Minute, sum{n: c.N})
	}
	return s.update(ctx, "add gateway counts", func(t *tx) error { return s.writeTally(ctx, t, y) })
}

// writeTally writes the sums of a batch.
func (s *Store) writeTally(ctx context.Context, t *tx, y *tally) error {
	if err := s.boundReasons(ctx, t, y); err != nil {
		return err
	}
	rows := make([][]any, 0, len(y.counts))
	for k, n := range y.totals {
		rows = append(rows, []any{k.pipeline, k.integration, k.outcome, n.n, int64(n.took)})
	}
	err := t.put(ctx, `INSERT INTO totals (pipeline, integration, outcome, n, took)`,
		`ON CONFLICT (pipeline, integration, outcome) DO UPDATE SET n = totals.n + excluded.n, took = totals.took + excluded.took`, rows)
	if err != nil {
		return fmt.Errorf("totals: %w", err)
	}
	rows = rows[:0]
	for k, n := range y.counts {
		rows = append(rows, []any{k.grain, k.at, k.pipeline, k.integration, k.outcome, k.reason, n.n, int64(n.took)})
	}
	err = t.put(ctx, `INSERT INTO counts (grain, at, pipeline, integration, outcome, reason, n, took)`,
		`ON CONFLICT (grain, at, pipeline, integration, outcome, reason) DO UPDATE
		SET n = counts.n + excluded.n, took = counts.took + excluded.took`, rows)
	if err != nil {
		return fmt.Errorf("series: %w", err)
	}
	rows = rows[:0]
	for k, n := range y.latency {
		rows = append(rows, []any{k.grain, k.at, k.pipeline, k.integration, k.bucket, n})
	}
	err = t.put(ctx, `INSERT INTO latency (grain, at, pipeline, integration, bucket, n)`,
		`ON CONFLICT (grain, at, pipeline, integration, bucket) DO UPDATE SET n = latency.n + excluded.n`, rows)
	if err != nil {
		return fmt.Errorf("latencies: %w", err)
	}
	return nil
}

// boundReasons renames the reasons that an hour has no room for.
func (s *Store) boundReasons(ctx context.Context, t *tx, y *tally) error {
	type group struct {
		hour int64
		totalKey
	}
	known := map[group]map[string]bool{}
	for k, n := range y.counts {
		if k.reason == "" || k.reason == otherReasons {
			continue
		}
		g := group{floor(k.at, hourGrain), k.totalKey}
		seen := known[g]
		if seen == nil {
			seen = map[string]bool{}
			err := s.each(ctx, t, `SELECT reason FROM counts WHERE grain = ? AND at = ? AND pipeline = ?
				AND integration = ? AND outcome = ?`, []any{hourGrain, g.hour, g.pipeline, g.integration, g.outcome},
				func(scan func(...any) error) error {
					var reason string
					err := scan(&reason)
					seen[reason] = true
					return err
				})
			if err != nil {
				return fmt.Errorf("reasons: %w", err)
			}
			known[g] = seen
		}
		if seen[k.reason] {
			continue
		}
		if len(seen) < reasonsAnHour {
			seen[k.reason] = true
			continue
		}
		delete(y.counts, k)
		k.reason = otherReasons
		y.counts[k] = y.counts[k].plus(n)
	}
	return nil
}

// PruneCounts deletes minutes and hours that charts no longer show at an
// instant. Totals stay.
func (s *Store) PruneCounts(ctx context.Context, at time.Time) (int, error) {
	total := 0
	for _, table := range []string{"counts", "latency"} {
		for _, g := range []struct {
			grain int64
			kept  time.Duration
		}{{minuteGrain, minutesKept}, {hourGrain, hoursKept}} {
			var n int
			err := s.update(ctx, "prune counts", func(t *tx) (err error) {
				n, err = t.exec(ctx, `DELETE FROM `+table+` WHERE grain = ? AND at < ?`, g.grain, at.Add(-g.kept).Unix())
				return err
			})
			if err != nil {
				return total, err
			}
			total += n
		}
	}
	return total, nil
}
