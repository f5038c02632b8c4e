package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Head is what the gateway needs of an event before it is stored.
type Head struct {
	Type        Type
	Name        string
	MessageID   string // "" when the client sent none
	AnonymousID string // "" when the client sent none
	UserID      string
	SentAt      time.Time
	WriteKey    string // of clients that put the key in the body
}

// Admit checks the bytes of one event against the limits and reads its head.
// byPath is the type that the address names, or "" where it names none; the
// event may leave its type out only where the address names it.
//
// The error wraps ErrJSON when the bytes are no JSON that Signal takes, and is
// an Invalid when fields are wrong. The size is the caller's to check.
func Admit(raw []byte, byPath Type) (Head, error) {
	r := newReader(raw)
	defer r.release()
	fields, err := r.object()
	if err != nil {
		return Head{}, err
	}
	return readHead(fields, byPath)
}

// headFields are the top-level fields whose values Admit looks at.
var headFields = map[string]bool{
	"type": true, "event": true, "messageId": true, "anonymousId": true, "userId": true,
	"timestamp": true, "sentAt": true, "writeKey": true,
	"properties": true, "traits": true, "context": true,
}

// value is a top-level value as Admit keeps it: a scalar, or the kind of a
// nested one.
type value struct {
	kind jsontext.Kind
	text string // of a string or number
}

func readHead(fields map[string]value, byPath Type) (Head, error) {
	var h Head
	var bad Invalid
	h.Type = byPath
	if v, ok := fields["type"]; ok && v.kind != 'n' {
		switch t := Type(v.text); {
		case v.kind != '"' || !t.Known():
			bad.add("type must be track, page, identify, group or screen")
		case byPath != "" && t != byPath:
			bad.add("type is %q, but the address is for %q", t, byPath)
		default:
			h.Type = t
		}
	} else if byPath == "" {
		bad.add("type is required: track, page, identify, group or screen")
	}
	h.Name = bad.text(fields, "event", MaxName)
	if h.Type == Track && strings.TrimSpace(h.Name) == "" {
		bad.add("event is required for a track: the event's name")
	}
	h.MessageID = bad.id(fields, "messageId", MaxID)
	h.AnonymousID = bad.id(fields, "anonymousId", MaxAnon)
	h.UserID = bad.id(fields, "userId", MaxID)
	h.WriteKey = bad.text(fields, "writeKey", MaxID)
	bad.time(fields, "timestamp")
	h.SentAt = bad.time(fields, "sentAt")
	for _, f := range []string{"properties", "traits", "context"} {
		if v, ok := fields[f]; ok && v.kind != '{' && v.kind != 'n' {
			bad.add("%s must be an object", f)
		}
	}
	if len(bad) > 0 {
		return Head{}, bad
	}
	return h, nil
}

func (f *Invalid) text(fields map[string]value, name string, limit int) string {
	v, ok := fields[name]
	switch {
	case !ok || v.kind == 'n':
		return ""
	case v.kind != '"':
		f.add("%s must be text", name)
		return ""
	case utf8.RuneCountInString(v.text) > limit:
		f.add("%s is longer than %d characters", name, limit)
		return ""
	}
	return v.text
}

// id reads text, or a number by its digits: ids are text whatever they came as.
func (f *Invalid) id(fields map[string]value, name string, limit int) string {
	if v, ok := fields[name]; ok && v.kind == '0' {
		return v.text
	}
	return f.text(fields, name, limit)
}

func (f *Invalid) time(fields map[string]value, name string) time.Time {
	v, ok := fields[name]
	if !ok || v.kind == 'n' || v.kind == '"' && v.text == "" {
		return time.Time{}
	}
	t, err := ParseTime(v.text)
	if err != nil || v.kind != '"' {
		f.add("%s must be a time by ISO 8601, such as 2026-02-25T14:30:00.000Z", name)
		return time.Time{}
	}
	return t
}

// ParseTime reads a time by ISO 8601: RFC 3339, or without a zone, which is
// UTC, or a date alone.
func ParseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			if y := t.Year(); y < 1970 || y > 9999 {
				break
			}
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("not a time by ISO 8601")
}

// Batch is the body of POST /v1/batch, taken apart.
type Batch struct {
	Events   [][]byte // each as received, sharing memory with the body
	SentAt   time.Time
	WriteKey string
}

