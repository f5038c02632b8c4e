package liveperson

import (
	"fmt"
	"strings"
)

// Warnings says what of the settings works and is still not what LivePerson
// advises.
func (c *Connection) Warnings() []string {
	var out []string
	s := &c.settings
	if strings.Contains(s.MonitoringDomain, ".bc-monitoring.") {
		out = append(out, fmt.Sprintf("monitoring_domain %s is of a form that LivePerson's own pages do not have; theirs is va.v.liveperson.net. signal liveperson resolve %s shows the one of this account.", s.MonitoringDomain, s.AccountID))
	}
	if s.OnBehalf != nil && !*s.OnBehalf && s.Dialect == DialectLivePerson {
		out = append(out, "on_behalf is off, so LivePerson takes the place of Signal's server for that of the visitors.")
	}
	if c.guessedSub() {
		out = append(out, "A token of identity_token names its visitor by an e-mail address or a number, which can be guessed. LivePerson asks for a sub that cannot: a random id, or a salted hash.")
	}
	return out
}
