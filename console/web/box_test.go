package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/trace"
)

var (
	noon   = time.Date(2026, 2, 25, 12, 0, 0, 0, time.UTC)
	editor = acting{may: true, back: "/here"}
	viewer = acting{whose: "Your role is viewer."}
	facts4 = []integrations.Fact{{Name: "form", Value: "liveperson", Say: "It wants PUT.", From: "m1"}}
)

func fares(state, reason string, code, own int) desk.IntegrationStatus {
	return desk.IntegrationStatus{
		ID: "shop/lp", Name: "LP", Vendor: "liveperson", State: state, Reason: reason, Remedy: "Do it.", Since: noon, NextProbe: noon.Add(5 * time.Minute),
		AnswerStatus: code, AnswerCode: own, Waiting: 1284, Visitors: 847,
	}
}

// labels names the buttons: what they do, and whether they may.
func labels(acts []act) string {
	var out []string
	for _, a := range acts {
		s := a.Label + " " + a.Href + a.Post
		if a.Class == "main" {
			s = "*" + s
		}
		if a.Off != "" {
			s = a.Label + " (off)"
		}
		out = append(out, strings.TrimSpace(s))
	}
	return strings.Join(out, " · ")
}

func TestTroubleOfAnIntegration(t *testing.T) {
	tests := []struct {
		name       string
		s          desk.IntegrationStatus
		what, safe string
	}{
		{"paused", fares(desk.Paused, "LivePerson does not know this app key.", 404, 18), "LivePerson does not know this app key.",
			"It answered 404 with code 18. 1,284 events of 847 visitors wait in order, and none is lost. One report probes from time to time whether it works again."},
		{"what stands behind the reason's first sentence is below it, and the answer is not said twice", fares(desk.Holding, "LivePerson does not take reports now. It answered 503.", 503, 0), "LivePerson does not take reports now.",
			"It answered 503. 1,284 events of 847 visitors wait in order, and none is lost. One report probes from time to time whether it works again."},
		{"no answer", fares(desk.Holding, "LivePerson does not take reports now. It did not answer in time.", 0, 0), "LivePerson does not take reports now.",
			"It did not answer in time. 1,284 events of 847 visitors wait in order, and none is lost. One report probes from time to time whether it works again."},
		{"slowed", func() desk.IntegrationStatus {
			s := fares(desk.Slowed, "The vendor asked for fewer.", 0, 0)
			s.Rate, s.Waiting = &desk.Rate{PerSecond: 50, Limit: 100}, 1
			return s
		}(), "LivePerson asks to go slower, so LP sends 50 of 100 requests a second.", "1 event waits, and it is not lost. The rate recovers by itself."},
		{"retrying", func() desk.IntegrationStatus {
			s := fares(desk.Retrying, "3 visitors wait for another try.", 0, 0)
			s.Waiting, s.Visitors = 7, 0
			return s
		}(), "3 visitors wait for another try.", "7 events wait in order, and none is lost."},
		{"nothing waits yet", func() desk.IntegrationStatus {
			s := fares(desk.Paused, "It is so.", 0, 0)
			s.Waiting = 0
			return s
		}(), "It is so.", "No event waits. What comes meanwhile waits in order, and none is lost. One report probes from time to time whether it works again."},
	}
	for _, tt := range tests {
		b := editor.trouble(tt.s)
		if b.What != tt.what || b.Safe != tt.safe || b.Kind != "pending" || b.Remedy != "Do it." || b.NextTry.IsZero() {
			t.Errorf("%s:\n got %q %q\nwant %q %q", tt.name, b.What, b.Safe, tt.what, tt.safe)
		}
	}
	for _, state := range []string{desk.Healthy, desk.Off, ""} {
		if b := editor.trouble(fares(state, "Whatever.", 0, 0)); b != nil {
			t.Errorf("%q has a box: %+v", state, b)
		}
	}
}

