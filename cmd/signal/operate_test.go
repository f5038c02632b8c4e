package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/console"
	"github.com/datafly/signal/delivery"
	"github.com/datafly/signal/integrations"
)

func TestHowAnIntegrationFares(t *testing.T) {
	at := time.Date(2026, 2, 25, 14, 2, 0, 0, time.UTC)
	held := delivery.Status{
		Reason: "LivePerson does not know this app key.", Remedy: "Change app_installation_id.", Cause: "unknown_app_key", Fix: attempt.FixSettings, Field: "lead.currency",
		Checks: []attempt.Check{{What: "app key", Wrong: true, Say: "It is wrong."}}, Status: 404, Code: 18, Since: at, NextProbe: at.Add(5 * time.Minute),
		PerSecond: 100, Limit: 100, Waiting: 1284, Visitors: 847, Retrying: 3, Oldest: at,
		Learned: []integrations.Fact{{Name: "form", Value: "liveperson"}}, Warnings: []string{"A setting works and is not advised."},
	}
	with := func(change func(*delivery.Status)) delivery.Status {
		s := held
		change(&s)
		return s
	}
	tests := []struct {
		name string
		in   delivery.Status
		want string // state, reason, since, whether explained
	}{
		{"nothing ails it", delivery.Status{}, "healthy||0001-01-01|false"},
		{"a bounded rate that nobody asked to lower is healthy", delivery.Status{PerSecond: 100, Limit: 100}, "healthy||0001-01-01|false"},
		{"paused stands over all else", with(func(s *delivery.Status) { s.Paused, s.Holding = true, true }), "paused|LivePerson does not know this app key.|2026-02-25|true"},
		{"the breaker is open", with(func(s *delivery.Status) { s.Holding = true }), "holding|LivePerson does not know this app key.|2026-02-25|true"},
		{"slowed stands over retrying", with(func(s *delivery.Status) { s.PerSecond, s.Slowed = 50, at }), "slowed|The vendor asked for fewer requests a second. The rate recovers by itself.|2026-02-25|false"},
		{"the rate has recovered", with(func(s *delivery.Status) { s.Slowed, s.Retrying = at, 0 }), "healthy||0001-01-01|false"},
		{"one visitor waits for another try", delivery.Status{Retrying: 1}, "retrying|1 visitor waits for another try.|0001-01-01|false"},
		{"visitors wait for another try", held, "retrying|3 visitors wait for another try.|0001-01-01|false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var st console.IntegrationStatus
			fill(&st, tt.in)
			explained := st.Cause == "unknown_app_key" && st.Fix == attempt.FixSettings && len(st.Checks) == 1 && st.AnswerStatus == 404 && st.AnswerCode == 18 && !st.NextProbe.IsZero()
			if got := fmt.Sprintf("%s|%s|%s|%t", st.State, st.Reason, st.Since.Format(time.DateOnly), explained); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if st.Waiting != tt.in.Waiting || st.Visitors != tt.in.Visitors || len(st.Learned) != len(tt.in.Learned) || len(st.Warnings) != len(tt.in.Warnings) {
				t.Errorf("status = %+v, want what waits, what was learned and the warnings", st)
			}
		})
	}
}

// tail says once for each kind of failure what Signal found wrong and what to
// do, even when the history is behind the stream.
func TestTailExplainsFailures(t *testing.T) {
	const row = `{"message_id":%q,"event":"Order Completed","integrations":[{"integration":"shop/lp","outcome":%q,"reason":%q,"status":404,"took_ms":71,"tries":1}]}`
	asked := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, ok := strings.CutPrefix(r.URL.Path, "/v1/admin/events/"); ok {
			asked++
			attempts := `[]`
			if asked > 1 {
				attempts = `[{"outcome":"pending","reason":"LivePerson does not know this app key.","remedy":"Change app_installation_id.","checks":[{"what":"domain","right":true,"say":"It is right."},{"what":"app key","wrong":true,"say":"It is not registered."}]}]`
			}
			fmt.Fprintf(w, `{"message_id":%q,"routes":[{"integration":"shop/lp","attempts":%s}]}`, id, attempts)
			return
		}
		for _, line := range []string{
			fmt.Sprintf(row, "m1", "pending", "LivePerson does not know this app key."), `{"left_out":3}`,
			fmt.Sprintf(row, "m2", "pending", "LivePerson does not know this app key."), fmt.Sprintf(row, "m3", "delivered", ""),
		} {
			fmt.Fprintf(w, "data: %s\n\n", line)
		}
	}))
	defer api.Close()
	var out, diag bytes.Buffer
	c := tailCmd{remote: remote{URL: api.URL, Token: "x"}}
	if err := c.Run(context.Background(), streams{out: &out, err: &diag}); err == nil {
		t.Error("the stream ended and tail does not say so")
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 5 || !strings.Contains(lines[0], "m1") || strings.TrimSpace(lines[1]) != "wrong: app key: It is not registered." ||
		strings.TrimSpace(lines[2]) != "what to do: Change app_installation_id." || !strings.Contains(lines[3], "m2") || !strings.Contains(lines[4], "m3") {
		t.Errorf("tail wrote\n%s%s", out.String(), diag.String())
	}
	if asked != 2 {
		t.Errorf("the API was asked %d times for one kind of failure, want 2: the first answer lacked the try", asked)
	}
}
