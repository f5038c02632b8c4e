package console

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/store"
)

const refusedCurrency = "LivePerson refused lead.currency."

// job asks for a replay and gives it as it answers.
func (b *bench) job(method, path, token, body string) desk.Replay {
	b.t.Helper()
	status, answer := b.call(method, "/v1/admin"+path, token, body)
	var r desk.Replay
	if err := json.Unmarshal([]byte(answer), &r); status != 200 || err != nil || r.ID == "" {
		b.t.Fatalf("%s %s = %d %s, %v", method, path, status, answer, err)
	}
	return r
}

// ended waits for the end of a replay.
func (b *bench) ended(r desk.Replay) desk.Replay {
	b.t.Helper()
	for range 10 {
		if r.Ended() {
			return r
		}
		r = b.job("GET", "/replays/"+r.ID+"?wait=10", tokens[auth.Viewer], "")
	}
	b.t.Fatalf("it does not end: %+v", r)
	return r
}

// The dry run of all that match says what the replay does, which goes in the
// order of receipt, whatever page the letters are on.
func TestBulkReplayTakesAllThatMatch(t *testing.T) {
	b := newBench(t)
	b.seed()
	want, err := b.store.DeadIDs(t.Context(), store.DeadFilter{Reason: refusedCurrency})
	if err != nil || len(want) != 96 {
		t.Fatal(len(want), err)
	}
	const filter = `{"filter":{"reason":"LivePerson refused lead.currency.","integration":"liveperson"},"rate":1000`
	dry := b.ended(b.job("POST", "/dead-letters/replay", tokens[auth.Editor], filter+`,"dry_run":true}`))
	if dry.Matched != 96 || dry.Done != 96 || dry.Sent != 87 || dry.Filtered != 9 || !dry.DryRun || len(b.replayed) != 0 {
		t.Errorf("dry run %+v, %d replayed", dry, len(b.replayed))
	}
	run := b.ended(b.job("POST", "/dead-letters/replay", tokens[auth.Editor], filter+`}`))
	if run.State != desk.ReplayDone || run.Matched != 96 || run.Done != 96 || run.Rate != 1000 || run.By != "editor-token" {
		t.Errorf("replay %+v", run)
	}
	if got := slices.Concat(b.replayed...); !slices.Equal(got, want) {
		t.Errorf("replayed %q\nwant %q", got, want)
	}
	if status, body := b.call("POST", "/v1/admin/dead-letters/drop", tokens[auth.Editor], `{}`); status != 400 || !strings.Contains(body, "Name a filter") {
		t.Errorf("drop without a filter = %d %s, want 400", status, body)
	}
	if rest := b.ended(b.job("POST", "/dead-letters/replay", tokens[auth.Editor], "")); rest.Matched != 28 || rest.Sent != 28 {
		t.Errorf("replay of the rest = %+v", rest)
	}
	status, body := b.call("GET", "/v1/admin/replays", tokens[auth.Viewer], "")
	if status != 200 || strings.Count(body, `"state":"done"`) != 3 {
		t.Errorf("replays = %d %s", status, body)
	}
}

// Stopped half-way, the rest is still there.
func TestAReplayThatIsStopped(t *testing.T) {
	b := newBench(t)
	b.seed()
	r := b.job("POST", "/dead-letters/replay", tokens[auth.Editor], `{"reason":"LivePerson refused lead.currency.","rate":5}`)
	if r.State != desk.ReplayRunning {
		t.Fatalf("%+v", r)
	}
	if status, _ := b.call("POST", "/v1/admin/replays/"+r.ID+"/cancel", tokens[auth.Viewer], ""); status != 403 {
		t.Errorf("a viewer stops it: %d", status)
	}
	r = b.ended(b.job("POST", "/replays/"+r.ID+"/cancel", tokens[auth.Editor], ""))
	left, err := b.store.CountDead(t.Context(), store.DeadFilter{Reason: refusedCurrency})
	if r.State != desk.ReplayStopped || r.Sent == 0 || left != 96-r.Sent || err != nil {
		t.Errorf("%+v, %d left, %v", r, left, err)
	}
	if again := b.job("POST", "/replays/"+r.ID+"/cancel", tokens[auth.Editor], ""); again.State != desk.ReplayStopped {
		t.Errorf("stopped twice: %+v", again)
	}
}

// What is wrong with a replay of stored events is said before it begins.
func TestAReplayThatCannotBegin(t *testing.T) {
	b := newBench(t)
	for _, tt := range []struct{ name, body, says string }{
		{"no integration", `{"integration":"","from":"2026-02-24T08:00:00Z","to":"2026-02-24T09:00:00Z"}`, "integration: name the one"},
		{"an integration that is not there", `{"integration":"shop/nothing","from":"2026-02-24T08:00:00Z","to":"2026-02-24T09:00:00Z"}`, `there is no \"shop/nothing\"`},
		{"no times", `{"integration":"shop/liveperson"}`, "from"},
		{"the wrong way round", `{"integration":"shop/liveperson","from":"2026-02-24T09:00:00Z","to":"2026-02-24T08:00:00Z"}`, "from must be before to"},
		{"a rate beyond reason", `{"integration":"shop/liveperson","from":"2026-02-24T08:00:00Z","to":"2026-02-24T09:00:00Z","rate":10001}`, "rate"},
	} {
		if status, body := b.call("POST", "/v1/admin/replays", tokens[auth.Editor], tt.body); status != 400 || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d %s, want 400 with %q", tt.name, status, body, tt.says)
		}
	}
	for i := range 9 {
		status, body := b.call("POST", "/v1/admin/dead-letters/replay", tokens[auth.Editor], `{"rate":1}`)
		if status != 200 {
			t.Fatalf("an empty replay, number %d: %d %s", i, status, body) // they end at once, so none is in the way
		}
	}
}

