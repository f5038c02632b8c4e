package liveperson

import (
	"slices"

	"github.com/datafly/signal/integrations"
)

// replacing are the SDEs of which LivePerson keeps the latest alone, so that of
// several in one report only the last one counts.
var replacing = []string{"cartStatus", "ctmrinfo", "personal", "mrktInfo"}

// latest takes out what a later SDE of the same report replaces.
func (b *builder) latest() {
	if len(b.sdes) < 2 {
		return
	}
	for _, name := range replacing {
		last := -1
		for i := len(b.sdes) - 1; i >= 0; i-- {
			switch {
			case b.sdes[i].name != name:
			case last < 0:
				last = i
			default:
				b.out.LeftOut = append(b.out.LeftOut, integrations.Refusal{Item: b.of[i], Reason: name + ": a later one in the same report replaces it"})
				b.sdes, b.of = slices.Delete(b.sdes, i, i+1), slices.Delete(b.of, i, i+1)
			}
		}
	}
	slices.SortStableFunc(b.out.LeftOut, func(x, y integrations.Refusal) int { return x.Item - y.Item })
}

// Split gives an item for each SDE of item that Build would send, in order; the
// page addresses ride on the first. It gives none when there is nothing to
// split.
func (c *Connection) Split(item integrations.Item) []integrations.Item {
	p, err := readPayload(item.Payload)
	if err != nil || len(p.attributes) < 2 {
		return nil
	}
	about := checkIdentity(&p)
	var good []sde
	for _, raw := range p.attributes {
		s := checkSDE(raw)
		if len(s.faults) == 0 {
			c.customerID(&s, about.assured, false)
		}
		if len(s.faults) == 0 {
			good = append(good, s)
		}
	}
	var parts []integrations.Item
	for i := range good {
		if slices.Contains(replacing, good[i].name) && slices.ContainsFunc(good[i+1:], func(s sde) bool { return s.name == good[i].name }) {
			continue
		}
		part := item
		part.Payload = p.with(good[i].raw, len(parts) == 0)
		parts = append(parts, part)
	}
	if len(parts) < 2 {
		return nil
	}
	return parts
}

// with writes a payload with one SDE, and with the page addresses if asked.
func (p *payload) with(attribute []byte, points bool) []byte {
	out := []byte{'{'}
	for _, m := range []struct {
		name  string
		value []byte
	}{{"consumerId", p.consumerID}, {"identities", p.identities}} {
		if m.value != nil {
			out = append(openMember(out, []byte(m.name)), m.value...)
		}
	}
	if points && len(p.entryPoints) > 0 {
		out = append(openMember(out, []byte("entryPoints")), '[')
		for _, point := range p.entryPoints {
			out = append(comma(out), point...)
		}
		out = append(out, ']')
	}
	out = append(openMember(out, []byte("engagementAttributes")), '[')
	return append(append(out, attribute...), "]}"...)
}

// customerID takes the customer's id out of a ctmrinfo where the settings send
// it only beside an assured identity.
// open says that the identity may still turn out to be assured.
func (c *Connection) customerID(s *sde, assured, open bool) {
	if s.name != "ctmrinfo" || assured || c.settings.CustomerID != CustomerIDAuthenticated {
		return
	}
	raw, left := withoutCustomerID(s.raw)
	if left == 0 && !open {
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
