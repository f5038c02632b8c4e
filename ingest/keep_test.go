package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/store"
)

func request(method, target, body string) *http.Request {
	return httptest.NewRequest(method, target, strings.NewReader(body))
}

func page(messageID string) string {
	return fmt.Sprintf(`{"type":"page","messageId":%q}`, messageID)
}

func TestDuplicates(t *testing.T) {
	now := time.Date(2026, 2, 25, 14, 30, 0, 0, time.UTC)
	var c counts
	g, d := gateway(t, func(o *Options) {
		o.Now = func() time.Time { return now }
		o.Count = c.add
	})
	send := func(want int, headers string, bodies ...string) {
		t.Helper()
		before := len(d.all())
		w := call(g, "POST", "/v1/batch", `{"batch":[`+strings.Join(bodies, ",")+`]}`, headers)
		if answer := fmt.Sprintf(`{"success":true,"accepted":%d,"rejected":[]}`, len(bodies)); w.Code != 200 || w.Body.String() != answer {
			t.Errorf("%d %s, want %s", w.Code, w.Body, answer)
		}
		if got := len(d.all()) - before; got != want {
			t.Errorf("stored %d of %q, want %d", got, bodies, want)
		}
	}
	send(1, bearer, page("a"))
	send(0, bearer, page("a"))
	send(1, open, page("a")) // another pipeline
	send(2, bearer, page("b"), page("c"), page("b"))
	send(1, bearer, page("d"), page("a"))
	send(2, bearer, `{"type":"page"}`, `{"type":"page"}`) // no id of the client's
	now = now.Add(10*time.Minute - 1)
	send(0, bearer, page("a"))
	now = now.Add(1)
	send(1, bearer, page("a"))
	if w := call(g, "POST", "/v1/p", page("a"), bearer); w.Code != 200 || w.Body.String() != `{"success":true}` {
		t.Errorf("a repeat alone: %d %s", w.Code, w.Body)
	}
	if got, want := fmt.Sprint(c.of("shop/accepted"), c.of("shop/duplicate"), c.of("open/accepted")), "7 5 1"; got != want {
		t.Errorf("accepted, duplicate, accepted of open = %s, want %s", got, want)
	}
}

func TestRememberRefillsAfterARestart(t *testing.T) {
	g, d := gateway(t, nil)
	now := g.opts.Now()
	g.Remember("shop", "old", now.Add(-10*time.Minute))
	g.Remember("shop", "young", now.Add(-9*time.Minute))
	g.Remember("shop", "", now)
	for id, want := range map[string]int{"old": 1, "young": 0} {
		before := len(d.all())
		call(g, "POST", "/v1/p", page(id), bearer)
		if got := len(d.all()) - before; got != want {
			t.Errorf("%s: stored %d, want %d", id, got, want)
		}
	}
}

func TestWhatFailedIsNoDuplicate(t *testing.T) {
	var c counts
	g, d := gateway(t, func(o *Options) {
		o.Count = c.add
		o.Committer.(*disk).fail = func(n int) error {
			if n == 1 {
				return errFull
			}
			return nil
		}
	})
	w := call(g, "POST", "/v1/p", page("a"), bearer, fromWeb)
	if want := `{"error":{"code":"NOT_DURABLE","message":"the events could not be stored: send them again"}}`; w.Code != 503 || w.Body.String() != want || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s %v, want 503 %s with Retry-After", w.Code, w.Body, w.Header(), want)
	}
	if w.Header().Get("Set-Cookie") != "" || w.Header().Get("Access-Control-Allow-Origin") != shop {
		t.Errorf("headers of a 503: %v", w.Header())
	}
	if w := call(g, "POST", "/v1/p", page("a"), bearer); w.Code != 200 || len(d.all()) != 1 {
		t.Errorf("the repeat: %d %s, stored %d", w.Code, w.Body, len(d.all()))
	}
	if c.of("shop/NOT_DURABLE") != 1 || c.of("shop/accepted") != 1 {
		t.Errorf("counts %v", c.n)
	}
}

