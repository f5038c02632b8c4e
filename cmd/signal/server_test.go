package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// A hundred events of one new visitor at once make one LivePerson session.
func TestAHundredFirstEventsMakeOneSession(t *testing.T) {
	for _, dialect := range []string{"signal", "liveperson"} {
		t.Run(dialect, func(t *testing.T) {
			r := startRig(t, rigOptions{settings: "dialect: " + dialect})
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					if status, answer := r.post("/v1/t", fmt.Sprintf(`{"event":"Lead Generated","anonymousId":"ann","messageId":"m%d","properties":{"topic":"t","lead_id":"L-%d"}}`, i, i)); status != 200 {
						t.Errorf("the gateway answered %d %s", status, answer)
					}
				})
			}
			wg.Wait()
			if c := r.settle(100); c.Delivered != 100 {
				t.Errorf("counts = %+v", c)
			}
			v, ok := r.simulator.Visitor("ann")
			if !ok || v.SessionsCreated != 1 || len(v.Leads) != 100 {
				t.Errorf("%d sessions and %d leads, want 1 and 100", v.SessionsCreated, len(v.Leads))
			}
			if lints := r.simulator.Lints("ann", ""); len(lints) > 0 {
				t.Errorf("the simulator remarks: %+v", lints)
			}
		})
	}
}

// A failing vendor: what waits is told apart from what ended, and arrives in
// order once it takes reports again.
func TestALateVendor(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.fault(`{"status":503,"count":1}`)
	for i := range 3 {
		r.accept(fmt.Sprintf(`{"type":"track","event":"Order Completed","anonymousId":"ann","properties":{"order_id":"%d","revenue":1}}`, i))
	}
	r.until(func() bool { c := r.overview(); return c.Accepted == 3 && c.Pending == 3 }, "three are pending")
	if c := r.settle(3); c.Delivered != 3 { // after the 3 s of the schedule
		t.Errorf("counts = %+v", c)
	}
	v, _ := r.simulator.Visitor("ann")
	var orders []string
	for _, o := range v.Orders {
		orders = append(orders, string(o.SDE))
	}
	if got := strings.Join(orders, " "); !strings.Contains(got, `"orderId":"0"`) || strings.Index(got, `"orderId":"0"`) > strings.Index(got, `"orderId":"1"`) || strings.Index(got, `"orderId":"1"`) > strings.Index(got, `"orderId":"2"`) {
		t.Errorf("orders arrived as %s", got)
	}
}

// A refused report is a dead letter with reason and remedy, and can be replayed.
func TestADeadLetterAndItsReplay(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.fault(`{"status":400,"code":5,"message":"engagementAttributes[0].total","count":1}`)
	r.accept(`{"type":"track","event":"Order Completed","anonymousId":"ann","messageId":"m1","properties":{"order_id":"A","revenue":1}}`)
	if c := r.settle(1); c.Dead != 1 {
		t.Fatalf("counts = %+v", c)
	}
	var list struct {
		Data []struct {
			ID, Reason, Remedy, Integration string
			MessageID                       string `json:"message_id"`
			Status, Code, Attempts          int
		}
	}
	if status := r.admin(http.MethodGet, "dead-letters", &list); status != 200 || len(list.Data) != 1 {
		t.Fatalf("%d: %+v", status, list)
	}
	d := list.Data[0]
	if d.Status != 400 || d.Code != 5 || d.Attempts != 1 || d.MessageID != "m1" || d.Reason == "" || d.Remedy == "" || d.Integration != "shop/liveperson" {
		t.Errorf("dead letter = %+v", d)
	}
	if status := r.admin(http.MethodPost, "dead-letters/"+d.ID+"/replay", nil); status/100 != 2 {
		t.Fatalf("replay answered %d", status)
	}
	r.until(func() bool { return r.overview().Delivered == 1 }, "the replay is delivered")
	c := r.overview()
	if c != (counts{Accepted: 1, Delivered: 1}) {
		t.Errorf("counts = %+v", c)
	}
	var proof struct{ Faults []string }
	if status := r.admin(http.MethodGet, "verify", &proof); status != 200 || len(proof.Faults) > 0 {
		t.Errorf("verify: %d %+v", status, proof)
	}
}

// A wrong setting pauses the integration, shows why, and loses nothing; a person
// ends the pause.
func TestAPauseAndItsEnd(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.fault(`{"status":404,"code":18,"message":"invalid appInstallationId","count":1}`)
	for i := range 3 {
		r.accept(fmt.Sprintf(`{"type":"track","event":"Lead Generated","anonymousId":"ann","properties":{"topic":"t","lead_id":"%d"}}`, i))
	}
	var state struct{ State, Reason, Remedy string }
	r.until(func() bool {
		r.admin(http.MethodGet, "integrations/liveperson", &state)
		return state.State == "paused"
	}, "the integration is paused")
	if !strings.Contains(state.Reason, "app key") || state.Remedy == "" {
		t.Errorf("the pause says %+v", state)
	}
	if c := r.overview(); c.Delivered != 0 || c.Dead != 0 {
		t.Errorf("counts while paused = %+v", c)
	}
	if status := r.admin(http.MethodPost, "integrations/liveperson/resume", nil); status != 200 {
		t.Errorf("resume answered %d", status)
	}
	if c := r.settle(3); c.Delivered != 3 {
		t.Errorf("counts = %+v", c)
	}
}

// A repeat of a message is answered 200 and counted apart, also after a restart.
func TestRepeatsAcrossARestart(t *testing.T) {
	body := `{"type":"page","anonymousId":"ann","messageId":"m1","context":{"page":{"url":"https://shop.example/"}}}`
	first := startRig(t, rigOptions{})
	first.accept(body)
	first.accept(body)
	first.settle(1)
	first.stop()
	r := startRig(t, rigOptions{dir: first.dir, simulator: first.sim})
	r.accept(body)
	r.until(func() bool { return r.overview().Duplicates == 2 }, "both repeats are counted")
	if c := r.overview(); c.Accepted != 1 || c.Delivered != 1 {
		t.Errorf("counts = %+v", c)
	}
	if n := len(first.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// The event's whole way can be read through the Management API, and a viewer
// does not see personal data.
func TestAnEventThroughTheAPI(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.accept(`{"type":"identify","anonymousId":"ann","messageId":"m1","userId":"C-1","traits":{"email":"jane@example.com","firstName":"Jane","status":"active"}}`)
	r.settle(1)
	r.until(func() bool { return r.admin(http.MethodGet, "events/m1", nil) == 200 }, "the event is in the history")
	read := func(token string) string {
		req, err := http.NewRequest(http.MethodGet, r.console+"/v1/admin/events/m1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		var raw map[string]any
		r.read(req, &raw)
		return fmt.Sprint(raw)
	}
	r.until(func() bool { return strings.Contains(read(adminToken), "sessionId") }, "the answer is in the history")
	for _, want := range []string{"jane@example.com", "ctmrinfo", "/report?v=1.0"} {
		if got := read(adminToken); !strings.Contains(got, want) {
			t.Errorf("the admin does not see %q in %s", want, got)
		}
	}
	if got := read("looker-of-the-tests"); strings.Contains(got, "jane@example.com") || strings.Contains(got, "Jane") {
		t.Errorf("the viewer sees personal data: %s", got)
	}
}
