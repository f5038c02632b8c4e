package lpsim

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTransportRules(t *testing.T) {
	h := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	path := func(account, app, tail string) string { return "/api/account/" + account + "/app/" + app + tail }
	override := h("X-HTTP-Method-Override", "PUT")
	tests := []struct {
		name    string
		o       Options
		try     try
		status  int
		code    int
		message string
	}{
		{"T2: plain HTTP is refused where TLS is required", Options{RequireTLS: true}, try{}, 400, 5, "https"},
		{"T3: a trailing slash is another address", Options{}, try{path: address + "/"}, 404, 28, "null for uri"},
		{"T3: the address is case-sensitive", Options{}, try{path: strings.Replace(address, "report", "Report", 1)}, 404, 28, "null for uri"},
		{"T3: a missing account is another address", Options{}, try{path: "/api/account/app/x/report"}, 404, 28, "null for uri"},
		{"T3: comes before the method", Options{}, try{method: "GET", path: "/api/x"}, 404, 28, "null for uri"},
		{"T4: PUT is taken", Options{}, try{}, 201, 0, ""},
		{"T4: POST with the override is taken", Options{}, try{method: "POST", header: override}, 201, 0, ""},
		{"T4: the override is not case-sensitive", Options{}, try{method: "POST", header: h("X-HTTP-Method-Override", "put")}, 201, 0, ""},
		{"T4: POST with another override is refused", Options{}, try{method: "POST", header: h("X-HTTP-Method-Override", "PATCH")}, 405, 0, "Method Not Allowed"},
		{"T4: GET is refused", Options{}, try{method: "GET"}, 405, 0, "Method Not Allowed"},
		{"T4: plain POST is the seed's form in both", Options{}, seedTry(""), 201, 0, ""},
		{"T4: plain POST is refused by the reference", Options{Dialect: DialectReference}, seedTry(""), 405, 0, "Method Not Allowed"},
		{"T4: plain POST is taken by the reference if allowed", Options{Dialect: DialectReference, Rules: map[string]bool{RulePlainPost: true}}, seedTry(""), 201, 0, ""},
		{"T4: PUT is refused by the seed", Options{Dialect: DialectSeed}, try{}, 405, 0, "Method Not Allowed"},
		{"T4: the override is refused by the seed", Options{Dialect: DialectSeed}, try{method: "POST", header: override}, 405, 0, "Method Not Allowed"},
		{"T3: two slashes are another address", Options{}, try{path: "/" + address}, 404, 28, "null for uri"},
		{"T3: one part more is another address", Options{}, try{path: address + "/x"}, 404, 28, "null for uri"},
		{"T3: a hidden slash is another account", Options{}, try{path: path("1234%2F678", DefaultApp, "/report")}, 400, 5, "accountId"},
		{"T4: comes before T5", Options{}, try{method: "GET", query: "v=9"}, 405, 0, "Method Not Allowed"},
		{"T5: v=1.0 is fine", Options{}, try{query: "v=1.0&obh=true"}, 201, 0, ""},
		{"T5: v=1.00 is not", Options{}, try{query: "v=1.00"}, 400, 33, "Illegal Version"},
		{"T5: an empty v is not", Options{}, try{query: "v="}, 400, 33, "Illegal Version"},
		{"T5: comes before T6", Options{}, try{path: path("12-34", DefaultApp, "/report"), query: "v=9"}, 400, 33, "Illegal Version"},
		{"T5: v may be escaped", Options{}, try{query: "v=1%2E1&obh=true"}, 201, 0, ""},
		{"T9: an empty obh is refused", Options{}, try{query: "v=1.1&obh="}, 400, 5, "obh"},
		{"T9: obh=false is fine", Options{}, try{query: "v=1.1&obh=false"}, 201, 0, ""},
		{"T9: of two, the wrong one counts", Options{Lenient: true, Rules: map[string]bool{RuleOnBehalf: true}}, try{query: "v=1.1&obh=true&obh=no"}, 400, 5, "obh"},
		{"T10: the first unknown one is named", Options{}, try{query: "v=1.1&zebra=1&ant=1"}, 400, 5, "zebra"},
		{"T10: names are case-sensitive", Options{}, try{query: "v=1.1&VID=x"}, 400, 5, "VID"},
		{"T10: a value that cannot be read is refused", Options{}, try{query: "v=1.1&vid=%zz"}, 400, 5, "vid"},
		{"T10: a name that cannot be read is refused", Options{}, try{query: "v=1.1&%zz=1"}, 400, 5, "%zz"},
		{"T10: a semicolon divides nothing", Options{}, try{query: "v=1.1&obh=true;x=1"}, 400, 5, "obh"},
		{"T10: empty parts are nothing", Options{}, try{query: "&v=1.1&&obh=true&"}, 201, 0, ""},
		{"T11: comes before T12", Options{}, try{header: h("Content-Type", "text/plain", "Authorization", "x")}, 415, 5, "Content-Type"},
		{"T13: exactly the limit is fine", Options{MaxBody: len(search)}, try{}, 201, 0, ""},
		{"T13: a byte more is not", Options{MaxBody: len(search) - 1}, try{}, 413, 5, "body"},
		{"T14: half a surrogate pair is no UTF-8", Options{}, try{body: `{"pageId":"\ud800"}`}, 400, 5, "body"},
		{"T14: no byte order mark", Options{}, try{body: "\ufeff" + search}, 400, 5, "body"},
		{"T14: no empty body", Options{}, try{body: " "}, 400, 5, "body"},
		{"T14: no number with a leading zero", Options{}, try{body: `{"pageId":01}`}, 400, 5, "body"},
		{"T14: no duplicate names by escape", Options{}, try{body: `{"pageId":"1","page\u0049d":"2"}`}, 400, 5, "body"},
		{"T14: no duplicate among many names", Options{}, try{body: manyNames(40)}, 400, 5, "body"},
		{"T5: v is needed", Options{}, try{query: "obh=true"}, 400, 33, "Illegal Version"},
		{"T5: v must be known", Options{}, try{query: "v=1.2"}, 400, 33, "Illegal Version"},
		{"T5: v must be a number", Options{}, try{query: "v=one"}, 400, 33, "Illegal Version"},
		{"T5: v twice is refused", Options{}, try{query: "v=1.1&v=1.1"}, 400, 33, "Illegal Version"},
		{"T5: v=1 is 1.0", Options{}, try{query: "v=1"}, 201, 0, ""},
		{"T6: an account is letters, digits and _", Options{}, try{path: path("12-34", DefaultApp, "/report")}, 400, 5, "accountId"},
		{"T6: an account has at most 20 characters", Options{}, try{path: path(strings.Repeat("1", 21), DefaultApp, "/report")}, 400, 5, "accountId"},
		{"T6: an account is not empty", Options{}, try{path: path("", DefaultApp, "/report")}, 400, 5, "accountId"},
		{"T7: an account must be known", Options{}, try{path: path("87654321", DefaultApp, "/report")}, 404, 6, "Invalid account"},
		{"T8: an app must be of the account", Options{}, try{path: path(DefaultAccount, "123", "/report")}, 404, 18, "invalid appInstallationId"},
		{"T8: an app is not empty", Options{AnyAccount: true}, try{path: path(DefaultAccount, "", "/report")}, 404, 18, "invalid appInstallationId"},
		{"T7 T8: any account takes every app", Options{AnyAccount: true}, try{path: path("87654321", "123", "/report")}, 201, 0, ""},
		{"T9: obh is true or false", Options{}, try{query: "v=1.1&obh=1"}, 400, 5, "obh"},
		{"T10: an unknown parameter is refused", Options{}, try{query: "v=1.1&debug=1"}, 400, 5, "debug"},
		{"T10: an unknown parameter is ignored if lenient", Options{Lenient: true}, try{query: "v=1.1&debug=1"}, 201, 0, ""},
		{"T10: a parameter twice is refused", Options{}, try{query: "v=1.1&obh=true&obh=true"}, 400, 5, "obh"},
		{"T11: the content type is JSON", Options{}, try{header: h("Content-Type", "text/plain")}, 415, 5, "Content-Type"},
		{"T11: the content type is needed", Options{}, try{header: h("Content-Type", "")}, 415, 5, "Content-Type"},
		{"T11: UTF-8 may be named", Options{}, try{header: h("Content-Type", `application/json; charset="UTF-8"`)}, 201, 0, ""},
		{"T11: no other charset", Options{}, try{header: h("Content-Type", "application/json; charset=latin1")}, 415, 5, "Content-Type"},
		{"T11: a single rule can be switched off", Options{Rules: map[string]bool{RuleContentType: false}}, try{header: h("Content-Type", "text/plain")}, 201, 0, ""},
		{"T12: credentials are refused", Options{}, try{header: h("Authorization", "Bearer x")}, 400, 5, "Authorization"},
		{"T12: credentials are ignored if lenient", Options{Lenient: true}, try{header: h("Authorization", "Bearer x")}, 201, 0, ""},
		{"T13: a body has a limit", Options{MaxBody: 20}, try{}, 413, 5, "body"},
		{"T14: the body is an object", Options{}, try{body: `[]`}, 400, 5, "body"},
		{"T14: no trailing data", Options{}, try{body: search + "{}"}, 400, 5, "body"},
		{"T14: no duplicate names", Options{}, try{body: `{"pageId":"1","pageId":"2"}`}, 400, 5, "body"},
		{"T14: no duplicate names further down", Options{}, try{body: attributes(`{"type":"searchInfo","type":"searchInfo"}`)}, 400, 5, "body"},
		{"T14: valid UTF-8", Options{}, try{body: "{\"pageId\":\"\xff\"}"}, 400, 5, "body"},
		{"T14: no depth without end", Options{}, try{body: `{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`}, 400, 5, "body"},
		{"T14: white space around is fine", Options{}, try{body: "\n " + search + "\n"}, 201, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantAnswer(t, send(t, New(tt.o), tt.try), tt.status, tt.code, tt.message)
		})
	}
}

