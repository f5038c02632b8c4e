package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// A shape is the tree that the targets of one list of fields make together.
// Its leaves point to the fields, by their numbers in the list.
type shape struct {
	kind   shapeKind
	prefix []byte // "key": as JSON, under an object
	step   step   // from the shape above
	// members are those of an object in the order of the rules, or the
	// numbered elements of a list in order of their numbers.
	members []*shape
	fields  []int // of a leaf, the first that has a value wins; of a list, those that append
	target  string
}

type shapeKind byte

const (
	unknown shapeKind = iota
	leaf
	objectShape
	listShape
)

// place puts the target of field number n into the tree. The error names what
// stands in the way.
func (s *shape) place(steps []step, target string, n int) error {
	at := s
	for _, st := range steps {
		want := objectShape
		if st.index != -1 {
			want = listShape
		}
		switch {
		case at.kind == unknown:
			at.kind, at.target = want, target
		case at.kind == leaf:
			return fmt.Errorf("%s stands inside %s, which has a value of its own; leave one of them out", quote(target), quote(at.target))
		case at.kind != want:
			return fmt.Errorf("%s and %s do not go together: one makes a list, the other an object", quote(at.target), quote(target))
		}
		if st.index == toAppend {
			at.fields = append(at.fields, n)
			return nil
		}
		at = at.member(st)
	}
	switch at.kind {
	case unknown:
		at.kind, at.target = leaf, target
	case leaf:
	default:
		return fmt.Errorf("%s has a value of its own, but %s stands inside it; leave one of them out", quote(target), quote(at.target))
	}
	at.fields = append(at.fields, n)
	return nil
}

func (s *shape) member(st step) *shape {
	for _, m := range s.members {
		if m.step == st {
			return m
		}
	}
	m := &shape{step: st}
	if st.index == -1 {
		m.prefix, _ = jsontext.AppendQuote(nil, st.key)
		m.prefix = append(m.prefix, ':')
	}
	s.members = append(s.members, m)
	if s.kind == listShape {
		slices.SortFunc(s.members, func(a, b *shape) int { return cmp.Compare(a.step.index, b.step.index) })
	}
	return m
}

// at gives the part of the tree that a target names, nil when no field writes
// there.
func (s *shape) at(steps []step) *shape {
	for _, st := range steps {
		if st.index == toAppend {
			return s
		}
		i := slices.IndexFunc(s.members, func(m *shape) bool { return m.step == st })
		if i < 0 {
			return nil
		}
		s = s.members[i]
	}
	return s
}

// all gives the numbers of the fields that write here or below.
func (s *shape) all() []int {
	out := slices.Clone(s.fields)
	for _, m := range s.members {
		out = append(out, m.all()...)
	}
	return out
}

// A writer writes the found values of one list of fields as JSON, in the
// order of the rules. What found nothing leaves no trace.
type writer struct {
	run   *run
	base  int // of the list's values in run.values
	dst   []byte
	trail []byte // the target so far, kept only for explain
}

// members writes the inside of an object, each behind a comma unless it is the
// first in the object that starts at start. It reports whether it wrote any.
func (w *writer) members(s *shape, start int) bool {
	wrote := false
	for _, m := range s.members {
		mark, trail := len(w.dst), len(w.trail)
		if mark > start {
			w.dst = append(w.dst, ',')
		}
		w.dst = append(w.dst, m.prefix...)
		if w.run.explaining {
			if trail > 0 {
				w.trail = append(w.trail, '.')
			}
			w.trail = append(w.trail, m.step.key...)
		}
		if w.value(m) {
			wrote = true
		} else {
			w.dst = w.dst[:mark]
		}
		w.trail = w.trail[:trail]
	}
	return wrote
}

// value writes one part of the tree, or nothing.
func (w *writer) value(s *shape) bool {
	switch s.kind {
	case leaf:
		for _, n := range s.fields {
			if f := &w.run.values[w.base+n]; f.has {
				w.leaf(f)
				return true
			}
		}
		return false
	case objectShape:
		w.dst = append(w.dst, '{')
		if !w.members(s, len(w.dst)) {
			return false
		}
		w.dst = append(w.dst, '}')
		return true
	}
	return w.list(s)
}

func (w *writer) list(s *shape) bool {
	w.dst = append(w.dst, '[')
	start, n, trail := len(w.dst), 0, len(w.trail)
	for _, m := range s.members {
		mark := w.comma(start)
		w.index(n)
		if w.value(m) {
			n++
		} else {
			w.dst = w.dst[:mark]
		}
		w.trail = w.trail[:trail]
	}
	for _, i := range s.fields {
		if f := &w.run.values[w.base+i]; f.has {
			n += w.appended(f, start, n)
			w.trail = w.trail[:trail]
		}
	}
	w.dst = append(w.dst, ']')
	return n > 0
}

// appended writes the elements that one [] field adds, and gives their number.
func (w *writer) appended(f *found, start, n int) int {
	if f.each {
		if f.count > 0 {
			w.comma(start)
			w.dst = append(w.dst, w.run.arena[f.from:f.to]...)
		}
		w.run.explainEach(f, w.trail, n)
		return int(f.count)
	}
	values, many := f.value.([]any)
	if !many {
		values = []any{f.value}
	}
	trail, written := len(w.trail), 0
	for i, v := range values {
		if v == nil {
			continue
		}
		w.comma(start)
		w.index(n + written)
		w.dst = appendValue(w.dst, v)
		source := f.source
		if many && f.fromEvent {
			source += "[" + strconv.Itoa(i) + "]"
		}
		w.run.explainValue(w.trail, source, v)
		w.trail = w.trail[:trail]
		written++
	}
	return written
}

func (w *writer) leaf(f *found) {
	if f.each {
		w.dst = append(w.dst, '[')
		w.dst = append(w.dst, w.run.arena[f.from:f.to]...)
		w.dst = append(w.dst, ']')
		w.run.explainEach(f, w.trail, 0)
		return
	}
	w.dst = appendValue(w.dst, f.value)
	w.run.explainValue(w.trail, f.source, f.value)
}

// comma writes one unless it is the first, and gives where to go back to.
func (w *writer) comma(start int) int {
	mark := len(w.dst)
	if mark > start {
		w.dst = append(w.dst, ',')
	}
	return mark
}

func (w *writer) index(n int) {
	if w.run.explaining {
		w.trail = append(w.trail, '[')
		w.trail = strconv.AppendInt(w.trail, int64(n), 10)
		w.trail = append(w.trail, ']')
	}
}
