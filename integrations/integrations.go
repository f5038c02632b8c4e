// Package integrations is the seam between Signal and the vendors it delivers
// to. process writes Items, one event mapped for one integration; delivery
// hands them to a Connection, which builds requests and makes single tries.
//
// Adding a vendor is a folder below this one and a line in the catalog of
// cmd/signal.
package integrations

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/event"
)

// A Vendor makes connections. It holds no state of an integration and is safe
// for many goroutines.
type Vendor interface {
	// Check reads the settings of one integration, once, when they are saved.
	// It does no I/O. Its error joins every fault, each naming the setting,
	// what is wrong, and how it should look.
	Check(settings map[string]any, out Outbound) (Connection, error)

	// Preset gives a mapping by name, as YAML in the language of package
	// mapping, and false when there is none of that name.
	Preset(name string) ([]byte, bool)
}

// A Connection is one integration's way to its vendor. It is safe for many
// goroutines.
type Connection interface {
	// Build makes one request from items of one visitor, in order. It is pure:
	// the same visit and items give the same bytes. What cannot go into the
	// request is in Built with its reason.
	Build(visit Visit, items []Item) Built

	// Send makes one try. It returns no error: what happened is in the Result,
	// for delivery to act on and for a person to read. It blocks for at most
	// the vendor's own timeout or until ctx ends.
	Send(ctx context.Context, r Request) attempt.Result
}

// An Item is one event, governed and mapped for one integration: what a frame
// of the REPORTS journal holds.
type Item struct {
	Place       event.Place `json:"at"`
	Gen         int         `json:"g,omitempty"` // 0 the first time, one more with each replay
	MessageID   string      `json:"m"`
	AnonymousID string      `json:"a"`
	UserID      string      `json:"u,omitempty"`
	Event       string      `json:"e"` // the event's name, or its type
	ReceivedAt  time.Time   `json:"r"`
	Session     Session     `json:"s"`
	Revision    int         `json:"rev,omitempty"`
	Traced      bool        `json:"tr,omitempty"` // the debugger keeps its successes too

	// Payload is what the mapping made, in the vendor's neutral form, with the
	// mapping's key order and the event's digits.
	Payload json.RawMessage `json:"p"`
	// Extra is what a Preparer took of the event beside the mapping. Only the
	// vendor reads it.
	Extra json.RawMessage `json:"x,omitempty"`
}

// Session are the ids of Signal's own session at the time of the event.
type Session struct {
	Vid string `json:"v"`
	Sid string `json:"s"`
}

// Append encodes i behind dst; ParseItem is the inverse. The payload keeps its
// bytes.
func (i *Item) Append(dst []byte) ([]byte, error) {
	b := bytes.NewBuffer(dst)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(i); err != nil {
		return dst, fmt.Errorf("encode report item of event %s: %w", i.MessageID, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// ParseItem reads what Append wrote.
func ParseItem(b []byte) (Item, error) {
	var i Item
	if err := json.Unmarshal(b, &i); err != nil {
		return Item{}, fmt.Errorf("read a stored report item: %w", err)
	}
	return i, nil
}

// A Visit is what one integration knows of one visitor at its vendor. The zero
// Visit is a visitor that the vendor has not seen. It is a value: Build gives a
// new one and leaves the old alone.
type Visit struct {
	// IDs are the ids in use at the vendor. Empty means Signal's own, or none.
	IDs attempt.IDs `json:"ids,omitzero"`
	// Of is Signal's sid that IDs.Session belongs to. When Signal's session is
	// another, the vendor's visitor id stays and its session id is let go.
	Of string `json:"of,omitempty"`
	// Waiting are page addresses for the visitor's next report, oldest first.
	Waiting []string `json:"waiting,omitempty"`
	// Bare says that the ids were refused, so that the next request goes
	// without any.
	Bare bool `json:"bare,omitempty"`
	// Refused are ids that came with events and that the vendor does not know,
	// so that they are not used again.
	Refused attempt.IDs `json:"refused,omitzero"`
}

// Built is what came of items: at most one request, and the items that are not
// in it. Each item is in exactly one of Sent, Carried and Refused, by its index.
type Built struct {
	Request *Request // nil when there is nothing to send
	Sent    []int    // in the request; their outcome is that of the request
	Carried []int    // ended: their page address waits in Visit
	Refused []Refusal
	// LeftOut are items of Sent and Carried of which a part was left out, such
	// as one that a later item of the same request replaces. They end like the
	// others.
	LeftOut []Refusal
	// Summaries say of each of Sent, in its order, what it became, when several
	// items are in the request. Else Request.Summary says it.
	Summaries []string

	// Visit replaces the visitor's: at once when there is no request, else when
	// the request was taken.
	Visit Visit
	// Notes are sentences for the debugger, such as an address that fell out.
	Notes []string
}

// A Refusal is an item, or a part of one, that is not sent, with the reason for
// a marketer.
type Refusal struct {
	Item   int
	Reason string
}

// A Request is one HTTP request as it goes out.
type Request struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Header  map[string]string `json:"header"`
	Body    json.RawMessage   `json:"body"`
	Dialect string            `json:"dialect,omitempty"`
	// Summary is what it became in a few words: "purchase · USD 11.70 · DRV1534XC".
	Summary string `json:"summary,omitempty"`
	// From is the message id of its first event.
	From string `json:"from,omitempty"`

	// Scout says that the connection has yet to find out whether its vendor
	// takes requests of this form. One scout is under way at a time; the others
	// wait for its answer and are built anew.
	Scout bool `json:"-"`
	// IDs are those that the request carries. Own says that they are Signal's,
	// of a visitor that the vendor gave no others for yet.
	IDs attempt.IDs `json:"-"`
	Own bool        `json:"-"`
}

// Taken gives the visit after a request that the vendor took, with the ids that
// it answered with.
func (v Visit) Taken(ids attempt.IDs, sid string) Visit {
	if ids.Visitor != "" {
		v.IDs.Visitor = ids.Visitor
	}
	if ids.Session != "" {
		v.IDs.Session = ids.Session
	}
	v.Of = sid
	v.Bare = false
	return v
}

// Outbound says where requests may go. The zero value is production: public
// addresses and TLS only.
type Outbound struct {
	// AllowHTTP lets requests go in plain HTTP, and a host carry a port, to
	// AllowHosts. For tests and the demo.
	AllowHTTP bool `json:"allow_http" yaml:"allow_http"`
	// AllowHosts are host names or addresses that pass the guard against
	// private addresses. Exact, without a port.
	AllowHosts []string `json:"allow_hosts" yaml:"allow_hosts"`
}

// Allows reports whether host, without a port, was opened by the operator.
func (o Outbound) Allows(host string) bool {
	for _, h := range o.AllowHosts {
		if h == host {
			return true
		}
	}
	return false
}
