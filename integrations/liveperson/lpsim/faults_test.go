package lpsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFaultsAnswer(t *testing.T) {
	tests := []struct {
		name, fault string
		status      int
		code        int
		message     string
		header      string // name and value
		stored      bool
	}{
		{"T1: a status", `{"status":503,"count":1}`, 503, 18, "Service Unavailable", "", false},
		{"T1: a status with its code", `{"status":404,"code":18,"message":"no such app"}`, 404, 18, "no such app", "", false},
		{"T1: a status with code 0", `{"status":404,"code":0}`, 404, 0, "Not Found", "", false},
		{"T1: 429 with Retry-After", `{"status":429,"retry_after":"7"}`, 429, 0, "Too many requests", "Retry-After 7", false},
		{"T1: a page in HTML", `{"body":"html"}`, 502, 0, "", "Content-Type text/html; charset=utf-8", false},
		{"T1: a page in HTML with 200", `{"body":"html","status":200}`, 200, 0, "", "Content-Type text/html; charset=utf-8", false},
		{"S2: a cold account", `{"cold":1}`, 202, 38, "*", "", false},
		{"T1: a redirect", `{"redirect":"https://elsewhere.example/x"}`, 302, 0, "Found", "Location https://elsewhere.example/x", false},
		{"T1: another redirect", `{"redirect":"/x","status":307}`, 307, 0, "Temporary Redirect", "Location /x", false},
		{"T1: 500 with code 18", `{"status":500}`, 500, 18, "Internal Server Error", "", false},
		{"T1: Retry-After as a number", `{"status":503,"retry_after":7}`, 503, 18, "Service Unavailable", "Retry-After 7", false},
		{"T1: comes before everything", `{"status":503}`, 503, 18, "Service Unavailable", "", false},
		{"a fault that matches nothing", `{"status":503,"match":"another-sub"}`, 201, 0, "", "", true},
		{"a fault that matches the sub", `{"status":503,"match":"5be2f7a8-0c1d"}`, 503, 18, "Service Unavailable", "", false},
		{"a fault that matches the address", `{"status":503,"match":"/report"}`, 503, 18, "Service Unavailable", "", false},
		{"T4: another dialect", `{"dialect":"seed"}`, 405, 0, "Method Not Allowed", "Allow POST", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Options{})
			setFault(t, s, tt.fault)
			got := send(t, s, try{})
			if tt.message == "*" {
				tt.message = got.message
			}
			wantAnswer(t, got, tt.status, tt.code, tt.message)
			if name, value, ok := strings.Cut(tt.header, " "); ok && got.header.Get(name) != value {
				t.Errorf("header %s is %q, want %q", name, got.header.Get(name), value)
			}
			if stored := s.Status().Visitors == 1; stored != tt.stored {
				t.Errorf("stored %t, want %t", stored, tt.stored)
			}
			if r := s.Requests("5be2f7a8-0c1d"); len(r) != 1 || r[0].Status != tt.status {
				t.Errorf("requests of the sub: %+v, want one with status %d", r, tt.status)
			}
		})
	}
}

func TestFaultsEnd(t *testing.T) {
	s := New(Options{})
	setFault(t, s, `{"status":503,"count":2}`)
	setFault(t, s, `{"status":500}`)
	var got []int
	for range 4 {
		got = append(got, send(t, s, try{}).status)
	}
	if fmt.Sprint(got) != "[503 503 500 500]" {
		t.Errorf("answers %v, want the first fault twice, then the second", got)
	}
	var list struct{ Faults []Fault }
	_ = json.Unmarshal(ask(s, "GET", "/_sim/faults", "").Body.Bytes(), &list)
	if len(list.Faults) != 1 || list.Faults[0].Hit != 2 || list.Faults[0].What != "answers 500, code 18" {
		t.Fatalf("active faults %+v", list.Faults)
	}
	if w := ask(s, "DELETE", fmt.Sprintf("/_sim/faults/%d", list.Faults[0].ID), ""); w.Code != 204 {
		t.Errorf("end one: %d %s", w.Code, w.Body)
	}
	if w := ask(s, "DELETE", "/_sim/faults/99", ""); w.Code != 404 {
		t.Errorf("end what is not active: %d", w.Code)
	}
	if got := send(t, s, try{}).status; got != 201 {
		t.Errorf("after the end: %d, want 201", got)
	}
	setFault(t, s, `{"status":503}`)
	if w := ask(s, "DELETE", "/_sim/faults", ""); w.Code != 204 || len(s.faults.list()) != 0 {
		t.Errorf("end all: %d", w.Code)
	}
}

