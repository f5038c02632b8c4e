package liveperson

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/url"
	"os"
	"regexp"
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

// wantVerdict is what an answer means by LivePerson's pages, said once more and
// otherwise than judge says it.
func wantVerdict(status, code int, bare bool) attempt.Verdict {
	byCode := map[[2]int]attempt.Verdict{
		{400, codeVersion}:        attempt.Hold,
		{404, codeUnknownVisitor}: attempt.Rejoin,
		{404, codeUnknownSession}: attempt.Rejoin,
	}
	byStatus := map[int]attempt.Verdict{
		200: attempt.Delivered, 201: attempt.Delivered,
		202: attempt.Retry, 408: attempt.Retry, 429: attempt.Retry,
		401: attempt.Hold, 403: attempt.Hold, 404: attempt.Hold, 405: attempt.Hold,
	}
	byClass := map[int]attempt.Verdict{
		1: attempt.Dead, 2: attempt.Hold, 3: attempt.Hold, 4: attempt.Dead, 5: attempt.Retry,
	}
	if v, ok := byCode[[2]int{status, code}]; ok {
		if v == attempt.Rejoin && bare {
			return attempt.Dead
		}
		return v
	}
	if v, ok := byStatus[status]; ok {
		return v
	}
	return byClass[status/100]
}

// Every status there is with every code, with ids and without, so a new rule
// cannot move an old one unseen.
func TestJudgeEveryAnswer(t *testing.T) {
	count := map[attempt.Verdict]int{}
	rows := 0
	for status := 100; status < 600; status++ {
		for _, code := range codes {
			for _, bare := range []bool{false, true} {
				rows++
				got := judge(answer{status: status, code: code, bare: bare})
				want := attempt.Result{
					Verdict: wantVerdict(status, code, bare), Status: status, Code: code,
					Slow:   status == 429,
					Outage: status == 408 || status/100 == 5 && !(status == 500 && code == codeNotLoaded),
					Split:  status == 413 || status == 400 && code != codeVersion,
				}
				count[want.Verdict]++
				if got.Verdict != want.Verdict || got.Status != want.Status || got.Code != want.Code {
					t.Errorf("judge(%d, %d, bare %v) = %v, status %d, code %d, want %v", status, code, bare, got.Verdict, got.Status, got.Code, want.Verdict)
				}
				if got.Slow != want.Slow || got.Outage != want.Outage || got.Split != want.Split {
					t.Errorf("judge(%d, %d, bare %v): slow %v, outage %v, split %v, want %v, %v, %v", status, code, bare, got.Slow, got.Outage, got.Split, want.Slow, want.Outage, want.Split)
				}
				checkWords(t, got)
			}
		}
	}
	want := map[attempt.Verdict]int{attempt.Delivered: 56, attempt.Retry: 2884, attempt.Rejoin: 2, attempt.Hold: 5626, attempt.Dead: 5432}
	if rows != 14_000 || !maps.Equal(count, want) {
		t.Errorf("%d answers, %v, want 14000, %v", rows, count, want)
	}
}

