package web

import (
	"fmt"
	"strings"

	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/trace"
)

// box explains what did not go well, or calmly why nothing was sent.
func (t *telling) box() *boxView {
	switch t.route.Outcome {
	case trace.Filtered:
		return t.filtered()
	case trace.Dead:
		b := &boxView{Kind: "dead", Glyph: "dead", What: sentence(desk.Say(t.route.Reason)), Remedy: t.route.Remedy}
		b.Safe = "It was given up and is kept with the dead letters until somebody replays or drops it."
		b.Acts = []choice{{Label: "All with this reason", Href: deadHref("", t.route.Integration, t.route.Reason)}}
		return b
	case trace.Pending:
		return t.pending()
	}
	return nil
}

func (t *telling) pending() *boxView {
	last := t.route.Last()
	paused := t.status.State == desk.Paused
	if last == nil && !paused {
		return nil
	}
	b := &boxView{Kind: "pending", Glyph: "pending", Safe: "It waits in order with the later events of this visitor, and none is lost."}
	if last != nil {
		b.What, b.Remedy, b.NextTry = sentence(desk.Say(last.Reason)), last.Remedy, last.NextTry
	}
	if paused {
		b.Glyph = "paused"
		b.What = sentence(strings.TrimSuffix(firstNonEmpty(t.status.Reason, b.What), ".") + ", so " + t.status.Name + " is paused")
		b.Safe = fmt.Sprintf("%s %s in order, and none is lost.", some(t.status.Waiting, "event"), waits(t.status.Waiting))
		b.Remedy = firstNonEmpty(t.status.Remedy, b.Remedy)
		b.NextTry = t.status.NextProbe
		b.Acts = []choice{{Label: "See " + t.status.Name, Href: "/integrations/" + t.status.ID}}
	}
	if b.What == "" {
		b.What = "It waits to be sent."
	}
	return b
}

func (t *telling) filtered() *boxView {
	b := &boxView{Kind: "filtered", Glyph: "filtered"}
	reason, vendor := t.route.Reason, t.vendor()
	switch {
	case strings.HasPrefix(reason, "consent:") && strings.Contains(reason, "not known"):
		b.What = fmt.Sprintf("The visitor was not asked for %s yet, and %s needs it.", andList(t.route.Needs), vendor)
		b.Safe = "Nothing was sent. This is consent at work, not a fault. Later events go out once the visitor has granted it."
	case strings.HasPrefix(reason, "consent:"):
		b.What = fmt.Sprintf("The visitor did not grant %s, and %s needs it.", andList(t.route.Needs), vendor)
		b.Safe = "Nothing was sent. This is consent at work, not a fault. To send such events, change the consent categories of the integration or ask for consent on the site."
	case strings.HasPrefix(reason, "not mapped"):
		b.What = t.e.Event + " has no mapping."
		b.Safe = "Nothing was sent. To send such events, add a rule for this name to the mapping of the integration."
	case strings.HasPrefix(reason, "bot"):
		b.What = "A bot sent it."
		b.Safe = sentence(desk.Say(reason)) + " Nothing was sent."
	default:
		b.What = sentence(desk.Say(reason))
		b.Safe = "Nothing was sent."
	}
	if t.route.Integration != "" {
		b.Link = choice{Label: "Settings of " + t.status.Name, Href: "/integrations/" + t.route.Integration}
	}
	return b
}

func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

func andList(words []string) string {
	switch len(words) {
	case 0:
		return "consent"
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func firstNonEmpty(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

func waits[N ~int | ~int64](n N) string {
	if n == 1 {
		return "waits"
	}
	return "wait"
}
