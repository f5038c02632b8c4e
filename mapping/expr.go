package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
)

// Expressions are written in expr-lang, which parses and type-checks them.
// They are worked out here and not by its machine, for three things that it
// lacks: exact decimals, a missing step that gives nothing instead of an
// error, and a bound on the work that counts every step.

// Limits of an expression, and of all expressions of one run together.
const (
	maxExprNodes = 300
	maxExprBytes = 4000
	maxWork      = 100_000  // steps of one run; a cart of 200 lines takes some thousands
	maxText      = 64 << 10 // bytes of a text that an expression makes
)

var errWork = errors.New("it takes too many steps for one event")

// An expression is compiled once and safe for many goroutines.
type expression struct {
	source string
	eval   eval
	tried  []*path // what it reads of the event and the item, for reasons
}

// eval gives a value of the kinds of a decoded event.
type eval func(s *scope) (any, error)

// A scope is what an expression sees.
type scope struct {
	event, session, visitor map[string]any
	item                    any
	work                    int // steps left
	loops                   []loop
	vars                    []any
}

// A loop is one element that a predicate looks at.
type loop struct {
	value any
	index int
}

func (s *scope) charge(n int) error {
	if s.work -= n; s.work < 0 {
		return errWork
	}
	return nil
}

// compileExpr checks and compiles. The error is for the author.
func compileExpr(source string, inEach, condition bool) (*expression, error) {
	if len(source) > maxExprBytes {
		return nil, fmt.Errorf("the expression is longer than %d characters", maxExprBytes)
	}
	object := types.TypeOf(map[string]any{})
	env := types.Map{"event": object, "session": object, "visitor": object}
	if inEach {
		env["item"] = types.Any
	}
	opts := []expr.Option{expr.Env(env), expr.DisableAllBuiltins(), expr.Optimize(false), expr.MaxNodes(maxExprNodes)}
	if condition {
		opts = append(opts, expr.AsBool())
	}
	for name, f := range functions {
		opts = append(opts, expr.Function(name, func(...any) (any, error) { return nil, nil }, f.signature))
	}
	program, err := expr.Compile(source, opts...)
	if err != nil {
		return nil, exprError(err, inEach)
	}
	c := exprCompiler{inEach: inEach}
	e := &expression{source: source, eval: c.node(program.Node())}
	if len(c.bad) > 0 {
		return nil, errors.New(strings.Join(c.bad, "; "))
	}
	e.tried = c.tried
	if condition {
		e.eval = truthOf(e.eval)
	}
	return e, nil
}

// exprError words an error of the parser or checker with the commonest remedy.
func exprError(err error, inEach bool) error {
	message := err.Error()
	if f, ok := errors.AsType[*file.Error](err); ok {
		message = fmt.Sprintf("%s (at character %d)", f.Message, f.Column+1)
	}
	message, _, _ = strings.Cut(message, "\n")
	name, ok := strings.CutPrefix(message, "unknown name ")
	if !ok {
		return errors.New("the expression is not right: " + message)
	}
	name, _, _ = strings.Cut(name, " ")
	switch {
	case name == "item":
		return errors.New("item is known inside each only; write event.properties…")
	case slices.Contains(eventFields, name):
		return fmt.Errorf("%s is not known to expressions by itself; write event.%s", name, name)
	}
	if near := Nearest(name, append(functionNames(), "event", "session", "visitor")); near != "" {
		return fmt.Errorf("%s is not known to expressions; did you mean %s?", name, near)
	}
	if inEach {
		return fmt.Errorf("%s is not known to expressions; they see event, session, visitor and item", name)
	}
	return fmt.Errorf("%s is not known to expressions; they see event, session and visitor", name)
}

// run works an expression out. A failure is a few words for a reason.
func (e *expression) run(s *scope) (any, error) {
	s.loops, s.vars = s.loops[:0], s.vars[:0]
	v, err := e.eval(s)
	if err != nil {
		return nil, err
	}
	if !writable(v) {
		return nil, errors.New("it gives a text with a NUL, or a number beyond the range of a double")
	}
	return v, nil
}