// Every fix there is, for an integration that learns, one that does not, and
// for who may not change anything.
func TestEveryFixHasItsButtonOrNone(t *testing.T) {
	const learn, settings, resume = "Learn again /integrations/learn-again", "Settings of LP /integrations/shop/lp#settings", "Resume /integrations/resume"
	want := map[attempt.Fix][2]string{
		"":                    {"*" + resume, "*" + resume},
		attempt.FixSettings:   {"*" + settings + " · " + resume, "*" + settings + " · " + resume},
		attempt.FixDomain:     {"*" + learn + " · " + settings + " · " + resume, "*" + settings + " · " + resume},
		attempt.FixMapping:    {"*" + resume, "*" + resume},
		attempt.FixIdentities: {"*" + settings + " · " + resume, "*" + settings + " · " + resume},
		attempt.FixForm:       {"*" + learn + " · " + resume, "*" + resume},
		attempt.FixRate:       {"*" + settings + " · " + resume, "*" + settings + " · " + resume},
		attempt.FixReplay:     {"*" + resume, "*" + resume},
	}
	for fix, w := range want {
		for i, facts := range [][]integrations.Fact{facts4, nil} {
			s := fares(desk.Paused, "It is so.", 404, 18)
			s.Learned = facts
			acts := editor.fixes(s, fix)
			if got := labels(acts); got != w[i] {
				t.Errorf("fix %q, learned %v: %s, want %s", fix, facts != nil, got, w[i])
			}
			for _, a := range acts {
				if a.Post != "" && fmt.Sprint(a.Fields) != "[[id shop/lp] [back /here]]" {
					t.Errorf("fix %q: %s posts %v", fix, a.Label, a.Fields)
				}
			}
			for _, a := range viewer.fixes(s, fix) {
				if a.Post != "" || (a.Href == "") != (a.Off == viewer.whose) {
					t.Errorf("fix %q: a viewer gets %+v", fix, a)
				}
			}
		}
	}
	here := acting{may: true, here: true}
	s := fares(desk.Holding, "It is so.", 503, 0)
	if got := labels(here.fixes(s, attempt.FixSettings)); got != "*See the settings #settings" {
		t.Errorf("on its own page: %s", got)
	}
	if got := labels(editor.fixes(s, "")); got != "" {
		t.Errorf("a vendor that is down leaves nothing to do, and there is %s", got)
	}
}

func TestStateInWords(t *testing.T) {
	slowed := fares(desk.Slowed, "", 0, 0)
	slowed.Rate = &desk.Rate{PerSecond: 33.333, Limit: 1000, SlowedAt: noon}
	slowest := fares(desk.Slowed, "", 0, 0)
	slowest.Rate = &desk.Rate{PerSecond: 1.25, Limit: 5}
	unsaid := fares(desk.Paused, "", 0, 0)
	unsaid.Since = time.Time{}
	tests := []struct {
		in             desk.IntegrationStatus
		outcome, words string
		since          bool
	}{
		{fares(desk.Healthy, "", 0, 0), "delivered", "Healthy", false},
		{fares(desk.Paused, "", 404, 18), "paused", "Paused since", true},
		{unsaid, "paused", "Paused", false},
		{fares(desk.Holding, "", 503, 0), "pending", "Holding back: LivePerson answers 503", false},
		{fares(desk.Holding, "", 0, 0), "pending", "Holding back: LivePerson does not answer", false},
		{slowed, "pending", "Slower: 33 of 1,000 requests a second since", true},
		{slowest, "pending", "Slower: 1.3 of 5 requests a second", false},
		{fares(desk.Slowed, "", 0, 0), "pending", "Slower: fewer requests a second", false},
		{fares(desk.Retrying, "", 0, 0), "pending", "Trying again", false},
		{fares(desk.Off, "", 0, 0), "filtered", "Off", false},
	}
	for _, tt := range tests {
		if outcome, words, since := stateWord(tt.in); outcome != tt.outcome || words != tt.words || since.IsZero() == tt.since {
			t.Errorf("%s = %s, %q, %v, want %s, %q", tt.in.State, outcome, words, since, tt.outcome, tt.words)
		}
	}
}

// routed is an opened event with one integration.
func routed(o trace.Outcome, reason string, s desk.IntegrationStatus, attempts ...desk.Attempt) *telling {
	t := &telling{who: editor, status: s, e: desk.EventDetail{}}
	t.e.MessageID = "m1"
	t.route = desk.RouteDetail{Integration: "shop/lp", Outcome: o, Reason: reason, Attempts: attempts}
	if last := t.route.Last(); last != nil {
		t.route.Remedy = last.Remedy
	}
	t.sent = t.route.LastSent()
	return t
}

