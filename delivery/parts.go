package delivery

import (
	"slices"
	"strings"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/trace"
)

// parts are what an item was taken apart into when it was refused alone. They
// are sent one by one, and the item ends with the last. A crash on the way
// begins with the whole item again: it counts as one report.
type parts struct {
	of      *held
	left    []integrations.Item
	taken   int
	refused []string        // the reasons, each once
	why     *attempt.Result // of the first that was refused; nil when it was not sent
	request *integrations.Request
}

// part takes the item of a report apart that was refused. It reports false when
// there is nothing to take apart.
func (l *lanes) part(t *turn, r *report) bool {
	if l.splitter == nil || r.sent[0] != t.look[0] {
		return false
	}
	whole := r.sent[0].Item
	if ready := r.sent[0].ready; ready != nil {
		whole = *ready
	}
	left := l.splitter.Split(whole)
	if len(left) < 2 {
		return false
	}
	t.parts = &parts{of: r.sent[0], left: left}
	return true
}

// partTaken goes on behind a part that was taken, or that travels with a later
// report.
func (l *lanes) partTaken(t *turn, r *report, a *attempt.Result) move {
	t.parts.taken++
	return l.nextPart(t, r, a, "")
}

// partRefused goes on behind a part that was refused.
func (l *lanes) partRefused(t *turn, r *report, a *attempt.Result, why string) move {
	p := t.parts
	if !slices.Contains(p.refused, why) {
		p.refused = append(p.refused, why)
	}
	if p.why == nil && a != nil {
		p.why, p.request = a, r.built.Request
	}
	return l.nextPart(t, r, a, why)
}

// nextPart notes what became of a part, and ends the item with the last.
func (l *lanes) nextPart(t *turn, r *report, a *attempt.Result, why string) move {
	p := t.parts
	n := &noted{outcome: trace.Pending, reason: why, answer: a}
	if a != nil {
		n.report = r
	}
	if p.left = p.left[1:]; len(p.left) > 0 {
		l.note(p.of, n)
		return move{then: again}
	}
	e := end{item: p.of, result: trace.Delivered, took: time.Since(p.of.ReceivedAt)}
	if len(p.refused) > 0 {
		e.result, e.reason, e.last, e.request = trace.Dead, p.reason(), p.why, p.request
	}
	if e.result == trace.Dead && why == "" { // the last was taken, and explains nothing
		l.note(p.of, n)
		n = &noted{why: p.why}
	}
	n.outcome, n.reason = e.result, e.reason
	l.note(p.of, n)
	return move{ends: []end{e}}
}

// reason says why an item died, and what became of its other parts.
func (p *parts) reason(more ...string) string {
	why := strings.Join(append(p.refused[:len(p.refused):len(p.refused)], more...), " ")
	if p.taken == 0 {
		return why
	}
	return why + " The rest of the event was taken."
}
