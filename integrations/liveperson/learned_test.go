package liveperson_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
)

// values are what is known, by name.
func values(c *liveperson.Connection) string {
	var out []string
	for _, f := range c.Learned().Facts {
		if f.Name != "domain" {
			out = append(out, f.Name+"="+f.Value)
		}
	}
	return strings.Join(out, " ")
}

// Every way to find out how an account wants to be spoken to.
func TestAutoLearns(t *testing.T) {
	named := func(id string, i integrations.Item) integrations.Item {
		i.MessageID = id
		return i
	}
	pageView := named("page", page("https://example.com/a"))
	aSearch, aCart, anOrder := named("search", item(sdes(search))), named("cart", item(sdes(cart))), named("order", item(sdes(purchase)))
	type step struct {
		item integrations.Item
		end  string
		seen []string
		want string // what is known after
	}
	tests := []struct {
		name    string
		account *account
		steps   []step
	}{
		{
			"all of Signal's form is taken", &account{post: true, put: true, seedNames: true}, []step{
				{pageView, "delivered", []string{"POST 200"}, "form= pages alone=sent own ids=sent"},
				{anOrder, "delivered", []string{"POST 200"}, "form= pages alone=sent own ids=sent"},
				{aSearch, "delivered", []string{"POST 200"}, "form=signal pages alone=sent own ids=sent"},
				{aCart, "delivered", []string{"POST 200"}, "form=signal pages alone=sent own ids=sent"},
			},
		},
		{
			"POST is refused: PUT at once, and the page is carried", &account{put: true}, []step{
				{pageView, "carried", []string{"POST 405"}, "form= pages alone=carried own ids=none"},
				{aSearch, "delivered", []string{"PUT 201"}, "form=liveperson pages alone=carried own ids=none"},
				{pageView, "carried", nil, "form=liveperson pages alone=carried own ids=none"},
				{aCart, "delivered", []string{"PUT 200"}, "form=liveperson pages alone=carried own ids=none"},
			},
		},
		{
			"only the names are refused: the search once in the other form", &account{post: true, put: true}, []step{
				{anOrder, "delivered", []string{"POST 200"}, "form= pages alone= own ids=sent"},
				{aSearch, "delivered", []string{"POST 400", "PUT 200"}, "form=liveperson pages alone=carried own ids=none"},
				{aCart, "delivered", []string{"PUT 200"}, "form=liveperson pages alone=carried own ids=none"},
			},
		},
		{
			"a cart that is bad in both forms stays dead", &account{post: true, put: true, seedNames: true, refuse: "lead.value"}, []step{
				{anOrder, "dead", []string{"POST 400"}, "form= pages alone= own ids="},
				{aCart, "dead", []string{"POST 400"}, "form= pages alone= own ids="},
			},
		},
		{
			"a cart that is refused without a reason is tried in both forms", &account{post: true, put: true, seedNames: true, refuse: "no"}, []step{
				{aCart, "dead", []string{"POST 400", "PUT 400"}, "form= pages alone= own ids="},
				{aCart, "dead", []string{"POST 400", "PUT 400"}, "form= pages alone= own ids="},
			},
		},
		{
			"a cart that is refused where PUT is refused: the form is Signal's", &account{post: true, refuse: "no"}, []step{
				{aCart, "dead", []string{"POST 400", "PUT 405"}, "form=signal pages alone= own ids="},
				{aCart, "dead", []string{"POST 400"}, "form=signal pages alone= own ids="},
			},
		},
		{
			"pages alone are refused: that page is carried too", &account{post: true, put: true, seedNames: true, noPages: true}, []step{
				{pageView, "carried", []string{"POST 400"}, "form= pages alone=carried own ids="},
				{pageView, "carried", nil, "form= pages alone=carried own ids="},
				{aSearch, "delivered", []string{"POST 200"}, "form=signal pages alone=carried own ids=sent"},
			},
		},
		{
			"own ids are refused: first reports go without", &account{post: true, put: true, seedNames: true, noOwnIDs: true}, []step{
				{aSearch, "delivered", []string{"POST 404", "POST 201"}, "form=signal pages alone= own ids=none"},
				{aSearch, "delivered", []string{"POST 200"}, "form=signal pages alone= own ids=none"},
				{in("S2", aSearch), "delivered", []string{"POST 200"}, "form=signal pages alone= own ids=none"},
			},
		},
		{
			"neither form is taken: a person is asked, and the next begins anew", &account{}, []step{
				{aSearch, "hold", []string{"POST 405", "PUT 405"}, "form= pages alone= own ids="},
				{aSearch, "hold", []string{"POST 405", "PUT 405"}, "form= pages alone= own ids="},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			n.serve("lp.example:80", tt.account.answer)
			c := &courier{Connection: n.join(t, nil)}
			for i, s := range tt.steps {
				before := c.Learned().Version
				end, last := c.send(t, s.item)
				if seen := tt.account.took(); end != s.end || !slices.Equal(seen, s.seen) {
					t.Fatalf("step %d: %s after %v, want %s after %v; %s", i, end, seen, s.end, s.seen, last.Why)
				}
				if got := values(c.Connection); got != s.want {
					t.Errorf("step %d: %s, want %s", i, got, s.want)
				}
				learned := c.Learned()
				if strings.HasPrefix(s.want, "form=liveperson") && i > 2 && learned.Version != before {
					t.Errorf("step %d: the version grew though nothing was learned", i)
				}
				for _, f := range learned.Facts {
					if !strings.HasSuffix(f.Say, ".") {
						t.Errorf("fact %s says %q, which is no sentence", f.Name, f.Say)
					}
				}
			}
		})
	}
}

