package liveperson_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
)

const (
	whoIs = `"consumerId":"ANON","identities":[{"iss":"Datafly","acr":"0","sub":"ANON"}]`
	loa1  = `"consumerId":"ANON","identities":[{"iss":"Datafly","acr":"loa1","sub":"ANON"}]`
	base  = "https://va.v.liveperson.net/api/account/12345678/app/a1b2c3d4-1234-5678-90ab-cdef12345678/report"
)

// item is one event of the visitor ANON in Signal's session S1. rest is its
// payload behind the identity.
func item(rest string) integrations.Item {
	payload := "{" + whoIs
	if rest != "" {
		payload += "," + rest
	}
	return raw(payload + "}")
}

func raw(payload string) integrations.Item {
	return integrations.Item{
		AnonymousID: "ANON", Session: integrations.Session{Vid: "V1", Sid: "S1"},
		Payload: json.RawMessage(payload),
	}
}

func in(session string, i integrations.Item) integrations.Item {
	i.Session.Sid = session
	return i
}

func page(url string) integrations.Item {
	return item(`"entryPoints":["` + url + `"]`)
}

func connect(t testing.TB, more map[string]any) *liveperson.Connection {
	t.Helper()
	c, err := liveperson.New(liveperson.Options{}).Check(given(more), integrations.Outbound{})
	if err != nil {
		t.Fatal(err)
	}
	return c.(*liveperson.Connection)
}

const (
	purchase = `{"type":"purchase","total":11.70,"currency":"USD","orderId":"DRV1534XC"}`
	cart     = `{"type":"cartStatus","total":84.7,"currency":"EUR","numItems":3}`
	search   = `{"type":"searchContent","keywords":["oolong"]}`
	ctmrinfo = `{"type":"ctmrinfo","info":{"cstatus":"active","customerId":"C-4711"}}`
	personal = `{"type":"personal","personal":{"firstname":"Jane"}}`
	badLead  = `{"type":"lead","lead":{"value":"much"}}`
)

func sdes(list ...string) string { return `"engagementAttributes":[` + strings.Join(list, ",") + `]` }

