// Package event holds what a site sends: one track, page, identify, group or
// screen call, read once from JSON with its digits kept. It sits below every
// other room and knows nothing of pipelines, vendors or storage.
//
// The gateway calls Admit on the bytes as they came and stores a Received;
// everything after the journal calls Decode once and works on the Event.
package event

import (
	"encoding/json"
	"strings"
	"time"
)

// A Type says which call made the event.
type Type string

// The calls of the collector and of Segment-style clients.
const (
	Track    Type = "track"
	Page     Type = "page"
	Identify Type = "identify"
	Group    Type = "group"
	Screen   Type = "screen"
)

// Known reports whether t is one of the five calls.
func (t Type) Known() bool {
	switch t {
	case Track, Page, Identify, Group, Screen:
		return true
	}
	return false
}

// An Event is one decoded event. It is owned by whoever decoded it: the stages
// of processing write the userId, the merged traits and the canonical consent
// into Fields. It is not safe for use by many goroutines.
type Event struct {
	Type        Type
	Name        string // of a track; otherwise the type
	MessageID   string
	AnonymousID string
	UserID      string

	// Timestamp is when it happened, corrected for the client's clock by
	// SentAt (see Clock).
	Timestamp  time.Time
	SentAt     time.Time // zero when the client did not say
	ReceivedAt time.Time
	Skew       time.Duration // what was added to the client's timestamp

	// Fields is the whole event with the names of the wire (product.md 4):
	// nil, bool, json.Number, string, []any and map[string]any.
	Fields map[string]any
}

// Lookup walks a dotted path with the names of the wire, such as
// "properties.revenue" or "properties.products[0].price". It reports false
// when a step is missing or is not an object or list.
func (e *Event) Lookup(path string) (any, bool) { return Walk(e.Fields, path) }

// Object gives the object at a top-level field, or nil.
func (e *Event) Object(field string) map[string]any {
	o, _ := e.Fields[field].(map[string]any)
	return o
}

// Text gives the text at path, or "". A number is not text.
func (e *Event) Text(path string) string {
	v, _ := e.Lookup(path)
	s, _ := v.(string)
	return s
}

// Walk follows a dotted path with [n] for list elements through a decoded
// tree. It allocates nothing.
func Walk(root any, path string) (any, bool) {
	for path != "" {
		var step string
		step, path = nextStep(path)
		if strings.HasPrefix(step, "[") {
			list, ok := root.([]any)
			n, good := index(step)
			if !ok || !good || n >= len(list) {
				return nil, false
			}
			root = list[n]
			continue
		}
		object, ok := root.(map[string]any)
		if !ok {
			return nil, false
		}
		if root, ok = object[step]; !ok {
			return nil, false
		}
	}
	return root, true
}

// nextStep splits "a[0].b" into "a" and "[0].b", and "[0].b" into "[0]" and "b".
func nextStep(path string) (step, rest string) {
	end := strings.IndexAny(path[1:], ".[") + 1
	switch {
	case end == 0:
		return path, ""
	case path[end] == '.':
		return path[:end], path[end+1:]
	default:
		return path[:end], path[end:]
	}
}

func index(step string) (int, bool) {
	if len(step) < 3 || step[len(step)-1] != ']' {
		return 0, false
	}
	n := 0
	for _, c := range step[1 : len(step)-1] {
		if c < '0' || c > '9' || n > 1e6 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// FoldName gives the form in which two spellings of an event name are the
// same: "Order Completed", "order_completed" and "order-completed".
func FoldName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '_' || r == '-':
			return -1
		case 'A' <= r && r <= 'Z':
			return r + ('a' - 'A')
		}
		return r
	}, name)
}

// Empty reports whether v counts as absent for a mapping: nil or "".
func Empty(v any) bool { return v == nil || v == "" }

// Clone copies a decoded tree, so that a stage may write into it.
func Clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = Clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = Clone(e)
		}
		return out
	}
	return v
}

var _ json.Marshaler = (*Event)(nil)

// MarshalJSON gives the event with the names of the wire, digits kept.
func (e *Event) MarshalJSON() ([]byte, error) { return json.Marshal(e.Fields) }
