package liveperson

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
)

// extra is what an item carries beside its payload: integrations.Item.Extra.
type extra struct {
	// Token is the visitor's signed token as it stood on the event. A prepared
	// item has none.
	Token string `json:"t,omitempty"`
	// Unfit says why what stood on the event in its place cannot be a token.
	Unfit string `json:"u,omitempty"`
	// Settled says that Prepare decided who the event is about.
	Settled bool `json:"p,omitempty"`

	// Visitor and Session are the ids of the visit of LivePerson's own tag on
	// the page. There is no Session without Visitor.
	Visitor string `json:"v,omitempty"`
	Session string `json:"s,omitempty"`
}

// Extract gives what Prepare and Build need of the event beside its mapping.
func (c *Connection) Extract(e *event.Event) json.RawMessage {
	var x extra
	if c.prover != nil {
		x.Token, x.Unfit = c.prover.token(e)
	}
	x.Visitor, x.Session = c.tagIDs(e)
	return x.encode()
}

// tagIDs gives the ids of the visit of LivePerson's own tag, whose cookies the
// collector passes on. They are opaque.
func (c *Connection) tagIDs(e *event.Event) (visitor, session string) {
	cookies, _ := e.Object("context")["cookies"].(map[string]any)
	if visitor = tagID(cookies["LPVID"]); visitor == "" {
		return "", ""
	}
	return visitor, tagID(cookies["LPSID-"+c.settings.AccountID])
}

// tagID gives the id in a cookie, "" for what can be none.
func tagID(value any) string {
	if s, ok := value.(string); ok && utf8.RuneCountInString(s) <= maxID {
		return s
	}
	return ""
}

// pageIDs gives the ids of the visit of LivePerson's own tag that came with an
// item.
func pageIDs(item *integrations.Item) attempt.IDs {
	if len(item.Extra) == 0 {
		return attempt.IDs{}
	}
	x := readExtra(item.Extra)
	return attempt.IDs{Visitor: x.Visitor, Session: x.Session}
}

// readExtra reads what Extract or Prepare wrote.
func readExtra(raw json.RawMessage) extra {
	var x extra
	if len(raw) > 0 {
		// Only this package writes it; what cannot be read holds nothing.
		_ = json.Unmarshal(raw, &x)
	}
	return x
}

// encode is nil for an extra that holds nothing.
func (x extra) encode() json.RawMessage {
	if x == (extra{}) {
		return nil
	}
	raw, _ := json.Marshal(x) // texts and a flag
	return raw
}
