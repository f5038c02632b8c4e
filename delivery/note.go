package delivery

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/trace"
)

// noted is what happened to an item, for the debugger.
type noted struct {
	outcome trace.Outcome
	reason  string
	report  *report         // nil when there was no request
	answer  *attempt.Result // nil when nothing was sent; never without a report
	why     *attempt.Result // of an earlier try that explains the end, when there is no answer; may be nil
	next    time.Time       // of the next try
}

// note hands one try, or the end without one, to the debugger. Successes of
// events that the debugger did not pick are left out.
func (l *lanes) note(h *held, n *noted) {
	if !h.Traced && (n.outcome == trace.Delivered || n.outcome == trace.Carried) {
		return
	}
	l.opts.tap.Note(func() trace.Record {
		s := &trace.Step{Integration: l.opts.integration, Gen: h.Gen, Outcome: n.outcome, Reason: n.reason, Next: n.next}
		s.Of = trace.Subject{Pipeline: l.opts.pipeline, Event: h.Event, AnonymousID: h.AnonymousID, UserID: h.UserID, ReceivedAt: h.ReceivedAt}
		if n.report != nil {
			n.report.describe(s, h)
		}
		if n.answer != nil {
			s.Try, s.SentAt = h.tries, n.report.sentAt
			answer(s, n.answer)
		} else if n.why != nil {
			explain(s, n.why)
		}
		return trace.Record{At: time.Now(), Place: h.Place, MessageID: h.MessageID, Step: s}
	})
}

// describe writes down the request that an item was in.
func (r *report) describe(s *trace.Step, h *held) {
	q := r.built.Request
	s.Method, s.URL, s.Header, s.Body, s.Dialect, s.Summary = q.Method, q.URL, q.Header, q.Body, q.Dialect, q.Summary
	for _, other := range r.sent {
		if other != h {
			s.With = append(s.With, other.MessageID)
		}
	}
	s.Notes = slices.Clone(r.built.Notes)
	if i := slices.Index(r.sent, h); i >= 0 && i < len(r.built.Summaries) {
		s.Summary = r.built.Summaries[i]
	}
	for _, part := range r.built.LeftOut {
		if r.items[part.Item] == h {
			s.Notes = append(s.Notes, part.Reason)
		}
	}
}

// answer writes down what was answered, and what that means.
func answer(s *trace.Step, a *attempt.Result) {
	s.Verdict = a.Verdict.String()
	explain(s, a)
	s.Status, s.Code, s.Took, s.Answer, s.AHead = a.Status, a.Code, a.Took, a.Answer.Body, a.Answer.Header
	if a.Anomaly != "" {
		s.Notes = append(s.Notes, a.Anomaly)
	}
}

// explain writes down what is behind a failure, and what to do about it.
func explain(s *trace.Step, a *attempt.Result) {
	s.Remedy, s.Cause, s.Fix, s.Field = a.Remedy, a.Cause, string(a.Fix), a.Field
	s.Checks = checksJSON(a.Checks)
}

// checksJSON encodes checks; nil for none.
func checksJSON(checks []attempt.Check) json.RawMessage {
	if len(checks) == 0 {
		return nil
	}
	b, err := json.Marshal(checks)
	if err != nil { // texts and truths always encode
		return nil
	}
	return b
}
