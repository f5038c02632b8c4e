package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/store"
)

var deadKeys = []string{"pipeline", "integration", "event", "reason", "status", "q", "range"}

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

func (s *site) deadQuery(q url.Values) desk.DeadQuery {
	out := desk.DeadQuery{
		Pipeline: q.Get("pipeline"), Integration: q.Get("integration"), Event: q.Get("event"),
		Reason: q.Get("reason"), Q: strings.TrimSpace(q.Get("q")), IDs: q["id"],
	}
	out.Status, _ = strconv.Atoi(q.Get("status")) // what is no number does not filter
	if n := desk.Range(q.Get("range")).Length(); n > 0 {
		out.From = s.desk.Now().Add(-n)
	}
	return out
}

func (s *site) dead(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	f := deadFilters(r.URL.Query())
	v := deadView{frame: s.frame(r, who, "Dead letters", "dead-letters"), MayAct: who.Role.May(auth.Editor), Text: f.Get("q")}
	v.Whose = "Your role is " + who.Role.Word() + ". " + admins(s.desk.Admins(r.Context()))
	v.Filters = len(with(f, "pipeline", "")) > 0
	v.Self = address("/dead-letters", f)
	v.Hidden = hidden(f, "q")
	v.Notice = done(r.URL.Query())

	q := s.deadQuery(f)
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
	if v.Chips, err = s.deadChips(who, f, groups); err != nil {
		return err
	}
	v.Replays = s.running(who)
	render(w, r, http.StatusOK, deadPage(v))
	return nil
}

func (s *site) deadChips(who auth.Actor, f url.Values, groups []desk.DeadGroup) ([]chip, error) {
	integration, err := s.integrationChip(who, f, "/dead-letters")
	if err != nil {
		return nil, err
	}
	event := chip{Name: "Event", Value: f.Get("event"), Choices: choices("/dead-letters", f, "event", s.desk.Names(f.Get("pipeline")))}
	out := []chip{integration, event, answerChip(f, groups), timeChip(f, "/dead-letters")}
	if reason := f.Get("reason"); reason != "" {
		out = append([]chip{{Name: "Reason", Value: desk.Say(reason), Choices: []choice{{Label: "Any reason", Href: address("/dead-letters", with(f, "reason", ""))}}}}, out...)
	}
	return out, nil
}

// answerChip filters by the status of the last answer.
func answerChip(f url.Values, groups []desk.DeadGroup) chip {
	c := chip{Name: "Answer", Choices: []choice{{Label: "Any answer", Href: address("/dead-letters", with(f, "status", "")), On: f.Get("status") == ""}}}
	var seen []int
	for _, g := range groups {
		seen = append(seen, g.Status)
	}
	slices.Sort(seen)
	for _, status := range slices.Compact(seen) {
		key, label := strconv.Itoa(status), strconv.Itoa(status)
		if status == 0 {
			key, label = strconv.Itoa(store.NoAnswer), "no answer"
		}
		on := f.Get("status") == key
		if on {
			c.Value = label
		}
		c.Choices = append(c.Choices, choice{Label: label, Href: address("/dead-letters", with(f, "status", key)), On: on})
	}
	return c
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
		return some(n, "dead letter") + " replayed."
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

// confirm asks before any is dropped and says how many. Before many are replayed
// it has a dry run say what would come of it.
func (s *site) confirm(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	form := r.URL.Query()
	if form.Get("do") != "replay" {
		return s.ask(w, r, who, form, "", http.StatusOK)
	}
	job, err := s.desk.ReplayDead(r.Context(), who, s.deadQuery(form), desk.ReplayOptions{DryRun: true})
	if err != nil {
		return err
	}
	http.Redirect(w, r, address("/dead-letters/replays/"+job.ID, url.Values{"back": {backTo(form)}}), http.StatusSeeOther)
	return nil
}

// ask asks before any is dropped.
func (s *site) ask(w http.ResponseWriter, r *http.Request, who auth.Actor, form url.Values, wrong string, status int) error {
	v := confirmView{frame: s.frame(r, who, "Dead letters", "dead-letters"), Back: backTo(form), Wrong: wrong}
	if form.Get("do") != "drop" {
		return errNothing
	}
	result, err := s.desk.DropDead(r.Context(), who, s.deadQuery(form), true)
	if err != nil {
		return err
	}
	v.Count = result.Matched
	v.Word = v.Count > wordAbove
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

var errNothing = &desk.Fault{Kind: desk.ErrInvalid, Say: "Nothing was chosen to do."}

// wordAbove is how many may be dropped without typing the word.
const wordAbove = 10

// act drops, or replays one, and goes back with the number.
func (s *site) act(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	if err := r.ParseForm(); err != nil {
		return &desk.Fault{Kind: desk.ErrInvalid, Say: "The form could not be read. Go back and try again."}
	}
	q := s.deadQuery(r.PostForm)
	var result desk.Result
	var err error
	switch do := r.PostForm.Get("do"); {
	case do == "replay" && len(q.IDs) == 1:
		result, err = s.desk.ReplayOne(r.Context(), who, q.IDs[0])
	case do == "replay": // a form of many goes by its dry run
		r.URL.RawQuery = r.PostForm.Encode()
		return s.confirm(w, r, who)
	case do == "drop":
		result, err = s.desk.DropDead(r.Context(), who, q, true)
		if err == nil && result.Matched > wordAbove && r.PostForm.Get("word") != "drop" {
			return s.ask(w, r, who, r.PostForm, "Type the word drop.", http.StatusBadRequest)
		}
		if err == nil {
			result, err = s.desk.DropDead(r.Context(), who, q, false)
		}
	default:
		err = errNothing
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
