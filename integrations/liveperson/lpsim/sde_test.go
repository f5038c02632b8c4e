package lpsim

import (
	"strings"
	"testing"
)

// examples are the documented shapes of every attribute.
var examples = map[string]string{
	"cart": `{"type":"cart","total":84.7,"currency":"EUR","numItems":3,"products":[
  {"product":{"name":"Mug","category":"kitchen","sku":"M-1","price":29.9},"quantity":2},
  {"product":{"name":"Tea","category":"food","sku":"T-9","price":24.9},"quantity":1}]}`,
	"empty cart": `{"type":"cart","total":0,"numItems":0}`,
	"purchase": `{"type":"purchase","total":84.7,"currency":"EUR","orderId":"O-1001","cart":{"numItems":3,"products":[
  {"product":{"name":"Mug","category":"kitchen","sku":"M-1","price":29.9},"quantity":2},
  {"product":{"name":"Tea","category":"food","sku":"T-9","price":24.9},"quantity":1}]}}`,
	"short purchase": `{"type":"purchase","total":11.70,"orderId":"DRV1534XC"}`,
	"prodView": `{"type":"prodView","currency":"EUR","products":[{"product":{
  "name":"Mug","category":"kitchen","sku":"M-1","price":29.9,"statusInStock":"low","quantityInStock":7}}]}`,
	"ctmrinfo": `{"type":"ctmrinfo","info":{
  "cstatus":"active","ctype":"gold","customerId":"C-4711","balance":-12.5,"currency":"EUR",
  "socialId":"11256324780","imei":"354354654354568","userName":"jdoe","companySize":50,
  "companyBranch":"North","accountName":"Doe Ltd","role":"buyer",
  "lastPaymentDate":{"day":15,"month":10,"year":2024},"registrationDate":{"day":23,"month":5,"year":2019},
  "storeNumber":"1241","storeZipCode":"12205"}}`,
	"mrktInfo": `{"type":"mrktInfo","info":{"channel":1,"affiliate":"google","campaignId":"spring-sale"}}`,
	"personal": `{"type":"personal","personal":{
  "firstname":"Jane","lastname":"Doe","age":{"age":34,"year":1990,"month":4,"day":15},
  "contacts":[{"email":"jane@example.com","phone":"+1 212-555-0100","phoneType":"MOBILE",
               "address":{"country":"Germany","region":"Bavaria"}}],
  "gender":"FEMALE","company":"Doe Ltd","language":"en-US"}}`,
	"lead":       `{"type":"lead","lead":{"topic":"test drive","value":22.2,"currency":"EUR","leadId":"L-77"}}`,
	"service":    `{"type":"service","service":{"topic":"open account","status":1,"category":"finance","serviceId":"S-12"}}`,
	"error":      `{"type":"error","error":{"contextId":"credit card form","message":"Expiry date missing","code":"E-17","level":10,"resolved":false}}`,
	"searchInfo": `{"type":"searchInfo","keywords":["reset password"]}`,
}

func TestEveryExampleIsTaken(t *testing.T) {
	for name, sde := range examples {
		t.Run(name, func(t *testing.T) {
			for _, o := range []Options{{}, {Lenient: true}, {Dialect: DialectReference}} {
				wantAnswer(t, send(t, New(o), try{body: attributes(sde)}), 201, 0, "")
			}
		})
	}
	full := `{
  "identities": [{"iss": "https://www.shop.example", "acr": "loa1", "sub": "6f1e0c5e8c0b4d0f9a8b"}],
  "pageId": "1674628973",
  "entryPoints": ["https://www.shop.example/thanks", "sec://checkout", "lang://English"],
  "engagementAttributes": [
    {"type": "purchase", "total": 59.8, "currency": "EUR", "orderId": "O-1001",
     "cart": {"numItems": 2, "products": [
       {"product": {"name": "Mug", "category": "kitchen", "sku": "M-1", "price": 29.9}, "quantity": 2}]}},
    {"type": "lead", "lead": {"topic": "newsletter", "value": 1.5, "currency": "EUR", "leadId": "L-7"}}
  ]
}`
	got := send(t, New(Options{}), try{body: full, query: with(knownVid, knownSid)})
	if got.status != 201 || got.page != "1674628973" || got.vid != knownVid {
		t.Errorf("full example: %d %s", got.status, got.body)
	}
}

