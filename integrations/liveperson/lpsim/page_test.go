package lpsim

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestPages(t *testing.T) {
	s := New(Options{})
	tests := []struct {
		name, path string
		status     int
		want       []string
	}{
		{"nobody yet", "/", 200, []string{"No visitor yet", "not LivePerson", "0 visitors"}},
		{"an unknown visitor", "/visitors/%3Cscript%3E", 404, []string{"There is no visitor &lt;script&gt;"}},
		{"no such page", "/visitors/", 404, []string{"There is no page here"}},
	}
	check := func(t *testing.T, path string, status int, want []string) {
		t.Helper()
		w := ask(s, "GET", path, "")
		body := w.Body.String()
		if w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s: %q is not on the page", path, text)
			}
		}
		if strings.Contains(body, "ZgotmplZ") || strings.Contains(body, " style=") || regexp.MustCompile(`<script(?: [^>]*)?>[^<]`).MatchString(body) || strings.Contains(body, " onclick") {
			t.Errorf("%s: the page has something its policy forbids", path)
		}
		if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, got)
		}
		if n := strings.Count(body, "<h1"); n != 1 {
			t.Errorf("%s: %d h1, want one", path, n)
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, tt.path, tt.status, tt.want) })
	}
	a := send(t, s, seedTry(`{"consumerId":"a1b2c3d4-e5f6","identities":[{"iss":"Datafly","acr":"0","sub":"a1b2c3d4-e5f6"}],"entryPoints":["https://shop.example/mugs"],
		"engagementAttributes":[{"type":"cartStatus","total":84.7,"currency":"EUR","numItems":3,"products":[{"product":{"name":"Mug <1>","sku":"M-1","price":29.9},"quantity":2}]},
		{"type":"searchContent","keywords":["mug"]},`+examples["ctmrinfo"]+`,`+examples["mrktInfo"]+`,`+examples["lead"]+`,`+examples["service"]+`,`+examples["error"]+`,`+examples["prodView"]+`]}`))
	if a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	send(t, s, try{method: "POST", query: "v=1.0&vid=" + a.vid + "&sid=" + a.sid, body: `{"identities":[{"iss":"Datafly","acr":"loa1","sub":"a1b2c3d4-e5f6"}],"engagementAttributes":[` + examples["personal"] + `,{"type":"purchase","total":11.70,"currency":"USD","orderId":"DRV1534XC"}]}`})
	setFault(t, s, `{"status":503,"count":1}`)
	send(t, s, seedTry(attributes()))
	setFault(t, s, `{"delay_ms":2000}`)
	want := []string{
		"Jane Doe", "JD", "DRV1534XC", "USD 11.70", "EUR 84.70", "Mug &lt;1&gt;", "29.90", "“mug”", "/mugs", "C-4711", "gold", "jane@example.com",
		"loa1", a.vid, a.sid, "test drive", "open account, in progress", "Expiry date missing (E-17)", "google", "customerId without loa1.", "waits 2000 ms", "1 visitor",
	}
	t.Run("the newest visitor is opened", func(t *testing.T) { check(t, "/", 200, want) })
	t.Run("a visitor", func(t *testing.T) { check(t, "/visitors/a1b2c3d4-e5f6?account=12345678", 200, want) })
	t.Run("requests", func(t *testing.T) {
		check(t, "/requests", 200, []string{"on purpose", "503", "cartStatus", "3 received, 2 taken"})
	})
	t.Run("requests of one", func(t *testing.T) { check(t, "/requests?sub=nobody", 200, []string{"No request of nobody is kept."}) })
	t.Run("faults", func(t *testing.T) { check(t, "/faults", 200, []string{"What should go wrong?"}) })
	t.Run("forget", func(t *testing.T) { check(t, "/forget", 200, []string{"1 visitor, 3 requests and 1 active fault"}) })
}

