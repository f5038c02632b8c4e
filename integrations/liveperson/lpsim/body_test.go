package lpsim

import (
	"strings"
	"testing"
)

func TestBodyRules(t *testing.T) {
	sde := `"engagementAttributes":[{"type":"searchInfo"}]`
	id := `"consumerId":"5be2f7a8-0c1d",`
	lenient := Options{Lenient: true}
	tests := []struct {
		name string
		o    Options
		body string
		want string // the message of 400/5, "" for taken
	}{
		{"B1: an unknown field is refused", Options{}, `{"userAgent":"x",` + id + sde + `}`, "userAgent"},
		{"B1: an unknown field is ignored if lenient", lenient, `{"userAgent":"x",` + id + sde + `}`, ""},
		{"B2: attributes are needed", Options{}, `{"consumerId":"5be2f7a8-0c1d"}`, "engagementAttributes"},
		{"B2: attributes are a list", Options{}, `{` + id + `"engagementAttributes":{}}`, "engagementAttributes"},
		{"B2: attributes are not empty", Options{}, `{` + id + `"engagementAttributes":[]}`, "engagementAttributes"},
		{"B2: attributes may be empty if switched", Options{Rules: map[string]bool{RuleNotEmpty: false}}, `{` + id + `"engagementAttributes":[]}`, ""},
		{"B3: somebody must be named", Options{}, `{` + sde + `}`, "consumerId"},
		{"B3: an empty consumerId names nobody", Options{}, `{"consumerId":"",` + sde + `}`, "consumerId"},
		{"B3: a sub is enough", Options{}, `{"identities":[{"acr":"0","sub":"5be2f7a8"}],` + sde + `}`, ""},
		{"B4: consumerId is text", Options{}, `{"consumerId":7,"identities":[{"acr":"0","sub":"5be2f7a8"}],` + sde + `}`, "consumerId"},
		{"B5: identities are a list", Options{}, `{` + id + `"identities":{},` + sde + `}`, "identities"},
		{"B5: identities are objects", Options{}, `{` + id + `"identities":["x"],` + sde + `}`, "identities"},
		{"B6: acr is needed", Options{}, `{` + id + `"identities":[{"sub":"5be2f7a8"}],` + sde + `}`, "identities.acr"},
		{"B6: acr is not a number", Options{}, `{` + id + `"identities":[{"acr":0,"sub":"5be2f7a8"}],` + sde + `}`, "identities.acr"},
		{"B6: acr is 0 or loa1", Options{}, `{` + id + `"identities":[{"acr":"1","sub":"5be2f7a8"}],` + sde + `}`, "identities.acr"},
		{"B7: sub is not empty", Options{}, `{` + id + `"identities":[{"acr":"0","sub":""}],` + sde + `}`, "identities.sub"},
		{"B7: sub is text", Options{}, `{` + id + `"identities":[{"acr":"0","sub":5}],` + sde + `}`, "identities.sub"},
		{"B8: iss is text", Options{}, `{` + id + `"identities":[{"acr":"0","sub":"5be2f7a8","iss":1}],` + sde + `}`, "identities.iss"},
		{"B8: an identity has no further keys", Options{}, `{` + id + `"identities":[{"acr":"0","sub":"5be2f7a8","email":"x"}],` + sde + `}`, "identities"},
		{"B8: further keys are ignored if lenient", lenient, `{` + id + `"identities":[{"acr":"0","sub":"5be2f7a8","email":"x"}],` + sde + `}`, ""},
		{"B8: two identities are fine", Options{}, `{"identities":[{"acr":"0","sub":"5be2f7a8"},{"acr":"loa1","sub":"6f1e0c5e"}],` + sde + `}`, ""},
		{"B10: ids may differ", Options{}, `{` + id + `"engagementAttributes":[{"type":"ctmrinfo","info":{"customerId":"C-1"}}]}`, ""},
		{"B10: ids may not differ if asked", Options{Rules: map[string]bool{RuleCustomerID: true}}, `{` + id + `"engagementAttributes":[{"type":"ctmrinfo","info":{"customerId":"C-1"}}]}`, "customerId"},
		{"B10: equal ids are fine if asked", Options{Rules: map[string]bool{RuleCustomerID: true}}, `{"consumerId":"C-1","engagementAttributes":[{"type":"ctmrinfo","info":{"customerId":"C-1"}}]}`, ""},
		{"B10: comes before B11", Options{Rules: map[string]bool{RuleCustomerID: true}}, `{` + id + `"pageId":7,"engagementAttributes":[{"type":"ctmrinfo","info":{"customerId":"C-1"}}]}`, "customerId"},
		{"B3: comes before B5", Options{}, `{"identities":{},` + sde + `}`, "consumerId"},
		{"B4: a consumerId is not empty beside a sub", Options{}, `{"consumerId":"","identities":[{"acr":"0","sub":"5be2f7a8"}],` + sde + `}`, "consumerId"},
		{"B4: a consumerId is not null", Options{}, `{"consumerId":null,"identities":[{"acr":"0","sub":"5be2f7a8"}],` + sde + `}`, "consumerId"},
		{"B2: null is no list", Options{}, `{` + id + `"engagementAttributes":null}`, "engagementAttributes"},
		{"B1: comes before B2", Options{}, `{"userAgent":"x","engagementAttributes":[]}`, "userAgent"},
		{"B13: lenient does not check them on a report", lenient, `{"clientProperties":{"osName":"BeOS"},` + id + sde + `}`, ""},
		{"B11: pageId has at most 20 digits", Options{}, `{"pageId":"` + strings.Repeat("1", 21) + `",` + id + sde + `}`, "pageId"},
		{"B12: there is something behind the scheme", Options{}, `{"entryPoints":["sec://"],` + id + sde + `}`, "entryPoints"},
		{"B12: any text if lenient", lenient, `{"entryPoints":["/cart"],` + id + sde + `}`, ""},
		{"B12: but text, also if lenient", lenient, `{"entryPoints":[1],` + id + sde + `}`, "entryPoints"},
		{"B14: nothing of a report is taken if one is bad", Options{}, `{` + id + `"engagementAttributes":[{"type":"searchInfo"},{"type":"horoscope"}]}`, "engagementAttributes[1].type"},
		{"B11: pageId is text", Options{}, `{"pageId":7,` + id + sde + `}`, "pageId"},
		{"B11: pageId is digits", Options{}, `{"pageId":"p7",` + id + sde + `}`, "pageId"},
		{"B11: pageId is any text if lenient", lenient, `{"pageId":"p\"7",` + id + sde + `}`, ""},
		{"B12: entryPoints are a list", Options{}, `{"entryPoints":"https://a",` + id + sde + `}`, "entryPoints"},
		{"B12: entryPoints are text", Options{}, `{"entryPoints":[1],` + id + sde + `}`, "entryPoints"},
		{"B12: entryPoints have a scheme", Options{}, `{"entryPoints":["/cart"],` + id + sde + `}`, "entryPoints"},
		{"B12: a scheme is lower case", Options{}, `{"entryPoints":["HTTPS://a"],` + id + sde + `}`, "entryPoints"},
		{"B12: every documented form is fine", Options{}, `{"entryPoints":["https://a/b","sec://Sport","tel://972737004000","lang://English"],` + id + sde + `}`, ""},
		{"B13: clientProperties are an object", Options{}, `{"clientProperties":[],` + id + sde + `}`, "clientProperties"},
		{"B13: deviceFamily is from a list", Options{}, `{"clientProperties":{"deviceFamily":"PHONE"},` + id + sde + `}`, "clientProperties.deviceFamily"},
		{"B13: osName is from a list", Options{}, `{"clientProperties":{"osName":"BeOS"},` + id + sde + `}`, "clientProperties.osName"},
		{"B13: ipAddress is IPv4", Options{}, `{"clientProperties":{"ipAddress":"::1"},` + id + sde + `}`, "clientProperties.ipAddress"},
		{"B13: other properties are text", Options{}, `{"clientProperties":{"osVersion":10},` + id + sde + `}`, "clientProperties.osVersion"},
		{"B13: the documented properties are fine", Options{}, `{"clientProperties":{"appVersion":"1","deviceFamily":"DESKTOP","ipAddress":"127.0.0.1","osName":"WINDOWS","os":"IOS","osVersion":"10"},` + id + sde + `}`, ""},
		{"B14: the first wrong path is named", Options{}, `{` + id + `"engagementAttributes":[{"type":"searchInfo"},{"type":"lead"},{"type":"purchase","cart":{"total":1,"products":[]}}]}`, "engagementAttributes[2].cart.total"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(tt.o)
			got := send(t, s, try{body: tt.body})
			if tt.want == "" {
				wantAnswer(t, got, 201, 0, "")
				return
			}
			wantAnswer(t, got, 400, 5, tt.want)
			if n := s.Status().Visitors; n != 0 {
				t.Errorf("%d visitors stored of a refused report, want 0", n)
			}
		})
	}
}

