package mapping

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/datafly/signal/event"
)

// field finds the value of one field and reports whether it has one.
func (r *run) field(f *field, base int, at *frame) bool {
	into := base + f.number
	if f.depends && !r.anyCounts(f.with, base) {
		return false
	}
	if ok, why := r.holds(f.when); !ok {
		if why != "" {
			r.notes = append(r.notes, f.target+" left out: its condition could not be worked out: "+why)
		}
		return false
	}
	switch {
	case f.literal != nil:
		r.values[into] = found{has: true, value: f.literal, source: fromLiteral}
		return true
	case f.each != nil:
		return r.each(f, into, at)
	}
	v, source, problems := r.value(f, at)
	if v != nil {
		r.values[into] = found{has: true, counts: true, value: v, source: source, fromEvent: source != fromExpr}
		return true
	}
	if f.fallback != nil {
		r.values[into] = found{has: true, value: f.fallback, source: fromDefault}
	}
	if problems != "" && !f.required {
		r.notes = append(r.notes, leftOut(f, problems))
	}
	return f.fallback != nil
}

func leftOut(f *field, problems string) string {
	if f.fallback != nil {
		return f.target + " has its default: " + problems
	}
	return f.target + " left out: " + problems
}

func (r *run) anyCounts(fields []int, base int) bool {
	for _, n := range fields {
		if r.values[base+n].counts {
			return true
		}
	}
	return false
}

// value goes through the sources and then the expression. The first value that
// can be read wins; problems say what could not be.
func (r *run) value(f *field, at *frame) (v any, source, problems string) {
	for _, p := range f.paths {
		v := r.read(at, p)
		if v == nil {
			continue
		}
		out, problem := r.take(f, v)
		if out != nil {
			if r.explaining {
				source = at.name(p)
			}
			return out, source, ""
		}
		if problem != "" {
			problems = and(problems, at.name(p)+" is "+problem)
		}
	}
	if f.expr == nil {
		return nil, "", problems
	}
	v, err := f.expr.run(&r.scope)
	switch {
	case err != nil:
		return nil, "", and(problems, "its expression could not be worked out: "+err.Error())
	case event.Empty(v):
		return nil, "", problems
	}
	out, problem := r.take(f, v)
	if problem != "" {
		problems = and(problems, "its expression gives "+problem)
	}
	return out, fromExpr, problems
}

