package liveperson

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

// codes are those that LivePerson's APIs are known to give, and two that they
// are not.
var codes = []int{0, codeInvalid, codeUnknownAccount, 10, 12, codeUnknownApp, codeNotLoaded, codeWrongPath, codeVersion, codeUnknownVisitor, codeLoading, codeUnknownSession, -1, 999}

const codeWrongPath = 28

// Every status there is with every code, so a new rule cannot move an old one
// unseen.
func TestJudgeEveryStatusAndCode(t *testing.T) {
	byStatus := map[int]attempt.Verdict{
		200: attempt.Delivered, 201: attempt.Delivered,
		202: attempt.Retry, 408: attempt.Retry, 429: attempt.Retry,
		401: attempt.Hold, 403: attempt.Hold, 404: attempt.Hold, 405: attempt.Hold,
	}
	byClass := map[int]attempt.Verdict{
		1: attempt.Dead, 2: attempt.Hold, 3: attempt.Hold, 4: attempt.Dead, 5: attempt.Retry,
	}
	byCode := map[[2]int]attempt.Verdict{
		{400, codeVersion}:        attempt.Hold,
		{404, codeUnknownVisitor}: attempt.Rejoin,
		{404, codeUnknownSession}: attempt.Rejoin,
	}
	for status := 100; status < 600; status++ {
		for _, code := range codes {
			want, ok := byCode[[2]int{status, code}]
			if !ok {
				want, ok = byStatus[status]
			}
			if !ok {
				want = byClass[status/100]
			}
			got := judge(answer{status: status, code: code})
			if got.Verdict != want {
				t.Errorf("judge(%d, %d) = %v, want %v", status, code, got.Verdict, want)
			}
			if got.Status != status || got.Code != code {
				t.Errorf("judge(%d, %d) says status %d, code %d", status, code, got.Status, got.Code)
			}
			checkWords(t, got)
		}
	}
}

// checkWords holds that a result that was not delivered says why and what to
// do, in whole sentences, and that a delivered one says neither.
func checkWords(t *testing.T, r attempt.Result) {
	t.Helper()
	if r.Verdict == attempt.Delivered {
		if r.Why != "" || r.Remedy != "" {
			t.Errorf("status %d is delivered and says %q, %q", r.Status, r.Why, r.Remedy)
		}
		return
	}
	for _, s := range []string{r.Why, r.Remedy} {
		if s == "" || !strings.HasSuffix(s, ".") || strings.ToUpper(s[:1]) != s[:1] {
			t.Errorf("status %d, code %d: %q is no whole sentence", r.Status, r.Code, s)
		}
	}
}

func TestJudgeWords(t *testing.T) {
	tests := []struct {
		name   string
		answer answer
		want   attempt.Verdict
		why    string
		remedy string // a part of it
	}{
		{"an unknown app key", answer{status: 404, code: 18}, attempt.Hold, "LivePerson does not know this app key.", "app_installation_id"},
		{"an unknown account", answer{status: 404, code: 6}, attempt.Hold, "LivePerson does not know this account.", "account_id"},
		{"not found", answer{status: 404}, attempt.Hold, "LivePerson does not answer at this domain.", "signal liveperson resolve"},
		{"signed identities", answer{status: 401}, attempt.Hold, "This account wants signed identities.", "authenticated monitoring"},
		{"forbidden", answer{status: 403, code: 10}, attempt.Hold, "This account wants signed identities.", "authenticated monitoring"},
		{"forbidden by a firewall's page", answer{status: 403, foreign: true}, attempt.Hold, "Something else answered for LivePerson.", "proxy"},
		{"a field", answer{status: 400, code: 5, message: "lead.currency"}, attempt.Dead, "LivePerson refused lead.currency.", "what the mapping writes into lead.currency"},
		{"a field of the second attribute", answer{status: 400, code: 5, message: "engagementAttributes[1].cart.products[0].quantity"}, attempt.Dead, "LivePerson refused cart.products[0].quantity.", "cart.products[0].quantity"},
		{"all attributes", answer{status: 400, code: 5, message: "engagementAttributes"}, attempt.Dead, "LivePerson refused engagementAttributes.", "engagementAttributes"},
		{"no visitor", answer{status: 400, code: 5, message: "consumerId"}, attempt.Dead, "LivePerson refused consumerId.", "identities[0].sub"},
		{"a value in the place of a field", answer{status: 400, code: 5, message: "jane"}, attempt.Dead, "LivePerson refused the report as invalid.", "Event Debugger"},
		{"a sentence in the place of a field", answer{status: 400, code: 5, message: "bad value jane@example.com"}, attempt.Dead, "LivePerson refused the report as invalid.", "Event Debugger"},
		{"no message", answer{status: 400}, attempt.Dead, "LivePerson refused the report as invalid.", "Event Debugger"},
		{"another version", answer{status: 400, code: 33, message: "Illegal Version"}, attempt.Hold, "LivePerson wants the other dialect.", "dialect"},
		{"another method", answer{status: 405}, attempt.Hold, "LivePerson wants the other dialect.", "dialect"},
		{"loading, version 1.1", answer{status: 202, code: 38, message: "Loading account: 1, vid: V"}, attempt.Retry, "LivePerson is still loading this account.", "Nothing to do"},
		{"loading, version 1.0", answer{status: 500, code: 20, message: "Loading account: 1, vid: V"}, attempt.Retry, "LivePerson is still loading this account.", "Nothing to do"},
		{"the other 18", answer{status: 500, code: 18}, attempt.Retry, "LivePerson does not take reports now. It answered 500.", "Nothing to do"},
		{"too fast", answer{status: 429}, attempt.Retry, "LivePerson asks to go slower.", "rate_limit"},
		{"a proxy that finds nobody", answer{status: 502, foreign: true}, attempt.Retry, "LivePerson does not take reports now. It answered 502.", "Nothing to do"},
		{"a redirect", answer{status: 307}, attempt.Hold, "LivePerson's address sends us elsewhere.", "monitoring_domain"},
		{"another 2xx", answer{status: 204}, attempt.Hold, "Something else answered for LivePerson.", "proxy"},
		{"too large", answer{status: 413}, attempt.Dead, "LivePerson finds the report too large.", "Shorten"},
		{"another 4xx", answer{status: 422}, attempt.Dead, "LivePerson refused the report. It answered 422.", "Event Debugger"},
		{"a visit that is over", answer{status: 404, code: 39}, attempt.Rejoin, "LivePerson does not know this visit any more.", "Nothing to do"},
		{"a visit that was not named", answer{status: 404, code: 37, bare: true}, attempt.Dead, "LivePerson does not know this visit, though the report named none.", "Event Debugger"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := judge(tt.answer)
			if got.Verdict != tt.want || got.Why != tt.why || !strings.Contains(got.Remedy, tt.remedy) {
				t.Errorf("judge(%+v):\n got %v %q %q\nwant %v %q, remedy with %q", tt.answer, got.Verdict, got.Why, got.Remedy, tt.want, tt.why, tt.remedy)
			}
		})
	}
}

