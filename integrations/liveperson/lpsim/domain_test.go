package lpsim

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestDomainRules(t *testing.T) {
	one := "/api/account/12345678/service/smt/baseURI.json?version=1.0"
	tests := []struct {
		name, method, path string
		o                  Options
		status             int
		want               string // of the body
	}{
		{"D1: one service", "GET", one, Options{Host: "va.v.example"}, 200, `{"service":"smt","account":"12345678","baseURI":"va.v.example"}`},
		{"D1: the host asked, by default", "GET", one, Options{}, 200, `"baseURI":"example.com"`},
		{"D1: as a list", "GET", one, Options{HostList: true, Host: "h"}, 200, `{"baseURIs":[{"service":"smt","account":"12345678","baseURI":"h"}]}`},
		{"D2: all services", "GET", strings.Replace(one, "/smt", "", 1), Options{Host: "h"}, 200, `{"baseURIs":[{"service":"smt","account":"12345678","baseURI":"h"},{`},
		{"D1: exactly this", "GET", one, Options{Host: "va.v.example"}, 200, `={"service":"smt","account":"12345678","baseURI":"va.v.example"}`},
		{"D3: an unknown service", "GET", strings.Replace(one, "smt", "visits", 1), Options{}, 404, ""},
		{"D4: another version", "GET", strings.Replace(one, "1.0", "1.1", 1), Options{}, 400, ""},
		{"D4: the version twice", "GET", one + "&version=1.0", Options{}, 400, ""},
		{"D5: any account is still well-formed", "GET", strings.Replace(one, "12345678", "12-34", 1), Options{AnyAccount: true}, 401, ""},
		{"D6: not even HEAD", "HEAD", one, Options{}, 405, ""},
		{"T3: an empty service is no address", "GET", strings.Replace(one, "smt", "", 1), Options{}, 404, `"message":"null for uri","internalCode":28`},
		{"D3: services are case-sensitive", "GET", strings.Replace(one, "smt", "SMT", 1), Options{}, 404, ""},
		{"D4: the version is needed", "GET", strings.TrimSuffix(one, "?version=1.0"), Options{}, 400, ""},
		{"D5: an unknown account", "GET", strings.Replace(one, "12345678", "87654321", 1), Options{}, 401, ""},
		{"D5: any account", "GET", strings.Replace(one, "12345678", "87654321", 1), Options{AnyAccount: true}, 200, `"account":"87654321"`},
		{"D6: only GET", "POST", one, Options{}, 405, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(New(tt.o), tt.method, tt.path, "")
			exact, isExact := strings.CutPrefix(tt.want, "=")
			if w.Code != tt.status || !strings.Contains(w.Body.String(), exact) || (isExact || tt.want == "") && w.Body.String() != exact {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, tt.status, tt.want)
			}
			if tt.status == 200 && w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("content type %q", w.Header().Get("Content-Type"))
			}
		})
	}
}

func TestDomainMoves(t *testing.T) {
	c := newClock()
	s := New(Options{Now: c.now, Host: "old.example", MovedHost: "new.example", MovedAfter: 1})
	look := func() string {
		var a service
		_ = json.Unmarshal(ask(s, "GET", "/api/account/12345678/service/smt/baseURI.json?version=1.0", "").Body.Bytes(), &a)
		return a.BaseURI
	}
	if got := look(); got != "old.example" {
		t.Fatalf("first lookup %q", got)
	}
	c.forward(time.Minute)
	if got := look(); got != "new.example" || len(s.Lints("", "domain_lookups")) != 0 {
		t.Fatalf("D7: second lookup %q, lints %v", got, s.Lints("", ""))
	}
	if look(); len(s.Lints("", "domain_lookups")) != 1 {
		t.Errorf("D8: lints %v, want one", s.Lints("", ""))
	}
	old := try{}.request()
	old.Host = "old.example"
	func() {
		defer func() {
			if recover() == nil {
				t.Error("D7: the old host still answers")
			}
		}()
		s.Handler().ServeHTTP(httptest.NewRecorder(), old)
	}()
	setFault(t, s, `{"host":"127.0.0.1:9"}`)
	if got := look(); got != "127.0.0.1:9" {
		t.Errorf("host by fault: %q", got)
	}
}

