package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/datafly/signal/mapping"
)

// A Fault is one thing wrong in a file, with its place and the remedy.
type Fault struct {
	File    string
	Line    int // 0 when the place is not known
	Column  int
	Path    string // "pipelines[0].key"
	Message string
}

// Error is one line: file, place, setting, what is wrong and how to mend it.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	b.WriteString(": ")
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

type position struct{ line, column int }

// document is a YAML file with the place of each of its settings.
type document struct {
	name   string
	places map[string]position
	faults []error
}

// Read parses the file at path. Its error joins a Fault for every unknown key
// and every value of a wrong form.
func Read(path string) (*File, error) {
	f, _, err := read(path)
	return f, err
}

func read(path string) (*File, *document, error) {
	src, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, &Fault{File: path, Message: "there is no such file: name one with --config, or write one as docs/configure.md shows"}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	return parse(path, src)
}

func parse(name string, src []byte) (*File, *document, error) {
	doc := &document{name: name, places: map[string]position{}}
	tree, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, nil, doc.yamlFault(err)
	}
	if len(tree.Docs) > 1 {
		return nil, nil, &Fault{File: name, Message: "it holds more than one YAML document: keep one"}
	}
	f := &File{}
	if len(tree.Docs) == 0 || tree.Docs[0].Body == nil {
		return f, doc, nil
	}
	doc.walk(tree.Docs[0].Body, reflect.TypeFor[File](), "")
	if len(doc.faults) > 0 {
		return nil, nil, errors.Join(doc.faults...)
	}
	if err := yaml.Unmarshal(src, f); err != nil {
		return nil, nil, doc.yamlFault(err)
	}
	return f, doc, nil
}

// plainMessage is what an error of the YAML library says, in one line.
func plainMessage(err error) string {
	var y yaml.Error
	if errors.As(err, &y) {
		return y.GetMessage()
	}
	return strings.TrimSpace(strings.SplitN(err.Error(), "\n", 2)[0])
}

// yamlFault words an error of the YAML library in one line.
func (d *document) yamlFault(err error) error {
	f := &Fault{File: d.name, Message: plainMessage(err)}
	var y yaml.Error
	if errors.As(err, &y) {
		if t := y.GetToken(); t != nil && t.Position != nil {
			f.Line, f.Column = t.Position.Line, t.Position.Column
		}
	}
	return f
}

// fault notes something wrong at a setting.
func (d *document) fault(path, format string, args ...any) {
	p := d.place(path)
	d.faults = append(d.faults, &Fault{File: d.name, Line: p.line, Column: p.column, Path: path, Message: fmt.Sprintf(format, args...)})
}

// place finds the setting, or the nearest one around it that is written.
func (d *document) place(path string) position {
	for {
		if p, ok := d.places[path]; ok || path == "" {
			return p
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// walk notes the place of every node below n, and every key that t does not
// have. Types that read themselves and free maps are not looked into for keys.
func (d *document) walk(n ast.Node, t reflect.Type, path string) {
	if tok := n.GetToken(); tok != nil && tok.Position != nil {
		if _, known := d.places[path]; !known {
			d.places[path] = position{tok.Position.Line, tok.Position.Column}
		}
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil && reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.InterfaceUnmarshaler]()) {
		if err := yaml.NodeToValue(n, reflect.New(t).Interface()); err != nil {
			d.fault(path, "%s", plainMessage(err))
		}
		t = nil
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			d.walkPair(v, t, path)
		}
	case *ast.MappingValueNode:
		d.walkPair(n, t, path)
	case *ast.SequenceNode:
		var elem reflect.Type
		if t != nil && t.Kind() == reflect.Slice {
			elem = t.Elem()
		}
		for i, v := range n.Values {
			d.walk(v, elem, fmt.Sprintf("%s[%d]", path, i))
		}
	case *ast.AnchorNode:
		d.walk(n.Value, t, path)
	case *ast.TagNode:
		d.walk(n.Value, t, path)
	}
}

func (d *document) walkPair(v *ast.MappingValueNode, t reflect.Type, path string) {
	key := v.Key.GetToken().Value
	at := strings.TrimPrefix(path+"."+key, ".")
	pos := v.Key.GetToken().Position
	d.places[at] = position{pos.Line, pos.Column}
	var elem reflect.Type
	switch {
	case t == nil:
	case t.Kind() == reflect.Map:
		elem = t.Elem()
	case t.Kind() == reflect.Struct && key != "<<":
		field, names := fieldNamed(t, key)
		if field == nil {
			d.fault(at, "there is no setting %q here%s", key, suggestion(key, names))
			return
		}
		elem = field
	}
	d.walk(v.Value, elem, at)
}

// fieldNamed gives the type of the field with that name in YAML, and all names.
func fieldNamed(t reflect.Type, key string) (reflect.Type, []string) {
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == key {
			return f.Type, nil
		}
		names = append(names, name)
	}
	return nil, names
}

// suggestion names the closest of names, or all of them.
func suggestion(key string, names []string) string {
	if best := mapping.Nearest(key, names); best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	sort.Strings(names)
	return ": use " + strings.Join(names, ", ")
}
