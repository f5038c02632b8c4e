package mapping

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits of a text in YAML, for its parser takes time by the square of what is
// nested, and of what stands side by side. A text within them takes a second or
// two at the very most; Retail has about a thousand signs, and its brackets are
// three deep.
const (
	maxSigns = 40_000 // that may begin or part values
	maxOpen  = 1000   // brackets open at once, or blocks begun in one line
)

// tame refuses a text that YAML's parser could take minutes for. It knows
// nothing of quotes and comments: what stands in them counts too.
func tame(src []byte) error {
	signs, open, begun, line := 0, 0, 0, 1
	for i, b := range src {
		switch b {
		case '[', '{':
			open++
			signs++
		case ']', '}':
			open = max(open-1, 0)
		case ',', '&', '*', '!', '|', '>', '"', '\'', '#', '%', '@':
			signs++
		case ':', '-', '?':
			if next := i + 1; next == len(src) || src[next] <= ' ' {
				signs++
				if open == 0 {
					begun++
				}
			}
		case '\n':
			line++
			signs++
			begun = 0
		}
		if signs > maxSigns || open > maxOpen || begun > maxOpen {
			return errTooBig(place{line, 1})
		}
	}
	return nil
}

// readYAML reads one YAML document with places.
func readYAML(src []byte) (*node, error) {
	if err := tame(src); err != nil {
		return nil, err
	}
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
