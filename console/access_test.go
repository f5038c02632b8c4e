package console

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// call makes one call of the Management API, as nobody when token is empty.
func (b *bench) call(method, path, token, body string) (int, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(out)
}

// Every endpoint of the API, and what each role hears. An endpoint that is
// registered and not in the table fails the test.
func TestAPIByRole(t *testing.T) {
	b := newBench(t)
	b.seed()
	b.account(auth.Admin)
	dead, _, err := b.store.DeadLetters(t.Context(), deadFilter(6))
	if err != nil || len(dead) < 6 {
		t.Fatalf("seed: %v, %d", err, len(dead))
	}
	all := map[string][2]string{} // method path: path, body
	tests := []struct {
		method, pattern, path, body string
		viewer, editor, admin       int
	}{
		{"GET", "/overview", "/overview", "", 200, 200, 200},
		{"GET", "/overview/series", "/overview/series?range=1h", "", 200, 200, 200},
		{"GET", "/events", "/events?limit=3", "", 200, 200, 200},
		{"GET", "/events/{messageId}", "/events/" + first, "", 200, 200, 200},
		{"GET", "/dead-letters", "/dead-letters", "", 200, 200, 200},
		{"GET", "/dead-letters/groups", "/dead-letters/groups", "", 200, 200, 200},
		{"GET", "/dead-letters/{id}", "/dead-letters/" + dead[0].ID, "", 200, 200, 200},
		{"POST", "/dead-letters/{id}/replay", "/dead-letters/" + dead[1].ID + "/replay", "", 403, 200, 404},
		{"POST", "/dead-letters/replay", "/dead-letters/replay", `{"ids":["` + dead[2].ID + `"]}`, 403, 200, 200},
		{"DELETE", "/dead-letters/{id}", "/dead-letters/" + dead[3].ID, "", 403, 200, 404},
		{"POST", "/dead-letters/{id}/drop", "/dead-letters/" + dead[4].ID + "/drop", "", 403, 200, 404},
		{"POST", "/dead-letters/drop", "/dead-letters/drop", `{"ids":["` + dead[5].ID + `"]}`, 403, 200, 200},
		{"GET", "/replays", "/replays", "", 200, 200, 200},
		{"POST", "/replays", "/replays", `{"integration":"shop/liveperson","from":"2026-02-24T08:00:00Z","to":"2026-02-24T09:00:00Z","dry_run":true}`, 403, 200, 200},
		{"GET", "/replays/{id}", "/replays/none", "", 404, 404, 404},
		{"POST", "/replays/{id}/cancel", "/replays/none/cancel", "", 403, 404, 404},
		{"GET", "/pipelines", "/pipelines", "", 200, 200, 200},
		{"POST", "/pipelines", "/pipelines", "", 403, 409, 409},
		{"GET", "/pipelines/{id}", "/pipelines/shop", "", 200, 200, 200},
		{"PATCH", "/pipelines/{id}", "/pipelines/shop", "", 403, 409, 409},
		{"PUT", "/pipelines/{id}", "/pipelines/shop", "", 403, 409, 409},
		{"DELETE", "/pipelines/{id}", "/pipelines/shop", "", 403, 409, 409},
		{"GET", "/pipelines/{id}/integrations", "/pipelines/shop/integrations", "", 200, 200, 200},
		{"POST", "/pipelines/{id}/integrations", "/pipelines/shop/integrations", "", 403, 409, 409},
		{"GET", "/integrations", "/integrations", "", 200, 200, 200},
		{"GET", "/integrations/{id}", "/integrations/orders", "", 200, 200, 200},
		{"GET", "/integrations/{pipeline}/{name}", "/integrations/shop/liveperson", "", 200, 200, 200},
		{"POST", "/integrations/{id}/resume", "/integrations/orders/resume", "", 403, 200, 200},
		{"POST", "/integrations/{pipeline}/{name}/resume", "/integrations/shop/liveperson/resume", "", 403, 200, 200},
		{"POST", "/integrations/{id}/learn-again", "/integrations/orders/learn-again", "", 403, 200, 200},
		{"POST", "/integrations/{pipeline}/{name}/learn-again", "/integrations/shop/liveperson/learn-again", "", 403, 200, 200},
		{"PATCH", "/integrations/{id}", "/integrations/orders", "", 403, 409, 409},
		{"PUT", "/integrations/{id}", "/integrations/orders", "", 403, 409, 409},
		{"DELETE", "/integrations/{id}", "/integrations/orders", "", 403, 409, 409},
		{"POST", "/integrations/{id}/revisions", "/integrations/orders/revisions", "", 403, 409, 409},
		{"GET", "/liveperson/domain", "/liveperson/domain?account_id=12345678", "", 403, 200, 200},
		{"GET", "/verify", "/verify", "", 200, 200, 200},
		{"GET", "/me", "/me", "", 200, 200, 200},
		{"GET", "/users", "/users", "", 403, 403, 200},
		{"POST", "/users", "/users", `{"name":"Ada","email":"ada@example.com","password":"twelve letters","role":"viewer"}`, 403, 403, 200},
		{"PUT", "/users/{email}/password", "/users/org_admin@kettleandpine.example/password", `{"password":"another long one"}`, 403, 403, 200},
		{"GET", "/overview/stream", "", "", 0, 0, 0},
		{"GET", "/debugger/stream", "", "", 0, 0, 0},
	}
	for _, tt := range tests {
		all[tt.method+" /v1/admin"+tt.pattern] = [2]string{tt.path, tt.body}
		if tt.path == "" {
			if status, body := b.call(tt.method, "/v1/admin"+tt.pattern, "", ""); status != 401 || !strings.Contains(body, `"code":"UNAUTHORIZED"`) {
				t.Errorf("nobody: %s = %d %s, want 401", tt.pattern, status, body)
			}
			continue
		}
		for _, who := range []struct {
			name, token string
			want        int
		}{{"nobody", "", 401}, {"a wrong token", "viewer-token-0002", 401}, {"viewer", tokens[auth.Viewer], tt.viewer}, {"editor", tokens[auth.Editor], tt.editor}, {"admin", tokens[auth.Admin], tt.admin}} {
			status, body := b.call(tt.method, "/v1/admin"+tt.path, who.token, tt.body)
			if status != who.want {
				t.Errorf("%s: %s %s = %d %s, want %d", who.name, tt.method, tt.path, status, body, who.want)
			}
			var e struct {
				Error struct{ Code, Message string }
			}
			if status >= 400 && (json.Unmarshal([]byte(body), &e) != nil || e.Error.Code == "" || e.Error.Message == "") {
				t.Errorf("%s: %s %s has no error in the promised shape: %s", who.name, tt.method, tt.path, body)
			}
			if status == 409 && e.Error.Code != "MANAGED_BY_FILE" {
				t.Errorf("%s %s = %s, want MANAGED_BY_FILE", tt.method, tt.path, e.Error.Code)
			}
		}
	}
	status, body := b.call("GET", "/v1/admin/openapi.json", "", "")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(body), &doc); status != 200 || err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("openapi.json = %d, %v, version %q", status, err, doc.OpenAPI)
	}
	for path, methods := range doc.Paths {
		for m := range methods {
			if _, ok := all[strings.ToUpper(m)+" "+path]; !ok {
				t.Errorf("%s %s is not in the table of this test", strings.ToUpper(m), path)
			}
		}
	}
}

