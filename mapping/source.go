package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of a mapping's text. Real ones have some hundred nodes; aliases of
// YAML could otherwise blow a small text up.
const (
	maxSource = 1 << 20
	maxNodes  = 50_000
	maxNested = 40
)

// A node is one value of a mapping's text, the same for YAML and JSON, with
// its place.
type node struct {
	place
	kind  kind
	text  string // of a scalar; a number by its digits
	keys  []key
	items []*node // of a list, or the values of keys
}

type key struct {
	place
	name string
}

type kind byte

const (
	null kind = iota
	boolean
	number
	text
	list
	object
)

// String words a kind for a person.
func (k kind) String() string {
	return [...]string{"nothing", "true or false", "a number", "text", "a list", "an object"}[k]
}

// readSource reads a text as JSON where it is JSON, else as YAML.
func readSource(src []byte) (*node, error) {
	if len(src) > maxSource {
		return nil, &Fault{Message: fmt.Sprintf("the mapping has %d bytes, more than %d", len(src), maxSource)}
	}
	if first := bytes.TrimLeft(src, " \t\r\n"); len(first) > 0 && first[0] == '{' {
		n, jsonErr := readJSON(src)
		if jsonErr == nil {
			return n, nil
		}
		if n, err := readYAML(src); err == nil {
			return n, nil
		}
		return nil, jsonErr
	}
	return readYAML(src)
}

// readJSON reads one JSON value with places.
func readJSON(src []byte) (*node, error) {
	r := jsonReader{src: src, d: jsontext.NewDecoder(bytes.NewReader(src), jsontext.AllowDuplicateNames(true))}
	n, err := r.value(0)
	if err == nil && r.d.PeekKind() != 0 {
		err = errors.New("something follows the mapping")
	}
	if err == nil {
		return n, nil
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return nil, f
	}
	at, message := r.at(r.d.InputOffset()), err.Error()
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at, message = r.at(s.ByteOffset), "this is not JSON: "+s.Err.Error()
	}
	return nil, &Fault{Line: at.line, Column: at.column, Message: message}
}

type jsonReader struct {
	src   []byte
	d     *jsontext.Decoder
	count int

	// Where at has counted to: the lines before, and the last line's end.
	counted, lines, end int
}

// at gives the place of an offset. Offsets mostly grow, so it counts on from
// the last one.
func (r *jsonReader) at(offset int64) place {
	to := min(int(offset), len(r.src))
	if to < r.counted {
		r.counted, r.lines, r.end = 0, 0, 0
	}
	for i, b := range r.src[r.counted:to] {
		if b == '\n' {
			r.lines++
			r.end = r.counted + i + 1
		}
	}
	r.counted = to
	return place{r.lines + 1, to - r.end + 1}
}

func (r *jsonReader) value(depth int) (*node, error) {
	if r.count++; r.count > maxNodes || depth > maxNested {
		return nil, errTooBig(r.at(r.d.InputOffset()))
	}
	switch k := r.d.PeekKind(); k {
	case '{', '[':
		return r.nested(k, depth)
	default:
		raw, err := r.d.ReadValue()
		if err != nil {
			return nil, err
		}
		n := &node{place: r.at(r.d.InputOffset() - int64(len(raw))), text: string(raw)}
		switch k {
		case '"':
			b, err := jsontext.AppendUnquote(nil, raw)
			n.kind, n.text = text, string(b)
			return n, err
		case '0':
			n.kind = number
		case 't', 'f':
			n.kind = boolean
		}
		return n, nil
	}
}

func (r *jsonReader) nested(open jsontext.Kind, depth int) (*node, error) {
	if _, err := r.d.ReadToken(); err != nil {
		return nil, err
	}
	n := &node{place: r.at(r.d.InputOffset() - 1), kind: list}
	if open == '{' {
		n.kind = object
	}
	for r.d.PeekKind() != '}' && r.d.PeekKind() != ']' {
		if n.kind == object {
			k, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			n.keys = append(n.keys, key{k.place, k.text})
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, v)
	}
	_, err := r.d.ReadToken()
	return n, err
}

func errTooBig(at place) error {
	return &Fault{Line: at.line, Column: at.column, Message: "the mapping is too big or nested too deeply"}
}

// literal gives the value of a node, numbers as json.Number.
func (n *node) literal() any {
	switch n.kind {
	case boolean:
		return n.text == "true"
	case number:
		return json.Number(n.text)
	case text:
		return n.text
	case list:
		out := make([]any, len(n.items))
		for i, v := range n.items {
			out[i] = v.literal()
		}
		return out
	case object:
		out := make(map[string]any, len(n.keys))
		for i, v := range n.items {
			out[n.keys[i].name] = v.literal()
		}
		return out
	}
	return nil
}

// isNumber reports whether s is a number by the grammar of JSON.
func isNumber(s string) bool {
	if s == "" || strings.ContainsAny(s[:1], "\"{[tfn ") || len(s) > 100 {
		return false
	}
	return jsontext.Value(s).Kind() == '0' && jsontext.Value(s).IsValid() && s[len(s)-1] > ' '
}
