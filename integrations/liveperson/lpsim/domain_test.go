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
		{"D1 one service", "GET", one, Options{Host: "va.v.example"}, 200, `{"service":"smt","account":"12345678","baseURI":"va.v.example"}`},
		{"D1 the host asked, by default", "GET", one, Options{}, 200, `"baseURI":"example.com"`},
		{"D1 as a list", "GET", one, Options{HostList: true, Host: "h"}, 200, `{"baseURIs":[{"service":"smt","account":"12345678","baseURI":"h"}]}`},
		{"D2 all services", "GET", strings.Replace(one, "/smt", "", 1), Options{Host: "h"}, 200, `{"baseURIs":[{"service":"smt","account":"12345678","baseURI":"h"},{`},
		{"D3 services are case-sensitive", "GET", strings.Replace(one, "smt", "SMT", 1), Options{}, 404, ""},
		{"D4 the version is needed", "GET", strings.TrimSuffix(one, "?version=1.0"), Options{}, 400, ""},
		{"D5 an unknown account", "GET", strings.Replace(one, "12345678", "87654321", 1), Options{}, 401, ""},
		{"D5 any account", "GET", strings.Replace(one, "12345678", "87654321", 1), Options{AnyAccount: true}, 200, `"account":"87654321"`},
		{"D6 only GET", "POST", one, Options{}, 405, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(New(tt.o), tt.method, tt.path, "")
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) || tt.want == "" && w.Body.Len() > 0 {
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
}
