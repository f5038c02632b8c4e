package liveperson

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/datafly/signal/integrations"
)

// How the monitoring domain is followed. LivePerson says that it may change and
// gives no number; its own tools keep an answer for 10 minutes.
const (
	// answerFresh is how long an answer of the Domain API needs no other,
	// unless LivePerson cannot be reached there.
	answerFresh = 10 * time.Minute
	// answerLasts is how long an answer is used when the Domain API gives no
	// other. Then the domain of the settings is used again.
	answerLasts = 24 * time.Hour
	// askDaily leaves an hour for more tries before an answer is too old.
	askDaily = 23 * time.Hour
	// askAgain follows a question that failed.
	askAgain = 10 * time.Minute
	// askAtMost is the least time between two questions.
	askAtMost = time.Minute
)

// errNotAsked: the operator opened the monitoring domain, so it is no host of
// LivePerson that its Domain API could know of.
var errNotAsked = errors.New("the monitoring domain was opened in outbound, so LivePerson's Domain API is not asked")

// domains is what is known of the Domain API's answers. It is guarded by the
// connection's lock.
type domains struct {
	domain
	fresh time.Time // until when the answer needs no other
	asked time.Time // the end of the last question
	err   error     // of the last question
}

// host gives the host that reports go to, and whether in plain HTTP. With c.mu
// held.
func (c *Connection) host(now time.Time) (string, bool) {
	d := &c.domain
	if c.settings.FollowDomain && d.Host != "" && now.Sub(d.At) < answerLasts {
		if plain, err := checkHost(d.Host, c.out); err == nil {
			return d.Host, plain
		}
	}
	return c.settings.MonitoringDomain, c.settings.plain
}

// lookUp gives the domain that the Domain API gives for the account: a fresh
// answer unless it is doubted, else a new one. Its error says why there is none, and wraps
// ErrNoAccount, ErrNoDomain or errNotAsked. One question is under way at a time.
func (c *Connection) lookUp(ctx context.Context, doubted bool) (string, error) {
	if c.resolver == nil {
		return "", errNotAsked
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	c.mu.Lock()
	d, now := c.domain, time.Now()
	c.mu.Unlock()
	switch {
	case now.Before(d.fresh) && !doubted:
		return d.Host, nil
	case now.Sub(d.asked) >= askAtMost:
	case d.err != nil:
		return "", d.err
	default:
		return d.Host, nil
	}
	host, err := c.resolver.Resolve(ctx, c.settings.AccountID)
	if err != nil && ctx.Err() != nil { // which says nothing of the Domain API
		return "", err
	}
	c.answered(host, err)
	return host, err
}

// answered takes an answer of the Domain API in, and the host that it gives.
func (c *Connection) answered(host string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, now, before := &c.domain, time.Now(), c.stance.Load()
	d.asked, d.err = now, err
	if err == nil {
		d.Host, d.At, d.fresh, d.Configured = host, now, now.Add(answerFresh), c.settings.MonitoringDomain
	}
	if next, _ := c.host(now); next != before.host {
		d.Since = now
	}
	c.stand(before.known)
}

// nudge says that the domain may have changed. Tend looks as soon as it may.
func (c *Connection) nudge() {
	select {
	case c.wake <- struct{}{}:
	default: // it knows
	}
}

// Tend follows the monitoring domain, and keeps the keys of identity tokens
// fresh, until ctx ends.
func (c *Connection) Tend(ctx context.Context) {
	var keys sync.WaitGroup
	keys.Go(func() { c.tendKeys(ctx) })
	defer keys.Wait()
	if c.resolver == nil {
		<-ctx.Done()
		return
	}
	for doubted := false; ctx.Err() == nil; {
		_, _ = c.lookUp(ctx, doubted) // what it found is in c.domain
		doubted = c.untilDue(ctx)
	}
}

// untilDue waits for the time of the next question, and reports whether it is
// asked because the domain may have changed.
func (c *Connection) untilDue(ctx context.Context) (doubted bool) {
	due, _ := c.due()
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return doubted
		case <-timer.C:
			return doubted
		case <-c.wake:
			if due, early := c.due(); early.Before(due) {
				timer.Reset(time.Until(early))
			}
			doubted = true
		}
	}
}

// due gives when the Domain API is asked next: by itself, and early when the
// domain may have changed, however fresh the last answer is.
func (c *Connection) due() (due, early time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := &c.domain
	early = d.asked.Add(askAtMost)
	if d.err != nil {
		return d.asked.Add(askAgain), early
	}
	return d.At.Add(askDaily), early
}

// domainFact says where reports go, and what the Domain API has to do with it.
// With c.mu held.
func (c *Connection) domainFact(host string) integrations.Fact {
	d, set := &c.domain, c.settings.MonitoringDomain
	f := integrations.Fact{Name: "domain", Value: host, Since: d.Since}
	switch {
	case c.resolver == nil:
		f.Say = "As in the settings. It was opened in outbound, so LivePerson's Domain API is not asked."
	case d.Host == "" && d.err == nil:
		f.Say = "As in the settings. LivePerson's Domain API was not asked yet."
	case d.Host == "":
		f.Say = "As in the settings."
	case host != set:
		f.Say = fmt.Sprintf("LivePerson's Domain API gives this domain, in the place of %s of the settings.", set)
	case d.Host == set:
		f.Say = "As in the settings, and as LivePerson's Domain API gives it."
	case !c.settings.FollowDomain:
		f.Say = fmt.Sprintf("As in the settings. LivePerson's Domain API gives %s, which is not taken over, as follow_domain is off.", d.Host)
	default:
		f.Say = fmt.Sprintf("As in the settings again: the last answer of LivePerson's Domain API, %s, is more than 24 hours old.", d.Host)
	}
	if d.err != nil {
		f.Say += " When it was asked last: " + d.err.Error() + "."
	}
	return f
}
