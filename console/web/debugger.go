package web

import (
	"context"
	"errors"
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
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// rowsAPage is how many slots the list has.
const rowsAPage = 100

// filterKeys are the filters that stand in the address of the debugger.
var filterKeys = []string{"pipeline", "integration", "event", "outcome", "visitor", "q", "range", "from", "to", "sort"}

// filters reads the address. What it does not know is left out of links.
func filters(q url.Values) url.Values {
	out := url.Values{}
	for _, k := range filterKeys {
		if v := strings.TrimSpace(q.Get(k)); v != "" {
			out.Set(k, v)
		}
	}
	return out
}

func (s *site) eventQuery(q url.Values) (desk.EventQuery, error) {
	out := desk.EventQuery{
		Pipeline: q.Get("pipeline"), Integration: q.Get("integration"), Event: q.Get("event"), Outcome: q.Get("outcome"),
		Visitor: q.Get("visitor"), Q: q.Get("q"), OldestFirst: q.Get("sort") == "oldest", Limit: rowsAPage,
	}
	for key, at := range map[string]*time.Time{"from": &out.From, "to": &out.To} {
		if q.Get(key) == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, q.Get(key))
		if err != nil {
			return out, &desk.Fault{Kind: desk.ErrInvalid, Say: fmt.Sprintf("%s is no time. Write it like 2026-02-25T14:30:00Z.", key)}
		}
		*at = t
	}
	if n := desk.Range(q.Get("range")).Length(); n > 0 && out.From.IsZero() {
		out.From = s.desk.Now().Add(-n)
	}
	return out, nil
}

func (s *site) debugger(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	f := filters(r.URL.Query())
	v := debuggerView{frame: s.frame(r, who, "Event Debugger", "debugger"), Query: address("", f), OpenID: r.PathValue("id")}
	v.Script = "debugger.js"
	q, err := s.eventQuery(f)
	if err != nil {
		return err
	}
	if v.OpenID != "" {
		if err := s.open(r, who, &v, f); err != nil {
			return err
		}
	}
	if r.Header.Get("X-Part") == "detail" {
		render(w, r, http.StatusOK, detail(v))
		return nil
	}
	// First the number, then the rows: a change between the two is sent again
	// and changes nothing, the other way round it would be lost.
	v.Last = strconv.FormatUint(s.desk.Last(), 10)
	q.Cursor = r.URL.Query().Get("cursor")
	rows, next, err := s.desk.Events(r.Context(), who, q)
	if err != nil {
		return err
	}
	v.Rows, v.Oldest = rows, q.OldestFirst
	v.Live = !q.OldestFirst && q.Cursor == "" && f.Get("to") == ""
	if next != "" {
		v.Next = address("/debugger", with(f, "cursor", next))
	}
	if q.Cursor != "" {
		v.First = address("/debugger", f)
	}
	if err := s.around(r, who, &v, f, q); err != nil {
		return err
	}
	if v.Open != nil {
		v.neighbours()
		v.Title = v.Open.Event
	}
	status := http.StatusOK
	if v.OpenID != "" && v.Open == nil {
		status = http.StatusNotFound
	}
	render(w, r, status, debuggerPage(v))
	return nil
}

// with gives a copy of q with one value set, or taken out when it is empty.
func with(q url.Values, key, value string) url.Values {
	out := maps.Clone(q)
	out.Del(key)
	if value != "" {
		out.Set(key, value)
	}
	return out
}

// around fills in the filters, the order, the count, and what stands in the
// place of no rows.
func (s *site) around(r *http.Request, who auth.Actor, v *debuggerView, f url.Values, q desk.EventQuery) error {
	n, more, err := s.desk.CountEvents(r.Context(), who, q)
	if err != nil {
		return err
	}
	v.Counted = count(n)
	if more {
		v.Counted = "over " + count(store.CountLimit)
	}
	if q.Outcome != "" {
		v.Counted += " " + q.Outcome
	} else {
		v.Counted += " in 24 h"
	}
	v.Text = f.Get("q")
	v.Hidden = hidden(f, "q")
	for _, o := range []struct{ key, label string }{{"", "Newest first"}, {"oldest", "Oldest first"}} {
		v.Sort = append(v.Sort, choice{Label: o.label, Href: address("/debugger", with(f, "sort", o.key)), On: q.OldestFirst == (o.key == "oldest")})
	}
	v.Chips, err = s.chips(who, f)
	if err != nil {
		return err
	}
	v.Empty = s.empty(r, who, f, q)
	return nil
}

