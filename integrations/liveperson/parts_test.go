package liveperson_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/datafly/signal/integrations"
)

const (
	cart2     = `{"type":"cartStatus","total":0,"numItems":0}`
	ctmrinfo2 = `{"type":"ctmrinfo","info":{"ctype":"gold"}}`
	personal2 = `{"type":"personal","personal":{"lastname":"Doe"}}`
	source    = `{"type":"mrktInfo","info":{"channel":1}}`
	source2   = `{"type":"mrktInfo","info":{"channel":3}}`
	view      = `{"type":"prodView","products":[{"product":{"sku":"M-1"}}]}`
	lead      = `{"type":"lead","lead":{"leadId":"L-7"}}`
	badGender = `{"type":"personal","personal":{"gender":"W"}}`
)

func TestTheLatestInAReportReplaces(t *testing.T) {
	tests := []struct {
		name     string
		items    []string // the attributes of each
		body     []string
		replaced []string
	}{
		{"nothing twice", []string{sdes(cart), sdes(ctmrinfo, personal, source)}, []string{cart, ctmrinfo, personal, source}, nil},
		{"two carts", []string{sdes(cart), sdes(cart2)}, []string{cart2}, []string{"0: cartStatus"}},
		{"three carts", []string{sdes(cart), sdes(cart2), sdes(cart)}, []string{cart}, []string{"0: cartStatus", "1: cartStatus"}},
		{
			"each of the four", []string{sdes(cart, ctmrinfo, personal, source), sdes(source2, personal2, ctmrinfo2, cart2)},
			[]string{source2, personal2, ctmrinfo2, cart2}, []string{"0: cartStatus", "0: ctmrinfo", "0: personal", "0: mrktInfo"},
		},
		{"within one item", []string{sdes(ctmrinfo, personal, ctmrinfo2)}, []string{personal, ctmrinfo2}, []string{"0: ctmrinfo"}},
		{"orders, leads, views and searches add up", []string{sdes(purchase, lead, view, search), sdes(purchase, lead, view, search)}, []string{purchase, lead, view, search, purchase, lead, view, search}, nil},
		{"the order of the others stays", []string{sdes(search, cart), sdes(view), sdes(cart2, lead)}, []string{search, view, cart2, lead}, []string{"0: cartStatus"}},
		{"a bad one replaces nothing", []string{sdes(personal), sdes(badGender, search)}, []string{personal, search}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var items []integrations.Item
			for _, rest := range tt.items {
				items = append(items, item(rest))
			}
			got := connect(t, nil).Build(integrations.Visit{}, items)
			if want := `{` + whoIs + `,` + sdes(tt.body...) + `}`; string(got.Request.Body) != want {
				t.Errorf("body:\n got %s\nwant %s", got.Request.Body, want)
			}
			var replaced []string
			for _, r := range got.LeftOut {
				if name, ok := strings.CutSuffix(r.Reason, ": a later one in the same report replaces it"); ok {
					replaced = append(replaced, fmt.Sprintf("%d: %s", r.Item, name))
				}
			}
			same(t, "replaced", replaced, tt.replaced)
			if len(items) > 1 && len(got.Summaries) != len(items) {
				t.Errorf("summaries %q, want one for each of %d items", got.Summaries, len(items))
			}
			if len(got.Sent) != len(items) {
				t.Errorf("sent %v, want all of %d items", got.Sent, len(items))
			}
		})
	}
}