func TestAFactSaysWhenAndFromWhat(t *testing.T) {
	n := newNetwork(t)
	n.serve("lp.example:80", (&account{post: true, seedNames: true}).answer)
	c := &courier{Connection: n.join(t, nil)}
	i := item(sdes(search))
	i.MessageID = "m-7"
	before := time.Now()
	c.send(t, i)
	for _, f := range c.Learned().Facts[:1] {
		if f.Name != "form" || f.Value != "signal" || f.From != "m-7" || f.Since.Before(before) {
			t.Errorf("fact = %+v, want the form signal, since now, from m-7", f)
		}
	}
}

// The first new visitor's own ids may be refused while others wait; the second
// goes without.
func TestOwnIDsAreLearnedForOtherVisitors(t *testing.T) {
	n := newNetwork(t)
	a := &account{post: true, seedNames: true, noOwnIDs: true}
	n.serve("lp.example:80", a.answer)
	c := n.join(t, nil)
	(&courier{Connection: c}).send(t, item(sdes(search)))
	a.took()
	other := item(sdes(search))
	other.Session = integrations.Session{Vid: "V2", Sid: "S2"}
	if end, _ := (&courier{Connection: c}).send(t, other); end != "delivered" || !slices.Equal(a.took(), []string{"POST 201"}) {
		t.Errorf("the second visitor ended %s", end)
	}
	if got := a.urls[len(a.urls)-1]; strings.Contains(got, "vid=") {
		t.Errorf("it went to %s, want no ids", got)
	}
}

func TestTheTagsIDsTeachNothingOfOurs(t *testing.T) {
	n := newNetwork(t)
	a := &account{post: true, seedNames: true, noOwnIDs: true}
	n.serve("lp.example:80", a.answer)
	c := &courier{Connection: n.join(t, nil)}
	if end, _ := c.send(t, tagged(item(sdes(search)), "TV", "TS")); end != "delivered" || !slices.Equal(a.took(), []string{"POST 404", "POST 201"}) {
		t.Errorf("ended %s", end)
	}
	if got := values(c.Connection); got != "form=signal pages alone= own ids=" {
		t.Errorf("known: %s, want nothing of own ids", got)
	}
	// The refused ids are not used again.
	if end, _ := c.send(t, tagged(item(sdes(search)), "TV", "TS")); end != "delivered" || !slices.Equal(a.took(), []string{"POST 200"}) {
		t.Errorf("the next report ended %s", end)
	}
}

func TestADialectSetByHandLearnsNothing(t *testing.T) {
	for dialect, want := range map[string]string{
		"signal":     "form=signal pages alone=sent own ids=sent",
		"liveperson": "form=liveperson pages alone=carried own ids=none",
	} {
		t.Run(dialect, func(t *testing.T) {
			n := newNetwork(t)
			n.serve("lp.example:80", (&account{}).answer)
			c := &courier{Connection: n.join(t, map[string]any{"dialect": dialect})}
			built := c.Build(integrations.Visit{}, []integrations.Item{item(sdes(cart))})
			if built.Request.Scout {
				t.Error("the report is a scout, and nothing is to be found out")
			}
			end, last := c.send(t, item(sdes(cart)))
			if end != "hold" || last.Cause != "other_dialect" || last.Fix != attempt.FixSettings {
				t.Errorf("ended %s with %q, %q", end, last.Cause, last.Fix)
			}
			if got := values(c.Connection); got != want {
				t.Errorf("facts: %s, want %s", got, want)
			}
			for _, f := range c.Learned().Facts[:3] {
				if !strings.HasPrefix(f.Say, "Set by the settings: ") {
					t.Errorf("fact %s says %q", f.Name, f.Say)
				}
			}
			// What an earlier run learned does not count either.
			other := map[string]string{"signal": "liveperson", "liveperson": "signal"}[dialect]
			if err := c.Restore(json.RawMessage(`{"version":1,"account":"12345678","app":"a1b2c3d4-1234-5678-90ab-cdef12345678","form":{"value":"` + other + `"},"pages":{"value":"carried"}}`)); err != nil {
				t.Fatal(err)
			}
			if got := c.Build(integrations.Visit{}, []integrations.Item{item(sdes(cart))}); string(got.Request.Body) != string(built.Request.Body) || got.Request.URL != built.Request.URL {
				t.Errorf("request %s %s, want %s %s", got.Request.URL, got.Request.Body, built.Request.URL, built.Request.Body)
			}
		})
	}
}

