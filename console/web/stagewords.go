package web

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/trace"
)

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

func tryWord(a desk.Attempt) string {
	if a.Try == 0 {
		return "–"
	}
	if a.Gen > 0 {
		return fmt.Sprintf("%d, replay %d", a.Try, a.Gen)
	}
	return fmt.Sprint(a.Try)
}

func answerWord(a desk.Attempt) string {
	switch {
	case a.Answer != nil && a.Answer.Code != 0:
		return fmt.Sprintf("%d · code %d", a.Answer.Status, a.Answer.Code)
	case a.Answer != nil:
		return status(a.Answer.Status)
	case a.Request != nil:
		return "none"
	}
	return "not sent"
}

// answerOf gives what a try was answered, zeros when it was not.
func answerOf(a *desk.Attempt) (status, code int) {
	if a.Answer == nil {
		return 0, 0
	}
	return a.Answer.Status, a.Answer.Code
}

// An attemptRow is a try with what it meant, and what Signal did about it.
type attemptRow struct {
	desk.Attempt
	Meant string
}

func attemptRows(list []desk.Attempt) []attemptRow {
	var out []attemptRow
	for i, a := range list {
		row := attemptRow{Attempt: a, Meant: upper(string(a.Outcome))}
		if a.Reason != "" {
			row.Meant = desk.Say(a.Reason)
		}
		if then := atOnce(list[i:]); then != "" {
			row.Meant = join(sentence(desk.Say(a.Reason)), then)
		}
		out = append(out, row)
	}
	return out
}

// atOnce says what Signal did without a pause after the first of the tries, ""
// when it did nothing of that kind.
func atOnce(tries []desk.Attempt) string {
	a := tries[0]
	if a.Outcome != trace.Pending {
		return ""
	}
	sent := slices.ContainsFunc(tries[1:], func(b desk.Attempt) bool { return b.Request != nil && b.Gen == a.Gen })
	switch a.Verdict {
	case attempt.Reform.String():
		if form := formAfter(tries); form != "" {
			return "Sent again at once in the form " + form + "."
		}
		if sent {
			return "Sent again at once in another form."
		}
		return a.Remedy // nothing follows: the page is carried from now on
	case attempt.Rejoin.String():
		return "Sent again at once without the ids of the visit."
	case attempt.Dead.String():
		return "Sent again at once in parts, to find the one at fault."
	}
	return ""
}

// formAfter is the form of the try behind the first, when it is another.
func formAfter(tries []desk.Attempt) string {
	if len(tries) < 2 || tries[0].Request == nil || tries[1].Request == nil || tries[0].Request.Dialect == tries[1].Request.Dialect {
		return ""
	}
	return tries[1].Request.Dialect
}

// followed says what the answers led to: another form, another visit, what was
// learned of it, and what the vendor's own words were about.
func (t *telling) followed() []string {
	var out []string
	for i, a := range t.route.Attempts {
		then := atOnce(t.route.Attempts[i:])
		if t.sent == nil || a.Gen != t.sent.Gen || then == "" {
			continue
		}
		out = append(out, join(fmt.Sprintf("Try %d was answered %s.", a.Try, answerWord(a)), sentence(desk.Say(a.Reason)), then))
	}
	for _, f := range t.status.Learned {
		if f.Value != "" && t.taught(f.From) {
			out = append(out, "Learned from this report: "+f.Name+" is "+f.Value+". "+f.Say)
		}
	}
	if t.sent != nil {
		out = append(out, t.sent.Notes...)
	}
	return out
}

// taught reports whether the event of that id is this one, or one of its report.
func (t *telling) taught(id string) bool {
	return id != "" && (id == t.e.MessageID || t.sent != nil && slices.Contains(t.sent.With, id))
}

// curlOf gives the request for a script to make a command of.
func curlOf(a *desk.Attempt) string {
	if a == nil {
		return ""
	}
	return string(pretty(map[string]any{
		"method": a.Request.Method, "url": a.Request.URL, "header": a.Request.Header, "body": string(a.Request.Body),
	}))
}

func sorted(h map[string]string) [][2]string {
	var out [][2]string
	for k, v := range h {
		out = append(out, [2]string{k, v})
	}
	slices.SortFunc(out, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return out
}

type explainRow struct{ Target, Source, Value string }

// of reports whether the row fed the vendor's field of that name. The vendor
// names it as far up as it knows: "lead.currency".
func (r explainRow) of(field string) bool {
	return field != "" && (r.Target == field || strings.HasSuffix(r.Target, "."+field))
}

// tells reports whether any row fed the field.
func tells(rows []explainRow, field string) bool {
	return slices.ContainsFunc(rows, func(r explainRow) bool { return r.of(field) })
}

// fieldOf is the field that was refused last, or "".
func fieldOf(r *desk.RouteDetail) string {
	if last := r.Last(); last != nil {
		return last.Field
	}
	return ""
}

func explained(src []byte) []explainRow {
	var list []struct {
		Target, Source string
		Value          json.RawMessage
	}
	if json.Unmarshal(src, &list) != nil {
		return nil
	}
	var out []explainRow
	for _, e := range list {
		if e.Source == "" {
			e.Source = "–"
		}
		out = append(out, explainRow{e.Target, e.Source, string(e.Value)})
	}
	return out
}

// rowHref is the address of an opened event that keeps the list's filters.
func rowHref(id, query string) string { return "/debugger/" + url.PathEscape(id) + query }

func deadHref(pipeline, integration, reason string) string {
	q := url.Values{}
	for k, v := range map[string]string{"pipeline": pipeline, "integration": integration, "reason": reason} {
		if v != "" {
			q.Set(k, v)
		}
	}
	return "/dead-letters?" + q.Encode()
}

// lineWord is the second line of a row, up to the time of the next try.
func lineWord(r desk.Row) string {
	if r.NextTry.IsZero() {
		return r.Line
	}
	return r.Line + ", next try at "
}