// SplitBatch takes a batch apart without judging its events, so that a bad one
// cannot sink the good ones: each is for Admit. The error wraps ErrJSON, or is
// an Invalid when the body is no batch.
func SplitBatch(body []byte) (Batch, error) {
	var b Batch
	var bad Invalid
	d := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if d.PeekKind() != '{' {
		return b, fmt.Errorf("%w: a batch is an object", ErrJSON)
	}
	if _, err := d.ReadToken(); err != nil {
		return b, jsonError(err)
	}
	found := false
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return b, jsonError(err)
		}
		switch key := name.String(); {
		case key == "batch" && d.PeekKind() == '[':
			if found {
				return b, fmt.Errorf("%w: batch is there twice", ErrJSON)
			}
			found = true
			if b.Events, err = splitList(d, body); err != nil {
				return b, err
			}
		case key == "sentAt" || key == "writeKey":
			v, err := d.ReadToken()
			if err != nil {
				return b, jsonError(err)
			}
			field := map[string]value{key: {v.Kind(), tokenText(v)}}
			if key == "sentAt" {
				b.SentAt = bad.time(field, key)
			} else {
				b.WriteKey = bad.text(field, key, MaxID)
			}
		default:
			if err := d.SkipValue(); err != nil {
				return b, jsonError(err)
			}
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return b, jsonError(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return b, fmt.Errorf("%w: something follows the object", ErrJSON)
	}
	if !found {
		bad.add("batch must be a list of events")
	}
	if len(bad) > 0 {
		return b, bad
	}
	return b, nil
}

func splitList(d *jsontext.Decoder, body []byte) ([][]byte, error) {
	if _, err := d.ReadToken(); err != nil {
		return nil, jsonError(err)
	}
	var out [][]byte
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return nil, jsonError(err)
		}
		end := d.InputOffset()
		out = append(out, body[end-int64(len(v)):end])
	}
	_, err := d.ReadToken()
	return out, jsonError(err)
}

// reader walks one JSON object under the limits.
type reader struct {
	d    *jsontext.Decoder
	buf  *bytes.Buffer
	nuls bool // a text may hold \u0000
}

// readers are kept for the next event: a decoder's tables are most of its cost.
var readers = sync.Pool{New: func() any {
	buf := &bytes.Buffer{}
	return &reader{buf: buf, d: jsontext.NewDecoder(buf)}
}}

func newReader(raw []byte) *reader {
	r := readers.Get().(*reader)
	*r.buf = *bytes.NewBuffer(raw)
	r.d.Reset(r.buf)
	r.nuls = bytes.Contains(raw, []byte(`u0000`))
	return r
}

// release gives the reader back. Nothing that it gave may share memory with the
// event: texts are copies.
func (r *reader) release() {
	*r.buf = bytes.Buffer{}
	r.d.Reset(r.buf)
	readers.Put(r)
}

// object walks a whole object and everything in it, keeps the top-level values
// that Admit looks at, and checks every limit on the way.
func (r *reader) object() (map[string]value, error) {
	if r.d.PeekKind() != '{' {
		return nil, fmt.Errorf("%w: an event is an object", ErrJSON)
	}
	if _, err := r.token(); err != nil {
		return nil, err
	}
	out := make(map[string]value, len(headFields))
	for r.d.PeekKind() != '}' {
		name, err := r.token()
		if err != nil {
			return nil, err
		}
		key := ""
		if name.Kind() == '"' {
			key = name.String()
		}
		tok, err := r.token()
		if err != nil {
			return nil, err
		}
		if headFields[key] {
			out[key] = value{tok.Kind(), tokenText(tok)}
		}
		for r.d.StackDepth() > 1 { // what is inside is checked, not kept
			if _, err := r.token(); err != nil {
				return nil, err
			}
		}
	}
	return out, r.end()
}

// end reads the end of the object, behind which nothing may follow.
func (r *reader) end() error {
	if _, err := r.d.ReadToken(); err != nil {
		return jsonError(err)
	}
	if _, err := r.d.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the object", ErrJSON)
	}
	return nil
}

// token reads the next token and checks depth, NUL and the range of numbers.
func (r *reader) token() (jsontext.Token, error) {
	tok, err := r.d.ReadToken()
	if err != nil {
		return tok, jsonError(err)
	}
	switch tok.Kind() {
	case '{', '[':
		if r.d.StackDepth() > MaxDepth {
			return tok, fmt.Errorf("%w: nested deeper than %d", ErrJSON, MaxDepth)
		}
	case '"':
		if r.nuls && strings.IndexByte(tok.String(), 0) >= 0 {
			return tok, fmt.Errorf("%w: a text holds \\u0000", ErrJSON)
		}
	case '0':
		if _, err := tok.Float(); err != nil {
			return tok, fmt.Errorf("%w: a number is beyond the range of a double", ErrJSON)
		}
	}
	return tok, nil
}

func tokenText(t jsontext.Token) string {
	if k := t.Kind(); k == '"' || k == '0' {
		return t.String()
	}
	return ""
}

func jsonError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends too early", ErrJSON)
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("%w: a key is there twice", ErrJSON)
	}
	var s *jsontext.SyntacticError
	if errors.As(err, &s) { // its own text quotes the input, which may be personal
		return fmt.Errorf("%w: fault at byte %d", ErrJSON, s.ByteOffset)
	}
	return fmt.Errorf("%w: fault in the text", ErrJSON)
}
