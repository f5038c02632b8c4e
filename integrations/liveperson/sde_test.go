package liveperson

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The examples of LivePerson's reference, and what a mapping may add to them.
func TestCheckSDETakes(t *testing.T) {
	for _, raw := range []string{
		`{"type":"cartStatus","total":84.7,"currency":"EUR","numItems":3,"products":[{"product":{"name":"Mug","category":"kitchen","sku":"M-1","price":29.9},"quantity":2},{"product":{"name":"Tea","category":"food","sku":"T-9","price":24.9},"quantity":1}]}`,
		`{"type":"cartStatus","total":0,"numItems":0}`,
		`{"type":"cartStatus","total":0.00,"numItems":0,"products":[]}`,
		`{"type":"purchase","total":84.7,"currency":"EUR","orderId":"O-1001","cart":{"numItems":3,"products":[{"product":{"name":"Mug"},"quantity":2}]}}`,
		`{"type":"purchase"}`,
		`{"type":"purchase","total":-5,"orderId":"12345678901234567"}`,
		`{"type":"prodView","currency":"EUR","products":[{"product":{"name":"Mug","category":"kitchen","sku":"M-1","price":29.9,"statusInStock":"low","quantityInStock":7},"quantity":1}]}`,
		`{"type":"prodView"}`,
		`{"type":"ctmrinfo","info":{"cstatus":"active","ctype":"gold","customerId":"C-4711","balance":-12.5,"currency":"EUR","socialId":"11256324780","imei":"354354654354568","userName":"jdoe","companySize":50,"companyBranch":"North","accountName":"Doe Ltd","role":"buyer","lastPaymentDate":{"day":15,"month":10,"year":2024},"registrationDate":{"day":23,"month":5,"year":2019},"loginStatus":1,"storeNumber":"1241","storeZipCode":"12205"}}`,
		`{"type":"ctmrinfo","info":{}}`,
		`{"type":"mrktInfo","info":{"channel":1,"affiliate":"google","campaignId":"spring-sale"}}`,
		`{"type":"mrktInfo","info":{"channel":"1"}}`,
		`{"type":"mrktInfo","info":{"channel":0}}`,
		`{"type":"personal","personal":{"firstname":"Jane","lastname":"Doe","age":{"age":34,"year":1990,"month":4,"day":15},"contacts":[{"email":"jane@example.com","phone":"+1 212-555-0100","phoneType":"MOBILE","address":{"country":"Germany","region":"Bavaria"}}],"gender":"FEMALE","company":"Doe Ltd","language":"en-US"}}`,
		`{"type":"personal","personal":{"language":"fr_CA","age":{"age":30.0}}}`,
		`{"type":"personal","personal":{"language":"de"}}`,
		`{"type":"lead","lead":{"topic":"test drive","value":22.2,"currency":"EUR","leadId":"L-77"}}`,
		`{"type":"lead","lead":{"value":0}}`,
		`{"type":"service","service":{"topic":"open account","status":0,"category":"finance","serviceId":"S-12"}}`,
		`{"type":"service","service":{"status":10}}`,
		`{"type":"error","error":{"contextId":"credit card form","message":"Expiry date missing","code":"E-17","level":10,"resolved":false}}`,
		`{"type":"searchContent","keywords":["reset password"]}`,
		`{"type":"searchContent","keywords":[]}`,
		`{"type":"lead","lead":{"topic":null,"value":null}}`,
		`{ "lead" : { "topic" : "t" } , "type" : "lead" }`,
		`{"type":"lead","lead":{"topic":"` + strings.Repeat("ü", maxText) + `"}}`,
		`{"type":"purchase","total":1e3}`,

		// The impressions, and what may be null in them.
		`{"type":"impDisplay","campaign":2695999112,"engId":2696029112,"revision":3,"eContext":[{"type":"engagementContext","id":"1"}]}`,
		`{"type":"impAccept","campaign":2695999112,"engId":2696029112,"revision":3,"eContext":[{"type":"engagementContext","id":"1"}]}`,
		`{"type":"impExpanded","expanded":null,"userInit":null,"actionableItems":null,"campaign":2695999112,"engId":2696029112,"revision":3}`,
		`{"type":"impExpanded","expanded":true,"userInit":"yes","actionableItems":[{"a":[1]},null],"campaign":2695999112.0,"engId":2696029112,"revision":0}`,
		`{"type":"impExpanded","campaign":1,"engId":2,"revision":3,"actionableItems":{"a":{}}}`,
		`{"type":"impTimeout","campaign":2695999112,"engId":2696029112,"revision":3}`,
		`{"type":"impClose","campaign":2695999112,"engId":2696029112,"revision":3}`,
	} {
		if got := checkSDE([]byte(raw)); len(got.faults) > 0 {
			t.Errorf("%.200s is refused: %q", raw, got.faults)
		}
	}
}

