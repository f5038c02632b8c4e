package liveperson

import (
	"slices"
	"strings"

	"github.com/datafly/signal/attempt"
)

// A Cause is one way in which a try does not come out as it should: what it is,
// what that means for the report, and what a person does about it. The causes
// are the one place for these words.
type Cause struct {
	// Name is attempt.Result.Cause: "unknown_app_key".
	Name string
	// When says which answers it is: "404 with code 18".
	When string
	// Headline is what happened, with LivePerson as the doer. "{field}" stands
	// for the field that LivePerson named.
	Headline string
	// Remedy is what to do. "{field}" stands for the field.
	Remedy string
	// Fix is what mends it; empty when there is nothing to do but wait.
	Fix     attempt.Fix
	Verdict attempt.Verdict

	slow, outage, split bool // as in attempt.Result
	moved               bool // the account's domain may have changed
}

// The names of the causes.
const (
	causeLoading      = "loading_account"
	causeUnknownVisit = "unknown_visit"
	causeNoVisit      = "unknown_visit_without_ids"
	causeTooFast      = "too_fast"
	causeCapped       = "capped"
	causeUnavailable  = "unavailable"
	causeStopped      = "signal_stopped"
	causeRedirect     = "redirect"
	causeForeign      = "foreign_answer"
	causeForeignNo    = "foreign_refusal"
	causeAppKey       = "unknown_app_key"
	causeAccount      = "unknown_account"
	causeDomain       = "wrong_domain"
	causePlainHTTP    = "plain_http"
	causeAddress      = "no_address"
	causeIdentities   = "signed_identities"
	causeOtherForm    = "other_dialect"
	causeTryOther     = "learning_dialect"
	causeTryNames     = "learning_names"
	causeCarryPages   = "learning_pages"
	causeField        = "refused_field"
	causeVisitor      = "refused_visitor"
	causeInvalid      = "invalid_report"
	causeTooLarge     = "too_large"
	causeRefused      = "refused_report"
	causeImpossible   = "impossible_answer"
)

// Remedies that several causes share.
const (
	byItself    = "Nothing to do: Signal tries again by itself."
	checkDomain = "Check monitoring_domain: signal liveperson resolve shows what LivePerson's Domain API gives for this account. Then check account_id and app_installation_id."
	checkProxy  = "Check monitoring_domain, and whether a proxy or a firewall on the way answers in LivePerson's place."
)