// checkWords holds that a result that was not delivered says why and what to
// do, in whole sentences, and that a delivered one says neither.
func checkWords(t *testing.T, r attempt.Result) {
	t.Helper()
	if r.Verdict == attempt.Delivered {
		if r.Why != "" || r.Remedy != "" || r.Cause != "" || r.Fix != "" {
			t.Errorf("status %d is delivered and says %q, %q, %q, %q", r.Status, r.Why, r.Remedy, r.Cause, r.Fix)
		}
		return
	}
	if c := causeByName[r.Cause]; c == nil || c.Verdict != r.Verdict || c.Fix != r.Fix {
		t.Errorf("status %d, code %d: cause %q with %v and %q is not as the table has it", r.Status, r.Code, r.Cause, r.Verdict, r.Fix)
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
		cause  string
		why    string
		remedy string // a part of it
		fix    attempt.Fix
	}{
		{"an unknown app key", answer{status: 404, code: 18}, "unknown_app_key", "LivePerson does not know this app key.", "app_installation_id", attempt.FixSettings},
		{"an unknown account", answer{status: 404, code: 6}, "unknown_account", "LivePerson does not know this account.", "account_id", attempt.FixSettings},
		{"not found", answer{status: 404}, "wrong_domain", "LivePerson does not answer at this domain.", "signal liveperson resolve", attempt.FixDomain},
		{"a page that is not found", answer{status: 404, foreign: true}, "wrong_domain", "LivePerson does not answer at this domain.", "signal liveperson resolve", attempt.FixDomain},
		{"signed identities", answer{status: 401}, "signed_identities", "This account wants signed identities.", "identity_token", attempt.FixIdentities},
		{"forbidden", answer{status: 403, code: 10}, "signed_identities", "This account wants signed identities.", "authenticated monitoring", attempt.FixIdentities},
		{"forbidden by a firewall's page", answer{status: 403, foreign: true}, "foreign_answer", "Something else answered for LivePerson.", "proxy", attempt.FixSettings},
		{"a field", answer{status: 400, code: 5, message: "lead.currency"}, "refused_field", "LivePerson refused lead.currency.", "what the mapping writes into lead.currency", attempt.FixMapping},
		{"a field of the second attribute", answer{status: 400, code: 5, message: "engagementAttributes[1].cart.products[0].quantity"}, "refused_field", "LivePerson refused cart.products[0].quantity.", "cart.products[0].quantity", attempt.FixMapping},
		{"a field of the second attribute, whose type is known", answer{status: 400, code: 5, message: "engagementAttributes[1].cart.products[0].quantity", types: []string{"lead", "purchase"}}, "refused_field", "LivePerson refused purchase.cart.products[0].quantity.", "purchase.cart", attempt.FixMapping},
		{"all attributes", answer{status: 400, code: 5, message: "engagementAttributes"}, "refused_field", "LivePerson refused engagementAttributes.", "engagementAttributes", attempt.FixMapping},
		{"no visitor", answer{status: 400, code: 5, message: "consumerId"}, "refused_visitor", "LivePerson refused consumerId.", "identities[0].sub", attempt.FixMapping},
		{"a value in the place of a field", answer{status: 400, code: 5, message: "jane"}, "invalid_report", "LivePerson refused the report as invalid.", "Event Debugger", attempt.FixMapping},
		{"a sentence in the place of a field", answer{status: 400, code: 5, message: "bad value jane@example.com"}, "invalid_report", "LivePerson refused the report as invalid.", "Event Debugger", attempt.FixMapping},
		{"no message", answer{status: 400}, "invalid_report", "LivePerson refused the report as invalid.", "Event Debugger", attempt.FixMapping},
		{"a firewall's page instead of a report", answer{status: 400, foreign: true}, "foreign_refusal", "Something else answered for LivePerson. It answered 400.", "proxy", attempt.FixReplay},
		{"another version", answer{status: 400, code: 33, message: "Illegal Version"}, "other_dialect", "LivePerson wants the other dialect.", "dialect", attempt.FixForm},
		{"another method", answer{status: 405}, "other_dialect", "LivePerson wants the other dialect.", "dialect", attempt.FixForm},
		{"loading, version 1.1", answer{status: 202, code: 38, message: "Loading account: 1, vid: V"}, "loading_account", "LivePerson is still loading this account.", "Nothing to do", ""},
		{"loading, version 1.0", answer{status: 500, code: 20, message: "Loading account: 1, vid: V"}, "loading_account", "LivePerson is still loading this account.", "Nothing to do", ""},
		{"the other 18", answer{status: 500, code: 18}, "unavailable", "LivePerson does not take reports now. It answered 500.", "Nothing to do", ""},
		{"too many visits", answer{status: 503, code: 18, message: "Capped"}, "capped", "LivePerson does not take reports now. It answered 503.", "rate_limit", attempt.FixRate},
		{"too many visits, without a code", answer{status: 500, message: "session creation was capped"}, "capped", "LivePerson does not take reports now. It answered 500.", "rate_limit", attempt.FixRate},
		{"too fast", answer{status: 429}, "too_fast", "LivePerson asks to go slower.", "rate_limit", attempt.FixRate},
		{"a proxy that finds nobody", answer{status: 502, foreign: true}, "unavailable", "LivePerson does not take reports now. It answered 502.", "Nothing to do", ""},
		{"a redirect", answer{status: 307}, "redirect", "LivePerson's address sends us elsewhere.", "monitoring_domain", attempt.FixSettings},
		{"another 2xx", answer{status: 204}, "foreign_answer", "Something else answered for LivePerson.", "proxy", attempt.FixSettings},
		{"too large", answer{status: 413}, "too_large", "LivePerson finds the report too large.", "Shorten", attempt.FixMapping},
		{"another 4xx", answer{status: 422}, "refused_report", "LivePerson refused the report. It answered 422.", "Event Debugger", attempt.FixMapping},
		{"a visit that is over", answer{status: 404, code: 39}, "unknown_visit", "LivePerson does not know this visit any more.", "Nothing to do", ""},
		{"a visit that was not named", answer{status: 404, code: 37, bare: true}, "unknown_visit_without_ids", "LivePerson does not know this visit, though the report named none.", "Event Debugger", attempt.FixReplay},
		{"no status of HTTP", answer{status: 100}, "impossible_answer", "LivePerson gave an answer that no report can have. It answered 100.", "proxy", attempt.FixReplay},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := judge(tt.answer)
			if got.Cause != tt.cause || got.Why != tt.why || !strings.Contains(got.Remedy, tt.remedy) || got.Fix != tt.fix {
				t.Errorf("judge(%+v):\n got %q %q %q %q\nwant %q %q, remedy with %q, %q", tt.answer, got.Cause, got.Why, got.Remedy, got.Fix, tt.cause, tt.why, tt.remedy, tt.fix)
			}
			checkWords(t, got)
		})
	}
}

