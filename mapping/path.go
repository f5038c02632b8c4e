package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/datafly/signal/event"
)

// Limits of a path. Real ones have two to five steps.
const (
	maxSteps = 12
	maxIndex = 999
)

// A step goes from an object to a key, or from a list to an element.
type step struct {
	key   string
	index int // -1 for a key
}

// toAppend is the index of [] in a target.
const toAppend = -2

// A path is a compiled source path.
type path struct {
	text  string // as written, without $.
	steps []step // from where it starts
	from  origin
}

// An origin is where a path starts.
type origin byte

const (
	ofItem origin = iota // the element of each
	ofEvent
	ofSession
	ofVisitor
)

// walk follows the path from root; nil when a step is missing.
func (p *path) walk(root any) any {
	for i := range p.steps {
		s := &p.steps[i]
		if s.index < 0 {
			object, ok := root.(map[string]any)
			if !ok {
				return nil
			}
			root = object[s.key]
			continue
		}
		list, ok := root.([]any)
		if !ok || s.index >= len(list) {
			return nil
		}
		root = list[s.index]
	}
	return root
}

// eventFields are the top-level fields that an event has by the wire and by
// the habits of Segment's clients.
var eventFields = []string{
	"properties", "traits", "context", "userId", "anonymousId", "groupId", "previousId",
	"event", "type", "messageId", "timestamp", "receivedAt", "sentAt", "originalTimestamp",
	"name", "category", "channel", "integrations", "version",
}

// sessionFields and visitorFields are what processing tells of the session and
// the visitor (Input).
var (
	sessionFields = []string{"campaign", "referrer", "landed", "vid", "sid", "start", "last"}
	visitorFields = []string{"anonymousId", "userId", "traits", "firstSeen"}
)

// parsePath reads a source path. Inside each it starts at the element.
func parsePath(s string, inEach bool) (*path, error) {
	if inEach && s == "." {
		return &path{text: s}, nil
	}
	rest, top := strings.CutPrefix(s, "$.")
	steps, err := parseSteps(rest)
	if err != nil {
		return nil, err
	}
	for _, st := range steps {
		if st.index == toAppend {
			return nil, fmt.Errorf("%s is for targets; a source names one element such as [0], or use each to go through a list", quote("[]"))
		}
	}
	switch {
	case top:
		return &path{text: rest, steps: steps, from: ofEvent}, nil
	case inEach:
		return &path{text: rest, steps: steps, from: ofItem}, nil
	}
	switch first := steps[0].key; first {
	case "session":
		return pathInto(ofSession, first, steps, rest, sessionFields)
	case "visitor":
		return pathInto(ofVisitor, first, steps, rest, visitorFields)
	}
	if err := checkRoot(steps, rest); err != nil {
		return nil, err
	}
	return &path{text: rest, steps: steps, from: ofEvent}, nil
}

// pathInto makes a path of what stands beside the event, which has the known
// fields and no others.
func pathInto(from origin, name string, steps []step, s string, known []string) (*path, error) {
	if len(steps) == 1 {
		return nil, fmt.Errorf("%s holds several things; name one of them, such as %q", name, name+"."+known[0])
	}
	if field := steps[1].key; !slices.Contains(known, field) {
		if near := Nearest(field, known); near != "" {
			return nil, fmt.Errorf("a %s has no field %s; did you mean %q?", name, quote(field), near)
		}
		return nil, fmt.Errorf("a %s has no field %s; it has %s", name, quote(field), strings.Join(known, ", "))
	}
	return &path{text: s, steps: steps[1:], from: from}, nil
}

// checkRoot finds the paths that start at the wrong place, the commonest
// mistake of all.
func checkRoot(steps []step, s string) error {
	first := steps[0].key
	if first == "event" && len(steps) > 1 {
		return fmt.Errorf("a path starts inside the event; write %s", quote(strings.TrimPrefix(s, "event.")))
	}
	if slices.Contains(eventFields, first) {
		return nil
	}
	if near := Nearest(first, eventFields); near != "" {
		return fmt.Errorf("an event has no field %s; did you mean %q?", quote(first), near)
	}
	return fmt.Errorf("an event has no field %s; write %q, or %q for a field of your own at the top of the event", quote(first), "properties."+s, "$."+s)
}

