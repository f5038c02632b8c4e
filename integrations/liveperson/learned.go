package liveperson

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	strict "github.com/go-json-experiment/json"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

// stateVersion is that of the state that Restore reads.
const stateVersion = 1

// state is what is stored of what was learned.
type state struct {
	Version int    `json:"version"`
	Account string `json:"account"` // what was learned is true of this one alone
	App     string `json:"app"`
	Posted  bool   `json:"posted,omitzero"`
	Form    lesson `json:"form,omitzero"`
	Pages   lesson `json:"pages,omitzero"`
	OwnIDs  lesson `json:"ownIds,omitzero"`
	Domain  domain `json:"domain,omitzero"`
}

// domain is what the Domain API gave.
type domain struct {
	Host       string    `json:"host"`
	At         time.Time `json:"at"`             // when it was asked
	Since      time.Time `json:"since,omitzero"` // when Host took the place of another
	Configured string    `json:"configured"`     // monitoring_domain at that time
}

// learn takes in what an answer shows, and gives the result its meaning.
func (c *Connection) learn(r *integrations.Request, a *answer, result *attempt.Result) {
	st := c.stance.Load()
	form := Dialect(r.Dialect)
	if !st.learning || result.Verdict == attempt.Delivered && !st.known.learns(form) {
		return
	}
	told := report{form: form, from: r.From}
	types := attributeTypes(r.Body)
	told.pageOnly = len(types) == 0
	told.named = slices.ContainsFunc(types, differs)
	told.own = r.Own

	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.stance.Load().known
	next, meaning := known.after(told, a, *result, time.Now())
	*result = meaning
	if next == known {
		return
	}
	c.stand(next)
}

// differs reports whether the two forms have two names for an SDE.
func differs(name string) bool { return wireNames[name] != "" }

// stand takes a stance with what is known by now. With c.mu held.
func (c *Connection) stand(k knowledge) {
	host, plain := c.host(time.Now())
	c.stance.Store(c.settings.stance(host, plain, k))
	c.version++
}

// Learned gives what is known by now of the form of reports, of pages alone, of
// Signal's own ids, and of the domain.
func (c *Connection) Learned() integrations.Learned {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.stance.Load()
	k := &st.known
	s := state{
		Version: stateVersion, Account: c.settings.AccountID, App: c.settings.AppInstallationID,
		Posted: k.Posted, Form: k.Form, Pages: k.Pages, OwnIDs: k.OwnIDs, Domain: c.domain.domain,
	}
	raw, _ := strict.Marshal(s) // texts and times
	facts := st.facts()
	return integrations.Learned{Version: c.version, State: raw, Facts: append(facts, c.domainFact(st.host))}
}

// Restore takes back the State of an earlier run. What was learned of another
// account or app key is let go; so is a domain that the settings have changed
// since.
func (c *Connection) Restore(raw json.RawMessage) error {
	var s state
	if err := strict.Unmarshal(raw, &s, strict.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("read what was learned of LivePerson: %w", err)
	}
	if s.Version != stateVersion {
		return fmt.Errorf("read what was learned of LivePerson: it is of version %d, and this is version %d", s.Version, stateVersion)
	}
	for _, l := range []struct {
		what string
		got  lesson
		of   []string
	}{
		{"form", s.Form, []string{"", string(DialectSignal), string(DialectLivePerson)}},
		{"pages", s.Pages, []string{"", pagesAlone, pagesCarried}},
		{"ownIds", s.OwnIDs, []string{"", ownSent, ownNone}},
	} {
		if !slices.Contains(l.of, l.got.Value) {
			return fmt.Errorf("read what was learned of LivePerson: %s cannot be %q", l.what, l.got.Value)
		}
	}
	if s.Account != c.settings.AccountID || s.App != c.settings.AppInstallationID {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := checkHost(s.Domain.Host, c.out); err == nil && s.Domain.Configured == c.settings.MonitoringDomain {
		c.domain.domain = s.Domain
		c.domain.fresh = s.Domain.At.Add(answerFresh)
	}
	c.stand(knowledge{Form: s.Form, Pages: s.Pages, OwnIDs: s.OwnIDs, Posted: s.Posted})
	return nil
}

// Forget lets it find out anew, beginning with Signal's form, and asks the
// Domain API again. The domain in force stays until that has answered.
func (c *Connection) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.domain.fresh = time.Time{}
	c.stand(knowledge{})
	c.nudge()
}

// facts are what is known, as a marketer reads it.
func (st *stance) facts() []integrations.Fact {
	k := &st.known
	switch {
	case !st.learning && st.force == DialectLivePerson:
		return bySettings("Set by the settings: PUT, with LivePerson's own names for carts and searches.", DialectLivePerson, pagesCarried, ownNone)
	case !st.learning:
		return bySettings("Set by the settings: POST, with Signal's names for carts and searches.", DialectSignal, pagesAlone, ownSent)
	}
	form := fact("form", k.Form, map[string]string{
		"":                        "Not known yet: reports go in Signal's form (POST), and the first cart or search shows whether LivePerson takes it.",
		string(DialectSignal):     "LivePerson takes Signal's form: POST, with the names cartStatus and searchContent.",
		string(DialectLivePerson): "LivePerson wants the form of its own reference: PUT, with the names cart and searchInfo.",
	})
	pages := fact("pages alone", k.Pages, map[string]string{
		"":           "Not known yet: the next page view shows whether LivePerson takes one by itself.",
		pagesAlone:   "LivePerson takes a page view by itself, so it is reported at once.",
		pagesCarried: "LivePerson takes no page view by itself: its address waits and travels with the visitor's next report.",
	})
	own := fact("own ids", k.OwnIDs, map[string]string{
		"":      "Not known yet: the next new visitor shows whether LivePerson takes the ids of Signal's visit.",
		ownSent: "LivePerson takes the ids of Signal's visit on a visitor's first report.",
		ownNone: "LivePerson refuses the ids of Signal's visit: a visitor's first report goes without, and LivePerson gives its own.",
	})
	if k.candidate != "" {
		form.Say = "LivePerson refused the one form, so the other is being tried: " + string(k.candidate) + "."
	}
	if k.force() == DialectLivePerson { // where this is part of the form
		pages = implied(pages, k.Form, pagesCarried, "In LivePerson's own form the address of a page view waits and travels with the visitor's next report.")
		own = implied(own, k.Form, ownNone, "In LivePerson's own form a visitor's first report goes without ids, and LivePerson gives its own.")
	}
	return []integrations.Fact{form, pages, own}
}

func fact(name string, l lesson, say map[string]string) integrations.Fact {
	return integrations.Fact{Name: name, Value: l.Value, Say: say[l.Value], Since: l.Since, From: l.From}
}

// implied is a fact that follows from the form.
func implied(f integrations.Fact, form lesson, value, say string) integrations.Fact {
	return integrations.Fact{Name: f.Name, Value: value, Say: say, Since: form.Since, From: form.From}
}

func bySettings(say string, form Dialect, pages, own string) []integrations.Fact {
	page, id := "Set by the settings: a page view is reported by itself.", "Set by the settings: a visitor's first report carries the ids of Signal's visit."
	if form == DialectLivePerson {
		page = "Set by the settings: the address of a page view waits and travels with the visitor's next report."
		id = "Set by the settings: a visitor's first report goes without ids, and LivePerson gives its own."
	}
	return []integrations.Fact{
		{Name: "form", Value: string(form), Say: say},
		{Name: "pages alone", Value: pages, Say: page},
		{Name: "own ids", Value: own, Say: id},
	}
}