func TestAFailureInTheMiddleOfABatch(t *testing.T) {
	g, d := gateway(t, func(o *Options) {
		o.Committer.(*disk).fail = func(n int) error {
			if n == 2 {
				return errFull
			}
			return nil
		}
	})
	body := `{"batch":[` + page("a") + "," + page("b") + "," + page("c") + `]}`
	if w := call(g, "POST", "/v1/batch", body, bearer); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call(g, "POST", "/v1/batch", body, bearer); w.Code != 200 {
		t.Errorf("the repeat: %d %s", w.Code, w.Body)
	}
	var ids []string
	for _, r := range d.all() {
		ids = append(ids, r.MessageID)
	}
	if got := strings.Join(ids, ""); got != "abc" {
		t.Errorf("stored %s, want each once and in order", got)
	}
}

func TestABatchGoesToABulkCommitterTogetherAndInOrder(t *testing.T) {
	bulk := &bulkDisk{}
	g, _ := gateway(t, func(o *Options) { o.Committer = bulk })
	call(g, "POST", "/v1/batch", `{"batch":[`+page("a")+","+page("b")+","+page("c")+`]}`, bearer)
	if got := bulk.all(); bulk.bulks != 1 || len(got) != 3 || got[0].MessageID+got[1].MessageID+got[2].MessageID != "abc" {
		t.Errorf("%d bulks, stored %v", bulk.bulks, got)
	}
}

// TestARepeatWaitsForTheFirst sends the same event twice at once: the second
// may answer only when the first is on disk, and must try itself if it is not.
func TestARepeatWaitsForTheFirst(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			g, d := gateway(t, func(o *Options) {
				c := o.Committer.(*disk)
				c.gate = gate
				c.fail = func(n int) error {
					if fails && n == 1 {
						return errFull
					}
					return nil
				}
			})
			var codes [2]atomic.Int64
			for i := range codes {
				go func() { codes[i].Store(int64(call(g, "POST", "/v1/p", page("a"), bearer).Code)) }()
				synctest.Wait()
			}
			if a, b := codes[0].Load(), codes[1].Load(); a != 0 || b != 0 {
				t.Errorf("answered %d and %d before anything was stored", a, b)
			}
			gate <- struct{}{}
			synctest.Wait()
			if fails {
				if a, b := codes[0].Load(), codes[1].Load(); a != 503 || b != 0 {
					t.Errorf("after the first failed: %d and %d, want 503 and none yet", a, b)
				}
				gate <- struct{}{}
				synctest.Wait()
			}
			if b := codes[1].Load(); b != 200 || len(d.all()) != 1 {
				t.Errorf("the second: %d, stored %d", b, len(d.all()))
			}
		})
	}
}

// Each of two batches has an event that the other stores. They must not wait
// for each other for good.
func TestTwoBatchesThatShareEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, d := gateway(t, nil)
		var done sync.WaitGroup
		for i := range 40 {
			done.Go(func() {
				ids := []string{page("a"), page("b"), page("c"), page("d")}
				k := i % 4
				body := `{"batch":[` + strings.Join(append(ids[k:], ids[:k]...), ",") + `]}`
				if w := call(g, "POST", "/v1/batch", body, bearer); w.Code != 200 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
		done.Wait()
		if n := len(d.all()); n != 4 {
			t.Errorf("stored %d, want 4", n)
		}
	})
}

func TestConcurrentDuplicatesWithFailures(t *testing.T) {
	var turn atomic.Int64
	g, d := gateway(t, func(o *Options) {
		o.Committer.(*disk).fail = func(int) error {
			if turn.Add(1)%3 == 0 {
				return errFull
			}
			return nil
		}
	})
	const ids = 50
	var yes [ids]atomic.Int64
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for i := range ids {
				if call(g, "POST", "/v1/p", page(fmt.Sprint(i)), bearer).Code == 200 {
					yes[i].Add(1)
				}
			}
		})
	}
	done.Wait()
	stored := map[string]int{}
	for _, r := range d.all() {
		stored[r.MessageID]++
	}
	for i := range ids {
		n := stored[fmt.Sprint(i)]
		if n > 1 || (yes[i].Load() > 0) != (n == 1) {
			t.Errorf("event %d: answered 200 %d times, stored %d times", i, yes[i].Load(), n)
		}
	}
}