func TestZeroesAreValues(t *testing.T) {
	s := New(Options{})
	wantAnswer(t, send(t, s, try{body: attributes(
		`{"type":"purchase","total":0}`, `{"type":"cart","total":0,"numItems":0}`, `{"type":"service","service":{"status":0}}`,
		`{"type":"mrktInfo","info":{"channel":0}}`, `{"type":"error","error":{"resolved":false}}`,
	)}), 201, 0, "")
	v, _ := s.Visitor("5be2f7a8-0c1d")
	if len(v.History) != 5 || string(v.History[4].SDE) != `{"type":"error","error":{"resolved":false}}` {
		t.Errorf("history %+v", v.History)
	}
}

func TestReadBackNamesAndWrongCasesAreRefused(t *testing.T) {
	for _, name := range []string{
		"cartStatus", "serviceActivity", "visitorError", "searchContent", "viewedProduct", "customerInfo", "personalInfo",
		"marketingCampaignInfo", "ctmrInfo", "mrktinfo", "prodview", "Cart", "PURCHASE", "CART_STATUS", "MARKETING_CAMPAIGN_INFO", "searchinfo", "",
	} {
		for _, o := range []Options{{}, {Lenient: true}, {Dialect: DialectReference}} {
			got := send(t, New(o), try{body: attributes(`{"type":"` + name + `","total":1,"numItems":1}`)})
			if got.status != 400 || got.code != 5 || got.message != "engagementAttributes[0].type" {
				t.Errorf("type %q: %d %q, want 400 for its type", name, got.status, got.message)
			}
		}
	}
	t.Run("a type that nobody knows is no engagement, if it is taken at all", func(t *testing.T) {
		s := New(Options{Lenient: true})
		wantAnswer(t, send(t, s, try{body: attributes(`{"type":"impossible"}`)}), 201, 0, "")
		v, _ := s.Visitor("5be2f7a8-0c1d")
		if len(v.History) != 1 || len(v.Impressions) != 0 {
			t.Errorf("%d attributes, %d impressions; want one and none", len(v.History), len(v.Impressions))
		}
	})
}

