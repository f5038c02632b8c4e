package liveperson

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/datafly/signal/attempt"
)

// diagnoseFor bounds Diagnose: a person or a probe waits for it.
const diagnoseFor = 10 * time.Second

// Diagnose looks for what stands behind a try that paused the integration. Of
// an address that does not answer as LivePerson it asks the Domain API, by which
// domain, account and app key can be told apart. It takes at most 10 s.
func (c *Connection) Diagnose(ctx context.Context, r attempt.Result) []attempt.Check {
	ctx, cancel := context.WithTimeout(ctx, diagnoseFor)
	defer cancel()
	switch r.Cause {
	case causeAppKey, causeAccount, causeDomain, causeRedirect, causeForeign:
		return c.checkAddress(ctx, r.Cause)
	case causeOtherForm:
		return []attempt.Check{c.checkForm()}
	case causeIdentities:
		return []attempt.Check{c.checkIdentities()}
	}
	return nil
}

// checkAddress asks which domain the account has, and tells by elimination
// whether the app key can be right.
func (c *Connection) checkAddress(ctx context.Context, cause string) []attempt.Check {
	used := c.stance.Load().host
	given, err := c.lookUp(ctx, false)
	domain := attempt.Check{What: "domain"}
	account := attempt.Check{What: "account"}
	switch {
	case errors.Is(err, ErrNoAccount):
		domain.Say = "LivePerson's Domain API gives a domain for known accounts only."
		account.Wrong, account.Say = true, "LivePerson knows no account "+c.settings.AccountID+"."
	case errors.Is(err, errNotAsked):
		domain.Say = "The domain was opened in outbound, so LivePerson's Domain API is not asked about it."
		account.Say = "Only LivePerson's Domain API could tell."
	case err != nil:
		domain.Say = "LivePerson's Domain API gave no answer that says which domain is right."
		account.Say = "LivePerson's Domain API gave no answer that says whether the account is known."
	case given != used:
		domain.Wrong, domain.Say = true, fmt.Sprintf("LivePerson gives %s for this account now, and the report went to %s.", given, used)
		account.Right, account.Say = true, "LivePerson knows the account."
	default:
		domain.Right, domain.Say = true, fmt.Sprintf("LivePerson gives %s for this account, which is the domain in use.", given)
		account.Right, account.Say = true, "LivePerson knows the account."
	}
	return []attempt.Check{domain, account, checkAppKey(cause, domain, account)}
}

// checkAppKey says what is left for the app key, which nobody but LivePerson
// can look up.
func checkAppKey(cause string, domain, account attempt.Check) attempt.Check {
	key := attempt.Check{What: "app key"}
	switch {
	case domain.Wrong || account.Wrong:
		key.Say = "It cannot be judged before the rest is right."
	case cause != causeAppKey:
		key.Say = "LivePerson did not come to look at it."
	case domain.Right && account.Right:
		key.Wrong, key.Say = true, "Domain and account are right, so the app key is wrong, or its app is not active."
	default:
		key.Say = "LivePerson does not know it, or not for this account."
	}
	return key
}

func (c *Connection) checkForm() attempt.Check {
	check := attempt.Check{What: "dialect", Wrong: true}
	if st := c.stance.Load(); !st.learning {
		check.Say = fmt.Sprintf("The settings say %s, so Signal does not find the dialect out by itself.", st.force)
		return check
	}
	check.Say = "LivePerson refused the dialect signal as well as liveperson."
	return check
}

func (c *Connection) checkIdentities() attempt.Check {
	check := attempt.Check{What: "identities"}
	if c.settings.IdentityToken == "" {
		check.Wrong, check.Say = true, "identity_token is not set, so no report has a signed identity behind it."
		return check
	}
	check.Right, check.Say = true, "identity_token is set: events with a valid token are reported with acr loa1, all others with acr 0."
	return check
}
