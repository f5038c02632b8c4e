package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

// Every status there is, so that a new rule cannot move an old one unseen.
func TestJudgeEveryStatus(t *testing.T) {
	retry := []int{408, 425, 429}
	held := []int{401, 402, 403, 404, 405, 406, 407, 410, 415, 421, 426}
	byClass := map[int]attempt.Verdict{1: attempt.Hold, 2: attempt.Delivered, 3: attempt.Hold, 4: attempt.Dead, 5: attempt.Retry}
	for _, settings := range []Settings{{Body: BodyEvent, Batch: 1}, {Body: BodyMapped, Batch: 1}, {Body: BodyEvent, Batch: 50}} {
		c := &Connection{settings: settings}
		for status := 100; status < 600; status++ {
			want := byClass[status/100]
			switch {
			case slices.Contains(retry, status):
				want = attempt.Retry
			case slices.Contains(held, status):
				want = attempt.Hold
			}
			got := c.judge(status, 7*time.Second)
			if got.Verdict != want || got.Status != status {
				t.Errorf("judge(%d) = %v with status %d, want %v", status, got.Verdict, got.Status, want)
			}
			if slow := status == 429; got.Slow != slow {
				t.Errorf("judge(%d) slow = %v", status, got.Slow)
			}
			if outage := want == attempt.Retry && status != 429; got.Outage != outage {
				t.Errorf("judge(%d) outage = %v", status, got.Outage)
			}
			if waits := want == attempt.Retry; (got.RetryAfter == 7*time.Second) != waits {
				t.Errorf("judge(%d) waits %v", status, got.RetryAfter)
			}
			if split := want == attempt.Dead && settings.Batch > 1; got.Split != split {
				t.Errorf("judge(%d) of at most %d events splits: %v", status, settings.Batch, got.Split)
			}
			checkWords(t, got)
			checkFix(t, got, settings.Body)
		}
	}
}

// Statuses that HTTP does not have come from something that is no receiver.
func TestJudgeStatusesThatAreNone(t *testing.T) {
	for _, status := range []int{0, 1, 99, 600, 700, 999} {
		got := (&Connection{}).judge(status, 0)
		if got.Verdict != attempt.Hold || got.Cause != "foreign" {
			t.Errorf("judge(%d) = %+v, want that the webhook is held", status, got)
		}
		checkWords(t, got)
	}
}

var causeForm = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// checkWords holds that a result that was not delivered says why and what to
// do, in whole sentences with the vendor as the doer, and that a delivered one
// says nothing.
func checkWords(t *testing.T, r attempt.Result) {
	t.Helper()
	if r.Verdict == attempt.Delivered {
		if r.Why+r.Remedy+r.Cause+string(r.Fix) != "" {
			t.Errorf("status %d is delivered and says %+v", r.Status, r)
		}
		return
	}
	for _, s := range []string{r.Why, r.Remedy} {
		if s == "" || !strings.HasSuffix(s, ".") || strings.ToUpper(s[:1]) != s[:1] {
			t.Errorf("status %d: %q is no whole sentence", r.Status, s)
		}
	}
	if !causeForm.MatchString(r.Cause) {
		t.Errorf("status %d: the cause is %q", r.Status, r.Cause)
	}
}

func checkFix(t *testing.T, r attempt.Result, body string) {
	t.Helper()
	want := map[attempt.Verdict]attempt.Fix{attempt.Hold: attempt.FixSettings, attempt.Dead: attempt.FixReplay}[r.Verdict]
	switch {
	case r.Status == 429:
		want = attempt.FixRate
	case r.Verdict == attempt.Dead && body == BodyMapped:
		want = attempt.FixMapping
	}
	if r.Fix != want {
		t.Errorf("status %d: the fix is %q, want %q", r.Status, r.Fix, want)
	}
}

func TestJudgeWords(t *testing.T) {
	tests := []struct {
		status             int
		body               string
		cause, why, remedy string
	}{
		{301, BodyEvent, "redirect", "The webhook's address sends us elsewhere. It answered 301.", "Set url to the address that the answer names: Signal follows no redirects."},
		{400, BodyEvent, "invalid", "The webhook finds the event invalid. It answered 400.",
			"Review the request and the answer in the Event Debugger, correct the receiver or what the site sends, and replay the event."},
		{422, BodyMapped, "invalid", "The webhook finds the event invalid. It answered 422.",
			"Review the request and the answer in the Event Debugger, correct the mapping, and replay the event."},
		{401, BodyEvent, "unauthorized", "The webhook does not accept Signal's credentials. It answered 401.",
			"Check bearer, basic or the header Authorization, and whether the receiver has the same secret for the signature."},
		{404, BodyEvent, "not_found", "The webhook is not at this address. It answered 404.", "Check url, and that the receiver is in service at that address."},
		{410, BodyEvent, "gone", "The webhook is gone for good. It answered 410.", "Set url to the receiver's new address, or switch the integration off."},
		{413, BodyEvent, "too_large", "The webhook finds the event too large. It answered 413.", "Let the receiver take larger requests, or send less with this event, and replay it."},
		{418, BodyEvent, "refused", "The webhook refused the event. It answered 418.",
			"Review the request and the answer in the Event Debugger, correct the receiver or what the site sends, and replay the event."},
		{429, BodyEvent, "too_many_requests", "The webhook asks to go slower.", "Nothing to do: Signal tries again by itself. If it comes often, lower rate_limit."},
		{500, BodyEvent, "unavailable", "The webhook answered 500.", "Nothing to do: Signal tries again by itself."},
		{101, BodyEvent, "foreign", "Something else answered for the webhook. It answered 101.", "Check url, and whether a proxy or a firewall on the way answers in the receiver's place."},
	}
	for _, tt := range tests {
		got := (&Connection{settings: Settings{Body: tt.body}}).judge(tt.status, 0)
		if got.Cause != tt.cause || got.Why != tt.why || got.Remedy != tt.remedy {
			t.Errorf("judge(%d), body %s:\n got %s: %s %s\nwant %s: %s %s", tt.status, tt.body, got.Cause, got.Why, got.Remedy, tt.cause, tt.why, tt.remedy)
		}
	}
}

