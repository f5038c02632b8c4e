package mapping

import (
	"strings"
	"testing"
)

const identity = `"consumerId":"A","identities":[{"iss":"Datafly","acr":"0","sub":"A"}]`

// What the cases do not show of the Retail preset.
func TestRetail(t *testing.T) {
	track := func(name, properties string) string {
		return `{"type":"track","event":"` + name + `","anonymousId":"A","properties":` + properties + `}`
	}
	identify := func(rest string) string { return `{"type":"identify","anonymousId":"A",` + rest + `}` }
	tests := []struct {
		name, event string
		want        string // the attributes, or the entry points of a page
		stop        string // a part of it
		faults      string // joined, exactly
	}{
		{name: "a page without an address is filtered, with what to send", event: `{"type":"page","anonymousId":"A"}`, stop: "the page has no absolute web address; send context.page.url beginning with https://"},
		{name: "so is one with a path alone", event: `{"type":"page","anonymousId":"A","context":{"page":{"url":"/cart"}}}`, stop: "no absolute web address"},
		{name: "and a screen of an app", event: `{"type":"screen","anonymousId":"A"}`, stop: "no absolute web address"},
		{name: "a group is filtered", event: `{"type":"group","anonymousId":"A","groupId":"G"}`, stop: "a group has no place at LivePerson"},
		{name: "an identify that names nobody is filtered, whatever its browser speaks", event: identify(`"traits":{"x":1},"context":{"locale":"en-GB"}`), stop: "the identify names nobody"},
		{name: "an identify with a trait that cannot be used too", event: identify(`"traits":{"gender":"unknown","address":{"country":"DE"}}`), stop: "the identify names nobody"},

		{name: "a search with a list of words", event: track("search", `{"search_term":["red","mug",""]}`), want: `[{"type":"searchContent","keywords":["red","mug"]}]`},
		{name: "a search for nothing", event: track("product_searched", `{"query":""}`), stop: "searchContent: keywords is missing (looked at properties.query, properties.search_term, properties.keywords, properties.term)"},
		{name: "a search for a number", event: track("Products Searched", `{"term":4711}`), want: `[{"type":"searchContent","keywords":["4711"]}]`},

		{name: "all items of a product view are sent", event: track("view_item", `{"currency":"EUR","value":5,"items":[{"item_id":"A","item_name":"Mug","item_category":"k","price":"5.50"},{"item_id":7}]}`),
			want: `[{"type":"prodView","currency":"EUR","products":[{"product":{"name":"Mug","category":"k","sku":"A","price":5.50}},{"product":{"sku":"7"}}]}]`},
		{name: "a product view without a product is filtered", event: track("Product Viewed", `{"currency":"EUR"}`), stop: "prodView: products is missing (looked at properties.items, properties.products, properties)"},

		{name: "a cart's total by any of its names", event: track("begin_checkout", `{"cart_total":"59.80","num_items":2}`), want: `[{"type":"cartStatus","total":59.80,"numItems":2}]`},
		{name: "a cart without anything says what to add", event: track("view_cart", `{"currency":"EUR"}`),
			stop: "cartStatus: total is missing (looked at properties.value, properties.total, properties.revenue, properties.cart_total, properties.products, properties.items); numItems is missing (looked at properties.products, properties.items, properties.num_items, properties.item_count, properties.quantity)"},
		{name: "a line without a price counts nothing, and quantities win over a count that was sent", event: track("Checkout Started", `{"item_count":9,"items":[{"item_id":"A","price":10,"quantity":"2"},{"item_id":"B"}]}`),
			want: `[{"type":"cartStatus","total":20,"numItems":3,"products":[{"product":{"sku":"A","price":10},"quantity":2},{"product":{"sku":"B"},"quantity":1}]}]`},
		{name: "a price that is no number gives no total rather than a wrong one", event: track("Cart Viewed", `{"products":[{"sku":"A","price":"10,00"}]}`), stop: "price of line 1 is text that is not a number", faults: "cartStatus: product.price left out: properties.products[0].price is text that is not a number"},
		{name: "an empty cart without a value is one of nothing", event: track("Cart Viewed", `{"products":[]}`), want: `[{"type":"cartStatus","total":0,"numItems":0,"products":[]}]`},

		{name: "an order without lines has no cart", event: track("Order Completed", `{"total":"11.70","orderId":9,"products":[]}`), want: `[{"type":"purchase","total":11.70,"orderId":"9"}]`},
		{name: "nor one whose lines say nothing", event: track("Order Completed", `{"value":5,"products":[{"quantity":2,"x":1}],"items":[{}]}`), want: `[{"type":"purchase","total":5}]`},
		{name: "lines that are not lines make no cart", event: track("Order Completed", `{"value":5,"products":["A",7]}`), want: `[{"type":"purchase","total":5}]`},

		{name: "a lead by GA4's names", event: track("generate_lead", `{"lead_type":"call","revenue":"22.20","form_id":12}`), want: `[{"type":"lead","lead":{"topic":"call","value":22.20,"leadId":"12"}}]`},
		{name: "a lead about nothing", event: track("lead_generated", `{}`), stop: "lead: nothing for it was on the event"},

		{name: "an identify with a userId alone", event: identify(`"userId":4711,"context":{"locale":"en-GB"}`), want: `[{"type":"ctmrinfo","info":{"customerId":"4711"}}]`, faults: "personal: nothing for it was on the event"},
		{name: "every field about the customer, in snake_case", event: identify(`"userId":"U","traits":{"customer_status":"s","plan":"p","balance":"-12.50","currency":"EUR","social_id":1,"imei":2,"username":"jd","company":{"name":"Doe Ltd","employee_count":50},"company_branch":"North","title":"buyer","last_payment_date":"2024-10-15","created_at":"2019-05-23T23:00:00+02:00","store_number":1241,"store_zip_code":"12205"}`),
			want: `[{"type":"ctmrinfo","info":{"cstatus":"s","ctype":"p","customerId":"U","balance":-12.50,"currency":"EUR","socialId":"1","imei":"2","userName":"jd","companySize":50,"companyBranch":"North","accountName":"Doe Ltd","role":"buyer","lastPaymentDate":{"day":15,"month":10,"year":2024},"registrationDate":{"day":23,"month":5,"year":2019},"storeNumber":"1241","storeZipCode":"12205"}},{"type":"personal","personal":{"company":"Doe Ltd"}}]`},
		{name: "the person, with one contact", event: identify(`"traits":{"first_name":"Jane","lastName":"Doe","email":"j@example.com","phone":"+1","address":{"country":"US","state":"NY"},"gender":"f","birthday":"1990-02-26","language":"fr_CA"},"context":{"locale":"en-GB"}`),
			want: `[{"type":"personal","personal":{"firstname":"Jane","lastname":"Doe","age":{"age":35,"day":26,"month":2,"year":1990},"contacts":[{"email":"j@example.com","phone":"+1","address":{"country":"US","region":"NY"}}],"gender":"FEMALE","language":"fr_CA"}}]`, faults: "ctmrinfo: nothing for it was on the event"},
		{name: "the browser's language fills in where the visitor's own is none", event: identify(`"traits":{"email":"e","language":"German"},"context":{"locale":"de-DE"}`),
			want: `[{"type":"personal","personal":{"contacts":[{"email":"e"}],"language":"de-DE"}}]`, faults: "ctmrinfo: nothing for it was on the event"},
		{name: "a birthday that is none is named, without the person", event: identify(`"traits":{"email":"e","birthday":"in May"}`),
			want: `[{"type":"personal","personal":{"contacts":[{"email":"e"}]}}]`, faults: "personal: personal.age left out: its expression could not be worked out: the birthday is text that is not a date such as 2026-02-25\nctmrinfo: nothing for it was on the event"},
	}
	p := retail(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := p.Run(Input{Event: received(t, tt.event)})
			want := ""
			if tt.want != "" {
				want = "{" + identity + `,"engagementAttributes":` + tt.want + "}"
			}
			if string(got.Payload) != want || !strings.Contains(got.Stop, tt.stop) || (got.Stop == "") != (tt.stop == "") {
				t.Errorf("retail of %s:\n got %s, stop %q\nwant %s, stop %q", tt.event, got.Payload, got.Stop, want, tt.stop)
			}
			if f := strings.Join(got.Faults, "\n"); f != tt.faults {
				t.Errorf("faults of %s:\n got %s\nwant %s", tt.event, f, tt.faults)
			}
		})
	}
}

// The names by which Retail knows the events of others, product by product.
func TestRetailKnowsTheNamesOfOthers(t *testing.T) {
	names := map[string]string{
		"Products Searched": "search product_searched products_searched",
		"Product Viewed":    "view_item product_viewed",
		"Cart Viewed":       "view_cart cart_viewed Checkout_Started begin_checkout checkout_started",
		"Order Completed":   "purchase order_completed order-completed ORDERCOMPLETED",
		"Lead Generated":    "generate_lead lead_generated",
	}
	p := retail(t)
	for want, others := range names {
		for _, name := range append(strings.Fields(others), want) {
			e := received(t, `{"type":"track","event":"`+name+`","anonymousId":"A"}`)
			if got := p.Run(Input{Event: e}).Rule; got != want {
				t.Errorf("rule of %q is %q, want %q", name, got, want)
			}
		}
	}
}
