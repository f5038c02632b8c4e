package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
	"github.com/datafly/signal/integrations"
)

func (s *site) integrations(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	v := integrationsView{frame: s.frame(r, who, "Integrations", "integrations")}
	o, err := s.desk.Overview(r.Context(), who, desk.OverviewQuery{Pipeline: v.Pipeline, Range: desk.Day})
	if err != nil {
		return err
	}
	v.List, v.File = o.Integrations, s.file(who)
	if err := s.desk.WithRecent(r.Context(), v.List); err != nil {
		return err
	}
	render(w, r, http.StatusOK, integrationsPage(v))
	return nil
}

// integrationView is the page of one integration.
type integrationView struct {
	frame
	desk.Integration
	Counts   desk.IntegrationCounts
	Settings [][2]string
	Debugger string

	Box     *boxView
	Learned []learnedView
	Learn   act
}

// learnedView is one fact that Signal found out by itself.
type learnedView struct {
	Name, Value, Say string
	Since            time.Time
	Event            string // address of the event that taught it, "" when none did
	Configured       string // what the settings say, where that is another thing
}

func (s *site) integration(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	id := r.PathValue("pipeline") + "/" + r.PathValue("name")
	i, err := s.desk.Integration(who, id)
	if err != nil {
		return err
	}
	v := integrationView{frame: s.frame(r, who, i.Name, "integrations"), Integration: i}
	a := s.acting(who, admins(s.desk.Admins(r.Context())), "/integrations/"+i.ID)
	a.here = true
	v.Box = a.trouble(i.IntegrationStatus)
	v.Learned = learned(i.Learned, i.Settings)
	v.Learn = a.post("Learn again", "/integrations/learn-again", [2]string{"id", i.ID})
	v.Learn.Class = "small"
	o, err := s.desk.Overview(r.Context(), who, desk.OverviewQuery{Integration: i.ID, Range: desk.Day})
	if err != nil {
		return err
	}
	for _, c := range o.Integrations {
		if c.ID == i.ID {
			v.Counts = c
		}
	}
	v.Debugger = address("/debugger", url.Values{"pipeline": {i.IntegrationStatus.Pipeline}, "integration": {i.ID}})
	v.Settings = append(v.Settings, [2]string{"Vendor", vendorName(i.Vendor, i.Vendor)}, [2]string{"Pipeline", i.IntegrationStatus.Pipeline}, [2]string{"Consent", needsWord(i.Categories)})
	for _, k := range slices.Sorted(maps.Keys(i.Settings)) {
		v.Settings = append(v.Settings, [2]string{settingWord(k), valueWord(i.Settings[k])})
	}
	render(w, r, http.StatusOK, integrationPage(v))
	return nil
}

// meanWord words how long deliveries took, a dash when there were none.
func meanWord(c desk.IntegrationCounts) string {
	if c.Delivered == 0 {
		return "–"
	}
	return took(c.TookMeanMS)
}

// advised begins the note about settings that work and are not advised.
func advised(n int, vendor string) string {
	if n == 1 {
		return "1 setting works and is not what " + vendor + " advises."
	}
	return count(n) + " settings work and are not what " + vendor + " advises."
}

// learned words what Signal found out by itself, beside what the settings say
// of the same thing.
func learned(facts []integrations.Fact, settings map[string]any) []learnedView {
	var out []learnedView
	for _, f := range facts {
		v := learnedView{Name: upper(f.Name), Value: f.Value, Say: f.Say, Since: f.Since}
		if f.Value == "" { // the page says so before the sentence
			v.Say = upper(strings.TrimPrefix(f.Say, "Not known yet: "))
		}
		if f.From != "" {
			v.Event = rowHref(f.From, "")
		}
		if set := settingOf(f.Name, settings); set != "" && f.Value != "" && set != f.Value {
			v.Configured = set
		}
		out = append(out, v)
	}
	return out
}

// settingOf gives what the settings say of a fact: the setting of its name, or
// the only one whose name ends in it ("domain" is "monitoring_domain").
func settingOf(fact string, settings map[string]any) string {
	var found []string
	for k, v := range settings {
		text, ok := v.(string)
		if ok && (k == fact || strings.HasSuffix(k, "_"+fact)) {
			found = append(found, text)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// resume ends a pause, and learnAgain lets an integration find out anew how its
// vendor wants to be spoken to. Both go back to where the button was.
func (s *site) resume(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	return told(w, r, who, s.desk.Resume)
}

func (s *site) learnAgain(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	return told(w, r, who, s.desk.LearnAgain)
}

func told(w http.ResponseWriter, r *http.Request, who auth.Actor, do func(who auth.Actor, id string) (desk.Integration, error)) error {
	i, err := do(who, r.PostFormValue("id"))
	if err != nil {
		return err
	}
	back := local(r.PostFormValue("back"))
	if back == "/" {
		back = "/integrations/" + i.ID
	}
	http.Redirect(w, r, back, http.StatusSeeOther) //nolint:gosec // local keeps it on the console
	return nil
}

func settingWord(k string) string { return upper(strings.ReplaceAll(k, "_", " ")) }

func valueWord(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return "not set"
	}
	return string(pretty(v))
}
