package identity

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Bounds of what a session remembers of a campaign: each value in characters,
// the longer being cut, and how many there are, the first in alphabetical
// order. Names are those of utm_ parameters, so they are short.
const (
	maxCampaignValue = 500
	maxCampaignName  = 100
	maxCampaign      = 20
)

// clickIDs are the parameters by which advertising networks know a click; the
// collector has the same list.
var clickIDs = []string{"gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id"}

// Arrive notes where the session came from, by the context of one of its
// events. The first event that says so is the one that counts: by
// context.campaign, else by utm_ parameters and click ids in the address of its
// page. The referrer counts on the session's first page alone, when it is of
// another site; later ones are steps within the visit, such as the way back
// from a payment.
func (s *Session) Arrive(context map[string]any) {
	known := s.Campaign != nil || s.Referrer != ""
	if known && s.Landed {
		return
	}
	page, _ := context["page"].(map[string]any)
	address, _ := page["url"].(string)
	if !known {
		if s.Campaign = campaignOf(context["campaign"]); s.Campaign == nil {
			s.Campaign = campaignIn(address)
		}
	}
	if s.Landed {
		return
	}
	host := hostOf(address)
	if host == "" {
		return
	}
	s.Landed = true
	from, _ := page["referrer"].(string)
	if from = hostOf(from); !known && from != "" && len(from) <= maxCampaignValue && siteOf(from) != siteOf(host) {
		s.Referrer = from
	}
}

// campaignOf reads context.campaign. Numbers keep their digits; what is no
// plain value says nothing.
func campaignOf(v any) map[string]string {
	fields, _ := v.(map[string]any)
	found := map[string]string{}
	for name, v := range fields {
		switch v := v.(type) {
		case string:
			found[name] = v
		case json.Number:
			found[name] = string(v)
		}
	}
	return bounded(found)
}

// campaignIn reads the parameters of an address as the collector does.
func campaignIn(address string) map[string]string {
	address, _, _ = strings.Cut(address, "#")
	_, query, ok := strings.Cut(address, "?")
	if !ok || !marked(query) {
		return nil
	}
	found := map[string]string{}
	values, _ := url.ParseQuery(query) // what can be read of it
	for name, list := range values {
		short, utm := strings.CutPrefix(name, "utm_")
		switch {
		case name == "utm_campaign":
			found["name"] = list[len(list)-1]
		case utm || slices.Contains(clickIDs, name):
			found[short] = list[len(list)-1]
		}
	}
	return bounded(found)
}

// marked reports at little cost whether a query may hold such parameters.
func marked(query string) bool {
	for _, sign := range []string{"utm_", "clid", "clkid", "braid", "li_fat_id"} {
		if strings.Contains(query, sign) {
			return true
		}
	}
	return false
}

// bounded keeps what says something, within the bounds; nil when that is
// nothing.
func bounded(found map[string]string) map[string]string {
	var out map[string]string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		value := strings.TrimSpace(found[name])
		if name == "" || len(name) > maxCampaignName || value == "" || len(out) == maxCampaign {
			continue
		}
		if len(value) > maxCampaignValue { // bytes are never fewer than characters
			if r := []rune(value); len(r) > maxCampaignValue {
				value = string(r[:maxCampaignValue])
			}
		}
		if out == nil {
			out = map[string]string{}
		}
		out[name] = value
	}
	return out
}

// hostOf gives the host of an absolute web address in small letters, without
// its port, or "".
func hostOf(address string) string {
	rest, ok := strings.CutPrefix(address, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(address, "http://"); !ok {
			return ""
		}
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	u, err := url.Parse("https://" + rest)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

// secondLevel are the names below a country under which sites are registered:
// example.co.uk is a site, co.uk is none.
var secondLevel = []string{"ac", "co", "com", "edu", "gov", "ne", "net", "nom", "or", "org"}

// siteOf gives the part of a host that is of one owner: www.example.com and
// shop.example.com are of example.com. It goes by the usual form of names, not
// by the list of all public suffixes; an address in digits is itself.
func siteOf(host string) string {
	labels := strings.Split(host, ".")
	n := len(labels)
	last := labels[n-1]
	if n < 3 || strings.Contains(host, ":") || last == "" || last[0] >= '0' && last[0] <= '9' {
		return host
	}
	if len(last) == 2 && slices.Contains(secondLevel, labels[n-2]) {
		return strings.Join(labels[n-3:], ".")
	}
	return strings.Join(labels[n-2:], ".")
}