func TestAttributeRules(t *testing.T) {
	long := strings.Repeat("ä", 50_001)
	more := Options{Rules: map[string]bool{RuleMoreEnums: true}}
	tests := []struct {
		name string
		o    Options
		sde  string
		want string // path after engagementAttributes[0], "" for taken
	}{
		{"all: an attribute is an object", Options{}, `"cart"`, "!"},
		{"all: an attribute has a type", Options{}, `{}`, ".type"},
		{"all: a type is text", Options{}, `{"type":1}`, ".type"},
		{"all: an unknown field is refused", Options{}, `{"type":"lead","note":"x"}`, ".note"},
		{"all: an unknown field is ignored if lenient", Options{Lenient: true}, `{"type":"lead","note":"x"}`, ""},
		{"all: null counts as left out", Options{}, `{"type":"lead","lead":{"topic":null}}`, ""},
		{"all: null is not there where a value is needed", Options{}, `{"type":"cart","total":null,"numItems":1}`, ".total"},
		{"all: text may be long", Options{}, `{"type":"lead","lead":{"topic":"` + long[2:] + `"}}`, ""},
		{"all: text has an end", Options{}, `{"type":"lead","lead":{"topic":"` + long + `"}}`, ".lead.topic"},
		{"all: a whole number may have a zero fraction", Options{}, `{"type":"cart","total":1,"numItems":30.0}`, ""},
		{"all: a whole number has no other fraction", Options{}, `{"type":"cart","total":1,"numItems":30.5}`, ".numItems"},
		{"all: a number is not text", Options{}, `{"type":"cart","total":1,"numItems":"30"}`, ".numItems"},
		{"all: a number is finite", Options{}, `{"type":"cart","total":1e999,"numItems":1}`, ".total"},
		{"cart: total is needed", Options{}, `{"type":"cart","numItems":1}`, ".total"},
		{"cart: numItems is needed", Options{}, `{"type":"cart","total":1}`, ".numItems"},
		{"cart: numItems is not negative", Options{}, `{"type":"cart","total":1,"numItems":-1}`, ".numItems"},
		{"cart: a line needs its product", Options{}, `{"type":"cart","total":1,"numItems":1,"products":[{"quantity":1}]}`, ".products[0].product"},
		{"cart: a product is an object", Options{}, `{"type":"cart","total":1,"numItems":1,"products":[{"product":"mug"}]}`, ".products[0].product"},
		{"cart: a quantity is whole", Options{}, `{"type":"cart","total":1,"numItems":1,"products":[{"product":{},"quantity":1.5}]}`, ".products[0].quantity"},
		{"cart: stock is only for views", Options{}, `{"type":"cart","total":1,"numItems":1,"products":[{"product":{"statusInStock":"low"}}]}`, ".products[0].product.statusInStock"},
		{"purchase: products stand under cart", Options{}, `{"type":"purchase","products":[]}`, ".products"},
		{"purchase: its cart needs products", Options{}, `{"type":"purchase","cart":{"numItems":1}}`, ".cart.products"},
		{"prodView: a quantity beside the product is fine", Options{}, `{"type":"prodView","products":[{"product":{},"quantity":1}]}`, ""},
		{"prodView: an entry needs its product", Options{}, `{"type":"prodView","products":[{}]}`, ".products[0].product"},
		{"ctmrinfo: fields stand under info", Options{}, `{"type":"ctmrinfo","customerId":"C-1"}`, ".customerId"},
		{"ctmrinfo: a date has all parts", Options{}, `{"type":"ctmrinfo","info":{"registrationDate":{"day":1,"month":2}}}`, ".info.registrationDate.year"},
		{"ctmrinfo: a month ends at 12", Options{}, `{"type":"ctmrinfo","info":{"registrationDate":{"day":1,"month":13,"year":2020}}}`, ".info.registrationDate.month"},
		{"mrktInfo: a channel may be text", Options{}, `{"type":"mrktInfo","info":{"channel":"1"}}`, ""},
		{"mrktInfo: a channel is decimal", Options{}, `{"type":"mrktInfo","info":{"channel":"01"}}`, ".info.channel"},
		{"mrktInfo: a channel ends at 4", Options{}, `{"type":"mrktInfo","info":{"channel":5}}`, ".info.channel"},
		{"mrktInfo: a channel ends at 6 if extended", more, `{"type":"mrktInfo","info":{"channel":6}}`, ""},
		{"mrktInfo: campaignID is misspelt", Options{}, `{"type":"mrktInfo","info":{"campaignID":"x"}}`, ".info.campaignID"},
		{"personal: contacts are a list", Options{}, `{"type":"personal","personal":{"contacts":{}}}`, ".personal.contacts"},
		{"personal: gender is from a list", Options{}, `{"type":"personal","personal":{"gender":"female"}}`, ".personal.gender"},
		{"personal: phoneType is from a list", Options{}, `{"type":"personal","personal":{"contacts":[{"phoneType":"CELL"}]}}`, ".personal.contacts[0].phoneType"},
		{"personal: language may have _", Options{}, `{"type":"personal","personal":{"language":"fr_CA"}}`, ""},
		{"personal: language may stand alone", Options{}, `{"type":"personal","personal":{"language":"fr"}}`, ""},
		{"personal: language is no word", Options{}, `{"type":"personal","personal":{"language":"english"}}`, ".personal.language"},
		{"personal: age may be written 30.0", Options{}, `{"type":"personal","personal":{"age":{"age":30.0}}}`, ""},
		{"personal: age is whole", Options{}, `{"type":"personal","personal":{"age":{"age":30.5}}}`, ".personal.age.age"},
		{"lead: fields stand under lead", Options{}, `{"type":"lead","topic":"x"}`, ".topic"},
		{"service: status ends at 10", Options{}, `{"type":"service","service":{"status":11}}`, ".service.status"},
		{"service: status ends at 13 if extended", more, `{"type":"service","service":{"status":13}}`, ""},
		{"error: code is text", Options{}, `{"type":"error","error":{"code":17}}`, ".error.code"},
		{"error: resolved is true or false", Options{}, `{"type":"error","error":{"resolved":"no"}}`, ".error.resolved"},
		{"searchInfo: keywords are a list", Options{}, `{"type":"searchInfo","keywords":"mug"}`, ".keywords"},
		{"searchInfo: keywords are text", Options{}, `{"type":"searchInfo","keywords":["mug",1]}`, ".keywords[1]"},
		{"searchInfo: a mobile app may have none", Options{Rules: map[string]bool{RuleNoSearch: true}}, examples["searchInfo"], ".type"},
		{"impClose: the numbers are needed", Options{}, `{"type":"impClose","campaign":1,"engId":2}`, ".revision"},
		{"impDisplay: a context is an engagement's", Options{}, `{"type":"impDisplay","campaign":1,"engId":2,"revision":3,"eContext":[{"type":"x","id":"1"}]}`, ".eContext[0].type"},
		{"cart: total is a number", Options{}, `{"type":"cart","total":"1","numItems":1}`, ".total"},
		{"cart: products are a list", Options{}, `{"type":"cart","total":1,"numItems":1,"products":{}}`, ".products"},
		{"cart: a line is an object", Options{}, `{"type":"cart","total":1,"numItems":1,"products":["mug"]}`, ".products[0]"},
		{"cart: orderId is not of it", Options{}, `{"type":"cart","total":1,"numItems":1,"orderId":"1"}`, ".orderId"},
		{"cart: currency is text", Options{}, `{"type":"cart","total":1,"numItems":1,"currency":978}`, ".currency"},
		{"cart: a price is a number", Options{}, `{"type":"cart","total":1,"numItems":1,"products":[{"product":{"price":"1"}}]}`, ".products[0].product.price"},
		{"purchase: nothing but the type is needed", Options{}, `{"type":"purchase"}`, ""},
		{"purchase: total is a number", Options{}, `{"type":"purchase","total":"11.70"}`, ".total"},
		{"purchase: orderId is text", Options{}, `{"type":"purchase","orderId":1}`, ".orderId"},
		{"purchase: cart has no total", Options{}, `{"type":"purchase","cart":{"products":[],"total":1}}`, ".cart.total"},
		{"purchase: numItems is whole", Options{}, `{"type":"purchase","cart":{"products":[],"numItems":1.5}}`, ".cart.numItems"},
		{"prodView: stock is a whole number", Options{}, `{"type":"prodView","products":[{"product":{"quantityInStock":1.5}}]}`, ".products[0].product.quantityInStock"},
		{"prodView: total is not of it", Options{}, `{"type":"prodView","total":1}`, ".total"},
		{"ctmrinfo: info is an object", Options{}, `{"type":"ctmrinfo","info":"gold"}`, ".info"},
		{"ctmrinfo: a day ends at 31", Options{}, `{"type":"ctmrinfo","info":{"lastPaymentDate":{"day":32,"month":1,"year":2020}}}`, ".info.lastPaymentDate.day"},
		{"ctmrinfo: a year begins at 1900", Options{}, `{"type":"ctmrinfo","info":{"lastPaymentDate":{"day":1,"month":1,"year":1899}}}`, ".info.lastPaymentDate.year"},
		{"ctmrinfo: a balance may be negative", Options{}, `{"type":"ctmrinfo","info":{"balance":-0.5}}`, ""},
		{"ctmrinfo: companySize is whole", Options{}, `{"type":"ctmrinfo","info":{"companySize":"50"}}`, ".info.companySize"},
		{"ctmrinfo: loginStatus is whole", Options{}, `{"type":"ctmrinfo","info":{"loginStatus":true}}`, ".info.loginStatus"},
		{"ctmrinfo: customerId is text", Options{}, `{"type":"ctmrinfo","info":{"customerId":4711}}`, ".info.customerId"},
		{"mrktInfo: fields stand under info", Options{}, `{"type":"mrktInfo","channel":1}`, ".channel"},
		{"mrktInfo: a channel is not negative", Options{}, `{"type":"mrktInfo","info":{"channel":-1}}`, ".info.channel"},
		{"personal: fields stand under personal", Options{}, `{"type":"personal","firstname":"Jane"}`, ".firstname"},
		{"personal: an address has country and region", Options{}, `{"type":"personal","personal":{"contacts":[{"address":{"city":"x"}}]}}`, ".personal.contacts[0].address.city"},
		{"service: status is not negative", Options{}, `{"type":"service","service":{"status":-1}}`, ".service.status"},
		{"service: status is not text", Options{}, `{"type":"service","service":{"status":"1"}}`, ".service.status"},
		{"error: level is whole", Options{}, `{"type":"error","error":{"level":1.5}}`, ".error.level"},
		{"error: fields stand under error", Options{}, `{"type":"error","message":"x"}`, ".message"},
		{"impAccept: eContext is needed", Options{}, `{"type":"impAccept","campaign":1,"engId":2,"revision":3}`, ".eContext"},
		{"impAccept: eContext is a list", Options{}, `{"type":"impAccept","campaign":1,"engId":2,"revision":3,"eContext":{}}`, ".eContext"},
		{"impDisplay: an id is text", Options{}, `{"type":"impDisplay","campaign":1,"engId":2,"revision":3,"eContext":[{"type":"engagementContext","id":1}]}`, ".eContext[0].id"},
		{"impTimeout: a number is no text", Options{}, `{"type":"impTimeout","campaign":"1","engId":2,"revision":3}`, ".campaign"},
		{"impExpanded: campaign is not null", Options{}, `{"type":"impExpanded","campaign":null,"engId":2,"revision":3}`, ".campaign"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := send(t, New(tt.o), try{body: attributes(tt.sde)})
			if tt.want == "" {
				wantAnswer(t, got, 201, 0, "")
				return
			}
			wantAnswer(t, got, 400, 5, "engagementAttributes[0]"+strings.TrimPrefix(tt.want, "!"))
		})
	}
}

