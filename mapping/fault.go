package mapping

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Fault is one thing that is wrong in a mapping.
type Fault struct {
	// Path is where it stands: "events[2].attributes[0].fields[1].target".
	Path string
	// Line and Column are where it stands in the text, from 1; 0 when the
	// mapping was not read from text.
	Line, Column int
	// Message says what is wrong and what to write.
	Message string
}

// Error gives the place and the message.
func (f *Fault) Error() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", f.Line, f.Column)
	}
	if f.Path != "" {
		b.WriteString(f.Path)
		b.WriteString(": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Faults takes an error of Parse or Compile apart, in the order of the mapping.
func Faults(err error) []*Fault {
	if f, ok := errors.AsType[*Fault](err); ok && err == error(f) { //nolint:errorlint // a wrapped one is not alone
		return []*Fault{f}
	}
	var out []*Fault
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, Faults(e)...)
		}
		return out
	}
	if inner := errors.Unwrap(err); inner != nil {
		return Faults(inner)
	}
	return out
}

// faultList gathers what is wrong, so that a person mends all at once.
type faultList struct {
	list []error
	at   places
}

// maxFaults bounds a report; a text with more is not a mapping.
const maxFaults = 100

func (l *faultList) add(path, format string, args ...any) {
	p := l.at.find(path)
	l.addAt(path, p, format, args...)
}

func (l *faultList) addAt(path string, p place, format string, args ...any) {
	if len(l.list) < maxFaults {
		l.list = append(l.list, &Fault{Path: path, Line: p.line, Column: p.column, Message: fmt.Sprintf(format, args...)})
	}
}

func (l *faultList) err() error { return errors.Join(l.list...) }

// A place is where something stands in the text.
type place struct{ line, column int }

// places are where the parts of a mapping stand, by their paths.
type places map[string]place

// find gives the place of a path, or of the nearest part around it.
func (p places) find(path string) place {
	for path != "" {
		if at, ok := p[path]; ok {
			return at
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return place{}
}

// moved gives the places after n elements were put before those of list.
func (p places) moved(list string, n int) places {
	out := make(places, len(p))
	for path, at := range p {
		rest, ok := strings.CutPrefix(path, list+"[")
		if digits, tail, cut := strings.Cut(rest, "]"); ok && cut {
			if i, err := strconv.Atoi(digits); err == nil {
				path = fmt.Sprintf("%s[%d]%s", list, i+n, tail)
			}
		}
		out[path] = at
	}
	return out
}

// quote shows what was written, shortened.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}

// Nearest gives the known word that was probably meant, two edits away at most
// and in any case, or "". It serves whoever words a fault in what people type.
func Nearest(word string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := Edits(strings.ToLower(word), strings.ToLower(k), distance); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	return best
}

// Edits counts the letters to change, add, drop or swap between a and b. It is
// the optimal string alignment distance, or limit where the lengths alone are so
// far apart. Words are short.
func Edits(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
