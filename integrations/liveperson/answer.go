package liveperson

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/datafly/signal/attempt"
)

const (
	maxAnswer = 64 << 10 // bytes of an answer that are read and kept
	maxID     = 512      // characters of an id that LivePerson gives
)

// answerBody is the body of an answer: of a success, of a refusal, or of
// something else.
type answerBody struct {
	ids     attempt.IDs
	code    int
	message string
	foreign bool // there, but not LivePerson's JSON
}

// readAnswer reads a body as leniently as LivePerson writes it: a bare object
// or one inside "error", codes as numbers or as text, ids by either name, and
// pages that are not JSON at all. The content type says nothing: LivePerson
// sends its JSON as application/octet-stream.
func readAnswer(body []byte) answerBody {
	var wire struct {
		SessionID looseText       `json:"sessionId"`
		VisitorID looseText       `json:"visitorId"`
		Sid       looseText       `json:"sid"`
		Vid       looseText       `json:"vid"`
		Message   looseText       `json:"message"`
		Code      looseText       `json:"internalCode"`
		Error     json.RawMessage `json:"error"`
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		return answerBody{}
	}
	if json.Unmarshal(body, &wire) != nil {
		return answerBody{foreign: true}
	}
	code, _ := strconv.Atoi(string(wire.Code))
	a := answerBody{
		ids:     attempt.IDs{Visitor: id(wire.VisitorID, wire.Vid), Session: id(wire.SessionID, wire.Sid)},
		code:    code,
		message: string(wire.Message),
	}
	if a == (answerBody{}) && len(wire.Error) > 0 && wire.Error[0] == '{' {
		return readAnswer(wire.Error)
	}
	a.foreign = a == (answerBody{})
	return a
}

// id gives the first that is there. One that is too long to be an id is not.
func id(names ...looseText) string {
	for _, s := range names {
		if s != "" && s != "null" && len(s) <= maxID {
			return string(s)
		}
	}
	return ""
}

// looseText is text, or a number by its digits. Anything else is "".
type looseText string

// UnmarshalJSON never fails, so that one odd field does not hide the others.
func (t *looseText) UnmarshalJSON(b []byte) error {
	switch {
	case b[0] == '"':
		return json.Unmarshal(b, (*string)(t))
	case b[0] == '-' || '0' <= b[0] && b[0] <= '9':
		*t = looseText(b)
	}
	return nil
}

// anomaly says how a delivered answer is not as documented, or "".
func anomaly(a answerBody, size int, cut bool) string {
	switch {
	case cut:
		return "LivePerson took the report, but its answer was cut off."
	case size == 0:
		return "LivePerson took the report, but its answer was empty."
	case a.foreign:
		return "LivePerson took the report, but its answer was not LivePerson's JSON."
	case a.ids.Visitor == "" || a.ids.Session == "":
		return "LivePerson took the report, but its answer did not name the visit."
	}
	return ""
}
