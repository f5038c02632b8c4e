package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/datafly/signal/integrations/liveperson/lpsim"
)

// The dialect auto finds out by itself how LivePerson wants to be spoken to, at
// the price of one refused report where the forms differ, and of none where
// Signal's own is taken.
func TestAutoFindsTheFormOut(t *testing.T) {
	const visitors = 200
	for dialect, refusals := range map[string]int{lpsim.DialectReference: 1, lpsim.DialectSeed: 0, lpsim.DialectBoth: 0} {
		t.Run(dialect, func(t *testing.T) {
			r := startRig(t, rigOptions{settings: "dialect: auto", sim: lpsim.Options{Dialect: dialect}})
			var wg sync.WaitGroup
			for v := range visitors {
				wg.Go(func() {
					r.accept(strings.Join([]string{
						fmt.Sprintf(`{"type":"page","anonymousId":"visitor-%d","context":{"page":{"url":"https://shop.example/tea/%d"}}}`, v, v),
						fmt.Sprintf(`{"type":"track","event":"Products Searched","anonymousId":"visitor-%d","properties":{"query":"tea %d"}}`, v, v),
						fmt.Sprintf(`{"type":"track","event":"Cart Viewed","anonymousId":"visitor-%d","properties":{"value":%d,"currency":"EUR","num_items":1}}`, v, v),
						fmt.Sprintf(`{"type":"track","event":"Order Completed","anonymousId":"visitor-%d","properties":{"order_id":"O-%d","revenue":%d}}`, v, v, v),
					}, ","))
				})
			}
			wg.Wait()
			if c := r.settle(4 * visitors); c.Delivered+c.Carried != 4*visitors {
				t.Fatalf("counts = %+v", c)
			}
			refused := 0
			for _, q := range r.requests() {
				if q.Status/100 == 4 {
					refused++
				}
			}
			if refused > refusals {
				t.Errorf("%d reports were refused, want at most %d", refused, refusals)
			}
			for v := range visitors {
				got, ok := r.simulator.Visitor(fmt.Sprintf("visitor-%d", v))
				if !ok || len(got.Orders) != 1 || len(got.Searches) != 1 || got.Cart == nil || len(got.Pages) != 1 || got.SessionsCreated != 1 {
					t.Fatalf("visitor %d has %d orders, %d searches, %d pages in %d sessions, want one of each: %+v", v, len(got.Orders), len(got.Searches), len(got.Pages), got.SessionsCreated, got)
				}
			}
			var status struct {
				Integrations []struct {
					Learned []struct{ Name, Value string }
				}
			}
			r.admin(http.MethodGet, "overview", &status)
			learned := fmt.Sprint(status.Integrations[0].Learned)
			if want := map[string]string{lpsim.DialectReference: "liveperson", lpsim.DialectSeed: "signal", lpsim.DialectBoth: "signal"}[dialect]; !strings.Contains(learned, want) {
				t.Errorf("learned %s, want the form %s", learned, want)
			}
		})
	}
}

// What was learned is there after a restart: nothing is refused again.
func TestWhatWasLearnedSurvivesARestart(t *testing.T) {
	first := startRig(t, rigOptions{settings: "dialect: auto", sim: lpsim.Options{Dialect: lpsim.DialectReference}})
	first.accept(`{"type":"track","event":"Order Completed","anonymousId":"ann","properties":{"order_id":"A","revenue":1}}`)
	first.settle(1)
	first.stop()
	second := startRig(t, rigOptions{dir: first.dir, simulator: first.sim, settings: "dialect: auto"})
	second.accept(`{"type":"track","event":"Order Completed","anonymousId":"ann","properties":{"order_id":"B","revenue":1}}`)
	second.accept(`{"type":"track","event":"Order Completed","anonymousId":"ben","properties":{"order_id":"C","revenue":1}}`)
	second.settle(3)
	var answers []int
	for _, q := range second.requests() {
		answers = append(answers, q.Status)
	}
	if want := []int{405, 201, 200, 201}; !slices.Equal(answers, want) && !slices.Equal(answers, []int{405, 201, 201, 200}) {
		t.Errorf("LivePerson answered %d, want %d: one refusal in all, and the visit of before the restart known", answers, want)
	}
}

// A visitor's backlog after an outage goes out in few requests, in order.
func TestABacklogTravelsTogether(t *testing.T) {
	const events = 100
	r := startRig(t, rigOptions{})
	r.fault(`{"status":503,"count":1}`)
	for i := range events {
		r.accept(fmt.Sprintf(`{"type":"track","event":"Lead Generated","anonymousId":"ann","properties":{"topic":"t","lead_id":"%d"}}`, i))
	}
	if c := r.settle(events); c.Delivered != events {
		t.Fatalf("counts = %+v", c)
	}
	taken := 0
	for _, q := range r.requests() {
		if q.Status/100 == 2 {
			taken++
		}
	}
	if taken > 6 {
		t.Errorf("%d events went out in %d requests, want at most 6", events, taken)
	}
	v, _ := r.simulator.Visitor("ann")
	if got := ids(v.Leads, "lead", "leadId"); !slices.Equal(got, upTo(events)) {
		t.Errorf("leads arrived as %v", got)
	}
}

