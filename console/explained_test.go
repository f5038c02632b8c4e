package console

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// boxOf reads the box of a page: its colours, its headline, the checks with
// their marks, and the buttons.
const boxOf = `(() => {
  const box = document.querySelector('.box');
  const text = (e) => (e?.textContent ?? '').replace(/\s+/g, ' ').trim();
  return [box.className, text(box.querySelector('.say b')).replace(/\d\d:\d\d\.$/, 'CLOCK.'),
    [...box.querySelectorAll('.checks li')].map((li) => li.querySelector('svg').getAttribute('aria-label') + ': ' + text(li.querySelector('p'))).join(' / '),
    text(box.querySelector('.why > p')), [...box.querySelectorAll('.btn')].map(text).join(' / '), text(box.querySelector('.mend > p')).replace(/\d\d:\d\d:\d\d/, 'CLOCK')].join('\n');
})()`

const appKeyMarks = "right: Domain. LivePerson gives lo.v.liveperson.net for this account, which is the domain in use. / right: Account. LivePerson knows the account. / wrong: App key. Domain and account are right, so the app key is wrong, or its app is not active."

func TestTheBoxInABrowser(t *testing.T) {
	b := newBench(t)
	b.seed()
	b.trouble()
	b.account(auth.Editor)
	p := newTab(t, b)
	p.window(1440, 900, false)
	p.signIn(auth.Editor)
	for _, tt := range []struct{ name, path, want string }{
		{"a pause, on the event that caused it", "/debugger/held-0001", "box pending\nLivePerson does not know this app key, so liveperson-eu is paused since CLOCK.\n" + appKeyMarks + "\n" + appKeyRemedy + "\nSettings of liveperson-eu / Resume\nTries by itself at CLOCK"},
		{"a pause, on an event behind it", "/debugger/behind-0001", "box pending\nLivePerson does not know this app key, so liveperson-eu is paused since CLOCK.\n" + appKeyMarks + "\n" + appKeyRemedy + "\nSettings of liveperson-eu / Resume\nTries by itself at CLOCK"},
		{"a pause, on the integration", "/integrations/shop-eu/liveperson-eu", "box pending\nLivePerson does not know this app key.\n" + appKeyMarks + "\n" + appKeyRemedy + "\nSee the settings / Resume\nTries by itself at CLOCK"},
		{"a vendor that is down, on an event", "/debugger/down-0001", "box pending\nLivePerson does not take reports now, so liveperson-uk holds back since CLOCK.\n\nNothing to do: Signal tries again by itself.\n\nTries by itself at CLOCK"},
		{"a vendor that is down, on the integration", "/integrations/shop-eu/liveperson-uk", "box pending\nLivePerson does not take reports now.\n\nNothing to do: Signal tries again by itself.\n\nTries by itself at CLOCK"},
		{"a vendor that asks to go slower", "/debugger/slow-0001", "box pending\nLivePerson asks to go slower, so liveperson-dk sends 50 of 100 requests a second.\n\n\n\n"},
		{"a refused field, on the event", "/debugger/refused-0001", "box dead\nLivePerson refused lead.currency.\nright: lead.currency Signal checked before sending that lead.currency is a text. / wrong: Currency. The value has 1 character, and a currency is the three letters of ISO 4217. / not known: lead.value LivePerson documents no rule that could be checked.\nCorrect what the mapping writes into lead.currency, and replay the event.\nWhich source fed it / All with this reason\n"},
		{"a refused field, on the dead letter", "/dead-letters/letter-0001", "box dead\nLivePerson refused lead.currency.\nright: lead.currency Signal checked before sending that lead.currency is a text. / wrong: Currency. The value has 1 character, and a currency is the three letters of ISO 4217. / not known: lead.value LivePerson documents no rule that could be checked.\nCorrect what the mapping writes into lead.currency, and replay the event.\nReplay / Drop… / Open in the Event Debugger\n"},
	} {
		p.open(tt.path)
		if got := eval[string](p, boxOf); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
	// The button leads to the row, through the folded stage and the folded table.
	p.open("/debugger/refused-0001")
	p.do("which source fed it", chromedp.Click(`.box a[href="#fed"]`), chromedp.WaitVisible("#fed tr.refused"))
	if got := eval[string](p, `document.querySelector('#fed tr.refused').innerText.replace(/\s+/g, ' ')`); got != `engagementAttributes[0].lead.currency refused properties.currency "€"` {
		t.Errorf("the row says %s", got)
	}
	// Resume goes back to the event, Learn again to the integration.
	p.open("/debugger/held-0001?integration=shop-eu%2Fliveperson-eu")
	p.leave("resume", chromedp.Click(`.box form button`))
	if got := eval[string](p, `location.pathname + location.search`); got != "/debugger/held-0001?integration=shop-eu%2Fliveperson-eu" {
		t.Errorf("Resume leads to %s", got)
	}
	p.open("/integrations/shop-eu/liveperson-eu")
	p.leave("learn again", chromedp.Click(`form[action="/integrations/learn-again"] button`))
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.resumed, []string{"shop-eu/liveperson-eu"}) || !slices.Equal(b.forgot, []string{"shop-eu/liveperson-eu"}) {
		t.Errorf("resumed %v, learns again %v, want shop-eu/liveperson-eu once each", b.resumed, b.forgot)
	}
}

