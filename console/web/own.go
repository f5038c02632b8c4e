package web

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datafly/signal/console/desk"
)

// ownValues are the values that one event brought to a report of several, by
// the name of the list that they stand in.
type ownValues struct{ lists map[string][]jsonNode }

// ownPart finds what of a report is of the event whose payload is given. It is
// nil when that cannot be told: the report is of this event alone, or its parts
// do not stand in it as the mapping made them.
func ownPart(sent *desk.Attempt, payload []byte) *ownValues {
	if len(sent.With) == 0 || !jsontext.Value(payload).IsValid() || !jsontext.Value(sent.Request.Body).IsValid() {
		return nil
	}
	own := &ownValues{map[string][]jsonNode{}}
	event := node(payload)
	for i, name := range event.names {
		if event.items[i].kind == '[' {
			own.lists[string(name)] = event.items[i].items
		}
	}
	if len(own.in(node(sent.Request.Body))) == 0 {
		return nil
	}
	return own
}

// in gives the values of body that are the event's. A list that is no longer
// than the event's own tells nothing apart, and of two equal values only one of
// which is the event's nobody can say which it is.
func (own *ownValues) in(body jsonNode) map[*jsonNode]bool {
	out := map[*jsonNode]bool{}
	if own == nil {
		return out
	}
	for i, name := range body.names {
		list := body.items[i]
		mine := own.lists[string(name)]
		if list.kind != '[' || len(list.items) <= len(mine) {
			continue
		}
		for _, m := range mine {
			found := alike(list.items, m)
			if len(found) > len(alike(mine, m)) {
				continue
			}
			for _, f := range found {
				out[f] = true
			}
		}
	}
	return out
}

// alike gives the values of a list that are the same as v.
func alike(list []jsonNode, v jsonNode) []*jsonNode {
	var out []*jsonNode
	for i := range list {
		if list[i].equal(v) {
			out = append(out, &list[i])
		}
	}
	return out
}

// equal reports whether two values have the same keys in the same order and
// the same plain values, byte for byte.
func (n jsonNode) equal(m jsonNode) bool {
	return n.kind == m.kind && bytes.Equal(n.raw, m.raw) && slices.EqualFunc(n.names, m.names, bytes.Equal) &&
		slices.EqualFunc(n.items, m.items, jsonNode.equal)
}