func TestCheckSDERefuses(t *testing.T) {
	tests := []struct {
		name string
		raw  string
		want []string
	}{
		{"text for a number", `{"type":"lead","lead":{"value":"much"}}`, []string{"lead.value must be a number, got text"}},
		{"a number for text", `{"type":"lead","lead":{"leadId":7}}`, []string{"lead.leadId must be text, got a number"}},
		{"text for true or false", `{"type":"error","error":{"resolved":"no"}}`, []string{"error.resolved must be true or false, got text"}},
		{"an object for text", `{"type":"purchase","currency":{}}`, []string{"purchase.currency must be text, got an object"}},
		{"a list for an object", `{"type":"ctmrinfo","info":[]}`, []string{"ctmrinfo.info must be an object, got a list"}},
		{"an object for a list", `{"type":"personal","personal":{"contacts":{"email":"a"}}}`, []string{"personal.contacts must be a list, got an object"}},
		{"text for a list", `{"type":"searchContent","keywords":"x"}`, []string{"searchContent.keywords must be a list, got text"}},
		{"true for a number", `{"type":"purchase","total":true}`, []string{"purchase.total must be a number, got true or false"}},
		{"a number among keywords", `{"type":"searchContent","keywords":["a",5,null]}`, []string{"searchContent.keywords[1] must be text, got a number", "searchContent.keywords[2] must be text, got nothing"}},
		{"a fraction of an item", `{"type":"cartStatus","total":1,"numItems":1.5}`, []string{"cartStatus.numItems must be a whole number, got a fraction"}},
		{"fewer than no items", `{"type":"cartStatus","total":1,"numItems":-1}`, []string{"cartStatus.numItems must not be below 0"}},
		{"a count as text", `{"type":"cartStatus","total":1,"numItems":"3"}`, []string{"cartStatus.numItems must be a whole number, got text"}},
		{"a whole number that loses digits", `{"type":"cartStatus","total":1,"numItems":12345678901234567890}`, []string{"cartStatus.numItems is too large a number for LivePerson"}},
		{"a number that no double holds", `{"type":"purchase","total":1e400}`, []string{"purchase.total is too large a number for LivePerson"}},
		{"a cart without what it needs", `{"type":"cartStatus","currency":"EUR"}`, []string{"cartStatus.total is missing", "cartStatus.numItems is missing"}},
		{"a cart with null for what it needs", `{"type":"cartStatus","total":null,"numItems":0}`, []string{"cartStatus.total is missing"}},
		{"a line without its product", `{"type":"cartStatus","total":1,"numItems":1,"products":[{"quantity":1}]}`, []string{"cartStatus.products[0].product is missing"}},
		{"an order's cart without products", `{"type":"purchase","cart":{"numItems":1}}`, []string{"purchase.cart.products is missing"}},
		{"products of an order in the wrong place", `{"type":"purchase","products":[]}`, []string{"purchase.products belongs inside purchase.cart"}},
		{"stock in a cart", `{"type":"cartStatus","total":1,"numItems":1,"products":[{"product":{"quantityInStock":1}}]}`, []string{"cartStatus.products[0].product.quantityInStock is not a field of LivePerson"}},
		{"customer info at the top", `{"type":"ctmrinfo","cstatus":"active","info":{}}`, []string{"ctmrinfo.cstatus belongs inside ctmrinfo.info"}},
		{"a lead at the top", `{"type":"lead","topic":"x"}`, []string{"lead.topic belongs inside lead.lead", "lead is missing"}},
		{"a misspelt field", `{"type":"purchase","orderid":"1"}`, []string{"purchase.orderid is not a field of LivePerson; did you mean orderId?"}},
		{"the campaign's misspelt id", `{"type":"mrktInfo","info":{"campaignID":"x"}}`, []string{"mrktInfo.info.campaignID is not a field of LivePerson; did you mean campaignId?"}},
		{"a field of nobody", `{"type":"purchase","colour":"red"}`, []string{"purchase.colour is not a field of LivePerson"}},
		{"a date with a part missing", `{"type":"ctmrinfo","info":{"registrationDate":{"day":1,"year":2020}}}`, []string{"ctmrinfo.info.registrationDate.month is missing"}},
		{"a date that is none", `{"type":"ctmrinfo","info":{"registrationDate":{"day":32,"month":0,"year":1899}}}`, []string{"ctmrinfo.info.registrationDate.day must be from 1 to 31", "ctmrinfo.info.registrationDate.month must be from 1 to 12", "ctmrinfo.info.registrationDate.year must be from 1900 to 2100"}},
		{"a date as text", `{"type":"ctmrinfo","info":{"lastPaymentDate":"2024-01-01"}}`, []string{"ctmrinfo.info.lastPaymentDate must be an object, got text"}},
		{"a gender in small letters", `{"type":"personal","personal":{"gender":"female"}}`, []string{"personal.gender must be MALE, FEMALE or OTHER"}},
		{"a phone of no type", `{"type":"personal","personal":{"contacts":[{"phoneType":"CELL"}]}}`, []string{"personal.contacts[0].phoneType must be HOME, MOBILE, WORK, FAX, MAIN, HOME_FAX, WORK_FAX, PAGER or OTHER"}},
		{"a language with a script", `{"type":"personal","personal":{"language":"zh-Hant-TW"}}`, []string{"personal.language must be a language such as en or en-GB"}},
		{"a language in words", `{"type":"personal","personal":{"language":"Dutch"}}`, []string{"personal.language must be a language such as en or en-GB"}},
		{"a channel out of the list", `{"type":"mrktInfo","info":{"channel":"5"}}`, []string{"mrktInfo.info.channel must be from 0 to 4"}},
		{"a channel in words", `{"type":"mrktInfo","info":{"channel":"search"}}`, []string{"mrktInfo.info.channel must be a whole number, got text"}},
		{"a channel as an odd number", `{"type":"mrktInfo","info":{"channel":"1e0"}}`, []string{"mrktInfo.info.channel must be a whole number, got text"}},
		{"a status out of the list", `{"type":"service","service":{"status":11}}`, []string{"service.status must be from 0 to 10"}},
		{"too long a text", `{"type":"lead","lead":{"topic":"` + strings.Repeat("ü", maxText+1) + `"}}`, []string{"lead.topic must be at most 50,000 characters, got 50001"}},
		{"every fault at once", `{"type":"lead","lead":{"value":"a","leadId":1,"foo":2}}`, []string{"lead.value must be a number, got text", "lead.leadId must be text, got a number", "lead.foo is not a field of LivePerson"}},

		{"no type", `{"total":1}`, []string{"an engagement attribute has no type"}},
		{"a type that is no text", `{"type":1}`, []string{"type must be text, got a number"}},
		{"not an object", `[]`, []string{"an engagement attribute must be an object, got a list"}},
		{"the wire's name of a cart", `{"type":"cart","total":1,"numItems":1}`, []string{`type "cart" is not an engagement attribute of LivePerson; write cartStatus`}},
		{"the wire's name of a search", `{"type":"searchInfo"}`, []string{`type "searchInfo" is not an engagement attribute of LivePerson; write searchContent`}},
		{"a name of the reports", `{"type":"serviceActivity"}`, []string{`type "serviceActivity" is not an engagement attribute of LivePerson; write service`}},
		{"a name in the wrong case", `{"type":"ctmrInfo"}`, []string{`type "ctmrInfo" is not an engagement attribute of LivePerson; write ctmrinfo`}},
		{"an impression without what it is about", `{"type":"impDisplay","campaign":1}`, []string{"impDisplay.engId is missing", "impDisplay.revision is missing", "impDisplay.eContext is missing"}},
		{"an impression of null", `{"type":"impClose","campaign":null,"engId":1,"revision":1}`, []string{"impClose.campaign is missing"}},
		{"a context that is none", `{"type":"impAccept","campaign":1,"engId":2,"revision":3,"eContext":[{"type":"page","id":1},"1",{}]}`, []string{
			"impAccept.eContext[0].type must be engagementContext", "impAccept.eContext[0].id must be text, got a number",
			"impAccept.eContext[1] must be an object, got text", "impAccept.eContext[2].type is missing", "impAccept.eContext[2].id is missing"}},
		{"a context where none belongs", `{"type":"impTimeout","campaign":1,"engId":2,"revision":3,"eContext":[]}`, []string{"impTimeout.eContext is not a field of LivePerson"}},
		{"an impression with its numbers as text", `{"type":"impExpanded","campaign":"1","engId":2.5,"revision":true}`, []string{
			"impExpanded.campaign must be a whole number, got text", "impExpanded.engId must be a whole number, got a fraction", "impExpanded.revision must be a whole number, got true or false"}},
		{"one field twice", `{"type":"lead","lead":{"topic":"a","topic":"b"}}`, []string{"lead is not valid JSON"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := checkSDE([]byte(tt.raw)).faults; !slices.Equal(got, tt.want) {
				t.Errorf("checkSDE(%.200s):\n got %q\nwant %q", tt.raw, got, tt.want)
			}
		})
	}
}