func TestVisitorOfALoadingAccount(t *testing.T) {
	for message, want := range map[string]string{
		"Loading account: 12345678, vid: A0ZTA5YTVlYTY5NTI1ODYx": "A0ZTA5YTVlYTY5NTI1ODYx",
		"Loading account: 12345678, vid:myVisitorId":             "myVisitorId",
		`Loading account: 1, vid: "V", more`:                     "",
		"Loading account: 1, vid: V, more":                       "V",
		"Loading account: 1, vid: null":                          "",
		"Loading account: 1":                                     "",
		"david: x":                                               "",
		"":                                                       "",
		"vid: " + strings.Repeat("x", maxID+1):                   "",
	} {
		for _, a := range []answer{{status: 202, code: 38, message: message}, {status: 500, code: 20, message: message}} {
			if got := judge(a).IDs.Visitor; got != want {
				t.Errorf("visitor of %d %q = %q, want %q", a.status, message, got, want)
			}
		}
	}
	if got := judge(answer{status: 503, message: "vid: V"}).IDs.Visitor; got != "" {
		t.Errorf("visitor of a 503 = %q, want none", got)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 2, 25, 14, 30, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		" 7 ":                           7 * time.Second,
		"-7":                            0,
		"x":                             0,
		"1.5":                           0,
		"Wed, 25 Feb 2026 14:30:09 GMT": 9 * time.Second,
		"Wed, 25 Feb 2026 14:29:00 GMT": 0,
		"999999999":                     24 * time.Hour,
		"99999999999999999999":          0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("Retry-After %q = %v, want %v", value, got, want)
		}
	}
	for _, tt := range []struct {
		answer answer
		want   time.Duration
	}{
		{answer{status: 429}, time.Second}, // never a burst
		{answer{status: 429, retryAfter: 7 * time.Second}, 7 * time.Second},
		{answer{status: 503}, 0},
		{answer{status: 503, retryAfter: 7 * time.Second}, 7 * time.Second},
		{answer{status: 202, retryAfter: 7 * time.Second}, 7 * time.Second},
		{answer{status: 404, retryAfter: 7 * time.Second}, 0},
	} {
		if got := judge(tt.answer).RetryAfter; got != tt.want {
			t.Errorf("pause after %+v = %v, want %v", tt.answer, got, tt.want)
		}
	}
}

