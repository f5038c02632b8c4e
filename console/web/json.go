package web

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"strings"

	"github.com/a-h/templ"
	"github.com/go-json-experiment/json/jsontext"
)

// A json view is drawn on the server: two spaces a level, "[{" joined when a
// list has one object, lists and objects of few plain values on one line,
// digits as received, every text escaped. What is no JSON is shown as text.

const (
	// inlineWidth is how long an object or list may be to stay on one line.
	inlineWidth = 64
	// maxLines bounds one view, so that a page stays light; Copy gives all.
	maxLines = 1200
)

// jsonView draws src, with the values of own marked; nil marks none.
func jsonView(src []byte, own *ownValues) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, renderJSON(src, own))
		return err
	})
}

func renderJSON(src []byte, own *ownValues) string {
	var out strings.Builder
	v := jsontext.Value(bytes.TrimSpace(src))
	if len(v) == 0 || !v.IsValid() {
		out.WriteString(html.EscapeString(string(src)))
		return out.String()
	}
	root := node(v)
	p := painter{out: &out, marked: own.in(root)}
	p.value(root, 0, true)
	if p.lines >= maxLines {
		out.WriteString("\n<span class=\"p\">… the rest is in Copy</span>")
	}
	return out.String()
}

// A jsonNode is one value: a plain one with its bytes, or a list or object.
type jsonNode struct {
	raw   []byte // of a plain value
	kind  jsontext.Kind
	names [][]byte // of an object's members, quoted
	items []jsonNode
}

// node reads one valid value. Names that stand twice are kept twice.
func node(v []byte) jsonNode {
	d := jsontext.NewDecoder(bytes.NewReader(v), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	n, _ := read(d)
	return n
}

func read(d *jsontext.Decoder) (jsonNode, error) {
	kind := d.PeekKind()
	if kind != '{' && kind != '[' {
		raw, err := d.ReadValue()
		return jsonNode{raw: bytes.Clone(raw), kind: kind}, err
	}
	n := jsonNode{kind: kind}
	if _, err := d.ReadToken(); err != nil {
		return n, err
	}
	for d.PeekKind() != '}' && d.PeekKind() != ']' {
		if kind == '{' {
			name, err := d.ReadValue()
			if err != nil {
				return n, err
			}
			n.names = append(n.names, bytes.Clone(name))
		}
		item, err := read(d)
		if err != nil {
			return n, err
		}
		n.items = append(n.items, item)
	}
	_, err := d.ReadToken()
	return n, err
}

func (n jsonNode) plain() bool { return n.kind != '{' && n.kind != '[' }

// inline reports whether n fits on one line, and how long it is.
func (n jsonNode) inline(top bool) (width int, ok bool) {
	if n.plain() {
		return len(n.raw), true
	}
	if len(n.items) == 0 {
		return 2, true
	}
	if top {
		return 0, false
	}
	width = 2
	for i, item := range n.items {
		if !item.plain() {
			return 0, false
		}
		width += len(item.raw) + 2
		if n.kind == '{' {
			width += len(n.names[i]) + 2
		}
	}
	return width, width <= inlineWidth || (n.kind == '[' && len(n.items) == 1)
}

type painter struct {
	out    *strings.Builder
	lines  int
	marked map[*jsonNode]bool
	within bool // a marked value
}

// item draws one value of a list or an object.
func (p *painter) item(n *jsonNode, indent int) {
	if !p.marked[n] {
		p.value(*n, indent, false)
		return
	}
	p.out.WriteString(`<mark>`)
	p.within = true
	p.value(*n, indent, false)
	p.within = false
	p.out.WriteString(`</mark>`)
}

func (p *painter) value(n jsonNode, indent int, top bool) {
	if p.lines >= maxLines {
		return
	}
	if n.plain() {
		p.token(class(n.kind), n.raw)
		return
	}
	open, shut := "{", "}"
	if n.kind == '[' {
		open, shut = "[", "]"
	}
	if _, ok := n.inline(top); ok {
		p.mark(open)
		for i := range n.items {
			if i > 0 {
				p.mark(", ")
			}
			p.name(n, i)
			p.item(&n.items[i], indent)
		}
		p.mark(shut)
		return
	}
	if n.kind == '[' && len(n.items) == 1 && n.items[0].kind == '{' && len(n.items[0].items) > 0 {
		p.block(n.items[0], "[{", "}]", indent)
		return
	}
	p.block(n, open, shut, indent)
}

func (p *painter) block(n jsonNode, open, shut string, indent int) {
	p.mark(open)
	for i := range n.items {
		p.line(indent + 1)
		if p.lines >= maxLines {
			return
		}
		p.name(n, i)
		p.item(&n.items[i], indent+1)
		if i < len(n.items)-1 {
			p.mark(",")
		}
	}
	p.line(indent)
	p.mark(shut)
}

func (p *painter) name(n jsonNode, i int) {
	if n.kind == '{' {
		p.token("k", n.names[i])
		p.mark(": ")
	}
}

func (p *painter) line(indent int) {
	p.lines++
	if p.within { // each line is marked by itself, so that its indent is not
		p.out.WriteString(`</mark>`)
		defer p.out.WriteString(`<mark>`)
	}
	p.out.WriteByte('\n')
	p.out.WriteString(strings.Repeat("  ", indent))
}

func (p *painter) mark(s string) { p.token("p", []byte(s)) }

func (p *painter) token(class string, raw []byte) {
	p.out.WriteString(`<span class="`)
	p.out.WriteString(class)
	p.out.WriteString(`">`)
	p.out.WriteString(html.EscapeString(string(raw)))
	p.out.WriteString("</span>")
}

func class(k jsontext.Kind) string {
	switch k {
	case '"':
		return "s"
	case '0':
		return "n"
	}
	return "l"
}

// urlView draws a request's method and address as one line: the names of the
// parameters and their values told apart. It is text, never a link: an address
// can say anything.
func urlView(method, address string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		var out strings.Builder
		if method != "" {
			out.WriteString("<b>" + html.EscapeString(method) + "</b> ")
		}
		head, query, has := strings.Cut(address, "?")
		out.WriteString(html.EscapeString(head))
		if has {
			out.WriteString("?")
		}
		for i, pair := range strings.Split(query, "&") {
			if !has {
				break
			}
			if i > 0 {
				out.WriteString("&amp;")
			}
			name, value, eq := strings.Cut(pair, "=")
			out.WriteString(`<span class="k">` + html.EscapeString(name) + "</span>")
			if eq {
				out.WriteString(`=<span class="s">` + html.EscapeString(value) + "</span>")
			}
		}
		_, err := io.WriteString(w, out.String())
		return err
	})
}

// pretty gives v as JSON, for what Signal itself made.
func pretty(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}
