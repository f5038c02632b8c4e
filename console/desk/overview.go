package desk

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/store"
)

// A Range is a stretch of time up to now. The empty Range is everything.
type Range string

// The ranges that a page offers.
const (
	Hour Range = "1h"
	Day  Range = "24h"
	Week Range = "7d"
)

// Length of a range; 0 for everything.
func (r Range) Length() time.Duration {
	switch r {
	case Hour:
		return time.Hour
	case Day:
		return 24 * time.Hour
	case Week:
		return 7 * 24 * time.Hour
	}
	return 0
}

// Counts are those of Overview. All but Accepted, Duplicates and Rejected count
// pairs of an event and an integration. Pending is what waits at this moment.
type Counts struct {
	Accepted   int64 `json:"accepted" doc:"Events that were accepted."`
	Routed     int64 `json:"routed" doc:"Pairs of an event and an integration that they made."`
	Delivered  int64 `json:"delivered"`
	Carried    int64 `json:"carried"`
	Filtered   int64 `json:"filtered"`
	Dead       int64 `json:"dead"`
	Pending    int64 `json:"pending" doc:"What waits at this moment, whatever the range."`
	Duplicates int64 `json:"duplicates" doc:"Events that were repeats, not in accepted."`
	Rejected   int64 `json:"rejected" doc:"Events and requests that were refused, not in accepted."`
}

// A Reason is how often something happened for one reason.
type Reason struct {
	Outcome     string `json:"outcome"` // filtered, dead, rejected
	Pipeline    string `json:"pipeline,omitempty"`
	Integration string `json:"integration,omitempty"`
	Reason      string `json:"reason"`
	Count       int64  `json:"count"`
}

// IntegrationCounts are the state and the counts of one integration.
type IntegrationCounts struct {
	IntegrationStatus
	Counts
	TookMeanMS int64   `json:"took_mean_ms"`
	Recent     []int64 `json:"-"` // delivered, step by step, for a small line
}

// Overview is what the first page shows, and GET /v1/admin/overview.
type Overview struct {
	Counts
	DeadLastHour int                 `json:"dead_last_hour"`
	OldestMS     int64               `json:"oldest_ms" doc:"Age of the oldest pending event, 0 when none waits."`
	Integrations []IntegrationCounts `json:"integrations"`
	Reasons      []Reason            `json:"reasons" doc:"The commonest reasons of filtered, dead and rejected."`
	Attention    []Attention         `json:"attention" doc:"What a person should look at."`
}

// Attention is one thing that a person should look at.
type Attention struct {
	Kind        string `json:"kind" doc:"paused, holding, slowed, retrying or dead."`
	Integration string `json:"integration"`
	What        string `json:"what"` // a sentence
	More        string `json:"more"` // further sentences
	Reason      string `json:"reason,omitempty"`
	Count       int    `json:"count,omitempty"`
}

// OverviewQuery chooses what Overview counts. Empty fields do not filter.
type OverviewQuery struct {
	Pipeline, Integration string
	Range                 Range
	From, To              time.Time // instead of Range
}

func (d *Desk) overviewFilter(q OverviewQuery) (store.OverviewFilter, error) {
	id, err := d.integration(q.Integration, q.Pipeline)
	if err != nil {
		return store.OverviewFilter{}, err
	}
	f := store.OverviewFilter{Pipeline: q.Pipeline, Integration: id, From: q.From, To: q.To}
	if n := q.Range.Length(); n > 0 && f.From.IsZero() {
		f.From = d.Now().Add(-n)
	}
	return f, nil
}

// Overview counts a range, or everything.
func (d *Desk) Overview(ctx context.Context, who auth.Actor, q OverviewQuery) (Overview, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return Overview{}, err
	}
	f, err := d.overviewFilter(q)
	if err != nil {
		return Overview{}, err
	}
	counted, err := d.o.Store.Overview(ctx, f)
	if err != nil {
		return Overview{}, err
	}
	dead, err := d.o.Store.CountDead(ctx, store.DeadFilter{Pipeline: f.Pipeline, Integration: f.Integration, From: d.Now().Add(-time.Hour)})
	if err != nil {
		return Overview{}, err
	}
	o := Overview{Counts: counts(counted.Totals), DeadLastHour: dead, Reasons: reasons(counted)}
	o.Integrations = d.integrations(f, counted.Integrations)
	var oldest time.Time
	for _, i := range o.Integrations {
		if !i.Oldest.IsZero() && (oldest.IsZero() || i.Oldest.Before(oldest)) {
			oldest = i.Oldest
		}
	}
	if !oldest.IsZero() {
		o.OldestMS = max(0, d.Now().Sub(oldest).Milliseconds())
	}
	o.Attention, err = d.attention(ctx, f)
	return o, err
}

func counts(t store.Totals) Counts {
	return Counts{
		Accepted: t.Accepted, Routed: t.Routed, Delivered: t.Delivered, Carried: t.Carried, Filtered: t.Filtered,
		Dead: t.Dead, Pending: t.Pending, Duplicates: t.Duplicates, Rejected: t.Rejected,
	}
}

func reasons(o store.Overview) []Reason {
	out := []Reason{}
	for _, list := range []struct {
		outcome string
		of      []store.ReasonCount
	}{{"filtered", o.Filtered}, {"dead", o.Dead}, {"rejected", o.Rejected}} {
		for _, r := range list.of {
			out = append(out, Reason{list.outcome, r.Pipeline, r.Integration, r.Reason, r.N})
		}
	}
	return out
}

