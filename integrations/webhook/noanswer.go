package webhook

import (
	"fmt"
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
	trouble := integrations.TroubleOf(err)
	switch trouble {
	case integrations.NameUnknown:
		return hold(string(trouble), "The webhook's host name is not known.", checkURL)
	case integrations.NotPublic:
		return hold(string(trouble), "The webhook's address is not public, so Signal does not go there.",
			"Set url to a public address. For tests, outbound.allow_hosts opens a host.")
	case integrations.PlainHTTP:
		return hold(string(trouble), "The webhook is spoken to in HTTPS only, and url says plain HTTP.", "Let url begin with https://.")
	case integrations.Stopped:
		return attempt.Result{Verdict: attempt.Retry, Cause: string(trouble), Why: "Signal stopped while the request to the webhook was on its way.", Remedy: byItself}
	}
	r := attempt.Result{Verdict: attempt.Retry, Cause: string(trouble), Why: troubles[trouble], Remedy: byItself, Outage: true}
	switch trouble {
	case integrations.TimedOut:
		r.Why = fmt.Sprintf("The webhook gave no answer within %g s.", timeout.Seconds())
	case integrations.Certificate:
		r.Remedy = "Ask the operator of the receiver for a certificate that is valid for the host of url. Signal tries again by itself."
	}
	return r
}

// troubles words what the webhook, or the way to it, did.
var troubles = map[integrations.Trouble]string{
	integrations.NoLookup:    "The webhook's host name could not be looked up.",
	integrations.Certificate: "The webhook's certificate is not valid.",
	integrations.Handshake:   "No secure connection to the webhook came about.",
	integrations.Refused:     "The webhook refused the connection.",
	integrations.Broken:      "The webhook broke the connection off.",
	integrations.Unreachable: "There is no way to the webhook on the network.",
	integrations.NotHTTP:     "The webhook's answer was not HTTP.",
	integrations.NoAnswer:    "The webhook gave no answer.",
}
