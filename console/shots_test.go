package console

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/datafly/signal/auth"
)

// TestShots writes pictures of the pages for people to look at, into the folder
// that SIGNAL_SHOTS names.
func TestShots(t *testing.T) {
	dir := os.Getenv("SIGNAL_SHOTS")
	if dir == "" {
		t.Skip("pictures are only made when SIGNAL_SHOTS names a folder for them")
	}
	b := newBench(t)
	b.seed()
	b.trouble()
	b.account(auth.Editor)
	p := newTab(t, b)
	shot := func(name, path string, width, height int64, dark bool) {
		t.Helper()
		if dark {
			name += "-dark"
		}
		if width < 500 {
			name += "-mobile"
		}
		p.window(width, height, dark)
		p.open(path)
		png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for _, dark := range []bool{false, true} {
		shot("sign-in", "/sign-in", 1440, 900, dark)
		shot("sign-in", "/sign-in", 390, 844, dark)
	}
	p.signIn(auth.Editor)
	for i, page := range pages {
		shot(page.name, page.path, 1440, 900, false)
		shot(page.name, page.path, 390, 844, false)
		shot(page.name, page.path, 1440, 900, true)
		if i < 4 {
			shot(page.name, page.path, 390, 844, true)
			shot(page.name+"-768", page.path, 768, 1024, false)
		}
	}
	for _, page := range troubledPages {
		shot(page.name, page.path, 1440, 1500, false)
		shot(page.name, page.path, 390, 844, false)
		shot(page.name, page.path, 1440, 900, true)
	}
}

// pages are all pages of somebody who is signed in, in telling states.
var pages = []struct{ name, path string }{
	{"overview", "/"},
	{"debugger", "/debugger/" + first},
	{"debugger-list", "/debugger?pipeline=shop"},
	{"filtered", "/debugger/filtered-0001?outcome=filtered"},
	{"dead-event", "/debugger/dead-0001"},
	{"dead", "/dead-letters?reason=LivePerson+refused+lead.currency."},
	{"confirm", "/dead-letters/confirm?do=drop&reason=LivePerson+refused+lead.currency."},
	{"integrations", "/integrations"},
	{"integration", "/integrations/shop-eu/liveperson-eu"},
	{"pipelines", "/pipelines"},
	{"pipeline", "/pipelines/shop"},
	{"consent", "/consent"},
	{"settings", "/settings?verify=1"},
	{"empty", "/debugger?event=Nothing&outcome=dead"},
	{"missing", "/nowhere"},
}
