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
		"marketingCampaignInfo", "ctmrInfo", "mrktinfo", "prodview", "Cart", "PURCHASE", "CART_STATUS", "viewedCart", "", "type",
	} {
		for _, o := range []Options{{}, {Lenient: true}, {Dialect: DialectReference}} {
			got := send(t, New(o), try{body: attributes(`{"type":"` + name + `","total":1,"numItems":1}`)})
			if got.status != 400 || got.code != 5 || got.message != "engagementAttributes[0].type" {
				t.Errorf("type %q: %d %q, want 400 for its type", name, got.status, got.message)
			}
		}
	}
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
		{"an attribute is an object", Options{}, `"cart"`, "!"},
		{"an attribute has a type", Options{}, `{}`, ".type"},
		{"a type is text", Options{}, `{"type":1}`, ".type"},
		{"an unknown field is refused", Options{}, `{"type":"lead","note":"x"}`, ".note"},
		{"an unknown field is ignored if lenient", Options{Lenient: true}, `{"type":"lead","note":"x"}`, ""},
		{"null counts as left out", Options{}, `{"type":"lead","lead":{"topic":null}}`, ""},
		{"null is not there", Options{}, `{"type":"cart","total":null,"numItems":1}`, ".total"},
		{"text may be long", Options{}, `{"type":"lead","lead":{"topic":"` + long[2:] + `"}}`, ""},
		{"text has an end", Options{}, `{"type":"lead","lead":{"topic":"` + long + `"}}`, ".lead.topic"},
		{"a whole number may have a zero fraction", Options{}, `{"type":"cart","total":1,"numItems":30.0}`, ""},
		{"a whole number has no other fraction", Options{}, `{"type":"cart","total":1,"numItems":30.5}`, ".numItems"},
		{"a number is not text", Options{}, `{"type":"cart","total":1,"numItems":"30"}`, ".numItems"},
		{"a number is finite", Options{}, `{"type":"cart","total":1e999,"numItems":1}`, ".total"},
		{"cart needs total", Options{}, `{"type":"cart","numItems":1}`, ".total"},
		{"cart needs numItems", Options{}, `{"type":"cart","total":1}`, ".numItems"},
		{"cart has no negative number of items", Options{}, `{"type":"cart","total":1,"numItems":-1}`, ".numItems"},
		{"a line needs its product", Options{}, `{"type":"cart","total":1,"numItems":1,"products":[{"quantity":1}]}`, ".products[0].product"},
		{"a product is an object", Options{}, `{"type":"cart","total":1,"numItems":1,"products":[{"product":"mug"}]}`, ".products[0].product"},
		{"a quantity is whole", Options{}, `{"type":"cart","total":1,"numItems":1,"products":[{"product":{},"quantity":1.5}]}`, ".products[0].quantity"},
		{"stock is only for views", Options{}, `{"type":"cart","total":1,"numItems":1,"products":[{"product":{"statusInStock":"low"}}]}`, ".products[0].product.statusInStock"},
		{"purchase has its products under cart", Options{}, `{"type":"purchase","products":[]}`, ".products"},
		{"a purchase's cart needs products", Options{}, `{"type":"purchase","cart":{"numItems":1}}`, ".cart.products"},
		{"a view may have a quantity", Options{}, `{"type":"prodView","products":[{"product":{},"quantity":1}]}`, ""},
		{"a view needs its product", Options{}, `{"type":"prodView","products":[{}]}`, ".products[0].product"},
		{"ctmrinfo is not flat", Options{}, `{"type":"ctmrinfo","customerId":"C-1"}`, ".customerId"},
		{"a date has all parts", Options{}, `{"type":"ctmrinfo","info":{"registrationDate":{"day":1,"month":2}}}`, ".info.registrationDate.year"},
		{"a month ends at 12", Options{}, `{"type":"ctmrinfo","info":{"registrationDate":{"day":1,"month":13,"year":2020}}}`, ".info.registrationDate.month"},
		{"a channel may be text", Options{}, `{"type":"mrktInfo","info":{"channel":"1"}}`, ""},
		{"a channel is decimal", Options{}, `{"type":"mrktInfo","info":{"channel":"01"}}`, ".info.channel"},
		{"a channel ends at 4", Options{}, `{"type":"mrktInfo","info":{"channel":5}}`, ".info.channel"},
		{"a channel ends at 6 if extended", more, `{"type":"mrktInfo","info":{"channel":6}}`, ""},
		{"campaignID is misspelt", Options{}, `{"type":"mrktInfo","info":{"campaignID":"x"}}`, ".info.campaignID"},
		{"contacts are a list", Options{}, `{"type":"personal","personal":{"contacts":{}}}`, ".personal.contacts"},
		{"gender is from a list", Options{}, `{"type":"personal","personal":{"gender":"female"}}`, ".personal.gender"},
		{"phoneType is from a list", Options{}, `{"type":"personal","personal":{"contacts":[{"phoneType":"CELL"}]}}`, ".personal.contacts[0].phoneType"},
		{"language may have _", Options{}, `{"type":"personal","personal":{"language":"fr_CA"}}`, ""},
		{"language may stand alone", Options{}, `{"type":"personal","personal":{"language":"fr"}}`, ""},
		{"language is no word", Options{}, `{"type":"personal","personal":{"language":"english"}}`, ".personal.language"},
		{"age may be written 30.0", Options{}, `{"type":"personal","personal":{"age":{"age":30.0}}}`, ""},
		{"age is whole", Options{}, `{"type":"personal","personal":{"age":{"age":30.5}}}`, ".personal.age.age"},
		{"lead is not flat", Options{}, `{"type":"lead","topic":"x"}`, ".topic"},
		{"a service status ends at 10", Options{}, `{"type":"service","service":{"status":11}}`, ".service.status"},
		{"a service status ends at 13 if extended", more, `{"type":"service","service":{"status":13}}`, ""},
		{"an error's code is text", Options{}, `{"type":"error","error":{"code":17}}`, ".error.code"},
		{"resolved is true or false", Options{}, `{"type":"error","error":{"resolved":"no"}}`, ".error.resolved"},
		{"keywords are a list", Options{}, `{"type":"searchInfo","keywords":"mug"}`, ".keywords"},
		{"keywords are text", Options{}, `{"type":"searchInfo","keywords":["mug",1]}`, ".keywords[1]"},
		{"a mobile app may have no search", Options{Rules: map[string]bool{RuleNoSearch: true}}, examples["searchInfo"], ".type"},
		{"an impression needs its numbers", Options{}, `{"type":"impClose","campaign":1,"engId":2}`, ".revision"},
		{"a context is an engagement's", Options{}, `{"type":"impDisplay","campaign":1,"engId":2,"revision":3,"eContext":[{"type":"x","id":"1"}]}`, ".eContext[0].type"},
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
		{"B9 an e-mail address as sub", try{body: strings.ReplaceAll(search, "5be2f7a8-0c1d", "jane@example.com")}, "guessable_sub"},
		{"B9 a number as sub", try{body: strings.ReplaceAll(search, "5be2f7a8-0c1d", "4711")}, "guessable_sub"},
		{"B9 a phone number as sub", try{body: strings.ReplaceAll(search, "5be2f7a8-0c1d", "+1 212-555-0100")}, "guessable_sub"},
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
		})
	}
}
