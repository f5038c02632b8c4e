package web

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
)

func (s *site) overview(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	v := overviewView{frame: s.frame(r, who, "Overview", "overview"), Range: desk.Range(r.URL.Query().Get("range"))}
	if v.Range.Length() == 0 {
		v.Range = desk.Day
	}
	v.Script = "overview.js"
	for _, c := range []struct {
		r     desk.Range
		label string
	}{{desk.Hour, "1 h"}, {desk.Day, "24 h"}, {desk.Week, "7 d"}} {
		q := url.Values{"range": {string(c.r)}}
		if v.Pipeline != "" {
			q.Set("pipeline", v.Pipeline)
		}
		v.Ranges = append(v.Ranges, choice{Label: c.label, Href: address("/", q), On: c.r == v.Range})
	}
	q := desk.OverviewQuery{Pipeline: v.Pipeline, Range: v.Range}
	part := r.URL.Query().Get("part")
	if part != "live" {
		steps := map[desk.Range]int{desk.Hour: 60, desk.Day: 96, desk.Week: 84}[v.Range]
		series, err := s.desk.Series(r.Context(), who, q, steps)
		if err != nil {
			return err
		}
		v.Charts, v.Bucket = overviewCharts(series, v.Range, s.desk.Now()), series.StepSeconds
	}
	if part == "charts" {
		render(w, r, http.StatusOK, charts(v))
		return nil
	}
	var err error
	if v.Overview, err = s.desk.Overview(r.Context(), who, q); err != nil {
		return err
	}
	if err := s.desk.WithRecent(r.Context(), v.Integrations); err != nil {
		return err
	}
	s.wordOverview(&v)
	if len(v.Attention) > 0 {
		v.Title = fmt.Sprintf("(%d) Needs attention", len(v.Attention))
	}
	if part == "live" {
		render(w, r, http.StatusOK, overviewLive(v))
		return nil
	}
	render(w, r, http.StatusOK, overviewPage(v))
	return nil
}

// wordOverview puts the counts into words and links.
func (s *site) wordOverview(v *overviewView) {
	words := map[desk.Range]string{desk.Hour: "hour", desk.Day: "24 hours", desk.Week: "7 days"}[v.Range]
	v.Sentence = "Everything accepted in the last " + words + " has an outcome, or waits for one."
	if v.Accepted == 0 {
		v.Sentence = "No event was accepted in the last " + words + "."
	}
	if v.Duplicates > 0 || v.Rejected > 0 {
		v.Sentence += fmt.Sprintf(" Besides, %s and %s came.", some(v.Duplicates, "repeat"), some(v.Rejected, "refused request"))
	}
	link := func(outcome string) string {
		q := url.Values{"range": {string(v.Range)}}
		if v.Pipeline != "" {
			q.Set("pipeline", v.Pipeline)
		}
		if outcome != "" {
			q.Set("outcome", outcome)
		}
		return address("/debugger", q)
	}
	delivered := "of deliveries"
	if p := share(v.Delivered, v.Routed); p != "" {
		delivered = p + " of deliveries"
	}
	why := "no reason"
	for _, r := range v.Reasons {
		if r.Outcome == "filtered" {
			why = strings.ToLower(desk.Say(r.Reason)[:1]) + desk.Say(r.Reason)[1:]
			break
		}
	}
	if v.Counts.Filtered == 0 {
		why = "nothing was left out"
	}
	pending := "nothing waits"
	if v.Pending > 0 && v.OldestMS > 0 {
		pending = "oldest waits " + age(time.Duration(v.OldestMS)*time.Millisecond)
	} else if v.Pending > 0 {
		pending = "on their way"
	}
	v.Numbers = []number{
		{"arrow", "Accepted", count(v.Accepted), "events, " + count(v.Routed) + " deliveries", link("")},
		{"delivered", "Delivered", count(v.Delivered), delivered, link("delivered")},
		{"carried", "Carried", count(v.Carried), "pages, with next report", link("carried")},
		{"filtered", "Filtered", count(v.Counts.Filtered), why, link("filtered")},
		{"dead", "Dead", count(v.Counts.Dead), count(v.DeadLastHour) + " in the last hour", link("dead")},
		{"pending", "Pending", count(v.Pending), pending, link("pending")},
	}
	v.Filtered = bars(v.Reasons, v.Pipeline, v.Range)
}

