package mapping

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml"
)

// shadow is a Field without its methods, for the encoders.
type shadow Field

// MarshalJSON writes the field with the digits of its literals.
func (f Field) MarshalJSON() ([]byte, error) {
	s := shadow(f)
	s.Value, s.DefaultValue = plain(s.Value), plain(s.DefaultValue)
	return json.Marshal(s)
}

// MarshalYAML writes the field with the digits of its literals.
func (f Field) MarshalYAML() (any, error) {
	s := shadow(f)
	s.Value, s.DefaultValue = yamlLiteral(s.Value), yamlLiteral(s.DefaultValue)
	if s.ValueMap != nil {
		s.ValueMap = make(map[string]any, len(f.ValueMap))
		for k, v := range f.ValueMap {
			s.ValueMap[k] = yamlLiteral(v)
		}
	}
	return s, nil
}

// MarshalYAML writes one path as text.
func (p Paths) MarshalYAML() (any, error) { return p.short(), nil }

// MarshalJSON writes one path as text.
func (p Paths) MarshalJSON() ([]byte, error) { return json.Marshal(p.short()) }

func (p Paths) short() any {
	if len(p) == 1 {
		return p[0]
	}
	return []string(p)
}

// digits is a number that YAML writes as it stands.
type digits string

// MarshalYAML writes the digits without quotes.
func (d digits) MarshalYAML() ([]byte, error) { return []byte(d), nil }

// yamlLiteral gives a literal in the form that the encoder writes without loss.
func yamlLiteral(v any) any {
	switch v := plain(v).(type) {
	case json.Number:
		return digits(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = yamlLiteral(e)
		}
		return out
	case map[string]any:
		out := make(yaml.MapSlice, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, yaml.MapItem{Key: k, Value: yamlLiteral(v[k])})
		}
		return out
	default:
		return v
	}
}

// plain turns a literal that a program made into the types of a decoded event.
// What has no place in JSON is nil.
func plain(v any) any {
	switch v := v.(type) {
	case nil, bool, string:
		return v
	case json.Number:
		if isNumber(string(v)) {
			return v
		}
		return nil
	case int:
		return json.Number(strconv.Itoa(v))
	case float64:
		if b, err := json.Marshal(v); err == nil {
			return json.Number(b)
		}
		return nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plain(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = plain(e)
		}
		return out
	}
	return plainOther(v)
}

// plainOther takes the way over JSON for the types of a program that are not
// common in literals.
func plainOther(v any) any {
	b, err := json.Marshal(v)
	if err != nil || !jsontext.Value(b).IsValid() {
		return nil
	}
	n, err := readJSON(b)
	if err != nil {
		return nil
	}
	return n.literal()
}

var (
	_ fmt.Stringer         = kind(0)
	_ json.Unmarshaler     = (*Mapping)(nil)
	_ yaml.NodeUnmarshaler = (*Mapping)(nil)
)
