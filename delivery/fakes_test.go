package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/trace"
)

// script is a Connection that answers from a list, per visitor, or by what a
// report holds, and writes down what it got when. Without an answer left it
// says Delivered.
type script struct {
	mu      sync.Mutex
	start   time.Time
	answers map[string][]attempt.Result
	judge   func(visitor string, messages []string) attempt.Result // when set, instead of answers
	got     []string                                               // "visitor/message+message at 3s"
	visits  []integrations.Visit                                   // that requests were built from
	flying  map[string]int                                         // requests under way by visitor
	most    int                                                    // requests under way at once
	takes   time.Duration                                          // of one request

	together int               // what travels together at most; 0 is one
	carry    map[string]bool   // messages that are carried when they lead
	refuse   map[string]string // messages that Build refuses, with the reason
	replaced map[string]string // messages of which a part is left out
	ids      attempt.IDs       // of each request
	scout    func(visitor string) bool
	form     string // a word before each summary
}

func (s *script) Batch(items []integrations.Item) int {
	if len(items) > maxTurn {
		panic(fmt.Sprintf("Batch was asked about %d items", len(items)))
	}
	return min(max(s.together, 1), len(items))
}

func (s *script) Build(v integrations.Visit, items []integrations.Item) integrations.Built {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visits = append(s.visits, v)
	if s.carry[items[0].MessageID] {
		v.Waiting = append(slices.Clone(v.Waiting), items[0].MessageID)
		return integrations.Built{Carried: []int{0}, Visit: v}
	}
	v.Waiting, v.Refused = nil, attempt.IDs{} // like a vendor that knows nothing of Refused
	b := integrations.Built{Visit: v}
	var names []string
	for i, it := range items {
		if why := s.refuse[it.MessageID]; why != "" {
			b.Refused = append(b.Refused, integrations.Refusal{Item: i, Reason: why})
			continue
		}
		if why := s.replaced[it.MessageID]; why != "" {
			b.LeftOut = append(b.LeftOut, integrations.Refusal{Item: i, Reason: why})
		}
		b.Sent = append(b.Sent, i)
		name := it.MessageID
		if len(it.Payload) > 0 && it.Payload[0] == '"' { // a part
			_ = json.Unmarshal(it.Payload, &name)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return b
	}
	b.Request = &integrations.Request{URL: items[0].AnonymousID, Body: []byte(`{}`), Summary: s.form + strings.Join(names, "+"), IDs: s.ids}
	b.Request.Scout = s.scout != nil && s.scout(items[0].AnonymousID)
	return b
}

func (s *script) Send(_ context.Context, r integrations.Request) attempt.Result {
	s.mu.Lock()
	if s.flying == nil {
		s.flying = map[string]int{}
	}
	s.flying[r.URL]++
	if s.flying[r.URL] > 1 {
		panic("two requests of one visitor at once")
	}
	all := 0
	for _, n := range s.flying {
		all += n
	}
	s.most = max(s.most, all)
	s.got = append(s.got, fmt.Sprintf("%s/%s at %s", r.URL, r.Summary, time.Since(s.start).Round(time.Second)))
	answer := attempt.Result{}
	if list := s.answers[r.URL]; len(list) > 0 {
		answer, s.answers[r.URL] = list[0], list[1:]
	}
	takes := s.takes
	s.mu.Unlock()
	time.Sleep(takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying[r.URL]--
	if s.judge != nil {
		return s.judge(r.URL, strings.Split(r.Summary, "+"))
	}
	return answer
}

// able is a script with all that a Connection can do beside. What is nil does
// nothing.
type able struct {
	*script
	prepare  func(integrations.Item) (integrations.Item, string, error)
	parts    map[string][]string
	version  uint64
	state    string
	restored []string
	badState bool
	forgot   bool
	tended   chan bool // true when Tend began, closed when it ended
	checks   func(context.Context) []attempt.Check
	asked    int // Diagnose
}

func (a *able) Extract(*event.Event) json.RawMessage { return nil }

func (a *able) Prepare(_ context.Context, i integrations.Item) (integrations.Item, string, error) {
	if a.prepare == nil {
		return i, "", nil
	}
	return a.prepare(i)
}

func (a *able) BuildAs(form string, v integrations.Visit, items []integrations.Item) integrations.Built {
	b := a.Build(v, items)
	if b.Request != nil {
		b.Request.Summary = form + ":" + b.Request.Summary
	}
	return b
}

func (a *able) Split(i integrations.Item) []integrations.Item {
	var out []integrations.Item
	for _, name := range a.parts[i.MessageID] {
		part := i
		part.Payload, _ = json.Marshal(name)
		out = append(out, part)
	}
	return out
}

func (a *able) Learned() integrations.Learned {
	a.mu.Lock()
	defer a.mu.Unlock()
	return integrations.Learned{Version: a.version, State: json.RawMessage(a.state), Facts: []integrations.Fact{{Name: "form", Value: a.state}}}
}

func (a *able) learn(state string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	a.state = state
}

func (a *able) Restore(state json.RawMessage) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.restored = append(a.restored, string(state))
	if a.badState {
		return fmt.Errorf("no state: %s", state)
	}
	a.version, a.state = 7, string(state)
	return nil
}

func (a *able) Forget() {
	a.learn("")
	a.forgot = true
}

func (a *able) Tend(ctx context.Context) {
	if a.tended == nil {
		return
	}
	a.tended <- true
	<-ctx.Done()
	close(a.tended)
}

func (a *able) Diagnose(ctx context.Context, _ attempt.Result) []attempt.Check {
	a.asked++
	if a.checks == nil {
		return nil
	}
	return a.checks(ctx)
}

func (a *able) Warnings() []string { return []string{"The token is about to expire."} }

// bench runs lanes in a bubble over a script, with what was settled at hand.
type bench struct {
	*lanes
	ends    []string // "message outcome: reason"
	all     []end
	visits  map[string]integrations.Visit
	records chan trace.Record
	mu      sync.Mutex
}

func newBench(s *script, change func(*laneOptions)) *bench { return benchOf(s, s, change) }

// benchOf is newBench for a connection around a script.
func benchOf(c integrations.Connection, s *script, change func(*laneOptions)) *bench {
	b := &bench{visits: map[string]integrations.Visit{}, records: make(chan trace.Record, 10_000)}
	s.start = time.Now()
	o := laneOptions{
		pipeline: "shop", integration: "shop/x", connection: c, concurrency: 4, log: slog.New(slog.DiscardHandler),
		jitter:  func() float64 { return 0.5 },
		allowed: func(context.Context, string, string, string) (bool, string, error) { return true, "", nil },
		visit: func(_ context.Context, id string) (integrations.Visit, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.visits[id], nil
		},
		keep: func(id string, v integrations.Visit) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.visits[id] = v
		},
		settle: func(u unit) {
			b.ended(u)
			b.settled([]unit{u})
		},
		tap: trace.NewTap(b.records, &atomic.Int64{}),
	}
	if change != nil {
		change(&o)
	}
	b.lanes = newLanes(o)
	return b
}

