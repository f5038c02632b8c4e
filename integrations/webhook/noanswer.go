package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

// noAnswer says what it means that there was none. It words the cause by its
// kind: the error itself has the address in it, and with it what may be a token.
//
// Only what a person must mend holds: a name that is not known, an address that
// is not public, plain HTTP. A certificate that is not valid, or is another
// host's, is mended at the receiver's side without a change here, mostly within
// the hour, so it is tried again like any outage.
func noAnswer(err error, timeout time.Duration) attempt.Result {
	var name *net.DNSError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return hold("unknown_host", "The webhook's host name is not known.", checkURL)
	case errors.Is(err, integrations.ErrNotPublic):
		return hold("not_public", "The webhook's address is not public, so Signal does not go there.",
			"Set url to a public address. For tests, outbound.allow_hosts opens a host.")
	case errors.Is(err, integrations.ErrPlainHTTP):
		return hold("plain_http", "The webhook is spoken to in HTTPS only, and url says plain HTTP.", "Let url begin with https://.")
	case errors.Is(err, context.Canceled):
		return attempt.Result{Verdict: attempt.Retry, Cause: "stopped", Why: "Signal stopped while the request to the webhook was on its way.", Remedy: byItself}
	}
	cause, why := broken(err, timeout)
	r := attempt.Result{Verdict: attempt.Retry, Cause: cause, Why: why, Remedy: byItself, Outage: true}
	if cause == "certificate" {
		r.Remedy = "Ask the operator of the receiver for a certificate that is valid for the host of url. Signal tries again by itself."
	}
	return r
}

// broken names what happened on the way.
func broken(err error, timeout time.Duration) (cause, why string) {
	var (
		name        *net.DNSError
		timed       net.Error
		certificate *tls.CertificateVerificationError
		handshake   tls.RecordHeaderError
		alert       tls.AlertError
	)
	switch {
	case errors.As(err, &name):
		return "dns", "The webhook's host name could not be looked up."
	case errors.As(err, &certificate):
		return "certificate", "The webhook's certificate is not valid."
	case errors.As(err, &handshake), errors.As(err, &alert), says(err, "tls: "), says(err, "HTTP response to HTTPS client"):
		return "tls", "No secure connection to the webhook came about."
	case errors.As(err, &timed) && timed.Timeout():
		return "timeout", fmt.Sprintf("The webhook gave no answer within %g s.", timeout.Seconds())
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused", "The webhook refused the connection."
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection_broken", "The webhook broke the connection off."
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "unreachable", "There is no way to the webhook on the network."
	case says(err, "malformed"):
		return "not_http", "The webhook's answer was not HTTP."
	}
	return "no_answer", "The webhook gave no answer."
}

// says finds the faults that have no type of their own by their text. The
// address is not part of that text.
func says(err error, part string) bool {
	var whole *url.Error
	return errors.As(err, &whole) && strings.Contains(whole.Err.Error(), part)
}
