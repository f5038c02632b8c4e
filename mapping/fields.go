package mapping

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// listOptions say how a list of fields differs from others.
type listOptions struct {
	inEach  bool
	depth   int  // steps of the targets around it
	overlap bool // common fields under an event's own may have the same target
}

func (c *compiler) list(at string, fields []Field, o *listOptions) *fieldList {
	if o == nil {
		o = &listOptions{}
	}
	out := &fieldList{literals: true}
	if len(fields) > maxFields {
		c.fault(at, "there are %d fields, more than %d", len(fields), maxFields)
		return out
	}
	last := map[string]int{}
	for i := range fields {
		where := fmt.Sprintf("%s[%d]", at, i)
		f := c.field(where, &fields[i], i, o)
		out.fields = append(out.fields, f)
		out.literals = out.literals && f.literal != nil
		steps, err := parseTarget(fields[i].Target)
		if err != nil {
			c.fault(where+".target", "%s", targetError(fields[i].Target, err))
			continue
		}
		f.append = steps[len(steps)-1].index == toAppend
		c.depth(where, fields[i].Target, len(steps)+o.depth)
		if err := out.shape.place(steps, fields[i].Target, i); err != nil {
			c.fault(where+".target", "%s", err)
			continue
		}
		if n, twice := last[fields[i].Target]; twice && !f.append && !o.overlap && !fallsThrough(fields[n]) {
			c.fault(where+".target", "%s is written twice, here and in %s[%d]; leave one out, list both sources in one field, or give the first a when", quote(fields[i].Target), at, n)
		}
		last[fields[i].Target] = i
	}
	c.dependencies(at, fields, out)
	return out
}

// fallsThrough reports whether a field leaves its target to a later one.
func fallsThrough(f Field) bool { return f.When != "" || f.OnlyWith != "" }

func targetError(target string, err error) string {
	if target == "" {
		return "the field needs a target: where the value goes, such as cart.products"
	}
	return err.Error()
}

func (c *compiler) depth(at, target string, steps int) {
	if steps > maxDepth {
		c.fault(at+".target", "%s is nested deeper than %d steps with what is around it", quote(target), maxDepth)
	}
}

// dependencies resolves only_with, and puts those fields last.
func (c *compiler) dependencies(at string, fields []Field, out *fieldList) {
	for i, f := range fields {
		if f.OnlyWith == "" {
			continue
		}
		where := fmt.Sprintf("%s[%d].only_with", at, i)
		steps, err := parseTarget(f.OnlyWith)
		if err != nil {
			c.fault(where, "%s", err)
			continue
		}
		var needs []int
		if part := out.shape.at(steps); part != nil {
			for _, n := range part.all() {
				if fields[n].OnlyWith == "" && fields[n].Value == nil {
					needs = append(needs, n)
				}
			}
		}
		if len(needs) == 0 {
			c.fault(where, "no other field of this list finds a value for %s", quote(f.OnlyWith))
		}
		out.fields[i].with, out.fields[i].depends = needs, true
	}
	slices.SortStableFunc(out.fields, func(a, b *field) int {
		switch {
		case a.depends == b.depends:
			return 0
		case b.depends:
			return -1
		}
		return 1
	})
}

// field compiles one rule.
func (c *compiler) field(at string, f *Field, n int, o *listOptions) *field {
	out := &field{
		number: n, target: strings.TrimSuffix(f.Target, "[]"), required: f.Required, keep: f.KeepEmpty,
		when: c.condition(at+".when", f.When, o.inEach),
	}
	c.combination(at, f)
	for i, s := range f.Source {
		out.paths = append(out.paths, c.source(fmt.Sprintf("%s.source[%d]", at, i), f.Source[:i], s, o)...)
	}
	out.tried = out.paths
	if f.Expr != "" {
		e, err := compileExpr(f.Expr, o.inEach, false)
		if err != nil {
			c.fault(at+".expr", "%s", err)
		} else {
			out.expr = e
			out.tried = union(out.paths, e.tried)
		}
	}
	out.literal = c.literal(at+".value", f.Value)
	out.fallback = c.literal(at+".default_value", f.DefaultValue)
	c.reading(at, f, out)
	if len(f.Each) > 0 {
		c.each(at, f, out, o)
	}
	return out
}

func (c *compiler) source(at string, before []string, s string, o *listOptions) []*path {
	p, err := parsePath(s, o.inEach)
	if err != nil {
		c.fault(at, "%s", err)
		return nil
	}
	if slices.Contains(before, s) {
		c.fault(at, "%s stands twice; leave one out", quote(s))
	}
	return []*path{p}
}

