package integrations

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A SettingFault is what is wrong with one setting. Vendor.Check joins them, so
// that a form shows each at its field (errors.As on the parts of the join).
type SettingFault struct {
	Setting string // its name, as in signal.yaml
	Message string // what is wrong and how it should look, without the name
}

// Error gives the fault with the name of its setting in front.
func (f *SettingFault) Error() string { return f.Setting + ": " + f.Message }

// A SettingReader reads the settings of one integration by name, as YAML or
// JSON gave them, and gathers what is wrong with them. Its sentences never
// repeat a value, which may be a secret. It is for one goroutine.
type SettingReader struct {
	Values map[string]any
	faults []error
}

// Fault notes what is wrong with a setting, without its name in front.
func (r *SettingReader) Fault(name, format string, args ...any) {
	r.faults = append(r.faults, &SettingFault{Setting: name, Message: fmt.Sprintf(format, args...)})
}

// Err joins the faults; nil when there are none.
func (r *SettingReader) Err() error { return errors.Join(r.faults...) }

// Required reads text that must be there, and what it is if not. It reports
// false when there is nothing more to check.
func (r *SettingReader) Required(name, what string) (string, bool) {
	s, ok := TextOf(r.Values[name])
	switch {
	case !ok && r.Values[name] != nil:
		r.Fault(name, "must be text, got %s", KindOf(r.Values[name]))
	case strings.TrimSpace(s) == "":
		r.Fault(name, "is required: %s", what)
	default:
		return strings.TrimSpace(s), true
	}
	return "", false
}

// Text reads text that is not empty.
func (r *SettingReader) Text(name, otherwise string) string {
	v := r.Values[name]
	if v == nil {
		return otherwise
	}
	s, ok := v.(string)
	if !ok || strings.TrimSpace(s) == "" {
		r.Fault(name, "must be text that is not empty; leave it out for %q", otherwise)
		return otherwise
	}
	return s
}

// Choice reads one of a few words; the first is the default.
func (r *SettingReader) Choice(name string, words ...string) string {
	v := r.Values[name]
	if v == nil {
		return words[0]
	}
	if s, _ := v.(string); slices.Contains(words, s) {
		return s
	}
	r.Fault(name, "must be %s or %s", strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
	return words[0]
}

// Flag reads true or false.
func (r *SettingReader) Flag(name string, otherwise bool) bool {
	v := r.Values[name]
	if v == nil {
		return otherwise
	}
	b, ok := v.(bool)
	if !ok {
		r.Fault(name, "must be true or false, got %s", KindOf(v))
		return otherwise
	}
	return b
}

// Number reads a number above 0.
func (r *SettingReader) Number(name string, otherwise, most float64) float64 {
	v := r.Values[name]
	if v == nil {
		return otherwise
	}
	n, ok := numberOf(v)
	if !ok || !(n > 0 && n <= most) {
		r.Fault(name, "must be a number above 0 and at most %.0f", most)
		return otherwise
	}
	return n
}

// Whole reads a whole number from 1.
func (r *SettingReader) Whole(name string, otherwise, most int) int {
	v := r.Values[name]
	if v == nil {
		return otherwise
	}
	n, ok := numberOf(v)
	if !ok || !(n >= 1 && n <= float64(most)) || n != math.Trunc(n) {
		r.Fault(name, "must be a whole number from 1 to %d", most)
		return otherwise
	}
	return int(n)
}

// Duration reads a time in Go's form, such as 10s.
func (r *SettingReader) Duration(name string, otherwise, least, most time.Duration) time.Duration {
	v := r.Values[name]
	if v == nil {
		return otherwise
	}
	s, _ := v.(string)
	d, err := time.ParseDuration(s)
	if err != nil || d < least || d > most {
		r.Fault(name, "must be a time from %g s to %g s with its unit, such as 10s", least.Seconds(), most.Seconds())
		return otherwise
	}
	return d
}

// Unknown refuses names of values that are none of known, in the order of the
// alphabet. prefix stands before each name, owner is whose settings they are,
// and nearest gives the known name that another is a slip of, or "".
func (r *SettingReader) Unknown(prefix string, values map[string]any, owner string, known []string, nearest func(string, []string) string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if slices.Contains(known, name) {
			continue
		}
		if near := nearest(name, known); near != "" {
			r.Fault(prefix+name, "is not a setting of %s; did you mean %s?", owner, prefix+near)
			continue
		}
		r.Fault(prefix+name, "is not a setting of %s; there are %s", owner, strings.Join(known, ", "))
	}
}

// TextOf reads text. What YAML or JSON took for a whole number, such as an id,
// is text.
func TextOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case int, int64, uint64:
		return fmt.Sprint(v), true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatFloat(v, 'f', 0, 64), true
		}
	}
	return "", false
}

func numberOf(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case json.Number:
		n, err := v.Float64()
		return n, err == nil
	}
	return 0, false
}

// KindOf names what a value is, for a person.
func KindOf(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	if _, ok := numberOf(v); ok {
		return "a number"
	}
	return "something else"
}
