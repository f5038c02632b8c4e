package web

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/datafly/signal/console/desk"
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

func meant(a desk.Attempt) string {
	if a.Reason != "" {
		return desk.Say(a.Reason)
	}
	return upper(string(a.Outcome))
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