// bars are the commonest reasons of filtered events, over all integrations.
func bars(reasons []desk.Reason, pipeline string, rng desk.Range) []bar {
	total := map[string]int64{}
	for _, r := range reasons {
		if r.Outcome == "filtered" {
			total[r.Reason] += r.Count
		}
	}
	keys := slices.SortedFunc(maps.Keys(total), func(a, b string) int {
		return cmp.Or(cmp.Compare(total[b], total[a]), strings.Compare(a, b))
	})
	var out []bar
	for _, k := range keys[:min(6, len(keys))] {
		q := url.Values{"outcome": {"filtered"}, "range": {string(rng)}, "q": {strings.TrimPrefix(k, "consent: ")}}
		if pipeline != "" {
			q.Set("pipeline", pipeline)
		}
		out = append(out, bar{desk.Say(k), count(total[k]), address("/debugger", q), max(8, 1000*float64(total[k])/float64(total[keys[0]]))})
	}
	return out
}

// file is the name of the file that the pipelines come from, "" if none does.
func (s *site) file(who auth.Actor) string {
	all, _ := s.desk.Pipelines(who)
	for _, p := range all {
		if p.ManagedBy != "" {
			return p.ManagedBy
		}
	}
	return ""
}

func (s *site) pipelines(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	v := pipelinesView{frame: s.frame(r, who, "Pipelines", "pipelines"), File: s.file(who)}
	var err error
	if v.List, err = s.desk.Pipelines(who); err != nil {
		return err
	}
	render(w, r, http.StatusOK, pipelinesPage(v))
	return nil
}

func (s *site) pipeline(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	p, err := s.desk.Pipeline(who, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := pipelineView{frame: s.frame(r, who, p.Name, "pipelines"), Pipeline: p, Endpoint: s.desk.Endpoint()}
	v.frame.Pipeline, v.frame.Test = p.Name, p.Test
	v.install(r.URL.Query().Get("kind"))
	rows, _, err := s.desk.Events(r.Context(), who, desk.EventQuery{Pipeline: p.Name, From: s.desk.Now().Add(-24 * time.Hour), Limit: 1})
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		v.Latest = &rows[0]
	}
	v.Facts = [][2]string{
		{"A visit ends", "after " + minutes(p.SessionIdle) + " without an event, or " + minutes(p.SessionMax) + " after its start"},
		{"Bots", map[string]string{"flag": "are marked and go on", "drop": "are filtered", "keep": "are not looked for"}[p.Bots]},
		{"Hashed", fieldsWord(p.HashFields)}, {"Removed", fieldsWord(p.RedactFields)},
	}
	render(w, r, http.StatusOK, pipelinePage(v))
	return nil
}

func minutes(text string) string {
	d, err := time.ParseDuration(text)
	if err != nil {
		return text
	}
	return age(d)
}

