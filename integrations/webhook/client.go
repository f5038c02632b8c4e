package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

// maxAnswer is how many bytes of an answer are read and kept.
const maxAnswer = 64 << 10

// Send makes one try, to the address of the settings. It returns within the
// timeout of the settings, or when ctx ends, which counts as a try that may be
// repeated.
func (c *Connection) Send(ctx context.Context, r integrations.Request) attempt.Result {
	start := time.Now()
	result := c.try(ctx, r)
	result.Took = time.Since(start)
	return result
}

func (c *Connection) try(ctx context.Context, r integrations.Request) attempt.Result {
	ctx, cancel := context.WithTimeout(ctx, c.settings.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, c.settings.URL, bytes.NewReader(r.Body))
	if err != nil {
		return hold("no_address", "The settings do not make an address.", checkURL)
	}
	c.dress(req.Header, r, time.Now())
	resp, err := c.http.Do(req)
	if err != nil {
		return noAnswer(err, c.settings.Timeout)
	}
	defer resp.Body.Close()

	result := c.judge(resp.StatusCode, integrations.RetryAfter(resp.Header.Get("Retry-After"), time.Now()))
	result.Answer.Header = c.keepHeaders(resp.Header)
	if resp.StatusCode < http.StatusOK {
		return result // a connection that became another protocol's has no end
	}
	// The status says what an answer means, so a body that was cut is no fault.
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	result.Answer.Body = c.hide.Replace(strings.ToValidUTF8(string(text), "\uFFFD"))
	return result
}

// dress writes the header of one try: what the Request shows, and then the
// secrets in the place of their dots.
func (c *Connection) dress(h http.Header, r integrations.Request, now time.Time) {
	for name, value := range r.Header {
		if !strings.Contains(value, dots) {
			h.Set(name, value)
		}
	}
	for name, value := range c.settings.Headers {
		h.Set(name, string(value))
	}
	if a := c.settings.authorization(); a != "" {
		h.Set("Authorization", a)
	}
	if c.settings.Secret != "" {
		stamp := strconv.FormatInt(now.UnixMilli(), 10)
		h.Set(headTimestamp, stamp)
		h.Set(headSignature, sign(string(c.settings.Secret), stamp, r.Body))
	}
}

// sign gives the signature of a body: the scheme of signed events at Signal's
// own gateway, so that one piece of code verifies both.
func sign(secret, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// keepHeaders gives the headers of an answer that help a person, without what
// is secret.
func (c *Connection) keepHeaders(h http.Header) map[string]string {
	out := integrations.KeptHeaders(h)
	for name, v := range out {
		out[name] = c.hide.Replace(strings.ToValidUTF8(v, "\uFFFD"))
	}
	return out
}