// Every name that LivePerson gives an SDE elsewhere is refused with the one to
// write: those of its reference's wire, of the APIs that report, of its library,
// and the wrong case.
func TestEveryOtherNameIsRefusedWithAHint(t *testing.T) {
	names := map[string]string{
		"cartStatus":    "cart CART CART_STATUS cartstatus cartUpdate",
		"purchase":      "PURCHASE Purchase purchases TRANSACTION transaction",
		"prodView":      "prodview PRODVIEW viewedProduct VIEWED_PRODUCT",
		"ctmrinfo":      "ctmrInfo CTMRINFO customerInfo CUSTOMER_INFO",
		"mrktInfo":      "mrktinfo marketingCampaignInfo MARKETING_CAMPAIGN_INFO MARKETING_SOURCE",
		"personal":      "Personal personalInfo PERSONAL_INFO",
		"lead":          "LEAD Lead leads",
		"service":       "SERVICE serviceActivity SERVICE_ACTIVITY services",
		"error":         "ERROR visitorError VISITOR_ERROR",
		"searchContent": "searchInfo searchinfo searchcontent SEARCH_CONTENT SEARCHED_CONTENT",
		"impDisplay":    "impdisplay IMP_DISPLAY impDisplayed",
	}
	for want, others := range names {
		if got := checkSDE([]byte(`{"type":"` + want + `"}`)).faults; slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, "type ") }) {
			t.Errorf("%s is refused: %q", want, got)
		}
		for _, name := range strings.Fields(others) {
			fault := `type "` + name + `" is not an engagement attribute of LivePerson; write ` + want
			if got := checkSDE([]byte(`{"type":"` + name + `"}`)).faults; !slices.Equal(got, []string{fault}) {
				t.Errorf("%s gives %q, want %q", name, got, fault)
			}
		}
	}
	if got := checkSDE([]byte(`{"type":"pagediv"}`)).faults; !slices.Equal(got, []string{"type is not an engagement attribute of LivePerson"}) {
		t.Errorf("pagediv gives %q", got)
	}
}

