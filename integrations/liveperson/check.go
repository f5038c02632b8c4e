package liveperson

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// An sde is one SDE that was held against the schema.
type sde struct {
	name   string // as the mapping wrote it
	raw    []byte
	at     [2]int   // where the type's value stands in raw, quotes included
	faults []string // none when it may be sent
	shown  []shown  // for the summary
}

// shown is one value for the summary. Its bytes share memory with the SDE.
type shown struct {
	field string
	raw   []byte
}

// show gives a field for the summary as text, or "".
func (s *sde) show(field string) string {
	for _, v := range s.shown {
		if v.field == field {
			return plainText(v.raw)
		}
	}
	return ""
}

// checkSDE holds one SDE, as a mapping wrote it, against the schema. It names
// every fault.
func checkSDE(raw []byte) sde {
	s := sde{raw: raw}
	if jsontext.Value(raw).Kind() != '{' {
		s.faults = []string{"an engagement attribute must be an object, got " + kindName(jsontext.Value(raw).Kind())}
		return s
	}
	c := checker{s: &s}
	c.d = borrow(raw)
	defer giveBack(c.d)
	value, end := c.findType()
	if c.err != nil {
		s.faults = []string{"an engagement attribute is not valid JSON"}
		return s
	}
	if value == nil {
		s.faults = []string{"an engagement attribute has no type"}
		return s
	}
	if value.Kind() != '"' {
		s.faults = []string{"type must be text, got " + kindName(value.Kind())}
		return s
	}
	s.name = plainText(value)
	s.at = [2]int{end - len(value), end}
	schema := sdes[s.name]
	if schema == nil {
		s.faults = []string{unknownType(s.name)}
		return s
	}
	c.d.restart(raw)
	c.path = append(c.path, s.name...)
	c.value(schema)
	if c.err != nil {
		s.faults = append(s.faults, s.name+" is not valid JSON")
	}
	return s
}

// otherNames are what LivePerson itself calls its SDEs elsewhere: on the wire of
// its reference, in the APIs that report them, and in its libraries. They are
// taken for mistakes: a mapping writes one name, and the dialect translates.
// In small letters, without _.
var otherNames = map[string]string{
	"cart": "cartStatus", "cartupdate": "cartStatus", "searchinfo": "searchContent", "searchedcontent": "searchContent",
	"transaction": "purchase", "purchases": "purchase", "viewedproduct": "prodView", "leads": "lead",
	"customerinfo": "ctmrinfo", "personalinfo": "personal", "marketingcampaigninfo": "mrktInfo", "marketingsource": "mrktInfo",
	"serviceactivity": "service", "services": "service", "visitorerror": "error",
}

// sdeNames are the names that a misspelt one is held against.
var sdeNames = slices.Sorted(maps.Keys(sdes))

// unknownType says what to write in the place of an SDE type that there is not.
func unknownType(name string) string {
	folded := strings.ToLower(strings.ReplaceAll(name, "_", ""))
	instead := otherNames[folded]
	for _, known := range sdeNames {
		if strings.ToLower(known) == folded {
			instead = known
		}
	}
	if instead == "" {
		instead = nearest(name, sdeNames)
	}
	if len(name) > 40 || instead == "" {
		return "type is not an engagement attribute of LivePerson"
	}
	return fmt.Sprintf("type %q is not an engagement attribute of LivePerson; write %s", name, instead)
}

// A checker walks one SDE.
type checker struct {
	d    *scanner
	s    *sde
	path []byte // of the value at hand, for the faults
	err  error  // of the JSON itself; ends the walk
}

// findType gives the value of the top-level type, and where it ends.
func (c *checker) findType() (jsontext.Value, int) {
	if _, c.err = c.d.ReadToken(); c.err != nil {
		return nil, 0
	}
	for c.d.PeekKind() != '}' {
		name, err := c.d.ReadValue()
		if err != nil {
			c.err = err
			return nil, 0
		}
		isType := string(name) == `"type"`
		value, err := c.d.ReadValue()
		if err != nil {
			c.err = err
			return nil, 0
		}
		if isType {
			return value, int(c.d.InputOffset())
		}
	}
	return nil, 0
}

func (c *checker) fault(format string, args ...any) {
	c.s.faults = append(c.s.faults, c.where()+" "+fmt.Sprintf(format, args...))
}

// where is the path without the type in front when the SDE nests its fields
// under the type's own name: lead.value, not lead.lead.value.
func (c *checker) where() string {
	if rest, ok := bytes.CutPrefix(c.path, []byte(c.s.name+"."+c.s.name)); ok && (len(rest) == 0 || rest[0] == '.') {
		return c.s.name + string(rest)
	}
	return string(c.path)
}

// value checks the next value. A null is as good as absent, which the object
// around it sees to.
func (c *checker) value(n *node) {
	k := c.d.PeekKind()
	switch {
	case k == '{' && n.kind == object:
		c.object(n)
	case k == '[' && n.kind == list:
		c.list(n)
	default:
		raw, err := c.d.ReadValue()
		if err != nil {
			c.err = err
			return
		}
		c.leaf(n, raw)
	}
}

func (c *checker) list(n *node) {
	depth := len(c.path)
	if _, c.err = c.d.ReadToken(); c.err != nil {
		return
	}
	for i := 0; c.d.PeekKind() != ']'; i++ {
		c.path = append(c.path[:depth], '[')
		c.path = strconv.AppendInt(c.path, int64(i), 10)
		c.path = append(c.path, ']')
		if c.d.PeekKind() == 'n' {
			c.fault("must be %s, got nothing", n.elem.kind.rule())
		}
		if c.value(n.elem); c.err != nil {
			return
		}
	}
	c.path = c.path[:depth]
	_, c.err = c.d.ReadToken()
}

