package console

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/trace"
)

// Every page in a real browser, at three widths and in both colours: nothing is
// wider than the window, everything has a name, and the browser has nothing to
// complain about.
func TestPagesInABrowser(t *testing.T) {
	b := newBench(t)
	b.seed()
	b.trouble()
	b.account(auth.Editor)
	p := newTab(t, b)
	check := func(path string) {
		t.Helper()
		for _, width := range []int64{390, 768, 1440} {
			p.window(width, 900, width == 768)
			p.open(path)
			if over := eval[int64](p, `document.documentElement.scrollWidth`) - width; over > 0 {
				wide := eval[string](p, `[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.chips, .code, .mini, .scroll, .seg, .tabs')).map((e) => e.tagName + '.' + e.className).slice(0, 5).join(' ')`)
				t.Errorf("%s at %d is %d px too wide: %s", path, width, over, wide)
			}
			for what, script := range map[string]string{
				"controls without a name": `[...document.querySelectorAll('a, button, input:not([type=hidden]), summary')].filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length || !e.checkVisibility())).map((e) => e.outerHTML.slice(0, 80)).join(' ')`,
				"ids that stand twice":    `[...document.querySelectorAll('[id]')].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i).join(' ')`,
				"style attributes":        `[...document.querySelectorAll('[style]')].map((e) => e.outerHTML.slice(0, 80)).join(' ')`,
				"texts without contrast":  contrast,
			} {
				if got := eval[string](p, script); got != "" {
					t.Errorf("%s at %d has %s: %s", path, width, what, got)
				}
			}
		}
	}
	check("/sign-in")
	p.signIn(auth.Editor)
	for _, page := range slices.Concat(pages, troubledPages) {
		check(page.path)
	}
}

// contrast lists texts that are too faint on what is really behind them.
const contrast = `(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const rgb = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => { const f = (v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255]; };
  const out = [];
  for (const e of document.querySelectorAll('body *')) {
    const text = [...e.childNodes].filter((n) => n.nodeType === 3 && n.data.trim()).map((n) => n.data.trim()).join(' ');
    if (!text || !e.checkVisibility({ visibilityProperty: true }) || e.closest('.sr, .skip')) continue;
    const a = light(rgb(getComputedStyle(e).color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) out.push(text.slice(0, 30) + ' ' + ratio.toFixed(2));
  }
  return [...new Set(out)].slice(0, 5).join(' | ');
})()`

func TestEventShowsWithinASecond(t *testing.T) {
	b := newBench(t)
	b.account(auth.Editor)
	p := newTab(t, b)
	p.window(1440, 900, false)
	p.signIn(auth.Editor)
	p.open("/debugger?pipeline=shop")
	p.do("live", chromedp.WaitVisible("#live.live:not(.off)"))
	at := time.Now().UTC()
	b.happen(arriving{seq: 1, id: "m1", name: "Order Completed", visitor: "a1b2c3d4", body: purchaseBody, routes: []trace.Route{pending("shop/liveperson", purchaseReport)}, at: at, granted: true}.record())
	const wait = `new Promise((done, fail) => { const began = performance.now(); const look = () => { const a = document.querySelector('#rows a[data-id="%s"]'); if (a && a.dataset.o === '%s') done(performance.now() - began); else if (performance.now() - began > 5000) fail(new Error('no row')); else requestAnimationFrame(look); }; look(); })`
	if took := eval[float64](p, fmt.Sprintf(wait, "m1", "pending")); took > 1000 {
		t.Errorf("the row came after %.0f ms", took)
	}
	// Opened, it follows the event to its end.
	p.do("open it", chromedp.Click(`#rows a[data-id="m1"]`), chromedp.WaitVisible(".stages"))
	b.happen(step(1, "m1", at, delivered("purchase · USD 11.70 · DRV1534XC", 84)))
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`new Promise((done, fail) => { const end = Date.now() + 5000; const look = () => document.querySelector('#detail .badge.delivered') ? done(true) : Date.now() > end ? fail(new Error('still pending')) : setTimeout(look, 50); look(); })`, chromedp.EvalAwaitPromise)); err != nil {
		t.Error(err)
	}
	stages := eval[string](p, `[...document.querySelectorAll('.stages details[data-stage]')].map((d) => d.dataset.stage).join(' ')`)
	if stages != "received governed request answer attempts" {
		t.Errorf("stages = %s", stages)
	}
	if got := eval[string](p, `location.pathname + location.search`); got != "/debugger/m1?pipeline=shop" {
		t.Errorf("the address of the opened event is %s", got)
	}
}

