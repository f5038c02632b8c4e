package webhook

import (
	"fmt"
	"strings"

	"github.com/datafly/signal/integrations"
)

// maxBody is how many bytes of events Batch lets travel together. Many servers
// take no more than this by default.
const maxBody = 1 << 20

// Batch gives how many of the leading items go into one request: as many as the
// settings say, and at most 1 MiB unless the first is larger.
func (c *Connection) Batch(items []integrations.Item) int {
	size := 0
	for i := range items {
		size += len(body(&items[i])) + 1
		if i > 0 && size > maxBody || i == c.settings.Batch {
			return i
		}
	}
	return len(items)
}

// Build makes one request of the items of one visitor, in order. Of more items
// than Batch allows it takes the leading ones, and leaves the others out of
// Sent, Carried and Refused alike.
func (c *Connection) Build(visit integrations.Visit, items []integrations.Item) integrations.Built {
	out := integrations.Built{Visit: visit}
	var bodies [][]byte
	for i := range items {
		if len(out.Sent) == c.settings.Batch {
			break
		}
		b := body(&items[i])
		if len(b) <= len("{}") {
			out.Refused = append(out.Refused, integrations.Refusal{Item: i, Reason: "the mapping writes nothing for this event, and an empty request says nothing; add fields to its rule, or set body: event"})
			continue
		}
		bodies = append(bodies, b)
		out.Sent = append(out.Sent, i)
	}
	if len(out.Sent) > 0 {
		first := &items[out.Sent[0]]
		out.Request = &integrations.Request{
			Method: c.settings.Method, URL: c.shownURL, Header: c.shownHeader(first),
			Body: c.join(bodies), Summary: summary(first.Event, len(bodies)), From: first.MessageID,
		}
	}
	return out
}

// body is what goes out of one item. The settings of the time when it came have
// decided: the event where Extract kept it, else what the mapping made.
func body(item *integrations.Item) []byte {
	if len(item.Extra) > 0 {
		return item.Extra
	}
	return item.Payload
}

// join makes the body of the request: the event alone, or a list where the
// settings allow more than one, so that a receiver always gets the same kind.
func (c *Connection) join(bodies [][]byte) []byte {
	if c.settings.Batch == 1 {
		return bodies[0]
	}
	size := 1
	for _, b := range bodies {
		size += len(b) + 1
	}
	out := append(make([]byte, 0, size), '[')
	for i, b := range bodies {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, b...)
	}
	return append(out, ']')
}

// shownHeader is the header of a request as people may see it. What Send adds
// or replaces stands there as dots.
//
// A list has no message id: after a failed try the same first event may travel
// with others behind it, which a receiver that goes by the id would miss.
func (c *Connection) shownHeader(first *integrations.Item) map[string]string {
	h := map[string]string{"Content-Type": "application/json", "User-Agent": c.agent}
	for name, v := range c.settings.Headers {
		h[name] = v.String()
		if shownHeaders[name] {
			h[name] = string(v)
		}
	}
	if a := c.settings.authorization(); a != "" {
		scheme, _, _ := strings.Cut(a, " ")
		h["Authorization"] = scheme + " " + dots
	}
	if c.settings.Batch == 1 {
		h[headMessageID] = headerText(first.MessageID)
	}
	if c.settings.Secret != "" {
		h[headTimestamp] = dots
		h[headSignature] = "sha256=" + dots
	}
	return h
}

// headerText writes an id so that it fits a header. What is not visible ASCII
// is percent-encoded, and so is the percent sign; ids of Signal's own have none.
func headerText(id string) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, len(id))
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c > '~' || c == '%' {
			out = append(out, '%', digits[c>>4], digits[c&15])
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}

// summary is a request in a few words.
func summary(name string, n int) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%s and %d more", name, n-1)
}
