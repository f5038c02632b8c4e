package liveperson

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// identityFields are those that name the visitor. They are the same in all
// parts of a report.
var identityFields = map[string]bool{
	"consumerId": true, "identities": true, "identities.sub": true, "identities.acr": true, "identities.iss": true,
}

var (
	attributeIndex = regexp.MustCompile(`^engagementAttributes\[(\d{1,4})\]\.`)
	fieldForm      = regexp.MustCompile(`^[a-zA-Z]{1,32}(\[\d{1,4}\])?(\.[a-zA-Z]{1,32}(\[\d{1,4}\])?){0,6}$`)
	indexes        = regexp.MustCompile(`\[\d+\]`)
	fieldNames     = knownFields()
)

// fieldIn gives the field that the message of a 400 names, or "". Every part
// of it must be a field that LivePerson has: a message may as well repeat a
// value, which belongs into no sentence of ours. types are those of the
// report's SDEs: a path that begins with the number of one begins with its type
// here, as a mapping calls it: "lead.currency".
func fieldIn(message string, types []string) string {
	message = strings.TrimSpace(message)
	m := attributeIndex.FindStringSubmatch(message)
	field := attributeIndex.ReplaceAllString(message, "")
	if !fieldForm.MatchString(field) {
		return ""
	}
	for part := range strings.SplitSeq(indexes.ReplaceAllString(field, ""), ".") {
		if !fieldNames[part] {
			return ""
		}
	}
	if m == nil {
		return field
	}
	i, _ := strconv.Atoi(m[1]) // at most four digits
	if i >= len(types) || sdes[types[i]] == nil {
		return field
	}
	return ofType(types[i], field)
}

// ofType puts the type in front of the path of a field below an SDE. A type that
// nests its fields under its own name is not said twice.
func ofType(name, field string) string {
	if field == name || strings.HasPrefix(field, name+".") {
		return field
	}
	return name + "." + field
}

// knownFields are the names of all fields of a report and of all SDEs.
func knownFields() map[string]bool {
	known := map[string]bool{
		"consumerId": true, "identities": true, "iss": true, "acr": true, "sub": true,
		"entryPoints": true, "engagementAttributes": true, "pageId": true, "body": true,
		"vid": true, "sid": true, "obh": true, "accountId": true, "appInstallationId": true,
		"cart": true, "searchInfo": true, "campaignID": true,
	}
	var walk func(n *node)
	walk = func(n *node) {
		if n.elem != nil {
			walk(n.elem)
		}
		for name, field := range n.fields {
			known[name] = true
			walk(field)
		}
	}
	for name := range maps.Keys(sdes) {
		known[name] = true
		walk(sdes[name])
	}
	return known
}

// ruleOf says what Signal holds a field to before it sends a report, as in
// "lead.value is a number"; "" for what is no field of an SDE, or for an object
// or list, of which the parts are held to theirs.
func ruleOf(field string) string {
	path := strings.Split(indexes.ReplaceAllString(field, ""), ".")
	for ours, wire := range wireNames {
		if path[0] == wire {
			path[0] = ours
		}
	}
	at := sdes[path[0]]
	if at == nil || len(path) < 2 || path[1] == "type" {
		return ""
	}
	if inner := at.fields[path[0]]; inner != nil && at.fields[path[1]] == nil {
		at = inner // the type nests its fields under its own name
	}
	for _, name := range path[1:] {
		for at.elem != nil {
			at = at.elem
		}
		if at = at.fields[name]; at == nil {
			return ""
		}
	}
	for at.elem != nil {
		at = at.elem
	}
	return at.rule()
}

// rule words what a value without parts must be.
func (n *node) rule() string {
	switch {
	case n.kind == object:
		return ""
	case n.kind == text && len(n.enum) > 0:
		return n.choice()
	case n.kind == text:
		return "text of at most 50,000 characters"
	case math.IsInf(n.min, -1):
		return n.kind.rule()
	case math.IsInf(n.max, 1):
		return fmt.Sprintf("%s that is not below %g", n.kind.rule(), n.min)
	}
	return fmt.Sprintf("%s from %g to %g", n.kind.rule(), n.min, n.max)
}
