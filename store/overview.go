package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/datafly/signal/trace"
)

// An OverviewFilter chooses what is counted. What is empty does not filter.
type OverviewFilter struct {
	Pipeline, Integration string
	// From and To bound the time, to the minute within the last day and to the
	// hour before that. Both zero: since the beginning.
	From, To time.Time
}

// Totals are counts of one range. Pending is what waits now, whatever the
// range; all but Accepted, Duplicates and Rejected count pairs of an event and
// an integration.
type Totals struct {
	Accepted   int64 // events
	Routed     int64 // pairs that they made
	Delivered  int64
	Carried    int64
	Filtered   int64
	Dead       int64
	Pending    int64
	Duplicates int64
	Rejected   int64
}

// An Overview is what the first page shows.
type Overview struct {
	Totals
	Integrations []IntegrationTotals // by pipeline and name
	Filtered     []ReasonCount       // the commonest ten reasons
	Dead         []ReasonCount       // likewise
	Rejected     []ReasonCount       // likewise, of requests
}

// IntegrationTotals are the counts of one integration.
type IntegrationTotals struct {
	Pipeline, Integration string
	Totals
	TookMean time.Duration // of delivered
}

// A ReasonCount is how often something happened for one reason. Within a day
// reasons are counted to the minute like everything else.
type ReasonCount struct {
	Pipeline, Integration string
	Reason                string
	N                     int64
}

const topReasons = 10

// Overview counts a range, or everything.
func (s *Store) Overview(ctx context.Context, f OverviewFilter) (Overview, error) {
	b := overviewBuilder{integrations: map[[2]string]*IntegrationTotals{}, took: map[[2]string]time.Duration{}}
	w := f.where()
	err := s.each(ctx, s.read, `SELECT pipeline, integration, outcome, n, took FROM totals`+w.String(), w.args,
		func(scan func(...any) error) error {
			var k totalKey
			var n, took int64
			if err := scan(&k.pipeline, &k.integration, &k.outcome, &n, &took); err != nil {
				return err
			}
			if f.whole() || k.outcome == string(trace.Pending) {
				b.add(k, n, time.Duration(took))
			}
			if k.outcome == string(trace.Pending) && f.whole() {
				b.route(k, n)
			}
			return nil
		})
	if err == nil {
		err = s.sumRange(ctx, f, &b)
	}
	if err != nil {
		return Overview{}, fmt.Errorf("count overview: %w", err)
	}
	return b.overview(), nil
}

