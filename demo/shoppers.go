package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// MaxVisitors bounds ShoppersOptions.Visitors: a demo, not a load test.
const MaxVisitors = 2000

// ShoppersOptions say how many shoppers there are and where they shop.
type ShoppersOptions struct {
	GatewayURL  string
	PipelineKey string

	// ShopURL is the shop that the shoppers say they are on; it is the Origin
	// of their requests. Default http://127.0.0.1:8088.
	ShopURL string

	// Visitors is how many shop at the same time. 0 is nobody, more than
	// MaxVisitors is MaxVisitors. Each sends about one event a second while on
	// a visit, and rests between visits.
	Visitors int

	// Seed makes the same shoppers do the same again. 0 takes a seed by chance.
	Seed uint64

	// Transport carries the requests. Default: one of its own, with at most 64
	// connections, closed when Shoppers returns.
	Transport http.RoundTripper

	Log *slog.Logger // nil discards
}

func (o ShoppersOptions) withDefaults() ShoppersOptions {
	if o.ShopURL == "" {
		o.ShopURL = "http://127.0.0.1:8088"
	}
	o.ShopURL = strings.TrimRight(o.ShopURL, "/")
	o.GatewayURL = strings.TrimRight(o.GatewayURL, "/")
	o.Visitors = min(max(o.Visitors, 0), MaxVisitors)
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Counts are what the shoppers did.
type Counts struct {
	Visits  int64 // begun
	Events  int64 // taken by the gateway
	Refused int64 // given up, as the gateway said they are wrong
	Retries int64 // requests sent again after a 429, a 503 or no answer
}

// Shoppers lets people shop until ctx ends, and says what they did. They send
// what the collector sends, the way it does: small batches of JSON with an
// Origin and a cookie. What the gateway cannot take at the moment is sent again
// with the same message ids, and that person waits; what it refuses is dropped.
func Shoppers(ctx context.Context, o ShoppersOptions) (Counts, error) {
	o = o.withDefaults()
	if origin(o.GatewayURL) == "" || origin(o.ShopURL) == "" {
		return Counts{}, errors.New("demo: shoppers need the gateway's address, such as http://127.0.0.1:8080")
	}
	if o.Transport == nil {
		own := &http.Transport{MaxConnsPerHost: 64, MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second}
		defer own.CloseIdleConnections()
		o.Transport = own
	}
	c := &crowd{opts: o}
	var all sync.WaitGroup
	for n := range o.Visitors {
		all.Go(func() { c.shop(ctx, rand.New(rand.NewPCG(o.Seed, uint64(n)))) })
	}
	all.Wait()
	return c.counts(), nil
}

// crowd is what the shoppers share.
type crowd struct {
	opts                             ShoppersOptions
	visits, events, refused, retries atomic.Int64
	warned                           atomic.Bool
}

func (c *crowd) counts() Counts {
	return Counts{Visits: c.visits.Load(), Events: c.events.Load(), Refused: c.refused.Load(), Retries: c.retries.Load()}
}

// shop is the life of one place in the crowd: one person after the other, each
// with a few visits.
func (c *crowd) shop(ctx context.Context, r *rand.Rand) {
	if !pause(ctx, between(r, 0, 3*time.Second)) { // not all at once
		return
	}
	for {
		p := newPerson(r)
		jar, err := cookiejar.New(nil)
		if err != nil {
			panic("demo: cookie jar: " + err.Error()) // it fails on no input
		}
		client := &http.Client{
			Transport: c.opts.Transport, Jar: jar, Timeout: 10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		for range 1 + r.IntN(3) {
			if !c.visit(ctx, r, p, client) || !pause(ctx, between(r, 5*time.Second, 40*time.Second)) {
				return
			}
		}
	}
}

// visit walks through the shop once. It reports false when ctx ended.
func (c *crowd) visit(ctx context.Context, r *rand.Rand, p *person, client *http.Client) bool {
	c.visits.Add(1)
	for _, stop := range p.plan(r, c.opts.ShopURL) {
		if stop.before != nil {
			stop.before()
		}
		var batch []map[string]any
		for _, s := range stop.events {
			batch = append(batch, p.event(r, stop, s, time.Now()))
		}
		if !c.send(ctx, r, p, client, batch) {
			return false
		}
		if stop.after != nil {
			stop.after()
		}
		if !pause(ctx, between(r, 200*time.Millisecond, 3*time.Second)) {
			return false
		}
	}
	return true
}

// send brings one batch to the gateway, however often it takes. It reports
// false when ctx ended.
func (c *crowd) send(ctx context.Context, r *rand.Rand, p *person, client *http.Client, batch []map[string]any) bool {
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 30*time.Second) {
		body, err := json.Marshal(map[string]any{"batch": batch, "sentAt": stamp(time.Now())})
		if err != nil {
			panic("demo: encode a batch: " + err.Error()) // it holds plain values only
		}
		a, err := c.post(ctx, p, client, body)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil && a.status == http.StatusOK:
			c.events.Add(int64(len(batch) - a.rejected))
			c.refuse(a.rejected, a)
			return true
		case err == nil && a.status != http.StatusTooManyRequests && a.status/100 != 5:
			c.refuse(len(batch), a)
			return true
		}
		c.retries.Add(1)
		if !pause(ctx, max(a.after, wait)+between(r, 0, wait/2)) {
			return false
		}
	}
}

// refuse counts events that the gateway will never take, and says so once.
func (c *crowd) refuse(n int, a answer) {
	if n == 0 {
		return
	}
	c.refused.Add(int64(n))
	if c.warned.CompareAndSwap(false, true) {
		c.opts.Log.Warn("shoppers were refused by the gateway", "status", a.status, "code", a.code)
	}
}

// answer is what the gateway said to one request.
type answer struct {
	status   int
	code     string
	rejected int
	after    time.Duration // Retry-After, at most a minute
}

func (c *crowd) post(ctx context.Context, p *person, client *http.Client, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.opts.GatewayURL+"/v1/batch", bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.opts.PipelineKey)
	req.Header.Set("Origin", origin(c.opts.ShopURL))
	req.Header.Set("Sec-Fetch-Site", "same-site")
	req.Header.Set("User-Agent", p.agent)
	req.Header.Set("Accept-Language", p.locale)
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("send a batch: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read as far as it is of use
	a := answer{status: resp.StatusCode}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		a.after = min(max(time.Duration(s)*time.Second, 0), time.Minute)
	}
	var said struct {
		Rejected []struct {
			Code string `json:"code"`
		} `json:"rejected"`
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	// An answer that is not JSON is judged by its status alone.
	_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&said)
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection serves again
	a.rejected, a.code = len(said.Rejected), said.Error.Code
	if a.rejected > 0 {
		a.code = said.Rejected[0].Code
	}
	return a, nil
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)+1))
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