// A viewer hears of a replay without the personal data in its filters.
func TestReplaysAreMasked(t *testing.T) {
	b := newBench(t)
	const email = "jane@example.com"
	r := b.job("POST", "/replays", tokens[auth.Editor], `{"integration":"shop/liveperson","from":"2026-02-24T08:00:00Z","to":"2026-02-24T09:00:00Z","visitor":"`+email+`"}`)
	l := b.job("POST", "/dead-letters/replay", tokens[auth.Editor], `{"q":"`+email+`"}`)
	for _, path := range []string{"/v1/admin/replays", "/v1/admin/replays/" + r.ID, "/v1/admin/replays/" + l.ID} {
		if _, body := b.call("GET", path, tokens[auth.Viewer], ""); strings.Contains(body, email) {
			t.Errorf("%s shows a viewer %s", path, body)
		}
		if _, body := b.call("GET", path, tokens[auth.Editor], ""); !strings.Contains(body, email) {
			t.Errorf("%s hides from an editor: %s", path, body)
		}
	}
}

// The pages of a replay without script: asked for, tried dry, begun with the
// number on the button, stopped.
func TestTheWayOfAReplayThroughThePages(t *testing.T) {
	b := newBench(t)
	b.seed()
	editor, viewer := b.person(auth.Editor), b.person(auth.Viewer)
	to := "/dead-letters/confirm?do=replay&reason=" + url.QueryEscape(refusedCurrency) + "&back=" + url.QueryEscape("/dead-letters?reason=x")
	if status, _, _ := b.page(viewer, "GET", to); status != 403 {
		t.Errorf("a viewer asks for a replay: %d", status)
	}
	status, at, _ := b.page(editor, "GET", to)
	if status != 303 || !strings.HasPrefix(at, "/dead-letters/replays/") {
		t.Fatalf("%d %s", status, at)
	}
	_, _, body := b.page(editor, "GET", at)
	for _, want := range []string{"<h1>Replay 96 dead letters?</h1>", "87 would be sent.", "9 would be filtered.", "Marketing is not granted.", `href="/dead-letters?reason=x"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the dry run does not say %q", want)
		}
	}
	button := regexp.MustCompile(`action="(/dead-letters/replays/[^"]+/go[^"]*)"[^§]*?</svg>\s*Replay 87`).FindStringSubmatch(body)
	if button == nil || len(b.replayed) != 0 {
		t.Fatalf("no button with the number, or %d were sent already", len(b.replayed))
	}
	if _, _, page := b.page(viewer, "GET", at); strings.Contains(page, "/go?") {
		t.Error("a viewer gets the button")
	}
	status, at, _ = b.page(editor, "POST", strings.ReplaceAll(button[1], "&amp;", "&"))
	if status != 303 {
		t.Fatalf("the button: %d", status)
	}
	_, _, body = b.page(editor, "GET", at) // 96 at 50 a second are under way
	if !strings.Contains(body, "<progress max=\"96\"") || !strings.Contains(body, "data-follow") || !strings.Contains(body, "/stop?") {
		t.Error("the replay shows neither progress nor Stop")
	}
	if _, _, list := b.page(viewer, "GET", "/dead-letters"); !strings.Contains(list, "Replay of 96 dead letters") {
		t.Error("the list does not say that a replay runs")
	}
	path, _, _ := strings.Cut(at, "?")
	if status, at, _ = b.page(editor, "POST", path+"/stop"); status != 303 {
		t.Fatalf("Stop: %d", status)
	}
	_, _, body = b.page(editor, "GET", at)
	left, err := b.store.CountDead(t.Context(), store.DeadFilter{Reason: refusedCurrency})
	if err != nil || left == 0 || left == 96 || !strings.Contains(body, fmt.Sprintf("Stopped. %d were not sent and are as they were.", left)) {
		t.Errorf("after Stop %d are left, %v", left, err)
	}
}

// With script the progress moves in place, and the result shows by itself.
func TestAReplayInABrowser(t *testing.T) {
	b := newBench(t)
	b.seed()
	b.account(auth.Editor)
	p := newTab(t, b)
	p.signIn(auth.Editor)
	p.open("/dead-letters/confirm?do=replay&reason=" + url.QueryEscape(refusedCurrency))
	p.do("Replay 87", chromedp.Click("form .btn.main"), chromedp.WaitReady("progress"))
	eval[bool](p, `document.documentElement.dataset.same = '1', true`)
	eval[bool](p, `new Promise((done) => { const look = () => document.querySelector('progress')?.value > 20 ? done(document.documentElement.dataset.same === '1') : setTimeout(look, 50); look(); })`)
	p.do("the result", chromedp.WaitReady(`a[href^="/debugger?"][href*="outcome=filtered"]`))
	if left, err := b.store.CountDead(t.Context(), store.DeadFilter{Reason: refusedCurrency}); left != 0 || err != nil || len(p.said) > 0 {
		t.Errorf("%d are left, %v; the browser says %q", left, err, p.said)
	}
}

// page asks for a page and gives status, where it leads, and what it says.
func (b *bench) page(c *http.Client, method, path string) (status int, to, body string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), string(text)
}
