package ingest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/datafly/signal/collector"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/store"
)

var _ BulkCommitter = (*journal.Committer)(nil)

// TestWithTheRealJournal stores a batch, starts again, and sends it again.
func TestWithTheRealJournal(t *testing.T) {
	dir := t.TempDir()
	body := `{"batch":[` + page("a") + "," + page("b") + "," + page("c") + `]}`
	for round := range 2 {
		j, err := journal.Open(t.Context(), journal.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		log, err := j.Log(t.Context(), "EVENTS", journal.LogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		committer := journal.NewCommitter(log, journal.CommitterOptions{})
		g := New(Options{Pipelines: pipelines(), Committer: committer})
		before := stored(t, log)
		for _, r := range before {
			g.Remember(r.Pipeline, r.MessageID, r.ReceivedAt)
		}
		if w := call(g, "POST", "/v1/batch", body, bearer); w.Code != 200 || w.Body.String() != `{"success":true,"accepted":3,"rejected":[]}` {
			t.Errorf("round %d: %d %s", round, w.Code, w.Body)
		}
		if got := ids(stored(t, log)); len(before) != 3*round || got != "a b c" {
			t.Errorf("round %d: the journal has %q", round, got)
		}
		if err := committer.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if w := call(g, "POST", "/v1/p", page("d"), bearer); w.Code != 503 {
			t.Errorf("a closed journal gives %d %s", w.Code, w.Body)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}

func stored(t *testing.T, log *journal.Log) (all []event.Received) {
	t.Helper()
	_, last, err := log.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= last; seq++ {
		f, err := log.Frame(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range f.Items {
			r, err := event.ParseReceived(item)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
	}
	return all
}

func ids(all []event.Received) string {
	var out []string
	for _, r := range all {
		out = append(out, r.MessageID)
	}
	return strings.Join(out, " ")
}

// TestBrowserKeepsOneVisitor drives the collector in a browser against the
// gateway: the cookie adopts the script's id, outlives its storage, and is
// replaced after a reset.
func TestBrowserKeepsOneVisitor(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium on this machine: the cookie is not tested in a browser here")
	}
	shop, g, d := twoOrigins(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	all, end := chromedp.NewExecAllocator(t.Context(), options...)
	defer end()
	tab, end := chromedp.NewContext(all)
	defer end()
	if err := chromedp.Do(tab); err != nil {
		t.Fatal(err)
	}
	ready := chromedp.Poll[chromedp.Void](`window.datafly && datafly.version`)
	// visit opens a page and gives the visitor of the last event that it sends.
	visit := func(events int, script string) string {
		t.Helper()
		ctx, end := context.WithTimeout(tab, 30*time.Second)
		defer end()
		// Back online, the script sends what it has at once.
		do := chromedp.Evaluate[chromedp.Void]("{" + script + ";dispatchEvent(new Event('online'))}")
		if err := chromedp.Do(ctx, chromedp.Navigate(shop), ready, do); err != nil {
			t.Fatal(err)
		}
		var got []event.Received
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for got = d.all(); len(got) < events; got = d.all() {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("%d events are stored, want %d", len(got), events)
			}
		}
		last := got[len(got)-1]
		if !last.Browser || last.Pipeline != "shop" || last.Path != "/v1/batch" || last.Origin != shop {
			t.Errorf("stamps %+v", last)
		}
		return last.AnonymousID
	}
	first := visit(1, ``)
	if again := visit(2, ``); again != first {
		t.Errorf("the second page is by %s, want %s", again, first)
	}
	if again := visit(4, `localStorage.clear();datafly.track("A")`); again != first {
		t.Errorf("without storage the visitor is %s, want the cookie's %s", again, first)
	}
	other := visit(6, `datafly.reset();datafly.track("B")`)
	if other == first {
		t.Error("after a reset the visitor is the same")
	}
	if again := visit(8, `localStorage.clear();datafly.track("C")`); again != other {
		t.Errorf("after the reset, without storage, the visitor is %s, want %s", again, other)
	}
	if w := call(g, "GET", "/d.js", ""); w.Header().Get("ETag") == "" {
		t.Error("the collector has no ETag")
	}
}

// twoOrigins serves a page from one origin and the gateway from another.
func twoOrigins(t *testing.T) (shop string, g *Gateway, d *disk) {
	t.Helper()
	var gate string
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><title>Shop</title><script async src="%s/d.js" data-pipeline-key="%s"></script>`, gate, shopKey)
	}))
	t.Cleanup(page.Close)
	g, d = gateway(t, func(o *Options) {
		o.Collector = collector.Handler()
		o.Pipelines = []store.Pipeline{{Name: "shop", Key: shopKey, AllowedOrigins: []string{page.URL}}}
		o.NewAnonymousID, o.NewMessageID, o.Now = nil, nil, nil
	})
	server := httptest.NewServer(g.Handler())
	t.Cleanup(server.Close)
	gate = server.URL
	return page.URL, g, d
}
