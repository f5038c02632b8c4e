package liveperson

import (
	"bytes"
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
// equal identity block and the same session of Signal, with at most 20 SDEs
// among them. An item with more than 20 travels alone.
func (c *Connection) Batch(items []integrations.Item) int {
	if len(items) < 2 {
		return len(items)
	}
	var first payload
	total := 0
	for i := range items {
		p, err := readPayload(items[i].Payload)
		if i == 0 {
			first = p
		}
		total += len(p.attributes)
		apart := err != nil || !p.sameIdentity(&first) || items[i].Session.Sid != items[0].Session.Sid
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
// All items must have an equal identity block, which is what Batch is for. If
// they have not, Build takes the leading ones that do and leaves the others
// out of Sent, Carried and Refused alike: it never reports one consumer's
// doings under another's name.
//
// When there is a request, Built.Visit says with Of which session of Signal it
// belongs to, for Visit.Taken.
func (c *Connection) Build(visit integrations.Visit, items []integrations.Item) integrations.Built {
	b := builder{Connection: c, out: integrations.Built{Visit: visit}}
	for i := range items {
		if !b.add(i, &items[i]) {
			break
		}
	}
	switch {
	case len(b.in) == 0:
	case len(b.sdes) == 0 && !c.form.pagesAlone:
		b.carry(visit)
	default:
		b.request(visit)
	}
	return b.out
}

// A builder gathers what goes into one request.
type builder struct {
	*Connection
	out integrations.Built

	in      []int                // items that go on
	head    payload              // of the first of them: its identity block is the request's
	session integrations.Session // of the first of them
	assured bool                 // the identity has acr loa1
	points  []string             // their page addresses
	sdes    []sde
}

// add takes one item in, or refuses it. It reports false when the item is
// about another consumer, so that it and all behind it are left alone.
func (b *builder) add(i int, item *integrations.Item) bool {
	p, err := readPayload(item.Payload)
	if err != nil {
		b.refuse(i, err.Error())
		return true
	}
	if len(b.in) == 0 {
		assured, faults := checkIdentity(&p)
		if len(faults) > 0 {
			b.refuse(i, faults...)
			return true
		}
		b.assured = assured
	} else if !p.sameIdentity(&b.head) {
		return false
	}
	if !b.fill(i, &p) {
		return true
	}
	if len(b.in) == 0 {
		b.head, b.session = p, item.Session
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
			b.customerID(&s)
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
		b.note("Left out, so that it cannot sink the rest: %s.", f)
	}
	if bad > 0 {
		b.note("Left out: a page address that is not absolute, which LivePerson would refuse.")
	}
	if b.sdes == nil {
		b.sdes = good
	} else {
		b.sdes = append(b.sdes, good...)
	}
	b.points = merge(b.points, points)
	return true
}

func (b *builder) refuse(i int, reasons ...string) {
	b.out.Refused = append(b.out.Refused, integrations.Refusal{Item: i, Reason: strings.Join(reasons, "; ")})
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

// customerID takes the customer's id out of a ctmrinfo where the settings send
// it only beside an assured identity.
func (b *builder) customerID(s *sde) {
	if s.name != "ctmrinfo" || b.assured || b.settings.CustomerID != CustomerIDAuthenticated {
		return
	}
	raw, left := withoutCustomerID(s.raw)
	if left == 0 {
		s.faults = []string{"ctmrinfo has nothing but info.customerId, which this integration sends only for assured visitors (customer_id: authenticated, acr loa1)"}
		return
	}
	s.raw = raw
}

// withoutCustomerID gives a ctmrinfo, which was checked, without its customer
// id, and how many fields are left in its info.
func withoutCustomerID(raw []byte) (out []byte, left int) {
	out = append(out, '{')
	_ = members(raw, func(name, value []byte) error {
		out = openMember(out, name)
		if string(name) != "info" {
			out = append(out, value...)
			return nil
		}
		out = append(out, '{')
		_ = members(value, func(name, value []byte) error {
			if string(name) != "customerId" {
				out = append(openMember(out, name), value...)
				left++
			}
			return nil
		})
		out = append(out, '}')
		return nil
	})
	return append(out, '}'), left
}

// openMember begins a member of the object that dst ends in.
func openMember(dst, name []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(append(append(dst, '"'), name...), '"')
	return append(dst, ':')
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

func (b *builder) request(visit integrations.Visit) {
	ids := b.form.ids(visit, b.session)
	points := merge(merge(make([]string, 0, len(visit.Waiting)+len(b.points)), visit.Waiting), b.points)
	b.out.Request = &integrations.Request{
		Method:  b.form.method,
		URL:     b.form.address(ids),
		Header:  map[string]string{"Content-Type": "application/json", "Accept": "application/json"},
		Body:    b.body(points),
		Dialect: string(b.form.dialect),
		Summary: summary(&b.form, b.sdes, points),
	}
	b.out.Sent = b.in
	b.out.Visit = after(visit, b.session.Sid)
}

// after gives the visit once a request of Signal's session sid was taken: no
// address waits any more, and an id that was not sent is let go.
func after(v integrations.Visit, sid string) integrations.Visit {
	next := integrations.Visit{IDs: v.IDs, Of: sid}
	if v.Bare {
		next.IDs = attempt.IDs{}
	}
	if v.Of != sid {
		next.IDs.Session = ""
	}
	return next
}

// body writes the report, in the order of the fields that LivePerson's own
// examples have.
func (b *builder) body(points []string) []byte {
	size := 128 + len(b.head.consumerID) + len(b.head.identities)
	for _, p := range points {
		size += len(p) + 8
	}
	for i := range b.sdes {
		size += len(b.sdes[i].raw) + 8
	}
	out := append(make([]byte, 0, size), '{')
	if b.head.consumerID != nil {
		out = append(append(out, `"consumerId":`...), b.head.consumerID...)
	}
	if b.head.identities != nil {
		out = append(comma(out), `"identities":`...)
		out = b.identities(out)
	}
	if len(points) > 0 {
		out = append(comma(out), `"entryPoints":[`...)
		for _, p := range points {
			out, _ = jsontext.AppendQuote(comma(out), p)
		}
		out = append(out, ']')
	}
	out = append(comma(out), `"engagementAttributes":[`...)
	for i := range b.sdes {
		out = b.sdes[i].append(comma(out), b.form.wire(b.sdes[i].name))
	}
	return append(out, "]}"...)
}

// comma parts a member or element from the one before it.
func comma(dst []byte) []byte {
	if last := dst[len(dst)-1]; last != '{' && last != '[' {
		return append(dst, ',')
	}
	return dst
}

// identities writes the identities, with the issuer of the settings in the
// place of the one that mappings write.
func (b *builder) identities(dst []byte) []byte {
	if b.settings.Issuer == defaultIssuer {
		return append(dst, b.head.identities...)
	}
	entries, _ := elements(b.head.identities) // checked with the first item
	dst = append(dst, '[')
	for _, raw := range entries {
		dst = append(comma(dst), '{')
		_ = members(raw, func(name, value []byte) error {
			dst = openMember(dst, name)
			if string(name) == "iss" && plainText(value) == defaultIssuer {
				dst, _ = jsontext.AppendQuote(dst, b.settings.Issuer)
				return nil
			}
			dst = append(dst, value...)
			return nil
		})
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// append writes the SDE with the type's name on the wire. Digits stay as they
// came; characters that the journal had escaped are written plainly.
func (s *sde) append(dst []byte, wire string) []byte {
	raw := s.raw
	if wire != s.name {
		raw = slices.Concat(raw[:s.at[0]], []byte(`"`+wire+`"`), raw[s.at[1]:])
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return append(dst, raw...)
	}
	if out, err := jsontext.AppendFormat(dst, raw); err == nil {
		return out
	}
	return append(dst, raw...)
}
