package lpsim

import (
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
// a duplicate name, invalid UTF-8 or half a surrogate pair, deep nesting.
func parse(body []byte) (node, bool) {
	if !utf8.Valid(body) {
		return node{}, false
	}
	r := reader{src: body}
	if r.space(); r.peek() != '{' {
		return node{}, false
	}
	n := r.value(0)
	if r.space(); r.bad || r.at != len(r.src) {
		return node{}, false
	}
	return n, true
}

// A reader walks bytes that are valid UTF-8. Once bad, what it gave is of no
// use and it soon ends.
type reader struct {
	src []byte
	at  int
	bad bool
}

// peek gives the next byte, 0 at the end.
func (r *reader) peek() byte {
	if r.at < len(r.src) {
		return r.src[r.at]
	}
	return 0
}

func (r *reader) fail() { r.bad, r.at = true, len(r.src) }

// take goes past c, which has to be next.
func (r *reader) take(c byte) {
	if r.peek() != c {
		r.fail()
		return
	}
	r.at++
}

func (r *reader) space() {
	for r.at < len(r.src) && (r.src[r.at] == ' ' || r.src[r.at] == '\n' || r.src[r.at] == '\r' || r.src[r.at] == '\t') {
		r.at++
	}
}

func (r *reader) value(depth int) node {
	if depth > maxDepth {
		r.fail()
		return node{}
	}
	r.space()
	start := r.at
	n := node{kind: r.peek()}
	switch n.kind {
	case '{':
		r.object(&n, depth)
	case '[':
		r.array(&n, depth)
	case '"':
		n.text = r.string()
	case 't':
		r.word("true")
	case 'f':
		r.word("false")
	case 'n':
		r.word("null")
	default:
		n.kind = '0'
		r.number()
	}
	if r.bad {
		return node{}
	}
	n.raw = r.src[start:r.at]
	return n
}

func (r *reader) object(n *node, depth int) {
	r.at++
	if r.space(); r.peek() == '}' {
		r.at++
		return
	}
	n.members = make([]member, 0, 4)
	for !r.bad {
		r.space()
		name := r.string()
		r.space()
		r.take(':')
		n.members = append(n.members, member{name, r.value(depth + 1)})
		if r.space(); r.peek() != ',' {
			r.take('}')
			break
		}
		r.at++
	}
	if repeated(n.members) {
		r.fail()
	}
}

// repeated says whether two members have one name.
func repeated(members []member) bool {
	if len(members) > 32 { // so that a body of a million names takes no hour
		seen := make(map[string]bool, len(members))
		for i := range members {
			if seen[members[i].name] {
				return true
			}
			seen[members[i].name] = true
		}
		return false
	}
	for i := range members {
		for j := range i {
			if members[i].name == members[j].name {
				return true
			}
		}
	}
	return false
}

func (r *reader) array(n *node, depth int) {
	r.at++
	if r.space(); r.peek() == ']' {
		r.at++
		return
	}
	for !r.bad {
		n.items = append(n.items, r.value(depth+1))
		if r.space(); r.peek() != ',' {
			r.take(']')
			return
		}
		r.at++
	}
}

func (r *reader) string() string {
	start, plain := r.at, true
	r.take('"')
	for {
		switch c := r.peek(); {
		case c == '"':
			r.at++
			return r.unquote(r.src[start:r.at], plain)
		case c < ' ': // a control character, or the end
			r.fail()
			return ""
		case c == '\\':
			plain = false
			r.at += 2
		default:
			r.at++
		}
	}
}

// unquote gives the text of a string, in quotes, whose escapes are not checked
// yet.
func (r *reader) unquote(quoted []byte, plain bool) string {
	if plain {
		b := quoted[1 : len(quoted)-1]
		if s, ok := familiar[string(b)]; ok {
			return s
		}
		return string(b)
	}
	b, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil { // an escape that is none, or half a surrogate pair
		r.fail()
	}
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

func (r *reader) word(w string) {
	if end := r.at + len(w); end <= len(r.src) && string(r.src[r.at:end]) == w {
		r.at = end
		return
	}
	r.fail()
}

// number goes past -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (r *reader) number() {
	if r.peek() == '-' {
		r.at++
	}
	if r.peek() == '0' {
		r.at++
	} else {
		r.digits()
	}
	if r.peek() == '.' {
		r.at++
		r.digits()
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		r.at++
		if c := r.peek(); c == '+' || c == '-' {
			r.at++
		}
		r.digits()
	}
}

// digits goes past one digit or more.
func (r *reader) digits() {
	if !isDigit(r.peek()) {
		r.fail()
	}
	for isDigit(r.peek()) {
		r.at++
	}
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
