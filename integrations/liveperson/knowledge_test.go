package liveperson

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
)

func TestWhatAnAnswerTeaches(t *testing.T) {
	is := func(value string) lesson { return lesson{Value: value} }
	signal, reference := is("signal"), is("liveperson")
	var (
		blank     knowledge
		posted    = knowledge{Posted: true}
		candidate = knowledge{candidate: DialectLivePerson}
		known     = knowledge{Form: signal, Posted: true, Pages: is("sent"), OwnIDs: is("sent")}
		other     = knowledge{Form: reference}
		back      = knowledge{Form: reference, candidate: DialectSignal}
		trying    = knowledge{Posted: true, trial: &trial{from: "m1", result: judge(answer{status: 400, code: 5, message: "engagementAttributes[0].type"})}}
	)
	post := report{form: DialectSignal, from: "m1"}
	page := report{form: DialectSignal, from: "m1", pageOnly: true}
	cart := report{form: DialectSignal, from: "m1", named: true}
	first := report{form: DialectSignal, from: "m1", own: true}
	put := report{form: DialectLivePerson, from: "m1"}
	putCart := report{form: DialectLivePerson, from: "m1", named: true}

	const form, pages, own = "form=%s", "pages=%s", "own=%s"
	tests := []struct {
		name    string
		before  knowledge
		report  report
		answer  answer
		verdict attempt.Verdict
		trial   string // Result.Form
		want    string // what is known after
	}{
		{"a first report that is taken", blank, post, answer{status: 201}, attempt.Delivered, "", "posted"},
		{"a first page view that is taken", blank, page, answer{status: 201}, attempt.Delivered, "", "posted pages=sent"},
		{"a first cart that is taken", blank, cart, answer{status: 200}, attempt.Delivered, "", "posted form=signal"},
		{"own ids that are taken", blank, first, answer{status: 201}, attempt.Delivered, "", "posted own=sent"},
		{"all at once", blank, report{form: DialectSignal, named: true, own: true}, answer{status: 200}, attempt.Delivered, "", "posted form=signal own=sent"},
		{"what is known stays", known, page, answer{status: 200}, attempt.Delivered, "", "posted form=signal pages=sent own=sent"},

		{"405: the other form at once", blank, post, answer{status: 405}, attempt.Reform, "", "candidate=liveperson"},
		{"400/33: the other form at once", blank, post, answer{status: 400, code: 33}, attempt.Reform, "", "candidate=liveperson"},
		{"405 for a report from before the change", candidate, post, answer{status: 405}, attempt.Reform, "", "candidate=liveperson"},
		{"the other form is taken", candidate, put, answer{status: 201}, attempt.Delivered, "", "form=liveperson"},
		{"the other form waits for the account", candidate, put, answer{status: 202, code: 38}, attempt.Retry, "", "candidate=liveperson"},
		{"the other form is refused too: a person is asked, and the next begins anew", candidate, put, answer{status: 405}, attempt.Hold, "", ""},
		{"and with 400/33", candidate, put, answer{status: 400, code: 33}, attempt.Hold, "", ""},
		{"the app key is wrong in the other form", candidate, put, answer{status: 404, code: 18}, attempt.Hold, "", "candidate=liveperson"},
		{"a bad report in the other form", candidate, put, answer{status: 400, code: 5}, attempt.Dead, "", "candidate=liveperson"},
		{"a bad report from before the change", candidate, cart, answer{status: 400, code: 5}, attempt.Reform, "", "candidate=liveperson"},
		{"a cart from before the change is taken after all", candidate, cart, answer{status: 200}, attempt.Delivered, "", "posted form=signal"},
		{"a known form is refused: LivePerson changed", other, put, answer{status: 405}, attempt.Reform, "", "form=liveperson candidate=signal"},
		{"and the other one is taken", back, post, answer{status: 200}, attempt.Delivered, "", "posted"},
		{"and the other one is taken with a cart", back, cart, answer{status: 200}, attempt.Delivered, "", "posted form=signal"},
		{"and the other one is refused", back, post, answer{status: 405}, attempt.Hold, "", "form=liveperson"},
		{"Signal's form was known and is refused", known, post, answer{status: 405}, attempt.Reform, "", "posted form=signal pages=sent own=sent candidate=liveperson"},
		{"400/5 for a report of before in the known form", other, cart, answer{status: 400, code: 5}, attempt.Reform, "", "form=liveperson"},

		{"400/5 on a page view", posted, page, answer{status: 400, code: 5}, attempt.Reform, "", "posted pages=carried"},
		{"400/5 that names the attributes", posted, page, answer{status: 400, code: 5, message: "engagementAttributes"}, attempt.Reform, "", "posted pages=carried"},
		{"400/5 that names the visitor", posted, page, answer{status: 400, code: 5, message: "consumerId"}, attempt.Dead, "", "posted"},
		{"400/5 that names an identity", posted, page, answer{status: 400, code: 5, message: "identities.sub"}, attempt.Dead, "", "posted"},
		{"400/5 that names the address", posted, page, answer{status: 400, code: 5, message: "entryPoints"}, attempt.Dead, "", "posted"},
		{"400/5 that names one address", posted, page, answer{status: 400, code: 5, message: "entryPoints[0]"}, attempt.Dead, "", "posted"},
		{"400 without a code", posted, page, answer{status: 400}, attempt.Dead, "", "posted"},
		{"a page view from before it was known", knowledge{Pages: is("carried")}, page, answer{status: 400, code: 5}, attempt.Reform, "", "pages=carried"},
		{"one bad page view after others were taken", known, page, answer{status: 400, code: 5}, attempt.Dead, "", "posted form=signal pages=sent own=sent"},
		{"page views are refused as such by now", known, page, answer{status: 400, code: 5, message: "engagementAttributes"}, attempt.Reform, "", "posted form=signal pages=carried own=sent"},
		{"a lead says nothing of pages", posted, post, answer{status: 400, code: 5}, attempt.Dead, "", "posted"},

		{"400/5 on a cart: that report once in the other form", posted, cart, answer{status: 400, code: 5}, attempt.Reform, "liveperson", "posted trial"},
		{"400/5 that names its type", posted, cart, answer{status: 400, code: 5, message: "engagementAttributes[0].type", types: []string{"cartStatus"}}, attempt.Reform, "liveperson", "posted trial"},
		{"400/5 that names a lead beside it", posted, cart, answer{status: 400, code: 5, message: "engagementAttributes[0].lead.value", types: []string{"lead"}}, attempt.Dead, "", "posted"},
		{"400/5 that names the visitor of a cart", posted, cart, answer{status: 400, code: 5, message: "consumerId"}, attempt.Dead, "", "posted"},
		{"400/5 on a cart whose names were taken before", known, cart, answer{status: 400, code: 5}, attempt.Dead, "", "posted form=signal pages=sent own=sent"},
		{"the trial is taken: that form from then on", trying, putCart, answer{status: 201}, attempt.Delivered, "", "posted form=liveperson"},
		{"the trial is refused as well: its answer stands", trying, putCart, answer{status: 400, code: 5, message: "lead.value"}, attempt.Dead, "", "posted"},
		{"the trial is refused for its form: the first answer stands", trying, putCart, answer{status: 405}, attempt.Dead, "", "posted form=signal"},
		{"the trial finds nobody: the first answer stands, and nothing is paused", trying, putCart, answer{status: 404}, attempt.Dead, "", "posted"},
		{"the trial meets an outage", trying, putCart, answer{status: 503}, attempt.Retry, "", "posted"},
		{"the trial of another report is none of this one's business", trying, report{form: DialectLivePerson, from: "m2"}, answer{status: 200}, attempt.Delivered, "", "posted trial"},

		{"404/37 on own ids", posted, first, answer{status: 404, code: 37}, attempt.Rejoin, "", "posted own=none"},
		{"404/39 on own ids", blank, first, answer{status: 404, code: 39}, attempt.Rejoin, "", "own=none"},
		{"404/39 on LivePerson's ids", blank, post, answer{status: 404, code: 39}, attempt.Rejoin, "", ""},
		{"404/39 on own ids that were taken before", known, first, answer{status: 404, code: 39}, attempt.Rejoin, "", "posted form=signal pages=sent own=sent"},
		{"an outage teaches nothing", blank, first, answer{status: 503}, attempt.Retry, "", ""},
		{"a wrong app key teaches nothing", blank, cart, answer{status: 404, code: 18}, attempt.Hold, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Date(2026, 2, 25, 14, 30, 0, 0, time.UTC)
			k, got := tt.before.after(tt.report, &tt.answer, judge(tt.answer), now)
			var parts []string
			if k.Posted {
				parts = append(parts, "posted")
			}
			for _, l := range []struct {
				format string
				lesson lesson
				before lesson
			}{{form, k.Form, tt.before.Form}, {pages, k.Pages, tt.before.Pages}, {own, k.OwnIDs, tt.before.OwnIDs}} {
				if l.lesson.Value != "" {
					parts = append(parts, fmt.Sprintf(l.format, l.lesson.Value))
				}
				if l.lesson != l.before && l.lesson.Value != "" && (!l.lesson.Since.Equal(now) || l.lesson.From != tt.report.from) {
					t.Errorf("lesson %+v is not of %v and %q", l.lesson, now, tt.report.from)
				}
			}
			if k.candidate != "" {
				parts = append(parts, "candidate="+string(k.candidate))
			}
			if k.trial != nil {
				parts = append(parts, "trial")
			}
			if known := strings.Join(parts, " "); known != tt.want {
				t.Errorf("known = %q, want %q", known, tt.want)
			}
			if got.Verdict != tt.verdict || got.Form != tt.trial {
				t.Errorf("verdict = %v in form %q, want %v in %q", got.Verdict, got.Form, tt.verdict, tt.trial)
			}
			if got.Status != tt.answer.status || got.Code != tt.answer.code {
				t.Errorf("status %d, code %d, want %d, %d", got.Status, got.Code, tt.answer.status, tt.answer.code)
			}
			checkWords(t, got)
		})
	}
}