// Every field of every SDE takes what its rule says and nothing else.
func TestEveryFieldRefusesEveryOtherKind(t *testing.T) {
	samples := map[kind]string{text: `"x"`, number: `1.5`, integer: `1`, boolean: `true`, list: `[]`, object: `{}`}
	takes := map[kind][]kind{
		text: {text}, number: {number, integer}, integer: {integer}, looseInteger: {integer}, boolean: {boolean},
		language: {}, list: {list}, object: {object}, anything: {text, number, integer, boolean, list, object},
	}
	check := func(field string, n *node, form string) {
		for k, sample := range samples {
			if k == object && n.kind == object || len(n.enum) > 0 && k == text || field == "type" {
				continue // judged by what is inside, or by itself
			}
			raw := fmt.Sprintf(form, field, sample)
			refused := slices.ContainsFunc(checkSDE([]byte(raw)).faults, func(f string) bool {
				return strings.Contains(f, field+" must be "+n.kind.rule())
			})
			if want := !slices.Contains(takes[n.kind], k); refused != want {
				t.Errorf("%s: refused = %v, want %v", raw, refused, want)
			}
		}
	}
	for name, schema := range sdes {
		for field, n := range schema.fields {
			check(field, n, `{"type":"`+name+`",%q:%s}`)
			for part, inner := range n.fields {
				check(part, inner, `{"type":"`+name+`","`+field+`":{%q:%s}}`)
			}
		}
	}
}