func TestBuild(t *testing.T) {
	urls := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("https://example.com/%d", i))
		}
		return list
	}
	signalIDs := "&vid=V1&sid=S1"
	tests := []struct {
		name     string
		settings map[string]any
		visit    integrations.Visit
		items    []integrations.Item

		method  string // "" for no request
		url     string // behind base
		body    string
		summary string
		sent    []int
		carried []int
		refused []string // "1: reason"
		after   integrations.Visit
		notes   []string
	}{
		{
			name:   "the documented order in the dialect signal, with its digits",
			items:  []integrations.Item{item(`"entryPoints":["https://example.com/checkout/confirmation"],` + sdes(purchase))},
			method: "POST", url: "?v=1.0" + signalIDs,
			body:    `{` + whoIs + `,"entryPoints":["https://example.com/checkout/confirmation"],` + sdes(purchase) + `}`,
			summary: "purchase · USD 11.70 · DRV1534XC", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:   "the order of the payload's fields does not matter",
			items:  []integrations.Item{raw(`{` + sdes(purchase) + `,"entryPoints":[],"identities":[{"acr":"0","sub":"ANON"}],"consumerId":"ANON"}`)},
			method: "POST", url: "?v=1.0" + signalIDs,
			body:    `{"consumerId":"ANON","identities":[{"acr":"0","sub":"ANON"}],` + sdes(purchase) + `}`,
			summary: "purchase · USD 11.70 · DRV1534XC", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:     "a page alone in the dialect signal",
			settings: map[string]any{"dialect": "signal"},
			items:    []integrations.Item{page("https://example.com/checkout/confirmation?a=1")},
			method:   "POST", url: "?v=1.0" + signalIDs,
			body:    `{` + whoIs + `,"entryPoints":["https://example.com/checkout/confirmation?a=1"],"engagementAttributes":[]}`,
			summary: "/checkout/confirmation", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:   "two pages in one report",
			items:  []integrations.Item{page("https://example.com/a"), page("https://example.com")},
			method: "POST", url: "?v=1.0" + signalIDs,
			body:    `{` + whoIs + `,"entryPoints":["https://example.com/a","https://example.com"],"engagementAttributes":[]}`,
			summary: "/ and 1 before", sent: []int{0, 1},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:  "a page without an absolute URL",
			items: []integrations.Item{item(`"entryPoints":["/relative"]`), item(""), item(`"entryPoints":[],"engagementAttributes":[]`)},
			refused: []string{
				"0: page has no absolute URL, and LivePerson knows a page by its address only",
				"1: page has no absolute URL, and LivePerson knows a page by its address only",
				"2: page has no absolute URL, and LivePerson knows a page by its address only",
			},
		},
		{
			name: "events that waited together: addresses without repeats, attributes in order",
			items: []integrations.Item{
				item(`"entryPoints":["https://example.com/a"],` + sdes(search)),
				page("https://example.com/b"),
				item(`"entryPoints":["https://example.com/a"],` + sdes(ctmrinfo, personal)),
			},
			method: "POST", url: "?v=1.0" + signalIDs,
			body:    `{` + whoIs + `,"entryPoints":["https://example.com/a","https://example.com/b"],` + sdes(search, ctmrinfo, personal) + `}`,
			summary: "searchContent, ctmrinfo, personal", sent: []int{0, 1, 2},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:     "the dialect liveperson: method, version, names, and no ids at first",
			settings: map[string]any{"dialect": "liveperson"},
			items:    []integrations.Item{item(sdes(cart, search))},
			method:   "PUT", url: "?v=1.1&obh=true",
			body:    `{` + whoIs + `,"engagementAttributes":[{"type":"cart","total":84.7,"currency":"EUR","numItems":3},{"type":"searchInfo","keywords":["oolong"]}]}`,
			summary: "cart, searchInfo", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:     "the type of an attribute need not stand first",
			settings: map[string]any{"dialect": "liveperson"},
			items:    []integrations.Item{item(sdes(`{"total":0,"type":"cartStatus","numItems":0}`))},
			method:   "PUT", url: "?v=1.1&obh=true",
			body:    `{` + whoIs + `,"engagementAttributes":[{"total":0,"type":"cart","numItems":0}]}`,
			summary: "cart · 0 · 0 items", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:     "a page alone is carried in the dialect liveperson, and the visit stays as it is",
			settings: map[string]any{"dialect": "liveperson"},
			visit:    integrations.Visit{IDs: attempt.IDs{Visitor: "LV", Session: "LS"}, Of: "S0", Waiting: []string{"https://example.com/a"}},
			items:    []integrations.Item{page("https://example.com/b"), page("https://example.com/a")},
			carried:  []int{0, 1},
			after:    integrations.Visit{IDs: attempt.IDs{Visitor: "LV", Session: "LS"}, Of: "S0", Waiting: []string{"https://example.com/a", "https://example.com/b"}},
		},
		{
			name:     "carried addresses ride on the next report, first",
			settings: map[string]any{"dialect": "liveperson"},
			visit:    integrations.Visit{Waiting: []string{"https://example.com/a", "https://example.com/b"}},
			items:    []integrations.Item{item(`"entryPoints":["https://example.com/c","https://example.com/a"],` + sdes(search))},
			method:   "PUT", url: "?v=1.1&obh=true",
			body:    `{` + whoIs + `,"entryPoints":["https://example.com/a","https://example.com/b","https://example.com/c"],"engagementAttributes":[{"type":"searchInfo","keywords":["oolong"]}]}`,
			summary: "searchInfo · “oolong”", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:     "a page that waited together with an attribute is sent, not carried",
			settings: map[string]any{"dialect": "liveperson"},
			items:    []integrations.Item{page("https://example.com/a"), item(sdes(search))},
			method:   "PUT", url: "?v=1.1&obh=true",
			body:    `{` + whoIs + `,"entryPoints":["https://example.com/a"],"engagementAttributes":[{"type":"searchInfo","keywords":["oolong"]}]}`,
			summary: "searchInfo · “oolong”", sent: []int{0, 1},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:     "the oldest of more than ten carried addresses falls out",
			settings: map[string]any{"dialect": "liveperson"},
			visit:    integrations.Visit{Waiting: urls(10)},
			items:    []integrations.Item{page("https://example.com/new")},
			carried:  []int{0},
			after:    integrations.Visit{Waiting: append(urls(10)[1:], "https://example.com/new")},
			notes:    []string{"More than 10 page addresses wait for this visitor's next report, so the oldest fell out."},
		},
		{
			name:     "a page is carried when the attribute beside it is bad",
			settings: map[string]any{"dialect": "liveperson"},
			items:    []integrations.Item{page("https://example.com/a"), item(`"entryPoints":["https://example.com/b"],` + sdes(badLead))},
			carried:  []int{0},
			refused:  []string{"1: lead.value must be a number, got text"},
			after:    integrations.Visit{Waiting: []string{"https://example.com/a"}},
		},
		{
			name:     "waiting addresses ride on a page alone too, after a change of dialect",
			settings: map[string]any{"dialect": "signal"},
			visit:    integrations.Visit{Waiting: []string{"https://example.com/a"}},
			items:    []integrations.Item{page("https://example.com/b")},
			method:   "POST", url: "?v=1.0" + signalIDs,
			body:    `{` + whoIs + `,"entryPoints":["https://example.com/a","https://example.com/b"],"engagementAttributes":[]}`,
			summary: "/b and 1 before", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:  "an event whose only attribute is bad is refused with every reason",
			items: []integrations.Item{item(sdes(`{"type":"lead","lead":{"value":"much","topic":5}}`, `{"type":"cart"}`))},
			refused: []string{
				`0: lead.value must be a number, got text; lead.topic must be text, got a number; type "cart" is not an engagement attribute of LivePerson; write cartStatus`,
			},
		},
		{
			name:   "a bad attribute does not sink the good one beside it",
			items:  []integrations.Item{item(sdes(ctmrinfo, `{"type":"personal","personal":{"gender":"W"}}`)), item(sdes(badLead)), item(sdes(search))},
			method: "POST", url: "?v=1.0" + signalIDs,
			body:    `{` + whoIs + `,` + sdes(ctmrinfo, search) + `}`,
			summary: "ctmrinfo, searchContent", sent: []int{0, 2},
			refused: []string{"1: lead.value must be a number, got text"},
			after:   integrations.Visit{Of: "S1"},
			notes:   []string{"Left out, so that it cannot sink the rest: personal.gender must be MALE, FEMALE or OTHER."},
		},
		{
			name:   "an address that is not absolute is left out of a report with attributes",
			items:  []integrations.Item{item(`"entryPoints":["checkout",7,"https://example.com/a"],` + sdes(search))},
			method: "POST", url: "?v=1.0" + signalIDs,
			body:    `{` + whoIs + `,"entryPoints":["https://example.com/a"],` + sdes(search) + `}`,
			summary: "searchContent · “oolong”", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
			notes: []string{"Left out: a page address that is not absolute, which LivePerson would refuse."},
		},
		{
			name:   "characters that the journal escaped are written plainly",
			items:  []integrations.Item{item(`"entryPoints":["https://example.com/?a=1\u0026b=2"],` + sdes(`{"type":"searchContent","keywords":["salt \u0026 \"pepper\""]}`))},
			method: "POST", url: "?v=1.0" + signalIDs,
			body:    `{` + whoIs + `,"entryPoints":["https://example.com/?a=1&b=2"],` + sdes(`{"type":"searchContent","keywords":["salt & \"pepper\""]}`) + `}`,
			summary: `searchContent · “salt & "pepper"”`, sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:   "an identity of another consumer is never mixed in: the rest stays with the caller",
			items:  []integrations.Item{item(sdes(search)), raw(`{` + loa1 + `,` + sdes(purchase) + `}`), item(sdes(cart))},
			method: "POST", url: "?v=1.0" + signalIDs,
			body:    `{` + whoIs + `,` + sdes(search) + `}`,
			summary: "searchContent · “oolong”", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name: "faults of the identity",
			items: []integrations.Item{
				raw(`{` + sdes(search) + `}`),
				raw(`{"consumerId":"",` + sdes(search) + `}`),
				raw(`{"consumerId":"A","identities":[{"iss":1,"acr":0}],` + sdes(search) + `}`),
				raw(`{"identities":[{"acr":"1","sub":"A","x":1}],` + sdes(search) + `}`),
				raw(`{"consumerId":"A","pageId":"1",` + sdes(search) + `}`),
				raw(`[]`), raw(`{`), raw(``), raw(`{"consumerId":"A","engagementAttributes":{}}`),
			},
			refused: []string{
				"0: the report names nobody: LivePerson needs consumerId or identities[0].sub",
				"1: consumerId must be text that is not empty",
				`2: identities.acr must be "0" or "loa1"; identities.sub must be text that is not empty; identities.iss must be text`,
				"3: identities has an unknown field: there are iss, acr and sub",
				"4: pageId is not a field of a LivePerson report: there are consumerId, identities, entryPoints and engagementAttributes",
				"5: the mapping's result is not a JSON object",
				"6: the mapping's result is not a JSON object",
				"7: the mapping's result is not a JSON object",
				"8: engagementAttributes must be a list",
			},
		},
		{
			name:     "the issuer of the settings takes the place of the mapping's",
			settings: map[string]any{"issuer": `Shop "A"`},
			items:    []integrations.Item{raw(`{"consumerId":"ANON","identities":[{"sub":"ANON","iss":"Datafly","acr":"0"},{"iss":"other","acr":"0","sub":"B"}],` + sdes(search) + `}`)},
			method:   "POST", url: "?v=1.0" + signalIDs,
			body:    `{"consumerId":"ANON","identities":[{"sub":"ANON","iss":"Shop \"A\"","acr":"0"},{"iss":"other","acr":"0","sub":"B"}],` + sdes(search) + `}`,
			summary: "searchContent · “oolong”", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:     "customer_id authenticated takes the id off an anonymous report",
			settings: map[string]any{"customer_id": "authenticated"},
			items:    []integrations.Item{item(sdes(ctmrinfo))},
			method:   "POST", url: "?v=1.0" + signalIDs,
			body:    `{` + whoIs + `,"engagementAttributes":[{"type":"ctmrinfo","info":{"cstatus":"active"}}]}`,
			summary: "ctmrinfo", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:     "customer_id authenticated leaves it beside loa1",
			settings: map[string]any{"customer_id": "authenticated"},
			items:    []integrations.Item{raw(`{` + loa1 + `,` + sdes(ctmrinfo) + `}`)},
			method:   "POST", url: "?v=1.0" + signalIDs,
			body:    `{` + loa1 + `,` + sdes(ctmrinfo) + `}`,
			summary: "ctmrinfo", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{
			name:     "customer_id authenticated refuses what has nothing else",
			settings: map[string]any{"customer_id": "authenticated"},
			items:    []integrations.Item{item(sdes(`{"type":"ctmrinfo","info":{"customerId":"C-4711"}}`))},
			refused:  []string{"0: ctmrinfo has nothing but info.customerId, which this integration sends only for assured visitors (customer_id: authenticated, acr loa1)"},
		},
		{
			name:     "on_behalf in the dialect signal",
			settings: map[string]any{"on_behalf": true},
			items:    []integrations.Item{item(sdes(search))},
			method:   "POST", url: "?v=1.0&obh=true" + signalIDs,
			body:    `{` + whoIs + `,` + sdes(search) + `}`,
			summary: "searchContent · “oolong”", sent: []int{0},
			after: integrations.Visit{Of: "S1"},
		},
		{name: "no items, no request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := connect(t, tt.settings).Build(tt.visit, tt.items)
			if tt.method == "" && got.Request != nil {
				t.Fatalf("a request %s, want none", got.Request.Body)
			}
			if tt.method != "" {
				checkRequest(t, got.Request, tt.method, base+tt.url, tt.body, tt.summary)
			}
			var refused []string
			for _, r := range got.Refused {
				refused = append(refused, fmt.Sprintf("%d: %s", r.Item, r.Reason))
			}
			want := tt.after
			if tt.method == "" && len(tt.carried) == 0 {
				want = tt.visit
			}
			same(t, "sent", got.Sent, tt.sent)
			same(t, "carried", got.Carried, tt.carried)
			same(t, "refused", refused, tt.refused)
			var notes []string
			for _, r := range got.LeftOut {
				notes = append(notes, r.Reason)
			}
			same(t, "notes", append(notes, got.Notes...), tt.notes)
			if g, w := fmt.Sprintf("%+v", got.Visit), fmt.Sprintf("%+v", want); g != w {
				t.Errorf("visit:\n got %s\nwant %s", g, w)
			}
		})
	}
}

