package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/datafly/signal/event"
)

// A function is one that expressions may call. It never sees a clock, and
// charges for the work that it does.
type function struct {
	signature any // a pointer to a func, for the type check
	run       func(s *scope, args []any) (any, error)
}

// functions are all that expressions may call, beside those with a predicate.
var functions = map[string]function{
	"lines":     {new(func(...any) any), lines},
	"lineTotal": {new(func(list, price, quantity any) any), lineTotal},
	"lineCount": {new(func(list, quantity any) any), lineCount},
	"firstOf":   {new(func(...any) any), firstOf},
	"age":       {new(func(birthday, at any) any), age},
	"date":      {new(func(any) any), reading(asDate)},
	"isURL":     {new(func(any) bool), isAddress},
	"number":    {new(func(any) any), reading(asNumber)},
	"text":      {new(func(any) any), reading(asString)},
	"lower":     {new(func(any) any), reading(asLower)},
	"upper":     {new(func(any) any), reading(asUpper)},
	"trim":      {new(func(any) any), reading(trimmed)},
	"round":     {new(func(v any, digits ...int) any), roundBy(halfAway)},
	"floor":     {new(func(v any, digits ...int) any), roundBy(down)},
	"ceil":      {new(func(v any, digits ...int) any), roundBy(up)},
	"abs":       {new(func(any) any), abs},
	"min":       {new(func(...any) any), extreme(-1)},
	"max":       {new(func(...any) any), extreme(1)},
	"len":       {new(func(any) any), length},
	"first":     {new(func(any) any), edge(func(n int) int { return 0 })},
	"last":      {new(func(any) any), edge(func(n int) int { return n - 1 })},
	"split":     {new(func(text any, at string) any), split},
	"join":      {new(func(list any, between string) any), joinAll},
	"replace":   {new(func(text any, old, with string) any), replace},
}

// reading makes a function of a reading; nothing stays nothing.
func reading(read func(any) (any, string)) func(*scope, []any) (any, error) {
	return func(s *scope, args []any) (any, error) {
		if event.Empty(args[0]) {
			return nil, nil
		}
		v, problem := read(args[0])
		if problem != "" {
			return nil, errors.New("it read " + problem)
		}
		return v, s.charge(size(v))
	}
}

func trimmed(v any) (any, string) { return recased(v, strings.TrimSpace) }

func isAddress(s *scope, args []any) (any, error) {
	text, ok := args[0].(string)
	return ok && isURL(text), s.charge(len(text) / 64)
}

// lines gives the first list that has any lines, else the first list. An
// object counts as a list of one.
func lines(_ *scope, args []any) (any, error) {
	var empty any
	for _, a := range args {
		switch v := a.(type) {
		case []any:
			if len(v) > 0 {
				return v, nil
			}
			if empty == nil {
				empty = v
			}
		case map[string]any:
			return []any{v}, nil
		}
	}
	return empty, nil
}

// lineTotal adds up price × quantity exactly. A line without a price counts 0,
// one without a quantity counts once.
func lineTotal(s *scope, args []any) (any, error) {
	return overLines(s, args[0], func(line map[string]any, at int) (decimal, error) {
		price, err := lineNumber(line, args[1], at, 0)
		if err != nil {
			return decimal{}, err
		}
		quantity, err := lineNumber(line, args[2], at, 1)
		if err != nil {
			return decimal{}, err
		}
		return price.mul(quantity)
	})
}

// lineCount adds up the quantities. A line without one counts once.
func lineCount(s *scope, args []any) (any, error) {
	return overLines(s, args[0], func(line map[string]any, at int) (decimal, error) {
		return lineNumber(line, args[1], at, 1)
	})
}

func overLines(s *scope, list any, worth func(map[string]any, int) (decimal, error)) (any, error) {
	all, ok := list.([]any)
	if !ok {
		return nil, nil
	}
	total := whole(0)
	for i, l := range all {
		if err := s.charge(4); err != nil {
			return nil, err
		}
		line, ok := l.(map[string]any)
		if !ok {
			continue
		}
		d, err := worth(line, i)
		if err == nil {
			total, err = total.add(d)
		}
		if err != nil {
			return nil, err
		}
	}
	return total.number(), nil
}

// lineNumber reads a number of a line by one of its names.
func lineNumber(line map[string]any, names any, at int, missing int64) (decimal, error) {
	list, many := names.([]any)
	if !many {
		list = []any{names}
	}
	for _, name := range list {
		key, _ := name.(string)
		v := line[key]
		if event.Empty(v) {
			continue
		}
		n, problem := asNumber(v)
		if problem != "" {
			return decimal{}, fmt.Errorf("%s of line %d is %s", key, at+1, problem)
		}
		return parseDecimal(string(n.(json.Number)))
	}
	return whole(missing), nil
}

func firstOf(_ *scope, args []any) (any, error) {
	for _, a := range args {
		if !event.Empty(a) {
			return a, nil
		}
	}
	return nil, nil
}

