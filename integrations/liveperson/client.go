package liveperson

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

// Send makes one try. It returns within the vendor's timeout, or when ctx ends,
// which counts as a try that may be repeated.
func (c *Connection) Send(ctx context.Context, r integrations.Request) attempt.Result {
	start := time.Now()
	result := c.try(ctx, r)
	result.Took = time.Since(start)
	return result
}

func (c *Connection) try(ctx context.Context, r integrations.Request) attempt.Result {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return become(attempt.Result{}, causeAddress)
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		result := noAnswer(err, c.timeout)
		if result.Cause != causeStopped {
			c.nudge() // the domain may be another by now
		}
		return result
	}
	defer resp.Body.Close()

	// What came before a cut is enough to judge by; without any, the status is.
	body, readErr := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	cut := readErr != nil || len(body) > maxAnswer
	body = body[:min(len(body), maxAnswer)]
	read := readAnswer(body)
	result := c.judge(&r, answer{
		status:     resp.StatusCode,
		code:       read.code,
		message:    read.message,
		foreign:    read.foreign,
		bare:       !carriesIDs(r.URL),
		retryAfter: integrations.RetryAfter(resp.Header.Get("Retry-After"), time.Now()),
	})
	if result.Verdict == attempt.Delivered {
		result.IDs = read.ids
		result.Anomaly = anomaly(read, len(body), cut)
	}
	result.Answer = attempt.Answer{Header: integrations.KeptHeaders(resp.Header), Body: strings.ToValidUTF8(string(body), "\uFFFD")}
	return result
}

// judge says what an answer means, with what Signal learns from it.
func (c *Connection) judge(r *integrations.Request, a answer) attempt.Result {
	if a.status == 400 {
		a.types = attributeTypes(r.Body)
	}
	result := judge(a)
	c.learn(r, &a, &result)
	if result.Cause == causeOtherForm && c.settings.Dialect != Auto {
		result.Fix = attempt.FixSettings // there is nothing to learn again
	}
	if cause := causeByName[result.Cause]; cause != nil && cause.moved {
		c.nudge()
	}
	return result
}

// carriesIDs reports whether the address names a visit.
func carriesIDs(address string) bool {
	return strings.Contains(address, "&vid=") || strings.Contains(address, "&sid=")
}

// noAnswer says what it means that there was none. It words the cause by its
// kind: the error itself has the URL in it, and with it the account.
func noAnswer(err error, timeout time.Duration) attempt.Result {
	if name, why := wrongSetting(err); name != "" {
		return because(attempt.Result{}, name, why)
	}
	if integrations.TroubleOf(err) == integrations.Stopped {
		return become(attempt.Result{}, causeStopped)
	}
	return because(attempt.Result{}, causeUnavailable, cause(err, timeout))
}

// wrongSetting names the cause that no later try can mend without a person, or
// "", and says more of it.
func wrongSetting(err error) (name, why string) {
	switch integrations.TroubleOf(err) {
	case integrations.NameUnknown:
		return causeDomain, "Its name is not known."
	case integrations.NotPublic:
		return causeDomain, "Its address is not public, so Signal does not go there."
	case integrations.PlainHTTP:
		return causePlainHTTP, ""
	}
	return "", ""
}

// cause words what went wrong on the way, in a sentence.
func cause(err error, timeout time.Duration) string {
	trouble := integrations.TroubleOf(err)
	if trouble == integrations.TimedOut {
		return fmt.Sprintf("It gave no answer within %g s.", timeout.Seconds())
	}
	if s, ok := troubles[trouble]; ok {
		return s
	}
	return "There was no answer."
}

// troubles words what LivePerson, or the way to it, did.
var troubles = map[integrations.Trouble]string{
	integrations.NoLookup:    "Its name could not be looked up.",
	integrations.Stopped:     "Signal stopped while the report was on its way.",
	integrations.Certificate: "Its certificate is not valid.",
	integrations.Handshake:   "No secure connection came about.",
	integrations.Refused:     "It refused the connection.",
	integrations.Broken:      "It broke the connection off.",
	integrations.Unreachable: "There is no way to it on the network.",
	integrations.NotHTTP:     "Its answer was not HTTP.",
}
