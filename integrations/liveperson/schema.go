package liveperson

import (
	"math"
	"reflect"
	"strconv"
	"strings"
)

// maxText is the longest text, in characters, that LivePerson gives back.
const maxText = 50_000

// sdes are the SDEs by the name that a mapping writes.
var sdes = map[string]*node{
	"cartStatus":    schemaOf(reflect.TypeFor[Cart]()),
	"purchase":      schemaOf(reflect.TypeFor[Purchase]()),
	"prodView":      schemaOf(reflect.TypeFor[ProductView]()),
	"lead":          schemaOf(reflect.TypeFor[Lead]()),
	"searchContent": schemaOf(reflect.TypeFor[Search]()),
	"ctmrinfo":      schemaOf(reflect.TypeFor[CustomerInfo]()),
	"personal":      schemaOf(reflect.TypeFor[Personal]()),
	"mrktInfo":      schemaOf(reflect.TypeFor[Marketing]()),
	"service":       schemaOf(reflect.TypeFor[Service]()),
	"error":         schemaOf(reflect.TypeFor[VisitorError]()),

	"impDisplay":  schemaOf(reflect.TypeFor[Shown]()),
	"impAccept":   schemaOf(reflect.TypeFor[Shown]()),
	"impExpanded": schemaOf(reflect.TypeFor[Expanded]()),
	"impTimeout":  schemaOf(reflect.TypeFor[Ended]()),
	"impClose":    schemaOf(reflect.TypeFor[Ended]()),
}

// A kind is what a value must be.
type kind int

const (
	text kind = iota
	number
	integer
	looseInteger // also as text
	boolean
	language
	list
	object
	anything
)

// rule is how the kind reads in "must be …".
func (k kind) rule() string {
	return [...]string{"text", "a number", "a whole number", "a whole number", "true or false",
		"a language such as en or en-GB", "a list", "an object", "anything"}[k]
}

// A node says what one value must be.
type node struct {
	kind     kind
	fields   map[string]*node // of an object
	required []string         // of an object, in the order of the type
	elem     *node            // of a list
	enum     []string         // of a text
	min, max float64          // of a whole number
	sum      bool             // the summary shows it
	bit      uint             // of a field: its place in the mask of what was there
	name     string           // of a field, and of the elements of one that is a list
}

// schemaOf reads a type of sde.go. It panics on a type that is no SDE, which
// any test shows.
func schemaOf(t reflect.Type) *node {
	n := &node{min: math.Inf(-1), max: math.Inf(1)}
	switch t {
	case reflect.TypeFor[Number]():
		n.kind = number
		return n
	case reflect.TypeFor[Int]():
		n.kind = integer
		return n
	case reflect.TypeFor[Channel]():
		n.kind = looseInteger
		return n
	case reflect.TypeFor[Anything]():
		n.kind = anything
		return n
	case reflect.TypeFor[Language]():
		n.kind = language
		return n
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.String:
		n.kind = text
	case reflect.Bool:
		n.kind = boolean
	case reflect.Slice:
		n.kind, n.elem = list, schemaOf(t.Elem())
	case reflect.Struct:
		n.kind, n.fields = object, map[string]*node{}
		for i := range t.NumField() {
			n.addField(t.Field(i), uint(i))
		}
	default:
		panic("liveperson: no schema for " + t.String())
	}
	return n
}

// choice words the enum: "A, B or C".
func (n *node) choice() string {
	last := len(n.enum) - 1
	if last == 0 {
		return n.enum[0]
	}
	return strings.Join(n.enum[:last], ", ") + " or " + n.enum[last]
}

func (n *node) addField(f reflect.StructField, bit uint) {
	name := f.Tag.Get("json")
	field := schemaOf(f.Type)
	field.bit = bit
	field.enum = strings.Fields(f.Tag.Get("enum"))
	field.name, field.sum = name, f.Tag.Get("sum") != ""
	if field.elem != nil {
		field.elem.name, field.elem.sum = name, field.sum
	}
	if s := f.Tag.Get("min"); s != "" {
		field.min, _ = strconv.ParseFloat(s, 64)
	}
	if s := f.Tag.Get("max"); s != "" {
		field.max, _ = strconv.ParseFloat(s, 64)
	}
	if f.Tag.Get("need") != "" {
		n.required = append(n.required, name)
	}
	n.fields[name] = field
}