func checkRequest(t *testing.T, r *integrations.Request, method, url, body, summary string) {
	t.Helper()
	if r == nil {
		t.Fatal("no request")
	}
	if r.Method != method || r.URL != url {
		t.Errorf("request:\n got %s %s\nwant %s %s", r.Method, r.URL, method, url)
	}
	if string(r.Body) != body {
		t.Errorf("body:\n got %s\nwant %s", r.Body, body)
	}
	if r.Summary != summary {
		t.Errorf("summary = %q, want %q", r.Summary, summary)
	}
	if len(r.Header) != 2 || r.Header["Content-Type"] != "application/json" || r.Header["Accept"] != "application/json" {
		t.Errorf("header = %v, want Content-Type and Accept application/json alone", r.Header)
	}
}

func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func TestBuildIDs(t *testing.T) {
	tests := []struct {
		name    string
		dialect string
		visit   integrations.Visit
		item    integrations.Item
		query   string
		after   integrations.Visit
	}{
		{
			"signal: Signal's own ids for a visitor that LivePerson has not seen", "signal",
			integrations.Visit{}, item(sdes(search)), "?v=1.0&vid=V1&sid=S1",
			integrations.Visit{Of: "S1"},
		},
		{
			"signal: LivePerson's ids in the session that they belong to", "signal",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV", Session: "LS"}, Of: "S1"}, item(sdes(search)), "?v=1.0&vid=LV&sid=LS",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV", Session: "LS"}, Of: "S1"},
		},
		{
			"signal: a new session of Signal keeps the visitor and begins its own", "signal",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV", Session: "LS"}, Of: "S1"}, in("S2", item(sdes(search))), "?v=1.0&vid=LV&sid=S2",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV"}, Of: "S2"},
		},
		{
			"signal: the visitor id of a loading account rides on the next try", "signal",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV"}}, item(sdes(search)), "?v=1.0&vid=LV&sid=S1",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV"}, Of: "S1"},
		},
		{
			"signal: refused ids are sent no more", "signal",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV", Session: "LS"}, Of: "S1", Bare: true}, item(sdes(search)), "?v=1.0",
			integrations.Visit{Of: "S1"},
		},
		{
			"liveperson: nothing on the first request", "liveperson",
			integrations.Visit{}, item(sdes(search)), "?v=1.1&obh=true",
			integrations.Visit{Of: "S1"},
		},
		{
			"liveperson: the pair that LivePerson gave", "liveperson",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV", Session: "LS"}, Of: "S1"}, item(sdes(search)), "?v=1.1&obh=true&vid=LV&sid=LS",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV", Session: "LS"}, Of: "S1"},
		},
		{
			"liveperson: the visitor alone in a new session of Signal", "liveperson",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV", Session: "LS"}, Of: "S1"}, in("S2", item(sdes(search))), "?v=1.1&obh=true&vid=LV",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV"}, Of: "S2"},
		},
		{
			"liveperson: the visitor id of a loading account rides on the next try", "liveperson",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV"}}, item(sdes(search)), "?v=1.1&obh=true&vid=LV",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV"}, Of: "S1"},
		},
		{
			"liveperson: refused ids are sent no more", "liveperson",
			integrations.Visit{IDs: attempt.IDs{Visitor: "LV", Session: "LS"}, Of: "S1", Bare: true}, item(sdes(search)), "?v=1.1&obh=true",
			integrations.Visit{Of: "S1"},
		},
		{
			"ids are opaque and escaped", "liveperson",
			integrations.Visit{IDs: attempt.IDs{Visitor: "a&b=c d", Session: "x.y/ü"}, Of: "S1"}, item(sdes(search)), "?v=1.1&obh=true&vid=a%26b%3Dc+d&sid=x.y%2F%C3%BC",
			integrations.Visit{IDs: attempt.IDs{Visitor: "a&b=c d", Session: "x.y/ü"}, Of: "S1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := connect(t, map[string]any{"dialect": tt.dialect}).Build(tt.visit, []integrations.Item{tt.item})
			if want := base + tt.query; got.Request.URL != want {
				t.Errorf("URL:\n got %s\nwant %s", got.Request.URL, want)
			}
			if g, w := fmt.Sprintf("%+v", got.Visit), fmt.Sprintf("%+v", tt.after); g != w {
				t.Errorf("visit:\n got %s\nwant %s", g, w)
			}
		})
	}
}

