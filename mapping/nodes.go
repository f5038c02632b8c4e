package mapping

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// exprCompiler turns the checked tree into closures.
type exprCompiler struct {
	inEach bool
	loops  int
	names  []string // of let, by their place in scope.vars
	tried  []*path
	bad    []string
}

func (c *exprCompiler) refuse(format string, args ...any) eval {
	c.bad = append(c.bad, fmt.Sprintf(format, args...))
	return constant(nil)
}

func constant(v any) eval { return func(*scope) (any, error) { return v, nil } }

func (c *exprCompiler) node(n ast.Node) eval {
	switch n := n.(type) {
	case *ast.NilNode:
		return constant(nil)
	case *ast.BoolNode:
		return constant(n.Value)
	case *ast.StringNode:
		return constant(n.Value)
	case *ast.IntegerNode:
		return constant(json.Number(strconv.Itoa(n.Value)))
	case *ast.FloatNode:
		return constant(json.Number(strconv.FormatFloat(n.Value, 'f', -1, 64)))
	case *ast.ConstantNode:
		return constant(plain(n.Value))
	case *ast.IdentifierNode:
		return c.identifier(n.Value)
	case *ast.PointerNode:
		return c.pointer(n)
	case *ast.ChainNode:
		return c.node(n.Node)
	case *ast.MemberNode:
		return c.member(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.ArrayNode:
		return c.array(n)
	case *ast.MapNode:
		return c.object(n)
	case *ast.VariableDeclaratorNode:
		return c.let(n)
	case *ast.CallNode:
		return c.call(n)
	case *ast.BuiltinNode:
		return c.builtin(n)
	}
	return c.refuse("%s is not part of the language of mappings", quote(n.String()))
}

func (c *exprCompiler) identifier(name string) eval {
	if i := lastIndex(c.names, name); i >= 0 {
		return func(s *scope) (any, error) { return s.vars[i], nil }
	}
	switch name {
	case "event":
		return func(s *scope) (any, error) { return s.event, nil }
	case "session":
		return func(s *scope) (any, error) { return plain(s.session), nil }
	case "visitor":
		return func(s *scope) (any, error) { return plain(s.visitor), nil }
	case "item":
		return func(s *scope) (any, error) { return s.item, nil }
	}
	return c.refuse("%s is not known to expressions", quote(name))
}

func lastIndex(names []string, name string) int {
	for i := len(names) - 1; i >= 0; i-- {
		if names[i] == name {
			return i
		}
	}
	return -1
}

func (c *exprCompiler) pointer(n *ast.PointerNode) eval {
	switch {
	case c.loops == 0:
		return c.refuse("%s stands outside a predicate", quote(n.String()))
	case n.Name == "":
		return func(s *scope) (any, error) { return s.loops[len(s.loops)-1].value, nil }
	case n.Name == "index":
		return func(s *scope) (any, error) { return integer(s.loops[len(s.loops)-1].index), nil }
	}
	return c.refuse("%s is not part of the language of mappings", quote(n.String()))
}

// member reads a step; a step that is not there gives nothing.
func (c *exprCompiler) member(n *ast.MemberNode) eval {
	if steps, root := constantPath(n); steps != nil {
		return c.constantMember(steps, root)
	}
	from, property := c.node(n.Node), c.node(n.Property)
	return func(s *scope) (any, error) {
		object, err := from(s)
		if err != nil || object == nil {
			return nil, err
		}
		name, err := property(s)
		if err != nil {
			return nil, err
		}
		return memberOf(object, name), s.charge(1)
	}
}

// constantMember reads event.properties.x in one go and notes that it did.
func (c *exprCompiler) constantMember(steps []step, root string) eval {
	p := &path{text: pathText(steps), steps: steps}
	switch root {
	case "event":
		p.from = ofEvent
		c.tried = append(c.tried, p)
	case "item":
		c.tried = append(c.tried, p)
	}
	switch root {
	case "session": // what a program made, which may hold its own kinds of numbers
		return func(s *scope) (any, error) { return plain(p.walk(s.session)), s.charge(1) }
	case "visitor":
		return func(s *scope) (any, error) { return plain(p.walk(s.visitor)), s.charge(1) }
	}
	from := c.identifier(root)
	return func(s *scope) (any, error) {
		object, err := from(s)
		if err != nil {
			return nil, err
		}
		return p.walk(object), s.charge(1)
	}
}

// constantPath takes event.a.b[0] apart; no steps when it is something else.
func constantPath(n ast.Node) ([]step, string) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if n.Value == "event" || n.Value == "session" || n.Value == "visitor" || n.Value == "item" {
			return []step{}, n.Value
		}
	case *ast.ChainNode:
		return constantPath(n.Node)
	case *ast.MemberNode:
		steps, root := constantPath(n.Node)
		if steps == nil {
			return nil, ""
		}
		switch p := n.Property.(type) {
		case *ast.StringNode:
			return append(steps, step{key: p.Value, index: -1}), root
		case *ast.IntegerNode:
			if p.Value >= 0 {
				return append(steps, step{index: p.Value}), root
			}
		}
	}
	return nil, ""
}

