package mapping

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Parse reads a mapping from YAML or JSON. It is strict: unknown keys, keys
// that stand twice and values of the wrong kind are errors. The error joins a
// *Fault for each, with line and column. It checks the form only; Compile
// checks what it says.
func Parse(src []byte) (*Mapping, error) {
	root, err := readSource(src)
	if err != nil {
		return nil, err
	}
	m := new(Mapping)
	if err := decode(root, m.decode); err != nil {
		return nil, err
	}
	return m, nil
}

// UnmarshalYAML reads a mapping that stands inside a larger text, as Parse does.
func (m *Mapping) UnmarshalYAML(n ast.Node) error {
	root, err := readYAMLNode(n)
	if err != nil {
		return err
	}
	*m = Mapping{}
	return decode(root, m.decode)
}

// UnmarshalJSON reads a mapping that stands inside a larger text, as Parse does.
// Lines and columns count from where the mapping begins.
func (m *Mapping) UnmarshalJSON(b []byte) error {
	root, err := readJSON(b)
	if err != nil {
		return err
	}
	*m = Mapping{}
	return decode(root, m.decode)
}

// UnmarshalYAML reads one field, as Parse does.
func (f *Field) UnmarshalYAML(n ast.Node) error {
	root, err := readYAMLNode(n)
	if err != nil {
		return err
	}
	*f = Field{}
	return decode(root, f.decode)
}

// UnmarshalJSON reads one field, as Parse does.
func (f *Field) UnmarshalJSON(b []byte) error {
	root, err := readJSON(b)
	if err != nil {
		return err
	}
	*f = Field{}
	return decode(root, f.decode)
}

func decode(root *node, into func(*decoder, *node, string)) error {
	d := &decoder{faults: faultList{at: places{}}}
	into(d, root, "")
	return d.faults.err()
}

// decoder turns nodes into a Mapping and gathers what does not fit.
type decoder struct {
	faults faultList
}

// A slot is one key that an object may have.
type slot struct {
	name string
	read func(n *node, path string)
}

func (m *Mapping) decode(d *decoder, n *node, path string) {
	m.places = d.faults.at
	if n.kind == null {
		d.faults.addAt(path, n.place, "the mapping is empty; it needs events")
		return
	}
	d.object(n, path, "a mapping", []slot{
		{"preset", d.text(&m.Preset)},
		{"common", d.fields(&m.Common)},
		{"attributes", d.attributes(&m.Attributes)},
		{"events", func(n *node, path string) {
			m.Events = items(d, n, path, func(r *EventRule, n *node, path string) { r.decode(d, n, path) })
		}},
	})
}

func (r *EventRule) decode(d *decoder, n *node, path string) {
	d.object(n, path, "an event's rule", []slot{
		{"event", d.text(&r.Event)},
		{"aliases", d.texts(&r.Aliases)},
		{"when", d.text(&r.When)},
		{"otherwise", d.text(&r.Otherwise)},
		{"fields", d.fields(&r.Fields)},
		{"attributes", d.attributes(&r.Attributes)},
	})
}

func (a *Attribute) decode(d *decoder, n *node, path string) {
	d.object(n, path, "an attribute", []slot{
		{"type", d.text(&a.Type)},
		{"once", d.text(&a.Once)},
		{"when", d.text(&a.When)},
		{"fields", d.fields(&a.Fields)},
	})
}

func (f *Field) decode(d *decoder, n *node, path string) {
	d.object(n, path, "a field", []slot{
		{"target", d.text(&f.Target)},
		{"source", d.texts((*[]string)(&f.Source))},
		{"expr", d.text(&f.Expr)},
		{"value", d.literal(&f.Value)},
		{"each", d.texts((*[]string)(&f.Each))},
		{"value_map", func(n *node, path string) { f.ValueMap = d.valueMap(n, path) }},
		{"as", d.text(&f.As)},
		{"default_value", d.literal(&f.DefaultValue)},
		{"required", d.flag(&f.Required)},
		{"when", d.text(&f.When)},
		{"only_with", d.text(&f.OnlyWith)},
		{"keep_empty", d.flag(&f.KeepEmpty)},
		{"fields", d.fields(&f.Fields)},
	})
}

// object reads the keys of an object; what is for a person to mend is noted.
func (d *decoder) object(n *node, path, what string, slots []slot) {
	d.faults.at[path] = n.place
	if n.kind != object {
		d.faults.addAt(path, n.place, "%s is an object with keys such as %s, this is %s", what, slots[0].name, n.kind)
		return
	}
	seen := map[string]bool{}
	for i, k := range n.keys {
		s := find(slots, k.name)
		if s == nil {
			d.unknown(k, path, what, slots)
			continue
		}
		if seen[k.name] {
			d.faults.addAt(join(path, k.name), k.place, "%s stands twice; leave one out", k.name)
			continue
		}
		seen[k.name] = true
		at := join(path, k.name)
		d.faults.at[at] = n.items[i].place
		s.read(n.items[i], at)
	}
}