// D7 with no host set: what was answered first is the old one.
func TestTheHostThatWasAskedMoves(t *testing.T) {
	s := New(Options{MovedHost: "new.example", MovedAfter: 1})
	for range 2 {
		ask(s, "GET", lookupPath+"?version=1.0", "")
	}
	if s.cutOff("new.example") || s.cutOff("another.example") || !s.cutOff("example.com") {
		t.Error("example.com was answered before the move, so it alone is cut off")
	}
	setFault(t, s, `{"status":503,"path":"domain","count":1}`)
	if w := ask(s, "GET", lookupPath+"?version=1.0", ""); w.Code != 503 || s.Status().Lookups != 2 || s.Status().Requests != 0 {
		t.Errorf("%d, %+v; want 503, no lookup and no request of the Monitoring API", w.Code, s.Status())
	}
}

func TestEngagement(t *testing.T) {
	e := Engagement{CampaignID: 2695999112, EngagementID: 2696029112, Revision: 3, ConnectorID: 2696029012, EntryPoint: "sec://mugs"}
	s := New(Options{Engagements: []Engagement{e}, Conversations: map[string]string{"talks-1a": "C-9"}})
	path := strings.Replace(address, "report", "engagement", 1)
	ids := `"identities":[{"acr":"0","sub":"5be2f7a8-0c1d"}]`
	shown := `{"type":"impDisplay","campaign":2695999112,"engId":2696029112,"revision":3,"eContext":[{"type":"engagementContext","id":"1"}]}`

	none := send(t, s, try{method: "POST", path: path, body: `{` + ids + `}`})
	if none.status != 201 || strings.Contains(none.body, "engagementDetails") {
		t.Fatalf("without a match: %d %s", none.status, none.body)
	}
	wantAnswer(t, send(t, s, try{query: with(none.vid, none.sid), body: `{` + ids + `,"engagementAttributes":[` + shown + `]}`}), 400, 5, "eContext")
	offer := send(t, s, try{method: "POST", path: path, query: with(none.vid, none.sid), body: `{` + ids + `,"entryPoints":["sec://mugs"]}`})
	want := `"engagementDetails":[{"campaignId":2695999112,"engagementId":2696029112,"engagementRevision":3,"contextId":"1","connectorId":2696029012,"status":"expose"}]}`
	if offer.status != 200 || !strings.HasSuffix(offer.body, want) {
		t.Fatalf("offer: %d %s", offer.status, offer.body)
	}
	for _, imp := range []string{shown, `{"type":"impExpanded","expanded":null,"userInit":null,"actionableItems":null,"campaign":2695999112,"engId":2696029112,"revision":3}`} {
		wantAnswer(t, send(t, s, try{query: with(none.vid, none.sid), body: `{` + ids + `,"engagementAttributes":[` + imp + `]}`}), 200, 0, "")
	}
	wantAnswer(t, send(t, s, try{query: with(none.vid, none.sid), body: `{` + ids + `,"engagementAttributes":[` + strings.Replace(shown, "3,", "4,", 1) + `]}`}), 400, 5, "eContext")
	wantAnswer(t, send(t, s, try{method: "POST", path: path, body: `{` + ids + `,"engagementAttributes":[` + shown + `]}`}), 400, 5, "engagementAttributes[0].type")
	talk := send(t, s, try{method: "POST", path: path, body: `{"consumerId":"talks-1a"}`})
	if !strings.Contains(talk.body, `"conversationId":"C-9","status":"conversation"`) || strings.Contains(talk.body, "contextId") || !json.Valid([]byte(talk.body)) {
		t.Errorf("open conversation: %s", talk.body)
	}
	if !strings.Contains(talk.body, `"campaignId":2695999112`) || !strings.Contains(talk.body, `"connectorId":2696029012`) {
		t.Errorf("open conversation without its engagement: %s", talk.body)
	}
	wantAnswer(t, send(t, s, try{query: with(none.vid, none.sid), body: `{` + ids + `,"engagementAttributes":[` + strings.Replace(shown, `[{"type":"engagementContext","id":"1"}]`, "[]", 1) + `]}`}), 400, 5, "eContext")
	wantAnswer(t, send(t, s, try{query: with(none.vid, none.sid), body: `{` + ids + `,"engagementAttributes":[` + strings.Replace(shown, `"id":"1"`, `"id":"2"`, 1) + `]}`}), 400, 5, "eContext")
	bare := New(Options{Conversations: map[string]string{"talks-1a": "C-9"}})
	if got := send(t, bare, try{method: "POST", path: path, body: `{"identities":[{"acr":"0","sub":"anon-1a"},{"acr":"0","sub":"talks-1a"}]}`}); !strings.HasSuffix(got.body, `,"engagementDetails":[{"conversationId":"C-9","status":"conversation"}]}`) {
		t.Errorf("a conversation of a further identity: %s", got.body)
	}
}

