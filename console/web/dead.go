package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
)

var deadKeys = []string{"pipeline", "integration", "event", "reason", "q"}

// deadFilters reads the filters of an address or a form.
func deadFilters(q url.Values) url.Values {
	out := url.Values{}
	for _, k := range deadKeys {
		if v := strings.TrimSpace(q.Get(k)); v != "" {
			out.Set(k, v)
		}
	}
	return out
}

func deadQuery(q url.Values) desk.DeadQuery {
	return desk.DeadQuery{
		Pipeline: q.Get("pipeline"), Integration: q.Get("integration"), Event: q.Get("event"),
		Reason: q.Get("reason"), Q: strings.TrimSpace(q.Get("q")), IDs: q["id"],
	}
}

func (s *site) dead(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	f := deadFilters(r.URL.Query())
	v := deadView{frame: s.frame(r, who, "Dead letters", "dead-letters"), MayAct: who.Role.May(auth.Editor), Text: f.Get("q")}
	v.Whose = "Your role is " + who.Role.Word() + ". " + admins(s.desk.Admins(r.Context()))
	v.Filters = len(with(f, "pipeline", "")) > 0
	v.Self = address("/dead-letters", f)
	v.Hidden = hidden(f, "q")
	v.Notice = done(r.URL.Query())

	q := deadQuery(f)
	groups, err := s.desk.DeadGroups(r.Context(), who, desk.DeadQuery{Pipeline: q.Pipeline})
	if err != nil {
		return err
	}
	for _, g := range groups {
		of := url.Values{"reason": {g.Reason}, "integration": {g.Integration}}
		if v.Pipeline != "" {
			of.Set("pipeline", v.Pipeline)
		}
		ask := with(of, "do", "replay")
		ask.Set("back", v.Self)
		v.Groups = append(v.Groups, deadGroupView{
			DeadGroup: g, Href: address("/dead-letters", of), Ask: address("/dead-letters/confirm", ask), Name: g.Integration,
			On: g.Reason == q.Reason && (q.Integration == "" || q.Integration == g.Integration),
		})
	}
	if v.Total, err = s.desk.CountDead(r.Context(), who, q); err != nil {
		return err
	}
	q.Cursor = r.URL.Query().Get("cursor")
	rows, next, err := s.desk.DeadLetters(r.Context(), who, q)
	if err != nil {
		return err
	}
	v.Rows = rows
	if next != "" {
		v.Next = address("/dead-letters", with(f, "cursor", next))
	}
	ask := with(with(f, "do", "replay"), "back", v.Self)
	v.All, v.DropAll = address("/dead-letters/confirm", ask), address("/dead-letters/confirm", with(ask, "do", "drop"))
	if v.Chips, err = s.deadChips(who, f); err != nil {
		return err
	}
	render(w, r, http.StatusOK, deadPage(v))
	return nil
}

func (s *site) deadChips(who auth.Actor, f url.Values) ([]chip, error) {
	integration, err := s.integrationChip(who, f, "/dead-letters")
	if err != nil {
		return nil, err
	}
	event := chip{Name: "Event", Value: f.Get("event"), Choices: choices("/dead-letters", f, "event", s.desk.Names(f.Get("pipeline")))}
	out := []chip{integration, event}
	if reason := f.Get("reason"); reason != "" {
		out = append([]chip{{Name: "Reason", Value: desk.Say(reason), Choices: []choice{{Label: "Any reason", Href: address("/dead-letters", with(f, "reason", ""))}}}}, out...)
	}
	return out, nil
}

// done words what was done a moment ago. Only a number is taken from the
// address.
func done(q url.Values) string {
	n, err := strconv.Atoi(q.Get("done"))
	if err != nil || n < 0 {
		return ""
	}
	switch q.Get("did") {
	case "replay":
		return some(n, "dead letter") + " replayed. They are pending again."
	case "drop":
		return some(n, "dead letter") + " dropped."
	}
	return ""
}

