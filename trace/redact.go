package trace

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datafly/signal/event"
)

// Hidden stands in the place of each value that a role may not see.
const Hidden = "•••• hidden by role"

// hiddenParam is short and has no blank, to stand in an address.
const hiddenParam = "••••"

// A Mask hides secrets and personal data from people who may see how events
// fare but not whom they are about. It goes by the names of fields, by what
// looks like an e-mail address, and by the values it was told of. It is safe
// for many goroutines.
type Mask struct {
	values []string
}

// NewMask gives a mask that also hides the given values wherever they stand
// alone, such as a userId that a mapping put in another field.
func NewMask(values ...string) Mask {
	var m Mask
	for _, v := range values {
		if v != "" && v != Hidden {
			m.values = append(m.values, v)
		}
	}
	return m
}

// JSON gives b with its personal values hidden: same keys, same order, same
// lists, digits as they were. What is not JSON is hidden whole. Nothing stays
// nothing.
func (m Mask) JSON(b json.RawMessage) json.RawMessage {
	if len(bytes.TrimSpace(b)) == 0 {
		return b
	}
	if jsontext.Value(b).IsValid() {
		if out, err := m.value(nil, jsontext.Value(b), false); err == nil {
			return json.RawMessage(out)
		}
	}
	return json.RawMessage(`"` + Hidden + `"`)
}

// value appends v to dst, with every leaf hidden when hide is set.
func (m Mask) value(dst []byte, v jsontext.Value, hide bool) ([]byte, error) {
	switch v.Kind() {
	case '{':
		return m.object(dst, v, hide)
	case '[':
		return m.list(dst, v, hide)
	case '"':
		if hide {
			return append(dst, `"`+Hidden+`"`...), nil
		}
		text, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return nil, err
		}
		if masked := m.Text(string(text)); masked != string(text) {
			return jsontext.AppendQuote(dst, masked)
		}
	case 'n': // that nothing is known is no secret
	default:
		if hide || slices.Contains(m.values, string(v)) {
			return append(dst, `"`+Hidden+`"`...), nil
		}
	}
	return append(dst, bytes.TrimSpace(v)...), nil
}

type member struct {
	name  string
	value jsontext.Value
}