// 15.6: /engagement has the checks of /report, but for B2 and B3.
func TestEngagementRules(t *testing.T) {
	path := strings.Replace(address, "report", "engagement", 1)
	post := func(body string) try { return try{method: "POST", path: path, body: body} }
	override := post(`{}`)
	override.header = map[string]string{"X-HTTP-Method-Override": "PUT"}
	tests := []struct {
		name    string
		o       Options
		try     try
		status  int
		code    int
		message string
	}{
		{"T4: PUT is refused", Options{}, try{path: path}, 405, 0, "Method Not Allowed"},
		{"T4: an override is refused", Options{}, override, 405, 0, "Method Not Allowed"},
		{"T5: v is needed", Options{}, try{method: "POST", path: path, query: "obh=true"}, 400, 33, "Illegal Version"},
		{"T14: the body is an object", Options{}, post(`[]`), 400, 5, "body"},
		{"B1: no unknown field", Options{}, post(`{"x":1}`), 400, 5, "x"},
		{"B2: attributes may be left out", Options{}, post(`{"consumerId":"5be2f7a8"}`), 201, 0, ""},
		{"B2: attributes may be empty", Options{}, post(attributes()), 201, 0, ""},
		{"B2: attributes are a list", Options{}, post(`{"engagementAttributes":{}}`), 400, 5, "engagementAttributes"},
		{"B3: nobody need be named", Options{}, post(`{}`), 201, 0, ""},
		{"B4: a consumerId is not empty", Options{}, post(`{"consumerId":""}`), 400, 5, "consumerId"},
		{"B13: clientProperties are checked, also if lenient", Options{Lenient: true}, post(`{"clientProperties":{"deviceFamily":"PHONE"}}`), 400, 5, "clientProperties.deviceFamily"},
		{"B14: attributes are checked", Options{}, post(attributes(`{"type":"cart"}`)), 400, 5, "engagementAttributes[0].total"},
		{"B14: impressions are refused", Options{}, post(attributes(`{"type":"impClose","campaign":1,"engId":2,"revision":3}`)), 400, 5, "engagementAttributes[0].type"},
		{"B14: impressions are refused, also if lenient", Options{Lenient: true}, post(attributes(`{"type":"impTimeout","campaign":1,"engId":2,"revision":3}`)), 400, 5, "engagementAttributes[0].type"},
		{"S2: a cold account", Options{ColdCalls: 1}, try{method: "POST", path: path, body: `{}`, query: "v=1.1&obh=true&vid=" + knownVid}, 202, 38, "Loading account: 12345678, vid: " + knownVid},
		{"S4: a vid has its form", Options{}, try{method: "POST", path: path, body: `{}`, query: with("abc", knownSid)}, 404, 37, "invalid visitorId"},
		{"T1: a fault comes first", Options{Faults: []Fault{{Status: 429, Count: 1}}}, post(`{}`), 429, 0, "Too many requests"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantAnswer(t, send(t, New(tt.o), tt.try), tt.status, tt.code, tt.message)
		})
	}
}