func (s *site) letter(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	l, err := s.desk.DeadLetter(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := letterView{frame: s.frame(r, who, l.Event, "dead-letters"), DeadLetter: l}
	status := desk.IntegrationStatus{ID: l.Integration, Name: shortName(l.Integration)}
	if i, err := s.desk.Integration(who, l.Integration); err == nil { // it may have been taken away since
		status = i.IntegrationStatus
	}
	v.Box = s.acting(who, admins(s.desk.Admins(r.Context())), "/dead-letters").letter(l, status)
	var sent struct {
		Method, URL string
		Header      map[string]string
		Body        json.RawMessage
	}
	if json.Unmarshal(l.Request, &sent) == nil && sent.URL != "" {
		v.Request = &desk.Request{Method: sent.Method, URL: sent.URL, Header: sent.Header}
		v.Body = unquote(sent.Body)
		v.Curl = string(pretty(map[string]any{"method": sent.Method, "url": sent.URL, "header": sent.Header, "body": string(v.Body)}))
	}
	var answer struct{ Body json.RawMessage }
	if json.Unmarshal(l.Answer, &answer) == nil && len(answer.Body) > 0 {
		v.Answer = unquote(answer.Body)
	}
	render(w, r, http.StatusOK, letterPage(v))
	return nil
}

// letter explains a dead letter.
func (a acting) letter(l desk.DeadLetter, s desk.IntegrationStatus) boxView {
	head, rest := firstSentence(desk.Say(l.Reason))
	b := boxView{Kind: "dead", Glyph: "dead", What: sentence(head), Checks: l.Checks, Remedy: l.Remedy}
	b.Safe = join(rest, answered(l.Reason, l.Status, l.Code), "It was given up after "+plural(l.Attempts, "try", "tries")+" and stays here until somebody replays or drops it.")
	s.State = desk.Healthy // what ails the integration now is another matter
	b.Acts = a.fixes(s, l.Fix)
	replay := a.post("Replay", "/dead-letters/act", [2]string{"do", "replay"}, [2]string{"id", l.ID})
	replay.Icon = "replay"
	if len(b.Acts) == 0 {
		replay.Class = "main"
	}
	b.Acts = append(b.Acts, replay)
	if a.may {
		b.Acts = append(b.Acts, act{Label: "Drop…", Class: "danger", Href: "/dead-letters/confirm?do=drop&id=" + l.ID})
	}
	b.Acts = append(b.Acts, act{Label: "Open in the Event Debugger", Class: "quiet", Href: rowHref(l.MessageID, "?route="+url.QueryEscape(l.Integration))})
	return b
}

// todoWords says in a few words what a fix asks for, with the sign of how far
// off that is.
func todoWords(fix attempt.Fix) (outcome, words string) {
	switch fix {
	case attempt.FixMapping:
		return "dead", "Needs a mapping change"
	case attempt.FixIdentities:
		return "dead", "Needs signed identities"
	case attempt.FixSettings, attempt.FixDomain, attempt.FixRate:
		return "dead", "Needs a change of the settings"
	}
	return "pending", "May pass now"
}

// unquote gives the text of a body that was kept as text.
func unquote(b json.RawMessage) []byte {
	var text string
	if json.Unmarshal(b, &text) == nil {
		return []byte(text)
	}
	return b
}

// confirm asks before many are replayed or any is dropped, and says how many.
func (s *site) confirm(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	return s.ask(w, r, who, r.URL.Query(), "", http.StatusOK)
}

func (s *site) ask(w http.ResponseWriter, r *http.Request, who auth.Actor, form url.Values, wrong string, status int) error {
	v := confirmView{frame: s.frame(r, who, "Dead letters", "dead-letters"), Do: form.Get("do"), Back: backTo(form), Wrong: wrong}
	act := s.desk.ReplayDead
	switch v.Do {
	case "replay":
	case "drop":
		act = s.desk.DropDead
	default:
		return &desk.Fault{Kind: desk.ErrInvalid, Say: "Nothing was chosen to do."}
	}
	result, err := act(r.Context(), who, deadQuery(form), true)
	if err != nil {
		return err
	}
	v.Count = result.Matched
	v.Word = v.Do == "drop" && v.Count > wordAbove
	v.Fields = hidden(deadFilters(form), "")
	for _, id := range form["id"] {
		v.Fields = append(v.Fields, [2]string{"id", id})
	}
	v.Which = "All that match the filters."
	if reason := form.Get("reason"); reason != "" {
		v.Which = "All with this reason: " + sentence(desk.Say(reason))
	}
	if len(form["id"]) > 0 {
		v.Which = "Those that you selected."
	} else if len(v.Fields) == 0 {
		v.Which = "All of them."
	}
	render(w, r, status, confirmPage(v))
	return nil
}

// wordAbove is how many may be dropped without typing the word.
const wordAbove = 10

// act replays or drops, and goes back with the number.
func (s *site) act(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	if err := r.ParseForm(); err != nil {
		return &desk.Fault{Kind: desk.ErrInvalid, Say: "The form could not be read. Go back and try again."}
	}
	q := deadQuery(r.PostForm)
	var result desk.Result
	var err error
	switch do := r.PostForm.Get("do"); do {
	case "replay":
		result, err = s.desk.ReplayDead(r.Context(), who, q, false)
	case "drop":
		result, err = s.desk.DropDead(r.Context(), who, q, true)
		if err == nil && result.Matched > wordAbove && r.PostForm.Get("word") != "drop" {
			return s.ask(w, r, who, r.PostForm, "Type the word drop.", http.StatusBadRequest)
		}
		if err == nil {
			result, err = s.desk.DropDead(r.Context(), who, q, false)
		}
	default:
		err = &desk.Fault{Kind: desk.ErrInvalid, Say: "Nothing was chosen to do."}
	}
	if err != nil {
		return err
	}
	back := backTo(r.PostForm)
	if r.PostForm.Get("do") == "drop" || strings.HasPrefix(back, "/dead-letters") {
		back = address("/dead-letters", url.Values{"done": {strconv.Itoa(result.Done)}, "did": {r.PostForm.Get("do")}})
	}
	http.Redirect(w, r, back, http.StatusSeeOther) //nolint:gosec // backTo keeps it on the console
	return nil
}

func backTo(form url.Values) string {
	if to := local(form.Get("back")); to != "/" {
		return to
	}
	return "/dead-letters"
}

func waitsMatch(n int) string {
	if n == 1 {
		return "matches"
	}
	return "match"
}
