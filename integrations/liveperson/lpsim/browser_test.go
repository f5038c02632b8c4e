package lpsim

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser opens Chromium and gathers what its console says.
func browser(t *testing.T) (context.Context, func() []string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium on this machine: the page is tested without a browser only")
	}
	if testing.Short() {
		t.Skip("a browser takes seconds to start, and -short was asked for")
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	var mu sync.Mutex
	var said []string
	err = chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err1 := cdp.Call(ctx, t, log.Enable, cdp.Empty{})
		_, err2 := cdp.Call(ctx, t, runtime.Enable, cdp.Empty{})
		return errors.Join(err1, err2)
	}))
	if err == nil {
		err = chromedp.Listen(ctx, func(e any) {
			mu.Lock()
			defer mu.Unlock()
			switch e := e.(type) {
			case *runtime.EventExceptionThrown:
				said = append(said, e.ExceptionDetails.Text)
			case *log.EventEntryAdded:
				said = append(said, e.Entry.Text+" "+e.Entry.URL)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(said)
	}
}

// in runs one action and ends the test if it fails.
func in[T any](t *testing.T, ctx context.Context, what string, a chromedp.Action[T]) T {
	t.Helper()
	got, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return got
}

// shop fills a simulator with visitors.
func shop(t *testing.T, s *Sim) {
	t.Helper()
	about := func(sub, acr, entry string, sdes ...string) string {
		return `{"consumerId":"` + sub + `","identities":[{"iss":"Datafly","acr":"` + acr + `","sub":"` + sub + `"}],"entryPoints":["https://shop.example` + entry + `"],"engagementAttributes":[` + strings.Join(sdes, ",") + `]}`
	}
	for i := range 9 {
		send(t, s, seedTry(about(fmt.Sprintf("%dbe2f7a8-0c1d-4e2f-8a3b-%012d", i, i), "0", "/mugs", examples["prodView"])))
	}
	jane := "a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d"
	a := send(t, s, seedTry(about(jane, "0", "/", examples["prodView"], `{"type":"searchContent","keywords":["mug"]}`)))
	for _, body := range []string{
		about(jane, "0", "/cart", strings.Replace(examples["cart"], `"cart"`, `"cartStatus"`, 1)),
		about(jane, "loa1", "/sign-in", examples["ctmrinfo"], examples["personal"], examples["mrktInfo"], examples["lead"]),
		about(jane, "loa1", "/checkout/confirmation", examples["short purchase"]),
	} {
		send(t, s, try{method: "POST", query: "v=1.0&vid=" + a.vid + "&sid=" + a.sid, body: body})
	}
}

func TestPagesInABrowser(t *testing.T) {
	ctx, said := browser(t)
	s := New(Options{})
	shop(t, s)
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	defer srv.CloseClientConnections() // a page that is open listens to the stream
	setFault(t, s, `{"status":503,"count":20,"match":"nobody"}`)
	if err := s.Advance(31 * time.Minute); err != nil {
		t.Fatal(err)
	}
	jane := "/visitors/a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d"
	schemes := []string{"light"}
	if os.Getenv("LPSIM_PICTURES") != "" {
		schemes = append(schemes, "dark") // for the eye: what is checked here is alike in both
	}
	for _, width := range []int64{320, 390, 768, 1440} {
		for _, path := range []string{"/", jane, "/requests", "/faults", "/clock", "/forget"} {
			for _, scheme := range schemes {
				in(t, ctx, "size", chromedp.EmulateViewport(width, 900))
				in(t, ctx, "scheme", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
					_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
						Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
					})
					return err
				}))
				in(t, ctx, path, chromedp.Navigate(srv.URL+path))
				wide := in(t, ctx, path, chromedp.Evaluate[int](`document.documentElement.scrollWidth - innerWidth`))
				unnamed := in(t, ctx, path, chromedp.Evaluate[int](`[...document.querySelectorAll("a,button,input:not([type=hidden]),select,summary")].filter(e => !(e.labels?.length || e.textContent.trim() || e.hidden)).length`))
				ids := in(t, ctx, path, chromedp.Evaluate[int](`(() => { const ids = [...document.querySelectorAll("[id]")].map(e => e.id); return ids.length - new Set(ids).size })()`))
				if wide > 0 || unnamed > 0 || ids > 0 {
					t.Errorf("%s at %d %s: %d px too wide, %d controls without a name, %d double ids", path, width, scheme, wide, unnamed, ids)
				}
				if dir := os.Getenv("LPSIM_PICTURES"); dir != "" {
					shot := in(t, ctx, "picture", chromedp.FullScreenshot(100))
					name := fmt.Sprintf("%s-%d-%s.png", strings.Trim(strings.ReplaceAll(path, "/", "-"), "-"), width, scheme)
					if err := os.WriteFile(filepath.Join(dir, name), shot, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	if got := said(); len(got) > 0 {
		t.Errorf("the browser complained: %q", got)
	}
}

func TestThePageIsLive(t *testing.T) {
	ctx, said := browser(t)
	s := New(Options{})
	shop(t, s)
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	defer srv.CloseClientConnections() // a page that is open listens to the stream
	// The page is asked again and again until it is so; it may be a new one by
	// then.
	until := func(what string) {
		t.Helper()
		for {
			if is, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+what+")")); err == nil && is {
				return
			}
			select {
			case <-ctx.Done():
				t.Fatalf("it never came to %s; the browser said %q", what, said())
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	click := func(selector string) {
		t.Helper()
		in(t, ctx, "click "+selector, chromedp.Evaluate[chromedp.Void](`document.querySelector("`+selector+`").click()`))
	}
	text := func(selector string) string {
		t.Helper()
		return in(t, ctx, selector, chromedp.Evaluate[string](`document.querySelector("`+selector+`").textContent`))
	}
	in(t, ctx, "size", chromedp.EmulateViewport(1440, 900))
	in(t, ctx, "open", chromedp.Navigate(srv.URL+"/"))
	until(`!document.querySelector("#live").hidden`)
	a := send(t, s, try{}) // somebody else comes: the list shows it, the opened visitor stays
	until(`document.querySelector(".visitors .who").textContent.includes("5be2f7a8")`)
	opened := text("h1")
	click("[data-dialog='fail-dialog']")
	until(`document.querySelector("#fail-dialog").open`)
	title := text("#fail-title")
	in(t, ctx, "count", chromedp.Evaluate[chromedp.Void](`document.querySelector("#fail-dialog [name=count]").value = "2"`))
	click("#fail-dialog .ink")
	until(`location.pathname === "/" && document.querySelector("#failing .fault") && !document.querySelector("#live").hidden`)
	send(t, s, try{})
	until(`document.querySelector("#failing").textContent.includes("1 of 2 left")`)
	click("#failing button")
	until(`document.readyState === "complete" && !document.querySelector("#failing .fault")`)
	click("[data-dialog='clock-dialog']")
	until(`document.querySelector("#clock-dialog").open`)
	click("#clock-dialog [value='31m']")
	until(`document.readyState === "complete" && location.pathname === "/" && document.querySelector("#failing").textContent.includes("The clock is 31 min ahead")`)
	if got := send(t, s, try{query: with(a.vid, a.sid)}); got.status != 201 {
		t.Errorf("a session after the clock was moved: %d, want a new one", got.status)
	}
	if err := s.Advance(time.Hour); err != nil { // by another: the page follows
		t.Fatal(err)
	}
	until(`document.querySelector("#failing").textContent.includes("The clock is 1 h 31 min ahead") && document.querySelector("#clock-now").textContent.includes("1 h 31 min ahead")`)
	click("#failing [value='real']")
	until(`document.readyState === "complete" && !document.querySelector("#failing .fault")`)
	click("[data-dialog='forget-dialog']")
	until(`document.querySelector("#forget-dialog").open`)
	click("#forget-dialog .danger")
	until(`document.querySelector("h1").textContent === "No visitor yet"`)
	if opened != "Jane Doe" || title != "What should go wrong?" {
		t.Errorf("opened %q, dialog %q", opened, title)
	}
	if got := s.Status(); got.Visitors != 0 || got.Faults != 0 {
		t.Errorf("status %+v, want all forgotten", got)
	}
	if got := said(); len(got) > 0 {
		t.Errorf("the browser complained: %q", got)
	}
}