// leave does something that leads to another page, and waits until that is there.
func (p *tab) leave(what string, step chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	eval[bool](p, `window.here = true`)
	p.do(what, step)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		// While one page gives way to the other there is none to ask.
		if there, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`!window.here && document.readyState === 'complete'`)); err == nil && there {
			return
		}
	}
	p.t.Fatalf("%s leads nowhere", what)
}

// text gives a page as it came.
func text(t *testing.T, c *http.Client, address string) string {
	t.Helper()
	r, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	page, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 {
		t.Fatalf("%s = %d, %v", address, r.StatusCode, err)
	}
	return string(page)
}

func TestIntegrationPageSaysHowItFares(t *testing.T) {
	b := newBench(t)
	b.seed()
	b.trouble()
	c := b.person(auth.Editor)
	for path, wants := range map[string][]string{
		"/integrations/shop-eu/liveperson-eu": {
			"Paused since", "1 setting works and is not what LivePerson advises.", "customer_id is always", "What Signal learned", "Pages alone", "<b>carried</b>",
			"not known yet", `<a href="/debugger/` + first + `">The event</a>`, "<b>lo2.v.liveperson.net</b>", "The settings say lo.v.liveperson.net.", "of 847 visitors, in order",
		},
		"/integrations/shop-eu/liveperson-uk": {"Holding back: LivePerson answers 503"},
		"/integrations/shop-eu/liveperson-dk": {"Slower: 50 of 100 requests a second since"},
		"/integrations/shop/liveperson":       {"Healthy", "<b>liveperson</b>"},
		"/":                                   {"liveperson-eu is paused.", "liveperson-uk holds back.", "liveperson-dk goes slower.", "Holding back", "Slower"},
		"/dead-letters":                       {"Needs a mapping change", "It may pass now."},
		"/debugger/batch-0002":                {"in 1 report with 2 other events", `data-open="batch-0001"`, "sampled-out-0001", "this event’s part is marked", "<mark>"},
		"/debugger/form-0001":                 {"Sent again at once in the form liveperson.", "Learned from this report: form is liveperson."},
		"/debugger/rejoin-0001":               {"Sent again at once without the ids of the visit."},
		"/debugger/carried-0001":              {"Its address left with a later report of the visitor", `data-open="batch-0001"`},
		"/debugger/held-0001":                 {"1 try, next at"},
	} {
		page := text(t, c, b.URL+path)
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
	}
	if page := text(t, c, b.URL+"/integrations/shop/orders"); strings.Contains(page, "Learn again") || strings.Contains(page, "What Signal learned") {
		t.Error("an integration that learns nothing offers to learn again")
	}
}

