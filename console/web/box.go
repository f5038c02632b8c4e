package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
)

// boxView is the box that explains a failure, the same wherever one shows: what
// happened, what is safe, what Signal checked by itself, what to do, the button
// that does it, and when Signal tries by itself.
type boxView struct {
	Kind  string // pending, dead or filtered: its colours
	Glyph string

	What    string    // the headline, without its full stop when Since follows
	Since   time.Time // the last word of the headline; zero for none
	Safe    string
	Link    choice // at the end of the sentences
	Checks  []attempt.Check
	Remedy  string
	Acts    []act
	NextTry time.Time
}

// An act is a button of a box: a link, or a form that posts.
type act struct {
	Label, Icon string
	Class       string // main, danger, quiet, or "" for a plain one
	Href        string // of a link
	Post        string // of a form, with its fields
	Fields      [][2]string
	Off         string // why it may not be used, and who may
}

// acting is who looks at a box, and where.
type acting struct {
	may   bool
	whose string // why not, and who may
	back  string // where a form leads back to
	here  bool   // the settings of the integration are on the same page
}

func (s *site) acting(who auth.Actor, admins, back string) acting {
	a := acting{may: who.Role.May(auth.Editor), back: back}
	if !a.may {
		a.whose = "Your role is " + who.Role.Word() + ". " + admins
	}
	return a
}

// post is a button that changes something, off for those who may not.
func (a acting) post(label, to string, fields ...[2]string) act {
	if !a.may {
		return act{Label: label, Off: a.whose}
	}
	return act{Label: label, Post: to, Fields: append(fields, [2]string{"back", a.back})}
}

// fixes are the buttons that mend a failure of an integration. What Signal
// cannot do yet has none: the remedy says it.
func (a acting) fixes(s desk.IntegrationStatus, fix attempt.Fix) []act {
	var out []act
	if (fix == attempt.FixForm || fix == attempt.FixDomain) && len(s.Learned) > 0 {
		out = append(out, a.post("Learn again", "/integrations/learn-again", [2]string{"id", s.ID}))
	}
	switch fix {
	case attempt.FixSettings, attempt.FixDomain, attempt.FixIdentities, attempt.FixRate:
		settings := act{Label: "Settings of " + s.Name, Href: "/integrations/" + s.ID + "#settings"}
		if a.here {
			settings = act{Label: "See the settings", Href: "#settings"}
		}
		out = append(out, settings)
	}
	if s.State == desk.Paused {
		out = append(out, a.post("Resume", "/integrations/resume", [2]string{"id", s.ID}))
	}
	if len(out) > 0 && out[0].Off == "" {
		out[0].Class = "main"
	}
	return out
}

// trouble explains why an integration does not send as it should. It is nil
// when it does.
func (a acting) trouble(s desk.IntegrationStatus) *boxView {
	head, rest := firstSentence(s.Reason)
	b := &boxView{Kind: "pending", Glyph: "pending", What: sentence(head), Checks: s.Checks, Remedy: s.Remedy, NextTry: s.NextProbe}
	safe := []string{rest, answered(s.Reason, s.AnswerStatus, s.AnswerCode), waiting(s)}
	switch s.State {
	case desk.Paused, desk.Holding:
		safe = append(safe, "One report probes from time to time whether it works again.")
	case desk.Slowed:
		b.What = sentence(vendorName(s.Vendor, s.Name) + " asks to go slower, so " + s.Name + " sends " + speedWord(s.Rate))
		safe = []string{waiting(s), "The rate recovers by itself."}
	case desk.Retrying:
	default:
		return nil
	}
	if s.State == desk.Paused {
		b.Glyph = "paused"
	}
	b.Safe = join(safe...)
	b.Acts = a.fixes(s, s.Fix)
	return b
}

// so adds to the headline what follows for the integration, and since when.
func (b *boxView) so(s desk.IntegrationStatus) {
	what := map[string]string{desk.Paused: "is paused", desk.Holding: "holds back"}[s.State]
	if what == "" {
		return
	}
	b.What = strings.TrimRight(b.What, ".") + ", so " + s.Name + " " + what
	if b.Since = s.Since; b.Since.IsZero() {
		b.What += "."
	} else {
		b.What += " since "
	}
}

// waiting says how much waits, and that it is safe.
func waiting(s desk.IntegrationStatus) string {
	switch {
	case s.Waiting == 0:
		return "No event waits. What comes meanwhile waits in order, and none is lost."
	case s.Waiting == 1:
		return "1 event waits, and it is not lost."
	case s.Visitors == 0:
		return some(s.Waiting, "event") + " wait in order, and none is lost."
	}
	return fmt.Sprintf("%s of %s wait in order, and none is lost.", some(s.Waiting, "event"), some(s.Visitors, "visitor"))
}

// answered says what the vendor answered, unless the reason did.
func answered(reason string, status, code int) string {
	switch {
	case status == 0 || strings.Contains(reason, "answered "+strconv.Itoa(status)):
		return ""
	case code == 0:
		return fmt.Sprintf("It answered %d.", status)
	}
	return fmt.Sprintf("It answered %d with code %d.", status, code)
}

// firstSentence cuts a text behind its first sentence.
func firstSentence(s string) (first, rest string) {
	if first, rest, ok := strings.Cut(s, ". "); ok {
		return first + ".", rest
	}
	return s, ""
}

// join puts sentences behind each other and leaves out what is empty.
func join(sentences ...string) string {
	var out []string
	for _, s := range sentences {
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

// speedWord words how fast an integration sends: "50 of 100 requests a second".
func speedWord(r *desk.Rate) string {
	if r == nil {
		return "fewer requests a second"
	}
	return perSecond(r.PerSecond) + " of " + perSecond(r.Limit) + " requests a second"
}

func perSecond(f float64) string {
	if f >= 10 {
		return count(int64(math.Round(f)))
	}
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64)
}

// checkName is what was checked, in front of what came out. The name of a
// vendor's field stays as it is.
func checkName(c attempt.Check) string {
	if c.What == "" || strings.ContainsAny(c.What, "._[") {
		return c.What
	}
	return upper(c.What) + "."
}

// checkSign is how a check came out: the sign, and the word that stands for it.
func checkSign(c attempt.Check) (sign, word string) {
	switch {
	case c.Wrong:
		return "dead", "wrong"
	case c.Right:
		return "delivered", "right"
	}
	return "unknown", "not known"
}

// stateWord words the state of an integration as it stands in its header,
// followed by the time when there is one.
func stateWord(s desk.IntegrationStatus) (outcome, words string, since time.Time) {
	switch s.State {
	case desk.Healthy:
		return "delivered", "Healthy", since
	case desk.Paused:
		if s.Since.IsZero() {
			return "paused", "Paused", since
		}
		return "paused", "Paused since", s.Since
	case desk.Holding:
		if s.AnswerStatus == 0 {
			return "pending", "Holding back: " + vendorName(s.Vendor, s.Name) + " does not answer", since
		}
		return "pending", fmt.Sprintf("Holding back: %s answers %d", vendorName(s.Vendor, s.Name), s.AnswerStatus), since
	case desk.Slowed:
		words = "Slower: " + speedWord(s.Rate)
		if s.Rate == nil || s.Rate.SlowedAt.IsZero() {
			return "pending", words, since
		}
		return "pending", words + " since", s.Rate.SlowedAt
	case desk.Retrying:
		return "pending", "Trying again", since
	}
	return "filtered", "Off", since
}
