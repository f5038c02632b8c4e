package lpsim

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// A node is one JSON value with its bytes as they came, so that digits and
// order survive to the read-back. The zero node is "not there".
type node struct {
	kind    byte // '{' '[' '"' '0' 't' 'f' 'n', or 0 when not there
	raw     []byte
	text    string   // of a string
	members []member // of an object, in order
	items   []node   // of an array
}

type member struct {
	name  string
	value node
}

// maxDepth bounds nesting: no attribute of LivePerson is deeper than 6.
const maxDepth = 64

// parse reads one JSON object. It is false for anything else: trailing data,
// a duplicate name, invalid UTF-8, deep nesting.
func parse(body []byte) (node, bool) {
	body = bytes.Trim(body, " \t\r\n")
	if len(body) == 0 || body[0] != '{' || !jsontext.Value(body).IsValid() {
		return node{}, false
	}
	r := reader{src: body}
	n := r.value(0)
	return n, !r.deep
}

// reader walks JSON that is known to be valid.
type reader struct {
	src  []byte
	at   int
	deep bool
}

func (r *reader) value(depth int) node {
	r.space()
	if depth > maxDepth {
		r.deep = true
	}
	if r.deep {
		return node{}
	}
	start := r.at
	n := node{kind: r.src[r.at]}
	switch n.kind {
	case '{':
		r.object(&n, depth)
	case '[':
		r.array(&n, depth)
	case '"':
		n.text = r.string()
	case 't', 'n':
		r.at += 4
	case 'f':
		r.at += 5
	default:
		n.kind = '0'
		for r.at < len(r.src) && !endsNumber(r.src[r.at]) {
			r.at++
		}
	}
	if r.deep {
		return node{}
	}
	n.raw = r.src[start:r.at]
	return n
}

func (r *reader) object(n *node, depth int) {
	r.at++
	for r.space(); r.src[r.at] != '}'; r.space() {
		if r.src[r.at] == ',' {
			r.at++
			r.space()
		}
		name := r.string()
		r.space()
		r.at++ // the colon
		if n.members == nil {
			n.members = make([]member, 0, 4)
		}
		v := r.value(depth + 1)
		if r.deep {
			return
		}
		n.members = append(n.members, member{name, v})
	}
	r.at++
}

func (r *reader) array(n *node, depth int) {
	r.at++
	for r.space(); r.src[r.at] != ']'; r.space() {
		if r.src[r.at] == ',' {
			r.at++
		}
		v := r.value(depth + 1)
		if r.deep {
			return
		}
		n.items = append(n.items, v)
	}
	r.at++
}

func (r *reader) string() string {
	start, plain := r.at, true
	for r.at++; r.src[r.at] != '"'; r.at++ {
		if r.src[r.at] == '\\' {
			plain = false
			r.at++
		}
	}
	r.at++
	if plain {
		b := r.src[start+1 : r.at-1]
		if s, ok := familiar[string(b)]; ok {
			return s
		}
		return string(b)
	}
	b, _ := jsontext.AppendUnquote(nil, r.src[start:r.at]) // valid, as the whole is
	return string(b)
}

// familiar are the words that most reports are made of, so that they need no
// memory of their own.
var familiar = func() map[string]string {
	out := map[string]string{}
	for _, w := range strings.Fields(`consumerId identities engagementAttributes pageId entryPoints iss acr sub 0 loa1
		type total currency numItems products product name category sku price quantity orderId cart info personal lead
		topic value leadId keywords customerId cstatus ctype firstname lastname contacts email purchase prodView
		ctmrinfo searchInfo cartStatus searchContent EUR USD`) {
		out[w] = w
	}
	return out
}()

func (r *reader) space() {
	for r.at < len(r.src) && (r.src[r.at] == ' ' || r.src[r.at] == '\t' || r.src[r.at] == '\n' || r.src[r.at] == '\r') {
		r.at++
	}
}

func endsNumber(c byte) bool {
	return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\n' || c == '\r'
}

// get gives the member of that name, or the zero node.
func (n node) get(name string) node {
	for i := range n.members {
		if n.members[i].name == name {
			return n.members[i].value
		}
	}
	return node{}
}

// at follows names through objects.
func (n node) at(names ...string) node {
	for _, name := range names {
		n = n.get(name)
	}
	return n
}

// there is false for what was left out and for null.
func (n node) there() bool { return n.kind != 0 && n.kind != 'n' }

// number reads a finite JSON number.
func (n node) number() (float64, bool) {
	if n.kind != '0' {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(n.raw), 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// integer reads a number without a fraction: 30 and 30.0, but not 30.5.
func (n node) integer() (float64, bool) {
	f, ok := n.number()
	return f, ok && f == math.Trunc(f)
}

func (n node) longerThan(characters int) bool {
	return len(n.text) > characters && utf8.RuneCountInString(n.text) > characters
}

// words gives the value as a person reads it: a string's text, a number's own
// digits.
func (n node) words() string {
	switch n.kind {
	case '"':
		return n.text
	case '0', 't', 'f':
		return string(n.raw)
	default:
		return ""
	}
}

// quote appends s as a JSON string.
func quote(dst []byte, s string) []byte {
	b, err := jsontext.AppendQuote(dst, s)
	if err != nil { // invalid UTF-8, already replaced in b
		return b
	}
	return b
}