func TestTheFirstAnswerOfATrialStands(t *testing.T) {
	posted := knowledge{Posted: true}
	cart := report{form: DialectSignal, from: "m", named: true}
	bad := answer{status: 400, code: 5, message: "cartStatus.total"}
	k, _ := posted.after(cart, &bad, judge(bad), time.Time{})
	refused := answer{status: 405}
	_, got := k.after(report{form: DialectLivePerson, from: "m", named: true}, &refused, judge(refused), time.Time{})
	if got.Field != "cartStatus.total" || got.Why != "LivePerson refused cartStatus.total." || !got.Split || got.Status != 405 {
		t.Errorf("result = %+v, want the first with the status of the second", got)
	}
}

// A report waits for a scout only while something that it depends on was not
// seen to be taken.
func TestWhatIsAScout(t *testing.T) {
	is := func(value string) lesson { return lesson{Value: value} }
	signal := report{form: DialectSignal}
	page := report{form: DialectSignal, pageOnly: true}
	cart := report{form: DialectSignal, named: true}
	first := report{form: DialectSignal, own: true}
	put := report{form: DialectLivePerson}
	tests := []struct {
		name   string
		known  knowledge
		scouts []report
	}{
		{"nothing is known", knowledge{}, []report{signal, page, cart, first, put}},
		{"a report was taken", knowledge{Posted: true}, []report{page, cart, first, put}},
		{"and a page view", knowledge{Posted: true, Pages: is("sent")}, []report{cart, first, put}},
		{"and own ids", knowledge{Posted: true, Pages: is("sent"), OwnIDs: is("sent")}, []report{cart, put}},
		{"own ids were refused", knowledge{Posted: true, Pages: is("carried"), OwnIDs: is("none")}, []report{cart, put}},
		{"and a cart", knowledge{Posted: true, Form: is("signal"), Pages: is("sent"), OwnIDs: is("sent")}, []report{put}},
		{"the other form is tried", knowledge{candidate: DialectLivePerson}, []report{signal, page, cart, first, put}},
		{"the other form is known", knowledge{Form: is("liveperson")}, []report{signal, page, cart, first}},
		{"the other form is known, and refused by now", knowledge{Form: is("liveperson"), candidate: DialectSignal}, []report{signal, page, cart, first, put}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []report{signal, page, cart, first, put} {
				if got, want := tt.known.scout(r), slices.Contains(tt.scouts, r); got != want {
					t.Errorf("scout of %+v = %v, want %v", r, got, want)
				}
			}
		})
	}
}