func hidden(f url.Values, but string) [][2]string {
	var out [][2]string
	for _, k := range slices.Sorted(maps.Keys(f)) {
		if k != but {
			out = append(out, [2]string{k, f.Get(k)})
		}
	}
	return out
}

// chips are the filters beside the search.
func (s *site) chips(who auth.Actor, f url.Values) ([]chip, error) {
	integration, err := s.integrationChip(who, f, "/debugger")
	if err != nil {
		return nil, err
	}
	event := chip{Name: "Event", Value: f.Get("event"), Field: "event", Hidden: hidden(f, "event"), Choices: choices("/debugger", f, "event", s.desk.Names(f.Get("pipeline")))}
	outcome := chip{Name: "Outcome", Value: f.Get("outcome"), Choices: []choice{{Label: "Any outcome", Href: address("/debugger", with(f, "outcome", "")), On: f.Get("outcome") == ""}}}
	for _, o := range desk.Outcomes {
		outcome.Choices = append(outcome.Choices, choice{Label: upper(string(o)), Href: address("/debugger", with(f, "outcome", string(o))), On: f.Get("outcome") == string(o), Tag: string(o)})
	}
	out := []chip{integration, event, outcome, timeChip(f, "/debugger")}
	if id := f.Get("visitor"); id != "" {
		out = append(out, chip{Name: "Visitor", Value: short(id), Choices: []choice{{Label: "All visitors", Href: address("/debugger", with(f, "visitor", ""))}}})
	}
	return out, nil
}

// timeChip filters by how long ago it was.
func timeChip(f url.Values, path string) chip {
	when := chip{Name: "Time"}
	for _, o := range []struct{ key, label string }{{"", "All that is kept"}, {"1h", "Last hour"}, {"24h", "Last 24 h"}, {"7d", "Last 7 days"}} {
		on := f.Get("range") == o.key
		if on && o.key != "" {
			when.Value = o.label
		}
		when.Choices = append(when.Choices, choice{Label: o.label, Href: address(path, with(f, "range", o.key)), On: on})
	}
	return when
}

func (s *site) integrationChip(who auth.Actor, f url.Values, path string) (chip, error) {
	c := chip{Name: "Integration", Choices: []choice{{Label: "Any integration", Href: address(path, with(f, "integration", "")), On: f.Get("integration") == ""}}}
	all, err := s.desk.Integrations(who, "")
	if err != nil {
		return c, err
	}
	for _, i := range all {
		if p := f.Get("pipeline"); p != "" && p != i.IntegrationStatus.Pipeline {
			continue
		}
		on := f.Get("integration") == i.ID || f.Get("integration") == i.Name
		if on {
			c.Value = i.Name
		}
		label := i.Name
		if f.Get("pipeline") == "" {
			label = i.IntegrationStatus.Pipeline + " → " + i.Name
		}
		c.Choices = append(c.Choices, choice{Label: label, Href: address(path, with(f, "integration", i.ID)), On: on})
	}
	if c.Value == "" {
		c.Value = f.Get("integration")
	}
	return c, nil
}

func choices(path string, f url.Values, key string, names []string) []choice {
	out := []choice{{Label: "Any " + key, Href: address(path, with(f, key, "")), On: f.Get(key) == ""}}
	for _, n := range names {
		out = append(out, choice{Label: n, Href: address(path, with(f, key, n)), On: f.Get(key) == n})
	}
	return out
}

// empty says why there are no rows, and offers to take off the last filter.
func (s *site) empty(r *http.Request, who auth.Actor, f url.Values, q desk.EventQuery) emptyView {
	if !q.Filtered() {
		return emptyView{What: "No event yet", More: "It shows here the moment one arrives.", Acts: []choice{{Label: "How to send events", Href: "/pipelines"}}}
	}
	all, more, err := s.desk.CountEvents(r.Context(), who, desk.EventQuery{Pipeline: q.Pipeline})
	total := some(all, "event")
	if more {
		total = "over " + total
	}
	if err != nil {
		total = "the events"
	}
	out := emptyView{What: "No event matches these filters", More: "None of " + total + " in the history matches all of them."}
	for _, k := range []string{"q", "outcome", "event", "visitor", "integration", "range"} {
		if f.Get(k) != "" {
			name := map[string]string{"q": "text", "range": "time"}[k]
			out.Acts = append(out.Acts, choice{Label: "Clear the " + firstNonEmpty(name, k), Href: address("/debugger", with(f, k, ""))})
			break
		}
	}
	only := url.Values{}
	if q.Pipeline != "" {
		only.Set("pipeline", q.Pipeline)
	}
	out.Acts = append(out.Acts, choice{Label: "Clear all", Href: address("/debugger", only)})
	return out
}

