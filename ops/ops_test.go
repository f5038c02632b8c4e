package ops

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLog(t *testing.T) {
	tests := []struct {
		name, format, level string
		want                string // a part of a line written at info; "" for none
		err                 string
	}{
		{"text is the default", "", "", "level=INFO msg=started", ""},
		{"json on demand", "json", "info", `"msg":"started"`, ""},
		{"a higher level hides what is below", "text", "error", "", ""},
		{"an unknown format names the choices", "xml", "", "", "use text or json"},
		{"an unknown level names the choices", "", "loud", "", "use debug, info, warn or error"},
		{"an offset is not a level", "", "info+2", "", "use debug, info, warn or error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			log, err := Log(&out, tt.format, tt.level)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("err = %v, want it to contain %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			log.Info("started")
			if got := out.String(); !strings.Contains(got, tt.want) || (tt.want == "" && got != "") {
				t.Errorf("line = %q, want %q in it", got, tt.want)
			}
		})
	}
}

func TestReadyz(t *testing.T) {
	good := Check{"store", func(context.Context) error { return nil }}
	bad := Check{"journal", func(context.Context) error { return errors.New("the disk is full") }}
	tests := []struct {
		name   string
		checks []Check
		status int
		want   string
	}{
		{"no checks means ready", nil, 200, `{"status":"ok"}`},
		{"all pass", []Check{good}, 200, `{"status":"ok"}`},
		{"one fault is named and the rest is not", []Check{good, bad}, 503, `{"status":"not ready","faults":{"journal":"the disk is full"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			Readyz(tt.checks...).ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
			if got := strings.TrimSpace(w.Body.String()); w.Code != tt.status || got != tt.want {
				t.Errorf("got %d %s, want %d %s", w.Code, got, tt.status, tt.want)
			}
		})
	}
}

func TestMetricsShowBuildAndCounts(t *testing.T) {
	r := NewRegistry()
	if err := RegisterCounts(r,
		Count{Name: "signal_events_accepted_total", Help: "Events.", Value: func() float64 { return 7 }},
		Count{Name: "signal_waiting", Help: "Waiting.", Gauge: true, Labels: map[string]string{"integration": "shop/lp"}, Value: func() float64 { return 3 }},
	); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	Metrics(r).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{"signal_build_info{", "signal_events_accepted_total 7", `signal_waiting{integration="shop/lp"} 3`, "go_goroutines", "process_"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("/metrics has no %q", want)
		}
	}
}

func TestBuildIsNeverEmpty(t *testing.T) {
	if b := Current(); b.Version == "" || b.Go == "" || !strings.HasPrefix(b.String(), "signal ") {
		t.Errorf("build = %+v, %q", b, b)
	}
}