// One attribute that only LivePerson finds bad does not sink those beside it.
func TestOneBadAttributeAmongTwenty(t *testing.T) {
	r := startRig(t, rigOptions{sim: lpsim.Options{Rules: map[string]bool{lpsim.RuleNoSearch: true}}})
	r.fault(`{"status":503,"count":1}`)
	for i := range 20 {
		body := fmt.Sprintf(`{"type":"track","event":"Lead Generated","anonymousId":"ann","properties":{"topic":"t","lead_id":"%d"}}`, i)
		if i == 13 {
			body = `{"type":"track","event":"Products Searched","messageId":"bad","anonymousId":"ann","properties":{"query":"tea"}}`
		}
		r.accept(body)
	}
	if c := r.settle(20); c.Delivered != 19 || c.Dead != 1 {
		t.Fatalf("counts = %+v", c)
	}
	v, _ := r.simulator.Visitor("ann")
	if got, want := ids(v.Leads, "lead", "leadId"), slices.Delete(upTo(20), 13, 14); !slices.Equal(got, want) {
		t.Errorf("leads arrived as %v, want %v", got, want)
	}
	var list struct {
		Data []struct {
			MessageID string `json:"message_id"`
		}
	}
	if r.admin(http.MethodGet, "dead-letters", &list); len(list.Data) != 1 || list.Data[0].MessageID != "bad" {
		t.Errorf("dead letters = %+v, want the search alone", list.Data)
	}
}

// A long bad day: LivePerson fails now and then, forgets its sessions, and still
// knows every event once, in its order, in as few sessions as it can be.
func TestABadDay(t *testing.T) {
	r := startRig(t, rigOptions{settings: "dialect: liveperson"})
	for _, fault := range []string{`{"status":503,"percent":5}`, `{"reset":true,"percent":2}`, `{"status":202,"code":38,"message":"Loading account: 12345678","percent":1}`} {
		r.fault(fault)
	}
	var wg sync.WaitGroup
	gate := make(chan struct{}, 32)
	for half := range 2 {
		for v := range badDayVisitors {
			gate <- struct{}{}
			wg.Go(func() {
				defer func() { <-gate }()
				for i := half * 6; i < half*6+6; i++ {
					r.accept(visitEvent(v, i))
				}
			})
		}
		wg.Wait()
		if half == 0 {
			r.simulate("clock", `{"advance":"31m"}`)
		}
	}
	var c counts
	waitFor(t, badDayLasts, "all events ended", func() bool {
		c = r.overview()
		return c.Accepted == 12*badDayVisitors && c.Pending == 0
	})
	if c.Delivered+c.Carried != 12*badDayVisitors {
		t.Errorf("counts = %+v", c)
	}
	for v := range badDayVisitors {
		got, _ := r.simulator.Visitor(fmt.Sprintf("visitor-%d", v))
		orders, leads := ids(got.Orders, "orderId"), ids(got.Leads, "lead", "leadId")
		if !slices.Equal(orders, []string{"6", "11"}) || !slices.Equal(leads, []string{"5", "10"}) || len(got.Searches) != 1 || len(got.ProductsViewed) != 1 || len(got.Pages) != 2 {
			t.Errorf("visitor %d: orders %v, leads %v, %d searches, %d products, %d pages", v, orders, leads, len(got.Searches), len(got.ProductsViewed), len(got.Pages))
		}
		if got.Cart == nil || !strings.Contains(string(got.Cart.SDE), `"total":9`) || got.Customer == nil || !strings.Contains(string(got.Customer.SDE), `"gold 8"`) {
			t.Errorf("visitor %d: cart %+v, customer %+v, want the latest", v, got.Cart, got.Customer)
		}
	}
	s := r.simulator.Status()
	if s.SessionsCreated != badDayVisitors+s.SessionsExpired {
		t.Errorf("%d sessions for %d visitors and %d expiries", s.SessionsCreated, badDayVisitors, s.SessionsExpired)
	}
	t.Logf("%d requests, %d taken, %d sessions, %d expired", s.Requests, s.Taken, s.SessionsCreated, s.SessionsExpired)
	var proof struct{ Faults []string }
	if status := r.admin(http.MethodGet, "verify", &proof); status != 200 || len(proof.Faults) > 0 {
		t.Errorf("verify: %d %+v", status, proof)
	}
}

// visitEvent is event i of 12 of a visit to a shop, with i in what it is about.
func visitEvent(v, i int) string {
	event := []string{
		`"type":"page","context":{"page":{"url":"https://shop.example/%d"}}`,
		`"type":"track","event":"Products Searched","properties":{"query":"tea %d"}`,
		`"type":"track","event":"Product Viewed","properties":{"name":"Tea","sku":"%d"}`,
		`"type":"identify","traits":{"tier":"silver %d"}`,
		`"type":"track","event":"Cart Viewed","properties":{"value":%d,"num_items":1}`,
		`"type":"track","event":"Lead Generated","properties":{"topic":"t","lead_id":"%d"}`,
		`"type":"track","event":"Order Completed","properties":{"order_id":"%d","revenue":1}`,
		`"type":"page","context":{"page":{"url":"https://shop.example/%d"}}`,
		`"type":"identify","traits":{"tier":"gold %d"}`,
		`"type":"track","event":"Cart Viewed","properties":{"value":%d,"num_items":1}`,
		`"type":"track","event":"Lead Generated","properties":{"topic":"t","lead_id":"%d"}`,
		`"type":"track","event":"Order Completed","properties":{"order_id":"%d","revenue":1}`,
	}[i]
	return fmt.Sprintf(`{"anonymousId":"visitor-%d",`, v) + fmt.Sprintf(event, i) + `}`
}

// ids gives one text of each entry's SDE, by its path.
func ids(entries []lpsim.Entry, path ...string) []string {
	var out []string
	for _, e := range entries {
		var at any
		if json.Unmarshal(e.SDE, &at) != nil {
			return []string{"not JSON"}
		}
		for _, name := range path {
			at = at.(map[string]any)[name]
		}
		out = append(out, fmt.Sprint(at))
	}
	return out
}

func upTo(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return out
}
