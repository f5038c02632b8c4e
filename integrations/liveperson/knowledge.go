package liveperson

import (
	"strings"
	"time"

	"github.com/datafly/signal/attempt"
)

// LivePerson's Monitoring API is described in two ways, and only LivePerson's
// answers show which one an account goes by. With the dialect auto Signal
// learns three things, apart from each other:
//
//	form         405, or 400 code 33: the other form is tried at once, by all
//	             reports. 400 code 5 on a report with a cart or a search: that
//	             report once in LivePerson's own form. What is taken is known.
//	pages alone  400 code 5 on a page view without anything else
//	own ids      404 code 37 or 39 on a visitor's first report
//
// knowledge is what was learned. It is a value: after gives another.
type knowledge struct {
	Form   lesson // DialectSignal or DialectLivePerson
	Pages  lesson // pagesAlone or pagesCarried
	OwnIDs lesson // ownSent or ownNone

	// Posted says that a report in Signal's form was taken, whatever was in it.
	Posted bool

	// candidate is the form that is tried since the one in force was refused.
	// It is in force until it is taken, which makes it known, or refused.
	candidate Dialect
	// trial is the one report that is tried in LivePerson's form.
	trial *trial
}

// A lesson is one thing that was learned; the zero lesson is not known yet.
type lesson struct {
	Value string    `json:"value"`
	Since time.Time `json:"since,omitzero"`
	From  string    `json:"from,omitempty"` // message id of the event that taught it
}

// What can be known beside the form.
const (
	pagesAlone   = "sent"    // a page view is taken without anything else
	pagesCarried = "carried" // its address waits for the visitor's next report
	ownSent      = "sent"    // Signal's own ids are taken on a first report
	ownNone      = "none"    // a first report goes without ids
)

// A trial is a report that was refused in Signal's form.
type trial struct {
	from   string         // message id of its first event
	result attempt.Result // what stands if the other form is refused as such
}

// A report is what learning needs to know of a request.
type report struct {
	form     Dialect
	from     string
	pageOnly bool // no SDEs
	named    bool // it has a cart or a search, whose names differ
	own      bool // it carries Signal's own ids
}

// force is the form that reports go in.
func (k *knowledge) force() Dialect {
	switch {
	case k.candidate != "":
		return k.candidate
	case k.Form.Value == string(DialectLivePerson):
		return DialectLivePerson
	}
	return DialectSignal
}

// scout reports whether LivePerson has yet to take a report like this one.
func (k *knowledge) scout(r report) bool {
	if r.form == DialectLivePerson || k.candidate != "" {
		return k.candidate != "" || k.Form.Value != string(r.form)
	}
	formOpen := k.Form.Value == ""
	return formOpen && !k.Posted || k.Form.Value == string(DialectLivePerson) ||
		r.named && formOpen ||
		r.pageOnly && k.Pages.Value == "" ||
		r.own && k.OwnIDs.Value == ""
}

// learns reports whether a report that was taken can still teach anything.
func (k *knowledge) learns(form Dialect) bool {
	if k.candidate != "" || k.trial != nil {
		return true
	}
	return form == DialectSignal && (k.Form.Value == "" || k.Pages.Value == "" || k.OwnIDs.Value == "")
}

// after gives what is known after the answer a to the report r, and what that
// makes of its result.
func (k knowledge) after(r report, a *answer, result attempt.Result, now time.Time) (knowledge, attempt.Result) {
	first := k.trial
	tried := first != nil && r.form == DialectLivePerson && first.from == r.from
	if tried {
		k.trial = nil
	}
	learned := func(value string) lesson { return lesson{value, now, r.from} }
	switch {
	case result.Verdict == attempt.Delivered:
		return k.taken(r, tried, learned), result
	case tried && result.Verdict == attempt.Hold:
		// The other form is no way out, so the first answer stands: one bad
		// report does not stop the others.
		if result.Cause == causeOtherForm {
			k.Form = learned(string(DialectSignal))
		}
		return k, first.instead(result)
	case result.Cause == causeOtherForm:
		return k.formRefused(r, result)
	case a.status == 400 && a.code == codeInvalid:
		return k.invalid(r, result, learned)
	case result.Verdict == attempt.Rejoin && r.own && k.OwnIDs.Value == "":
		k.OwnIDs = learned(ownNone)
	}
	return k, result
}