// Every page, and what each role hears.
func TestPagesByRole(t *testing.T) {
	b := newBench(t)
	b.seed()
	b.trouble()
	people := map[auth.Role]*http.Client{auth.Viewer: b.person(auth.Viewer), auth.Editor: b.person(auth.Editor), auth.Admin: b.person(auth.Admin)}
	get := func(c *http.Client, path string) (*http.Response, string) {
		r, err := c.Get(b.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r, string(body)
	}
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	check := func(path string, r *http.Response, body string) {
		t.Helper()
		if got := r.Header.Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s: policy = %q", path, got)
		}
		if r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept by the browser", path)
		}
		for _, bad := range []string{" style=", "<script>", " onclick", " onload", "pipeline-secret-never-shown", "whsec_never_shown"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
		if n := strings.Count(body, "<h1"); r.StatusCode != 303 && n != 1 {
			t.Errorf("%s has %d h1", path, n)
		}
	}
	for _, page := range slices.Concat(pages, troubledPages) {
		r, body := get(b.browser(), page.path)
		check(page.path, r, body)
		if to := r.Header.Get("Location"); r.StatusCode != 303 || !strings.HasPrefix(to, "/sign-in") {
			t.Errorf("nobody: %s = %d %s, want the sign-in page", page.path, r.StatusCode, to)
		}
		for role, c := range people {
			want := 200
			switch {
			case page.name == "missing":
				want = 404
			case page.name == "confirm" && role == auth.Viewer:
				want = 403
			}
			r, body := get(c, page.path)
			check(page.path, r, body)
			if r.StatusCode != want {
				t.Errorf("%s: %s = %d, want %d", role, page.path, r.StatusCode, want)
			}
		}
	}
	r, body := get(b.browser(), "/sign-in")
	check("/sign-in", r, body)
	act := url.Values{"do": {"drop"}, "reason": {"LivePerson refused the session id twice."}, "word": {"drop"}}
	post := func(c *http.Client) int {
		r, err := c.PostForm(b.URL+"/dead-letters/act", act)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode
	}
	if got := post(people[auth.Viewer]); got != 403 {
		t.Errorf("viewer drops: %d, want 403", got)
	}
	act.Set("word", "")
	if got := post(people[auth.Editor]); got != 400 {
		t.Errorf("editor drops 21 without the word: %d, want 400", got)
	}
	act.Set("word", "drop")
	if got := post(people[auth.Editor]); got != 303 {
		t.Errorf("editor drops: %d, want 303", got)
	}
	if n, err := b.store.CountDead(t.Context(), deadFilter(0)); err != nil || n != 104 {
		t.Errorf("after the drop %d dead letters, %v, want 104", n, err)
	}
}

