package desk

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/trace"
)

// IntegrationStatus is how one integration fares at this moment.
type IntegrationStatus struct {
	ID       string `json:"id"` // "shop/liveperson"
	Name     string `json:"name"`
	Pipeline string `json:"pipeline"`
	Vendor   string `json:"vendor"`

	State  string    `json:"state" doc:"healthy, paused, holding, slowed, retrying or off."`
	Reason string    `json:"reason,omitempty" doc:"Whole sentences: why it is not healthy."`
	Remedy string    `json:"remedy,omitempty" doc:"What to do about it. Empty when there is nothing to do but wait."`
	Since  time.Time `json:"since,omitzero" doc:"Of the state."`
	Explanation
	AnswerStatus int `json:"answer_status,omitempty" doc:"HTTP status of the answer that is behind it; 0 when there was none."`
	AnswerCode   int `json:"answer_code,omitempty" doc:"The vendor's own code in that answer."`

	NextProbe time.Time `json:"next_probe,omitzero" doc:"When Signal tries by itself."`
	Rate      *Rate     `json:"rate,omitempty" doc:"Absent when requests are not bounded."`

	Learned  []integrations.Fact `json:"learned,omitempty" doc:"What Signal found out by itself about how the vendor wants to be spoken to. A fact without a value is not known yet."`
	Warnings []string            `json:"warnings,omitempty" doc:"Settings that work and are still not what the vendor advises."`

	Waiting  int       `json:"waiting" doc:"Events that are pending."`
	Visitors int       `json:"visitors,omitempty" doc:"How many visitors they are of."`
	Oldest   time.Time `json:"oldest,omitzero" doc:"When the oldest of them was received."`
}

// An Explanation is what is known of a failure beside its sentences.
type Explanation struct {
	Cause  string          `json:"cause,omitempty" doc:"The kind of failure, for scripts: unknown_app_key."`
	Fix    attempt.Fix     `json:"fix,omitempty" doc:"What mends it: settings, domain, mapping, identities, form, rate or replay. Empty when there is nothing to do but wait."`
	Field  string          `json:"field,omitempty" doc:"The vendor's field that was refused: lead.currency."`
	Checks []attempt.Check `json:"checks,omitempty" doc:"What Signal checked by itself. Neither right nor wrong means that it cannot know."`
}

// explanation reads what a record or a dead letter has of one.
func explanation(cause, fix, field string, checks json.RawMessage) Explanation {
	e := Explanation{Cause: cause, Fix: attempt.Fix(fix), Field: field}
	_ = json.Unmarshal(checks, &e.Checks) // none, or what an older program wrote: the sentences beside it stand
	return e
}

// masked gives a copy without personal data. By its contract there is none.
func (e Explanation) masked(m trace.Mask) Explanation {
	e.Checks = slices.Clone(e.Checks)
	for i := range e.Checks {
		e.Checks[i].Say = m.Text(e.Checks[i].Say)
	}
	return e
}

// Wrong gives the checks that found something wrong.
func (e *Explanation) Wrong() []attempt.Check {
	return slices.DeleteFunc(slices.Clone(e.Checks), func(c attempt.Check) bool { return !c.Wrong })
}

// A Rate is how fast an integration sends.
type Rate struct {
	PerSecond float64   `json:"per_second" doc:"Requests a second at this moment."`
	Limit     float64   `json:"limit" doc:"As configured."`
	SlowedAt  time.Time `json:"slowed_at,omitzero" doc:"When the vendor last asked to go slower, while per_second is below limit."`
}

// The states of an integration.
const (
	Healthy  = "healthy"
	Paused   = "paused"   // the settings are wrong: nothing is sent but a probe
	Holding  = "holding"  // the vendor is down: nothing is sent but a probe
	Slowed   = "slowed"   // the vendor asked for fewer requests a second
	Retrying = "retrying" // some visitors wait for another try
	Off      = "off"
)

// Stuck reports whether nothing but probes goes out.
func (s *IntegrationStatus) Stuck() bool { return s.State == Paused || s.State == Holding }

// Resume ends the pause of an integration at once: what waits is tried again,
// and a setting that is still wrong pauses it again. It is given by ID or name.
func (d *Desk) Resume(who auth.Actor, id string) (Integration, error) {
	return d.tell(who, id, d.o.Resume)
}

// LearnAgain lets an integration find out anew how its vendor wants to be
// spoken to. It is given by ID or name.
func (d *Desk) LearnAgain(who auth.Actor, id string) (Integration, error) {
	i, err := d.tell(who, id, d.o.Forget)
	if err == nil {
		d.o.Log.Info("an integration learns again", "role", string(who.Role), "integration", i.ID)
	}
	return i, err
}

// tell has an integration do something, where it runs.
func (d *Desk) tell(who auth.Actor, id string, do func(id string) bool) (Integration, error) {
	if err := allow(who, auth.Editor); err != nil {
		return Integration{}, err
	}
	full, err := d.integration(id, "")
	if err != nil {
		return Integration{}, err
	}
	if do == nil || !do(full) {
		return Integration{}, fault(ErrAbsent, "This process does not deliver to %s. Ask one with the role worker, or switch the integration on.", full)
	}
	return d.Integration(who, full)
}