// parseTarget reads a target path.
func parseTarget(s string) ([]step, error) {
	steps, err := parseSteps(s)
	if err != nil {
		return nil, err
	}
	for i, st := range steps {
		if st.index == toAppend && i < len(steps)-1 {
			return nil, fmt.Errorf("%s may only stand at the end; write [0] for one element, or each for many", quote("[]"))
		}
	}
	return steps, nil
}

// parseSteps reads "a.b[0].c" and "a[]".
func parseSteps(s string) ([]step, error) {
	if strings.TrimSpace(s) == "" {
		return nil, errors.New("the path is empty")
	}
	if s != strings.TrimSpace(s) {
		return nil, fmt.Errorf("%s has spaces around it; take them out", quote(s))
	}
	var steps []step
	for i, part := range strings.Split(s, ".") {
		name, brackets, has := strings.Cut(part, "[")
		if name == "" {
			return nil, emptyStep(s, i, has)
		}
		if bad := strings.IndexFunc(name, badInName); bad >= 0 {
			return nil, fmt.Errorf("%s cannot hold %q; steps are names with dots between them", quote(s), name[bad:bad+1])
		}
		steps = append(steps, step{key: name, index: -1})
		for has {
			var n string
			var closed bool
			n, brackets, closed = strings.Cut(brackets, "]")
			index, err := parseIndex(n)
			if !closed || err != nil {
				return nil, fmt.Errorf("in %s the brackets must hold a number from 0 to %d, as in products[0]", quote(s), maxIndex)
			}
			steps = append(steps, step{index: index})
			if has = brackets != ""; has && brackets[0] != '[' {
				return nil, fmt.Errorf("in %s a dot is missing after %q", quote(s), "]")
			}
			brackets = strings.TrimPrefix(brackets, "[")
		}
	}
	if len(steps) > maxSteps {
		return nil, fmt.Errorf("%s has more than %d steps", quote(s), maxSteps)
	}
	return steps, nil
}

func emptyStep(s string, i int, brackets bool) error {
	switch {
	case brackets && i == 0:
		return fmt.Errorf("%s must start with a name before the bracket", quote(s))
	case brackets:
		return fmt.Errorf("in %s there is a dot before a bracket; write products[0], not products.[0]", quote(s))
	}
	return fmt.Errorf("%s has an empty step; look for two dots, or a dot at the start or end", quote(s))
}

// badInName finds what a name in a path cannot hold. Spaces and letters of any
// language are fine: properties are named by people.
func badInName(r rune) bool {
	return r < ' ' || strings.ContainsRune(`"'{}()*,;:/\]`, r) || r == '\uFFFD'
}

func parseIndex(s string) (int, error) {
	if s == "" {
		return toAppend, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > maxIndex || s != strconv.Itoa(n) {
		return 0, errors.New("not an index")
	}
	return n, nil
}

// A frame is one element that each has come to, for reading its fields and for
// naming its paths.
type frame struct {
	up    *frame // the element around it, nil at the event
	item  any
	list  *path
	index int // -1 when an object counts as a list of one
}

// name gives the whole path of p from the event on, for a person.
func (f *frame) name(p *path) string {
	if f == nil || p.from != ofItem {
		return p.text
	}
	at := f.up.name(f.list)
	if f.index >= 0 {
		at += "[" + strconv.Itoa(f.index) + "]"
	}
	if p.text == "." {
		return at
	}
	return at + "." + p.text
}

// read gives what p finds, nil for null and "".
func (r *run) read(at *frame, p *path) any {
	var v any
	switch p.from {
	case ofItem:
		v = p.walk(at.item)
	case ofEvent:
		v = p.walk(r.root)
	case ofSession: // what a program made, which may hold its own kinds of numbers
		v = plain(p.walk(r.scope.session))
	case ofVisitor:
		v = plain(p.walk(r.scope.visitor))
	}
	if event.Empty(v) {
		return nil
	}
	return v
}