func TestAutoBeginsAsSignal(t *testing.T) {
	auto, signal := connect(t, nil), connect(t, map[string]any{"dialect": "signal"})
	for _, i := range []integrations.Item{item(sdes(purchase)), page("https://example.com/"), item(sdes(cart, search))} {
		i.MessageID = "m-1"
		a, s := auto.Build(integrations.Visit{}, []integrations.Item{i, i}), signal.Build(integrations.Visit{}, []integrations.Item{i, i})
		if !a.Request.Scout || s.Request.Scout {
			t.Errorf("scout: auto %v, signal %v, want true, false", a.Request.Scout, s.Request.Scout)
		}
		if a.Request.From != "m-1" || a.Request.IDs != (attempt.IDs{Visitor: "V1", Session: "S1"}) {
			t.Errorf("from %q, ids %+v", a.Request.From, a.Request.IDs)
		}
		a.Request.Scout = false
		if got, want := fmt.Sprintf("%+v", *a.Request), fmt.Sprintf("%+v", *s.Request); got != want {
			t.Errorf("request:\n got %s\nwant %s", got, want)
		}
	}
}

func TestBuildAsIsForOneReport(t *testing.T) {
	c := connect(t, nil)
	items := []integrations.Item{item(sdes(cart))}
	for form, want := range map[string]string{"liveperson": "PUT", "signal": "POST", "": "POST", "french": "POST"} {
		got := c.BuildAs(form, integrations.Visit{}, items).Request
		if got.Method != want || (got.Dialect == "liveperson") != (want == "PUT") {
			t.Errorf("form %q: %s in %s, want %s", form, got.Method, got.Dialect, want)
		}
	}
	if got := c.Build(integrations.Visit{}, items).Request.Method; got != "POST" {
		t.Errorf("after that Build makes %s, want POST", got)
	}
	if got := c.BuildAs("liveperson", integrations.Visit{}, []integrations.Item{page("https://example.com/")}); got.Request != nil || len(got.Carried) != 1 {
		t.Errorf("a page in LivePerson's form: %+v, want it carried", got)
	}
}

const stored = `{"version":1,"account":"12345678","app":"a1b2c3d4-1234-5678-90ab-cdef12345678","posted":true,` +
	`"form":{"value":"liveperson","since":"2026-02-25T14:30:00Z","from":"m-1"}}`