// ended writes a unit down.
func (b *bench) ended(u unit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range u.ends {
		line := e.item.MessageID + " " + string(e.result)
		if e.reason != "" {
			line += ": " + e.reason
		}
		b.ends = append(b.ends, line)
		b.all = append(b.all, e)
	}
}

// steps gives what the debugger got of a message.
func (b *bench) steps(message string) []*trace.Step {
	var out []*trace.Step
	close(b.records)
	for r := range b.records {
		if r.MessageID == message {
			out = append(out, r.Step)
		}
	}
	return out
}

func item(visitor, message string) *held {
	now := time.Now()
	return &held{Item: integrations.Item{
		Place: event.Place{Seq: 1}, AnonymousID: visitor, MessageID: message, ReceivedAt: now, Traced: true,
		Session: integrations.Session{Sid: "sid-" + visitor},
	}, since: now}
}

// items gives an item of a visitor for each word.
func items(visitor, messages string) []*held {
	var out []*held
	for m := range strings.FieldsSeq(messages) {
		out = append(out, item(visitor, m))
	}
	return out
}

// numbered gives items 1 to n of a visitor.
func numbered(visitor string, n int) []*held {
	var out []*held
	for i := range n {
		out = append(out, item(visitor, fmt.Sprint(i+1)))
	}
	return out
}

// play adds items, runs the lanes for so long, and stops them.
func (b *bench) play(t *testing.T, long time.Duration, items ...*held) {
	t.Helper()
	for _, h := range items {
		b.add(h)
	}
	var wg sync.WaitGroup
	wg.Go(func() { b.run(t.Context()) })
	time.Sleep(long)
	synctest.Wait()
	b.stop()
	wg.Wait()
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// logTo is a log that a test reads.
func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// forged has no use for items with that word in their name.
func forged(i integrations.Item) (integrations.Item, string, error) {
	if strings.HasSuffix(i.MessageID, "forged") {
		return i, "forged", nil
	}
	return i, "", nil
}