func fieldsWord(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

// install fills in the code that people copy.
func (v *pipelineView) install(kind string) {
	endpoint := cmp.Or(v.Endpoint, "https://data.example.com")
	kinds := [][2]string{{"web", "Web page"}, {"server", "Server"}, {"segment", "Segment or RudderStack client"}}
	if !slices.ContainsFunc(kinds, func(k [2]string) bool { return k[0] == kind }) {
		kind = "web"
	}
	for _, k := range kinds {
		v.Snippets = append(v.Snippets, choice{Label: k[1], Href: address("/pipelines/"+url.PathEscape(v.Name), url.Values{"kind": {k[0]}}), On: k[0] == kind})
	}
	v.Where = "Put this into the head of every page"
	v.Snippet = fmt.Sprintf("<script async src=\"%s/d.js\"\n        data-pipeline-key=\"%s\"></script>\n<script>window.datafly=window.datafly||[]</script>", endpoint, v.Key)
	v.Example = "datafly.push([\"page\"]);\ndatafly.push([\"track\", \"Order Completed\", {\n  order_id: \"DRV1534XC\", revenue: 11.70, currency: \"USD\"\n}]);"
	switch kind {
	case "server":
		v.Where = "Send events from your server"
		v.Snippet = fmt.Sprintf("curl %s/v1/track \\\n  -H 'Authorization: Bearer %s' \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"event\":\"Order Completed\",\"anonymousId\":\"VISITOR\",\"properties\":{}}'", endpoint, v.Key)
		v.Example = "{\"event\": \"Order Completed\", \"anonymousId\": \"VISITOR\",\n \"properties\": {\"order_id\": \"DRV1534XC\", \"revenue\": 11.70, \"currency\": \"USD\"},\n \"context\": {\"consent\": {\"canonical\": {\"marketing\": true}}}}"
	case "segment":
		v.Where = "Point your client here"
		v.Snippet = fmt.Sprintf("new Analytics({\n  writeKey: \"%s\",\n  host: \"%s\",\n  path: \"/v1/batch\"\n})", v.Key, endpoint)
		v.Example = "analytics.track({anonymousId: \"VISITOR\", event: \"Order Completed\",\n  properties: {order_id: \"DRV1534XC\", revenue: 11.70, currency: \"USD\"}})"
	}
}

func (s *site) consent(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	v := consentView{frame: s.frame(r, who, "Consent", "consent"), File: s.file(who)}
	all, err := s.desk.Pipelines(who)
	if err != nil {
		return err
	}
	for _, p := range all {
		if v.Pipeline == "" || p.Name == v.Pipeline {
			v.List = append(v.List, p)
		}
	}
	needs, err := s.desk.Integrations(who, v.Pipeline)
	if err != nil {
		return err
	}
	v.Need = needs
	render(w, r, http.StatusOK, consentPage(v))
	return nil
}

func (s *site) settings(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	v := settingsView{frame: s.frame(r, who, "Settings", "settings"), Version: s.desk.Version(), MaySee: who.Role.May(auth.Admin)}
	v.Admins = admins(s.desk.Admins(r.Context()))
	if v.MaySee {
		var err error
		if v.Users, err = s.desk.Users(r.Context(), who); err != nil {
			return err
		}
	}
	tokens, err := s.desk.Tokens(who)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		v.Tokens = append(v.Tokens, [2]string{t.Name, t.Role.Word()})
	}
	if r.URL.Query().Get("verify") != "" {
		p, err := s.desk.Verify(r.Context(), who)
		if err != nil {
			return err
		}
		v.Proof = &p
	}
	render(w, r, http.StatusOK, settingsPage(v))
	return nil
}

// admins names whom to ask.
func admins(names []string) string {
	switch len(names) {
	case 0:
		return "Nobody is an admin; signal user add makes one."
	case 1:
		return names[0] + " is admin."
	case 2:
		return names[0] + " and 1 other are admins."
	}
	return names[0] + " and " + strconv.Itoa(len(names)-1) + " others are admins."
}

func liveOrTest(test bool) string {
	if test {
		return "test"
	}
	return "live"
}

func originsWord(list []string) string {
	switch len(list) {
	case 0:
		return "any"
	case 1:
		return list[0]
	}
	return list[0] + " and " + strconv.Itoa(len(list)-1) + " more"
}

func needsWord(list []string) string {
	if len(list) == 0 {
		return "needs none, there is no gate"
	}
	return andList(list)
}

func roleWord(r string) string { return auth.Role(r).Word() }

func mappingRows(m map[string][]string) [][2]string {
	var out [][2]string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, [2]string{k, strings.Join(m[k], ", ")})
	}
	return out
}

// ageSince words how long ago something was, a dash for never.
func ageSince(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return age(time.Since(t))
}

// waitingOf words whose events wait.
func waitingOf(visitors int) string {
	if visitors == 0 {
		return "events, in order"
	}
	return "of " + some(visitors, "visitor") + ", in order"
}

// codeWord words the answer that a dead letter got.
func codeWord(status, code int) string {
	switch {
	case status == 0:
		return "no answer"
	case code == 0:
		return strconv.Itoa(status)
	}
	return fmt.Sprintf("%d · code %d", status, code)
}

// clockWord writes an instant in UTC; a module brings it into the viewer's zone
// with the same width.
func clockWord(t time.Time, form string) string {
	t = t.UTC()
	switch form {
	case "ms":
		return t.Format(clock)
	case "s":
		return t.Format("15:04:05")
	case "min":
		return t.Format("15:04")
	case "day":
		return t.Format("2 Jan, 15:04")
	case "since":
		if t.Format(time.DateOnly) == time.Now().UTC().Format(time.DateOnly) {
			return t.Format("15:04")
		}
		return t.Format("2 Jan, 15:04")
	}
	return t.Format("2 Jan 15:04:05")
}
