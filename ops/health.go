package ops

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// A Check says whether one part can do its work; nil means that it can. Its
// error is shown to whoever asks, so it holds no secret.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// Healthz answers 200 while the process runs at all. An orchestrator restarts
// what does not answer, so nothing outside the process is asked.
func Healthz() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte("{\"status\":\"ok\"}\n"))
	})
}

// readyTimeout bounds all checks of one call together, so that a probe with the
// usual patience of a few seconds hears which part is stuck.
const readyTimeout = 2 * time.Second

// Readyz answers 200 when all checks pass, else 503 with the parts that do not.
func Readyz(checks ...Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		answer := struct {
			Status string            `json:"status"`
			Faults map[string]string `json:"faults,omitempty"`
		}{Status: "ok"}
		status := http.StatusOK
		for _, c := range checks {
			err := c.Run(ctx)
			if err == nil {
				continue
			}
			if answer.Faults == nil {
				answer.Faults = map[string]string{}
			}
			answer.Status, status = "not ready", http.StatusServiceUnavailable
			answer.Faults[c.Name] = err.Error()
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	})
}