func TestSplit(t *testing.T) {
	head := `{` + whoIs + `,`
	points := `"entryPoints":["https://example.com/a","https://example.com/?b=\u0026"],`
	tests := []struct {
		name     string
		settings map[string]any
		payload  string
		want     []string
	}{
		{"one attribute", nil, head + points + sdes(cart) + `}`, nil},
		{"a page", nil, head + points + sdes() + `}`, nil},
		{"two attributes: the addresses ride on the first", nil, head + points + sdes(ctmrinfo, personal) + `}`, []string{head + points + sdes(ctmrinfo) + `}`, head + sdes(personal) + `}`}},
		{"without addresses", nil, head + sdes(cart, search, lead) + `}`, []string{head + sdes(cart) + `}`, head + sdes(search) + `}`, head + sdes(lead) + `}`}},
		{"in the order that Build writes", nil, `{` + sdes(cart, search) + `,"consumerId":"A"}`, []string{`{"consumerId":"A",` + sdes(cart) + `}`, `{"consumerId":"A",` + sdes(search) + `}`}},
		{"what Build leaves out is no part", nil, head + sdes(badLead, ctmrinfo, badGender, personal) + `}`, []string{head + sdes(ctmrinfo) + `}`, head + sdes(personal) + `}`}},
		{"what a later one replaces is no part", nil, head + sdes(cart, search, cart2) + `}`, []string{head + sdes(search) + `}`, head + sdes(cart2) + `}`}},
		{"one good beside a bad one", nil, head + sdes(badLead, ctmrinfo) + `}`, nil},
		{"a customer's id that is not sent is no part", map[string]any{"customer_id": "authenticated"}, head + sdes(`{"type":"ctmrinfo","info":{"customerId":"C"}}`, personal) + `}`, nil},
		{"a payload that cannot be read", nil, `{`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, tt.settings)
			whole := raw(tt.payload)
			whole.MessageID, whole.Extra = "m1", json.RawMessage(`{"v":"TV"}`)
			var got []string
			for _, part := range c.Split(whole) {
				got = append(got, string(part.Payload))
				if part.MessageID != whole.MessageID || part.Session != whole.Session || string(part.Extra) != string(whole.Extra) {
					t.Errorf("part %+v is not of the item", part)
				}
				if built := c.Build(integrations.Visit{}, []integrations.Item{part}); built.Request == nil || len(built.Notes)+len(built.LeftOut) > 0 {
					t.Errorf("part %s makes no request: %+v", part.Payload, built)
				}
			}
			same(t, "parts", got, tt.want)
		})
	}
}

func TestABadAttributeIsNamed(t *testing.T) {
	beside := connect(t, nil).Build(integrations.Visit{}, []integrations.Item{item(sdes(badLead, ctmrinfo))})
	if want := []integrations.Refusal{{Item: 0, Reason: "Left out, so that it cannot sink the rest: lead.value must be a number, got text."}}; !slices.Equal(beside.LeftOut, want) || beside.Request == nil {
		t.Errorf("beside a good one: %+v, want %+v", beside.LeftOut, want)
	}
	alone := connect(t, nil).Build(integrations.Visit{}, []integrations.Item{item(sdes(badLead))})
	if alone.Request != nil || len(alone.Refused) != 1 || alone.Refused[0].Reason != "lead.value must be a number, got text" {
		t.Errorf("alone: %+v", alone.Refused)
	}
}

func TestAGuessableIDIsNotedOnce(t *testing.T) {
	for id, want := range map[string]bool{
		"jane@example.com": true, "4711": true, "+1 212-555-0100": true,
		"ANON": false, "a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d": false, "4711a": false,
	} {
		one := func(id, sub string) integrations.Item {
			return raw(`{"consumerId":"` + id + `","identities":[{"acr":"0","sub":"` + sub + `"}],` + sdes(search) + `}`)
		}
		for _, i := range []integrations.Item{one(id, id), one(id, "ANON"), one("ANON", id)} {
			got := connect(t, nil).Build(integrations.Visit{}, []integrations.Item{i, i})
			if noted := len(got.Notes) == 1 && strings.Contains(got.Notes[0], "can be guessed"); noted != want || len(got.Notes) > 1 {
				t.Errorf("%s: notes %q, want one %v", i.Payload, got.Notes, want)
			}
			if strings.Contains(strings.Join(got.Notes, ""), id) {
				t.Errorf("the note repeats %q", id)
			}
		}
	}
}

func TestEachEventOfAReportHasItsOwnSummary(t *testing.T) {
	page := item(`"entryPoints":["https://shop.example/thanks?a=1"]`)
	got := connect(t, nil).Build(integrations.Visit{}, []integrations.Item{page, item(sdes(purchase)), item(sdes(search))})
	want := []string{"/thanks", "purchase · USD 11.70 · DRV1534XC", "searchContent · “oolong”"}
	if fmt.Sprint(got.Summaries) != fmt.Sprint(want) {
		t.Errorf("summaries = %q, want %q", got.Summaries, want)
	}
}
