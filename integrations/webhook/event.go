package webhook

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/datafly/signal/event"
)

// fieldOrder is how the fields of an event stand in a body. Those that are not
// listed, such as groupId, follow by the alphabet.
var fieldOrder = []string{"messageId", "type", "event", "anonymousId", "userId", "properties", "traits", "context", "timestamp", "receivedAt"}

// Extract keeps the canonical event for Build: what the site sent, after
// governance, with Signal's stamps. It gives nil where the mapping makes the
// body, so that the settings in force when an event comes say how it goes out.
func (c *Connection) Extract(e *event.Event) json.RawMessage {
	if c.settings.Body != BodyEvent {
		return nil
	}
	return canonical(e.Fields)
}

// canonical writes an event with the names of the wire and its own digits. A
// field that is null is left out; what is inside an object stays as it came.
func canonical(fields map[string]any) []byte {
	w := fieldWriter{fields: fields}
	w.out.Grow(1 << 10)
	w.json = json.NewEncoder(&w.out)
	w.json.SetEscapeHTML(false) // an address stays readable, and a body small
	w.out.WriteByte('{')
	for _, name := range fieldOrder {
		w.field(name)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(fieldOrder, name) {
			w.field(name)
		}
	}
	w.out.WriteByte('}')
	return w.out.Bytes()
}

type fieldWriter struct {
	fields map[string]any
	out    bytes.Buffer
	json   *json.Encoder
}

// field writes one field, if the event has it. A decoded event holds nothing
// that JSON does not have.
func (w *fieldWriter) field(name string) {
	v := w.fields[name]
	if v == nil {
		return
	}
	mark := w.out.Len()
	if mark > 1 {
		w.out.WriteByte(',')
	}
	if err := w.json.Encode(name); err == nil {
		w.out.Truncate(w.out.Len() - 1) // the line's end
		w.out.WriteByte(':')
		if err = w.json.Encode(v); err == nil {
			w.out.Truncate(w.out.Len() - 1)
			return
		}
	}
	w.out.Truncate(mark)
}
