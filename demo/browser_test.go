package demo

import (
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/datafly/signal/collector"
)

//go:embed testdata/audit.js
var audit string

// scene is a browser before the shop, with a stand-in for the gateway.
type scene struct {
	t    *testing.T
	ctx  context.Context
	shop string

	mu      sync.Mutex
	events  []map[string]any
	console []string
	outcome Outcome
}

func open(t *testing.T) *scene {
	t.Helper()
	found := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome", "headless-shell"} {
		if p, err := exec.LookPath(name); err == nil {
			found = p
			break
		}
	}
	if found == "" {
		t.Skip("no Chromium on this machine: the shop's pages are not tried in a browser")
	}
	if testing.Short() {
		t.Skip("a browser takes seconds to start, and -short was asked for")
	}
	s := &scene{t: t, outcome: Outcome{Outcome: "delivered", Status: 200}}
	gateway := httptest.NewServer(http.HandlerFunc(s.gateway))
	t.Cleanup(gateway.Close)
	shop := httptest.NewServer(Shop(ShopOptions{
		GatewayURL: gateway.URL, PipelineKey: key, ConsoleURL: "http://127.0.0.1:8084/", SimulatorURL: "http://127.0.0.1:8089/",
		Outcomes: func(_ context.Context, ids []string) map[string]Outcome {
			s.mu.Lock()
			defer s.mu.Unlock()
			out := map[string]Outcome{}
			for _, id := range ids {
				out[id] = s.outcome
			}
			return out
		},
	}))
	t.Cleanup(shop.Close)
	s.shop = shop.URL

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath(found))...)
	t.Cleanup(cancel)
	s.ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(s.ctx); err != nil {
		t.Fatal(err)
	}
	go func() {
		for m, err := range chromedp.Console(s.ctx) {
			if err != nil {
				return
			}
			s.mu.Lock()
			s.console = append(s.console, m.String()+" "+m.URL)
			s.mu.Unlock()
		}
	}()
	return s
}

// gateway takes what the collector sends, by fetch or by beacon.
func (s *scene) gateway(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	if r.URL.Path == "/d.js" {
		collector.Handler().ServeHTTP(w, r)
		return
	}
	var b struct{ Batch []map[string]any }
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil || r.URL.Path != "/v1/batch" || r.URL.Query().Get("wk") != key {
		s.t.Errorf("request to %s: %v", r.URL.Path, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, b.Batch...)
	_, _ = io.WriteString(w, `{"success":true}`)
}

func (s *scene) do(steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	if err := chromedp.Do(s.ctx, steps...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) at(path string) chromedp.Action[chromedp.Void] {
	return chromedp.Navigate(s.shop + path)
}

func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible)
}

func fill(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible)
}

// until waits for a condition in the page.
func (s *scene) until(expression string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression)); err != nil {
		s.t.Fatalf("%s: %v", expression, err)
	}
}

