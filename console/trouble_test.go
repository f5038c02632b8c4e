package console

import (
	"encoding/json"

	"strings"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// statuses are how the integrations of the bench fare: two well, one paused, one
// held back, one slowed.
func statuses() []IntegrationStatus {
	now := time.Now()
	return []IntegrationStatus{
		{ID: "shop/liveperson", State: "healthy", Waiting: 330, Oldest: now.Add(-4 * time.Second)},
		{ID: "shop/orders", State: "healthy", Waiting: 9, Oldest: now.Add(-time.Second)},
		{
			ID: "shop-eu/liveperson-eu", State: "paused", Reason: appKey, Remedy: appKeyRemedy,
			Explanation: desk.Explanation{Cause: "unknown_app_key", Fix: attempt.FixSettings, Checks: appKeyChecks}, AnswerStatus: 404, AnswerCode: 18,
			Since: now.Add(-28 * time.Minute), NextProbe: now.Add(7 * time.Minute), Waiting: 1284, Visitors: 847, Oldest: now.Add(-28 * time.Minute),
			Learned: []integrations.Fact{
				{Name: "form", Value: "liveperson", Say: "Reports go as LivePerson's reference has them: PUT, version 1.1, cart and search by LivePerson's names.", Since: now.Add(-75 * time.Hour), From: first},
				{Name: "pages alone", Value: "carried", Say: "A page without an attribute was refused, so its address travels with the visitor's next report.", Since: now.Add(-75 * time.Hour), From: first},
				{Name: "own ids", Say: "The first report of a new visitor will tell."},
				{Name: "domain", Value: "lo2.v.liveperson.net", Say: "LivePerson's Domain API gives it for this account. Asked an hour ago.", Since: now.Add(-2 * time.Hour)},
			},
			Warnings: []string{"customer_id is always, and LivePerson advises to send it only beside a signed identity."},
		},
		{
			ID: "shop-eu/liveperson-uk", State: "holding", Reason: "LivePerson does not take reports now. It answered 503.", Remedy: "Nothing to do: Signal tries again by itself.",
			Explanation: desk.Explanation{Cause: "outage"}, AnswerStatus: 503, Since: now.Add(-95 * time.Second), NextProbe: now.Add(20 * time.Second), Waiting: 96, Visitors: 61, Oldest: now.Add(-95 * time.Second),
			Rate: &Rate{PerSecond: 100, Limit: 100},
		},
		{
			ID: "shop-eu/liveperson-dk", State: "slowed", Reason: "The vendor asked for fewer requests a second. The rate recovers by itself.", Since: now.Add(-40 * time.Second),
			Waiting: 40, Visitors: 31, Oldest: now.Add(-6 * time.Second), Rate: &Rate{PerSecond: 50, Limit: 100, SlowedAt: now.Add(-40 * time.Second)},
		},
	}
}

// What an unknown app key is explained with.
const (
	appKey       = "LivePerson does not know this app key."
	appKeyRemedy = "In Conversational Cloud, open the app under Campaigns, check that it is active and copy its App Key here."
)

var appKeyChecks = []attempt.Check{
	{What: "domain", Right: true, Say: "LivePerson gives lo.v.liveperson.net for this account, which is the domain in use."},
	{What: "account", Right: true, Say: "LivePerson knows the account."},
	{What: "app key", Wrong: true, Say: "Domain and account are right, so the app key is wrong, or its app is not active."},
}

// What several events of one visitor became in one report.
const (
	lookedAt     = `{"type":"prodView","currency":"EUR","products":[{"product":{"name":"Stoneware mug","price":24.00}}]}`
	inCart       = `{"type":"cartStatus","total":48.00,"currency":"EUR","numItems":2}`
	pageAddress  = "https://www.kettleandpine.example/tea?from=home&to=cart"
	reportHead   = `{"consumerId":"7e57ed00-e5f6-4a7b-8c9d-0e1f2a3b4c5d","identities":[{"iss":"Datafly","acr":"loa1","sub":"7e57ed00-e5f6-4a7b-8c9d-0e1f2a3b4c5d"}],`
	leadPayload  = reportHead + `"engagementAttributes":[{"type":"lead","lead":{"topic":"Brochure","value":200,"currency":"€","leadId":"KP-L-1084"}}]}`
	pagePayload  = reportHead + `"entryPoints":["` + pageAddress + `"]}`
	lookPayload  = reportHead + `"engagementAttributes":[` + lookedAt + `]}`
	cartPayload  = reportHead + `"engagementAttributes":[` + inCart + `]}`
	batchReport  = reportHead + `"entryPoints":["https://www.kettleandpine.example/tea?from=home\u0026to=cart"],"engagementAttributes":[` + lookedAt + `,` + inCart + `]}`
	troubled     = "7e57ed00-e5f6-4a7b-8c9d-0e1f2a3b4c5d"
	outageReason = "LivePerson does not take reports now. It answered 503."
)

var fieldChecks = []attempt.Check{
	{What: "lead.currency", Right: true, Say: "Signal checked before sending that lead.currency is a text."},
	{What: "currency", Wrong: true, Say: "The value has 1 character, and a currency is the three letters of ISO 4217."},
	{What: "lead.value", Say: "LivePerson documents no rule that could be checked."},
}

// trouble adds to the seed one event for each kind of trouble, and for each
// thing that an answer can lead to.
func (b *bench) trouble() {
	b.t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	var records []trace.Record
	seq := uint64(6000)
	add := func(id, name, integration, payload string, ago time.Duration, steps ...trace.Step) {
		seq++
		at := now.Add(-ago)
		route := pending(integration, payload)
		route.Explain = json.RawMessage(`[{"target":"consumerId","source":"anonymousId","value":"` + troubled + `"},{"target":"engagementAttributes[0].lead.value","source":"properties.value","value":200},{"target":"engagementAttributes[0].lead.currency","source":"properties.currency","value":"€"}]`)
		body := strings.Replace(strings.Replace(purchaseBody, "Order Completed", name, 1), first, id, 1)
		pipeline, _, _ := strings.Cut(integration, "/")
		records = append(records, arriving{seq: seq, id: id, name: name, visitor: troubled, body: body, pipeline: pipeline, routes: []trace.Route{route}, at: at, granted: true}.record())
		for i, s := range steps {
			s.Integration = integration
			r := step(seq, id, at.Add(time.Duration(5+i*80)*time.Millisecond), s)
			if s.Outcome == trace.Carried {
				r.Step.Try, r.Step.SentAt = 0, time.Time{}
			}
			records = append(records, r)
		}
	}
	lp, eu := "shop/liveperson", "shop-eu/liveperson-eu"
	held := trace.Step{
		Outcome: trace.Pending, Verdict: "hold", Method: "POST", URL: reportURL, Body: json.RawMessage(purchaseReport), Dialect: "signal", Summary: "purchase · EUR 59.80",
		Status: 404, Code: 18, Took: 71 * time.Millisecond, Reason: appKey, Remedy: appKeyRemedy, Cause: "unknown_app_key", Fix: string(attempt.FixSettings), Checks: mustJSON(appKeyChecks),
		Answer: `{"time":1772028131946,"message":"invalid appInstallationId","internalCode":18}`, Next: now.Add(7 * time.Minute),
	}
	add("held-0001", "Order Completed", eu, purchaseReport, 28*time.Minute, held)
	add("behind-0001", "Product Viewed", eu, lookPayload, 27*time.Minute)
	down := trace.Step{
		Outcome: trace.Pending, Verdict: "retry", Method: "POST", URL: reportURL, Body: json.RawMessage(cartPayload), Dialect: "signal", Summary: "cartStatus · EUR 48.00",
		Status: 503, Took: 41 * time.Millisecond, Reason: outageReason, Remedy: "Nothing to do: Signal tries again by itself.", Cause: "outage", Answer: `{"message":"Service Unavailable"}`, Next: now.Add(13 * time.Second),
	}
	add("down-0001", "Cart Viewed", "shop-eu/liveperson-uk", cartPayload, 95*time.Second, down)
	add("slow-0001", "Cart Viewed", "shop-eu/liveperson-dk", cartPayload, 6*time.Second)
	refused := trace.Step{
		Outcome: trace.Dead, Verdict: "dead", Method: "POST", URL: reportURL, Body: json.RawMessage(leadPayload), Dialect: "signal", Summary: "lead · € 200", Status: 400, Code: 5, Took: 52 * time.Millisecond,
		Reason: "LivePerson refused lead.currency.", Remedy: "Correct what the mapping writes into lead.currency, and replay the event.",
		Cause: "invalid_field", Fix: string(attempt.FixMapping), Field: "lead.currency", Checks: mustJSON(fieldChecks), Answer: `{"time":1772028131946,"message":"lead.currency","internalCode":5}`,
	}
	add("refused-0001", "Lead Generated", lp, leadPayload, 4*time.Minute, refused)
	reform := delivered("cartStatus · EUR 48.00", 38)
	reform.Outcome, reform.Verdict, reform.Status, reform.Try = trace.Pending, "reform", 405, 1
	reform.Reason, reform.Answer, reform.Notes, reform.AHead = "LivePerson wants the other dialect.", `{"message":"Method Not Allowed","internalCode":0}`, nil, map[string]string{"Allow": "PUT"}
	learned := delivered("cart · EUR 48.00", 84)
	learned.Method, learned.Dialect, learned.Try, learned.Status = "PUT", "liveperson", 2, 201
	learned.Notes = []string{"LivePerson began a new visit, and its ids are used from now on."}
	add("form-0001", "Cart Viewed", lp, cartPayload, 3*time.Minute, reform, learned)
	forgotten := delivered("prodView · Stoneware mug", 40)
	forgotten.Outcome, forgotten.Verdict, forgotten.Status, forgotten.Code, forgotten.Try = trace.Pending, "rejoin", 404, 39, 1
	forgotten.Reason, forgotten.Answer, forgotten.Notes = "LivePerson does not know this visit any more.", `{"message":"invalid sessionId","internalCode":39}`, nil
	again := delivered("prodView · Stoneware mug", 60)
	again.Try = 2
	add("rejoin-0001", "Product Viewed", lp, lookPayload, 150*time.Second, forgotten, again)
	add("carried-0001", "page", lp, pagePayload, 2*time.Minute, trace.Step{Outcome: trace.Carried, Summary: "/tea"})
	together := delivered("2 attributes", 77)
	together.Body = json.RawMessage(batchReport)
	for i, id := range []string{"batch-0001", "batch-0002"} {
		together.With = []string{[]string{"batch-0002", "batch-0001"}[i], "sampled-out-0001"}
		add(id, []string{"Product Viewed", "Cart Viewed"}[i], lp, []string{lookPayload, cartPayload}[i], time.Minute, together)
	}
	if err := b.store.AddTraces(b.t.Context(), records); err != nil {
		b.t.Fatal(err)
	}
	b.troubleLetter(now)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status[0].Learned = []integrations.Fact{{Name: "form", Value: "liveperson", Say: "Reports go as LivePerson's reference has them.", Since: now.Add(-3 * time.Minute), From: "form-0001"}}
}

func (b *bench) troubleLetter(now time.Time) {
	b.t.Helper()
	err := b.store.AddDead(b.t.Context(), []store.DeadLetter{{
		ID: "letter-0001", Pipeline: "shop", Integration: "shop/liveperson", MessageID: "refused-0001", Event: "Lead Generated", AnonymousID: troubled,
		Reason: "LivePerson refused lead.currency.", Remedy: "Correct what the mapping writes into lead.currency, and replay the event.",
		Cause: "invalid_field", Fix: string(attempt.FixMapping), Field: "lead.currency", Checks: mustJSON(fieldChecks),
		Status: 400, Code: 5, Attempts: 1, FirstAt: now.Add(-4 * time.Minute), LastAt: now.Add(-4 * time.Minute), Place: event.Place{Seq: 6005},
		Request: mustJSON(map[string]any{"method": "POST", "url": reportURL, "header": map[string]string{"Content-Type": "application/json"}, "body": json.RawMessage(leadPayload)}),
		Answer:  mustJSON(map[string]any{"body": `{"message":"lead.currency","internalCode":5}`}),
	}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// troubledPages are the pages that explain a failure, or what followed from an
// answer.
var troubledPages = []struct{ name, path string }{
	{"held", "/debugger/held-0001?integration=shop-eu%2Fliveperson-eu"},
	{"behind", "/debugger/behind-0001"},
	{"down", "/debugger/down-0001"},
	{"slow", "/debugger/slow-0001"},
	{"refused", "/debugger/refused-0001"},
	{"letter", "/dead-letters/letter-0001"},
	{"form", "/debugger/form-0001"},
	{"rejoin", "/debugger/rejoin-0001"},
	{"carried", "/debugger/carried-0001"},
	{"batch", "/debugger/batch-0002"},
	{"integration-holding", "/integrations/shop-eu/liveperson-uk"},
	{"integration-slowed", "/integrations/shop-eu/liveperson-dk"},
	{"integration-healthy", "/integrations/shop/liveperson"},
}
