package console

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/datafly/signal/auth"
)

const chromium = "/usr/bin/chromium"

// newTab gives a browser of its own, and fails the test for whatever it
// complains about: errors of scripts, and what the policy forbids.
func newTab(t *testing.T) context.Context {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Skip("there is no " + chromium + ", so nothing can be seen in a real browser")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	o := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.Flag("lang", "en-GB"))
	alloc, stop := chromedp.NewExecAllocator(ctx, o...)
	tab, shut := chromedp.NewContext(alloc)
	var mu sync.Mutex
	var said []string
	chromedp.ListenTarget(tab, func(e any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := e.(type) {
		case *runtime.EventExceptionThrown:
			said = append(said, e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError {
				said = append(said, "console.error")
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError && !expected(e.Entry.Text) {
				said = append(said, e.Entry.Text+" "+e.Entry.URL)
			}
		}
	})
	t.Cleanup(func() {
		shut()
		stop()
		cancel()
		mu.Lock()
		defer mu.Unlock()
		for _, s := range said {
			t.Errorf("the browser says: %s", s)
		}
	})
	if err := chromedp.Run(tab, log.Enable(), runtime.Enable()); err != nil {
		t.Fatal(err)
	}
	return tab
}

// expected reports what a browser says of pages that a test asked for with an
// error status on purpose.
func expected(text string) bool {
	return strings.Contains(text, "status of 404") || strings.Contains(text, "status of 401")
}

func awaits(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

func signIn(t *testing.T, ctx context.Context, b *bench, role auth.Role) {
	t.Helper()
	err := chromedp.Run(ctx,
		chromedp.Navigate(b.URL+"/sign-in"),
		chromedp.SendKeys("#email", string(role)+"@kettleandpine.example"),
		chromedp.SendKeys("#password", password+"\r"),
		chromedp.WaitReady("#overview"))
	if err != nil {
		t.Fatalf("sign in: %v", err)
	}
}

var _ = time.Second
