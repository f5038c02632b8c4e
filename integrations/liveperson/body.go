package liveperson

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

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

// openMember begins a member of the object that dst ends in.
func openMember(dst, name []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(append(append(dst, '"'), name...), '"')
	return append(dst, ':')
}

// attributeTypes gives the types of the SDEs of a report, in order, as a mapping
// calls them; "" for one without.
func attributeTypes(body []byte) []string {
	var types []string
	_ = members(body, func(name, value []byte) error {
		if string(name) != "engagementAttributes" {
			return nil
		}
		list, err := elements(value)
		for _, raw := range list {
			types = append(types, typeOf(raw))
		}
		return err
	})
	return types
}

// typeOf gives the type of an SDE on the wire, as a mapping calls it.
func typeOf(raw []byte) string {
	found := ""
	_ = members(raw, func(name, value []byte) error {
		if string(name) == "type" {
			found = plainText(value)
		}
		return nil
	})
	for ours, wire := range wireNames {
		if found == wire {
			return ours
		}
	}
	return found
}
