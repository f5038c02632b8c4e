// Package ingest is the gateway: it takes events over HTTP from browsers and
// servers, checks them, gives each its stamps, and answers 200 only after the
// journal has them on disk. Before it come the collector and the stock clients
// of Segment and RudderStack; after it comes process, which reads the journal.
//
// The way of a request: route, origin, key, body, admit, duplicates, commit.
//
// It promises never to answer 200 for what was not kept, never to answer 5xx
// for bad input, and to keep the bytes of an event as they came. It knows
// nothing of consent, mappings or vendors. It starts no goroutine.
package ingest

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/datafly/signal/store"
)

// A Committer makes items durable. journal.Committer is one.
//
// Commit returns when the item is on disk, or with an error when it is not
// known to be. The item is the Committer's until then, and for good after an
// error. Commit must be safe for many goroutines.
type Committer interface {
	Commit(ctx context.Context, tag string, item []byte) (seq uint64, index int, err error)
}

// A BulkCommitter is a Committer that takes the events of a batch together and
// keeps their order. A gateway without one commits a batch event by event,
// because one that is committed beside another may overtake it.
//
// After an error some of the items may be kept all the same.
type BulkCommitter interface {
	Committer
	CommitAll(ctx context.Context, tag string, items [][]byte) error
}

// Options tune a Gateway. Only Committer is required.
type Options struct {
	// Pipelines are those in force at the start; Use replaces them.
	Pipelines []store.Pipeline

	// Committer stores the events.
	Committer Committer

	// TrustedProxies are the networks whose X-Forwarded-For and
	// X-Forwarded-Proto are believed. None by default: a listed network that
	// is not only proxies lets its machines write any address.
	TrustedProxies []netip.Prefix

	// CookieDomain is the Domain of the cookie _dfid, such as "example.com"
	// to share it between subdomains. Default: the gateway's own host only.
	CookieDomain string

	// DedupeWindow is how long a messageId is remembered. Default 10 min, at
	// most 24 h. A client that repeats an event later stores it twice.
	DedupeWindow time.Duration

	// DedupeMax bounds the messageIds that are remembered, of all pipelines
	// together; when it is reached the oldest go, before their time. Default
	// 2,000,000, which is about 110 MB.
	DedupeMax int

	// BodyTimeout is how long a client may take to send a body. Default 10 s.
	BodyTimeout time.Duration

	// CommitTimeout bounds the wait for the journal; after it the answer is
	// 503. Default 10 s. An event that reaches the disk later is kept, so a
	// low value makes repeats out of a slow disk.
	CommitTimeout time.Duration

	// Collector serves GET /d.js and /datafly.js. Nil answers 404.
	Collector http.Handler

	// Ready says why the process should get no requests, for /readyz. Nil is
	// always ready.
	Ready func(context.Context) error

	// Log gets faults of ours, never an event. Nil discards.
	Log *slog.Logger

	// Count is told what became of n events: result is Accepted, Duplicate,
	// or the code of the refusal, where a request whose events cannot be told
	// apart counts as 1. pipeline is "" when the key is not known. It must not
	// block and must be safe for many goroutines. Nil counts nothing.
	Count func(pipeline, result string, n int)

	// Now is the clock. Default time.Now.
	Now func() time.Time

	// NewMessageID and NewAnonymousID make ids. Default UUID v7 and v4.
	NewMessageID, NewAnonymousID func() string
}

// Results that Count gets beside the codes of refusals.
const (
	Accepted  = "accepted"
	Duplicate = "duplicate"
)

func (o Options) withDefaults() Options {
	if o.DedupeWindow <= 0 {
		o.DedupeWindow = 10 * time.Minute
	}
	o.DedupeWindow = min(o.DedupeWindow, 24*time.Hour)
	if o.DedupeMax <= 0 {
		o.DedupeMax = 2_000_000
	}
	if o.BodyTimeout <= 0 {
		o.BodyTimeout = 10 * time.Second
	}
	if o.CommitTimeout <= 0 {
		o.CommitTimeout = 10 * time.Second
	}
	if o.Collector == nil {
		o.Collector = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			refuse(w, refusal{http.StatusNotFound, "NOT_FOUND", "this gateway serves no collector"})
		})
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Count == nil {
		o.Count = func(string, string, int) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewMessageID == nil {
		o.NewMessageID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	if o.NewAnonymousID == nil {
		o.NewAnonymousID = uuid.NewString
	}
	return o
}

// A Gateway answers the requests of collectors and clients. It is safe for
// many goroutines.
type Gateway struct {
	opts     Options
	sites    atomic.Pointer[sites]
	seen     *seen
	routes   map[string]route
	complain limitedLog
}

// New makes a Gateway. It panics without a Committer, since it could keep
// nothing.
func New(o Options) *Gateway {
	if o.Committer == nil {
		panic("ingest: New without a Committer")
	}
	g := &Gateway{opts: o.withDefaults()}
	g.seen = newSeen(g.opts.DedupeWindow, g.opts.DedupeMax)
	g.complain.log = g.opts.Log
	g.routes = g.table()
	g.Use(o.Pipelines)
	return g
}

// Use replaces the pipelines, for requests that come after it.
func (g *Gateway) Use(pipelines []store.Pipeline) {
	s, clashes := newSites(pipelines)
	for _, name := range clashes {
		g.opts.Log.Error("pipeline has no key of its own and gets no events: give it one", "pipeline", name)
	}
	g.sites.Store(s)
}

// Remember notes that a messageId was stored at the given instant. It is called
// at the start, oldest first, with what the journal holds of the last
// DedupeWindow, so that a restart forgets no duplicate.
func (g *Gateway) Remember(pipeline, messageID string, at time.Time) {
	if messageID != "" && g.opts.Now().Sub(at) < g.opts.DedupeWindow {
		g.seen.remember(seenKey(pipeline, messageID), at)
	}
}