func TestFaultForAShareOfTheCalls(t *testing.T) {
	s := New(Options{SessionCap: -1})
	setFault(t, s, `{"status":503,"percent":30}`)
	failed := 0
	for range 1000 {
		if send(t, s, try{}).status == 503 {
			failed++
		}
	}
	if failed < 200 || failed > 400 {
		t.Errorf("%d of 1000 failed, want about 300", failed)
	}
}

// Everything that is wrong with a fault is named, field by field.
func TestNonsenseFaultsAreRefused(t *testing.T) {
	for _, tt := range []struct{ body, fields string }{
		{``, ""}, {`{`, ""}, {`[]`, ""}, {`{"status":503}{}`, ""}, {`{"status":503,"status":500}`, ""},
		{`{}`, "status"}, {`{"count":3}`, "status"}, {`{"status":42}`, "status"}, {`{"status":"503"}`, "status"}, {`{"status":503.5}`, "status"},
		{`{"stauts":503}`, "stauts"}, {`{"body":"xml"}`, "body"}, {`{"percent":101,"status":503}`, "percent"}, {`{"rate":0,"status":503}`, "rate"},
		{`{"rate":1.5,"status":503}`, "rate"}, {`{"rate":"5%","status":503}`, "rate"}, {`{"rate":0.5,"percent":50,"status":503}`, "rate"},
		{`{"seed":-1,"status":503}`, "seed"}, {`{"delay_ms":-1}`, "delay_ms"}, {`{"delay_ms":"2s"}`, "delay_ms"}, {`{"status":503,"count":-1}`, "count"},
		{`{"cold":1,"status":503}`, "cold"}, {`{"cold":-1}`, "cold status"}, {`{"reset":true,"status":503}`, "reset"}, {`{"reset":"later"}`, "reset"}, {`{"when":"soon","reset":true}`, "when"},
		{`{"truncate":true,"body":"html"}`, "truncate"}, {`{"truncate":1}`, "truncate"}, {`{"dialect":"latin"}`, "dialect"}, {`{"expire":true,"cold":1}`, "expire"},
		{`{"redirect":"https://a/","status":503}`, "status"}, {`{"redirect":"https://a/","body":"html"}`, "redirect"}, {`{"redirect":":%"}`, "redirect"},
		{`{"path":"visit","status":503}`, "path"}, {`{"path":"domain","sub":"x","status":503}`, "path"}, {`{"account":"1-2","status":503}`, "account"},
		{`{"host":"h","sub":"x"}`, "host"}, {`{"expire":true,"sde":"cart"}`, "expire"}, {`{"sub":7,"status":503}`, "sub"},
		{`{"id":4,"status":503}`, "id"}, {`{"what":"x","status":503}`, "what"}, {`{"status":503,"retry_after":"1\r\nX: y"}`, "retry_after"},
		{`{"retry_after":"7","delay_ms":1}`, "retry_after"}, {`{"code":5,"reset":true}`, "code"}, {`{"message":"x","cold":1}`, "message"}, {`{"when":"after","status":503}`, "when"},
		{`{"seed":7,"status":503}`, "seed"}, {`{"cold":3,"count":2}`, "count"}, {`{"expire":true,"count":1}`, "expire"}, {`{"dialect":"seed","rate":0.5}`, "dialect"},
		{`{"status":42,"count":-1,"when":"x","reset":true}`, "status count when reset"}, {`{"status":"x","count":"y"}`, "status count"},
	} {
		s := New(Options{})
		w := ask(s, "POST", "/_sim/faults", tt.body)
		var e struct {
			Error  string
			Fields []string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != 400 || e.Error == "" || strings.Join(e.Fields, " ") != tt.fields {
			t.Errorf("fault %s: %d %s, want 400 with the fields %q", tt.body, w.Code, w.Body, tt.fields)
		}
		for _, field := range e.Fields {
			if !strings.Contains(e.Error, field+": ") {
				t.Errorf("fault %s: the error %q does not name %s", tt.body, e.Error, field)
			}
		}
		if len(s.faults.list()) != 0 {
			t.Errorf("fault %s became active", tt.body)
		}
	}
}

func TestFaultsAsAList(t *testing.T) {
	five := 5
	for _, tt := range []struct {
		text string
		want Fault
		err  string
	}{
		{`status=503,rate=0.05`, Fault{Status: 503, Rate: 0.05}, ""},
		{` reset , count=3 `, Fault{Reset: true, Count: 3}, ""},
		{`reset=after,sub=4711`, Fault{Reset: true, When: "after", Sub: "4711"}, ""},
		{`status=400,code=5,message=no = yes`, Fault{Status: 400, Code: &five, Message: "no = yes"}, ""},
		{`status=429,retry_after=7`, Fault{Status: 429, RetryAfter: "7"}, ""},
		{`{"status":429,"retry_after":7}`, Fault{Status: 429, RetryAfter: "7"}, ""},
		{`cold=3`, Fault{Cold: 3}, ""},
		{`expire`, Fault{Expire: true}, ""},
		{`truncate=false,delay_ms=1`, Fault{DelayMS: 1}, ""},
		{``, Fault{}, "a list such as"},
		{`status=503,,`, Fault{}, "a list such as"},
		{`status=503,status=500`, Fault{}, "each field once"},
		{`status`, Fault{}, "status: want a whole number, got true"},
		{`status=many`, Fault{}, `status: want a whole number, got "many"`},
		{`status=503,sort=x`, Fault{}, "sort: there is no such field: use status, code"},
		{`status=1,"x":2`, Fault{}, "there is no such field"},
	} {
		got, err := ParseFault(tt.text)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: %v, want an error with %q", tt.text, err, tt.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v %v, want %+v", tt.text, got, err, tt.want)
		}
	}
}