func TestCappedAsksToGoSlowerAndIsAnOutage(t *testing.T) {
	for message, want := range map[string]bool{"capped": true, "Sessions CAPPED for visitor": true, "uncapped": false, "handicapped": false, "": false} {
		if got := judge(answer{status: 503, code: 18, message: message}); got.Slow != want || !got.Outage {
			t.Errorf("503 %q: slow %v, outage %v, want %v, true", message, got.Slow, got.Outage, want)
		}
	}
	if got := judge(answer{status: 400, code: 5, message: "capped"}); got.Slow {
		t.Error("a 400 that says capped asks to go slower")
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

func TestAnAnswerThatNamesATimeIsWaitedFor(t *testing.T) {
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
		{"Signal's own end", wrap(context.Canceled), attempt.Retry, "Signal stopped while the report was on its way."},
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
			if outage := tt.want == attempt.Retry && tt.name != "Signal's own end"; got.Outage != outage {
				t.Errorf("noAnswer(%v): outage %v, want %v", tt.err, got.Outage, outage)
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

// FuzzReadAnswer holds that nothing that can come as an answer makes reading or
// judging it panic, and that our sentences hold nothing of it but names of
// fields.
func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"sessionId":"Vo13h4lpShW655STQJi9Jg","visitorId":"A0ZTA5YTVlYTY5NTI1ODYx","pageId":"1674628973"}`,
		`{"time": 1501074704502, "message": "Loading account: ta3hWd4IgG, vid: myVisitorId", "internalCode": 38}`,
		`{"time": 1513095142268, "message": "consumerId", "internalCode": 5}`,
		`{"time":1,"message":"engagementAttributes[2].cart.total","internalCode":5}`,
		`{"time":1,"message":"Illegal Version","internalCode":"33"}`,
		`{"message":"invalid sessionId","internalCode":39}`,
		`{"message":"capped","internalCode":18}`,
		`{"error":{"error":{"message":"m","internalCode":"5"}}}`,
		`{"sessionId":"\ud800","vid":-1e5}`,
		`<html>Bad Gateway</html>`, "\xff\xfe", "",
	} {
		f.Add(400, seed)
		f.Add(500, seed)
	}
	plain := regexp.MustCompile(`^[\pL\pN .,:;()'_\[\]-]*$`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		a := readAnswer([]byte(body))
		if len(a.ids.Visitor) > maxID || len(a.ids.Session) > maxID {
			t.Fatalf("%q gives ids that are too long", body)
		}
		if v := visitorIn(a.message); len(v) > maxID || !strings.Contains(a.message, v) {
			t.Fatalf("%q gives the visitor %q", body, v)
		}
		for _, types := range [][]string{nil, {"lead", "cartStatus", "?"}} {
			said := answer{status: status, code: a.code, message: a.message, foreign: a.foreign, types: types}
			r := judge(said)
			checkWords(t, r)
			for part := range strings.SplitSeq(indexes.ReplaceAllString(r.Field, ""), ".") {
				if r.Field != "" && !fieldNames[part] {
					t.Fatalf("%q gives the field %q", body, r.Field)
				}
			}
			if len(r.Field) > 300 {
				t.Fatalf("%q gives a field of %d characters", body, len(r.Field))
			}
			for _, s := range []string{r.Why, r.Remedy, anomaly(a, len(body), false)} {
				bare := strings.ReplaceAll(s, r.Field, "")
				if !plain.MatchString(bare) || r.Field == "" && len(s) > 400 {
					t.Fatalf("%q makes Signal say %q", body, s)
				}
			}
			// The same answer without its message says the same but for the field.
			if r.Field == "" && r.Cause != causeCapped {
				silent := said
				silent.message = ""
				if other := judge(silent); other.Why != r.Why || other.Remedy != r.Remedy {
					t.Fatalf("%q makes Signal say %q, without its message %q", body, r.Why, other.Why)
				}
			}
			if k, next := (knowledge{}).after(report{form: DialectSignal, pageOnly: true, own: true}, &said, r, time.Time{}); next.Verdict == attempt.Delivered && k.Form.Value != "" {
				t.Fatalf("%q teaches the form %q", body, k.Form.Value)
			}
		}
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