func pathText(steps []step) string {
	var b strings.Builder
	for i, s := range steps {
		switch {
		case s.index >= 0:
			fmt.Fprintf(&b, "[%d]", s.index)
		case i == 0:
			b.WriteString(s.key)
		default:
			b.WriteString("." + s.key)
		}
	}
	return b.String()
}

func memberOf(object, name any) any {
	switch o := object.(type) {
	case map[string]any:
		switch k := name.(type) {
		case string:
			return o[k]
		case json.Number:
			return o[string(k)]
		}
	case []any:
		n, ok := name.(json.Number)
		if !ok {
			return nil
		}
		i, err := strconv.Atoi(string(n))
		if i < 0 {
			i += len(o)
		}
		if err == nil && i >= 0 && i < len(o) {
			return o[i]
		}
	}
	return nil
}

func (c *exprCompiler) conditional(n *ast.ConditionalNode) eval {
	cond, yes, no := truthOf(c.node(n.Cond)), c.node(n.Exp1), c.node(n.Exp2)
	return func(s *scope) (any, error) {
		v, err := cond(s)
		if err != nil {
			return nil, err
		}
		if v == true {
			return yes(s)
		}
		return no(s)
	}
}

func (c *exprCompiler) array(n *ast.ArrayNode) eval {
	all := c.nodes(n.Nodes)
	return func(s *scope) (any, error) {
		out := make([]any, len(all))
		for i, e := range all {
			var err error
			if out[i], err = e(s); err != nil {
				return nil, err
			}
		}
		return out, s.charge(len(all))
	}
}

func (c *exprCompiler) object(n *ast.MapNode) eval {
	names, values := make([]string, len(n.Pairs)), make([]eval, len(n.Pairs))
	for i, p := range n.Pairs {
		pair := p.(*ast.PairNode)
		k, ok := pair.Key.(*ast.StringNode)
		if !ok {
			return c.refuse("the keys of an object must be plain text")
		}
		names[i], values[i] = k.Value, c.node(pair.Value)
	}
	return func(s *scope) (any, error) {
		out := make(map[string]any, len(names))
		for i, e := range values {
			v, err := e(s)
			if err != nil {
				return nil, err
			}
			out[names[i]] = v
		}
		return out, s.charge(len(names))
	}
}

func (c *exprCompiler) nodes(list []ast.Node) []eval {
	out := make([]eval, len(list))
	for i, n := range list {
		out[i] = c.node(n)
	}
	return out
}

func (c *exprCompiler) let(n *ast.VariableDeclaratorNode) eval {
	value := c.node(n.Value)
	at := len(c.names)
	c.names = append(c.names, n.Name)
	body := c.node(n.Expr)
	c.names = c.names[:at]
	return func(s *scope) (any, error) {
		v, err := value(s)
		if err != nil {
			return nil, err
		}
		for len(s.vars) <= at {
			s.vars = append(s.vars, nil)
		}
		s.vars[at] = v
		return body(s)
	}
}

func (c *exprCompiler) call(n *ast.CallNode) eval {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return c.refuse("%s cannot be called", quote(n.Callee.String()))
	}
	f, ok := functions[name.Value]
	if !ok {
		return c.refuse("there is no function %s", quote(name.Value))
	}
	args := c.nodes(n.Arguments)
	return func(s *scope) (any, error) {
		var few [4]any
		values := few[:0]
		for _, a := range args {
			v, err := a(s)
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
		if err := s.charge(1); err != nil {
			return nil, err
		}
		return f.run(s, values)
	}
}

// truthOf makes a condition of an expression: nothing is false, and what is
// neither true nor false is a failure.
func truthOf(e eval) eval {
	return func(s *scope) (any, error) {
		v, err := e(s)
		if err != nil {
			return nil, err
		}
		switch b := v.(type) {
		case nil:
			return false, nil
		case bool:
			return v, nil
		case string:
			return nil, fmt.Errorf("text stands where true or false is needed; compare it, as in == %q", "yes")
		default:
			return nil, fmt.Errorf("%s stands where true or false is needed; compare it", kindOf(b))
		}
	}
}