// What was taken before the connection was cut is there twice when the client
// sends it again, and can be told by its id.
func TestARepeatAfterACutIsSeenDouble(t *testing.T) {
	s := New(Options{})
	order := attributes(`{"type":"purchase","total":1,"orderId":"O-1"}`, `{"type":"lead","lead":{"leadId":"L-1"}}`, `{"type":"service","service":{"serviceId":"S-1"}}`)
	first := send(t, s, try{})
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	setFault(t, s, `{"reset":"after","count":1}`)
	for i := range 3 {
		r, err := http.NewRequest("PUT", srv.URL+address+"?"+with(first.vid, first.sid), strings.NewReader(order))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := srv.Client().Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		if cut := err != nil; cut != (i == 0) {
			t.Fatalf("report %d: %v", i, err)
		}
	}
	send(t, s, try{body: order}) // in another session
	v, _ := s.Visitor("5be2f7a8-0c1d")
	var marks []string
	for _, e := range v.Orders {
		marks = append(marks, fmt.Sprintf("%s %t %d", e.OrderID, e.RepeatedOrder, e.RepeatOf))
	}
	if got := strings.Join(marks, ", "); got != "O-1 false 0, O-1 true 2, O-1 true 2, O-1 false 2" {
		t.Errorf("orders %s", got)
	}
	if e := v.Leads[1]; e.LeadID != "L-1" || !e.RepeatedLead || v.Leads[0].RepeatedLead {
		t.Errorf("leads %+v", v.Leads)
	}
	if e := v.History[6]; e.ServiceID != "S-1" || !e.RepeatedService {
		t.Errorf("service %+v", e)
	}
	st := s.Status()
	if got := fmt.Sprint(st.Repeated, st.ByStatus); got != "map[leadId:3 orderId:3 serviceId:3] map[200:2 201:2 cut:1]" {
		t.Errorf("status says %s", got)
	}
	w := ask(s, "GET", "/_sim/visitors/5be2f7a8-0c1d", "")
	for _, want := range []string{`"orderId":"O-1","repeatedOrderId":true`, `"leadId":"L-1","repeatedLeadId":true`, `"serviceId":"S-1","repeatedServiceActivity":true`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is not in the read-back", want)
		}
	}
	if page := ask(s, "GET", "/", "").Body.String(); !strings.Contains(page, "came again") {
		t.Error("the page does not say that the order came again")
	}
}