// causes are all there are, those first that stop an integration.
var causes = []Cause{
	{
		Name: causeAppKey, When: "404 with code 18", Verdict: attempt.Hold, Fix: attempt.FixSettings,
		Headline: "LivePerson does not know this app key.",
		Remedy:   "Change app_installation_id: copy the App Key from Conversational Cloud, and check that its app is active and belongs to this account.",
	},
	{
		Name: causeAccount, When: "404 with code 6", Verdict: attempt.Hold, Fix: attempt.FixSettings, moved: true,
		Headline: "LivePerson does not know this account.",
		Remedy:   "Check account_id, and that monitoring_domain is the one of this account: signal liveperson resolve shows it.",
	},
	{
		Name: causeDomain, When: "404 otherwise, or a domain whose name is not known or whose address is not public", Verdict: attempt.Hold, Fix: attempt.FixDomain, moved: true,
		Headline: "LivePerson does not answer at this domain.",
		Remedy:   checkDomain,
	},
	{
		Name: causeIdentities, When: "401, 403", Verdict: attempt.Hold, Fix: attempt.FixIdentities,
		Headline: "This account wants signed identities.",
		Remedy:   "The account may enforce authenticated monitoring, which needs identities with acr loa1 and a signed token behind sub: set identity_token and identity_keys. Confirm its monitoring configuration with LivePerson.",
	},
	{
		Name: causeOtherForm, When: "405, or 400 with code 33", Verdict: attempt.Hold, Fix: attempt.FixForm,
		Headline: "LivePerson wants the other dialect.",
		Remedy:   "With dialect auto Signal tried both forms: ask LivePerson which one this account takes, and let Signal learn again. Where the dialect is set by hand, set it to auto.",
	},
	{
		Name: causeRedirect, When: "3xx", Verdict: attempt.Hold, Fix: attempt.FixSettings, moved: true,
		Headline: "LivePerson's address sends us elsewhere.",
		Remedy:   checkDomain,
	},
	{
		Name: causeForeign, When: "a 2xx other than 200, 201 and 202, or a page in the place of a 401 or 403", Verdict: attempt.Hold, Fix: attempt.FixSettings, moved: true,
		Headline: "Something else answered for LivePerson.",
		Remedy:   checkProxy,
	},
	{
		Name: causePlainHTTP, When: "plain HTTP that outbound does not allow", Verdict: attempt.Hold, Fix: attempt.FixSettings,
		Headline: "LivePerson is spoken to in HTTPS only, and the settings say plain HTTP.",
		Remedy:   checkDomain,
	},
	{
		Name: causeAddress, When: "settings of which no address can be made", Verdict: attempt.Hold, Fix: attempt.FixSettings,
		Headline: "The settings do not make an address.",
		Remedy:   checkDomain,
	},

	{
		Name: causeLoading, When: "202, or 500 with code 20", Verdict: attempt.Retry,
		Headline: "LivePerson is still loading this account.",
		Remedy:   byItself,
	},
	{
		Name: causeTooFast, When: "429", Verdict: attempt.Retry, Fix: attempt.FixRate, slow: true,
		Headline: "LivePerson asks to go slower.",
		Remedy:   byItself + " If it comes often, lower rate_limit.",
	},
	{
		Name: causeCapped, When: "5xx whose message says capped", Verdict: attempt.Retry, Fix: attempt.FixRate, slow: true, outage: true,
		Headline: "LivePerson does not take reports now.",
		Remedy:   byItself + " It limits how many visits begin. If it comes often, lower rate_limit.",
	},
	{
		Name: causeUnavailable, When: "408, 5xx, no answer in time, a broken or refused connection, no secure connection", Verdict: attempt.Retry, outage: true,
		Headline: "LivePerson does not take reports now.",
		Remedy:   byItself,
	},
	{
		Name: causeStopped, When: "Signal's own end while the report was on its way", Verdict: attempt.Retry,
		Headline: "Signal stopped while the report was on its way.",
		Remedy:   "Nothing to do: Signal sends the report again when it runs.",
	},
	{
		Name: causeUnknownVisit, When: "404 with code 37 or 39", Verdict: attempt.Rejoin,
		Headline: "LivePerson does not know this visit any more.",
		Remedy:   "Nothing to do: Signal sends the report again, and LivePerson begins a new visit.",
	},
	{
		Name: causeTryOther, When: "405, or 400 with code 33, in dialect auto", Verdict: attempt.Reform,
		Headline: "LivePerson wants the other dialect.",
		Remedy:   "Nothing to do: Signal sends the report again in the other form, and learns which one LivePerson takes.",
	},
	{
		Name: causeTryNames, When: "400 with code 5 for the first cart or search, in dialect auto", Verdict: attempt.Reform,
		Headline: "LivePerson refused the report, maybe for its form.",
		Remedy:   "Nothing to do: Signal sends the report once in LivePerson's own form, and learns which one LivePerson takes.",
	},
	{
		Name: causeCarryPages, When: "400 with code 5 for the first page view by itself, in dialect auto", Verdict: attempt.Reform,
		Headline: "LivePerson takes no page view by itself.",
		Remedy:   "Nothing to do: the address of the page waits and travels with the visitor's next report.",
	},

	{
		Name: causeField, When: "400 that names a field", Verdict: attempt.Dead, Fix: attempt.FixMapping, split: true,
		Headline: "LivePerson refused {field}.",
		Remedy:   "Correct what the mapping writes into {field}, and replay the event.",
	},
	{
		Name: causeVisitor, When: "400 that names consumerId or identities", Verdict: attempt.Dead, Fix: attempt.FixMapping,
		Headline: "LivePerson refused {field}.",
		Remedy:   "The report needs a visitor in consumerId or identities[0].sub. Check the common fields of the mapping, and replay the event.",
	},
	{
		Name: causeInvalid, When: "400 otherwise", Verdict: attempt.Dead, Fix: attempt.FixMapping, split: true,
		Headline: "LivePerson refused the report as invalid.",
		Remedy:   "An identity (consumerId, identities.sub or vid) is missing, or an engagement attribute is malformed. Review the request and the answer in the Event Debugger, correct the mapping, and replay the event.",
	},
	{
		Name: causeTooLarge, When: "413", Verdict: attempt.Dead, Fix: attempt.FixMapping, split: true,
		Headline: "LivePerson finds the report too large.",
		Remedy:   "Shorten what the mapping sends for this event, such as its list of products, and replay it.",
	},
	{
		Name: causeForeignNo, When: "a page in the place of a 400, 413 or another 4xx", Verdict: attempt.Dead, Fix: attempt.FixReplay, split: true,
		Headline: "Something else answered for LivePerson.",
		Remedy:   checkProxy + " Then replay the event.",
	},
	{
		Name: causeRefused, When: "another 4xx", Verdict: attempt.Dead, Fix: attempt.FixMapping,
		Headline: "LivePerson refused the report.",
		Remedy:   "Review the request and the answer in the Event Debugger, correct the mapping, and replay the event.",
	},
	{
		Name: causeNoVisit, When: "404 with code 37 or 39 for a report without ids", Verdict: attempt.Dead, Fix: attempt.FixReplay,
		Headline: "LivePerson does not know this visit, though the report named none.",
		Remedy:   "Review the report in the Event Debugger, and ask LivePerson about this answer.",
	},
	{
		Name: causeImpossible, When: "1xx, or no status of HTTP", Verdict: attempt.Dead, Fix: attempt.FixReplay,
		Headline: "LivePerson gave an answer that no report can have.",
		Remedy:   checkProxy,
	},
}

// Causes gives all causes, for the documentation.
func Causes() []Cause { return slices.Clone(causes) }

var causeByName = func() map[string]*Cause {
	m := make(map[string]*Cause, len(causes))
	for i := range causes {
		m[causes[i].Name] = &causes[i]
	}
	return m
}()

// become gives r the meaning of a cause. What was answered stays.
func become(r attempt.Result, name string) attempt.Result {
	c := causeByName[name]
	fill := func(s string) string { return strings.ReplaceAll(s, "{field}", r.Field) }
	r.Cause, r.Verdict, r.Fix = c.Name, c.Verdict, c.Fix
	r.Why, r.Remedy = fill(c.Headline), fill(c.Remedy)
	r.Slow, r.Outage, r.Split = c.slow, c.outage, c.split
	return r
}

// because is become with what is known beyond the cause, as a sentence.
func because(r attempt.Result, name, detail string) attempt.Result {
	r = become(r, name)
	if detail != "" {
		r.Why += " " + detail
	}
	return r
}
