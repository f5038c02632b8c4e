package liveperson_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
	"github.com/datafly/signal/integrations/liveperson/lpsim"
	"github.com/datafly/signal/mapping"
	"github.com/datafly/signal/process"
	"github.com/datafly/signal/store"
)

// A testCase is one file of testdata: events of one visitor in, and what goes to
// LivePerson in each dialect. testdata/README.md has the form.
type testCase struct {
	events   []string
	program  *mapping.Program
	settings map[string]any
	want     map[string][]string // by dialect, one for each event
}

// Every case through governance, mapping and Build, byte by byte, and then into
// a strict simulator.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := readCase(t, file, a)
		for _, dialect := range []string{"signal", "liveperson"} {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+dialect, func(t *testing.T) {
				got := c.run(t, dialect)
				want := c.want[dialect]
				if len(got) != len(want) {
					t.Fatalf("%d events, %d expectations:\n%s", len(got), len(want), strings.Join(got, "\n\n"))
				}
				for i := range got {
					if got[i] != want[i] {
						t.Errorf("event %d %s\n got %s\nwant %s", i, c.events[i], got[i], want[i])
					}
				}
			})
		}
	}
}

func readCase(t *testing.T, file string, a *txtar.Archive) *testCase {
	c := &testCase{want: map[string][]string{}, settings: map[string]any{
		"monitoring_domain": "va.v.liveperson.net", "account_id": lpsim.DefaultAccount, "app_installation_id": lpsim.DefaultApp,
	}}
	name := "retail"
	var rules []byte
	for _, f := range a.Files {
		text := string(f.Data)
		switch f.Name {
		case "events":
			c.events = strings.Split(strings.TrimSpace(text), "\n")
		case "preset":
			name = strings.TrimSpace(text)
		case "mapping":
			rules = f.Data
		case "settings":
			for line := range strings.Lines(text) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				c.settings[key] = value
			}
		case "signal", "liveperson":
			c.want[f.Name] = expectations(text)
		default:
			t.Fatalf("%s: %s is no part of a case", file, f.Name)
		}
	}
	src, ok := liveperson.New(liveperson.Options{}).Preset(name)
	if !ok {
		t.Fatalf("%s: there is no preset %q", file, name)
	}
	m, err := mapping.Parse(src)
	if err == nil && rules != nil {
		var own *mapping.Mapping
		if own, err = mapping.Parse(rules); err == nil {
			m = own.WithCommon(m)
		}
	}
	if err == nil {
		c.program, err = m.Compile()
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return c
}

// expectations are parted by empty lines. A body may stand on several lines,
// broken between its values.
func expectations(text string) []string {
	var out []string
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var b strings.Builder
		body := false
		for line := range strings.Lines(block) {
			line = strings.TrimSpace(line)
			begins := strings.HasPrefix(line, "{")
			if b.Len() > 0 && (begins && !body || strings.HasPrefix(line, "note: ")) {
				b.WriteByte('\n')
			}
			body = body || begins
			b.WriteString(line)
		}
		out = append(out, b.String())
	}
	return out
}

// run gives what becomes of each event, as the case words it.
func (c *testCase) run(t *testing.T, dialect string) []string {
	settings := map[string]any{"dialect": dialect}
	for k, v := range c.settings {
		settings[k] = v
	}
	connection, err := liveperson.New(liveperson.Options{}).Check(settings, integrations.Outbound{})
	if err != nil {
		t.Fatal(err)
	}
	r := runner{
		pipeline: &process.Pipeline{
			Pipeline: store.Pipeline{Name: "shop"},
			Routes:   []process.Route{{Integration: store.Integration{ID: "shop/liveperson"}, Program: c.program, Connection: connection}},
		},
		connection: connection,
		sim:        lpsim.New(lpsim.Options{Rules: map[string]bool{lpsim.RuleContexts: false}}).Handler(),
		at:         time.Date(2026, 2, 25, 14, 30, 0, 0, time.UTC),
		names:      map[string]string{},
	}
	r.visitor.Pipeline, r.visitor.AnonymousID = "shop", "ann"
	var out []string
	for i, line := range c.events {
		if pause, rest, ok := strings.Cut(line, " "); ok && strings.HasPrefix(pause, "+") {
			d, err := time.ParseDuration(pause[1:])
			if err != nil {
				t.Fatal(err)
			}
			r.at, line = r.at.Add(d), rest
		}
		out = append(out, r.event(t, i, line))
	}
	return out
}

