package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datafly/signal/event"
)

// Limits of a mapping. They keep the payload within the limits of an event and
// one run within bounds; real mappings are far below.
const (
	maxRules  = 1000
	maxFields = 200
	maxOnce   = 100 // attributes with once, since each visitor's session remembers them
	maxDepth  = 14  // steps of a target with those of the each around it
)

// Compile checks the rules and makes a Program of them. The error joins a
// *Fault for each thing that is wrong, so that all are mended at once.
func (m *Mapping) Compile() (*Program, error) {
	c := &compiler{faults: faultList{at: m.places}}
	p := &Program{types: map[event.Type]*rule{}, names: map[string]*rule{}}
	if len(m.Events) > maxRules {
		c.faults.add("events", "there are %d rules, more than %d", len(m.Events), maxRules)
		return nil, c.faults.err()
	}
	c.list("common", m.Common, nil) // for its faults, once
	c.reserved("common", m.Common, "engagementAttributes", "engagementAttributes is made of the attributes of the rules; write the field there")
	riding := c.attributes("attributes", m.Attributes, "")
	for i := range m.Events {
		r := c.rule(fmt.Sprintf("events[%d]", i), &m.Events[i], m.Common)
		r.riding = riding
		c.names(p, r, i, &m.Events[i])
	}
	p.once = c.once
	if _, own := p.types[event.Screen]; !own {
		if page, ok := p.types[event.Page]; ok { // a screen is the page of an app
			p.types[event.Screen] = page
		}
	}
	if err := c.faults.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// anyEvent is the name of the rule for every event that has none of its own.
const anyEvent = "*"

// onceSession is what Attribute.Once may say.
const onceSession = "session"

// compiler gathers faults on its way through a mapping.
type compiler struct {
	faults faultList
	quiet  bool     // the faults of common are told once, not for each rule
	once   []string // of the attributes that have it, each once
}

func (c *compiler) fault(path, format string, args ...any) {
	if !c.quiet {
		c.faults.add(path, format, args...)
	}
}

// A rule is a compiled EventRule.
type rule struct {
	name       string
	when       *expression
	otherwise  string
	top        *fieldList // common and event fields
	attributes []*attribute
	riding     []*attribute // the mapping's own, behind those of the rule
}

type attribute struct {
	name string
	head []byte // {"type":"…"
	once string // its name in Input.Made; "" when it is built each time
	when *expression
	list *fieldList
}

// A fieldList is a list of fields that make one object together.
type fieldList struct {
	fields   []*field // those with only_with last
	shape    shape
	literals bool // nothing in it comes from the event
}

// A field is a compiled Field.
type field struct {
	number   int    // in the list of values
	target   string // as written, without [] at the end
	append   bool
	paths    []*path
	tried    []*path // of the reason: paths and what the expression reads
	expr     *expression
	literal  any // written as it stands, nil when there is none
	each     *fieldList
	keep     bool // an empty list of each
	valueMap map[string]any
	read     func(any) (any, string)
	fallback any
	required bool
	when     *expression
	with     []int // one of these must be found, from only_with
	depends  bool
}

func (c *compiler) rule(at string, r *EventRule, common []Field) *rule {
	out := &rule{name: r.Event, otherwise: r.Otherwise, when: c.condition(at+".when", r.When, false)}
	out.top = c.top(at, r, common)
	out.attributes = c.attributes(at+".attributes", r.Attributes, event.FoldName(r.Event)+" ")
	return out
}

// attributes compiles a list of them. What is made once is known by its type,
// behind the event whose rule it belongs to: an edit of the mapping elsewhere
// does not make it again.
func (c *compiler) attributes(at string, list []Attribute, owner string) []*attribute {
	if len(list) > maxFields {
		c.fault(at, "there are %d attributes, more than %d", len(list), maxFields)
		return nil
	}
	var out []*attribute
	for i := range list {
		where := fmt.Sprintf("%s[%d]", at, i)
		a := c.attribute(where, &list[i])
		if list[i].Once != "" {
			a.once = owner + a.name
			c.remember(where+".once", a.once)
		}
		out = append(out, a)
	}
	return out
}

// remember notes the name of an attribute that is made once.
func (c *compiler) remember(at, name string) {
	if slices.Contains(c.once, name) {
		return
	}
	if c.once = append(c.once, name); len(c.once) == maxOnce+1 {
		c.fault(at, "more than %d attributes are made once, and each visitor's session would have to remember them", maxOnce)
	}
}

// top compiles the fields beside engagementAttributes. A field of the event
// goes before one of common with the same target.
func (c *compiler) top(at string, r *EventRule, common []Field) *fieldList {
	c.list(at+".fields", r.Fields, nil) // for its faults
	c.reserved(at+".fields", r.Fields, "engagementAttributes", "engagementAttributes is made of the rule's attributes; write the field there")
	c.overlap(at+".fields", r.Fields, common)
	var all []Field
	placed := make([]bool, len(r.Fields))
	for _, f := range common {
		for i, mine := range r.Fields {
			if mine.Target == f.Target && !strings.HasSuffix(f.Target, "[]") {
				if !placed[i] {
					all = append(all, mine)
				}
				placed[i], f.Required = true, false // the event's own field says
			}
		}
		all = append(all, f)
	}
	for i, f := range r.Fields {
		if !placed[i] {
			all = append(all, f)
		}
	}
	was := c.quiet
	c.quiet = true
	defer func() { c.quiet = was }()
	return c.list("", all, &listOptions{overlap: true})
}

// overlap finds targets of an event's fields that do not go together with
// those of common.
func (c *compiler) overlap(at string, fields, common []Field) {
	var all, own shape
	for i, f := range slices.Concat(common, fields) {
		steps, err := parseTarget(f.Target)
		if err != nil {
			continue
		}
		err = all.place(steps, f.Target, i)
		if i >= len(common) && own.place(steps, f.Target, i) == nil && err != nil {
			c.fault(fmt.Sprintf("%s[%d].target", at, i-len(common)), "%s", err)
		}
	}
}

// reserved finds targets that are written by the rule itself.
func (c *compiler) reserved(at string, fields []Field, name, message string) {
	for i, f := range fields {
		if steps, err := parseTarget(f.Target); err == nil && steps[0].key == name {
			c.fault(fmt.Sprintf("%s[%d].target", at, i), "%s", message)
		}
	}
}

func (c *compiler) attribute(at string, a *Attribute) *attribute {
	if a.Type == "" {
		c.fault(at+".type", "the attribute needs a type, such as purchase")
	}
	if len(a.Fields) == 0 {
		c.fault(at, "the attribute has no fields; list what it should say")
	}
	if a.Once != "" && a.Once != onceSession {
		c.fault(at+".once", "once cannot be %s; write session, or leave it out for an attribute of each event", quote(a.Once))
	}
	c.reserved(at+".fields", a.Fields, "type", "the type is written by itself; change it in the attribute's type")
	head, err := jsontext.AppendQuote([]byte(`{"type":`), a.Type)
	if err != nil || strings.ContainsRune(a.Type, 0) {
		c.fault(at+".type", "the type holds letters that are not text")
	}
	return &attribute{
		name: a.Type, head: head,
		when: c.condition(at+".when", a.When, false),
		list: c.list(at+".fields", a.Fields, nil),
	}
}

func (c *compiler) condition(at, source string, inEach bool) *expression {
	if source == "" {
		return nil
	}
	e, err := compileExpr(source, inEach, true)
	if err != nil {
		c.fault(at, "%s", err)
	}
	return e
}

// names enters a rule under its name and aliases.
func (c *compiler) names(p *Program, r *rule, i int, src *EventRule) {
	at := fmt.Sprintf("events[%d]", i)
	if strings.TrimSpace(src.Event) == "" {
		c.fault(at+".event", "the rule needs the name of its event, or page, identify, group or screen")
	}
	for j, name := range append([]string{src.Event}, src.Aliases...) {
		where := at + ".event"
		if j > 0 {
			where = fmt.Sprintf("%s.aliases[%d]", at, j-1)
			if strings.TrimSpace(name) == "" {
				c.fault(where, "the alias is empty")
			}
		}
		if folded := event.FoldName(name); folded != "" {
			if before := p.enter(name, folded, r); before != nil && before != r {
				c.fault(where, "%s has a rule already, that of %s; an event has one rule, with an attribute for each object", quote(name), quote(before.name))
			}
		}
	}
}

// enter gives the rule that had the name before.
func (p *Program) enter(name, folded string, r *rule) *rule {
	if folded == anyEvent {
		before := p.any
		if before == nil {
			p.any = r
		}
		return before
	}
	if t := event.Type(folded); t.Known() && t != event.Track {
		before := p.types[t]
		if before == nil {
			p.types[t] = r
		}
		return before
	}
	before := p.names[folded]
	if before == nil {
		p.names[folded], p.names[name] = r, r
	}
	return before
}