func TestLints(t *testing.T) {
	loa1 := func(sde string) string {
		return `{"identities":[{"iss":"S","acr":"loa1","sub":"5be2f7a8-0c1d"}],"engagementAttributes":[` + sde + `]}`
	}
	tests := []struct {
		name string
		try  try
		want string // the one code, "" for none
	}{
		{"a right report has none", try{body: attributes(examples["cart"], examples["purchase"], examples["lead"], examples["service"])}, ""},
		{"obh is not true", try{query: "v=1.1"}, "obh_not_true"},
		{"the seed's form has no obh", seedTry(attributes()), ""},
		{"a purchase without orderId", try{body: attributes(`{"type":"purchase","total":1}`)}, "purchase_without_order_id"},
		{"a lead without leadId", try{body: attributes(`{"type":"lead"}`)}, "lead_without_lead_id"},
		{"a service without serviceId", try{body: attributes(`{"type":"service"}`)}, "service_without_service_id"},
		{"a customerId without loa1", try{body: attributes(`{"type":"ctmrinfo","info":{"customerId":"C-1"}}`)}, "customer_id_without_loa1"},
		{"a customerId with loa1", try{body: loa1(`{"type":"ctmrinfo","info":{"customerId":"C-1"}}`)}, ""},
		{"store fields with loa1", try{body: loa1(`{"type":"ctmrinfo","info":{"storeNumber":"1"}}`)}, "store_field_with_loa1"},
		{"numItems differs", try{body: attributes(`{"type":"cart","total":2,"numItems":3,"products":[{"product":{"price":1},"quantity":2}]}`)}, "num_items_differs"},
		{"total differs", try{body: attributes(`{"type":"cart","total":3,"numItems":2,"products":[{"product":{"price":1},"quantity":2}]}`)}, "total_differs"},
		{"a total without prices cannot differ", try{body: attributes(`{"type":"cart","total":3,"numItems":2,"products":[{"product":{},"quantity":2}]}`)}, ""},
		{"an unusual currency", try{body: attributes(`{"type":"cart","total":0,"numItems":0,"currency":"€"}`)}, "currency_form"},
		{"B9: an e-mail address as sub", try{body: strings.ReplaceAll(search, "5be2f7a8-0c1d", "jane@example.com")}, "guessable_sub"},
		{"B9: a number as sub", try{body: strings.ReplaceAll(search, "5be2f7a8-0c1d", "4711")}, "guessable_sub"},
		{"B9: a phone number as sub", try{body: strings.ReplaceAll(search, "5be2f7a8-0c1d", "+1 212-555-0100")}, "guessable_sub"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Options{})
			if got := send(t, s, tt.try); got.status != 201 {
				t.Fatalf("answer %d %s, want 201", got.status, got.body)
			}
			var codes []string
			for _, l := range s.Lints("", "") {
				codes = append(codes, l.Code)
			}
			if got := strings.Join(codes, " "); got != tt.want {
				t.Errorf("lints %q, want %q", got, tt.want)
			}
			if tt.want == "" {
				return
			}
			if n := s.Status().LintsByName[tt.want]; n != 1 {
				t.Errorf("GET /_sim counts %d, want 1", n)
			}
			silent := New(Options{Rules: map[string]bool{tt.want: false}})
			if send(t, silent, tt.try); len(silent.Lints("", "")) != 0 {
				t.Errorf("switched off, it remarks %+v", silent.Lints("", ""))
			}
		})
	}
}
