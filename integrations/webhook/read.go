package webhook

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/datafly/signal/integrations"
)

// reader reads settings by name and gathers what is wrong with them. Its
// sentences never repeat a value, which may be a secret.
type reader struct {
	values map[string]any
	faults []error
}

func (r *reader) fault(name, format string, args ...any) {
	r.faults = append(r.faults, &integrations.SettingFault{Setting: name, Message: fmt.Sprintf(format, args...)})
}

// secret reads a value that is never shown. One that still names a place was
// put in without reading that place, and must not be sent.
func (r *reader) secret(name string, v any) Secret {
	s, ok := textOf(v)
	switch {
	case v == nil:
	case !ok:
		r.fault(name, "must be text, got %s", kindOf(v))
	case s == "":
		r.fault(name, "is empty; write env:NAME or file:PATH, or leave it out")
	case strings.HasPrefix(s, "env:"), strings.HasPrefix(s, "file:"):
		r.fault(name, "names a place that Signal did not read; env:NAME and file:PATH work in signal.yaml, elsewhere write the value itself")
	}
	return Secret(s)
}

// choice reads one of a few words; the first is the default.
func (r *reader) choice(name string, words ...string) string {
	v := r.values[name]
	if v == nil {
		return words[0]
	}
	if s, _ := v.(string); slices.Contains(words, s) {
		return s
	}
	r.fault(name, "must be %s or %s", strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
	return words[0]
}

// duration reads Go's form, such as 10s.
func (r *reader) duration(name string, otherwise, least, most time.Duration) time.Duration {
	v := r.values[name]
	if v == nil {
		return otherwise
	}
	s, _ := v.(string)
	d, err := time.ParseDuration(s)
	if err != nil || d < least || d > most {
		r.fault(name, "must be a time from %g s to %g s with its unit, such as 10s", least.Seconds(), most.Seconds())
		return otherwise
	}
	return d
}

func (r *reader) number(name string, otherwise, most float64) float64 {
	v := r.values[name]
	if v == nil {
		return otherwise
	}
	n, ok := numberOf(v)
	if !ok || !(n > 0 && n <= most) {
		r.fault(name, "must be a number above 0 and at most %.0f", most)
		return otherwise
	}
	return n
}

func (r *reader) whole(name string, otherwise, most int) int {
	v := r.values[name]
	if v == nil {
		return otherwise
	}
	n, ok := numberOf(v)
	if !ok || !(n >= 1 && n <= float64(most)) || n != math.Trunc(n) {
		r.fault(name, "must be a whole number from 1 to %d", most)
		return otherwise
	}
	return int(n)
}

// textOf reads text. What YAML or JSON took for a whole number is text.
func textOf(v any) (string, bool) {
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

// kindOf names what a value is, for a person.
func kindOf(v any) string {
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
