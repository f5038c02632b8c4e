package lpsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	address = "/api/account/" + DefaultAccount + "/app/" + DefaultApp + "/report"
	search  = `{"identities":[{"iss":"Shop","acr":"0","sub":"5be2f7a8-0c1d"}],"engagementAttributes":[{"type":"searchInfo","keywords":["mug"]}]}`

	knownVid = "A0ZTA5YTVlYTY5NTI1ODYx"
	knownSid = "Vo13h4lpShW655STQJi9Jg"
)

// A try is one request in. Its zero value is a right report in LivePerson's
// own form.
type try struct {
	method, path, query, body string
	header                    map[string]string
}

// An out is what came back.
type out struct {
	status         int
	code           int
	message        string
	vid, sid, page string
	header         http.Header
	body           string
}

func (y try) request() *http.Request {
	or := func(s, other string) string {
		if s == "" {
			return other
		}
		return s
	}
	body := or(y.body, search)
	r := httptest.NewRequest(or(y.method, "PUT"), or(y.path, address)+"?"+or(y.query, "v=1.1&obh=true"), strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for k, v := range y.header {
		if v == "" {
			r.Header.Del(k)
		} else {
			r.Header.Set(k, v)
		}
	}
	return r
}

func send(t testing.TB, s *Sim, y try) out {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, y.request())
	o := out{status: w.Code, header: w.Result().Header, body: w.Body.String()}
	var a struct {
		SessionID, VisitorID, PageID, Message string
		InternalCode                          int
	}
	_ = json.Unmarshal(w.Body.Bytes(), &a) // what is no JSON has none of these
	o.code, o.message, o.vid, o.sid, o.page = a.InternalCode, a.Message, a.VisitorID, a.SessionID, a.PageID
	return o
}

// seedTry is a report in the seed's form.
func seedTry(body string) try { return try{method: "POST", query: "v=1.0", body: body} }

// with is a query that names a pair.
func with(vid, sid string) string { return "v=1.1&obh=true&vid=" + vid + "&sid=" + sid }

// attributes makes the body of a report from engagement attributes.
func attributes(sdes ...string) string {
	return `{"identities":[{"iss":"Shop","acr":"0","sub":"5be2f7a8-0c1d"}],"engagementAttributes":[` + strings.Join(sdes, ",") + `]}`
}

// A clock is moved by hand.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{time.Date(2026, 2, 25, 14, 30, 0, 0, time.UTC)} }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) forward(d time.Duration) { c.at = c.at.Add(d) }

func wantAnswer(t *testing.T, got out, status, code int, message string) {
	t.Helper()
	if got.status != status || got.code != code || got.message != message {
		t.Errorf("answer %d, code %d, %q; want %d, code %d, %q", got.status, got.code, got.message, status, code, message)
	}
}

func TestEveryRefusalStoresNothing(t *testing.T) {
	s := New(Options{})
	for _, y := range []try{
		{body: `{`}, {query: "v=2"}, {path: "/nowhere"}, {method: "PATCH"},
		{body: attributes(`{"type":"searchInfo","keywords":["kept?"]}`, `{"type":"cart"}`)},
		{query: with("short", knownSid)},
	} {
		if got := send(t, s, y); got.status < 400 {
			t.Fatalf("%+v: answer %d, want a refusal", y, got.status)
		}
	}
	if got := s.Status(); got.Visitors != 0 || got.SessionsCreated != 0 || got.Taken != 0 || got.Requests != 6 {
		t.Errorf("status %+v; want 6 requests and nothing stored", got)
	}
}

func TestAnswersHaveTheFormSeenInTheField(t *testing.T) {
	c := newClock()
	s := New(Options{Now: c.now})
	bad := send(t, s, try{query: "v=9"})
	if want := `{"time":1772029800000,"message":"Illegal Version","internalCode":33}`; bad.body != want {
		t.Errorf("error answer %s\nwant %s", bad.body, want)
	}
	good := send(t, s, try{})
	if want := `{"sessionId":"` + good.sid + `","visitorId":"` + good.vid + `","pageId":"` + good.page + `"}`; good.body != want {
		t.Errorf("success answer %s\nwant %s", good.body, want)
	}
	for _, o := range []out{bad, good} {
		if got := o.header.Get("Content-Type"); got != "application/octet-stream" {
			t.Errorf("content type %q, want application/octet-stream", got)
		}
	}
	if !isVid(good.vid) || !isSid(good.sid) || len(good.page) < 9 || len(good.page) > 10 || good.page[0] == '0' {
		t.Errorf("ids %q %q %q have not LivePerson's form", good.vid, good.sid, good.page)
	}
}

// Reports, faults, the clock, pages and scripts, all at once: nothing is lost
// or counted twice.
func TestManyAtOnce(t *testing.T) {
	const visitors, reports = 20, 25
	s := New(Options{SessionCap: -1})
	setFault(t, s, `{"status":503,"rate":0.2,"sub":"visitor-7"}`)
	var wg sync.WaitGroup
	for i := range visitors {
		wg.Go(func() {
			vid, sid := "", ""
			for n := range reports {
				y := try{body: strings.ReplaceAll(attributes(fmt.Sprintf(`{"type":"purchase","orderId":"%d"}`, n)), "5be2f7a8-0c1d", fmt.Sprintf("visitor-%d", i))}
				if vid != "" {
					y.query = with(vid, sid)
				}
				if got := send(t, s, y); got.vid != "" {
					vid, sid = got.vid, got.sid
				}
			}
		})
	}
	for _, path := range []string{"/", "/requests", "/_sim", "/_sim/visitors/visitor-3", "/_sim/requests?sub=visitor-4", "/_sim/lints", "/_sim/faults", "/_sim/clock"} {
		wg.Go(func() {
			for range 5 {
				ask(s, "GET", path, "")
				ask(s, "POST", "/_sim/clock", `{"advance_ms":1}`)
				ask(s, "POST", "/_sim/faults", `{"expire":true,"sub":"nobody"}`)
				ask(s, "GET", lookupPath+"?version=1.0", "")
			}
		})
	}
	wg.Wait()
	got := s.Status()
	if got.Requests != visitors*reports || got.Taken+got.Faulted != got.Requests || got.SessionsCreated != visitors || got.SessionsLive != visitors || got.Clock.OffsetMS != 40 || got.Lookups != 40 {
		t.Errorf("%+v", got)
	}
	for i := range visitors {
		v, _ := s.Visitor(fmt.Sprintf("visitor-%d", i))
		if i != 7 && len(v.Orders) != reports || i == 7 && len(v.Orders) != v.Reports {
			t.Errorf("visitor %d has %d orders of %d reports", i, len(v.Orders), v.Reports)
		}
		for n := 1; n < len(v.Orders); n++ {
			if v.Orders[n].Request <= v.Orders[n-1].Request {
				t.Errorf("visitor %d: order %d is out of order", i, n)
			}
		}
	}
}
