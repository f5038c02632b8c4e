package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
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
}

func (r *jsonReader) at(offset int64) place {
	before := r.src[:min(offset, int64(len(r.src)))]
	return place{bytes.Count(before, []byte{'\n'}) + 1, len(before) - bytes.LastIndexByte(before, '\n')}
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

// readYAML reads one YAML document with places.
func readYAML(src []byte) (*node, error) {
	file, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		f := &Fault{Message: "this is not YAML: " + err.Error()}
		if y, ok := errors.AsType[yaml.Error](err); ok {
			f.Message = "this is not YAML: " + y.GetMessage()
			if t := y.GetToken(); t != nil && t.Position != nil {
				f.Line, f.Column = t.Position.Line, t.Position.Column
			}
		}
		return nil, f
	}
	var docs []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil {
			docs = append(docs, d.Body)
		}
	}
	if len(docs) > 1 {
		at := yamlPlace(docs[1])
		return nil, &Fault{Line: at.line, Column: at.column, Message: "one text holds one mapping; take the second document out"}
	}
	if len(docs) == 0 {
		return &node{kind: null}, nil
	}
	return readYAMLNode(docs[0])
}

// readYAMLNode reads a part of a YAML text that was parsed already.
func readYAMLNode(n ast.Node) (*node, error) {
	r := yamlReader{anchors: map[string]ast.Node{}}
	return r.value(n, 0)
}

type yamlReader struct {
	anchors map[string]ast.Node
	count   int
}

func (r *yamlReader) value(n ast.Node, depth int) (*node, error) {
	at := yamlPlace(n)
	if r.count++; r.count > maxNodes || depth > maxNested {
		return nil, errTooBig(at)
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return r.object(n.Values, at, depth)
	case *ast.MappingValueNode:
		return r.object([]*ast.MappingValueNode{n}, at, depth)
	case *ast.SequenceNode:
		out := &node{place: at, kind: list}
		for _, item := range n.Values {
			v, err := r.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, v)
		}
		return out, nil
	case *ast.AnchorNode:
		r.anchors[n.Name.GetToken().Value] = n.Value
		return r.value(n.Value, depth+1)
	case *ast.AliasNode:
		target, ok := r.anchors[n.Value.GetToken().Value]
		if !ok {
			return nil, &Fault{Line: at.line, Column: at.column, Message: fmt.Sprintf("no anchor &%s stands before this", n.Value.GetToken().Value)}
		}
		return r.value(target, depth+1)
	}
	return yamlScalar(n, at)
}

func (r *yamlReader) object(values []*ast.MappingValueNode, at place, depth int) (*node, error) {
	out := &node{place: at, kind: object}
	for _, pair := range values {
		where := yamlPlace(pair.Key)
		if pair.Key.IsMergeKey() {
			return nil, &Fault{Line: where.line, Column: where.column, Message: "<< is not part of the language; an alias can stand for a whole list or object"}
		}
		name := pair.Key.GetToken().Value
		v, err := r.value(pair.Value, depth+1)
		if err != nil {
			return nil, err
		}
		out.keys = append(out.keys, key{where, name})
		out.items = append(out.items, v)
	}
	if len(out.keys) > 0 {
		out.place = out.keys[0].place
	}
	return out, nil
}

func yamlScalar(n ast.Node, at place) (*node, error) {
	out := &node{place: at, kind: text}
	switch n := n.(type) {
	case *ast.NullNode:
		out.kind = null
	case *ast.BoolNode:
		out.kind, out.text = boolean, strconv.FormatBool(n.Value)
	case *ast.IntegerNode:
		out.kind, out.text = number, yamlDigits(n.Token.Value, fmt.Sprint(n.Value))
	case *ast.FloatNode:
		out.kind, out.text = number, yamlDigits(n.Token.Value, strconv.FormatFloat(n.Value, 'f', -1, 64))
	case *ast.StringNode:
		out.text = n.Value
	case *ast.LiteralNode:
		out.text = n.Value.Value
	default:
		return nil, &Fault{Line: at.line, Column: at.column, Message: "a mapping holds text, numbers, true, false, lists and objects only"}
	}
	return out, nil
}

// yamlDigits keeps the digits as written where they are also a number in JSON.
func yamlDigits(written, value string) string {
	if isNumber(written) {
		return written
	}
	return value
}

func yamlPlace(n ast.Node) place {
	switch m := n.(type) {
	case nil:
		return place{}
	case *ast.MappingNode: // its own token is the first colon
		if len(m.Values) > 0 && !m.IsFlowStyle {
			return yamlPlace(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return yamlPlace(m.Key)
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{t.Position.Line, t.Position.Column}
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
