package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/event"
)

const key = "dk_test_demo"

// gateway is a hand-written stand-in that keeps what it took.
type gateway struct {
	t      *testing.T
	answer func(n int) int // status of the nth request, counted from 1

	mu       sync.Mutex
	requests int
	bodies   [][]byte
	events   []map[string]any
	cookies  int
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests++
	if r.URL.Path != "/v1/batch" || r.Header.Get("Authorization") != "Bearer "+key || r.Header.Get("Origin") != "http://127.0.0.1:8088" {
		g.t.Errorf("request %s with origin %q and key %q", r.URL.Path, r.Header.Get("Origin"), r.Header.Get("Authorization"))
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the shopper left in the middle
	}
	g.bodies = append(g.bodies, body)
	if _, err := r.Cookie("_dfid"); err == nil {
		g.cookies++
	}
	status := http.StatusOK
	if g.answer != nil {
		status = g.answer(g.requests)
	}
	if status != http.StatusOK {
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":{"code":"NOT_DURABLE","message":"later"}}`)
		return
	}
	g.keep(body)
	http.SetCookie(w, &http.Cookie{Name: "_dfid", Value: "5f0c6a5e-0d3f-4a57-9d53-6f4b2d4b2a11", Path: "/", HttpOnly: true})
	_, _ = io.WriteString(w, `{"success":true,"accepted":1,"rejected":[]}`)
}

func (g *gateway) keep(body []byte) {
	b, err := event.SplitBatch(body)
	if err != nil || b.SentAt.IsZero() {
		g.t.Errorf("batch: %v, sent at %v", err, b.SentAt)
	}
	for _, raw := range b.Events {
		h, err := event.Admit(raw, "")
		if err != nil || h.MessageID == "" || h.AnonymousID == "" {
			g.t.Errorf("Admit(%s) = %+v, %v", raw, h, err)
		}
		e, err := event.DecodeTree(raw)
		if err != nil {
			g.t.Errorf("DecodeTree(%s): %v", raw, err)
		}
		g.events = append(g.events, e)
	}
}

// inside is a transport that calls a handler, so that a bubble's clock runs.
type inside struct{ h http.Handler }

func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	i.h.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func text(e map[string]any, path string) string {
	v, _ := event.Walk(e, path)
	s, _ := v.(string)
	return s
}

func TestShoppersShopHalfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{t: t}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		counts, err := Shoppers(ctx, ShoppersOptions{GatewayURL: "http://127.0.0.1:8080/", PipelineKey: key, Visitors: 20, Seed: 7, Transport: inside{g}})
		if err != nil {
			t.Fatal(err)
		}
		if counts.Refused != 0 || counts.Retries != 0 || counts.Events != int64(len(g.events)) {
			t.Errorf("counts = %+v, want all of %d events taken at once", counts, len(g.events))
		}
		if per := float64(counts.Events) / float64(counts.Visits); per < 5 || per > 15 {
			t.Errorf("%d events in %d visits, want 5 to 15 a visit", counts.Events, counts.Visits)
		}
		if g.cookies < g.requests/2 {
			t.Errorf("%d of %d requests had the cookie of the gateway", g.cookies, g.requests)
		}
		checkVariety(t, g.events)
	})
}

// checkVariety looks for everything that a demo should show.
func checkVariety(t *testing.T, events []map[string]any) {
	seen := map[string]int{}
	people := map[string]bool{}
	ids := map[string]bool{}
	for _, e := range events {
		people[text(e, "anonymousId")] = true
		id := text(e, "messageId")
		if ids[id] {
			t.Errorf("message id %s was used twice", id)
		}
		ids[id] = true
		seen[text(e, "type")+" "+text(e, "event")]++
		c, known := event.Walk(e, "context.consent.categories.C0004")
		switch {
		case !known:
			seen["consent unknown"]++
		case c == true:
			seen["consent granted"]++
		default:
			seen["consent denied"]++
		}
		if text(e, "context.campaign.source") != "" {
			seen["campaign"]++
			if !strings.Contains(text(e, "context.page.search"), "utm_source=") {
				t.Errorf("a campaign without its address: %v", e["context"])
			}
		}
		if text(e, "type") == "track" && text(e, "userId") != "" {
			seen["signed in"]++
		}
		if text(e, "type") == "identify" && text(e, "userId") == "" {
			t.Errorf("identify without a userId: %v", e)
		}
	}
	for _, want := range []string{
		"page ", "identify ", "track Products Searched", "track Product Viewed", "track Cart Viewed", "track Checkout Started",
		"track Order Completed", "track Lead Generated", "consent unknown", "consent granted", "consent denied", "campaign", "signed in",
	} {
		if seen[want] == 0 {
			t.Errorf("no %q among %d events", want, len(events))
		}
	}
	if len(people) < 60 {
		t.Errorf("%d people in half an hour, want new ones to come", len(people))
	}
}