// open fills in the opened event; one that is not there leaves it empty.
func (s *site) open(r *http.Request, who auth.Actor, v *debuggerView, f url.Values) error {
	e, err := s.desk.Event(r.Context(), who, v.OpenID)
	if errors.Is(err, desk.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	self := rowHref(e.MessageID, v.Query)
	t := telling{e: e, query: v.Query, who: s.acting(who, admins(s.desk.Admins(r.Context())), self)}
	t.choose(firstNonEmpty(r.URL.Query().Get("route"), e.Integration))
	if err := s.know(r.Context(), &t, who); err != nil {
		return err
	}
	o := openedView{
		Event: e.Event, Outcome: firstNonEmpty(string(t.route.Outcome), string(e.Outcome)), MessageID: e.MessageID, AnonymousID: e.AnonymousID,
		Back: "/debugger" + v.Query, Self: self, Curl: curlOf(t.sent), MayReplay: t.who.may, Whose: t.who.whose, DeadID: t.deadID,
		Visitor: address("/debugger", url.Values{"visitor": {e.AnonymousID}}), Only: address("/debugger", with(f, "outcome", string(e.Outcome))),
		Box: t.box(), Stages: t.stages(), Way: e.Pipeline,
	}
	if t.route.Integration != "" {
		o.Way += " → " + t.status.Name
	}
	if len(e.Routes) > 1 {
		for _, route := range e.Routes {
			q := with(f, "route", route.Integration)
			o.Tabs = append(o.Tabs, choice{Label: shortName(route.Integration), Href: rowHref(e.MessageID, address("", q)), On: route.Integration == t.route.Integration, Tag: string(route.Outcome)})
		}
	}
	v.Open = &o
	return nil
}

// choose picks the integration that is looked at.
func (t *telling) choose(integration string) {
	t.route = desk.RouteDetail{Outcome: t.e.Outcome, Reason: t.e.Reason}
	for _, route := range t.e.Routes {
		if route.Integration == integration || t.route.Integration == "" {
			t.route = route
		}
	}
	t.sent = t.route.LastSent()
}

// know adds what the configuration says of the integration and its pipeline,
// and what the history says of other events.
func (s *site) know(ctx context.Context, t *telling, who auth.Actor) error {
	t.status = desk.IntegrationStatus{ID: t.route.Integration, Name: shortName(t.route.Integration)}
	all, err := s.desk.Integrations(who, "")
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.ID == t.route.Integration {
			t.status = i.IntegrationStatus
		}
	}
	if p, err := s.desk.Pipeline(who, t.e.Pipeline); err == nil {
		t.mapping = p.ConsentMapping
	}
	if t.route.Outcome == trace.Dead {
		ids, err := s.desk.DeadOf(ctx, who, t.e.MessageID)
		if err != nil {
			return err
		}
		t.deadID = ids[t.route.Integration]
	}
	if t.sent != nil && len(t.sent.With) > 0 {
		if t.others, err = s.desk.Together(ctx, who, t.sent.With); err != nil {
			return err
		}
	}
	if t.route.Outcome == trace.Carried {
		t.ride, err = s.desk.Ride(ctx, who, t.e.MessageID, t.route.Integration)
	}
	return err
}

func shortName(id string) string {
	if _, n, ok := strings.Cut(id, "/"); ok {
		return n
	}
	return id
}

// neighbours are the rows above and below the opened one.
func (v *debuggerView) neighbours() {
	for i, row := range v.Rows {
		if row.MessageID != v.OpenID {
			continue
		}
		if i > 0 {
			v.Open.PrevID = v.Rows[i-1].MessageID
			v.Open.Prev = rowHref(v.Open.PrevID, v.Query)
		}
		if i < len(v.Rows)-1 {
			v.Open.NextID = v.Rows[i+1].MessageID
			v.Open.Next = rowHref(v.Open.NextID, v.Query)
		}
		return
	}
}

func notLive(oldest bool) string {
	if oldest {
		return "Live is off while oldest come first"
	}
	return "Live is off on this page of the history"
}

func isOutcome(tag string) bool { return slices.Contains(desk.Outcomes, trace.Outcome(tag)) }
