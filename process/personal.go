package process

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/datafly/signal/event"
)

// personalData applies the pipeline's rules for personal data: hashed paths
// become the sha256 of their text in hex, redacted ones go. What an integration
// is exempted from is kept aside for it alone.
func personalData(w *Work, _ []byte) {
	for _, path := range w.Pipeline.HashFields {
		if v, ok := w.replace(path, hashed); ok && !event.Empty(v) {
			w.Hashed = append(w.Hashed, path)
		}
	}
	for _, path := range w.Pipeline.RedactFields {
		if _, ok := w.replace(path, nil); ok {
			w.Redacted = append(w.Redacted, path)
		}
	}
}

// hashed gives the sha256 of a text or number, trimmed and in lower case, as
// vendors expect of e-mail addresses. Other values cannot be hashed and go.
func hashed(v any) any {
	text := strings.ToLower(strings.TrimSpace(event.IDText(v)))
	if text == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// replace puts change(value) in the place of the value at a dotted path, or
// takes it out when change is nil, and remembers the original.
func (w *Work) replace(path string, change func(any) any) (original any, ok bool) {
	parent, leaf := w.Event.Fields, path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		at, _ := w.Event.Lookup(path[:i])
		parent, _ = at.(map[string]any)
		leaf = path[i+1:]
	}
	original, ok = parent[leaf]
	if !ok {
		return nil, false
	}
	if w.originals == nil {
		w.originals = map[string]any{}
	}
	if _, kept := w.originals[path]; !kept {
		w.originals[path] = original
	}
	if change == nil {
		delete(parent, leaf)
	} else {
		parent[leaf] = change(original)
	}
	return original, true
}

// exempted gives the event with the named fields as they came, for one
// integration; the governed event stays as it is.
func (w *Work) exempted(paths []string) *event.Event {
	var out *event.Event
	for _, path := range paths {
		original, ok := w.originals[path]
		if !ok {
			continue
		}
		if out == nil {
			copied := *w.Event
			copied.Fields = event.Clone(w.Event.Fields).(map[string]any)
			out = &copied
		}
		i := strings.LastIndexByte(path, '.')
		if at, _ := out.Lookup(path[:max(i, 0)]); at != nil {
			if parent, ok := at.(map[string]any); ok {
				parent[path[i+1:]] = original
			}
		}
	}
	if out == nil {
		return w.Event
	}
	return out
}