func try(n int, o trace.Outcome, verdict, reason string, status, code int) desk.Attempt {
	return desk.Attempt{
		Try: n, Outcome: o, Verdict: verdict, Reason: reason, Remedy: "Do it.", Request: &desk.Request{Dialect: "signal"},
		Answer: &desk.Answer{Status: status, Code: code},
	}
}

func TestBoxOfAnEvent(t *testing.T) {
	checked := []attempt.Check{{What: "app key", Wrong: true, Say: "It is wrong."}}
	paused := fares(desk.Paused, "LivePerson does not know this app key.", 404, 18)
	paused.Checks, paused.Fix = checked, attempt.FixSettings
	refused := try(1, trace.Dead, "dead", "LivePerson refused lead.currency.", 400, 5)
	refused.Explanation = desk.Explanation{Fix: attempt.FixMapping, Field: "lead.currency", Checks: checked}
	foreign := try(1, trace.Dead, "dead", "Something else answered for LivePerson.", 400, 0)
	foreign.Fix = attempt.FixReplay
	healthy := fares(desk.Healthy, "", 0, 0)
	dead := func(a desk.Attempt, explain, id string) *telling {
		t := routed(trace.Dead, a.Reason, paused, a)
		t.route.Explain, t.deadID = []byte(explain), id
		return t
	}
	tests := []struct {
		name             string
		t                *telling
		what, safe, acts string
		checks           int
	}{
		{
			"the one that paused it", routed(trace.Pending, paused.Reason, paused, try(1, trace.Pending, "hold", paused.Reason, 404, 18)),
			"LivePerson does not know this app key, so LP is paused since ", "It answered 404 with code 18. 1,284 events",
			"*Settings of LP /integrations/shop/lp#settings · Resume /integrations/resume", 1,
		},
		{"one that waits behind the pause", routed(trace.Pending, "", paused), "LivePerson does not know this app key, so LP is paused since ", "It answered 404", "*Settings of LP /integrations/shop/lp#settings · Resume /integrations/resume", 1},
		{"one that waits while the vendor is down", routed(trace.Pending, "", fares(desk.Holding, "LivePerson does not take reports now.", 503, 0)), "LivePerson does not take reports now, so LP holds back since ", "It answered 503. 1,284", "", 0},
		{
			"its own next try", routed(trace.Pending, "", healthy, try(2, trace.Pending, "retry", "LivePerson is still loading this account.", 202, 38)),
			"LivePerson is still loading this account.", "It answered 202 with code 38. It waits in order with the later events of this visitor, and none is lost.", "", 0,
		},
		{"it waits for its turn", routed(trace.Pending, "", healthy), "", "", "", 0},
		{
			"refused, and the field is known", dead(refused, `[{"target":"engagementAttributes[0].lead.currency","source":"properties.currency","value":"€"}]`, "d1"),
			"LivePerson refused lead.currency.", "It answered 400 with code 5. It was given up and is kept with the dead letters", "Which source fed it #fed · All with this reason /dead-letters?integration=shop%2Flp&reason=LivePerson+refused+lead.currency.", 1,
		},
		{
			"refused, and nothing says what fed the field", dead(refused, ``, "d1"),
			"LivePerson refused lead.currency.", "It answered 400 with code 5.", "All with this reason /dead-letters?integration=shop%2Flp&reason=LivePerson+refused+lead.currency.", 1,
		},
		{
			"it may pass now", dead(foreign, ``, "d1"),
			"Something else answered for LivePerson.", "It answered 400.", "*Replay /dead-letters/act · All with this reason /dead-letters?integration=shop%2Flp&reason=Something+else+answered+for+LivePerson.", 0,
		},
		{"dropped since", dead(foreign, ``, ""), "Something else answered for LivePerson.", "It answered 400. It was given up, and somebody has dropped it since.", "All with this reason /dead-letters?integration=shop%2Flp&reason=Something+else+answered+for+LivePerson.", 0},
		{"delivered needs none", routed(trace.Delivered, "", healthy, try(1, trace.Delivered, "delivered", "", 200, 0)), "", "", "", 0},
	}
	for _, tt := range tests {
		b := tt.t.box()
		if tt.what == "" {
			if b != nil {
				t.Errorf("%s has a box: %+v", tt.name, b)
			}
			continue
		}
		if b.What != tt.what || !strings.HasPrefix(b.Safe, tt.safe) || labels(b.Acts) != tt.acts || len(b.Checks) != tt.checks || b.Remedy != "Do it." {
			t.Errorf("%s:\n got %q %q %s, %d checks\nwant %q %q %s, %d", tt.name, b.What, b.Safe, labels(b.Acts), len(b.Checks), tt.what, tt.safe, tt.acts, tt.checks)
		}
		if kind := map[bool]string{true: "dead", false: "pending"}[tt.t.route.Outcome == trace.Dead]; b.Kind != kind {
			t.Errorf("%s is %s, want %s", tt.name, b.Kind, kind)
		}
	}
}

