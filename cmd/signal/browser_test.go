package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A buffer that a command writes while a test reads.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// stage is a browser before the running demo.
type stage struct {
	t                                 *testing.T
	ctx                               context.Context
	shop, console, simulator, gateway string
	login, password, token            string

	mu     sync.Mutex
	faults []string // of the browser's console
}

// playDemo runs `signal demo` and opens a browser.
func playDemo(t *testing.T, args ...string) *stage {
	t.Helper()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			browser = p
			break
		}
	}
	if browser == "" {
		t.Skip("no Chromium on this machine: the main job is not tried in a browser")
	}
	if testing.Short() {
		t.Skip("a browser takes seconds to start, and -short was asked for")
	}
	s := &stage{t: t}
	ctx, cancel := context.WithCancel(context.Background())
	var out, errs output
	done := make(chan int, 1)
	all := append([]string{"demo", "--data", filepath.Join(t.TempDir(), "demo"), "--gateway-addr", "127.0.0.1:0", "--console-addr", "127.0.0.1:0", "--shop-addr", "127.0.0.1:0", "--simulator-addr", "127.0.0.1:0"}, args...)
	go func() { done <- run(ctx, all, streams{strings.NewReader(""), &out, &errs}) }()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("the demo ended with %d: %s", code, &errs)
		}
		if errs.String() != "" {
			t.Errorf("the demo complained:\n%s", &errs)
		}
	})
	waitFor(t, 20*time.Second, "the demo runs", func() bool { return strings.Contains(out.String(), "Ctrl-C stops it") })
	find := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(out.String())
		if m == nil {
			t.Fatalf("the demo printed no %s:\n%s", pattern, &out)
		}
		return m[1]
	}
	s.shop, s.console, s.simulator, s.gateway = find(`Shop +(\S+)`), find(`Console +(\S+)`), find(`Simulator +(\S+)`), find(`Gateway +(\S+)`)
	s.login, s.password, s.token = find(`sign in as (\S+),`), find(`password (\S+)`), find(`SIGNAL_TOKEN=(\S+)`)
	s.browse(browser)
	return s
}

func (s *stage) browse(browser string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	s.t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath(browser))...)
	s.t.Cleanup(cancel)
	s.ctx, cancel = chromedp.NewContext(ctx)
	s.t.Cleanup(cancel)
	s.do(chromedp.EmulateViewport(1440, 900))
	go func() {
		for m, err := range chromedp.Console(s.ctx) {
			if err != nil {
				return
			}
			s.mu.Lock()
			s.faults = append(s.faults, m.String()+" "+m.URL)
			s.mu.Unlock()
		}
	}()
}

func (s *stage) do(steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	if err := chromedp.Do(s.ctx, steps...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) open(url string) { s.t.Helper(); s.do(chromedp.Navigate(url)) }

func (s *stage) click(selector string) {
	s.t.Helper()
	s.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

func (s *stage) fill(selector, text string) {
	s.t.Helper()
	s.do(chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// until waits for a condition in the page, also across a navigation.
func (s *stage) until(expression string) {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for {
		ok, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool](expression))
		if err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			s.t.Fatalf("%s: %v; the page says:\n%s", expression, err, s.text("body"))
		}
	}
}

func (s *stage) text(selector string) string {
	s.t.Helper()
	got, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`(document.querySelector(`+"`"+selector+"`"+`)||{}).innerText||""`))
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

// picture writes what the browser shows, when SIGNAL_PICTURES names a folder:
// the pictures of the README and the docs are made by `make pictures`.
func (s *stage) picture(name string) {
	s.t.Helper()
	dir := os.Getenv("SIGNAL_PICTURES")
	if dir == "" {
		return
	}
	b, err := chromedp.Run(s.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), b, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// buy goes through checkout with one Stoneware mug and gives the order's number.
func (s *stage) buy() string {
	s.t.Helper()
	s.open(s.shop + "/p/stoneware-mug")
	s.click("#add button")
	s.until(`document.getElementById("cart-count").textContent === "1"`)
	s.open(s.shop + "/checkout")
	for field, text := range map[string]string{"name": "Ada Abel", "email": "ada@example.com", "street": "Mill Lane 1", "code": "12345", "town": "Pine"} {
		s.fill("#o-"+field, text)
	}
	s.click("#order button")
	s.until(`!document.getElementById("order-text")?.hidden && document.getElementById("order-id").textContent !== ""`)
	return s.text("#order-id")
}

// The main job, as a person does it: look at a product, allow marketing, buy,
// and see in the Event Debugger and in the agent's view what became of it.
func TestMainJobInABrowser(t *testing.T) {
	s := playDemo(t)

	s.open(s.shop + "/p/stoneware-mug")
	s.until(`!document.getElementById("consent").hidden`)
	s.until(`[...document.querySelectorAll(".sent-why")].filter((e) => e.textContent === "Marketing is not known yet").length === 2`)
	s.picture("shop")
	s.click(`.choices button[value="all"]`)
	s.open(s.shop + "/p/stoneware-mug")
	s.until(`[...document.querySelectorAll(".sent-why")].filter((e) => e.textContent.startsWith("LivePerson has it")).length === 2`)
	order := s.buy()

	s.open(s.console + "/debugger")
	s.fill("#email", s.login)
	s.fill("#password", s.password)
	s.picture("sign-in")
	s.click(`form button[type="submit"]`)
	s.until(`[...document.querySelectorAll("#rows li")].some((e) => e.textContent.includes("Order Completed") && e.textContent.includes("200"))`)
	s.until(`[...document.querySelectorAll("#rows li")].find((e) => e.textContent.includes("Order Completed")).querySelector("a").click() || true`)
	s.until(`document.querySelectorAll(".stages > li").length === 5`)
	opened := s.text("#detail")
	for _, want := range []string{"Delivered", "Received", "Governed", "Request", "Answer", "Attempts", `"type": "purchase"`, `"total": 34.8`, `"currency": "EUR"`, `"orderId": "` + order + `"`, `"iss": "Datafly"`, `"acr": "loa1"`, `"sessionId"`, "/report?v=1.0&vid="} {
		if !strings.Contains(opened, want) {
			t.Errorf("the opened event does not show %q:\n%s", want, opened)
		}
	}
	s.picture("debugger")

	s.open(s.console + "/")
	s.until(`document.body.innerText.includes("Healthy")`)
	s.picture("overview")

	s.open(s.simulator + "/")
	s.until(`document.body.innerText.includes("` + order + `")`)
	knows := s.text("body")
	for _, want := range []string{"Stoneware mug", "not LivePerson", order} {
		if !strings.Contains(knows, want) {
			t.Errorf("the agent's view does not show %q:\n%s", want, knows)
		}
	}
	s.picture("simulator")
	s.adds(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		t.Errorf("the browser's console: %s", f)
	}
}

// adds checks that Overview adds up.
func (s *stage) adds(t *testing.T) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.console+"/v1/admin/overview", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var c counts
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	if c.Accepted == 0 || c.Accepted != c.ended()+c.Pending {
		t.Errorf("overview does not add up: %s", b)
	}
}