func TestFaultsOfTheStart(t *testing.T) {
	s := New(Options{Faults: []Fault{{Status: 503, Count: 1}, {Redirect: "https://elsewhere.example/", Count: 1}}})
	a, b, c := send(t, s, try{}), send(t, s, try{}), send(t, s, try{})
	if a.status != 503 || b.status != 302 || b.header.Get("Location") != "https://elsewhere.example/" || c.status != 201 {
		t.Errorf("answers %d, %d to %q, %d", a.status, b.status, b.header.Get("Location"), c.status)
	}
	if st := s.Status(); st.Faulted != 2 || st.Refused["503/18"] != 1 {
		t.Errorf("status %+v", st)
	}
}

func TestExpireEndsSessions(t *testing.T) {
	other := strings.ReplaceAll(search, "5be2", "6be2")
	for _, tt := range []struct {
		fault string
		ends  int
	}{
		{`{"expire":true}`, 2}, {`{"expire":true,"sub":"6be2f7a8-0c1d"}`, 1}, {`{"expire":true,"match":"6be2f7a8-0c1d"}`, 1},
		{`{"expire":true,"sub":"nobody"}`, 0}, {`{"expire":true,"account":"87654321"}`, 0}, {`{"expire":true,"account":"12345678","sub":"6be2f7a8-0c1d"}`, 1},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			s := New(Options{})
			send(t, s, try{})
			send(t, s, try{body: other})
			setFault(t, s, tt.fault)
			if st := s.Status(); st.SessionsExpired != tt.ends || st.SessionsLive != 2-tt.ends || st.SessionsCreated != 2 || st.Faults != 0 {
				t.Errorf("%+v, want %d ended", st, tt.ends)
			}
		})
	}
}

func TestDelay(t *testing.T) {
	for _, tt := range []struct {
		name, fault string
		early       bool // whether the report is stored before the wait
	}{
		{"the report is taken, then the answer waits", `{"delay_ms":2000}`, true},
		{"the report waits before it is taken", `{"delay_ms":2000,"when":"before"}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{})
				setFault(t, s, tt.fault)
				began := time.Now()
				done := make(chan out)
				go func() { done <- send(t, s, try{}) }()
				synctest.Wait()
				if stored := s.Status().Visitors == 1; stored != tt.early {
					t.Errorf("stored before the wait: %t, want %t", stored, tt.early)
				}
				got := <-done
				if took := time.Since(began); got.status != 201 || took != 2*time.Second {
					t.Errorf("%d after %s, want 201 after 2s", got.status, took)
				}
			})
		})
	}
}

func TestConnectionsAreCut(t *testing.T) {
	for _, tt := range []struct {
		name, fault string
		stored      bool
	}{
		{"reset stores nothing", `{"reset":true}`, false},
		{"reset after the report was taken", `{"reset":true,"when":"after"}`, true},
		{"the same in one word", `{"reset":"after"}`, true},
		{"half an answer", `{"truncate":true}`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Options{})
			srv := httptest.NewServer(s.Handler())
			defer srv.Close()
			setFault(t, s, tt.fault)
			r, err := http.NewRequest("PUT", srv.URL+address+"?v=1.1&obh=true", strings.NewReader(search))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			resp, err := srv.Client().Do(r)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			if err == nil {
				t.Error("a whole answer came")
			}
			if strings.Contains(tt.fault, "truncate") && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("half an answer ended with %v, want an unexpected end", err)
			}
			if stored := s.Status().Visitors == 1; stored != tt.stored {
				t.Errorf("stored %t, want %t", stored, tt.stored)
			}
		})
	}
}
