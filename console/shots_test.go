package console

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
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
	b.account(auth.Editor)
	ctx := newTab(t)
	shot := func(name, path string, width, height int64, dark bool) {
		t.Helper()
		scheme := "light"
		if dark {
			scheme = "dark"
			name += "-dark"
		}
		scale := 1.0
		if width < 500 {
			name += "-mobile"
			scale = 2
		}
		var png []byte
		err := chromedp.Run(ctx,
			emulation.SetDeviceMetricsOverride(width, height, scale, width < 500),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
			chromedp.Navigate(b.URL+path), chromedp.WaitReady("main"), settle(), chromedp.CaptureScreenshot(&png))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shot("sign-in", "/sign-in", 1440, 900, false)
	shot("sign-in", "/sign-in", 1440, 900, true)
	shot("sign-in", "/sign-in", 390, 844, false)
	signIn(t, ctx, b, auth.Editor)
	pages := []struct{ name, path string }{
		{"overview", "/"}, {"debugger", "/debugger/" + first}, {"debugger-list", "/debugger?pipeline=shop"}, {"filtered", "/debugger/filtered-0001?outcome=filtered"},
		{"dead-event", "/debugger/dead-0001"}, {"dead", "/dead-letters?reason=LivePerson+refused+lead.currency."}, {"integrations", "/integrations"},
		{"integration", "/integrations/shop-eu/liveperson-eu"}, {"pipelines", "/pipelines"}, {"pipeline", "/pipelines/shop"}, {"consent", "/consent"}, {"settings", "/settings?verify=1"},
		{"empty", "/debugger?event=Nothing&outcome=dead"}, {"confirm", "/dead-letters/confirm?do=drop&reason=LivePerson+refused+lead.currency."}, {"missing", "/nowhere"},
	}
	for _, p := range pages {
		shot(p.name, p.path, 1440, 900, false)
		shot(p.name, p.path, 1440, 900, true)
		shot(p.name, p.path, 390, 844, false)
	}
	for _, p := range pages[:3] {
		shot(p.name, p.path, 390, 844, true)
		shot(p.name+"-768", p.path, 768, 1024, false)
		shot(p.name+"-1024", p.path, 1024, 768, false)
	}
}

// settle waits until the modules have run and the fonts are there.
func settle() chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		return chromedp.Evaluate(`new Promise((done) => requestAnimationFrame(() => setTimeout(done, 150)))`, nil, awaits).Do(ctx)
	})
}

const patience = 90 * time.Second
