package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
)

// A jobLine is one number of a replay, with what it means.
type jobLine struct {
	Outcome string // the glyph
	Bold    string
	More    string
	Href    string
}

// firstLook is how long the page of a replay waits for its end: a small dry run
// is through by then.
const firstLook = 700 * time.Millisecond

// running gives the replays that are under way, dry runs left out.
func (s *site) running(who auth.Actor) []desk.Replay {
	all, err := s.desk.Replays(who)
	if err != nil {
		return nil
	}
	var out []desk.Replay
	for _, j := range all {
		if !j.Ended() && !j.DryRun {
			out = append(out, j)
		}
	}
	return out
}

// replayJob shows a replay: what a dry run found with the button that begins it,
// how far it is with the button that stops it, and what came of it.
func (s *site) replayJob(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	long := firstLook
	if r.URL.Query().Has("now") { // the page asks how far it is
		long = 0
	}
	j, err := s.desk.Replay(r.Context(), who, r.PathValue("id"), long)
	if err != nil {
		return err
	}
	v := replayView{frame: s.frame(r, who, jobTitle(j), "dead-letters"), Replay: j, Back: backTo(r.URL.Query()), MayAct: who.Role.May(auth.Editor)}
	v.Lines = jobLines(&j)
	v.Word = jobWord(j)
	v.Would = j.Sent
	if ev := j.Events; ev != nil && !j.Oldest.IsZero() && ev.From.Before(j.Oldest) {
		v.Missing = true
	}
	render(w, r, http.StatusOK, replayPage(v))
	return nil
}

// replayGo begins what a dry run was about.
func (s *site) replayGo(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	dry, err := s.desk.Replay(r.Context(), who, r.PathValue("id"), 0)
	if err != nil {
		return err
	}
	o := desk.ReplayOptions{Rate: dry.Rate}
	var j desk.Replay
	if dry.Events != nil {
		j, err = s.desk.ReplayEvents(r.Context(), who, *dry.Events, o)
	} else {
		q := *dry.Letters
		if q.To.IsZero() { // what died since was not in the dry run
			q.To = dry.StartedAt
		}
		j, err = s.desk.ReplayDead(r.Context(), who, q, o)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, address("/dead-letters/replays/"+j.ID, url.Values{"back": {backTo(r.URL.Query())}}), http.StatusSeeOther)
	return nil
}

func (s *site) replayStop(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	j, err := s.desk.StopReplay(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	http.Redirect(w, r, address("/dead-letters/replays/"+j.ID, url.Values{"back": {backTo(r.URL.Query())}}), http.StatusSeeOther)
	return nil
}

// noun is what a replay is about.
func jobNoun(j desk.Replay) string {
	if j.Events != nil {
		return "stored event"
	}
	return "dead letter"
}

func jobTitle(j desk.Replay) string {
	switch {
	case j.DryRun && j.Ended():
		return "Replay " + some(j.Matched, jobNoun(j)) + "?"
	case j.DryRun:
		return "Dry run"
	case j.State == desk.ReplaySearching:
		return "Replay of stored events"
	}
	return "Replay of " + some(j.Matched, jobNoun(j))
}

// jobWord says in a sentence how a replay stands.
func jobWord(j desk.Replay) string {
	rest := count(j.Matched-j.Done) + " were not sent and are as they were."
	switch j.State {
	case desk.ReplaySearching:
		return "Signal looks for the stored events."
	case desk.ReplayRunning:
		return count(j.Done) + " of " + count(j.Matched) + "."
	case desk.ReplayStopping:
		return "It stops after what is under way."
	case desk.ReplayStopped:
		return "Stopped. " + rest
	case desk.ReplayFailed:
		return "It ended early. " + rest
	}
	if j.DryRun {
		return "A dry run of " + some(j.Matched, jobNoun(j)) + " is done, nothing was sent yet:"
	}
	return "It is through. What was sent is pending until the vendor has answered."
}

// jobLines puts the numbers of a replay into words.
func jobLines(j *desk.Replay) []jobLine {
	verb := func(n int) string {
		switch {
		case j.DryRun:
			return " would be "
		case n == 1:
			return " was "
		}
		return " were "
	}
	var out []jobLine
	add := func(n int, outcome, what, more string) {
		if n > 0 {
			out = append(out, jobLine{Outcome: outcome, Bold: count(n) + what, More: more})
		}
	}
	plain := j.Sent - j.Repeats - j.Same
	if j.Sent == 0 || plain < 0 {
		plain = 0
	}
	add(plain, "delivered", verb(plain)+"sent.", "")
	add(j.Repeats, "delivered", verb(j.Repeats)+"sent a second time.", "The vendor has them already.")
	add(j.Same, "dead", verb(j.Same)+"the same request that was given up.", "They help only if the cause is gone.")
	add(j.Short, "filtered", " of these without a field.", "It could not be made; the Event Debugger says which.")
	for _, reason := range j.Reasons {
		n := int(reason.Count)
		if reason.Outcome == "filtered" {
			add(n, "filtered", verb(n)+"filtered.", sentence(desk.Say(reason.Reason)))
		} else {
			add(n, "pending", ": left as they are.", sentence(desk.Say(reason.Reason)))
		}
	}
	add(j.Pending, "pending", " still wait to be sent.", "They are not sent a second time.")
	add(j.Gone, "filtered", " are on the list no more.", "Somebody replayed or dropped them meanwhile.")
	add(j.NotKept, "filtered", " are not stored any more.", "")
	return out
}

// jobLinks lead from what a replay did to its events.
func jobLinks(j *desk.Replay) []choice {
	if j.DryRun || j.Sent+j.Filtered == 0 {
		return nil
	}
	q := url.Values{}
	switch {
	case j.Events != nil:
		q.Set("integration", j.Events.Integration)
	case strings.Contains(j.Letters.Integration, "/"):
		q.Set("integration", j.Letters.Integration)
	}
	var out []choice
	for _, o := range desk.Outcomes {
		if o != "carried" {
			out = append(out, choice{Label: upper(string(o)), Href: address("/debugger", with(q, "outcome", string(o))), Tag: string(o)})
		}
	}
	return out
}