func (c *checker) object(n *node) {
	depth := len(c.path)
	if _, c.err = c.d.ReadToken(); c.err != nil {
		return
	}
	var there uint64
	for c.d.PeekKind() != '}' {
		raw, err := c.d.ReadValue()
		if err != nil {
			c.err = err
			return
		}
		name := raw[1 : len(raw)-1] // an escaped name is in no schema
		field := n.fields[string(name)]
		c.path = append(append(c.path[:depth], '.'), name...)
		if field == nil {
			c.unknown(n, string(name), depth)
			if c.err = c.d.SkipValue(); c.err != nil {
				return
			}
			continue
		}
		if c.d.PeekKind() != 'n' {
			there |= 1 << field.bit
		}
		if c.value(field); c.err != nil {
			return
		}
	}
	for _, name := range n.required {
		if there&(1<<n.fields[name].bit) == 0 {
			c.path = append(append(c.path[:depth], '.'), name...)
			c.fault("is missing")
		}
	}
	c.path = c.path[:depth]
	_, c.err = c.d.ReadToken()
}

// unknown refuses a field that the schema does not have, and says where it
// belongs if that is plain.
func (c *checker) unknown(n *node, name string, depth int) {
	names := slices.Sorted(maps.Keys(n.fields))
	for _, wrapper := range names {
		if n.fields[wrapper].kind == object && n.fields[wrapper].fields[name] != nil {
			c.path = c.path[:depth]
			c.s.faults = append(c.s.faults, fmt.Sprintf("%s.%s belongs inside %s.%s", c.path, name, c.path, wrapper))
			return
		}
	}
	if near := nearest(name, names); near != "" {
		c.fault("is not a field of LivePerson; did you mean %s?", near)
		return
	}
	c.fault("is not a field of LivePerson")
}

// leaf checks a value that has no parts, or that should have none.
func (c *checker) leaf(n *node, raw jsontext.Value) {
	k := raw.Kind()
	if k == 'n' {
		return
	}
	good := false
	switch n.kind {
	case text, language:
		good = k == '"'
	case number, integer:
		good = k == '0'
	case looseInteger:
		good = k == '0' || k == '"'
	case boolean:
		good = k == 't' || k == 'f'
	case anything:
		good = true
	}
	if !good {
		c.fault("must be %s, got %s", n.kind.rule(), kindName(k))
		return
	}
	switch n.kind {
	case text, language:
		c.text(n, raw)
	case number, integer, looseInteger:
		c.number(n, raw)
	}
	if n.sum {
		c.show(n, raw)
	}
}

// show keeps a value for the summary. Its bytes are taken from the SDE itself,
// as the decoder's own do not last.
func (c *checker) show(n *node, raw jsontext.Value) {
	c.s.shown = append(c.s.shown, shown{n.name, part(c.d, c.s.raw, raw)})
}

func (c *checker) text(n *node, raw jsontext.Value) {
	if len(raw) > maxText { // bytes are never fewer than characters
		if size := utf8.RuneCountInString(plainText(raw)); size > maxText {
			c.fault("must be at most 50,000 characters, got %d", size)
			return
		}
	}
	if len(n.enum) > 0 && !slices.Contains(n.enum, plainText(raw)) {
		c.fault("must be %s", n.choice())
	}
	if n.kind == language && !isLanguage(plainText(raw)) {
		c.fault("must be %s", n.kind.rule())
	}
}

func (c *checker) number(n *node, raw jsontext.Value) {
	digits := raw
	if raw.Kind() == '"' {
		digits = raw[1 : len(raw)-1]
	}
	f, err := strconv.ParseFloat(string(digits), 64)
	switch {
	case raw.Kind() == '"' && (err != nil || f != math.Trunc(f) || !isDecimal(digits)):
		c.fault("must be %s, got text", n.kind.rule())
	case err != nil:
		c.fault("is too large a number for LivePerson")
	case n.kind == number:
	case f != math.Trunc(f):
		c.fault("must be a whole number, got a fraction")
	case math.Abs(f) > 1<<53:
		c.fault("is too large a number for LivePerson")
	case f < n.min && math.IsInf(n.max, 1):
		c.fault("must not be below %g", n.min)
	case f < n.min || f > n.max:
		c.fault("must be from %g to %g", n.min, n.max)
	}
}

func isDecimal(b []byte) bool {
	for _, d := range b {
		if d < '0' || d > '9' {
			return false
		}
	}
	return len(b) > 0
}

// isLanguage takes ISO 639-1, alone or with ISO 3166-1 behind - or _.
func isLanguage(s string) bool {
	lower := func(b byte) bool { return 'a' <= b && b <= 'z' }
	upper := func(b byte) bool { return 'A' <= b && b <= 'Z' }
	switch len(s) {
	case 2:
		return lower(s[0]) && lower(s[1])
	case 5:
		return lower(s[0]) && lower(s[1]) && (s[2] == '-' || s[2] == '_') && upper(s[3]) && upper(s[4])
	}
	return false
}

// kindName names the kind of a JSON value, for a person.
func kindName(k jsontext.Kind) string {
	switch k {
	case '"':
		return "text"
	case '0':
		return "a number"
	case 't', 'f':
		return "true or false"
	case '[':
		return "a list"
	case '{':
		return "an object"
	}
	return "nothing"
}