func and(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// take maps and reads one value. It gives nil when there is nothing to write,
// with the problem unless that is as the rule wants it.
func (r *run) take(f *field, v any) (any, string) {
	if list, ok := v.([]any); ok && f.append {
		return r.takeAll(f, list)
	}
	return takeOne(f, v)
}

func takeOne(f *field, v any) (any, string) {
	if f.valueMap != nil {
		key, ok := mapKey(v)
		if !ok {
			return nil, kindOf(v) + ", which a value_map cannot hold"
		}
		if v, ok = f.valueMap[key]; !ok {
			return nil, ""
		}
	}
	if f.read != nil {
		return f.read(v)
	}
	if !copyable(v, 0) {
		return nil, kindOf(v) + " that is nested too deeply"
	}
	return v, ""
}

// takeAll reads each element of a list that is appended. What is empty or
// cannot be read is nil in the result.
func (r *run) takeAll(f *field, list []any) (any, string) {
	out, some, problem := make([]any, len(list)), false, ""
	for i, v := range list {
		if event.Empty(v) {
			continue
		}
		read, why := takeOne(f, v)
		if why != "" {
			problem = "a list that holds " + why
			continue
		}
		out[i] = read
		some = some || read != nil
	}
	if !some {
		return nil, problem
	}
	return out, ""
}

func mapKey(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return string(v), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// each runs the fields of each once for every element of the first list that
// gives any.
func (r *run) each(f *field, into int, at *frame) bool {
	empty := false
	for _, p := range f.paths {
		v := r.read(at, p)
		list, isList := v.([]any)
		if object, ok := v.(map[string]any); ok {
			list = []any{object}
		}
		if isList {
			empty = true
		}
		if len(list) == 0 {
			continue
		}
		if len(list) > maxElements {
			r.notes = append(r.notes, fmt.Sprintf("%s has the first %d of the %d elements in %s", f.target, maxElements, len(list), at.name(p)))
			list = list[:maxElements]
		}
		found := r.elements(f, list, frame{up: at, list: p, index: -1}, isList)
		if found.count > 0 {
			found.has, found.counts, found.each = true, true, true
			r.values[into] = found
			return true
		}
	}
	if !empty || !f.keep {
		return false
	}
	r.values[into] = found{has: true, counts: true, each: true}
	return true
}

// elements writes the elements of one list to the arena.
func (r *run) elements(f *field, list []any, at frame, isList bool) found {
	start := int32(len(r.arena))
	out := found{from: start, to: start}
	var inside []elementSource
	around := r.scope.item
	defer func() { r.scope.item = around }()
	for i, item := range list {
		if isList {
			at.index = i
		}
		at.item, r.scope.item = item, item
		base := r.reserve(f.each)
		mark := len(r.arena)
		explain, ok := r.element(f, base, &at, int(out.count))
		if !ok {
			r.arena = r.arena[:mark]
		} else {
			out.count++
			out.to = int32(len(r.arena))
			inside = append(inside, explain...)
		}
		r.values = r.values[:base]
	}
	if inside != nil {
		r.inside = append(r.inside, inside)
		out.inside = int32(len(r.inside))
	}
	return out
}

// element writes one element behind the others.
func (r *run) element(f *field, base int, at *frame, n int) ([]elementSource, bool) {
	mark := len(r.arena)
	if !r.list(f.each, base, at) {
		for _, reason := range r.reasons {
			r.notes = append(r.notes, f.target+" has an element less: "+reason)
		}
		return nil, false
	}
	if !f.each.literals && !r.counts(f.each, base) {
		return nil, false
	}
	sources := r.explain
	r.explain = nil
	start := len(r.arena)
	w := writer{run: r, base: base, dst: r.arena}
	if n > 0 {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(w.dst, '{')
	w.members(&f.each.shape, len(w.dst))
	r.arena = append(w.dst, '}')
	// The lists inside the element were written before it; it takes their place.
	r.arena = append(r.arena[:mark], r.arena[start:]...)
	var inside []elementSource
	for _, s := range r.explain {
		inside = append(inside, elementSource{n, s})
	}
	r.explain = sources
	return inside, true
}

// missing words a required field that has no value: its target and the paths
// tried, with what was there instead.
func (r *run) missing(f *field, at *frame) string {
	var tried []string
	for _, p := range f.tried {
		text := at.name(p)
		if v := r.read(at, p); v != nil && f.each == nil {
			if _, problem := r.take(f, v); problem != "" {
				text += ", which is " + problem
			}
		}
		tried = append(tried, text)
	}
	looked := "looked at " + strings.Join(tried, ", ")
	if len(tried) == 0 {
		looked = "from an expression"
	}
	why := ""
	if f.expr != nil {
		if _, err := f.expr.run(&r.scope); err != nil {
			why = ": its expression could not be worked out: " + err.Error()
		}
	}
	return fmt.Sprintf("%s is missing (%s)%s", f.target, looked, why)
}

// explainValue notes where one value came from.
func (r *run) explainValue(trail []byte, source string, v any) {
	if r.explaining {
		r.explain = append(r.explain, Source{Target: string(trail), Source: source, Value: v})
	}
}

// explainEach notes the sources inside the elements of a list that begins at
// index n.
func (r *run) explainEach(f *found, trail []byte, n int) {
	if !r.explaining {
		return
	}
	if f.count == 0 {
		r.explain = append(r.explain, Source{Target: string(trail), Source: f.source, Value: []any{}})
	}
	if f.inside == 0 {
		return
	}
	for _, s := range r.inside[f.inside-1] {
		s.Target = fmt.Sprintf("%s[%d].%s", trail, s.index+n, s.Target)
		r.explain = append(r.explain, s.Source)
	}
}
