package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Decode reads a stored event whole. It accepts what Admit accepted; an error
// means that the store holds something that the gateway did not write.
func Decode(r Received) (*Event, error) {
	root, err := DecodeTree(r.Body)
	if err != nil {
		return nil, fmt.Errorf("decode event %s: %w", r.MessageID, err)
	}
	e := &Event{
		Type: r.Type, MessageID: r.MessageID, AnonymousID: r.AnonymousID,
		SentAt: r.SentAt, ReceivedAt: r.ReceivedAt, Fields: root,
	}
	e.Name, _ = root["event"].(string)
	if e.Type != Track || e.Name == "" {
		e.Name = string(e.Type)
	}
	e.UserID = IDText(root["userId"])
	if e.UserID == "" {
		delete(root, "userId")
	} else {
		root["userId"] = e.UserID
	}
	delete(root, "writeKey") // the key is no part of what happened
	root["type"], root["messageId"], root["anonymousId"] = string(e.Type), e.MessageID, e.AnonymousID
	root["receivedAt"] = r.ReceivedAt.UTC().Format(timeLayout)
	own, _ := root["timestamp"].(string)
	e.Timestamp, e.Skew = Clock(own, r.SentAt, r.ReceivedAt)
	root["timestamp"] = e.Timestamp.Format(timeLayout)
	return e, nil
}

const timeLayout = "2006-01-02T15:04:05.000Z"

// Clock gives the time of an event, corrected for a client's clock that is
// wrong: the distance between the client's own timestamp and its sentAt is
// true, the instants are not. It gives the receipt when the client said no
// time, and never an instant after the receipt.
func Clock(timestamp string, sentAt, receivedAt time.Time) (at time.Time, skew time.Duration) {
	receivedAt = receivedAt.UTC()
	at, err := ParseTime(timestamp)
	if err != nil {
		return receivedAt, 0
	}
	if !sentAt.IsZero() {
		skew = receivedAt.Sub(sentAt)
		at = at.Add(skew)
	}
	if at.After(receivedAt) {
		at = receivedAt
	}
	return at, skew
}

// DecodeTree reads one JSON object under Admit's limits into nil, bool,
// json.Number, string, []any and map[string]any, digits kept.
func DecodeTree(raw []byte) (map[string]any, error) {
	r := newReader(raw)
	defer r.release()
	if r.d.PeekKind() != '{' {
		return nil, fmt.Errorf("%w: not an object", ErrJSON)
	}
	v, err := r.tree()
	if err != nil {
		return nil, err
	}
	if _, err := r.d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the object", ErrJSON)
	}
	return v.(map[string]any), nil
}

func (r *reader) tree() (any, error) {
	tok, err := r.token()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '{':
		return r.treeObject()
	case '[':
		return r.treeList()
	case '"':
		return tok.String(), nil
	case '0':
		return json.Number(tok.String()), nil
	case 't', 'f':
		return tok.Bool(), nil
	}
	return nil, nil
}

func (r *reader) treeObject() (any, error) {
	out := map[string]any{}
	for r.d.PeekKind() != '}' {
		name, err := r.token()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if out[key], err = r.tree(); err != nil {
			return nil, err
		}
	}
	_, err := r.d.ReadToken()
	return out, jsonError(err)
}

func (r *reader) treeList() (any, error) {
	out := []any{}
	for r.d.PeekKind() != ']' {
		v, err := r.tree()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := r.d.ReadToken()
	return out, jsonError(err)
}

// IDText gives an id as text: a string as it is, a number by its digits,
// anything else as "".
func IDText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}