// A runner takes the events of one visitor to requests, as process and delivery
// do one by one.
type runner struct {
	pipeline   *process.Pipeline
	connection integrations.Connection
	visitor    store.Visitor
	visit      integrations.Visit
	sim        http.Handler
	at         time.Time
	names      map[string]string // of ids, for people
}

func (r *runner) event(t *testing.T, i int, body string) string {
	head, err := event.Admit([]byte(body), "")
	if err != nil {
		t.Fatalf("event %d: %v", i, err)
	}
	w := &process.Work{Pipeline: r.pipeline, Place: event.Place{Seq: uint64(i + 1)}, Visitor: &r.visitor}
	w.Received = event.Received{Pipeline: "shop", Type: head.Type, AnonymousID: "ann", MessageID: fmt.Sprint("m", i), ReceivedAt: r.at, Body: []byte(body)}
	if w.Event, err = event.Decode(w.Received); err != nil {
		t.Fatal(err)
	}
	w.Run([]byte("salt"))
	routed := &w.Routes[0]
	if routed.Reason != "" {
		return "filtered: " + routed.Reason
	}
	built := r.connection.Build(r.visit, []integrations.Item{routed.Item})
	r.visit = built.Visit
	var out strings.Builder
	if built.Request == nil {
		out.WriteString("carried")
	} else {
		out.WriteString(r.request(t, built.Request))
	}
	for _, fault := range routed.Faults {
		out.WriteString("\nnote: " + fault)
	}
	return out.String()
}

// request words a request, after the simulator took it.
func (r *runner) request(t *testing.T, q *integrations.Request) string {
	u, err := url.Parse(q.URL)
	if err != nil {
		t.Fatal(err)
	}
	query := u.RawQuery
	for _, name := range []string{"vid", "sid"} {
		if id := u.Query().Get(name); id != "" {
			query = strings.Replace(query, url.QueryEscape(id), r.name(strings.ToUpper(name), id), 1)
		}
	}
	try := httptest.NewRequestWithContext(t.Context(), q.Method, q.URL, bytes.NewReader(q.Body))
	for name, value := range q.Header {
		try.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	r.sim.ServeHTTP(answer, try)
	if answer.Code/100 != 2 {
		t.Errorf("the simulator answers %d %s to\n%s", answer.Code, answer.Body, q.Body)
	}
	return q.Method + " " + query + "\n" + string(q.Body)
}

// name gives the same name to the same id: SID for the first, SID2 for the next.
func (r *runner) name(kind, id string) string {
	if known, ok := r.names[id]; ok {
		return known
	}
	n := 1
	for _, other := range r.names {
		if strings.HasPrefix(other, kind) {
			n++
		}
	}
	name := kind
	if n > 1 {
		name = fmt.Sprint(kind, n)
	}
	r.names[id] = name
	return name
}

// Each attribute and each impression is in a case at least once, in both
// dialects.
func TestCasesHoldEveryType(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if f.Name == "signal" || f.Name == "liveperson" {
				seen[f.Name] += string(f.Data)
			}
		}
	}
	ours := []string{"cartStatus", "searchContent", "purchase", "prodView", "ctmrinfo", "mrktInfo", "personal", "lead", "service", "error", "impDisplay", "impAccept", "impExpanded", "impTimeout", "impClose"}
	theirs := slices.Concat([]string{"cart", "searchInfo"}, ours[2:])
	for dialect, types := range map[string][]string{"signal": ours, "liveperson": theirs} {
		for _, name := range types {
			if !strings.Contains(seen[dialect], `{"type":"`+name+`"`) {
				t.Errorf("no case sends %s in the dialect %s", name, dialect)
			}
		}
	}
}
