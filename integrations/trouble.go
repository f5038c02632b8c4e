package integrations

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Trouble is why a request brought no answer, by its kind. The error itself has
// the address in it, and with it what may be a secret; a kind has nothing.
type Trouble string

// The kinds of trouble. The first three are for a person to mend.
const (
	NameUnknown Trouble = "unknown_host"       // there is no such name
	NotPublic   Trouble = "not_public"         // ErrNotPublic
	PlainHTTP   Trouble = "plain_http"         // ErrPlainHTTP
	Stopped     Trouble = "stopped"            // our own context was cancelled
	NoLookup    Trouble = "dns"                // the name could not be looked up now
	Certificate Trouble = "certificate"        // not valid, or another host's
	Handshake   Trouble = "tls"                // no secure connection came about
	TimedOut    Trouble = "timeout"            //
	Refused     Trouble = "connection_refused" //
	Broken      Trouble = "connection_broken"  // in the middle
	Unreachable Trouble = "unreachable"        // no way on the network
	NotHTTP     Trouble = "not_http"           // the answer was something else
	NoAnswer    Trouble = "no_answer"          // anything else
)

// TroubleOf gives the kind of an error of an HTTP client.
func TroubleOf(err error) Trouble {
	var (
		name        *net.DNSError
		timed       net.Error
		certificate *tls.CertificateVerificationError
		handshake   tls.RecordHeaderError
		alert       tls.AlertError
	)
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return NameUnknown
	case errors.Is(err, ErrNotPublic):
		return NotPublic
	case errors.Is(err, ErrPlainHTTP):
		return PlainHTTP
	case errors.As(err, &name):
		return NoLookup
	case errors.Is(err, context.Canceled):
		return Stopped
	case errors.As(err, &certificate):
		return Certificate
	case errors.As(err, &handshake), errors.As(err, &alert), says(err, "tls: "), says(err, "HTTP response to HTTPS client"):
		return Handshake
	case errors.As(err, &timed) && timed.Timeout():
		return TimedOut
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Broken
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return Unreachable
	case says(err, "malformed"):
		return NotHTTP
	}
	return NoAnswer
}

// says finds the faults that have no type of their own by their text. The
// address is not part of that text.
func says(err error, part string) bool {
	var whole *url.Error
	return errors.As(err, &whole) && strings.Contains(whole.Err.Error(), part)
}

// keptHeaders are those of an answer that help a person.
var keptHeaders = []string{"Content-Type", "Content-Length", "Retry-After", "Location", "Server", "Date", "Allow", "Www-Authenticate", "X-Request-Id"}

// KeptHeaders gives the headers of an answer that help a person.
func KeptHeaders(h http.Header) map[string]string {
	out := make(map[string]string, 4)
	for _, name := range keptHeaders {
		if v := h.Get(name); v != "" {
			out[name] = v
		}
	}
	return out
}

// RetryAfter reads the header of that name: seconds, or an HTTP date. It is at
// most a day, which is as long as an event is tried, and 0 for anything else.
func RetryAfter(value string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	var wait time.Duration
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), most)
}