func TestSummary(t *testing.T) {
	signal, lp := Settings{Dialect: DialectSignal}.form(), Settings{Dialect: DialectLivePerson}.form()
	tests := []struct {
		name string
		form form
		raw  []string
		want string
	}{
		{"an order", signal, []string{`{"type":"purchase","total":11.70,"currency":"USD","orderId":"DRV1534XC"}`}, "purchase · USD 11.70 · DRV1534XC"},
		{"an order in whole units", signal, []string{`{"type":"purchase","total":100,"currency":"JPY"}`}, "purchase · JPY 100"},
		{"an order without a currency", signal, []string{`{"type":"purchase","total":5.5}`}, "purchase · 5.50"},
		{"an order without anything", signal, []string{`{"type":"purchase"}`}, "purchase"},
		{"a cart", signal, []string{`{"type":"cartStatus","total":84.7,"currency":"EUR","numItems":3}`}, "cartStatus · EUR 84.70 · 3 items"},
		{"a cart of one, as the reference calls it", lp, []string{`{"type":"cartStatus","total":1,"numItems":1}`}, "cart · 1 · 1 item"},
		{"a search", signal, []string{`{"type":"searchContent","keywords":["oolong","tea"]}`}, "searchContent · “oolong”"},
		{"a product", signal, []string{`{"type":"prodView","products":[{"product":{"sku":"M-1","name":"Stoneware mug"}},{"product":{"name":"Tea"}}]}`}, "prodView · Stoneware mug"},
		{"a product without a name", signal, []string{`{"type":"prodView","products":[{"product":{"sku":"M-1"}}]}`}, "prodView · M-1"},
		{"a lead", signal, []string{`{"type":"lead","lead":{"topic":"newsletter","value":1.5}}`}, "lead · newsletter"},
		{"a customer", signal, []string{`{"type":"ctmrinfo","info":{}}`, `{"type":"personal","personal":{}}`}, "ctmrinfo, personal"},
		{"many", lp, []string{`{"type":"prodView"}`, `{"type":"cartStatus","total":1,"numItems":1}`, `{"type":"prodView"}`}, "prodView ×2, cart"},
		{"a long name", signal, []string{`{"type":"lead","lead":{"topic":"` + strings.Repeat("ü", 70) + `"}}`}, "lead · " + strings.Repeat("ü", 59) + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var list []sde
			for _, raw := range tt.raw {
				s := checkSDE([]byte(raw))
				if len(s.faults) > 0 {
					t.Fatal(s.faults)
				}
				list = append(list, s)
			}
			if got := summary(&tt.form, list, nil); got != tt.want {
				t.Errorf("summary = %q, want %q", got, tt.want)
			}
		})
	}
}