func TestFormsWorkWithoutScript(t *testing.T) {
	s := New(Options{})
	post := func(path string, form url.Values) (int, string, string) {
		w := ask(s, "POST", path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		return w.Code, w.Header().Get("Location"), w.Body.String()
	}
	for _, tt := range []struct {
		name string
		form url.Values
		want string // what the fault does; else a text of the page that says what is wrong
	}{
		{"a status", url.Values{"kind": {"status"}, "status": {"429"}, "retry_after": {"7"}, "count": {"3"}}, "answers 429, Retry-After 7"},
		{"a delay", url.Values{"kind": {"delay"}, "delay_ms": {"1500"}, "percent": {"10"}}, "waits 1500 ms, 10 % of the calls"},
		{"a reset", url.Values{"kind": {"reset"}, "match": {"abc"}}, `cuts the connection, only where "abc" occurs`},
		{"half an answer", url.Values{"kind": {"truncate"}}, "sends half the answer"},
		{"HTML", url.Values{"kind": {"html"}}, "answers 502 with a page in HTML"},
		{"a cold account", url.Values{"kind": {"cold"}, "count": {"2"}}, "says that the account is loading"},
		{"a dialect", url.Values{"kind": {"reference"}}, "takes only the reference form"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.EndFault(0)
			tt.form.Set("back", "/visitors/x?account=1")
			code, to, body := post("/faults", tt.form)
			if code != 303 || to != "/visitors/x?account=1" {
				t.Fatalf("%d to %q: %s", code, to, body)
			}
			if list := s.faults.list(); len(list) != 1 || list[0].What != tt.want {
				t.Errorf("faults %+v, want %q", list, tt.want)
			}
		})
	}
	s.EndFault(0)
	for _, tt := range []struct {
		form url.Values
		want string
	}{
		{url.Values{}, "Choose what goes wrong."},
		{url.Values{"kind": {"status"}}, "Status is missing"},
		{url.Values{"kind": {"status"}, "status": {"many"}}, "&#34;many&#34; is none."},
		{url.Values{"kind": {"status"}, "status": {"42"}}, "status: 42 is no HTTP status"},
		{url.Values{"kind": {"reset"}, "count": {"-3"}}, "How many reports is a whole number"},
	} {
		if code, _, body := post("/faults", tt.form); code != 400 || !strings.Contains(body, tt.want) {
			t.Errorf("%v: %d without %q", tt.form, code, tt.want)
		}
	}
	setFault(t, s, `{"status":503}`)
	if code, to, _ := post("/faults/end", url.Values{"id": {"0"}, "back": {"//evil.example"}}); code != 303 || to != "/" || len(s.faults.list()) != 0 {
		t.Errorf("end all: %d to %q", code, to)
	}
	send(t, s, try{})
	if code, to, _ := post("/forget", nil); code != 303 || to != "/" || s.Status().Visitors != 0 {
		t.Errorf("forget: %d to %q", code, to)
	}
}

func TestStaticFiles(t *testing.T) {
	s := New(Options{})
	for name, kind := range map[string]string{"sim.css": "text/css; charset=utf-8", "sim.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
		w := ask(s, "GET", "/_sim/static/"+name, "")
		if w.Code != 200 || w.Header().Get("Content-Type") != kind || w.Body.Len() == 0 {
			t.Errorf("%s: %d %q", name, w.Code, w.Header().Get("Content-Type"))
		}
		if again := ask(s, "GET", "/_sim/static/"+name, "", "If-None-Match", w.Header().Get("ETag")); again.Code != 304 {
			t.Errorf("%s again: %d, want 304", name, again.Code)
		}
	}
	if w := ask(s, "GET", "/_sim/static/none", ""); w.Code != 404 {
		t.Errorf("no such file: %d", w.Code)
	}
}

func TestServe(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, "127.0.0.1:0", Options{}, w) }()
	line := make([]byte, 200)
	n, err := r.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	base := regexp.MustCompile(`http://[0-9.:]+`).Find(line[:n])
	if base == nil || bytes.Count(line[:n], []byte("\n")) != 1 {
		t.Fatalf("printed %q, want one line with the address", line[:n])
	}
	resp, err := http.Get(string(base) + "/_sim/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 100)
	if n, err := resp.Body.Read(first); err != nil || !strings.Contains(string(first[:n]), `data: {"version":`) {
		t.Errorf("stream began with %q, %v", first[:n], err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("serve ended with %v, want nil", err)
	}
	if err := Serve(t.Context(), "127.0.0.1:0", Options{Rules: map[string]bool{"typo": true}}, io.Discard); err == nil || !strings.Contains(err.Error(), `"typo"`) {
		t.Errorf("a rule that does not exist: %v", err)
	}
}
