package collector

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestBrowserQueueBeforeLoad(t *testing.T) {
	const stub = `<script>window.datafly=window.datafly||[];
"track page identify group consent reset ready".split(" ").forEach(function(m){datafly[m]=datafly[m]||function(){datafly.push([m].concat([].slice.call(arguments)))}})</script>`
	tests := []struct {
		name string
		html string
		want string
	}{
		{"pushes", `<script>window.datafly=window.datafly||[];datafly.push(["track","A",{n:1}]);datafly.push(["track","B"],["track","C"])</script>` + load, "page track:A track:B track:C"},
		{"the stub", stub + `<script>datafly.track("A");datafly.identify("u1");datafly.track("B")</script>` + load, "page track:A identify track:B"},
		{"the other global", `<script>window._df=[["track","A"]]</script>` + load, "page track:A"},
		{"a call of page is the view of the page", `<script>window.datafly=[["page","Home"],["track","A"]]</script>` + load, "page track:A"},
		{"auto page off", `<script>window.datafly=[["track","A"]]</script>` + strings.Replace(load, "async", `async data-auto-page="false"`, 1), "track:A"},
		{"unknown calls and nonsense are passed over", `<script>window.datafly=[["explode"],5,null,["track","A"],["constructor"]]</script>` + load, "page track:A"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tab, g := browser(t), newGate(t)
			url := site(t, g, tt.html)
			run(t, tab, chromedp.Navigate(url), settled, hurry)
			if got := kinds(g.wait(t, len(strings.Fields(tt.want)))); got != tt.want {
				t.Errorf("events %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBrowserAnOldReferenceStillWorks(t *testing.T) {
	tab, g := browser(t), newGate(t)
	url := site(t, g, `<script>window.datafly=[];window.held=window.datafly</script>`+load)
	run(t, tab, chromedp.Navigate(url), settled, js(`held.push(["track","A"]);held.track("B")`), hurry)
	if got := kinds(g.wait(t, 3)); got != "page track:A track:B" {
		t.Errorf("events %q", got)
	}
}

func TestBrowserPassesOnTheIDsOfLivePersonsOwnTag(t *testing.T) {
	tab, g := browser(t), newGate(t)
	url := site(t, g, `<script>document.cookie="LPVID=cyNGViYjc4MmU2MzEzZThm";document.cookie="LPSID-12345678=qCsUrTldTh0UEWLjLCGqkQ";document.cookie="other=secret"</script>`+load)
	run(t, tab, chromedp.Navigate(url), settled, js(`document.cookie="LPVID=; max-age=0";document.cookie="LPSID-12345678=; max-age=0";datafly.track("A")`), hurry)
	events := g.wait(t, 2)
	if got := fmt.Sprint(events[0].Context.Cookies); got != "map[LPSID-12345678:qCsUrTldTh0UEWLjLCGqkQ LPVID:cyNGViYjc4MmU2MzEzZThm]" {
		t.Errorf("context.cookies = %s, want the two of LivePerson and no other", got)
	}
	if got := events[1].Context.Cookies; got != nil {
		t.Errorf("context.cookies = %v after the tag let go of its ids, want none", got)
	}
}

func TestBrowserEventFields(t *testing.T) {
	tab, g := browser(t), newGate(t)
	url := site(t, g, load)
	run(t, tab, chromedp.Navigate(url+"/shoes?utm_source=news&utm_campaign=spring&gclid=g1&x=y#part"), settled,
		js(`const p={a:1,odd:"a\u0000b\ud800c\\u0000",big:11.70};datafly.track("A",p);p.a=2;datafly.group("g1",{size:3})`), hurry)
	events := g.wait(t, 3)
	page, track, group := events[0], events[1], events[2]
	if c := page.Context; c.Page.URL != url+"/shoes?utm_source=news&utm_campaign=spring&gclid=g1&x=y#part" || c.Page.Path != "/shoes" ||
		c.Page.Search != "?utm_source=news&utm_campaign=spring&gclid=g1&x=y" || c.Page.Title != "Shop /shoes" {
		t.Errorf("context.page = %+v", c.Page)
	}
	if got := fmt.Sprint(page.Context.Campaign); got != "map[gclid:g1 name:spring source:news]" {
		t.Errorf("context.campaign = %s", got)
	}
	if c := page.Context; c.UserAgent == "" || c.Locale == "" || c.Timezone == "" || c.Screen["width"] == 0 ||
		c.Library["name"] != "@datafly/collector" || c.Library["version"] == "" {
		t.Errorf("context = %+v", c)
	}
	if track.Properties["a"] != 1.0 || track.Properties["odd"] != "a\ufffdb\ufffdc\\u0000" {
		t.Errorf("properties = %v, want them as they were at the call, odd characters replaced", track.Properties)
	}
	if group.GroupID != "g1" || group.Traits["size"] != 3.0 {
		t.Errorf("group = %+v", group)
	}
	seen := map[string]bool{}
	for _, e := range events {
		if len(e.MessageID) != 36 || seen[e.MessageID] || len(e.AnonymousID) != 36 || e.AnonymousID != page.AnonymousID || e.Timestamp.IsZero() {
			t.Errorf("ids and time of %+v", e)
		}
		seen[e.MessageID] = true
	}
	posts, _ := g.all()
	if p := posts[0]; p.query != "wk=dk_test_shop" || !strings.HasPrefix(p.media, "text/plain") || p.sentAt.IsZero() {
		t.Errorf("post %+v", p)
	}
}

func TestBrowserSinglePageNavigation(t *testing.T) {
	tab, g := browser(t), newGate(t)
	url := site(t, g, load)
	run(t, tab, chromedp.Navigate(url+"/a"), settled, js(`history.pushState({},"","/b");document.title="B"`), hurry)
	g.wait(t, 2)
	run(t, tab, js(`history.pushState({},"","/c?q=1");datafly.track("T")`), hurry) // the view comes before the event
	g.wait(t, 4)
	run(t, tab,
		js(`history.replaceState({n:1},"")`), js(`location.hash="part"`), // no other page
		js(`location.hash="#/route"`), hurry)
	g.wait(t, 5)
	run(t, tab, js(`history.go(-2)`), hurry)
	g.wait(t, 6)
	run(t, tab, js(`history.back()`), hurry)
	events := g.wait(t, 7)
	var got []string
	for _, e := range events {
		got = append(got, e.Type+" "+strings.TrimPrefix(e.Context.Page.URL, url)+" from "+strings.TrimPrefix(e.Context.Page.Referrer, url))
	}
	want := []string{"page /a from ", "page /b from /a", "page /c?q=1 from /b", "track /c?q=1 from /b", "page /c?q=1#/route from /c?q=1", "page /c?q=1 from /c?q=1#/route", "page /b from /c?q=1"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("events:\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	if events[1].Context.Page.Title != "B" {
		t.Errorf("title = %q, want the one that the app sets after it has moved", events[1].Context.Page.Title)
	}
}

func TestBrowserIdentifyIsKeptAndMerged(t *testing.T) {
	tab, g := browser(t), newGate(t)
	url := site(t, g, load)
	run(t, tab, chromedp.Navigate(url), settled,
		js(`datafly.identify("u1",{plan:"free",city:"Bern"});datafly.identify({plan:"pro"});datafly.track("A")`), hurry)
	g.wait(t, 4)
	run(t, tab, chromedp.Navigate(url+"/next"), settled, js(`datafly.identify(7,{plan:"x"});datafly.reset();datafly.track("B")`), hurry)
	events := g.wait(t, 7)
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprint(e.Type, " ", e.UserID, " ", e.Traits))
	}
	want := "page  map[]; identify u1 map[city:Bern plan:free]; identify u1 map[city:Bern plan:pro]; track u1 map[]; page u1 map[]; identify 7 map[plan:x]; track  map[]"
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("events:\n got %s\nwant %s", s, want)
	}
	if events[5].AnonymousID != events[0].AnonymousID || events[6].AnonymousID == events[0].AnonymousID {
		t.Errorf("anonymousIds %s, %s, %s: want the last to be another", events[0].AnonymousID, events[5].AnonymousID, events[6].AnonymousID)
	}
	posts, _ := g.all()
	last := posts[len(posts)-1]
	if len(last.events) != 1 || last.query != "wk=dk_test_shop&reset=1" {
		t.Errorf("the event after the reset came with %d others and query %q", len(last.events)-1, last.query)
	}
	run(t, tab, js(`datafly.track("C")`), hurry)
	g.wait(t, 8)
	posts, _ = g.all()
	if q := posts[len(posts)-1].query; q != "wk=dk_test_shop" {
		t.Errorf("query after the reset is done = %q", q)
	}
}

func TestBrowserConsentIsAttached(t *testing.T) {
	tab, g := browser(t), newGate(t)
	url := site(t, g, load+`<script>window.datafly=window.datafly||[];datafly.push(["consent",{categories:{C1:true,C4:true},canonical:{marketing:true}}])</script>`)
	run(t, tab, chromedp.Navigate(url), settled, js(`datafly.consent({categories:{C4:false}});datafly.track("A");datafly.consent(null);datafly.consent({canonical:{analytics:true}});datafly.track("B")`), hurry)
	g.wait(t, 3)
	run(t, tab, chromedp.Navigate(url+"/next"), settled, hurry)
	events := g.wait(t, 4)
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprint(e.Context.Consent))
	}
	want := []string{
		"map[canonical:map[marketing:true] categories:map[C1:true C4:true]]", // the page, though it was due before
		"map[categories:map[C1:true C4:false]]",                              // no old grant outweighs the withdrawal
		"map[canonical:map[analytics:true]]",
		"map[canonical:map[analytics:true marketing:true] categories:map[C1:true C4:true]]", // the page says it anew
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("consent:\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestBrowserLeavingThePageDelivers(t *testing.T) {
	for _, how := range []string{"navigation", "closing the tab", "hiding"} {
		t.Run(how, func(t *testing.T) {
			tab, g := browser(t), newGate(t)
			html := `<script>window.datafly=window.datafly||[];addEventListener("load",function(){datafly.init({pipelineKey:"k",endpoint:"GATE",flushInterval:600000,batchSize:100})})</script><script async src="GATE/d.js"></script>`
			url := site(t, g, html)
			// More than one POST may have otherwise, and more bytes than characters.
			run(t, tab, chromedp.Navigate(url), settled, js(`for(let i=0;i<30;i++)datafly.track("E"+i,{fill:"é".repeat(400)})`))
			switch how {
			case "navigation":
				run(t, tab, chromedp.Navigate("about:blank"))
			case "closing the tab":
				if err := chromedp.Cancel(tab); err != nil {
					t.Fatal(err)
				}
			case "hiding":
				run(t, tab, js(`Object.defineProperty(document,"visibilityState",{value:"hidden"});document.dispatchEvent(new Event("visibilitychange"))`))
			}
			events := g.wait(t, 31)
			posts, _ := g.all()
			if len(posts) != 1 || posts[0].bytes <= 30000 || posts[0].bytes >= 64<<10 {
				t.Errorf("%d posts, the first of %d bytes, want one beacon", len(posts), posts[0].bytes)
			}
			if events[0].Type != "page" || events[1].Event != "E0" || events[30].Event != "E29" {
				t.Errorf("events %s", kinds(events))
			}
		})
	}
}

func TestBrowserGlobals(t *testing.T) {
	tab, g := browser(t), newGate(t)
	url := site(t, g, strings.Replace(load, "async", `async data-global="tracker"`, 1))
	run(t, tab, chromedp.Navigate(url), settled)
	same := ask[bool](t, tab, `window.datafly===window._df&&window.tracker===window._df&&["track","page","identify","group","consent","reset","ready","push","init"].every(m=>typeof datafly[m]==="function")`)
	if !same {
		t.Error("datafly, _df and data-global are not one object with every call")
	}
}

func TestBrowserModule(t *testing.T) {
	tab, g := browser(t), newGate(t)
	url := site(t, g, `<script type="module">import "GATE/d.js";
datafly.track("A");
datafly.ready(function(){window.isReady=true});
datafly.init({pipelineKey:"dk_mod",endpoint:"GATE/",autoPage:false});
datafly.init({pipelineKey:"dk_other"});
datafly.track("B")</script>`)
	run(t, tab, chromedp.Navigate(url), settled)
	if got := kinds(g.wait(t, 2)); got != "track:A track:B" {
		t.Errorf("events %q", got)
	}
	ready := ask[bool](t, tab, `window.isReady===true`)
	posts, _ := g.all()
	if !ready || posts[0].query != "wk=dk_mod" {
		t.Errorf("ready = %v, query %q", ready, posts[0].query)
	}
}

func TestBrowserNothingIsThrownIntoThePage(t *testing.T) {
	tab, g := browser(t), newGate(t)
	g.answer = func(int) int { return http.StatusUnauthorized }
	url := site(t, g, `<script>window.faults=[];addEventListener("error",e=>faults.push(e.message));addEventListener("unhandledrejection",e=>faults.push(String(e.reason)))</script>`+load+load)
	run(t, tab, chromedp.Navigate(url), settled, js(`
const loop={};loop.loop=loop;
datafly.track("A",loop);datafly.track();datafly.track("A",1n);datafly.page(5,5);datafly.identify();datafly.group();
datafly.consent(5);datafly.ready();datafly.ready(()=>{throw 1});datafly.push();datafly.push(5);datafly.init();
history.pushState({},"","/x");
localStorage.setItem("_df","{");datafly.track("B");localStorage.setItem("_df","5");datafly.reset();datafly.track("C");`))
	until(t, func() bool { p, _ := g.all(); return len(p) >= 2 }, func() string { return "nothing was sent" })
	faults := ask[[]string](t, tab, `faults`)
	if len(faults) > 0 {
		t.Errorf("the page got %q", faults)
	}
}

func TestBrowserRetriesInOrder(t *testing.T) {
	tab, g := browser(t), newGate(t)
	g.answer = func(n int) int { return []int{503, 429, 200}[min(n, 2)] }
	url := site(t, g, load)
	run(t, tab, chromedp.Navigate(url), settled, js(`datafly.track("A")`))
	until(t, func() bool { p, _ := g.all(); return len(p) >= 1 }, func() string { return "nothing was sent" })
	run(t, tab, js(`for(let i=0;i<12;i++)datafly.track("E"+i)`))
	if got, want := kinds(g.wait(t, 14)), "page track:A track:E0 track:E1 track:E2 track:E3 track:E4 track:E5 track:E6 track:E7 track:E8 track:E9 track:E10 track:E11"; got != want {
		t.Errorf("events %q, want %q", got, want)
	}
	posts, _ := g.all()
	if n := len(posts[2].events); n != 10 || len(posts) != 4 {
		t.Errorf("%d posts, the first that was taken with %d events, want 4 and a batch of 10", len(posts), n)
	}
}

func TestBrowserCredentials(t *testing.T) {
	for _, open := range []bool{false, true} {
		t.Run(fmt.Sprintf("open %v", open), func(t *testing.T) {
			tab, g := browser(t), newGate(t)
			g.open = open
			url := site(t, g, load)
			run(t, tab, chromedp.Navigate(url), js(`document.cookie="probe=1;path=/"`), chromedp.Navigate(url+"/a"), settled)
			until(t, func() bool { p, _ := g.all(); return len(p) > 0 && p[len(p)-1].cookie != open }, func() string { p, _ := g.all(); return fmt.Sprintf("posts %+v", p) })
			before, _ := g.all()
			run(t, tab, chromedp.Navigate(url+"/b"), settled)
			until(t, func() bool { p, _ := g.all(); return len(p) > len(before) }, func() string { return "nothing came from the next page" })
			after, _ := g.all()
			if p := after[len(before)]; p.cookie == open {
				t.Errorf("the next page's first try: credentials %v, want what worked", p.cookie)
			}
		})
	}
}