func (m Mask) object(dst []byte, v jsontext.Value, hide bool) ([]byte, error) {
	members, err := membersOf(v)
	if err != nil {
		return nil, err
	}
	person := ofPerson(members)
	dst = append(dst, '{')
	for i, mb := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = jsontext.AppendQuote(dst, mb.name); err != nil {
			return nil, err
		}
		dst = append(dst, ':')
		below := hide || personal(mb.name) || person && event.FoldName(mb.name) == "name"
		if dst, err = m.value(dst, mb.value, below); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func (m Mask) list(dst []byte, v jsontext.Value, hide bool) ([]byte, error) {
	d := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	dst = append(dst, '[')
	for n := 0; d.PeekKind() != ']'; n++ {
		e, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		if dst, err = m.value(dst, e, hide); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func membersOf(v jsontext.Value) ([]member, error) {
	d := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	var out []member
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		mb := member{name: name.String()}
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		mb.value = value.Clone()
		out = append(out, mb)
	}
	return out, nil
}

// ofPerson tells the name of a person from that of a product or a campaign: it
// stands beside an e-mail address, a phone number or the like.
func ofPerson(members []member) bool {
	return slices.ContainsFunc(members, func(m member) bool { return personal(m.name) })
}

// Names of fields, folded, whose value and all below it is personal or secret.
var personalNames = set(
	"traits", "personal", "info", "contact", "contacts", "customer", "person", "address", "addresses",
	"userid", "customerid", "consumeruserid", "socialid", "imei", "uid",
	"firstname", "lastname", "middlename", "fullname", "surname", "givenname", "familyname", "maidenname",
	"username", "nickname", "displayname", "contactname", "customername", "accountname", "fname", "lname",
	"phone", "mobile", "tel", "telephone", "fax", "msisdn",
	"street", "street1", "street2", "line1", "line2", "zip", "zipcode", "postcode", "postalcode", "postal",
	"birthday", "birthdate", "dateofbirth", "dob", "age", "gender",
	"ip", "ipaddr", "clientip", "remoteaddr", "latitude", "longitude", "lat", "lng", "lon",
	"iban", "ssn", "taxid", "passport", "cardnumber", "creditcard", "cvv", "cvc",
	"authorization", "cookie", "setcookie", "jwt", "apikey", "signature", "auth", "pwd", "otp",
)

// Parts that make any name personal or secret: "billing_address", "user_token".
var personalParts = []string{"email", "phone", "password", "passwd", "secret", "token", "apikey", "authorization",
	"cookie", "address", "firstname", "lastname"}

func set(names ...string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out
}

func personal(name string) bool {
	name = event.FoldName(name)
	return personalNames[name] || slices.ContainsFunc(personalParts, func(p string) bool { return strings.Contains(name, p) })
}

var (
	mail  = regexp.MustCompile(`(?i)[a-z0-9._%+'-]+(?:@|%40)[a-z0-9-]+(?:\.[a-z0-9-]+)+`)
	param = regexp.MustCompile(`([?&;#])([A-Za-z0-9_.\-]+)=([^&;#\s]+)`)
)

// Text gives s with e-mail addresses and personal parameters of addresses
// hidden, and whole when it is a value that the mask was told of.
func (m Mask) Text(s string) string {
	if slices.Contains(m.values, s) {
		return Hidden
	}
	if strings.ContainsAny(s, "?&;#") {
		s = param.ReplaceAllStringFunc(s, func(p string) string {
			name, _, _ := strings.Cut(p[1:], "=")
			if !personal(name) {
				return p
			}
			return p[:1] + name + "=" + hiddenParam
		})
	}
	if strings.Contains(s, "@") || strings.Contains(s, "%40") {
		s = mail.ReplaceAllString(s, Hidden)
	}
	return s
}

// body is for what may be JSON or a page of a proxy.
func (m Mask) body(s string) string {
	if jsontext.Value(s).IsValid() {
		return string(m.JSON(json.RawMessage(s)))
	}
	return m.Text(s)
}

func (m Mask) header(h map[string]string) map[string]string {
	if h == nil {
		return nil
	}
	out := make(map[string]string, len(h))
	for k, v := range h {
		if personal(http.CanonicalHeaderKey(k)) {
			v = Hidden
		}
		out[k] = m.Text(v)
	}
	return out
}

// Masked gives a copy of the row for people who may not see personal data.
// The anonymousId stays: it names no person and is what links a visitor's rows.
func (s Summary) Masked() Summary {
	m := NewMask(s.UserID)
	if s.UserID != "" {
		s.UserID = Hidden
	}
	s.Text, s.Reason = m.Text(s.Text), m.Text(s.Reason)
	s.Ends = slices.Clone(s.Ends)
	for i := range s.Ends {
		s.Ends[i].Text, s.Ends[i].Reason = m.Text(s.Ends[i].Text), m.Text(s.Ends[i].Reason)
	}
	return s
}

// Masked gives a copy of the record for people who may not see personal data.
// values are further ones to hide; those that the record itself names as
// personal are known to it.
func (r Record) Masked(values ...string) Record {
	if r.Arrival != nil {
		a := r.Arrival.masked(NewMask(append(slices.Clone(values), r.Arrival.UserID, r.Arrival.IP)...))
		r.Arrival = &a
	}
	if r.Step != nil {
		s := r.Step.masked(NewMask(append(slices.Clone(values), r.Step.Of.UserID)...))
		r.Step = &s
	}
	return r
}

func (a Arrival) masked(m Mask) Arrival {
	a.UserID, a.IP = hide(a.UserID), hide(a.IP)
	a.Body = m.JSON(a.Body)
	a.Routes = slices.Clone(a.Routes)
	for i := range a.Routes {
		r := &a.Routes[i]
		r.Reason = m.Text(r.Reason)
		r.Payload = m.JSON(r.Payload)
		r.Explain = m.explain(r.Explain)
		r.Faults = m.texts(r.Faults)
	}
	return a
}

func (s Step) masked(m Mask) Step {
	s.Of.UserID = hide(s.Of.UserID)
	s.Reason, s.Remedy, s.Summary, s.URL = m.Text(s.Reason), m.Text(s.Remedy), m.Text(s.Summary), m.Text(s.URL)
	s.Header, s.AHead = m.header(s.Header), m.header(s.AHead)
	s.Body = m.JSON(s.Body)
	s.Answer = m.body(s.Answer)
	s.Notes = m.texts(s.Notes)
	return s
}

// explain hides the values of a list of {target, source, value} whose target
// or source is personal by any step of its path.
func (m Mask) explain(b json.RawMessage) json.RawMessage {
	var list []struct {
		Target string          `json:"target"`
		Source string          `json:"source,omitempty"`
		Value  json.RawMessage `json:"value,omitempty"`
	}
	if len(b) == 0 {
		return b
	}
	if json.Unmarshal(b, &list) != nil {
		return m.JSON(b)
	}
	for i := range list {
		if personalPath(list[i].Target) || personalPath(list[i].Source) {
			list[i].Value = json.RawMessage(`"` + Hidden + `"`)
		} else {
			list[i].Value = m.JSON(list[i].Value)
		}
	}
	out, err := json.Marshal(list)
	if err != nil {
		return m.JSON(b)
	}
	return out
}

func personalPath(path string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".[]", r) }), personal)
}

func (m Mask) texts(in []string) []string {
	out := slices.Clone(in)
	for i := range out {
		out[i] = m.Text(out[i])
	}
	return out
}

func hide(s string) string {
	if s == "" {
		return ""
	}
	return Hidden
}
