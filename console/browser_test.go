package console

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/datafly/signal/auth"
)

// chromium is Debian's. Where it is not, the tests of pages in a real browser
// are skipped and say so.
const chromium = "/usr/bin/chromium"

// A tab is one page of a real browser. A test fails for whatever the browser
// complains about: errors of scripts, and what the policy forbids.
type tab struct {
	t   *testing.T
	b   *bench
	ctx context.Context

	mu   sync.Mutex
	said []string
}

func newTab(t *testing.T, b *bench) *tab {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Skip("there is no " + chromium + ", so nothing can be seen in a real browser")
	}
	p := &tab{t: t, b: b}
	o := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.Flag("lang", "en-GB"), chromedp.Flag("font-render-hinting", "none"))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), o...)
	ctx, shut := chromedp.NewContext(alloc, chromedp.WithListener(p.listen))
	p.ctx = ctx
	t.Cleanup(func() {
		shut()
		stop()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, s := range p.said {
			t.Errorf("the browser says: %s", s)
		}
	})
	p.do("start", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, log.Enable, cdp.Empty{})
		return chromedp.Void{}, err
	})
	return p
}

func (p *tab) listen(e any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := e.(type) {
	case *runtime.EventExceptionThrown:
		p.said = append(p.said, fmt.Sprintf("%+v", e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			p.said = append(p.said, "console.error")
		}
	case *log.EventEntryAdded:
		// A page that a test asks for with an error status is no fault.
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "the server responded with a status of 40") {
			p.said = append(p.said, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

func (p *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if p.ctx.Value(ready{}) == nil { // the first call starts the browser and must have no deadline
		if err := chromedp.Do(p.ctx, steps...); err != nil {
			p.t.Fatalf("%s: %v", what, err)
		}
		p.ctx = context.WithValue(p.ctx, ready{}, true)
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

type ready struct{}

// eval gives the value of an expression, waiting for it if it is a promise.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// open goes to a page and waits until its modules have run.
func (p *tab) open(path string) {
	p.t.Helper()
	p.do("open "+path, chromedp.Navigate(p.b.URL+path), chromedp.WaitReady("main"))
	eval[bool](p, `new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(true), 60)))`)
}

// window sets the size and the colours of the page.
func (p *tab) window(width, height int64, dark bool) {
	p.t.Helper()
	scheme, scale := "light", 1.0
	if dark {
		scheme = "dark"
	}
	if width < 500 {
		scale = 2
	}
	p.do("window", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: scale, Mobile: width < 500})
		if err == nil {
			_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		}
		return chromedp.Void{}, err
	})
}

func (p *tab) signIn(role auth.Role) {
	p.t.Helper()
	p.open("/sign-in")
	p.do("sign in", chromedp.SendKeys("#email", string(role)+"@kettleandpine.example"), chromedp.SendKeys("#password", password+"\r"), chromedp.WaitReady("#overview"))
}