// instead is the result of the first try, with the status of the second.
func (t *trial) instead(second attempt.Result) attempt.Result {
	r := t.result
	r.Status, r.Code = second.Status, second.Code
	return r
}

// taken learns from a report that LivePerson took.
func (k knowledge) taken(r report, tried bool, learned func(string) lesson) knowledge {
	if r.form == DialectLivePerson {
		if tried || k.candidate == DialectLivePerson {
			k.Form, k.candidate = learned(string(DialectLivePerson)), ""
		}
		return k
	}
	k.Posted = true
	if k.candidate == DialectSignal { // LivePerson's own form was known, and is refused by now
		k.Form, k.candidate = lesson{}, ""
	}
	if r.named && k.Form.Value == "" {
		k.Form, k.candidate = learned(string(DialectSignal)), ""
	}
	if r.pageOnly && k.Pages.Value == "" {
		k.Pages = learned(pagesAlone)
	}
	if r.own && k.OwnIDs.Value == "" {
		k.OwnIDs = learned(ownSent)
	}
	return k
}

// formRefused goes on with the other form; when both were refused, a person is
// asked, and the next report begins with the first again.
func (k knowledge) formRefused(r report, result attempt.Result) (knowledge, attempt.Result) {
	switch {
	case r.form != k.force(): // it was built before the form changed
	case k.candidate != "":
		k.candidate = ""
		return k, result
	case r.form == DialectSignal:
		k.candidate = DialectLivePerson
	default:
		k.candidate = DialectSignal
	}
	return k, become(result, causeTryOther)
}

// invalid learns from a report whose content was refused.
func (k knowledge) invalid(r report, result attempt.Result, learned func(string) lesson) (knowledge, attempt.Result) {
	switch {
	case r.form != k.force() && k.candidate != "", r.form == DialectSignal && k.force() == DialectLivePerson:
		return k, become(result, causeTryOther) // it was built before the form changed
	case r.form != DialectSignal:
		return k, result
	case r.pageOnly && aboutPages(result.Field):
		return k.pageRefused(result, learned)
	case r.named && k.Form.Value == "" && aboutNames(result.Field):
		k.trial = &trial{r.from, result}
		next := become(result, causeTryNames)
		next.Form = string(DialectLivePerson)
		return k, next
	}
	return k, result
}

// pageRefused carries pages from then on. Once one was taken by itself, it takes
// more than a refusal to doubt that.
func (k knowledge) pageRefused(result attempt.Result, learned func(string) lesson) (knowledge, attempt.Result) {
	switch {
	case k.Pages.Value == pagesCarried: // it was built before that was known
	case k.Pages.Value == "", result.Field == "engagementAttributes":
		k.Pages = learned(pagesCarried)
	default:
		return k, result
	}
	return k, become(result, causeCarryPages)
}

// aboutPages reports whether the refusal of a page view that names field may
// mean that it has no SDE.
func aboutPages(field string) bool {
	return !identityFields[field] && !strings.HasPrefix(field, "entryPoints")
}

// aboutNames reports whether a refusal that names field may mean the names of
// carts and searches: it names one of them, or nothing in particular.
func aboutNames(field string) bool {
	if !aboutPages(field) {
		return false
	}
	root, _, _ := strings.Cut(field, ".")
	root, _, _ = strings.Cut(root, "[")
	switch root {
	case "", "type", "engagementAttributes", "cartStatus", "cart", "searchContent", "searchInfo":
		return true
	}
	return sdes[root] == nil
}
