package mapping

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

func (c *exprCompiler) unary(n *ast.UnaryNode) eval {
	of := c.node(n.Node)
	switch n.Operator {
	case "not", "!":
		cond := truthOf(of)
		return func(s *scope) (any, error) {
			v, err := cond(s)
			return v == false, err
		}
	case "-", "+":
		return func(s *scope) (any, error) {
			v, err := of(s)
			if err != nil || v == nil {
				return nil, err
			}
			d, err := operand(v)
			if err != nil {
				return nil, err
			}
			if n.Operator == "-" {
				d = d.neg()
			}
			return d.number(), s.charge(1)
		}
	}
	return c.refuse("the operator %s is not part of the language of mappings", quote(n.Operator))
}

func (c *exprCompiler) binary(n *ast.BinaryNode) eval {
	switch n.Operator {
	case "and", "&&", "or", "||":
		return c.logic(n)
	case "??":
		left, right := c.node(n.Left), c.node(n.Right)
		return func(s *scope) (any, error) {
			if v, err := left(s); err != nil || v != nil {
				return v, err
			}
			return right(s)
		}
	case "matches":
		return c.matcher(n)
	}
	op, ok := operators[n.Operator]
	if !ok {
		return c.refuse("the operator %s is not part of the language of mappings", quote(n.Operator))
	}
	left, right := c.node(n.Left), c.node(n.Right)
	return func(s *scope) (any, error) {
		a, err := left(s)
		if err != nil {
			return nil, err
		}
		b, err := right(s)
		if err != nil {
			return nil, err
		}
		if err := s.charge(1); err != nil {
			return nil, err
		}
		return op(s, a, b)
	}
}

func (c *exprCompiler) logic(n *ast.BinaryNode) eval {
	left, right := truthOf(c.node(n.Left)), truthOf(c.node(n.Right))
	enough := n.Operator == "or" || n.Operator == "||"
	return func(s *scope) (any, error) {
		v, err := left(s)
		if err != nil || v == enough {
			return v, err
		}
		return right(s)
	}
}

// operators take two values. What is missing makes a calculation nothing and
// a comparison false.
var operators = map[string]func(s *scope, a, b any) (any, error){
	"==": func(s *scope, a, b any) (any, error) { return equal(s, a, b) },
	"!=": func(s *scope, a, b any) (any, error) {
		same, err := equal(s, a, b)
		return !same, err
	},
	"<":          ordered(func(c int) bool { return c < 0 }),
	"<=":         ordered(func(c int) bool { return c <= 0 }),
	">":          ordered(func(c int) bool { return c > 0 }),
	">=":         ordered(func(c int) bool { return c >= 0 }),
	"+":          plus,
	"-":          calculate(func(a, b decimal) (decimal, error) { return a.add(b.neg()) }),
	"*":          calculate(decimal.mul),
	"/":          calculate(decimal.div),
	"in":         within,
	"contains":   textual(strings.Contains),
	"startsWith": textual(strings.HasPrefix),
	"endsWith":   textual(strings.HasSuffix),
}

func ordered(holds func(int) bool) func(*scope, any, any) (any, error) {
	return func(s *scope, a, b any) (any, error) {
		if a == nil || b == nil {
			return false, nil
		}
		x, okX := decimalOf(a)
		y, okY := decimalOf(b)
		if okX && okY {
			return holds(x.cmp(y)), s.charge(2)
		}
		left, isText := a.(string)
		right, alike := b.(string)
		if isText && alike {
			return holds(cmp.Compare(left, right)), nil
		}
		return nil, fmt.Errorf("%s and %s cannot be compared by size", kindOf(a), kindOf(b))
	}
}

func calculate(do func(a, b decimal) (decimal, error)) func(*scope, any, any) (any, error) {
	return func(s *scope, a, b any) (any, error) {
		if a == nil || b == nil {
			return nil, nil
		}
		x, err := operand(a)
		if err != nil {
			return nil, err
		}
		y, err := operand(b)
		if err != nil {
			return nil, err
		}
		d, err := do(x, y)
		if err != nil {
			return nil, err
		}
		return d.number(), s.charge(2 + d.bits()/64)
	}
}

// operand reads a number to calculate with.
func operand(v any) (decimal, error) {
	n, problem := asNumber(v)
	if problem != "" {
		return decimal{}, errors.New(problem + ", so it cannot be calculated with")
	}
	return parseDecimal(string(n.(json.Number)))
}

// plus adds numbers and joins texts.
func plus(s *scope, a, b any) (any, error) {
	left, okA := a.(string)
	right, okB := b.(string)
	if !okA || !okB {
		return calculate(decimal.add)(s, a, b)
	}
	if len(left)+len(right) > maxText {
		return nil, errLong
	}
	return left + right, s.charge((len(left) + len(right)) / 64)
}

var errLong = fmt.Errorf("it makes a text of more than %d bytes", maxText)

