package lpsim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A faultField is a field of a Fault as people write it. set says what is wrong
// with a value, "" for nothing.
type faultField struct {
	name string
	text bool // whether a bare word or number in a list of name=value is a text
	set  func(f *Fault, n node) string
}

var faultFields = []faultField{
	{"status", false, oneNumber(func(f *Fault, n int) { f.Status = n })},
	{"code", false, oneNumber(func(f *Fault, n int) { f.Code = &n })},
	{"message", true, oneText(func(f *Fault, s string) { f.Message = s })},
	{"retry_after", true, func(f *Fault, n node) string {
		if n.kind == '0' {
			n = node{kind: '"', text: string(n.raw)}
		}
		return oneText(func(f *Fault, s string) { f.RetryAfter = s })(f, n)
	}},
	{"redirect", true, oneText(func(f *Fault, s string) { f.Redirect = s })},
	{"body", true, oneText(func(f *Fault, s string) { f.Body = s })},
	{"delay_ms", false, oneNumber(func(f *Fault, n int) { f.DelayMS = n })},
	{"reset", false, func(f *Fault, n node) string {
		if n.kind == '"' && oneOf(n.text, "before", "after") {
			f.Reset, f.When = true, n.text
			return ""
		}
		if oneFlag(func(f *Fault) { f.Reset = true })(f, n) != "" {
			return fmt.Sprintf(`want true, "before" or "after", got %s`, n.describe())
		}
		return ""
	}},
	{"truncate", false, oneFlag(func(f *Fault) { f.Truncate = true })},
	{"when", true, oneText(func(f *Fault, s string) { f.When = s })},
	{"cold", false, oneNumber(func(f *Fault, n int) { f.Cold = n })},
	{"expire", false, oneFlag(func(f *Fault) { f.Expire = true })},
	{"dialect", true, oneText(func(f *Fault, s string) { f.Dialect = s })},
	{"host", true, oneText(func(f *Fault, s string) { f.Host = s })},
	{"count", false, oneNumber(func(f *Fault, n int) { f.Count = n })},
	{"rate", false, func(f *Fault, n node) string {
		share, ok := n.number()
		if !ok || share <= 0 {
			return "want a share above 0 and up to 1, such as 0.05, got " + n.describe()
		}
		f.Rate = share
		return ""
	}},
	{"percent", false, oneNumber(func(f *Fault, n int) { f.Percent = n })},
	{"seed", false, func(f *Fault, n node) string {
		v, ok := n.integer()
		if !ok || v < 1 || v > 1<<53 {
			return "want a whole number of 1 and more, got " + n.describe()
		}
		f.Seed = uint64(v)
		return ""
	}},
	{"sub", true, oneText(func(f *Fault, s string) { f.Sub = s })},
	{"account", true, oneText(func(f *Fault, s string) { f.Account = s })},
	{"path", true, oneText(func(f *Fault, s string) { f.Path = s })},
	{"sde", true, oneText(func(f *Fault, s string) { f.SDE = s })},
	{"match", true, oneText(func(f *Fault, s string) { f.Match = s })},
	{"id", false, oneNumber(func(f *Fault, n int) { f.ID = n })},
	{"hit", false, oneNumber(func(f *Fault, n int) { f.Hit = n })},
	{"left", false, oneNumber(func(f *Fault, n int) { f.Left = n })},
	{"what", true, oneText(func(f *Fault, s string) { f.What = s })},
}

func oneNumber(put func(*Fault, int)) func(*Fault, node) string {
	return func(f *Fault, n node) string {
		v, ok := n.integer()
		if !ok || v < -1<<53 || v > 1<<53 {
			return "want a whole number, got " + n.describe()
		}
		put(f, int(v))
		return ""
	}
}

func oneText(put func(*Fault, string)) func(*Fault, node) string {
	return func(f *Fault, n node) string {
		if n.kind != '"' {
			return "want a text, got " + n.describe()
		}
		put(f, n.text)
		return ""
	}
}

// oneFlag takes true; false is as if it were left out.
func oneFlag(put func(*Fault)) func(*Fault, node) string {
	return func(f *Fault, n node) string {
		switch n.kind {
		case 't':
			put(f)
			return ""
		case 'f':
			return ""
		default:
			return "want true or false, got " + n.describe()
		}
	}
}

// describe names a value in an error, and shows it if it is short.
func (n node) describe() string {
	if len(n.raw) > 0 && len(n.raw) <= 40 {
		return string(n.raw)
	}
	return map[byte]string{'{': "an object", '[': "a list", '"': "a long text", '0': "a long number"}[n.kind]
}

// readFault reads a fault from one JSON object. Its error joins a *faultError
// for each field that is wrong, unless it is no such object at all.
func readFault(body []byte) (Fault, error) {
	doc, ok := parse(body)
	if !ok {
		return Fault{}, errors.New(`a fault is one JSON object such as {"status":503,"count":20}`)
	}
	var f Fault
	var errs []error
	for _, m := range doc.members {
		at := slices.IndexFunc(faultFields, func(field faultField) bool { return field.name == m.name })
		switch {
		case at < 0:
			errs = append(errs, &faultError{m.name, "there is no such field: use " + faultNames()})
		case m.value.kind == 'n': // as if it were left out
		default:
			if why := faultFields[at].set(&f, m.value); why != "" {
				errs = append(errs, &faultError{m.name, why})
			}
		}
	}
	if len(errs) > 0 {
		return Fault{}, errors.Join(errs...)
	}
	return f, f.check()
}

// faultNames lists the fields that people write.
func faultNames() string {
	var names []string
	for _, field := range faultFields {
		if !oneOf(field.name, "id", "hit", "left", "what") {
			names = append(names, field.name)
		}
	}
	return strings.Join(names, ", ")
}

// ParseFault reads a fault as people write it: a JSON object as for
// POST /_sim/faults, or a list such as status=503,rate=0.05 or reset=after. A
// name alone means true. Its error names each field that is wrong.
func ParseFault(text string) (Fault, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		return readFault([]byte(text))
	}
	body := []byte{'{'}
	for part := range strings.SplitSeq(text, ",") {
		name, value, given := strings.Cut(strings.TrimSpace(part), "=")
		if name == "" {
			return Fault{}, errors.New("a fault is a list such as status=503,rate=0.05, or a JSON object")
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = append(quote(body, name), ':')
		switch at := slices.IndexFunc(faultFields, func(f faultField) bool { return f.name == name }); {
		case !given:
			body = append(body, "true"...)
		case at >= 0 && !faultFields[at].text && isValue(value):
			body = append(body, value...)
		default:
			body = quote(body, value)
		}
	}
	body = append(body, '}')
	if _, ok := parse(body); !ok {
		return Fault{}, errors.New("a fault names each field once")
	}
	return readFault(body)
}

// isValue says whether a word stands in JSON as it is: a number, true or false.
func isValue(s string) bool {
	n, ok := parse([]byte(`{"v":` + s + `}`))
	return ok && len(n.members) == 1 && oneOf(string(n.members[0].value.kind), "0", "t", "f")
}
