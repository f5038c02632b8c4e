package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafly/signal/event"
)

// aCase is one file of testdata/cases: events in, LivePerson requests out.
type aCase struct {
	Name              string            `json:"name"`
	Settings          map[string]string `json:"settings"`
	ConsentCategories []string          `json:"consent_categories"`
	WhenUnknown       string            `json:"when_unknown"`
	Events            []json.RawMessage `json:"events"`
	Want              []wanted          `json:"want"`
}

type wanted struct {
	Outcome string            `json:"outcome"`
	Reason  string            `json:"reason_contains"`
	Method  string            `json:"method"`
	Query   map[string]string `json:"query"`
	Body    json.RawMessage   `json:"body"`
}

func readCases(t *testing.T) []aCase {
	t.Helper()
	files, err := filepath.Glob("../../testdata/cases/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d cases, %v: want at least 20", len(files), err)
	}
	var out []aCase
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var c aCase
		if err := json.Unmarshal(b, &c); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out = append(out, c)
	}
	return out
}

func (c *aCase) options() rigOptions {
	o := rigOptions{categories: "[" + strings.Join(c.ConsentCategories, ", ") + "]", unknown: c.WhenUnknown}
	for k, v := range c.Settings {
		o.settings = fmt.Sprintf("%s: %q", k, v)
	}
	return o
}

// Every case through `signal map`.
func TestCasesThroughMap(t *testing.T) {
	for _, c := range readCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			o := c.options()
			path := filepath.Join(t.TempDir(), "signal.yaml")
			src := fmt.Sprintf(rigConfig, t.TempDir(), "[]", o.unknown, "127.0.0.1:1", o.settings, o.categories)
			if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
				t.Fatal(err)
			}
			var in, out, errs bytes.Buffer
			for _, e := range c.Events {
				if err := json.Compact(&in, e); err != nil {
					t.Fatal(err)
				}
				in.WriteByte('\n')
			}
			if code := run(t.Context(), []string{"map", "--config", path, "--integration", "liveperson", "--explain"}, streams{&in, &out, &errs}); code != 0 {
				t.Fatalf("exit code %d: %s", code, &errs)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if len(lines) != len(c.Want) {
				t.Fatalf("%d lines, want %d:\n%s", len(lines), len(c.Want), &out)
			}
			for i, w := range c.Want {
				var got struct {
					Outcome, Reason string
					Request         *mappedRequest
					Explain         []struct{ Target string }
				}
				if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
					t.Fatal(err)
				}
				if got.Outcome != w.Outcome || !strings.Contains(got.Reason, w.Reason) {
					t.Errorf("event %d: %s %q, want %s with %q", i, got.Outcome, got.Reason, w.Outcome, w.Reason)
				}
				if w.Outcome == "report" {
					w.compare(t, c.Settings["dialect"], got.Request.Method, got.Request.URL, got.Request.Body)
					if len(got.Explain) == 0 {
						t.Errorf("event %d: nothing is explained", i)
					}
				}
			}
		})
	}
}

// Every case through gateway, journals and delivery into the simulator.
func TestCasesThroughTheServer(t *testing.T) {
	for _, c := range readCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			r := startRig(t, c.options())
			var got counts
			for i, e := range c.Events { // one by one: what waits together would travel together
				r.accept(string(e))
				got = r.settle(int64(i + 1))
			}
			var want counts
			var reports []wanted
			for _, w := range c.Want {
				switch w.Outcome {
				case "report":
					want.Delivered++
					reports = append(reports, w)
				case "carried":
					want.Carried++
				case "filtered":
					want.Filtered++
				}
			}
			if got.Delivered+got.Carried != want.Delivered+want.Carried || got.Filtered != want.Filtered || got.Dead != 0 {
				t.Errorf("counts = %+v, want %+v", got, want)
			}
			requests := r.requests()
			if len(requests) != len(reports) {
				t.Fatalf("%d requests, want %d", len(requests), len(reports))
			}
			for i, w := range reports {
				q := requests[i]
				if q.Status/100 != 2 {
					t.Errorf("the simulator answered %d %s", q.Status, q.Answer)
				}
				w.compare(t, c.Settings["dialect"], q.Method, q.URL, json.RawMessage(q.Body))
			}
		})
	}
}

// compare holds a request against a case. Numbers are compared by value, the
// rest exactly.
func (w *wanted) compare(t *testing.T, dialect, method, at string, body json.RawMessage) {
	t.Helper()
	if w.Method != "" && method != w.Method {
		t.Errorf("method = %s, want %s", method, w.Method)
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range w.Query {
		if got := u.Query().Get(k); got != v {
			t.Errorf("%s = %q in %s, want %q", k, got, at, v)
		}
	}
	if dialect == "signal" && (len(u.Query().Get("vid")) != 22 || len(u.Query().Get("sid")) != 22) {
		t.Errorf("no vid and sid of 22 characters in %s", at)
	}
	got, err := event.DecodeTree(body)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	want, err := event.DecodeTree(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !sameTree(got, want) {
		t.Errorf("body:\n got %s\nwant %s", body, w.Body)
	}
}

// sameTree compares decoded JSON, numbers by value.
func sameTree(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if w, ok := b[k]; !ok || !sameTree(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameTree(a[i], b[i]) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		x, err1 := a.Float64()
		y, err2 := b.Float64()
		return ok && err1 == nil && err2 == nil && x == y
	}
	return a == b
}