func within(s *scope, a, b any) (any, error) {
	switch b := b.(type) {
	case nil:
		return false, nil
	case []any:
		for _, e := range b {
			if same, err := equal(s, a, e); err != nil || same {
				return same, err
			}
		}
		return false, nil
	case map[string]any:
		name, _ := a.(string)
		_, ok := b[name]
		return ok, nil
	}
	return nil, fmt.Errorf("%s stands after in, where a list is needed", kindOf(b))
}

func textual(holds func(a, b string) bool) func(*scope, any, any) (any, error) {
	return func(s *scope, a, b any) (any, error) {
		left, problem := asString(a)
		right, other := asString(b)
		if problem != "" || other != "" {
			return false, nil
		}
		return holds(left.(string), right.(string)), s.charge(len(left.(string)) / 64)
	}
}

// builtin compiles the functions of expr-lang that take a predicate.
func (c *exprCompiler) builtin(n *ast.BuiltinNode) eval {
	fold, ok := folds[n.Name]
	if !ok {
		return c.refuse("there is no function %s", quote(n.Name))
	}
	over := c.node(n.Arguments[0])
	each := func(s *scope) (any, error) { return s.loops[len(s.loops)-1].value, nil }
	if len(n.Arguments) > 1 {
		predicate, ok := n.Arguments[1].(*ast.PredicateNode)
		if !ok || len(n.Arguments) > 2 {
			return c.refuse("%s takes a list and one predicate", n.Name)
		}
		c.loops++
		each = c.node(predicate.Node)
		c.loops--
	}
	if fold.condition {
		each = truthOf(each)
	}
	return func(s *scope) (any, error) {
		v, err := over(s)
		if err != nil {
			return nil, err
		}
		list, ok := v.([]any)
		if !ok && v != nil {
			return nil, fmt.Errorf("%s needs a list, this is %s", n.Name, kindOf(v))
		}
		return s.fold(list, each, fold.new())
	}
}

// fold goes through a list until the collector has enough.
func (s *scope) fold(list []any, each eval, to collector) (any, error) {
	depth := len(s.loops)
	s.loops = append(s.loops, loop{})
	defer func() { s.loops = s.loops[:depth] }()
	for i, item := range list {
		s.loops[depth] = loop{item, i}
		if err := s.charge(1); err != nil {
			return nil, err
		}
		v, err := each(s)
		if err != nil {
			return nil, err
		}
		enough, err := to.take(item, v)
		if err != nil {
			return nil, err
		}
		if enough {
			break
		}
	}
	return to.result(), nil
}

// A collector is what becomes of a list under a predicate.
type collector struct {
	take   func(item, v any) (enough bool, err error)
	result func() any
}

type foldRule struct {
	condition bool // the predicate is one
	new       func() collector
}

var folds = map[string]foldRule{
	"map":    {false, func() collector { return gather(func(_, v any) (any, bool) { return v, true }) }},
	"filter": {true, func() collector { return gather(func(item, v any) (any, bool) { return item, v == true }) }},
	"sum":    {false, sumUp},
	"count":  {true, countUp(func(n int) any { return integer(n) }, 0)},
	"any":    {true, countUp(func(n int) any { return n > 0 }, 1)},
	"none":   {true, countUp(func(n int) any { return n == 0 }, 1)},
	"one":    {true, countUp(func(n int) any { return n == 1 }, 2)},
	"all":    {true, allTrue},
	"find":   {true, findFirst},
}

func gather(pick func(item, v any) (any, bool)) collector {
	out := []any{}
	return collector{
		take: func(item, v any) (bool, error) {
			if picked, ok := pick(item, v); ok {
				out = append(out, picked)
			}
			return false, nil
		},
		result: func() any { return out },
	}
}

// countUp counts what is true, and stops at enough unless that is 0.
func countUp(result func(int) any, enough int) func() collector {
	return func() collector {
		n := 0
		return collector{
			take: func(_, v any) (bool, error) {
				if v == true {
					n++
				}
				return n > 0 && n == enough, nil
			},
			result: func() any { return result(n) },
		}
	}
}

func allTrue() collector {
	all := true
	return collector{
		take:   func(_, v any) (bool, error) { all = v == true; return !all, nil },
		result: func() any { return all },
	}
}

func findFirst() collector {
	var out any
	return collector{
		take: func(item, v any) (bool, error) {
			if v == true {
				out = item
			}
			return v == true, nil
		},
		result: func() any { return out },
	}
}

// sumUp adds numbers; what is missing adds nothing.
func sumUp() collector {
	total := whole(0)
	return collector{
		take: func(_, v any) (bool, error) {
			if v == nil {
				return false, nil
			}
			d, err := operand(v)
			if err == nil {
				total, err = total.add(d)
			}
			return false, err
		},
		result: func() any { return total.number() },
	}
}

// functionNames are what an expression may call.
func functionNames() []string {
	var out []string
	for name := range functions {
		out = append(out, name)
	}
	for name := range folds {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