// A page of another site may not make a browser act here.
func TestCrossSiteWritesAreRefused(t *testing.T) {
	b := newBench(t)
	b.seed()
	c := b.person(auth.Editor)
	for _, path := range []string{"/sign-in", "/sign-out", "/dead-letters/act", "/dead-letters/replays/x/go", "/dead-letters/replays/x/stop", "/integrations/resume", "/integrations/learn-again", "/v1/admin/integrations/orders/learn-again", "/v1/admin/dead-letters/replay"} {
		for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
			r, _ := http.NewRequestWithContext(t.Context(), "POST", b.URL+path, strings.NewReader("do=replay"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(header[0], header[1])
			resp, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 403 {
				t.Errorf("POST %s with %v = %d, want 403", path, header, resp.StatusCode)
			}
		}
	}
	if n, _ := b.store.CountDead(t.Context(), deadFilter(0)); n != 124 {
		t.Errorf("%d dead letters are left of 124", n)
	}
}

func TestSignIn(t *testing.T) {
	b := newBench(t)
	b.account(auth.Editor)
	try := func(email, password string) (*http.Response, string) {
		r, err := b.browser().PostForm(b.URL+"/sign-in", url.Values{"email": {email}, "password": {password}, "to": {"/debugger?outcome=dead"}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return r, string(body)
	}
	r, _ := try("EDITOR@kettleandpine.example ", password)
	if r.StatusCode != 303 || r.Header.Get("Location") != "/debugger?outcome=dead" {
		t.Fatalf("right password = %d to %s", r.StatusCode, r.Header.Get("Location"))
	}
	cookie := r.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Name != "signal_session" {
		t.Errorf("cookie = %+v", cookie)
	}
	for _, email := range []string{"editor@kettleandpine.example", "nobody@kettleandpine.example"} {
		for n, want := range []string{"After 4 more tries", "After 3 more tries", "After 2 more tries", "After 1 more try", "Too many tries. Wait 15 minutes"} {
			r, body := try(email, "not the password")
			if status := map[bool]int{true: 429, false: 401}[n == 4]; r.StatusCode != status || !strings.Contains(body, want) {
				t.Errorf("%s, try %d = %d, want %d and %q", email, n+1, r.StatusCode, status, want)
			}
		}
		if r, body := try(email, password); r.StatusCode != 429 || !strings.Contains(body, "Too many tries") {
			t.Errorf("%s: the right password after five wrong ones = %d, want 429", email, r.StatusCode)
		}
	}
}

func TestSignInLeadsNowhereElse(t *testing.T) {
	b := newBench(t)
	b.account(auth.Editor)
	for _, to := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\thttps://evil.example", "evil"} {
		r, err := b.browser().PostForm(b.URL+"/sign-in", url.Values{"email": {"editor@kettleandpine.example"}, "password": {password}, "to": {to}})
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if got := r.Header.Get("Location"); got != "/" {
			t.Errorf("to=%q leads to %q, want /", to, got)
		}
	}
}

func TestNewPasswordEndsSessions(t *testing.T) {
	b := newBench(t)
	c := b.person(auth.Editor)
	status := func() int {
		r, err := c.Get(b.URL + "/debugger")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r.StatusCode
	}
	if got := status(); got != 200 {
		t.Fatalf("before = %d", got)
	}
	if got, body := b.call("PUT", "/v1/admin/users/editor@kettleandpine.example/password", tokens[auth.Admin], `{"password":"quite another one"}`); got != 200 {
		t.Fatalf("set password = %d %s", got, body)
	}
	if got := status(); got != 303 {
		t.Errorf("after = %d, want the sign-in page", got)
	}
}

func TestFirstRun(t *testing.T) {
	b := newBench(t)
	token, until, err := auth.NewSetup(t.Context(), b.store)
	if err != nil || token == "" || time.Until(until) > auth.SetupLasts {
		t.Fatalf("setup = %q, %v, %v", token, until, err)
	}
	c := b.browser()
	post := func(token, password string) (int, string) {
		r, err := c.PostForm(b.URL+"/setup/"+token, url.Values{"name": {"Jonas Lindqvist"}, "email": {"jonas@kettleandpine.example"}, "password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(body)
	}
	if status, body := post("guess", "correct horse battery"); status != 404 || !strings.Contains(body, "does not work any more") {
		t.Errorf("a guessed link = %d", status)
	}
	if status, body := post(token, "short"); status != 400 || !strings.Contains(body, "This has 5 characters") || !strings.Contains(body, "Jonas Lindqvist") {
		t.Errorf("a short password = %d, and what was typed must stay", status)
	}
	if status, _ := post(token, "correct horse battery"); status != 303 {
		t.Fatalf("set-up = %d", status)
	}
	if r, err := c.Get(b.URL + "/settings"); err != nil || r.StatusCode != 200 {
		t.Errorf("signed in after the set-up: %v %v", r.StatusCode, err)
	}
	if status, _ := post(token, "correct horse battery"); status != 404 {
		t.Errorf("the link a second time = %d, want 404", status)
	}
	if again, _, err := auth.NewSetup(t.Context(), b.store); err != nil || again != "" {
		t.Errorf("with an account there is a new link: %q, %v", again, err)
	}
}

// What an event says is text wherever it shows.
func TestNothingOfAnEventIsMarkup(t *testing.T) {
	b := newBench(t)
	const evil = `<script>alert(1)</script>"><img src=x onerror=alert(2)>`
	body, _ := json.Marshal(map[string]any{"type": "track", "event": evil, "properties": map[string]any{evil: evil, "url": "javascript:alert(3)"}})
	id := "evil-" + evil
	route := pending("shop/liveperson", `{"x":`+string(mustJSON(evil))+`}`)
	s := delivered(evil, 1)
	s.URL, s.Answer, s.Notes, s.With = "javascript:alert(4)//?"+evil+"="+evil, "<html>"+evil, []string{evil}, []string{evil}
	s.Header = map[string]string{evil: evil}
	s.Reason, s.Remedy, s.Field, s.Verdict = evil, evil, evil, "reform"
	s.Checks = mustJSON([]map[string]any{{"what": evil, "wrong": true, "say": evil}})
	at := time.Now().UTC()
	a := arriving{seq: 1, id: id, name: evil, visitor: evil, user: evil, body: string(body), routes: []trace.Route{route, filtered(evil+"/x", "consent: "+evil)}, at: at, granted: true}.record()
	a.Arrival.UserAgent, a.Arrival.Origin, a.Arrival.Hashed = evil, "javascript:alert(5)", []string{evil}
	if err := b.store.AddTraces(t.Context(), []trace.Record{a, step(1, id, at, s)}); err != nil {
		t.Fatal(err)
	}
	if err := b.store.AddDead(t.Context(), evilLetters(evil)); err != nil {
		t.Fatal(err)
	}
	c := b.person(auth.Editor)
	dead, _, _ := b.store.DeadLetters(t.Context(), deadFilter(1))
	for _, path := range []string{"/", "/debugger", "/debugger?q=" + url.QueryEscape(evil), "/debugger/" + url.PathEscape(id), "/debugger/" + url.PathEscape(id) + "?route=" + url.QueryEscape(evil+"/x"),
		"/debugger/" + url.PathEscape(evil), "/dead-letters", "/dead-letters?reason=" + url.QueryEscape(evil), "/dead-letters/" + dead[0].ID, "/pipelines/" + url.PathEscape(evil), "/" + url.PathEscape(evil),
		"/dead-letters/confirm?do=drop&reason=" + url.QueryEscape(evil) + "&back=" + url.QueryEscape("javascript:alert(6)"), "/sign-in?to=" + url.QueryEscape(evil)} {
		r, err := c.Get(b.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode >= 500 {
			t.Errorf("%s = %d", path, r.StatusCode)
		}
		for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript:`, `action="javascript:`} {
			if i := bytes.Index(page, []byte(bad)); i >= 0 {
				t.Errorf("%s has markup of an event: …%s…", path, page[max(0, i-80):min(len(page), i+80)])
			}
		}
	}
}

// A viewer never gets personal data, whichever way they ask.
func TestViewersSeeMasks(t *testing.T) {
	b := newBench(t)
	b.seed()
	viewer, editor := b.person(auth.Viewer), b.person(auth.Editor)
	b.trouble()
	told := []attempt.Check{{What: "email", Wrong: true, Say: "The value ada@example.com is wrong."}}
	if err := b.store.AddTraces(t.Context(), []trace.Record{step(7001, "told-0001", time.Now(), trace.Step{Integration: "shop/liveperson", Outcome: trace.Dead, URL: reportURL, Status: 400, Reason: "It was refused.", Checks: mustJSON(told), Of: trace.Subject{Pipeline: "shop", Event: "identify", AnonymousID: "a1b2", UserID: "C-4711"}})}); err != nil {
		t.Fatal(err)
	}
	if err := b.store.AddDead(t.Context(), []store.DeadLetter{{ID: "told", Pipeline: "shop", Integration: "shop/liveperson", MessageID: "told-0001", Event: "identify", UserID: "C-4711", Reason: "It was refused.", Checks: mustJSON(told), LastAt: time.Now(), Place: event.Place{Seq: 7001}}}); err != nil {
		t.Fatal(err)
	}
	dead, _, _ := b.store.DeadLetters(t.Context(), deadFilter(1))
	paths := []string{"/debugger/told-0001", "/v1/admin/events/told-0001", "/dead-letters/told", "/v1/admin/dead-letters/told", "/v1/admin/dead-letters/groups", "/debugger", "/debugger/" + first, "/dead-letters", "/dead-letters/" + dead[0].ID, "/v1/admin/events", "/v1/admin/events/" + first, "/v1/admin/dead-letters", "/v1/admin/dead-letters/" + dead[0].ID}
	read := func(c *http.Client, path string) string {
		r, err := c.Get(b.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		if r.StatusCode != 200 {
			t.Fatalf("%s = %d", path, r.StatusCode)
		}
		return string(body)
	}
	for _, path := range paths {
		page := read(viewer, path)
		for _, secret := range []string{"ada@example.com", "ada%40example.com", "C-4711", "203.0.113.7"} {
			if strings.Contains(page, secret) {
				t.Errorf("a viewer finds %q at %s", secret, path)
			}
		}
	}
	if page := read(viewer, "/debugger/"+first); !strings.Contains(page, trace.Hidden) || !strings.Contains(page, "DRV1534XC") {
		t.Error("the masked event does not say what is hidden, or hides what is not personal")
	}
	for _, path := range []string{"/debugger/told-0001", "/dead-letters/told"} {
		if page := read(editor, path); !strings.Contains(page, "The value ada@example.com is wrong.") {
			t.Errorf("an editor does not see the check at %s", path)
		}
	}
	if page := read(editor, "/v1/admin/events/"+first); !strings.Contains(page, "ada@example.com") {
		t.Error("an editor does not see what they may see")
	}
}

// Each filter that stands in an address takes something away, so none is
// silently left out.
func TestEveryFilterFilters(t *testing.T) {
	b := newBench(t)
	b.seed()
	total := func(path string) int {
		t.Helper()
		status, body := b.call("GET", "/v1/admin"+path, tokens[auth.Viewer], "")
		var page struct{ Data []json.RawMessage }
		if err := json.Unmarshal([]byte(body), &page); status != 200 || err != nil {
			t.Fatalf("%s = %d %s", path, status, body)
		}
		return len(page.Data)
	}
	for path, queries := range map[string][]string{
		"/events?limit=500":       {"pipeline=shop-eu", "integration=orders", "event=order_completed", "outcome=dead", "visitor=C-4711x", "q=oolong", "from=2100-01-01T00:00:00Z", "to=2000-01-01T00:00:00Z"},
		"/dead-letters?limit=500": {"pipeline=shop-eu", "integration=liveperson-eu", "event=cart_viewed", "reason=It", "cause=invalid_field", "status=404", "status=-1", "q=90b1d7fe", "from=2100-01-01T00:00:00Z", "to=2000-01-01T00:00:00Z"},
		"/dead-letters/groups?q=": {"pipeline=shop-eu", "integration=liveperson-eu"},
	} {
		all := total(path)
		for _, q := range queries {
			if n := total(path + "&" + q); n >= all {
				t.Errorf("%s&%s gives %d of %d", path, q, n, all)
			}
		}
	}
	_, whole := b.call("GET", "/v1/admin/overview", tokens[auth.Viewer], "")
	for _, q := range []string{"range=1h", "pipeline=shop-eu", "integration=orders", "from=2100-01-01T00:00:00Z"} {
		if _, part := b.call("GET", "/v1/admin/overview?"+q, tokens[auth.Viewer], ""); accepted(t, part)+routed(t, part) >= accepted(t, whole)+routed(t, whole) {
			t.Errorf("overview?%s counts everything", q)
		}
	}
	page := func(cursor string) (ids []string, next string) {
		_, body := b.call("GET", "/v1/admin/events?limit=20&cursor="+cursor, tokens[auth.Viewer], "")
		var p struct {
			Data []struct {
				ID string `json:"message_id"`
			}
			Next *string `json:"next_cursor"`
			More bool    `json:"has_more"`
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Data {
			ids = append(ids, e.ID)
		}
		if p.More != (p.Next != nil) {
			t.Errorf("has_more = %v, next_cursor = %v", p.More, p.Next)
		}
		if p.Next != nil {
			next = *p.Next
		}
		return ids, next
	}
	seen := map[string]bool{}
	for ids, next := page(""); ; ids, next = page(next) {
		for _, id := range ids {
			if seen[id] {
				t.Errorf("%s is on two pages", id)
			}
			seen[id] = true
		}
		if next == "" {
			break
		}
	}
	if len(seen) != 69 {
		t.Errorf("the pages have %d events of 69", len(seen))
	}
}

func accepted(t *testing.T, body string) int64 { return number(t, body, "accepted") }
func routed(t *testing.T, body string) int64   { return number(t, body, "routed") }

func number(t *testing.T, body, key string) int64 {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatal(err)
	}
	n, ok := all[key].(float64)
	if !ok {
		t.Fatalf("no %s in %s", key, body)
	}
	return int64(n)
}