func TestAClientThatGoesAwayDoesNotEndTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		g, d := gateway(t, func(o *Options) { o.Committer.(*disk).gate = gate })
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			r := request("POST", "/v1/p", page("a")).WithContext(ctx)
			r.Header.Set("Authorization", "Bearer "+shopKey)
			g.Handler().ServeHTTP(httptest.NewRecorder(), r)
		}()
		synctest.Wait()
		leave()
		synctest.Wait()
		gate <- struct{}{}
		synctest.Wait()
		if w := call(g, "POST", "/v1/p", page("a"), bearer); w.Code != 200 || len(d.all()) != 1 {
			t.Errorf("the repeat: %d, stored %d", w.Code, len(d.all()))
		}
	})
}

func TestAJournalThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := gateway(t, func(o *Options) { o.Committer.(*disk).gate = make(chan struct{}) })
		start := time.Now()
		w := call(g, "POST", "/v1/p", "{}", bearer)
		if took := time.Since(start); w.Code != 503 || took != 10*time.Second {
			t.Errorf("%d after %v, want 503 after 10 s", w.Code, took)
		}
	})
}

func TestMemoryOfDuplicatesIsBounded(t *testing.T) {
	const limit = 6400
	s := newSeen(time.Hour, limit)
	now := time.Unix(1_000_000, 0)
	c := &cargo{}
	for i := range 100_000 {
		k := seenKey("shop", fmt.Sprint(i))
		f, first, known := s.claim(k, c, now)
		if !first || known {
			t.Fatalf("claim %d: %v %v", i, first, known)
		}
		s.land(k, f, true, now)
	}
	total := 0
	for i := range s.shards {
		total += len(s.shards[i].young) + len(s.shards[i].old)
		if n := len(s.shards[i].flying); n != 0 {
			t.Errorf("%d flights were never landed", n)
		}
	}
	if total > limit || total < limit/2-len(s.shards) {
		t.Errorf("remembers %d, want at most %d and at least half of it", total, limit)
	}
	if _, _, known := s.claim(seenKey("shop", "99999"), c, now); !known {
		t.Error("the youngest was forgotten")
	}
	if _, _, known := s.claim(seenKey("shop", "0"), c, now); known {
		t.Error("the oldest was kept")
	}
}

func TestEveryIDIsKeptForItsWholeWindow(t *testing.T) {
	s := newSeen(10*time.Minute, 1<<20)
	c := &cargo{}
	start := time.Unix(1_000_000, 0)
	for i := range 3600 { // an hour, one event a second, each repeated at the edge of its window
		now := start.Add(time.Duration(i) * time.Second)
		k := seenKey("shop", fmt.Sprint(i))
		f, _, _ := s.claim(k, c, now)
		s.land(k, f, true, now)
		if i >= 599 {
			if _, _, known := s.claim(seenKey("shop", fmt.Sprint(i-599)), c, now); !known {
				t.Fatalf("event %d was forgotten after 599 s", i-599)
			}
		}
	}
}

// No key, id or word of a person may stand in a log line.
func TestLogHoldsNothingOfTheEvent(t *testing.T) {
	var log lines
	g, _ := gateway(t, func(o *Options) {
		o.Log = log.logger()
		o.Committer.(*disk).fail = func(int) error { return errors.New("disk full") }
		o.Pipelines = append(pipelines(), store.Pipeline{Name: "twin", Key: shopKey, Secret: "hush-hush"})
	})
	for range 5 {
		call(g, "POST", "/v1/t", `{"event":"secret-name","userId":"ann@example.com","anonymousId":"secret-visitor"}`, bearer, "Cookie: _dfid="+uuid1)
	}
	got := log.String()
	for _, word := range []string{"secret-name", "ann@example.com", "secret-visitor", shopKey, uuid1, "hush-hush", "203.0.113"} {
		if strings.Contains(got, word) {
			t.Errorf("the log has %q:\n%s", word, got)
		}
	}
	if strings.Count(got, "disk full") != 1 || !strings.Contains(got, "twin") {
		t.Errorf("want one line about the disk and one about the pipeline without key of its own:\n%s", got)
	}
}
