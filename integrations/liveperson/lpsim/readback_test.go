package lpsim

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestReadBack(t *testing.T) {
	s := New(Options{})
	a := send(t, s, try{body: `{"consumerId":"anon-1a","identities":[{"iss":"Shop","acr":"0","sub":"anon-1a"}],
		"entryPoints":["https://shop.example/","sec://mugs"],
		"engagementAttributes":[{"type":"personal","personal":{"firstname":"Jane","company":"Doe Ltd"}},{"type":"cart","total":84.70,"numItems":3},
			{"type":"service","service":{"topic":"first","serviceId":"1"}}]}`})
	send(t, s, try{query: with(a.vid, a.sid), body: `{"identities":[{"iss":"Shop","acr":"0","sub":"anon-1a"},{"iss":"Shop","acr":"loa1","sub":"anon-1a"}],
		"entryPoints":["https://shop.example/","https://shop.example/cart"],
		"engagementAttributes":[{"type":"personal","personal":{"lastname":"Doe"}},{"type":"cart","total":0,"numItems":0},
			{"type":"purchase","total":11.70,"orderId":"A"},{"type":"purchase","total":12345678901234567,"orderId":"B"},
			{"type":"service","service":{"topic":"second","serviceId":"2"}}]}`})
	read := func(query string) Visitor {
		t.Helper()
		var v Visitor
		w := ask(s, "GET", "/_sim/visitors/anon-1a"+query, "")
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return v
	}
	v := read("")
	if v.Reports != 2 || v.SessionsCreated != 1 || len(v.Sessions) != 1 || v.Vid != a.vid || v.Sid != a.sid || v.Level != "loa1" {
		t.Errorf("visitor %+v", v)
	}
	if got := string(v.Cart.SDE); got != `{"type":"cart","total":0,"numItems":0}` {
		t.Errorf("cart %s, want the last", got)
	}
	if got := string(v.Personal.SDE); got != `{"type":"personal","personal":{"lastname":"Doe"}}` {
		t.Errorf("messaging: personal %s, want the last alone", got)
	}
	if len(v.Services) != 1 || len(v.Orders) != 2 || len(v.History) != 8 || len(v.Pages) != 2 || len(v.EntryPoints) != 1 {
		t.Errorf("%d services, %d orders, %d in all, %d pages, %d entry points; want 1, 2, 8, 2, 1", len(v.Services), len(v.Orders), len(v.History), len(v.Pages), len(v.EntryPoints))
	}
	if !strings.Contains(string(v.Orders[0].SDE), "11.70") || !strings.Contains(string(v.Orders[1].SDE), "12345678901234567") {
		t.Errorf("digits were lost: %s %s", v.Orders[0].SDE, v.Orders[1].SDE)
	}
	v = read("?semantics=chat")
	if got := string(v.Personal.SDE); got != `{"type":"personal","personal":{"firstname":"Jane","company":"Doe Ltd","lastname":"Doe"}}` {
		t.Errorf("chat: personal %s, want both merged", got)
	}
	if len(v.Services) != 2 {
		t.Errorf("chat: %d services, want 2", len(v.Services))
	}
	if v := read("?sid=" + knownSid); len(v.History) != 0 || v.Cart != nil {
		t.Errorf("of another session: %+v", v.History)
	}
	if _, ok := s.Visitor(a.vid); !ok {
		t.Error("the visitor is not found by vid")
	}
}

func TestAnAuthenticatedIdentityLeads(t *testing.T) {
	s := New(Options{})
	anon := send(t, s, try{body: strings.ReplaceAll(search, "5be2f7a8-0c1d", "anon-1a")})
	got := send(t, s, try{query: with(anon.vid, anon.sid), body: `{"consumerId":"anon-1a","identities":[{"acr":"0","sub":"anon-1a"},{"acr":"loa1","sub":"person-1a"}],"engagementAttributes":[` + examples["lead"] + `]}`})
	wantAnswer(t, got, 200, 0, "")
	person, ok := s.Visitor("person-1a")
	if !ok || len(person.Leads) != 1 || person.SessionsCreated != 0 || len(person.Sessions) != 1 {
		t.Errorf("person %+v, want one lead in a session that was there", person)
	}
	if before, _ := s.Visitor("anon-1a"); before.Sub != "anon-1a" || len(before.Searches) != 1 || len(before.Leads) != 0 {
		t.Errorf("the visitor before: %+v", before)
	}
}