// integrations joins what is configured, how it fares, and what was counted. An
// integration that was taken away but has counts stays in the list.
func (d *Desk) integrations(f store.OverviewFilter, counted []store.IntegrationTotals) []IntegrationCounts {
	out := []IntegrationCounts{}
	at := map[string]int{}
	for _, s := range d.statuses() {
		if (f.Pipeline != "" && s.Pipeline != f.Pipeline) || (f.Integration != "" && s.ID != f.Integration) {
			continue
		}
		at[s.ID] = len(out)
		out = append(out, IntegrationCounts{IntegrationStatus: s})
	}
	for _, c := range counted {
		i, known := at[c.Integration]
		if !known {
			i = len(out)
			out = append(out, IntegrationCounts{IntegrationStatus: IntegrationStatus{ID: c.Integration, Name: name(c.Integration), Pipeline: c.Pipeline, State: Off, Reason: "It is no longer in the configuration."}})
		}
		out[i].Counts = counts(c.Totals)
		out[i].TookMeanMS = c.TookMean.Milliseconds()
	}
	return out
}

// statuses gives how every configured integration fares, in the order of the
// configuration. One that delivery does not know of is off.
func (d *Desk) statuses() []IntegrationStatus {
	known := map[string]IntegrationStatus{}
	for _, s := range d.o.Status() {
		known[s.ID] = s
	}
	var out []IntegrationStatus
	for _, p := range d.o.Pipelines() {
		for _, i := range p.Integrations {
			s, ok := known[i.ID]
			if !ok {
				s = IntegrationStatus{State: Off, Reason: "It is switched off in the configuration."}
				if i.Enabled {
					s.Reason = "No worker delivers it at this moment."
				}
			}
			s.ID, s.Name, s.Pipeline, s.Vendor = i.ID, i.Name, p.Name, i.Vendor
			out = append(out, s)
			delete(known, i.ID)
		}
	}
	return out
}

// troubles are the states that a person should look at, in words.
var troubles = map[string]string{
	Paused: "is paused", Holding: "holds back", Slowed: "goes slower", Retrying: "tries again",
}

// worst orders them.
var worst = []string{Paused, Holding, Slowed, Retrying}

// attention gives what needs a person, worst first.
func (d *Desk) attention(ctx context.Context, f store.OverviewFilter) ([]Attention, error) {
	out := []Attention{}
	for _, s := range d.statuses() {
		what := troubles[s.State]
		if what == "" || (f.Pipeline != "" && s.Pipeline != f.Pipeline) {
			continue
		}
		out = append(out, Attention{Kind: s.State, Integration: s.ID, Reason: s.Reason, Count: s.Waiting, What: s.Name + " " + what + ".", More: s.Reason})
	}
	slices.SortStableFunc(out, func(a, b Attention) int {
		return cmp.Compare(slices.Index(worst, a.Kind), slices.Index(worst, b.Kind))
	})
	groups, err := d.o.Store.DeadGroups(ctx, store.DeadFilter{Pipeline: f.Pipeline, Integration: f.Integration, From: d.Now().Add(-24 * time.Hour)})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(groups, func(a, b store.DeadGroup) int { return cmp.Compare(b.Count, a.Count) })
	for _, g := range groups[:min(3, len(groups))] {
		out = append(out, Attention{Kind: "dead", Integration: g.Integration, What: g.Reason, More: g.Remedy, Reason: g.Reason, Count: g.Count})
	}
	return out, nil
}

// A Point is one step of the charts.
type Point struct {
	At        time.Time `json:"at"`
	Accepted  int64     `json:"accepted"`
	Delivered int64     `json:"delivered"`
	MedianMS  float64   `json:"median_ms"`
	P95MS     float64   `json:"p95_ms"`
}

// Series is what the charts draw.
type Series struct {
	StepSeconds int64   `json:"step_seconds"`
	Points      []Point `json:"points"`
}

// Series gives a range, of one hour when none is named, in at most so many steps.
func (d *Desk) Series(ctx context.Context, who auth.Actor, q OverviewQuery, steps int) (Series, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return Series{}, err
	}
	f, err := d.overviewFilter(q)
	if err != nil {
		return Series{}, err
	}
	return d.series(ctx, f, steps)
}

func (d *Desk) series(ctx context.Context, f store.OverviewFilter, steps int) (Series, error) {
	got, err := d.o.Store.Series(ctx, f, steps)
	if err != nil {
		return Series{}, err
	}
	out := Series{StepSeconds: int64(got.Step / time.Second), Points: make([]Point, len(got.Points))}
	for i, p := range got.Points {
		out.Points[i] = Point{p.At, p.Accepted, p.Delivered, milliseconds(p.Median), milliseconds(p.P95)}
	}
	return out, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Round(100*time.Microsecond)) / 1e6 }

// WithRecent adds to each integration what it delivered over the last day, for
// the small line of a table.
func (d *Desk) WithRecent(ctx context.Context, list []IntegrationCounts) error {
	for i := range list {
		s, err := d.series(ctx, store.OverviewFilter{Integration: list[i].ID, From: d.Now().Add(-24 * time.Hour)}, 24)
		if err != nil {
			return err
		}
		for _, p := range s.Points[:max(0, len(s.Points)-1)] { // the last hour is not over
			list[i].Recent = append(list[i].Recent, p.Delivered)
		}
	}
	return nil
}
