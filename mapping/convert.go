package mapping

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// readings are what `as` may say. Each gives the value, or a few words on what
// was there instead.
var readings = map[string]func(v any) (any, string){
	"string":  asString,
	"number":  asNumber,
	"integer": asInteger,
	"boolean": asBoolean,
	"date":    asDate,
	"lower":   asLower,
	"upper":   asUpper,
	"url":     asURL,
}

// readingNames are in the order in which the documentation has them.
var readingNames = []string{"string", "number", "integer", "boolean", "date", "lower", "upper", "url"}

// asString gives text as it is and numbers by their digits.
func asString(v any) (any, string) {
	switch v := v.(type) {
	case string:
		return v, ""
	case json.Number:
		return string(v), ""
	case bool:
		return strconv.FormatBool(v), ""
	}
	return nil, kindOf(v) + ", not text"
}

// asNumber keeps the digits. Text counts when it is a number and nothing else;
// what a comma in it means is not guessed.
func asNumber(v any) (any, string) {
	switch n := v.(type) {
	case json.Number:
		return v, ""
	case string:
		s := strings.TrimSpace(n)
		if isNumber(s) && inRange(s) {
			return json.Number(s), ""
		}
		return nil, "text that is not a number"
	}
	return nil, kindOf(v) + ", not a number"
}

// inRange reports whether a number is within a double, as an event's must be.
func inRange(s string) bool {
	if len(s) <= 15 && !strings.ContainsAny(s, "eE") {
		return true
	}
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && !math.IsInf(f, 0)
}

func asInteger(v any) (any, string) {
	n, problem := asNumber(v)
	if problem != "" {
		return nil, strings.Replace(problem, "a number", "a whole number", 1)
	}
	s := string(n.(json.Number))
	if s != "-0" && !strings.ContainsAny(s, ".eE") {
		return n, ""
	}
	d, err := parseDecimal(s)
	if err != nil {
		return nil, "a number with too many digits"
	}
	if d = d.trimmed(); d.scale > 0 {
		return nil, "a number with a fraction, not a whole number"
	}
	return d.number(), ""
}

func asBoolean(v any) (any, string) {
	switch b := v.(type) {
	case bool:
		return v, ""
	case json.Number:
		if b == "0" || b == "1" {
			return b == "1", ""
		}
	case string:
		switch strings.ToLower(strings.TrimSpace(b)) {
		case "true", "yes", "1":
			return true, ""
		case "false", "no", "0":
			return false, ""
		}
	}
	return nil, kindOf(v) + ", not true or false"
}

func asLower(v any) (any, string) { return recased(v, strings.ToLower) }
func asUpper(v any) (any, string) { return recased(v, strings.ToUpper) }

func recased(v any, to func(string) string) (any, string) {
	s, problem := asString(v)
	if problem != "" {
		return nil, problem
	}
	return to(s.(string)), ""
}

// asURL takes absolute addresses of pages only.
func asURL(v any) (any, string) {
	s, ok := v.(string)
	if !ok {
		return nil, kindOf(v) + ", not a web address"
	}
	if !isURL(s) {
		return nil, "text that is not an absolute web address (https://…)"
	}
	return v, ""
}

// isURL reports whether s is an absolute http or https address with a host.
func isURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "http://"); !ok {
			return false
		}
	}
	for _, r := range rest {
		if r <= ' ' || r == 0x7f || r == '\\' || r == '<' || r == '>' || r == '"' {
			return false
		}
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	host := rest[strings.LastIndexByte(rest, '@')+1:]
	return host != "" && host[0] != ':' && host[0] != '.'
}

// asDate gives {day, month, year}: of the calendar where it was written for a
// time with a zone, of UTC for seconds or milliseconds since 1970.
func asDate(v any) (any, string) {
	y, m, d, problem := calendar(v)
	if problem != "" {
		return nil, problem
	}
	return map[string]any{"day": integer(d), "month": integer(m), "year": integer(y)}, ""
}

func integer(n int) json.Number { return json.Number(strconv.Itoa(n)) }

// calendar reads a date from text by ISO 8601, from a number of seconds or
// milliseconds, or from an object with day, month and year.
func calendar(v any) (year, month, day int, problem string) {
	switch v := v.(type) {
	case string:
		if isNumber(v) {
			return calendar(json.Number(v))
		}
		for _, layout := range []string{"2006-01-02", time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04"} {
			if t, err := time.Parse(layout, v); err == nil {
				return checkDate(t)
			}
		}
		return 0, 0, 0, "text that is not a date such as 2026-02-25"
	case json.Number:
		switch n, err := v.Int64(); {
		case err == nil && len(v) >= 9 && len(v) <= 10:
			return checkDate(time.Unix(n, 0).UTC())
		case err == nil && len(v) >= 12 && len(v) <= 13:
			return checkDate(time.UnixMilli(n).UTC())
		}
		return 0, 0, 0, "a number that is not seconds or milliseconds since 1970"
	case map[string]any:
		y, okY := small(v["year"])
		m, okM := small(v["month"])
		d, okD := small(v["day"])
		t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
		if okY && okM && okD && t.Day() == d && int(t.Month()) == m {
			return checkDate(t)
		}
		return 0, 0, 0, "an object that is not a date with day, month and year"
	}
	return 0, 0, 0, kindOf(v) + ", not a date"
}

func checkDate(t time.Time) (year, month, day int, problem string) {
	if t.Year() < 1900 || t.Year() > 2100 {
		return 0, 0, 0, "a date outside the years 1900 to 2100"
	}
	return t.Year(), int(t.Month()), t.Day(), ""
}

func small(v any) (int, bool) {
	n, problem := asInteger(v)
	if problem != "" {
		return 0, false
	}
	i, err := strconv.Atoi(string(n.(json.Number)))
	return i, err == nil && i > 0 && i < 10_000
}

// kindOf words what a value is, never what it says: reasons are kept and
// counted, and events hold what is private.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	case string:
		return "text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a value of another kind"
}

// maxValueDepth bounds objects and lists that are copied whole, so that the
// payload stays within the limits of an event.
const maxValueDepth = 12

// copyable reports whether a value may be written as it stands.
func copyable(v any, depth int) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			if depth >= maxValueDepth || !copyable(e, depth+1) {
				return false
			}
		}
	case []any:
		for _, e := range v {
			if depth >= maxValueDepth || !copyable(e, depth+1) {
				return false
			}
		}
	}
	return true
}

// appendValue writes a value of a decoded event as JSON: numbers as they
// stand, objects in order of their keys, nulls left out.
func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		dst, _ = jsontext.AppendQuote(dst, v) // what is not UTF-8 becomes U+FFFD
		return dst
	case json.Number:
		return append(dst, v...)
	case bool:
		return strconv.AppendBool(dst, v)
	case []any:
		dst = append(dst, '[')
		start := len(dst)
		for _, e := range v {
			if e == nil {
				continue
			}
			if len(dst) > start {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, e)
		}
		return append(dst, ']')
	case map[string]any:
		return appendObject(dst, v)
	}
	return append(dst, '"', '"') // no other kind comes this far
}

func appendObject(dst []byte, v map[string]any) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for _, k := range slices.Sorted(maps.Keys(v)) {
		if v[k] == nil {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst, _ = jsontext.AppendQuote(dst, k)
		dst = append(dst, ':')
		dst = appendValue(dst, v[k])
	}
	return append(dst, '}')
}
