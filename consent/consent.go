// Package consent reads what a visitor agreed to and decides whether an
// integration may have an event. It is pure: no clock, no storage, no I/O.
// process calls Read and Merge once per event, Decide once per integration;
// delivery asks Decide again right before sending.
package consent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A Bucket is one category of the canonical view.
type Bucket string

// The canonical view, product.md 2.
const (
	Essential       Bucket = "essential"
	Functional      Bucket = "functional"
	Analytics       Bucket = "analytics"
	Marketing       Bucket = "marketing"
	Personalization Bucket = "personalization"
)

// Buckets are all of them, in the order in which people read them.
var Buckets = []Bucket{Essential, Functional, Analytics, Marketing, Personalization}

// ParseBucket reads a bucket's name as an operator or a banner writes it;
// "advertising" is marketing.
func ParseBucket(s string) (Bucket, error) {
	b := Bucket(strings.ToLower(strings.TrimSpace(s)))
	if b == advertising {
		return Marketing, nil
	}
	if !slices.Contains(Buckets, b) {
		return "", fmt.Errorf("%q is no consent category: use essential, functional, analytics, marketing or personalization", s)
	}
	return b, nil
}

const advertising Bucket = "advertising"

// Mapping says which buckets a code of the consent banner feeds.
type Mapping map[string][]Bucket

// State is what is known of a visitor's consent. A bucket that is not in
// Canonical is not known; essential is always granted and never in it. The
// zero State knows nothing. A State is never written to after it is made.
type State struct {
	Categories map[string]bool `json:"categories,omitempty"` // the banner's own codes
	Canonical  map[Bucket]bool `json:"canonical,omitempty"`
}

// Known reports whether anything is known.
func (s State) Known() bool { return len(s.Canonical) > 0 }

// Read takes the consent off an event: context.consent in any accepted form
// (both views, only one, or the flat one), through the pipeline's mapping.
// gpc is the browser's Sec-GPC: 1, which denies marketing and personalization.
func Read(field any, m Mapping, gpc bool) State {
	object, _ := field.(map[string]any)
	s := State{Categories: map[string]bool{}, Canonical: map[Bucket]bool{}}
	categories, hasCategories := object["categories"].(map[string]any)
	canonical, hasCanonical := object["canonical"].(map[string]any)
	if !hasCategories && !hasCanonical {
		canonical, categories = flat(object, m)
	}
	for code, v := range categories {
		granted, ok := answer(v)
		if !ok {
			continue
		}
		s.Categories[code] = granted
		for _, b := range m[code] { // several codes may feed one bucket: any grant counts
			s.Canonical[b] = s.Canonical[b] || granted
		}
	}
	explicit(s.Canonical, canonical)
	if gpc {
		s.Canonical[Marketing], s.Canonical[Personalization] = false, false
	}
	delete(s.Canonical, Essential)
	if len(s.Categories) == 0 {
		s.Categories = nil
	}
	if len(s.Canonical) == 0 {
		s.Canonical = nil
	}
	return s
}

// flat takes {"analytics":true,"C0004":true} apart: canonical names first, the
// rest are codes of the banner.
func flat(object map[string]any, m Mapping) (canonical, categories map[string]any) {
	canonical, categories = map[string]any{}, map[string]any{}
	for k, v := range object {
		if _, mapped := m[k]; mapped {
			categories[k] = v
		} else if _, err := ParseBucket(k); err == nil {
			canonical[k] = v
		} else if _, ok := answer(v); ok {
			categories[k] = v
		}
	}
	return canonical, categories
}

// explicit writes the canonical keys over what the categories gave; marketing
// wins over its other name.
func explicit(into map[Bucket]bool, canonical map[string]any) {
	for _, names := range []bool{false, true} { // advertising first, so that marketing overwrites it
		for k, v := range canonical {
			b, err := ParseBucket(k)
			if own := strings.ToLower(strings.TrimSpace(k)) != string(advertising); err != nil || own != names {
				continue
			}
			if granted, ok := answer(v); ok {
				into[b] = granted
			}
		}
	}
}

// answer reads one value of a banner; anything else counts as absent.
func answer(v any) (granted, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case json.Number:
		return v == "1", v == "0" || v == "1"
	case string:
		switch strings.ToLower(v) {
		case "true", "granted", "yes", "1":
			return true, true
		case "false", "denied", "no", "0":
			return false, true
		}
	}
	return false, false
}

// Merge gives s with what newer knows written over it, key by key.
func (s State) Merge(newer State) State {
	return State{Categories: merge(s.Categories, newer.Categories), Canonical: merge(s.Canonical, newer.Canonical)}
}

func merge[K comparable](older, newer map[K]bool) map[K]bool {
	if len(newer) == 0 {
		return older
	}
	out := make(map[K]bool, len(older)+len(newer))
	for k, v := range older {
		out[k] = v
	}
	for k, v := range newer {
		out[k] = v
	}
	return out
}

// View gives the canonical view with essential granted, as it stands on an
// event after processing. Buckets that are not known are left out.
func (s State) View() map[string]any {
	out := map[string]any{string(Essential): true}
	for b, v := range s.Canonical {
		out[string(b)] = v
	}
	return out
}

// A Policy says what happens while consent is not known.
type Policy string

// The two policies; Deny is the default.
const (
	Deny  Policy = "deny"
	Allow Policy = "allow"
)

// A Decision is whether an integration may have an event. A refusal is data,
// not an error: Reason is what a marketer reads in the debugger.
type Decision struct {
	Granted bool     `json:"granted"`
	Reason  string   `json:"reason,omitempty"`  // empty when granted
	Denied  []Bucket `json:"denied,omitempty"`  // needed and refused
	Unknown []Bucket `json:"unknown,omitempty"` // needed and not known
}

// Decide grants only if all of needs are granted. Needs that are not known go
// by policy; no needs means no gate.
func Decide(s State, needs []Bucket, policy Policy) Decision {
	var d Decision
	for _, b := range needs {
		granted, known := s.Canonical[b]
		switch {
		case b == Essential || granted:
		case known:
			d.Denied = append(d.Denied, b)
		default:
			d.Unknown = append(d.Unknown, b)
		}
	}
	switch {
	case len(d.Denied) > 0:
		d.Reason = fmt.Sprintf("consent: %s %s not granted", list(d.Denied), isAre(d.Denied))
	case len(d.Unknown) > 0 && policy != Allow:
		d.Reason = fmt.Sprintf("consent: %s %s not known yet", list(d.Unknown), isAre(d.Unknown))
	default:
		d.Granted = true
	}
	return d
}

func list(bs []Bucket) string {
	names := make([]string, len(bs))
	for i, b := range bs {
		names[i] = string(b)
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func isAre(bs []Bucket) string {
	if len(bs) == 1 {
		return "is"
	}
	return "are"
}
