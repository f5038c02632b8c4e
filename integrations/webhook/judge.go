package webhook

import (
	"fmt"
	"time"

	"github.com/datafly/signal/attempt"
)

// Remedies that several answers share. They are for a marketer.
const (
	byItself = "Nothing to do: Signal tries again by itself."
	checkURL = "Check url, and that the receiver is in service at that address."
)

// A refusal is what an answer means that no event can change.
type refusal struct{ cause, why, remedy string }

// refusals are the answers that pause the integration: they are about who asks,
// where, and in which form, which is the same for every event. To end the
// events as dead would empty the queue for a mistake in one setting; a paused
// integration keeps them all.
var refusals = map[int]refusal{
	401: {"unauthorized", "The webhook does not accept Signal's credentials.", "Check bearer, basic or the header Authorization, and whether the receiver has the same secret for the signature."},
	402: {"payment", "The webhook wants its account to be paid for.", "Ask the operator of the receiver about its account. Signal goes on once it is in order."},
	403: {"forbidden", "The webhook does not let Signal in.", "Check the credentials, and whether a firewall in front of the receiver lets Signal through."},
	404: {"not_found", "The webhook is not at this address.", checkURL},
	405: {"method", "The webhook does not take this method.", "Set method to the one that the receiver takes: POST, PUT or PATCH."},
	406: {"form", "The webhook does not take requests of this form.", "Check the headers Accept and Content-Type in the settings, body and batch."},
	407: {"proxy", "A proxy on the way wants credentials.", "Let Signal reach the receiver directly: it uses no proxies."},
	410: {"gone", "The webhook is gone for good.", "Set url to the receiver's new address, or switch the integration off."},
	415: {"form", "The webhook does not take requests of this form.", "Check the header Content-Type in the settings, body and batch."},
	421: {"misdirected", "The webhook's server does not answer for this host.", checkURL},
	426: {"upgrade", "The webhook wants another protocol.", "Ask the operator of the receiver to take HTTP/1.1 over TLS."},
}

// judge says what an answer means:
//
//	2xx                      delivered
//	408, 425, 429, 5xx       retry; 429 slows the rate down
//	3xx, refusals            hold: see there
//	400, 413, 422, other 4xx dead: about this event, and the same with each try
//	anything else            hold: no receiver answers so
//
// It is pure. Its sentences hold nothing of the request or of the answer but
// the status.
func (c *Connection) judge(status int, wait time.Duration) attempt.Result {
	r := attempt.Result{Status: status}
	switch {
	case status/100 == 2:
		return r
	case status == 429:
		r.Verdict, r.Cause, r.Fix = attempt.Retry, "too_many_requests", attempt.FixRate
		r.Why, r.Remedy = "The webhook asks to go slower.", byItself+" If it comes often, lower rate_limit."
		r.Slow, r.RetryAfter = true, max(wait, time.Second)
	case status == 408, status == 425, status/100 == 5:
		r.Verdict, r.Cause = attempt.Retry, "unavailable"
		r.Why, r.Remedy = fmt.Sprintf("The webhook answered %d.", status), byItself
		r.Outage, r.RetryAfter = true, wait
	case status/100 == 4 && refusals[status].cause == "":
		c.refused(&r)
	default:
		f := lasting(status)
		r = hold(f.cause, fmt.Sprintf("%s It answered %d.", f.why, status), f.remedy)
		r.Status = status
	}
	return r
}

// lasting gives the reason of an answer that every event gets.
func lasting(status int) refusal {
	if f, ok := refusals[status]; ok {
		return f
	}
	if status/100 == 3 {
		return refusal{"redirect", "The webhook's address sends us elsewhere.", "Set url to the address that the answer names: Signal follows no redirects."}
	}
	return refusal{"foreign", "Something else answered for the webhook.", "Check url, and whether a proxy or a firewall on the way answers in the receiver's place."}
}

// refused words what is about this event alone. Of a list, one event may be at
// fault and the others not.
func (c *Connection) refused(r *attempt.Result) {
	r.Verdict, r.Cause, r.Split = attempt.Dead, "refused", c.settings.Batch > 1
	r.Why = fmt.Sprintf("The webhook refused the event. It answered %d.", r.Status)
	what := "correct the receiver or what the site sends"
	r.Fix = attempt.FixReplay
	if c.settings.Body == BodyMapped {
		what, r.Fix = "correct the mapping", attempt.FixMapping
	}
	r.Remedy = "Review the request and the answer in the Event Debugger, " + what + ", and replay the event."
	switch r.Status {
	case 400, 422:
		r.Cause, r.Why = "invalid", fmt.Sprintf("The webhook finds the event invalid. It answered %d.", r.Status)
	case 413:
		r.Cause, r.Why = "too_large", "The webhook finds the event too large. It answered 413."
		r.Remedy = "Let the receiver take larger requests, or send less with this event, and replay it."
	}
}

// hold is a Result that pauses the integration.
func hold(cause, why, remedy string) attempt.Result {
	return attempt.Result{Verdict: attempt.Hold, Cause: cause, Why: why, Remedy: remedy, Fix: attempt.FixSettings}
}