func find(slots []slot, name string) *slot {
	for i := range slots {
		if slots[i].name == name {
			return &slots[i]
		}
	}
	return nil
}

func (d *decoder) unknown(k key, path, what string, slots []slot) {
	names := make([]string, len(slots))
	for i, s := range slots {
		names[i] = s.name
	}
	if near := Nearest(k.name, names); near != "" {
		d.faults.addAt(path, k.place, "%s has no key %s; did you mean %q?", what, quote(k.name), near)
		return
	}
	d.faults.addAt(path, k.place, "%s has no key %s; it may have %s", what, quote(k.name), strings.Join(names, ", "))
}

func (d *decoder) text(into *string) func(*node, string) {
	return func(n *node, path string) {
		switch n.kind {
		case text, number, boolean:
			*into = n.text
		case null:
			d.faults.addAt(path, n.place, "this is empty; write a value or leave the key out")
		default:
			d.faults.addAt(path, n.place, "text is needed here, this is %s", n.kind)
		}
		if n.kind == text && strings.TrimSpace(n.text) == "" {
			d.faults.addAt(path, n.place, "this is empty; write a value or leave the key out")
		}
	}
}

// texts reads a list of texts, or one text alone.
func (d *decoder) texts(into *[]string) func(*node, string) {
	return func(n *node, path string) {
		if n.kind != list {
			var one string
			d.text(&one)(n, path)
			*into = []string{one}
			return
		}
		if len(n.items) == 0 {
			d.faults.addAt(path, n.place, "this list is empty; write a value or leave the key out")
		}
		*into = items(d, n, path, func(s *string, n *node, path string) { d.text(s)(n, path) })
	}
}

func (d *decoder) flag(into *bool) func(*node, string) {
	return func(n *node, path string) {
		if n.kind != boolean {
			d.faults.addAt(path, n.place, "true or false is needed here, this is %s", n.kind)
		}
		*into = n.text == "true"
	}
}

func (d *decoder) literal(into *any) func(*node, string) {
	return func(n *node, path string) {
		if n.kind == null {
			d.faults.addAt(path, n.place, "this is empty; leave the key out, a field that finds nothing is left out")
		}
		*into = n.literal()
	}
}

func (d *decoder) valueMap(n *node, path string) map[string]any {
	if n.kind != object {
		d.faults.addAt(path, n.place, `value_map is an object such as {"true": loa1, "false": "0"}, this is %s`, n.kind)
		return nil
	}
	out := make(map[string]any, len(n.keys))
	for i, k := range n.keys {
		if _, twice := out[k.name]; twice {
			d.faults.addAt(path, k.place, "%s stands twice; leave one out", quote(k.name))
		}
		var v any
		d.literal(&v)(n.items[i], path)
		out[k.name] = v
	}
	return out
}

func (d *decoder) fields(into *[]Field) func(*node, string) {
	return func(n *node, path string) {
		*into = items(d, n, path, func(f *Field, n *node, path string) { f.decode(d, n, path) })
	}
}

func (d *decoder) attributes(into *[]Attribute) func(*node, string) {
	return func(n *node, path string) {
		*into = items(d, n, path, func(a *Attribute, n *node, path string) { a.decode(d, n, path) })
	}
}

func items[T any](d *decoder, n *node, path string, read func(*T, *node, string)) []T {
	if n.kind != list {
		d.faults.addAt(path, n.place, "a list is needed here, this is %s", n.kind)
		return nil
	}
	out := make([]T, len(n.items))
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.faults.at[at] = item.place
		read(&out[i], item, at)
	}
	return out
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// UnmarshalYAML reads one path or a list.
func (p *Paths) UnmarshalYAML(n ast.Node) error {
	root, err := readYAMLNode(n)
	if err != nil {
		return err
	}
	return decode(root, func(d *decoder, n *node, path string) { d.texts((*[]string)(p))(n, path) })
}

// UnmarshalJSON reads one path or a list.
func (p *Paths) UnmarshalJSON(b []byte) error {
	root, err := readJSON(b)
	if err != nil {
		return err
	}
	if root.kind == null {
		return errors.New("a path or a list of paths is needed here")
	}
	return decode(root, func(d *decoder, n *node, path string) { d.texts((*[]string)(p))(n, path) })
}