// manyNames has n names, and the first once more.
func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"f%d":1,`, i)
	}
	return "{" + b.String() + `"f0":1}`
}

// T13 holds also where the length is not known before.
func TestALongBodyInChunks(t *testing.T) {
	for _, size := range []int{len(search), len(search) + 1} {
		r := try{}.request()
		r.ContentLength = -1
		r.Body = io.NopCloser(strings.NewReader(search + strings.Repeat(" ", size-len(search))))
		w := httptest.NewRecorder()
		New(Options{MaxBody: len(search)}).Handler().ServeHTTP(w, r)
		if want := map[bool]int{true: 201, false: 413}[size == len(search)]; w.Code != want {
			t.Errorf("%d bytes: %d %s, want %d", size, w.Code, w.Body, want)
		}
	}
}

func TestRefusedMethodNamesTheAllowedOnes(t *testing.T) {
	engagement := strings.Replace(address, "report", "engagement", 1)
	for _, tt := range []struct {
		name, dialect string
		try           try
		want          string
	}{
		{"report", "", try{method: "GET"}, "PUT, POST"},
		{"report of the seed", DialectSeed, try{}, "POST"},
		{"engagement", "", try{path: engagement}, "POST"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := send(t, New(Options{Dialect: tt.dialect}), tt.try); got.status != 405 || got.header.Get("Allow") != tt.want {
				t.Errorf("%d, Allow %q; want 405, %q", got.status, got.header.Get("Allow"), tt.want)
			}
		})
	}
}

func TestTLSIsSeen(t *testing.T) {
	r := try{}.request()
	r.TLS = &tls.ConnectionState{}
	w := httptest.NewRecorder()
	New(Options{RequireTLS: true}).Handler().ServeHTTP(w, r)
	if w.Code != 201 {
		t.Errorf("T2: %d %s, want 201", w.Code, w.Body)
	}
}
