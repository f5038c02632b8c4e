package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Received is one event as the gateway admitted it: what a frame of the EVENTS
// journal holds. Body is the event's JSON exactly as it came.
type Received struct {
	Pipeline    string    `json:"p"`
	MessageID   string    `json:"m"`
	AnonymousID string    `json:"a"`
	Type        Type      `json:"t"`
	ReceivedAt  time.Time `json:"r"`
	SentAt      time.Time `json:"s,omitzero"`
	IP          string    `json:"ip,omitempty"`
	UserAgent   string    `json:"ua,omitempty"` // of the request
	Origin      string    `json:"o,omitempty"`
	Path        string    `json:"path,omitempty"`
	Browser     bool      `json:"b,omitempty"`   // a browser call, product.md 11
	GPC         bool      `json:"gpc,omitempty"` // Sec-GPC: 1 was sent
	Body        []byte    `json:"-"`
}

// Append writes r behind dst: the stamps as one line of JSON, then Body. It is
// the inverse of ParseReceived.
func (r *Received) Append(dst []byte) ([]byte, error) {
	head, err := json.Marshal(r)
	if err != nil {
		return dst, fmt.Errorf("encode stamps of event %s: %w", r.MessageID, err)
	}
	dst = append(dst, head...)
	dst = append(dst, '\n')
	return append(dst, r.Body...), nil
}

// ParseReceived reads what Append wrote. Body shares memory with b.
func ParseReceived(b []byte) (Received, error) {
	head, body, ok := bytes.Cut(b, []byte{'\n'})
	if !ok {
		return Received{}, errors.New("stored event has no stamps")
	}
	var r Received
	if err := json.Unmarshal(head, &r); err != nil {
		return Received{}, fmt.Errorf("read stamps of a stored event: %w", err)
	}
	r.Body = body
	return r, nil
}