// What a server on this machine cannot bring about. The errors hold the URL, as
// those of net/http do; the sentences must not.
func TestNoAnswer(t *testing.T) {
	wrap := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://va.v.liveperson.net/api/account/12345678", Err: &net.OpError{Op: "dial", Err: err}}
	}
	tests := []struct {
		name string
		err  error
		want attempt.Verdict
		why  string
	}{
		{"a name that is not known", wrap(&net.DNSError{Name: "va.v.liveperson.net", IsNotFound: true}), attempt.Hold, "LivePerson does not answer at this domain. Its name is not known."},
		{"a name server that does not answer", wrap(&net.DNSError{Name: "va.v.liveperson.net", IsTimeout: true}), attempt.Retry, "LivePerson does not take reports now. Its name could not be looked up."},
		{"a private address", wrap(integrations.ErrNotPublic), attempt.Hold, "LivePerson does not answer at this domain. Its address is not public, so Signal does not go there."},
		{"no way on the network", wrap(syscall.ENETUNREACH), attempt.Retry, "LivePerson does not take reports now. There is no way to it on the network."},
		{"too slow", wrap(os.ErrDeadlineExceeded), attempt.Retry, "LivePerson does not take reports now. It gave no answer within 10 s."},
		{"a TLS alert", wrap(tls.AlertError(70)), attempt.Retry, "LivePerson does not take reports now. No secure connection came about."},
		{"too old a TLS", &url.Error{Op: "Post", URL: "https://x", Err: errors.New("tls: server selected unsupported protocol version 301")}, attempt.Retry, "LivePerson does not take reports now. No secure connection came about."},
		{"anything else", wrap(errors.New("12345678")), attempt.Retry, "LivePerson does not take reports now. There was no answer."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := noAnswer(tt.err, 10*time.Second)
			if got.Verdict != tt.want || got.Why != tt.why {
				t.Errorf("noAnswer(%v):\n got %v %q\nwant %v %q", tt.err, got.Verdict, got.Why, tt.want, tt.why)
			}
			checkWords(t, got)
		})
	}
}

func TestReadAnswer(t *testing.T) {
	pair := attempt.IDs{Visitor: "V", Session: "S"}
	tests := []struct {
		name string
		body string
		want answerBody
	}{
		{"a success", `{"sessionId":"S","visitorId":"V","pageId":"1"}`, answerBody{ids: pair}},
		{"the names of the reference's table", `{"sid":"S","vid":"V"}`, answerBody{ids: pair}},
		{"both, where the documented ones win", `{"sid":"x","vid":"x","sessionId":"S","visitorId":"V"}`, answerBody{ids: pair}},
		{"unknown fields of any kind", `{"sessionId":"S","visitorId":"V","pageId":{"a":[1]},"message":null}`, answerBody{ids: pair}},
		{"an id of an odd kind does not hide the other", `{"sessionId":{"a":1},"visitorId":"V"}`, answerBody{ids: attempt.IDs{Visitor: "V"}}},
		{"an id that is too long to be one", `{"sessionId":"` + strings.Repeat("x", maxID+1) + `","visitorId":"V"}`, answerBody{ids: attempt.IDs{Visitor: "V"}}},
		{"an id by the name of null", `{"sessionId":null,"visitorId":"null","vid":"V"}`, answerBody{ids: attempt.IDs{Visitor: "V"}}},
		{"a refusal", `{"time":1513095142268,"message":"consumerId","internalCode":5}`, answerBody{code: 5, message: "consumerId"}},
		{"a refusal with text in the place of numbers", `{"time":"2024-01-01T00:00:00Z","message":"m","internalCode":"33"}`, answerBody{code: 33, message: "m"}},
		{"a refusal in a wrapper", `{"error":{"time":1,"message":"m","internalCode":28}}`, answerBody{code: 28, message: "m"}},
		{"an error that is text", `{"error":"m"}`, answerBody{foreign: true}},
		{"JSON of somebody else", `{"status":"ok"}`, answerBody{foreign: true}},
		{"a list", `[1]`, answerBody{foreign: true}},
		{"a page", `<html>Bad Gateway</html>`, answerBody{foreign: true}},
		{"cut off", `{"sessionId":"S","visi`, answerBody{foreign: true}},
		{"nothing", ``, answerBody{}},
		{"white space", " \r\n", answerBody{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := readAnswer([]byte(tt.body)); got != tt.want {
				t.Errorf("readAnswer(%s):\n got %+v\nwant %+v", tt.body, got, tt.want)
			}
		})
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte(`{"error":{"error":{"message":"m","internalCode":"5"}}}`))
	f.Add([]byte(`{"sessionId":"\ud800","vid":-1e5}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a := readAnswer(body)
		if len(a.ids.Visitor) > maxID || len(a.ids.Session) > maxID {
			t.Fatalf("%q gives ids that are too long", body)
		}
		r := judge(answer{status: 400, code: a.code, message: a.message})
		if field := fieldIn(a.message); field != "" && len(field) > 300 {
			t.Fatalf("%q gives the field %q", body, field)
		}
		checkWords(t, r)
	})
}

func BenchmarkJudge(b *testing.B) {
	for _, bench := range []struct {
		name string
		answer
	}{
		{"delivered", answer{status: 200}},
		{"refused field", answer{status: 400, code: 5, message: "engagementAttributes[2].cart.total"}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				judge(bench.answer)
			}
		})
	}
}