// sumRange adds what the series know: the reasons, and the counts of a range.
func (s *Store) sumRange(ctx context.Context, f OverviewFilter, b *overviewBuilder) error {
	for _, p := range f.spans(time.Now()) {
		w := f.where()
		w.add("grain = ? AND at >= ? AND at < ?", p.grain, p.from, p.to)
		if f.whole() {
			w.add("reason <> ''")
		}
		query := `SELECT pipeline, integration, outcome, reason, SUM(n), SUM(took) FROM counts` + w.String() +
			` GROUP BY pipeline, integration, outcome, reason`
		err := s.each(ctx, s.read, query, w.args, func(scan func(...any) error) error {
			var k totalKey
			var reason string
			var n, took int64
			if err := scan(&k.pipeline, &k.integration, &k.outcome, &reason, &n, &took); err != nil {
				return err
			}
			b.reason(k, reason, n)
			switch {
			case f.whole():
			case k.outcome == string(trace.Pending):
				b.route(k, n)
			default:
				b.add(k, n, time.Duration(took))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *OverviewFilter) whole() bool { return f.From.IsZero() && f.To.IsZero() }

func (f *OverviewFilter) where() where {
	var w where
	w.is("pipeline", f.Pipeline)
	w.is("integration", f.Integration)
	return w
}

// A span is a stretch of time in seconds that is read at one grain.
type span struct{ grain, from, to int64 }

// spans covers the range with whole hours, and with minutes at its ends where
// they are still kept.
func (f *OverviewFilter) spans(now time.Time) []span {
	from, to := int64(0), ceil(now.Unix()+1, hourGrain)
	if !f.From.IsZero() {
		from = floor(f.From.Unix(), minuteGrain)
	}
	if !f.To.IsZero() {
		to = ceil(f.To.Unix(), minuteGrain)
	}
	kept := ceil(now.Add(-minutesKept).Unix(), hourGrain)
	if from < kept {
		from = floor(from, hourGrain)
	}
	if to < kept {
		to = ceil(to, hourGrain)
	}
	first, last := ceil(from, hourGrain), floor(to, hourGrain)
	if first > last {
		return []span{{minuteGrain, from, to}}
	}
	var out []span
	for _, p := range []span{{minuteGrain, from, first}, {hourGrain, first, last}, {minuteGrain, last, to}} {
		if p.from < p.to {
			out = append(out, p)
		}
	}
	return out
}

func ceil(at, grain int64) int64 { return floor(at+grain-1, grain) }

// overviewBuilder sums what comes from several queries.
type overviewBuilder struct {
	all          Totals
	integrations map[[2]string]*IntegrationTotals
	took         map[[2]string]time.Duration
	reasons      map[string]map[ReasonCount]int64 // by outcome; N is 0 in the key
}

func (b *overviewBuilder) add(k totalKey, n int64, took time.Duration) {
	b.each(k, func(t *Totals) {
		switch k.outcome {
		case AcceptedEvents:
			t.Accepted += n
		case Duplicate:
			t.Duplicates += n
		case Rejected:
			t.Rejected += n
		case string(trace.Delivered):
			t.Delivered += n
		case string(trace.Carried):
			t.Carried += n
		case string(trace.Filtered):
			t.Filtered += n
		case string(trace.Dead):
			t.Dead += n
		case string(trace.Pending):
			t.Pending += n
		}
	})
	switch k.outcome {
	case string(trace.Delivered), string(trace.Carried), string(trace.Filtered), string(trace.Dead):
		b.route(k, n)
	}
	if k.outcome == string(trace.Delivered) {
		b.took[[2]string{k.pipeline, k.integration}] += took
	}
}

// route counts pairs: an end is one, less the pending that it was before.
func (b *overviewBuilder) route(k totalKey, n int64) {
	b.each(k, func(t *Totals) { t.Routed += n })
}

func (b *overviewBuilder) each(k totalKey, f func(*Totals)) {
	f(&b.all)
	if k.integration == "" {
		return
	}
	key := [2]string{k.pipeline, k.integration}
	if b.integrations[key] == nil {
		b.integrations[key] = &IntegrationTotals{Pipeline: k.pipeline, Integration: k.integration}
	}
	f(&b.integrations[key].Totals)
}

func (b *overviewBuilder) reason(k totalKey, reason string, n int64) {
	if reason == "" {
		return
	}
	if b.reasons == nil {
		b.reasons = map[string]map[ReasonCount]int64{}
	}
	if b.reasons[k.outcome] == nil {
		b.reasons[k.outcome] = map[ReasonCount]int64{}
	}
	b.reasons[k.outcome][ReasonCount{Pipeline: k.pipeline, Integration: k.integration, Reason: reason}] += n
}

func (b *overviewBuilder) overview() Overview {
	o := Overview{
		Totals:   b.all,
		Filtered: b.top(string(trace.Filtered)), Dead: b.top(string(trace.Dead)), Rejected: b.top(Rejected),
	}
	for key, t := range b.integrations {
		if t.Delivered > 0 {
			t.TookMean = b.took[key] / time.Duration(t.Delivered)
		}
		o.Integrations = append(o.Integrations, *t)
	}
	slices.SortFunc(o.Integrations, func(x, y IntegrationTotals) int {
		return cmp.Or(cmp.Compare(x.Pipeline, y.Pipeline), cmp.Compare(x.Integration, y.Integration))
	})
	return o
}

func (b *overviewBuilder) top(outcome string) []ReasonCount {
	var out []ReasonCount
	for r, n := range b.reasons[outcome] {
		if r.N = n; n > 0 {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(x, y ReasonCount) int {
		return cmp.Or(cmp.Compare(y.N, x.N), cmp.Compare(x.Reason, y.Reason), cmp.Compare(x.Integration, y.Integration))
	})
	return out[:min(topReasons, len(out))]
}

// A Series is what the two charts draw.
type Series struct {
	Step   time.Duration // from one point to the next
	Points []Point       // one for each step of the range, also where nothing happened
}

// A Point are the counts of one step. The last one may not be over yet.
type Point struct {
	At                  time.Time     // the step's begin
	Accepted, Delivered int64         // events; per second is by Step
	Median, P95         time.Duration // to deliver, 0 when nothing was delivered
}

// Series gives a range in at most so many steps, each whole minutes long, or
// whole hours for what is older than a day. Without a range it is the last hour.
func (s *Store) Series(ctx context.Context, f OverviewFilter, buckets int) (Series, error) {
	now := time.Now()
	if f.To.IsZero() {
		f.To = now
	}
	if f.From.IsZero() {
		f.From = f.To.Add(-time.Hour)
	}
	grain := minuteGrain
	if f.From.Before(now.Add(-minutesKept)) || f.To.Sub(f.From) > minutesKept {
		grain = hourGrain
	}
	buckets = min(max(buckets, 1), 2000)
	from, to := floor(f.From.Unix(), grain), ceil(f.To.Unix(), grain)
	step := max(grain, ceil(ceil(to-from, int64(buckets))/int64(buckets), grain))
	// Steps at round times stay where they are while the range moves on, if as
	// many as that fit.
	if round := floor(from, step); (to-round+step-1)/step <= int64(buckets) {
		from = round
	}
	out := Series{Step: time.Duration(step) * time.Second}
	for at := from; at < to; at += step {
		out.Points = append(out.Points, Point{At: time.Unix(at, 0).UTC()})
	}
	if len(out.Points) == 0 {
		return out, nil
	}
	if err := s.seriesCounts(ctx, f, span{grain, from, to}, &out); err != nil {
		return Series{}, fmt.Errorf("read series: %w", err)
	}
	if err := s.seriesTook(ctx, f, span{grain, from, to}, &out); err != nil {
		return Series{}, fmt.Errorf("read latencies: %w", err)
	}
	return out, nil
}

func (s *Store) seriesCounts(ctx context.Context, f OverviewFilter, p span, out *Series) error {
	w := f.where()
	w.add("grain = ? AND at >= ? AND at < ? AND outcome IN (?, ?)", p.grain, p.from, p.to,
		AcceptedEvents, string(trace.Delivered))
	query := `SELECT at, outcome, SUM(n) FROM counts` + w.String() + ` GROUP BY at, outcome`
	return s.each(ctx, s.read, query, w.args, func(scan func(...any) error) error {
		var at, n int64
		var outcome string
		if err := scan(&at, &outcome, &n); err != nil {
			return err
		}
		point := &out.Points[(at-p.from)/int64(out.Step/time.Second)]
		if outcome == AcceptedEvents {
			point.Accepted += n
		} else {
			point.Delivered += n
		}
		return nil
	})
}

func (s *Store) seriesTook(ctx context.Context, f OverviewFilter, p span, out *Series) error {
	buckets := make([][TookBuckets]int64, len(out.Points))
	w := f.where()
	w.add("grain = ? AND at >= ? AND at < ?", p.grain, p.from, p.to)
	query := `SELECT at, bucket, SUM(n) FROM latency` + w.String() + ` GROUP BY at, bucket`
	err := s.each(ctx, s.read, query, w.args, func(scan func(...any) error) error {
		var at, n int64
		var bucket int
		if err := scan(&at, &bucket, &n); err != nil {
			return err
		}
		buckets[(at-p.from)/int64(out.Step/time.Second)][min(max(bucket, 0), TookBuckets-1)] += n
		return nil
	})
	for i := range buckets {
		out.Points[i].Median = Quantile(&buckets[i], 0.5)
		out.Points[i].P95 = Quantile(&buckets[i], 0.95)
	}
	return err
}

// CountHistory gives the counts of a range by hour and reason, oldest first:
// what a page draws of decisions over time.
func (s *Store) CountHistory(ctx context.Context, f OverviewFilter) ([]Count, error) {
	w := f.where()
	w.add("grain = ?", hourGrain)
	if !f.From.IsZero() {
		w.add("at >= ?", floor(f.From.Unix(), hourGrain))
	}
	if !f.To.IsZero() {
		w.add("at < ?", f.To.Unix())
	}
	var out []Count
	query := `SELECT at, pipeline, integration, outcome, reason, n, took FROM counts` + w.String() +
		` ORDER BY at, pipeline, integration, outcome, reason`
	err := s.each(ctx, s.read, query, w.args, func(scan func(...any) error) error {
		var c Count
		var at, took int64
		err := scan(&at, &c.Pipeline, &c.Integration, &c.Outcome, &c.Reason, &c.N, &took)
		c.Minute, c.TookSum = time.Unix(at, 0).UTC(), time.Duration(took)
		out = append(out, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read count history: %w", err)
	}
	return out, nil
}