func TestVidAloneIdentifies(t *testing.T) {
	s := New(Options{})
	got := send(t, s, try{query: "v=1.1&obh=true&vid=" + knownVid, body: `{"engagementAttributes":[{"type":"searchInfo"}]}`})
	if got.status != 201 || got.vid != knownVid {
		t.Fatalf("B3, S7: %d with vid %q, want 201 with the vid that was sent", got.status, got.vid)
	}
	if _, ok := s.Visitor(knownVid); !ok {
		t.Error("the visitor is not found by its vid")
	}
}

func TestSeedForm(t *testing.T) {
	cart := `{"type":"cartStatus","total":84.70,"currency":"EUR","numItems":3}`
	find := `{"type":"searchContent","keywords":["mug"]}`
	tests := []struct {
		name, dialect string
		try           try
		status        int
		message       string
	}{
		{"a page alone is taken", "", seedTry(attributes()), 201, ""},
		{"attributes must still be there", "", seedTry(`{"consumerId":"5be2f7a8"}`), 400, "engagementAttributes"},
		{"the seed's names are taken", "", seedTry(attributes(cart, find)), 201, ""},
		{"the seed's names are checked as LivePerson's own", "", seedTry(attributes(`{"type":"cartStatus","total":1}`)), 400, "engagementAttributes[0].numItems"},
		{"other read-back names are unknown", "", seedTry(attributes(`{"type":"viewedProduct"}`)), 400, "engagementAttributes[0].type"},
		{"the reference form has no cartStatus", "", try{body: attributes(cart)}, 400, "engagementAttributes[0].type"},
		{"the reference form has no searchContent", DialectReference, try{body: attributes(find)}, 400, "engagementAttributes[0].type"},
		{"a page alone is refused in the reference form", DialectReference, try{body: attributes()}, 400, "engagementAttributes"},
		{"the seed alone has no cart", DialectSeed, seedTry(attributes(`{"type":"cart","total":0,"numItems":0}`)), 400, "engagementAttributes[0].type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := send(t, New(Options{Dialect: tt.dialect}), tt.try)
			if got.status != tt.status || got.message != tt.message {
				t.Errorf("%d %q, want %d %q", got.status, got.message, tt.status, tt.message)
			}
		})
	}
	s := New(Options{})
	send(t, s, seedTry(attributes(`{"type":"cart","total":0,"numItems":0}`)))
	if got := s.Lints("5be2f7a8-0c1d", "mixed_form"); len(got) != 1 || !strings.Contains(got[0].Text, "cartStatus") {
		t.Errorf("lints of a mixed form: %+v, want one that names cartStatus", got)
	}
}