func TestRestore(t *testing.T) {
	tests := []struct {
		name  string
		state string
		want  string
		err   bool
	}{
		{"what was learned", stored, "form=liveperson pages alone=carried own ids=none", false},
		{"of another account", strings.Replace(stored, "12345678", "87654321", 1), "form= pages alone= own ids=", false},
		{"of another app key", strings.Replace(stored, "a1b2", "b1b2", 1), "form= pages alone= own ids=", false},
		{"of another version", strings.Replace(stored, `"version":1`, `"version":2`, 1), "form= pages alone= own ids=", true},
		{"without a version", strings.Replace(stored, `"version":1,`, ``, 1), "form= pages alone= own ids=", true},
		{"with a form that there is not", strings.Replace(stored, `"value":"liveperson"`, `"value":"french"`, 1), "form= pages alone= own ids=", true},
		{"with pages that there are not", strings.Replace(stored, `"posted":true`, `"pages":{"value":"x"}`, 1), "form= pages alone= own ids=", true},
		{"with a field that there is not", strings.Replace(stored, `"posted":true`, `"x":true`, 1), "form= pages alone= own ids=", true},
		{"with a field twice", strings.Replace(stored, `"posted":true`, `"posted":true,"posted":true`, 1), "form= pages alone= own ids=", true},
		{"with something behind it", stored + "{}", "form= pages alone= own ids=", true},
		{"with a time that is none", strings.Replace(stored, "2026-02-25T14:30:00Z", "yesterday", 1), "form= pages alone= own ids=", true},
		{"cut off", stored[:40], "form= pages alone= own ids=", true},
		{"nothing", "", "form= pages alone= own ids=", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, nil)
			if err := c.Restore(json.RawMessage(tt.state)); (err != nil) != tt.err {
				t.Errorf("err = %v, want one: %v", err, tt.err)
			}
			if got := values(c); got != tt.want {
				t.Errorf("known: %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWhatWasLearnedIsTakenBack(t *testing.T) {
	for _, a := range []*account{{put: true}, {post: true, seedNames: true}, {post: true, seedNames: true, noPages: true, noOwnIDs: true}} {
		n := newNetwork(t)
		n.serve("lp.example:80", a.answer)
		first := &courier{Connection: n.join(t, nil)}
		for _, i := range []integrations.Item{page("https://example.com/"), item(sdes(search))} {
			first.send(t, i)
		}
		learned := first.Learned()
		second := n.join(t, nil)
		if err := second.Restore(learned.State); err != nil {
			t.Fatal(err)
		}
		again := second.Learned()
		got, _ := json.Marshal(again.Facts)
		want, _ := json.Marshal(learned.Facts)
		if string(again.State) != string(learned.State) || string(got) != string(want) {
			t.Errorf("taken back:\n got %s %s\nwant %s %s", again.State, got, learned.State, want)
		}
		a.took()
		if end, _ := (&courier{Connection: second}).send(t, item(sdes(cart))); end != "delivered" || len(a.took()) != 1 {
			t.Errorf("after that a cart ended %s", end)
		}
		if second.Build(integrations.Visit{}, []integrations.Item{item(sdes(cart))}).Request.Scout {
			t.Error("a cart is a scout though all is known")
		}
	}
}

func TestForget(t *testing.T) {
	n := newNetwork(t)
	a := &account{put: true}
	n.serve("lp.example:80", a.answer)
	c := &courier{Connection: n.join(t, nil)}
	c.send(t, item(sdes(search)))
	before := c.Learned().Version
	c.Forget()
	if got := values(c.Connection); got != "form= pages alone= own ids=" || c.Learned().Version <= before {
		t.Errorf("after Forget: %s", got)
	}
	a.took()
	c.visit = integrations.Visit{}
	if end, _ := c.send(t, item(sdes(search))); end != "delivered" || !slices.Equal(a.took(), []string{"POST 405", "PUT 201"}) {
		t.Errorf("after Forget a search ended %s", end)
	}
}

// A report that was under way when a person made it forget does not teach what
// was to be forgotten.
func TestForgetWhileAReportIsUnderWay(t *testing.T) {
	n := newNetwork(t)
	n.serve("lp.example:80", (&account{post: true, put: true, seedNames: true}).answer)
	c := n.join(t, nil)
	if err := c.Restore(json.RawMessage(stored)); err != nil {
		t.Fatal(err)
	}
	old := c.Build(integrations.Visit{}, []integrations.Item{item(sdes(cart))})
	c.Forget()
	if r := c.Send(t.Context(), *old.Request); r.Verdict != attempt.Delivered {
		t.Fatal(r.Why)
	}
	if got := values(c); got != "form= pages alone= own ids=" {
		t.Errorf("known: %s, want nothing", got)
	}
}

// Build and Send run beside each other while what is known changes.
func TestLearningIsSafeForManyGoroutines(t *testing.T) {
	n := newNetwork(t)
	a := &account{put: true}
	n.serve("lp.example:80", a.answer)
	c := n.join(t, nil)
	var work sync.WaitGroup
	for g := range 64 {
		work.Go(func() {
			one := &courier{Connection: c}
			for i := range 8 {
				its := item(sdes(cart, search))
				its.Session = integrations.Session{Vid: fmt.Sprint("V", g), Sid: fmt.Sprint("S", g)}
				its.MessageID = fmt.Sprint(g, "-", i)
				built := one.Build(one.visit, []integrations.Item{its})
				if (built.Request.Method == "PUT") != (built.Request.Dialect == "liveperson") || contains(string(built.Request.Body), "cartStatus") != (built.Request.Method == "POST") {
					t.Errorf("a report of two forms: %s %s", built.Request.Method, built.Request.Body)
				}
				r := c.Send(t.Context(), *built.Request)
				if r.Verdict != attempt.Delivered && r.Verdict != attempt.Reform && r.Verdict != attempt.Hold {
					t.Errorf("verdict %v: %s", r.Verdict, r.Why)
				}
				if g == 0 && i%3 == 2 {
					c.Forget()
				}
				_ = c.Learned()
				_ = c.Restore(json.RawMessage(`{`))
			}
		})
	}
	work.Wait()
	if err := c.Restore(c.Learned().State); err != nil {
		t.Errorf("what was learned cannot be taken back: %v", err)
	}
}