// What the answers led to, in words.
func TestWhatFollowedFromAnswers(t *testing.T) {
	reform := try(1, trace.Pending, "reform", "LivePerson wants the other dialect.", 405, 0)
	other := try(2, trace.Delivered, "delivered", "", 201, 0)
	other.Request = &desk.Request{Dialect: "liveperson"}
	same := try(2, trace.Delivered, "delivered", "", 200, 0)
	same.Notes = []string{"The cart of this event is left out: a later one replaces it."}
	page := try(1, trace.Pending, "reform", "LivePerson takes no page view by itself.", 400, 5)
	carried := desk.Attempt{Outcome: trace.Carried}
	tests := []struct {
		name     string
		attempts []desk.Attempt
		want     string // of the stage
		meant    string // of the first row of the table
	}{
		{
			"another form, and it was learned", []desk.Attempt{reform, other},
			"Try 1 was answered 405 Method Not Allowed. LivePerson wants the other dialect. Sent again at once in the form liveperson.|Learned from this report: form is liveperson. It wants PUT.",
			"LivePerson wants the other dialect. Sent again at once in the form liveperson.",
		},
		{
			"another form of the same name", []desk.Attempt{reform, same},
			"Try 1 was answered 405 Method Not Allowed. LivePerson wants the other dialect. Sent again at once in another form.|Learned from this report: form is liveperson. It wants PUT.|The cart of this event is left out: a later one replaces it.",
			"LivePerson wants the other dialect. Sent again at once in another form.",
		},
		{
			"another visit", []desk.Attempt{try(1, trace.Pending, "rejoin", "LivePerson does not know this visit any more.", 404, 39), same},
			"Try 1 was answered 404 · code 39. LivePerson does not know this visit any more. Sent again at once without the ids of the visit.|Learned from this report: form is liveperson. It wants PUT.|The cart of this event is left out: a later one replaces it.",
			"LivePerson does not know this visit any more. Sent again at once without the ids of the visit.",
		},
		{
			"a page that is carried from now on", []desk.Attempt{page, carried},
			"Try 1 was answered 400 · code 5. LivePerson takes no page view by itself. Do it.|Learned from this report: form is liveperson. It wants PUT.",
			"LivePerson takes no page view by itself. Do it.",
		},
		{
			"a report of several in which one part was refused", []desk.Attempt{try(1, trace.Pending, "dead", "LivePerson refused lead.currency.", 400, 5), same},
			"Try 1 was answered 400 · code 5. LivePerson refused lead.currency. Sent again at once in parts, to find the one at fault.|Learned from this report: form is liveperson. It wants PUT.|The cart of this event is left out: a later one replaces it.",
			"LivePerson refused lead.currency. Sent again at once in parts, to find the one at fault.",
		},
		{"a retry after a pause is no more than that", []desk.Attempt{try(1, trace.Pending, "retry", "LivePerson does not take reports now.", 503, 0)}, "Learned from this report: form is liveperson. It wants PUT.", "LivePerson does not take reports now."},
		{"nothing was sent", nil, "Learned from this report: form is liveperson. It wants PUT.", ""},
	}
	for _, tt := range tests {
		tell := routed(trace.Delivered, "", fares(desk.Healthy, "", 0, 0), tt.attempts...)
		tell.status.Learned = append(facts4, integrations.Fact{Name: "own ids"}, integrations.Fact{Name: "domain", Value: "x", From: "another event"})
		if got := strings.Join(tell.followed(), "|"); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
		if rows := attemptRows(tt.attempts); len(rows) != len(tt.attempts) || len(rows) > 0 && rows[0].Meant != tt.meant {
			t.Errorf("%s: the table says %+v, want %s", tt.name, rows, tt.meant)
		}
	}
	if rows := attemptRows([]desk.Attempt{same, carried}); rows[0].Meant != "Delivered" || rows[1].Meant != "Carried" {
		t.Errorf("ends without a reason = %q, %q", rows[0].Meant, rows[1].Meant)
	}
}

