package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/integrations/liveperson/lpsim"
)

// send posts a body to the Management API.
func (r *rig) send(path, body string, into any) int {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.console+"/v1/admin/"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/json")
	return r.read(req, into)
}

// resend begins a replay of everything that is stored and gives it when it ends.
func (r *rig) resend(more string) desk.Replay {
	r.t.Helper()
	var j desk.Replay
	body := fmt.Sprintf(`{"integration":"shop/liveperson","from":%q,"to":%q,"rate":10000%s}`, stamped(-time.Hour), stamped(time.Hour), more)
	if status := r.send("replays", body, &j); status != 200 {
		r.t.Fatalf("replays answered %d", status)
	}
	r.until(func() bool { return r.admin(http.MethodGet, "replays/"+j.ID, &j) == 200 && j.Ended() }, "the replay ends")
	return j
}

func stamped(ago time.Duration) string { return time.Now().Add(ago).UTC().Format(time.RFC3339) }

// Stored events are sent again in the order of receipt, each counts once, and
// the debugger marks the second delivery as a replay.
func TestAReplayOfStoredEvents(t *testing.T) {
	r := startRig(t, rigOptions{})
	for i := range 30 {
		r.accept(fmt.Sprintf(`{"type":"track","event":"Order Completed","anonymousId":"v%d","messageId":"m%d","properties":{"order_id":"%d","revenue":1}}`, i%3, i, i))
	}
	r.settle(30)
	dry := r.resend(`,"dry_run":true`)
	if dry.Matched != 30 || dry.Sent != 30 || dry.Repeats != 30 || len(r.orders()) != 30 {
		t.Errorf("dry run %+v, and %d orders arrived", dry, len(r.orders()))
	}
	run := r.resend("")
	if run.State != desk.ReplayDone || run.Sent != dry.Sent || run.Repeats != dry.Repeats {
		t.Errorf("replay %+v", run)
	}
	r.until(func() bool { return len(r.orders()) == 60 && r.overview().Pending == 0 }, "they arrive again")
	last := map[string]int{}
	for _, o := range r.orders()[30:] {
		if o.order < last[o.visitor] {
			t.Errorf("%s: order %d came behind %d", o.visitor, o.order, last[o.visitor])
		}
		last[o.visitor] = o.order
	}
	r.until(func() bool { return r.overview() == counts{Accepted: 30, Delivered: 30} }, "each counts once")
	r.until(func() bool {
		var e desk.EventDetail
		if r.admin(http.MethodGet, "events/m7", &e) != 200 || len(e.Routes) != 1 {
			return false
		}
		last := e.Routes[0].Last()
		return last != nil && last.Gen == 1 && last.Outcome == "delivered"
	}, "the debugger marks it as a replay")
	if more := r.resend(`,"visitor":"v1","event":"order_completed"`); more.Matched != 10 || more.Sent != 10 {
		t.Errorf("of one visitor: %+v", more)
	}
	r.settle(30)
	var proof desk.Proof
	if r.admin(http.MethodGet, "verify", &proof); !proof.Holds() || proof.Pairs != 30 || proof.Replayed != 40 {
		t.Errorf("verify: %+v", proof)
	}
}

// An order as the simulator got it.
type arrived struct {
	visitor string
	order   int
}

func (r *rig) orders() []arrived {
	var out []arrived
	for _, q := range r.requests() {
		var report struct {
			ConsumerID           string
			EngagementAttributes []struct{ OrderID json.Number }
		}
		if err := json.Unmarshal([]byte(q.Body), &report); err != nil {
			r.t.Fatal(err)
		}
		for _, a := range report.EngagementAttributes {
			n, _ := a.OrderID.Int64()
			out = append(out, arrived{report.ConsumerID, int(n)})
		}
	}
	return out
}

// Kill -9 while dead letters and stored events are sent again: each replay has
// one outcome, every time, and no letter is on the list and on its way at once.
func TestKillWhileReplaying(t *testing.T) {
	const events = 600
	sim := httptest.NewServer(lpsim.New(lpsim.Options{SessionCap: -1}).Handler())
	defer sim.Close()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c := &child{t: t, config: filepath.Join(dir, "signal.yaml"), gateway: "http://" + freeAddr(t), console: "http://" + freeAddr(t), log: log}
	c.configure(filepath.Join(dir, "data"), sim.Listener.Addr().String())
	c.start()
	r := &rig{t: t, console: c.console, gateway: c.gateway, sim: sim}
	r.fault(`{"status":400,"code":5,"message":"engagementAttributes[0].total","rate":0.3,"seed":7}`)
	for i := range events / 20 {
		var batch []string
		for j := range 20 {
			batch = append(batch, fmt.Sprintf(`{"type":"track","event":"Order Completed","anonymousId":"v%d","properties":{"order_id":"%d","revenue":1}}`, j, i*20+j))
		}
		r.accept(strings.Join(batch, ","))
	}
	r.settle(events)
	proven := func() (p desk.Proof) {
		r.admin(http.MethodGet, "verify", &p)
		return p
	}
	all := fmt.Sprintf(`{"integration":"shop/liveperson","from":%q,"to":%q,"rate":1000}`, stamped(-time.Hour), stamped(time.Hour))
	for range 2 * kills {
		cut := make(chan struct{})
		go func() { // it is cut off by the kill
			defer close(cut)
			for _, q := range [][2]string{{"dead-letters/replay", `{"rate":1000}`}, {"replays", all}} {
				req, _ := http.NewRequest(http.MethodPost, r.console+"/v1/admin/"+q[0], strings.NewReader(q[1]))
				req.Header.Set("Authorization", "Bearer "+adminToken)
				if resp, err := http.DefaultClient.Do(req); err == nil {
					_ = resp.Body.Close()
				}
			}
		}()
		<-time.After(time.Duration(20+rand.IntN(400)) * time.Millisecond)
		c.kill()
		<-cut
		c.start()
		if p := proven(); !p.Holds() {
			t.Fatalf("after a kill: %+v", p)
		}
	}
	var p desk.Proof
	r.until(func() bool { p = proven(); return p.Outcomes["pending"] == 0 }, "everything ends")
	want := counts{Accepted: events, Delivered: int64(p.Outcomes["delivered"]), Dead: int64(p.Outcomes["dead"])}
	r.until(func() bool { return r.overview() == want }, "the counts are those of the proof") // they come a moment later
	var list struct{ Data []json.RawMessage }
	r.admin(http.MethodGet, "dead-letters?limit=500", &list)
	t.Logf("%d times sent again; %+v, %d dead letters", p.Replayed, want, len(list.Data))
	if !p.Holds() || p.Pairs != events || p.Replayed == 0 {
		t.Errorf("verify: %+v", p)
	}
	if want.ended() != events || len(list.Data) != p.Outcomes["dead"] {
		t.Errorf("%d dead letters, verify %v", len(list.Data), p.Outcomes)
	}
	c.kill()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"verify", "--data", filepath.Join(dir, "data")}, streams{nil, &out, &errs}); code != 0 {
		t.Errorf("verify ended with %d:\n%s%s", code, &out, &errs)
	}
}