func union(a, b []*path) []*path {
	out := slices.Clone(a)
	for _, p := range b {
		if !slices.ContainsFunc(out, func(q *path) bool { return q.text == p.text && q.from == p.from }) {
			out = append(out, p)
		}
	}
	return out
}

// combination finds keys that do not go together.
func (c *compiler) combination(at string, f *Field) {
	from := len(f.Source) > 0 || f.Expr != ""
	switch {
	case f.Value == nil && !from && len(f.Each) == 0:
		c.fault(at, "the field has nothing to write; give it a source, an expr, a value, or each with fields")
	case f.Value != nil && (from || len(f.Each) > 0):
		c.fault(at, "value is written as it stands, so source, expr and each have no effect; leave one out, or make it default_value")
	case len(f.Each) > 0 && from:
		c.fault(at, "each takes its paths itself; leave source and expr out, or use them inside its fields")
	}
	if f.Value != nil && (f.As != "" || f.ValueMap != nil || f.DefaultValue != nil) {
		c.fault(at, "value is written as it stands; leave as, value_map and default_value out")
	}
	if f.Required && f.Value != nil {
		c.fault(at+".required", "a value is always there; leave required out")
	}
	if f.Required && f.DefaultValue != nil {
		c.fault(at+".required", "with a default_value the field is always there; leave one of them out")
	}
	if len(f.Each) > 0 {
		if len(f.Fields) == 0 {
			c.fault(at, "each needs fields: what to write for one element")
		}
		if f.As != "" || f.ValueMap != nil || f.DefaultValue != nil {
			c.fault(at, "each makes a list of objects; use as, value_map and default_value inside its fields")
		}
		return
	}
	if len(f.Fields) > 0 {
		c.fault(at+".fields", "fields belong to each; add each with the path of the list")
	}
	if f.KeepEmpty {
		c.fault(at+".keep_empty", "keep_empty belongs to each; add each with the path of the list")
	}
}

// literal checks a literal and gives it in the kinds of a decoded event.
func (c *compiler) literal(at string, v any) any {
	if v == nil {
		return nil
	}
	out := plain(v)
	switch {
	case out == nil || !writable(out):
		c.fault(at, "this is not a value that JSON can hold: text without NUL, a number within a double, true, false, a list or an object")
		return ""
	case !copyable(out, 0):
		c.fault(at, "the value is nested too deeply")
		return ""
	}
	return out
}

// writable reports whether an event could hold the value.
func writable(v any) bool {
	switch v := v.(type) {
	case string:
		return !strings.ContainsRune(v, 0)
	case json.Number:
		return inRange(string(v))
	case []any:
		for _, e := range v {
			if !writable(e) {
				return false
			}
		}
	case map[string]any:
		for k, e := range v {
			if !writable(k) || !writable(e) {
				return false
			}
		}
	}
	return true
}

func (c *compiler) reading(at string, f *Field, out *field) {
	if f.As != "" {
		out.read = readings[f.As]
		if near := Nearest(f.As, readingNames); out.read == nil && near != "" {
			c.fault(at+".as", "there is no reading %s; did you mean %q?", quote(f.As), near)
		} else if out.read == nil {
			c.fault(at+".as", "there is no reading %s; use one of %s", quote(f.As), strings.Join(readingNames, ", "))
		}
	}
	if f.ValueMap == nil {
		return
	}
	if len(f.ValueMap) == 0 {
		c.fault(at+".value_map", "the value_map is empty, so the field is never written; leave it out")
	}
	out.valueMap = make(map[string]any, len(f.ValueMap))
	for k, v := range f.ValueMap {
		if v == nil {
			c.fault(at+".value_map", "%s has no value; a value that is not in the map is left out", quote(k))
			continue
		}
		out.valueMap[k] = c.literal(at+".value_map", v)
	}
}

// each compiles the fields for one element.
func (c *compiler) each(at string, f *Field, out *field, o *listOptions) {
	for i, s := range f.Each {
		where := fmt.Sprintf("%s.each[%d]", at, i)
		if o.inEach && strings.HasPrefix(s, "$.") {
			c.fault(where, "each inside each goes through a list of the element; leave %s out", quote("$."))
			continue
		}
		out.paths = append(out.paths, c.source(where, f.Each[:i], s, o)...)
	}
	out.tried = out.paths
	depth := o.depth + 2
	if steps, err := parseTarget(f.Target); err == nil {
		depth += len(steps)
	}
	if depth > maxDepth {
		c.fault(at+".fields", "each stands inside each too often")
		return
	}
	out.each = c.list(at+".fields", f.Fields, &listOptions{inEach: true, depth: depth})
}