func TestTheEventsPartOfAReportIsMarked(t *testing.T) {
	const (
		who  = `"consumerId":"ann","identities":[{"sub":"ann"}],`
		look = `{"type":"prodView","products":[{"product":{"name":"Mug"}}]}`
		cart = `{"type":"cartStatus","total":48.00}`
	)
	tests := []struct {
		name, payload, body string
		alone               bool
		want                string // the marked values, in order
	}{
		{"its attribute among others", `{` + who + `"a":[` + cart + `]}`, `{` + who + `"a":[` + look + `,` + cart + `]}`, false, cart},
		{"in a report of its own nothing is told apart", `{"a":[` + cart + `]}`, `{"a":[` + look + `,` + cart + `]}`, true, ""},
		{"its address among others", `{"e":["https://x/1"]}`, `{"e":["https://x/1","https://x/2"]}`, false, `"https://x/1"`},
		{"what is the same for all is not marked", `{` + who + `"a":[]}`, `{` + who + `"a":[` + look + `]}`, false, ""},
		{"of two equal ones nobody knows whose it is", `{"a":[` + cart + `]}`, `{"a":[` + cart + `,` + cart + `]}`, false, ""},
		{"two equal ones that are both its own", `{"a":[` + cart + `,` + cart + `]}`, `{"a":[` + cart + `,` + cart + `,` + look + `]}`, false, cart + cart},
		{"another form of it is not found", `{"a":[` + cart + `]}`, `{"a":[{"type":"cart","total":48.00},` + look + `]}`, false, ""},
		{"other digits are another value", `{"a":[{"total":48.0}]}`, `{"a":[{"total":48.00},` + look + `]}`, false, ""},
		{"no JSON", `{"a":[1]}`, `<html>`, false, ""},
		{"no payload", ``, `{"a":[1]}`, false, ""},
	}
	for _, tt := range tests {
		sent := &desk.Attempt{With: []string{"m2"}, Request: &desk.Request{Body: []byte(tt.body)}}
		if tt.alone {
			sent.With = nil
		}
		own := ownPart(sent, []byte(tt.payload))
		if (own == nil) != (tt.want == "") {
			t.Errorf("%s: a part is known: %t", tt.name, own != nil)
		}
		view := renderJSON([]byte(tt.body), own)
		var marked strings.Builder
		for _, piece := range strings.Split(view, "<mark>")[1:] {
			inside, _, _ := strings.Cut(piece, "</mark>")
			marked.WriteString(plain(inside))
		}
		got, want := strings.Join(strings.Fields(marked.String()), ""), strings.Join(strings.Fields(tt.want), "")
		if got != want || plain(view) != plain(renderJSON([]byte(tt.body), nil)) {
			t.Errorf("%s: marked %s, want %s, in\n%s", tt.name, got, want, plain(view))
		}
	}
}

func TestLearnedBesideTheSettings(t *testing.T) {
	settings := map[string]any{"monitoring_domain": "va.example", "dialect": "auto", "a_form": "x", "b_form": "y", "own ids": 3}
	got := learned([]integrations.Fact{
		{Name: "domain", Value: "lo.example", Since: noon}, {Name: "domain", Value: "va.example"}, {Name: "domain"},
		{Name: "form", Value: "z", From: "m 1"}, {Name: "own ids", Value: "none"},
	}, settings)
	want := `[{Domain lo.example  2026-02-25 12:00:00 +0000 UTC  va.example} {Domain va.example  0001-01-01 00:00:00 +0000 UTC  } {Domain   0001-01-01 00:00:00 +0000 UTC  } {Form z  0001-01-01 00:00:00 +0000 UTC /debugger/m%201 } {Own ids none  0001-01-01 00:00:00 +0000 UTC  }]`
	if fmt.Sprint(got) != want {
		t.Errorf("learned =\n%v\nwant\n%s", got, want)
	}
}
