package lpsim

import (
	"slices"
	"strconv"
	"strings"
)

// An Engagement is an offer that /engagement may answer with.
type Engagement struct {
	CampaignID, EngagementID, Revision, ConnectorID int64

	// EntryPoint limits the offer to calls with an entry point that contains
	// it. Empty offers it to every call.
	EntryPoint string
}

// contextID is the contextId of every offer: a session has one of each.
const contextID = "1"

// offer adds engagementDetails to a success answer, and registers the context
// in the session so that its impressions are taken.
func (s *Sim) offer(b []byte, c *call, x *session) []byte {
	if id := s.conversation(c); id != "" {
		b = append(b, `,"engagementDetails":[{`...)
		if len(s.o.Engagements) > 0 {
			b = append(details(b, s.o.Engagements[0]), `,"connectorId":`...)
			b = append(strconv.AppendInt(b, s.o.Engagements[0].ConnectorID, 10), ',')
		}
		b = append(b, `"conversationId":`...)
		return append(quote(b, id), `,"status":"conversation"}]`...)
	}
	for _, e := range s.o.Engagements {
		if !offered(c, e) {
			continue
		}
		if !slices.Contains(x.contexts, e) {
			x.contexts = append(x.contexts, e)
		}
		b = details(append(b, `,"engagementDetails":[{`...), e)
		b = append(b, `,"contextId":"`+contextID+`","connectorId":`...)
		b = strconv.AppendInt(b, e.ConnectorID, 10)
		return append(b, `,"status":"expose"}]`...)
	}
	return b
}

// conversation gives the open conversation of anybody that a call names.
func (s *Sim) conversation(c *call) string {
	for _, name := range append([]string{c.who.sub, c.who.consumerID}, c.who.others...) {
		if id := s.o.Conversations[name]; id != "" {
			return id
		}
	}
	return ""
}

func details(b []byte, e Engagement) []byte {
	b = append(b, `"campaignId":`...)
	b = strconv.AppendInt(b, e.CampaignID, 10)
	b = append(b, `,"engagementId":`...)
	b = strconv.AppendInt(b, e.EngagementID, 10)
	b = append(b, `,"engagementRevision":`...)
	return strconv.AppendInt(b, e.Revision, 10)
}

func offered(c *call, e Engagement) bool {
	if e.EntryPoint == "" {
		return true
	}
	for _, p := range c.doc.get("entryPoints").items {
		if strings.Contains(p.text, e.EntryPoint) {
			return true
		}
	}
	return false
}

// hasContexts says whether each impression of a call belongs to an engagement
// that was offered in session x, which is nil for a new one.
func hasContexts(c *call, x *session) bool {
	for _, a := range c.attrs {
		if isImpression(a.kind) && (x == nil || !x.hasContext(a.node)) {
			return false
		}
	}
	return true
}

func (x *session) hasContext(n node) bool {
	if oneOf(n.get("type").text, "impDisplay", "impAccept") && len(n.get("eContext").items) == 0 {
		return false
	}
	for _, ec := range n.get("eContext").items {
		if ec.get("id").text != contextID {
			return false
		}
	}
	return slices.ContainsFunc(x.contexts, func(e Engagement) bool {
		return isInt(n.get("campaign"), e.CampaignID) && isInt(n.get("engId"), e.EngagementID) && isInt(n.get("revision"), e.Revision)
	})
}

func isInt(n node, want int64) bool {
	f, ok := n.integer()
	return ok && f == float64(want)
}