func evaluate[T any](s *scene, expression string) T {
	s.t.Helper()
	v, err := chromedp.Run(s.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		s.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// wants waits until the gateway has an event of this name and gives the last.
func (s *scene) wants(name string) map[string]any {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for {
		s.mu.Lock()
		for i := len(s.events) - 1; i >= 0; i-- {
			e := s.events[i]
			if e["event"] == name || e["event"] == nil && e["type"] == name {
				s.events = nil
				s.mu.Unlock()
				return e
			}
		}
		s.mu.Unlock()
		select {
		case <-tick.C:
		case <-late:
			s.t.Fatalf("no %q arrived", name)
		}
	}
}

func (s *scene) quiet() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.console) > 0 {
		s.t.Errorf("the console is not empty:\n%s", strings.Join(s.console, "\n"))
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every page at every width: nothing wider than the window, all text readable,
// all controls named and large enough, no console error, no policy violation.
func TestPagesInABrowser(t *testing.T) {
	s := open(t)
	check := func(width int64, path string) {
		for _, fault := range evaluate[[]string](s, audit) {
			t.Errorf("%s at %d: %s", path, width, fault)
		}
	}
	for _, width := range []int64{320, 390, 1440} {
		s.do(chromedp.EmulateViewport(width, 844), s.at("/"))
		evaluate[any](s, "localStorage.clear(); null")
		s.do(s.at("/p/stoneware-mug"))
		s.until(`!document.getElementById("consent").hidden`)
		check(width, "the banner")
		s.do(click(`.choices button[value="some"]`), click("#add button"))
		s.until(`document.getElementById("added").textContent !== ""`)
		for _, p := range paths {
			s.do(s.at(p))
			s.until(`!document.getElementById("sent").hidden`)
			check(width, p)
		}
		if evaluate[bool](s, `document.getElementById("sent-list").hidden`) {
			s.do(click("#sent-fold"))
		}
		s.until(`document.querySelectorAll(".is-delivered").length > 0`)
		check(width, "the panel")
	}
	s.quiet()
}

func TestAVisitInABrowser(t *testing.T) {
	s := open(t)
	s.outcome = Outcome{Outcome: "filtered", Reason: "consent: marketing is not known yet"}
	s.do(chromedp.EmulateViewport(1440, 900), s.at("/p/stoneware-mug"))
	e := s.wants("Product Viewed")
	if got, want := encode(t, e["properties"]), `{"category":"Mugs","currency":"EUR","price":29.9,"product_id":"M-1","product_name":"Stoneware mug"}`; got != want {
		t.Errorf("Product Viewed:\n got %s\nwant %s", got, want)
	}
	if strings.Contains(encode(t, e), `"consent"`) {
		t.Errorf("nobody was asked yet, and the event says %v", e["context"])
	}
	s.until(`[...document.querySelectorAll(".sent-why")].some((e) => e.textContent === "Marketing is not known yet")`)
	if got := evaluate[string](s, `[...document.querySelectorAll("#consent-form input")].map((b) => b.checked + " " + b.disabled).join(", ")`); got != "true true, false false, false false" {
		t.Errorf("boxes of the banner: %s", got)
	}

	s.mu.Lock()
	s.outcome = Outcome{Outcome: "delivered", Status: 200}
	s.mu.Unlock()
	s.do(click(`.choices button[value="all"]`), chromedp.SetValue(chromedp.CSS("#quantity"), "2"), click("#add button"))
	e = s.wants("Cart Viewed")
	if got, want := encode(t, e), `"consent":{"categories":{"C0001":true,"C0002":true,"C0003":true,"C0004":true}}`; !strings.Contains(got, want) {
		t.Errorf("after Allow all: %s", got)
	}
	if got, want := encode(t, e["properties"]), `{"currency":"EUR","products":[{"category":"Mugs","name":"Stoneware mug","price":29.9,"product_id":"M-1","quantity":2}],"total":59.8}`; got != want {
		t.Errorf("Cart Viewed:\n got %s\nwant %s", got, want)
	}
	s.until(`[...document.querySelectorAll(".sent-why")].some((e) => e.textContent === "LivePerson has it (200)")`)

	s.do(s.at("/cart"), chromedp.SetValue(chromedp.CSS("#lines select"), "1"))
	evaluate[any](s, `document.querySelector("#lines select").dispatchEvent(new Event("change")); null`)
	s.until(`document.getElementById("sum").textContent.includes("€34.80")`)
	s.wants("Cart Viewed")
	s.do(click("a[href='/checkout']"))
	s.wants("Checkout Started")
	s.do(fill("#o-name", "Ada Abel"), fill("#o-email", "ada@example.com"), fill("#o-street", "Mill Lane 1"), fill("#o-code", "12345"), fill("#o-town", "Pine"), click("#order button"))
	e = s.wants("Order Completed")
	p, _ := e["properties"].(map[string]any)
	if p["revenue"] != 34.8 || p["shipping"] != 4.9 || p["currency"] != "EUR" || !strings.HasPrefix(encode(t, p["order_id"]), `"KP-`) {
		t.Errorf("Order Completed: %s", encode(t, p))
	}
	s.until(`document.getElementById("cart-count").textContent === "0"`)
	s.do(chromedp.Reload())
	s.wants("page")
	s.do(s.at("/")) // whatever the thanks page sent is there before the next page's view
	s.mu.Lock()
	if strings.Contains(encode(t, s.events), "Order Completed") {
		t.Error("a reload of the thanks page ordered again")
	}
	s.mu.Unlock()
	s.quiet()
}

func TestSignInSearchAndLetterInABrowser(t *testing.T) {
	s := open(t)
	s.do(chromedp.EmulateViewport(390, 844), s.at("/sign-in"), click(`.choices button[value="none"]`))
	s.do(fill("#s-first", "Ada"), fill("#s-last", "Abel"), fill("#s-email", "Ada@Example.com"), click("#signin button"))
	e := s.wants("identify")
	if got := encode(t, e); !strings.Contains(got, `"C0004":false`) || !strings.Contains(got, `"firstName":"Ada"`) || !strings.HasPrefix(encode(t, e["userId"]), `"KP`) {
		t.Errorf("identify: %s", got)
	}
	s.until(`document.getElementById("signin-title").textContent === "Hello Ada"`)
	s.do(click("#sign-out"))
	s.until(`document.getElementById("signin-title").textContent === "Sign in"`)

	s.do(s.at("/search?q=moss"))
	e = s.wants("Products Searched")
	if got, want := encode(t, e["properties"]), `{"query":"moss","results":3}`; got != want || e["userId"] != nil {
		t.Errorf("Products Searched: %s of user %v, want %s of nobody", got, e["userId"], want)
	}
	s.do(fill("#letter-email", "ada@example.com"), click("#letter button"))
	if got := encode(t, s.wants("Lead Generated")); !strings.Contains(got, `"topic":"Newsletter"`) || strings.Contains(got, "ada@") {
		t.Errorf("Lead Generated: %s", got)
	}
	s.quiet()
}

// The banner by keyboard alone: it is met first, and comes back from the foot.
func TestTheBannerByKeyboard(t *testing.T) {
	s := open(t)
	s.do(chromedp.EmulateViewport(1024, 800), s.at("/"))
	s.until(`!document.getElementById("consent").hidden`)
	reached := ""
	for range 12 {
		s.do(chromedp.KeyEvent(kb.Tab))
		if reached = evaluate[string](s, `document.activeElement.textContent.trim()`); reached == "Only necessary" {
			break
		}
	}
	if reached != "Only necessary" {
		t.Fatalf("Tab does not reach the banner, it stands on %q", reached)
	}
	s.do(chromedp.KeyEvent(kb.Enter))
	s.until(`document.getElementById("consent").hidden`)
	if got := evaluate[string](s, `localStorage.getItem("kp-consent")`); got != `{"C0001":true,"C0002":false,"C0003":false,"C0004":false}` {
		t.Errorf("kept: %s", got)
	}
	s.do(click("#consent-again"))
	s.until(`document.activeElement.id === "consent"`)
	s.do(chromedp.KeyEvent(kb.Escape))
	s.until(`document.getElementById("consent").hidden && document.activeElement.id === "consent-again"`)
	s.quiet()
}