// A carried page names the report that its address left with, or says that it
// waits, or neither when nobody can know.
func TestWhereACarriedPageWent(t *testing.T) {
	for _, tt := range []struct {
		name    string
		waiting []string
		report  string // of a later event of the visitor
		want    string
		link    bool
	}{
		{"it waits", []string{"https://other.example/", pageAddress}, "", "Its address waits for the visitor’s next report", false},
		{"it left, however the address is escaped", nil, batchReport, "Its address left with a later report of the visitor", true},
		{"a later report without it says nothing", nil, cartPayload, "Its address travels with the visitor’s next report", false},
		{"nothing is known", nil, "", "Its address travels with the visitor’s next report", false},
	} {
		b := newBench(t)
		at := time.Now().UTC().Add(-time.Minute)
		page := arriving{seq: 1, id: "page-1", name: "page", visitor: troubled, body: `{}`, routes: []trace.Route{pending("shop/liveperson", pagePayload)}, at: at, granted: true}.record()
		records := []trace.Record{page, step(1, "page-1", at, trace.Step{Integration: "shop/liveperson", Outcome: trace.Carried})}
		if tt.report != "" {
			s := delivered("cartStatus", 50)
			s.Body = json.RawMessage(tt.report)
			later := at.Add(time.Second)
			records = append(records, arriving{seq: 2, id: "cart-1", name: "Cart Viewed", visitor: troubled, body: `{}`, routes: []trace.Route{pending("shop/liveperson", cartPayload)}, at: later, granted: true}.record(), step(2, "cart-1", later, s))
		}
		if err := b.store.AddTraces(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		if tt.waiting != nil {
			if err := b.store.SaveVisits(t.Context(), []store.VisitRow{{Integration: "shop/liveperson", AnonymousID: troubled, Visit: integrations.Visit{Waiting: tt.waiting}, At: at}}); err != nil {
				t.Fatal(err)
			}
		}
		body := text(t, b.person(auth.Viewer), b.URL+"/debugger/page-1")
		if !strings.Contains(body, tt.want) || strings.Contains(body, `title="cart-1"`) != tt.link {
			t.Errorf("%s: the page does not say %q, or links wrongly", tt.name, tt.want)
		}
	}
}

// What stands on the pages stands in the API.
func TestExplanationsInTheAPI(t *testing.T) {
	b := newBench(t)
	b.seed()
	b.trouble()
	get := func(path string) map[string]any {
		t.Helper()
		status, body := b.call("GET", "/v1/admin"+path, tokens[auth.Viewer], "")
		var out map[string]any
		if err := json.Unmarshal([]byte(body), &out); status != 200 || err != nil {
			t.Fatalf("%s = %d %s", path, status, body)
		}
		return out
	}
	has := func(what string, got map[string]any, want string) {
		t.Helper()
		var fields map[string]any
		if err := json.Unmarshal([]byte(want), &fields); err != nil {
			t.Fatal(err)
		}
		for k, v := range fields {
			if string(mustJSON(got[k])) != string(mustJSON(v)) {
				t.Errorf("%s: %s = %s, want %s", what, k, mustJSON(got[k]), mustJSON(v))
			}
		}
	}
	checks := string(mustJSON(appKeyChecks))
	paused := get("/integrations/liveperson-eu")
	has("a paused integration", paused, `{"state":"paused","cause":"unknown_app_key","fix":"settings","checks":`+checks+`,"answer_status":404,"answer_code":18,"waiting":1284,"visitors":847}`)
	if paused["next_probe"] == nil || paused["since"] == nil || len(paused["learned"].([]any)) != 4 || len(paused["warnings"].([]any)) != 1 {
		t.Errorf("a paused integration: %s", mustJSON(paused))
	}
	has("what was learned", paused["learned"].([]any)[1].(map[string]any), `{"name":"pages alone","value":"carried","from":"`+first+`"}`)
	has("a vendor that is down", get("/integrations/liveperson-uk"), `{"state":"holding","cause":"outage","answer_status":503}`)
	slowed := get("/integrations/liveperson-dk")
	has("a vendor that asks to go slower", slowed, `{"state":"slowed"}`)
	has("its rate", slowed["rate"].(map[string]any), `{"per_second":50,"limit":100}`)

	tries := func(id string) []any {
		return get("/events/" + id)["routes"].([]any)[0].(map[string]any)["attempts"].([]any)
	}
	has("the try that paused it", tries("held-0001")[0].(map[string]any), `{"verdict":"hold","cause":"unknown_app_key","fix":"settings","checks":`+checks+`}`)
	has("a refused field", tries("refused-0001")[0].(map[string]any), `{"cause":"invalid_field","fix":"mapping","field":"lead.currency","checks":`+string(mustJSON(fieldChecks))+`}`)
	has("one of several in a report", tries("batch-0001")[0].(map[string]any), `{"with":["batch-0002","sampled-out-0001"]}`)
	has("a try without trouble", tries(first)[0].(map[string]any), `{"cause":null,"fix":null,"field":null,"checks":null}`)

	has("a dead letter", get("/dead-letters/letter-0001"), `{"cause":"invalid_field","fix":"mapping","field":"lead.currency","checks":`+string(mustJSON(fieldChecks))+`}`)
	groups := get("/dead-letters/groups?q=7e57ed00")["data"].([]any)
	if len(groups) != 1 {
		t.Fatalf("groups = %s", mustJSON(groups))
	}
	has("a group", groups[0].(map[string]any), `{"count":1,"reason":"LivePerson refused lead.currency.","cause":"invalid_field","fix":"mapping","field":"lead.currency"}`)
}

// Learn again and Resume, from a page, by role and by address.
func TestLearnAgainAndResumeByRole(t *testing.T) {
	b := newBench(t)
	b.seed()
	people := map[auth.Role]*http.Client{auth.Viewer: b.person(auth.Viewer), auth.Editor: b.person(auth.Editor), auth.Admin: b.person(auth.Admin)}
	post := func(c *http.Client, path, id, back string) (int, string) {
		t.Helper()
		r, err := c.PostForm(b.URL+path, url.Values{"id": {id}, "back": {back}})
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode, r.Header.Get("Location")
	}
	const id, page = "shop-eu/liveperson-eu", "/integrations/shop-eu/liveperson-eu"
	for _, path := range []string{"/integrations/learn-again", "/integrations/resume"} {
		if status, to := post(b.browser(), path, id, ""); status != 303 || !strings.HasPrefix(to, "/sign-in") {
			t.Errorf("nobody: %s = %d %s, want the sign-in page", path, status, to)
		}
		if status, _ := post(people[auth.Viewer], path, id, ""); status != 403 {
			t.Errorf("viewer: %s = %d, want 403", path, status)
		}
		for _, role := range []auth.Role{auth.Editor, auth.Admin} {
			for back, want := range map[string]string{"": page, "/debugger/held-0001?q=x": "/debugger/held-0001?q=x", "https://evil.example/": page, "//evil.example": page} {
				if status, to := post(people[role], path, id, back); status != 303 || to != want {
					t.Errorf("%s: %s back to %q = %d %s, want 303 %s", role, path, back, status, to, want)
				}
			}
		}
		if r, err := people[auth.Editor].Get(b.URL + path); err != nil || r.StatusCode == 303 || r.StatusCode == 200 {
			t.Errorf("GET %s does something: %v %v", path, r.StatusCode, err)
		}
	}
	b.mu.Lock()
	forgot, resumed := len(b.forgot), len(b.resumed)
	b.mu.Unlock()
	if forgot != 8 || resumed != 8 {
		t.Errorf("learned again %d times and resumed %d times, want 8 each: a viewer must not reach it", forgot, resumed)
	}
	// A viewer sees the buttons, off and with the reason.
	body := text(t, people[auth.Viewer], b.URL+page)
	if n := strings.Count(body, `aria-disabled="true" title="Your role is viewer.`); n != 2 || strings.Contains(body, `action="/integrations/`) {
		t.Errorf("a viewer sees %d buttons that are off, want Resume and Learn again, and no form", n)
	}
}
