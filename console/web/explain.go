package web

import (
	"fmt"
	"strings"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/trace"
)

// box explains what did not go well, or calmly why nothing was sent.
func (t *telling) box() *boxView {
	switch t.route.Outcome {
	case trace.Filtered:
		return t.filtered()
	case trace.Dead:
		return t.dead()
	case trace.Pending:
		return t.pending()
	}
	return nil
}

func (t *telling) dead() *boxView {
	head, rest := firstSentence(desk.Say(t.route.Reason))
	b := &boxView{Kind: "dead", Glyph: "dead", What: sentence(head), Remedy: t.route.Remedy}
	safe := "It was given up and is kept with the dead letters until somebody replays or drops it."
	if t.deadID == "" {
		safe = "It was given up, and somebody has dropped it since."
	}
	var fix attempt.Fix
	if last := t.route.Last(); last != nil {
		status, code := answerOf(last)
		b.Checks, fix = last.Checks, last.Fix
		b.Safe = join(rest, answered(t.route.Reason, status, code), safe)
	}
	b.Safe = firstNonEmpty(b.Safe, join(rest, safe))
	b.Acts = append(t.who.fixes(t.healthy(), fix), t.fed()...)
	if fix == attempt.FixReplay && t.deadID != "" {
		replay := t.who.post("Replay", "/dead-letters/act", [2]string{"do", "replay"}, [2]string{"id", t.deadID})
		if replay.Off == "" {
			replay.Class, replay.Icon = "main", "replay"
		}
		b.Acts = append(b.Acts, replay)
	}
	b.Acts = append(b.Acts, act{Label: "All with this reason", Href: deadHref("", t.route.Integration, t.route.Reason)})
	return b
}

// healthy is the integration without its own trouble, which is not that of a
// dead event.
func (t *telling) healthy() desk.IntegrationStatus {
	s := t.status
	s.State = desk.Healthy
	return s
}

// fed leads to the row that says what fed the field that was refused.
func (t *telling) fed() []act {
	if last := t.route.Last(); last != nil && tells(explained(t.route.Explain), last.Field) {
		return []act{{Label: "Which source fed it", Href: "#fed"}}
	}
	return nil
}

// pending explains why an event waits: for its integration, or for its own next
// try.
func (t *telling) pending() *boxView {
	last := t.route.Last()
	stuck := t.status.Stuck()
	if last == nil && !stuck && t.status.State != desk.Slowed {
		return nil
	}
	if stuck || last == nil {
		b := t.who.trouble(t.status)
		b.so(t.status)
		if last != nil {
			b.Remedy = firstNonEmpty(b.Remedy, last.Remedy)
			if len(b.Checks) == 0 && last.Reason == t.status.Reason {
				b.Checks = last.Checks
			}
		}
		return b
	}
	head, rest := firstSentence(desk.Say(last.Reason))
	status, code := answerOf(last)
	return &boxView{
		Kind: "pending", Glyph: "pending", What: firstNonEmpty(sentence(head), "It waits to be sent."),
		Safe:   join(rest, answered(last.Reason, status, code), "It waits in order with the later events of this visitor, and none is lost."),
		Checks: last.Checks, Remedy: last.Remedy, NextTry: last.NextTry, Acts: t.who.fixes(t.status, last.Fix),
	}
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
		b.Link = choice{Label: "Settings of " + t.status.Name, Href: "/integrations/" + t.route.Integration + "#settings"}
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