// One that is asked to go slower waits a second even if no time was named.
func TestJudgeWaitsAtLeastASecondWhenAskedToGoSlower(t *testing.T) {
	if got := (&Connection{}).judge(429, 0).RetryAfter; got != time.Second {
		t.Errorf("waits %v", got)
	}
}

func TestNoAnswer(t *testing.T) {
	const address = "https://example.com/token-in-the-path"
	wrap := func(err error) error { return &url.Error{Op: "Post", URL: address, Err: err} }
	tests := []struct {
		name    string
		err     error
		want    attempt.Verdict
		cause   string
		outage  bool
		mention string
	}{
		{"a name that is not known", &net.DNSError{Err: "no such host", Name: "example.com", IsNotFound: true}, attempt.Hold, "unknown_host", false, "not known"},
		{"an address that is not public", integrations.ErrNotPublic, attempt.Hold, "not_public", false, "not public"},
		{"plain HTTP", integrations.ErrPlainHTTP, attempt.Hold, "plain_http", false, "plain HTTP"},
		{"Signal stops", fmt.Errorf("x: %w", context.Canceled), attempt.Retry, "stopped", false, "Signal stopped"},
		{"a name server that is away", &net.DNSError{Err: "server misbehaving", Name: "example.com", IsTemporary: true}, attempt.Retry, "dns", true, "could not be looked up"},
		{"a certificate of another host", &tls.CertificateVerificationError{Err: errors.New("x509: certificate is valid for other.example, not example.com")}, attempt.Retry, "certificate", true, "certificate is not valid"},
		{"a server without TLS", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, attempt.Retry, "tls", true, "No secure connection"},
		{"a TLS alert", tls.AlertError(40), attempt.Retry, "tls", true, "No secure connection"},
		{"a TLS fault in text alone", errors.New("tls: no supported versions"), attempt.Retry, "tls", true, "No secure connection"},
		{"HTTP on the port of HTTPS", errors.New("http: server gave HTTP response to HTTPS client"), attempt.Retry, "tls", true, "No secure connection"},
		{"a timeout", os.ErrDeadlineExceeded, attempt.Retry, "timeout", true, "within 10 s"},
		{"a connection that is refused", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, attempt.Retry, "connection_refused", true, "refused the connection"},
		{"a reset", &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, attempt.Retry, "connection_broken", true, "broke the connection off"},
		{"no network", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}, attempt.Retry, "unreachable", true, "no way"},
		{"bytes that are no HTTP", errors.New("net/http: malformed HTTP response"), attempt.Retry, "not_http", true, "not HTTP"},
		{"anything else", errors.New("odd"), attempt.Retry, "no_answer", true, "no answer"},
	}
	for _, tt := range tests {
		got := noAnswer(wrap(tt.err), 10*time.Second)
		if got.Verdict != tt.want || got.Cause != tt.cause || got.Outage != tt.outage || !strings.Contains(got.Why, tt.mention) || got.Status != 0 {
			t.Errorf("%s: %+v, want %v, %s, outage %v, and %q", tt.name, got, tt.want, tt.cause, tt.outage, tt.mention)
		}
		if strings.Contains(got.Why+got.Remedy, "example.com") {
			t.Errorf("%s: the address is in %q %q", tt.name, got.Why, got.Remedy)
		}
		checkWords(t, got)
	}
}

func TestShownURL(t *testing.T) {
	for address, want := range map[string]string{
		"https://example.com/a":                   "https://example.com/a",
		"https://example.com/a?key=abc&x=&y=1%26": "https://example.com/a?key=••••&x=&y=••••",
		"https://example.com/a?abcdef":            "https://example.com/a?••••",
		"https://example.com/a?":                  "https://example.com/a?",
		"https://example.com/?a=b?c=d&&e=f":       "https://example.com/?a=••••&&e=••••",
	} {
		s := Settings{URL: address}
		if got := s.shownURL(); got != want {
			t.Errorf("%s shows as %s, want %s", address, got, want)
		}
	}
}

func TestHeaderText(t *testing.T) {
	for id, want := range map[string]string{
		"0199-abc": "0199-abc", "a b": "a%20b", "100%": "100%25", "a\r\nX: y": "a%0D%0AX:%20y", "é": "%C3%A9", "": "",
	} {
		if got := headerText(id); got != want {
			t.Errorf("headerText(%q) = %q, want %q", id, got, want)
		}
		if back, err := url.PathUnescape(headerText(id)); err != nil || back != id {
			t.Errorf("headerText(%q) reads back as %q, %v", id, back, err)
		}
	}
}

// The signature was made with openssl:
//
//	printf '%s' '1772029800000.{"a":1}' | openssl dgst -sha256 -hmac test-secret
func TestSign(t *testing.T) {
	const want = "sha256=9f979e674ca737e4c9dc6f5d68a6bcf2a7ad9bc40955ce13685319f579ec0530"
	if got := sign("test-secret", "1772029800000", []byte(`{"a":1}`)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
