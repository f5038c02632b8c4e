package liveperson

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

const (
	// maxWaiting is how many page addresses wait for a visitor's next report.
	maxWaiting = 10
	// maxSDEs is how many SDEs Batch lets travel in one report.
	maxSDEs = 20
)

// Batch gives how many of the leading items go into one report: those with an
// equal identity block, the same session of Signal, and the same visit of
// LivePerson's own tag, with at most 20 SDEs among them. An item with more than
// 20 travels alone.
func (c *Connection) Batch(items []integrations.Item) int {
	if len(items) < 2 {
		return len(items)
	}
	var first payload
	total, page := 0, pageIDs(&items[0])
	for i := range items {
		p, err := readPayload(items[i].Payload)
		if i == 0 {
			first = p
		}
		total += len(p.attributes)
		apart := err != nil || !p.sameIdentity(&first) || items[i].Session.Sid != items[0].Session.Sid || pageIDs(&items[i]) != page
		if i > 0 && (apart || total > maxSDEs) {
			return i
		}
		if err != nil {
			return 1
		}
	}
	return len(items)
}

// Build makes one request of the items of one visitor. Their payloads are in
// Signal's names: {"consumerId","identities","entryPoints",
// "engagementAttributes"}.
//
// All items must have an equal identity block and the same visit of
// LivePerson's own tag, which is what Batch is for. If they have not, Build
// takes the leading ones that do and leaves the others out of Sent, Carried and
// Refused alike: it never reports one consumer's doings under another's name.
//
// The form is the one that is in force by what was learned. When there is a request, Built.Visit says with Of which session of Signal it
// belongs to, for Visit.Taken.
func (c *Connection) Build(visit integrations.Visit, items []integrations.Item) integrations.Built {
	return c.BuildAs("", visit, items)
}

// BuildAs is Build in the form of that dialect; any other name is the form in
// force.
func (c *Connection) BuildAs(dialect string, visit integrations.Visit, items []integrations.Item) integrations.Built {
	st := c.stance.Load()
	b := builder{Connection: c, stance: st, form: st.form(Dialect(dialect)), out: integrations.Built{Visit: visit}}
	for i := range items {
		if !b.add(i, &items[i]) {
			break
		}
	}
	switch {
	case len(b.in) == 0:
	case len(b.sdes) == 0 && !b.form.pagesAlone:
		b.carry(visit)
	default:
		b.request(visit, &items[b.in[0]])
	}
	return b.out
}

// A builder gathers what goes into one request.
type builder struct {
	*Connection
	stance *stance
	form   *form
	out    integrations.Built

	in     []int       // items that go on
	head   payload     // of the first of them: its identity block is the request's
	page   attempt.IDs // of the first of them: the visit of LivePerson's own tag
	about  consumer    // the identity block
	open   bool        // Prepare may still find the item's visitor assured
	points []string    // their page addresses
	sdes   []sde
	of     []int // the items of sdes
	became []became
}

// became is what one of the items that go on is made of.
type became struct {
	sdes   []sde
	points []string
}

// add takes one item in, or refuses it. It reports false when the item is
// about another consumer, so that it and all behind it are left alone.
func (b *builder) add(i int, item *integrations.Item) bool {
	raw, open := b.who(item)
	p, err := readPayload(raw)
	if err != nil {
		b.refuse(i, err.Error())
		return true
	}
	b.open = open
	page := pageIDs(item)
	if len(b.in) == 0 {
		about := checkIdentity(&p)
		if len(about.faults) > 0 {
			b.refuse(i, about.faults...)
			return true
		}
		b.about = about
	} else if !p.sameIdentity(&b.head) || page != b.page {
		return false
	}
	if !b.fill(i, &p) {
		return true
	}
	if len(b.in) == 0 {
		b.head, b.page = p, page
	}
	b.in = append(b.in, i)
	return true
}