// Nothing moves under the hand: with the pointer on the list no row changes,
// and what came is counted and shown on demand.
func TestUpdatesAreHeldUnderThePointer(t *testing.T) {
	b := newBench(t)
	b.seed()
	b.account(auth.Editor)
	p := newTab(t, b)
	p.window(1440, 900, false)
	p.signIn(auth.Editor)
	p.open("/debugger")
	p.do("live", chromedp.WaitVisible("#live.live:not(.off)"), chromedp.MouseEvent("mouseMoved", 400, 400))
	before := eval[string](p, `document.getElementById('rows').innerText`)
	at := time.Now().UTC()
	for i := range 12 {
		b.happen(arriving{seq: uint64(9000 + i), id: fmt.Sprintf("new%d", i), name: "page", visitor: "v", body: `{}`, routes: []trace.Route{pending("shop/liveperson", `{}`)}, at: at, granted: true}.record())
	}
	held := `new Promise((done) => { const end = Date.now() + 5000; const look = () => { const t = document.getElementById('held').textContent; t === '12 new events · show' || Date.now() > end ? done(t) : setTimeout(look, 50); }; look(); })`
	if got := eval[string](p, held); got != "12 new events · show" {
		t.Fatalf("held = %q", got)
	}
	if after := eval[string](p, `document.getElementById('rows').innerText`); after != before {
		t.Error("rows changed under the pointer")
	}
	p.do("show", chromedp.Click("#held"))
	if got := eval[string](p, `document.querySelector('#rows a').dataset.id`); got != "new11" {
		t.Errorf("the first row is %s, want new11", got)
	}
	// p pauses for good.
	p.do("pause", chromedp.MouseEvent("mouseMoved", 1000, 400), chromedp.KeyEvent("p"), chromedp.WaitVisible("#pause[aria-pressed=true]"))
	b.happen(arriving{seq: 9999, id: "late", name: "page", visitor: "v", body: `{}`, routes: []trace.Route{pending("shop/liveperson", `{}`)}, at: at, granted: true}.record())
	eval[bool](p, `new Promise((done) => { const look = () => document.getElementById('held').hidden ? setTimeout(look, 50) : done(true); look(); })`)
	if got := eval[string](p, `document.querySelector('#rows a').dataset.id`); got != "new11" {
		t.Errorf("a row came in while paused: %s", got)
	}
	p.do("go on", chromedp.KeyEvent("p"))
	eval[bool](p, `new Promise((done) => { const look = () => document.querySelector('#rows a').dataset.id === 'late' ? done(true) : setTimeout(look, 50); look(); })`)
}

func TestKeysAndCurl(t *testing.T) {
	b := newBench(t)
	b.seed()
	b.account(auth.Editor)
	p := newTab(t, b)
	p.window(1440, 900, false)
	p.signIn(auth.Editor)
	p.open("/debugger")
	p.do("j opens the first", chromedp.KeyEvent("j"), chromedp.WaitVisible(".stages"))
	if got := eval[string](p, `location.pathname`); got != "/debugger/"+first {
		t.Errorf("j opened %s", got)
	}
	p.do("1 opens a stage", chromedp.KeyEvent("1"), chromedp.WaitVisible("#received-body"))
	p.do("? lists the keys", chromedp.KeyEvent("?"), chromedp.WaitVisible("#keys"))
	quoted := eval[string](p, `import('/static/app.js').then((m) => m.curl({ method: 'POST', url: "https://x.example/?a=it's", header: { A: "b'; rm -rf ~; '" }, body: "{\"n\":\"it's $(id) `+"`id`"+`\"}" }))`)
	want := "curl -X 'POST' 'https://x.example/?a=it'\\''s' \\\n  -H 'A: b'\\''; rm -rf ~; '\\''' \\\n  --data-raw '{\"n\":\"it'\\''s $(id) `id`\"}'"
	if quoted != want {
		t.Errorf("curl =\n%s\nwant\n%s", quoted, want)
	}
}