func TestBuildLeavesItsArgumentsAlone(t *testing.T) {
	c := connect(t, map[string]any{"dialect": "liveperson"})
	waiting := make([]string, 0, 8) // with room behind, which an append would write into
	visit := integrations.Visit{Waiting: append(waiting, "https://example.com/a")}
	first := c.Build(visit, []integrations.Item{page("https://example.com/b")})
	second := c.Build(visit, []integrations.Item{page("https://example.com/c")})
	if got := first.Visit.Waiting[1]; got != "https://example.com/b" {
		t.Errorf("the first visit changed to %s", got)
	}
	if got := second.Visit.Waiting[1]; got != "https://example.com/c" {
		t.Errorf("the second visit has %s", got)
	}
	third := c.Build(visit, []integrations.Item{item(sdes(search))})
	if again := c.Build(visit, []integrations.Item{item(sdes(search))}); string(again.Request.Body) != string(third.Request.Body) {
		t.Errorf("the same visit and items gave %s and %s", third.Request.Body, again.Request.Body)
	}
}

func TestBatch(t *testing.T) {
	one := item(sdes(search))
	two := item(sdes(ctmrinfo, personal))
	other := raw(`{` + loa1 + `,` + sdes(search) + `}`)
	many := func(i integrations.Item, n int) []integrations.Item {
		return slices.Repeat([]integrations.Item{i}, n)
	}
	tests := []struct {
		name  string
		items []integrations.Item
		want  int
	}{
		{"nothing", nil, 0},
		{"one", many(one, 1), 1},
		{"equal identities", many(one, 3), 3},
		{"another identity", append(many(one, 2), other, one), 2},
		{"another session", append(many(one, 2), in("S2", one)), 2},
		{"twenty attributes", many(one, 20), 20},
		{"more than twenty attributes", many(one, 21), 20},
		{"two attributes each", many(two, 20), 10},
		{"pages count nothing", append(many(page("https://example.com/"), 10), many(two, 10)...), 20},
		{"a payload that cannot be read goes alone", append(many(raw(`{`), 1), one), 1},
		{"and ends the batch before it", append(many(one, 1), raw(`{`)), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := connect(t, nil).Batch(tt.items); got != tt.want {
				t.Errorf("Batch = %d, want %d", got, tt.want)
			}
		})
	}
}

