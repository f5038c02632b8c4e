package mapping

import (
	"encoding/json"
	"reflect"
	"regexp"

	"github.com/expr-lang/expr/ast"
)

// matcher compiles a constant pattern.
func (c *exprCompiler) matcher(n *ast.BinaryNode) eval {
	pattern, ok := n.Right.(*ast.StringNode)
	if !ok {
		return c.refuse("the pattern of matches must be plain text")
	}
	re, err := regexp.Compile(pattern.Value)
	if err != nil {
		return c.refuse("the pattern %s is not right", quote(pattern.Value))
	}
	left := c.node(n.Left)
	return func(s *scope) (any, error) {
		v, err := left(s)
		if err != nil || v == nil {
			return false, err
		}
		text, problem := asString(v)
		if problem != "" {
			return false, nil
		}
		return re.MatchString(text.(string)), s.charge(1 + len(text.(string))/16)
	}
}

// equal compares by value: numbers by what they are worth, text that is a
// number with a number too.
func equal(s *scope, a, b any) (bool, error) {
	if err := s.charge(1); err != nil {
		return false, err
	}
	_, numA := a.(json.Number)
	_, numB := b.(json.Number)
	switch {
	case a == nil || b == nil:
		return a == nil && b == nil, nil
	case numA || numB:
		x, okX := decimalOf(a)
		y, okY := decimalOf(b)
		return okX && okY && x.cmp(y) == 0, nil
	}
	switch a.(type) {
	case map[string]any, []any:
		if err := s.charge(size(a)); err != nil {
			return false, err
		}
		return reflect.DeepEqual(a, b), nil
	}
	switch b.(type) {
	case map[string]any, []any:
		return false, nil
	}
	return a == b, nil
}

// size counts the values inside a value.
func size(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			n += size(e)
		}
	case []any:
		for _, e := range v {
			n += size(e)
		}
	case string:
		n += len(v) / 64
	}
	return n
}

// decimalOf reads a number, or text that is one.
func decimalOf(v any) (decimal, bool) {
	n, problem := asNumber(v)
	if problem != "" {
		return decimal{}, false
	}
	d, err := parseDecimal(string(n.(json.Number)))
	return d, err == nil
}
