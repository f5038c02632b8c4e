package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/datafly/signal/event"
)

// A Program is a compiled mapping. It never changes and is safe for many
// goroutines.
type Program struct {
	types map[event.Type]*rule // of page, identify, group and screen
	names map[string]*rule     // of tracks, by their folded names
	any   *rule                // of every event without a rule of its own
	once  []string
}

// Once names the attributes that are made once in a session at most, as Result
// and Input name them. Nothing may be written to it.
func (p *Program) Once() []string { return p.once }

// Input is one event to map, with what processing knows of its session and
// visitor. Nothing of it is written to.
type Input struct {
	Event   *event.Event
	Session map[string]any
	Visitor map[string]any
	// Made names the attributes that are made once in a session and are not
	// due any more.
	Made []string
	// Explain asks for Result.Explain; it costs time.
	Explain bool
}

// Result is what came of an event.
type Result struct {
	// Payload is JSON in the key order of the rules; nil when Stop is set.
	Payload []byte
	// Stop is why the event goes no further, for a marketer to read.
	Stop string
	// Faults name what is not in the payload though a rule asked for it.
	Faults []string
	// Explain says where each value of the payload came from, in its order.
	Explain []Source
	// Made names the attributes in the payload that are made once in a session.
	Made []string
	// Rule is the event name of the rule that was used.
	Rule string
}

// A Source says what fed one target.
type Source struct {
	Target string `json:"target"`
	// Source is a path on the event, "expr", "literal" or "default".
	Source string `json:"source,omitempty"`
	Value  any    `json:"value"`
}

// Sources that are no paths.
const (
	fromExpr    = "expr"
	fromLiteral = "literal"
	fromDefault = "default"
)

// maxElements bounds one list of each, so that an event with ten thousand
// lines costs what a long cart costs.
const maxElements = 500

// Run maps one event. It is pure, and never panics on an event that was
// decoded.
func (p *Program) Run(in Input) Result {
	rl, name := p.find(in.Event)
	if rl == nil {
		return Result{Stop: fmt.Sprintf("not mapped: no rule for %q", name)}
	}
	r := runs.Get().(*run)
	defer r.release()
	r.begin(in)
	return r.rule(rl)
}

// find gives the rule of an event.
func (p *Program) find(e *event.Event) (*rule, string) {
	if e.Type != event.Track {
		return cmp.Or(p.types[e.Type], p.any), string(e.Type)
	}
	if r, ok := p.names[e.Name]; ok {
		return r, e.Name
	}
	return cmp.Or(p.names[event.FoldName(e.Name)], p.any), e.Name
}

// A found is the value of one field.
type found struct {
	has       bool
	counts    bool // it came from the event, so there was something to say
	each      bool
	fromEvent bool
	value     any
	source    string // kept only for explain
	// Of each: the elements as JSON in run.arena, without brackets, and the
	// place of their sources in run.inside.
	from, to, count, inside int32
}

// An elementSource is a Source inside an element of each.
type elementSource struct {
	index int
	Source
}

// run is the state of one Run, used again for the next.
type run struct {
	root       map[string]any
	scope      scope
	had        []string // Input.Made
	made       []string // Result.Made
	values     []found
	used       int    // the most values at one time
	arena      []byte // JSON of elements
	out        []byte
	faults     []string
	explaining bool
	explain    []Source
	inside     [][]elementSource // of lists of each, from 1
	reasons    []string          // of the list that is being worked on
	notes      []string          // what could not be read of the field at hand
}

var runs = sync.Pool{New: func() any { return new(run) }}

func (r *run) begin(in Input) {
	r.root = in.Event.Fields
	r.scope.event, r.scope.session, r.scope.visitor = in.Event.Fields, in.Session, in.Visitor
	r.scope.work = maxWork
	r.explaining, r.had = in.Explain, in.Made
}

// release keeps the memory and nothing of the event.
func (r *run) release() {
	clear(r.values[:r.used])
	clear(r.scope.loops[:cap(r.scope.loops)])
	clear(r.scope.vars[:cap(r.scope.vars)])
	keep := run{values: r.values[:0], arena: r.arena[:0], out: r.out[:0]}
	keep.scope.loops, keep.scope.vars = r.scope.loops[:0], r.scope.vars[:0]
	*r = keep
	runs.Put(r)
}

func (r *run) rule(rl *rule) Result {
	if ok, why := r.holds(rl.when); !ok {
		return r.stop(rl, notMet(rl, why))
	}
	base := r.reserve(rl.top)
	if !r.list(rl.top, base, nil) {
		return r.stop(rl, strings.Join(r.reasons, "; "))
	}
	r.note("")
	w := writer{run: r, base: base, dst: append(r.out, '{')}
	w.members(&rl.top.shape, 1)
	built, why := r.attributes(&w, rl.attributes, 0)
	if built == 0 && len(rl.attributes) > 0 {
		r.out = w.dst
		return r.stop(rl, nothing(rl, why))
	}
	built, quiet := r.attributes(&w, rl.riding, built)
	if built > 0 {
		w.dst = append(w.dst, ']')
	}
	r.tell(why, quiet)
	r.out = append(w.dst, '}')
	return Result{Payload: append([]byte(nil), r.out...), Faults: r.faults, Explain: r.explain, Made: r.made, Rule: rl.name}
}