// FuzzBuild holds that no payload makes Build panic, lose an item, or write a
// body that is not JSON.
func FuzzBuild(f *testing.F) {
	for _, s := range []string{purchase, cart, search, ctmrinfo, personal, badLead} {
		f.Add([]byte(item(`"entryPoints":["https://example.com/"],` + sdes(s)).Payload))
	}
	f.Add([]byte(page("https://example.com/").Payload))
	f.Add([]byte(`{"consumerId":"\ud800","engagementAttributes":[{"type":"lead","lead":{"value":1e999}}]}`))
	connections := []*liveperson.Connection{
		connect(f, map[string]any{"dialect": "signal", "issuer": "x"}),
		connect(f, map[string]any{"dialect": "liveperson", "customer_id": "authenticated"}),
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, c := range connections {
			got := c.Build(integrations.Visit{}, []integrations.Item{raw(string(payload))})
			if n := len(got.Sent) + len(got.Carried) + len(got.Refused); n != 1 {
				t.Fatalf("%q is in %d of sent, carried and refused, want 1", payload, n)
			}
			if (got.Request != nil) != (len(got.Sent) > 0) {
				t.Fatalf("%q: request %v, sent %v", payload, got.Request, got.Sent)
			}
			if got.Request != nil && !json.Valid(got.Request.Body) {
				t.Fatalf("%q made the body %q", payload, got.Request.Body)
			}
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	big := `{"type":"cartStatus","total":84.7,"currency":"EUR","numItems":3,"products":[` +
		`{"product":{"name":"Mug","category":"kitchen","sku":"M-1","price":29.9},"quantity":2},` +
		`{"product":{"name":"Tea","category":"food","sku":"T-9","price":24.9},"quantity":1}]}`
	for _, bb := range []struct {
		name, dialect string
		item          integrations.Item
	}{
		{"purchase", "signal", item(`"entryPoints":["https://example.com/checkout/confirmation"],` + sdes(purchase))},
		{"cart of two", "signal", item(`"entryPoints":["https://example.com/cart"],` + sdes(big))},
		{"cart of two, renamed", "liveperson", item(`"entryPoints":["https://example.com/cart"],` + sdes(big))},
		{"page", "signal", page("https://example.com/")},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := connect(b, map[string]any{"dialect": bb.dialect})
			items := []integrations.Item{bb.item}
			b.ReportAllocs()
			for b.Loop() {
				if got := c.Build(integrations.Visit{}, items); got.Request == nil {
					b.Fatal("no request")
				}
			}
		})
	}
}