// age gives {age, year, month, day} of a birthday, in whole years at a date.
func age(_ *scope, args []any) (any, error) {
	if event.Empty(args[0]) || event.Empty(args[1]) {
		return nil, nil
	}
	year, month, day, problem := calendar(args[0])
	if problem != "" {
		return nil, errors.New("the birthday is " + problem)
	}
	y, m, d, problem := calendar(args[1])
	if problem != "" {
		return nil, errors.New("the day to count to is " + problem)
	}
	years := y - year
	if m < month || m == month && d < day {
		years--
	}
	if years < 0 {
		return nil, errors.New("the birthday is in the future")
	}
	return map[string]any{"age": integer(years), "year": integer(year), "month": integer(month), "day": integer(day)}, nil
}

func roundBy(how rounding) func(*scope, []any) (any, error) {
	return func(s *scope, args []any) (any, error) {
		if event.Empty(args[0]) {
			return nil, nil
		}
		d, err := operand(args[0])
		if err != nil {
			return nil, err
		}
		places := 0
		if len(args) > 1 {
			var ok bool
			if places, ok = digitCount(args[1]); !ok {
				return nil, errors.New("the number of digits must be from 0 to 16")
			}
		}
		return d.round(places, how).number(), s.charge(1)
	}
}

func digitCount(v any) (int, bool) {
	d, ok := decimalOf(v)
	if d = d.trimmed(); !ok || d.scale > 0 || !d.big().IsInt64() {
		return 0, false
	}
	n := d.big().Int64()
	return int(n), n >= 0 && n <= quotientDot
}

func abs(s *scope, args []any) (any, error) {
	if event.Empty(args[0]) {
		return nil, nil
	}
	d, err := operand(args[0])
	if err != nil {
		return nil, err
	}
	if d.sign() < 0 {
		d = d.neg()
	}
	return d.number(), s.charge(1)
}

// extreme gives the least or greatest number of the arguments, or of one list.
func extreme(sign int) func(*scope, []any) (any, error) {
	return func(s *scope, args []any) (any, error) {
		if len(args) == 1 {
			if list, ok := args[0].([]any); ok {
				args = list
			}
		}
		var best *decimal
		for _, a := range args {
			if err := s.charge(2); err != nil {
				return nil, err
			}
			if event.Empty(a) {
				continue
			}
			d, err := operand(a)
			if err != nil {
				return nil, err
			}
			if best == nil || d.cmp(*best)*sign > 0 {
				best = &d
			}
		}
		if best == nil {
			return nil, nil
		}
		return best.number(), nil
	}
}

func length(s *scope, args []any) (any, error) {
	switch v := args[0].(type) {
	case nil:
		return integer(0), nil
	case string:
		return integer(utf8.RuneCountInString(v)), s.charge(len(v) / 64)
	case []any:
		return integer(len(v)), nil
	case map[string]any:
		return integer(len(v)), nil
	}
	return nil, fmt.Errorf("%s has no length", kindOf(args[0]))
}

func edge(at func(int) int) func(*scope, []any) (any, error) {
	return func(_ *scope, args []any) (any, error) {
		list, ok := args[0].([]any)
		switch {
		case ok && len(list) > 0:
			return list[at(len(list))], nil
		case ok || args[0] == nil:
			return nil, nil
		}
		return nil, fmt.Errorf("first and last need a list, this is %s", kindOf(args[0]))
	}
}

func split(s *scope, args []any) (any, error) {
	if event.Empty(args[0]) {
		return nil, nil
	}
	text, problem := asString(args[0])
	at, _ := args[1].(string)
	if problem != "" || at == "" {
		return nil, errors.New("split needs a text and what stands between its parts")
	}
	if err := s.charge(1 + len(text.(string))/8); err != nil {
		return nil, err
	}
	var out []any
	for part := range strings.SplitSeq(text.(string), at) {
		out = append(out, part)
	}
	return out, nil
}

// joinAll joins what is there of a list.
func joinAll(s *scope, args []any) (any, error) {
	list, ok := args[0].([]any)
	if !ok {
		if args[0] == nil {
			return nil, nil
		}
		return nil, fmt.Errorf("join needs a list, this is %s", kindOf(args[0]))
	}
	between, _ := args[1].(string)
	var b strings.Builder
	if err := s.charge(len(list)); err != nil {
		return nil, err
	}
	for _, v := range list {
		if event.Empty(v) {
			continue
		}
		text, problem := asString(v)
		if problem != "" {
			return nil, errors.New("join read " + problem)
		}
		if b.Len() > 0 {
			b.WriteString(between)
		}
		b.WriteString(text.(string))
		if b.Len() > maxText {
			return nil, errLong
		}
	}
	return b.String(), s.charge(b.Len() / 64)
}

func replace(s *scope, args []any) (any, error) {
	if event.Empty(args[0]) {
		return nil, nil
	}
	text, problem := asString(args[0])
	old, _ := args[1].(string)
	with, _ := args[2].(string)
	if problem != "" || old == "" {
		return nil, errors.New("replace needs a text, what to look for and what to put there")
	}
	t := text.(string)
	n := strings.Count(t, old)
	if len(t)+n*(len(with)-len(old)) > maxText {
		return nil, errLong
	}
	return strings.ReplaceAll(t, old, with), s.charge(1 + len(t)/16)
}