func TestAVisitHasFiveToFifteenEvents(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := newPerson(r)
		for range 3 {
			n := 0
			for _, s := range p.plan(r, "http://127.0.0.1:8088") {
				n += len(s.events)
			}
			if n < 5 || n > 15 {
				t.Fatalf("seed %d: %d events", seed, n)
			}
		}
	}
}

func TestShoppersSendTheSameAgainWhenTheGatewayIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{t: t, answer: func(n int) int {
			return map[int]int{1: 503, 2: 429, 3: 500}[n] + map[bool]int{true: 200}[n > 3]
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		counts, err := Shoppers(ctx, ShoppersOptions{GatewayURL: "http://127.0.0.1:8080", PipelineKey: key, Visitors: 1, Seed: 1, Transport: inside{g}})
		if err != nil || counts.Retries != 3 {
			t.Fatalf("Shoppers = %+v, %v, want 3 retries", counts, err)
		}
		want := batchIDs(t, g.bodies[0])
		for i, b := range g.bodies[1:4] {
			if got := batchIDs(t, b); got != want {
				t.Errorf("try %d sent %s, want %s", i+2, got, want)
			}
		}
		if batchIDs(t, g.bodies[4]) == want {
			t.Error("the batch was sent again after it was taken")
		}
	})
}

func batchIDs(t *testing.T, body []byte) string {
	t.Helper()
	var b struct {
		Batch []struct{ MessageID string }
	}
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range b.Batch {
		ids = append(ids, e.MessageID)
	}
	return strings.Join(ids, " ")
}

func TestShoppersGiveUpWhatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		g := &gateway{t: t, answer: func(int) int { return http.StatusForbidden }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		counts, err := Shoppers(ctx, ShoppersOptions{GatewayURL: "http://127.0.0.1:8080", PipelineKey: key, Visitors: 2, Seed: 1, Transport: inside{g}, Log: lineLog(&log)})
		if err != nil || counts.Events != 0 || counts.Refused == 0 || counts.Retries != 0 {
			t.Errorf("Shoppers = %+v, %v, want all refused and none tried again", counts, err)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines of log, want one:\n%s", n, log.String())
		}
	})
}

func TestShoppersDoTheSameWithTheSameSeed(t *testing.T) {
	run := func() (ids []string) {
		synctest.Test(t, func(t *testing.T) {
			g := &gateway{t: t}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := Shoppers(ctx, ShoppersOptions{GatewayURL: "http://127.0.0.1:8080", PipelineKey: key, Visitors: 1, Seed: 42, Transport: inside{g}}); err != nil {
				t.Fatal(err)
			}
			for _, b := range g.bodies {
				ids = append(ids, batchIDs(t, b))
			}
		})
		return ids
	}
	if a, b := run(), run(); strings.Join(a, "|") != strings.Join(b, "|") || len(a) == 0 {
		t.Errorf("two runs of one seed differ:\n%v\n%v", a, b)
	}
}

func TestShoppersNeedAGateway(t *testing.T) {
	for _, u := range []string{"", "127.0.0.1:8080", "ftp://127.0.0.1"} {
		if _, err := Shoppers(t.Context(), ShoppersOptions{GatewayURL: u, Visitors: 1}); err == nil || !strings.Contains(err.Error(), "http://") {
			t.Errorf("Shoppers at %q = %v, want an error that shows an address", u, err)
		}
	}
}

// One run over real connections: everything comes back when ctx ends.
func TestShoppersOverHTTP(t *testing.T) {
	enough := make(chan struct{})
	var once sync.Once
	g := &gateway{t: t}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.ServeHTTP(w, r)
		g.mu.Lock()
		defer g.mu.Unlock()
		if len(g.events) >= 50 {
			once.Do(func() { close(enough) })
		}
	}))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	go func() {
		select {
		case <-enough:
			cancel()
		case <-ctx.Done():
		}
	}()
	counts, err := Shoppers(ctx, ShoppersOptions{GatewayURL: srv.URL, PipelineKey: key, Visitors: 60, Seed: 3})
	if err != nil || counts.Visits == 0 || len(g.events) < 50 {
		t.Errorf("Shoppers = %+v, %v with %d events, want at least 50", counts, err, len(g.events))
	}
}