// fill takes the SDEs and page addresses of one item in. It reports false when
// nothing of the item can be sent, after refusing it.
func (b *builder) fill(i int, p *payload) bool {
	points, bad := readPoints(p.entryPoints)
	if len(p.attributes) == 0 && len(points) == 0 {
		b.refuse(i, "page has no absolute URL, and LivePerson knows a page by its address only")
		return false
	}
	var good []sde
	var faults []string
	for _, raw := range p.attributes {
		s := checkSDE(raw)
		if len(s.faults) == 0 {
			b.customerID(&s, b.about.assured, b.open)
		}
		if len(s.faults) > 0 {
			faults = append(faults, s.faults...)
			continue
		}
		good = append(good, s)
	}
	if len(good) == 0 && len(faults) > 0 {
		b.refuse(i, faults...)
		return false
	}
	for _, f := range faults {
		b.leaveOut(i, "Left out, so that it cannot sink the rest: "+f+".")
	}
	if bad > 0 {
		b.leaveOut(i, "Left out: a page address that is not absolute, which LivePerson would refuse.")
	}
	b.became = append(b.became, became{good, points})
	if b.sdes == nil {
		b.sdes = good
	} else {
		b.sdes = append(b.sdes, good...)
	}
	for range good {
		b.of = append(b.of, i)
	}
	b.points = merge(b.points, points)
	return true
}

func (b *builder) refuse(i int, reasons ...string) {
	b.out.Refused = append(b.out.Refused, integrations.Refusal{Item: i, Reason: strings.Join(reasons, "; ")})
}

func (b *builder) leaveOut(i int, reason string) {
	b.out.LeftOut = append(b.out.LeftOut, integrations.Refusal{Item: i, Reason: reason})
}

func (b *builder) note(format string, args ...any) {
	b.out.Notes = append(b.out.Notes, fmt.Sprintf(format, args...))
}

// readPoints gives the absolute addresses of a list, and how many are not.
func readPoints(list [][]byte) (points []string, bad int) {
	for _, raw := range list {
		s := ""
		if jsontext.Value(raw).Kind() == '"' {
			s = plainText(raw)
		}
		if !absolute(s) {
			bad++
			continue
		}
		points = append(points, s)
	}
	return points, bad
}

// merge appends what is not there yet.
func merge(to, from []string) []string {
	for _, s := range from {
		if !slices.Contains(to, s) {
			to = append(to, s)
		}
	}
	return to
}

// carry ends page views: their addresses wait for the visitor's next report.
func (b *builder) carry(visit integrations.Visit) {
	waiting := merge(slices.Clone(visit.Waiting), b.points)
	if over := len(waiting) - maxWaiting; over > 0 {
		waiting = waiting[over:]
		if over == 1 {
			b.note("More than %d page addresses wait for this visitor's next report, so the oldest fell out.", maxWaiting)
		} else {
			b.note("More than %d page addresses wait for this visitor's next report, so the oldest %d fell out.", maxWaiting, over)
		}
	}
	b.out.Visit.Waiting = waiting
	b.out.Carried = b.in
}

// request makes the request; first is the first item that is in it.
func (b *builder) request(visit integrations.Visit, first *integrations.Item) {
	ids, own := b.form.ids(visit, first.Session, b.page)
	b.latest()
	points := merge(merge(make([]string, 0, len(visit.Waiting)+len(b.points)), visit.Waiting), b.points)
	told := report{form: b.form.dialect, pageOnly: len(b.sdes) == 0, own: own}
	for i := range b.sdes {
		told.named = told.named || differs(b.sdes[i].name)
	}
	if b.about.guessable {
		b.note("This visitor's id is an e-mail address or a number, which can be guessed. LivePerson asks for an id that cannot: send a random one, or a salted hash.")
	}
	b.out.Request = &integrations.Request{
		Method:  b.form.method,
		URL:     b.form.address(ids),
		Header:  map[string]string{"Content-Type": "application/json", "Accept": "application/json"},
		Body:    b.body(points),
		Dialect: string(b.form.dialect),
		Summary: summary(b.form, b.sdes, points),
		From:    first.MessageID,
		Scout:   b.stance.learning && b.stance.known.scout(told),
		IDs:     ids,
		Own:     own,
	}
	b.out.Sent = b.in
	if len(b.in) > 1 {
		for i := range b.became {
			b.out.Summaries = append(b.out.Summaries, summary(b.form, b.became[i].sdes, b.became[i].points))
		}
	}
	b.out.Visit = after(visit, first.Session.Sid, b.page)
}