// tell notes why attributes are not there, when others are. Of one that rides
// on every event only a failure is told, or each event would say that nothing
// for it was there.
func (r *run) tell(own, riding []reason) {
	for _, reason := range own {
		if reason.tell {
			r.faults = append(r.faults, reason.text)
		}
	}
	for _, reason := range riding {
		if reason.failed {
			r.faults = append(r.faults, reason.text)
		}
	}
}

func (r *run) stop(rl *rule, why string) Result {
	return Result{Stop: why, Faults: r.faults, Rule: rl.name}
}

// notMet words a rule's condition that is not true.
func notMet(rl *rule, why string) string {
	switch {
	case why != "":
		return fmt.Sprintf("the condition of the rule for %q could not be worked out: %s", rl.name, why)
	case rl.otherwise != "":
		return rl.otherwise
	}
	return fmt.Sprintf("the rule for %q does not apply: its condition is not met (%s)", rl.name, rl.when.source)
}

// A reason is why an attribute is not there.
type reason struct {
	text   string
	tell   bool // also when other attributes are there
	empty  bool // nothing for it was on the event
	failed bool // its condition did
}

// nothing words why no attribute is there.
func nothing(rl *rule, why []reason) string {
	var texts []string
	empty := true
	for _, w := range why {
		texts = append(texts, w.text)
		empty = empty && w.empty
	}
	if empty && rl.otherwise != "" {
		return rl.otherwise
	}
	return strings.Join(texts, "; ")
}

// attributes writes a list of them into engagementAttributes, which is opened
// with the first and left open. built is how many are there before; it gives
// how many are there behind them, and why the others are not.
func (r *run) attributes(w *writer, list []*attribute, built int) (int, []reason) {
	mark := len(w.dst)
	var why []reason
	for _, a := range list {
		switch {
		case built > 0:
			w.dst = append(w.dst, ',')
		case w.dst[len(w.dst)-1] != '{':
			w.dst = append(w.dst, `,"engagementAttributes":[`...)
		default:
			w.dst = append(w.dst, `"engagementAttributes":[`...)
		}
		if reason, ok := r.attribute(w, a, built); !ok {
			why = append(why, reason)
			w.dst = w.dst[:mark]
			continue
		}
		built++
		mark = len(w.dst)
	}
	return built, why
}

func (r *run) attribute(w *writer, a *attribute, n int) (reason, bool) {
	if a.once != "" && (slices.Contains(r.had, a.once) || slices.Contains(r.made, a.once)) {
		return reason{text: a.name + ": it is sent once in a session, and this session has had it"}, false
	}
	if ok, why := r.holds(a.when); !ok {
		if why != "" {
			return reason{text: a.name + ": its condition could not be worked out: " + why, tell: true, failed: true}, false
		}
		return reason{text: a.name + ": its condition is not met (" + a.when.source + ")"}, false
	}
	base := r.reserve(a.list)
	ok := r.list(a.list, base, nil)
	r.note(a.name + ": ")
	if !ok {
		return reason{text: a.name + ": " + strings.Join(r.reasons, "; "), tell: true}, false
	}
	if !a.list.literals && !r.counts(a.list, base) {
		return reason{text: a.name + ": nothing for it was on the event", tell: true, empty: true}, false
	}
	inner := writer{run: r, base: base, dst: append(w.dst, a.head...)}
	if r.explaining {
		inner.trail = fmt.Appendf(nil, "engagementAttributes[%d]", n)
	}
	inner.members(&a.list.shape, 0)
	w.dst = append(inner.dst, '}')
	if a.once != "" {
		r.made = append(r.made, a.once)
	}
	return reason{}, true
}

// note moves what could not be read to the faults, with the attribute's name.
func (r *run) note(prefix string) {
	for _, n := range r.notes {
		r.faults = append(r.faults, prefix+n)
	}
	r.notes = r.notes[:0]
}

// holds works a condition out; why is set when that fails.
func (r *run) holds(when *expression) (ok bool, why string) {
	if when == nil {
		return true, ""
	}
	v, err := when.run(&r.scope)
	if err != nil {
		return false, err.Error()
	}
	return v == true, ""
}

// reserve makes room for the values of a list and gives where they begin.
func (r *run) reserve(l *fieldList) int {
	base := len(r.values)
	r.values = slices.Grow(r.values, len(l.fields))[:base+len(l.fields)]
	clear(r.values[base:])
	r.used = max(r.used, len(r.values))
	return base
}

// counts reports whether the event had anything for a list.
func (r *run) counts(l *fieldList, base int) bool {
	for i := range l.fields {
		if r.values[base+i].counts {
			return true
		}
	}
	return false
}

// list finds the values of a list of fields. It reports false when a required
// one is missing, with what is missing in r.reasons.
func (r *run) list(l *fieldList, base int, at *frame) bool {
	var missing []string
	for _, f := range l.fields {
		if !r.field(f, base, at) && f.required && !r.other(l, f, base) {
			missing = append(missing, r.missing(f, at))
		}
	}
	r.reasons = missing
	return len(missing) == 0
}

// other reports whether another field with the same target has a value.
func (r *run) other(l *fieldList, f *field, base int) bool {
	for _, g := range l.fields {
		if g != f && g.target == f.target && g.append == f.append && r.values[base+g.number].has {
			return true
		}
	}
	return false
}
