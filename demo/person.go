package demo

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"
)

// A person is one simulated shopper: a browser, a mind about consent, and what
// they remember between visits.
type person struct {
	anonymousID string
	agent       string
	locale      string
	zone        string
	width       int
	height      int
	currency    string

	answer   consentAnswer
	answered bool // the banner was clicked; before, no event carries consent

	first, last, email string
	userID             string // set by signing in
	cart               []cartLine
}

type cartLine struct {
	product  Product
	quantity int
}

// consentAnswer is what a person does with the banner.
type consentAnswer int

const (
	grantsAll consentAnswer = iota
	denies
	choosesAnalytics
	neverAnswers
)

// categories are the banner's codes as the shop's page passes them on.
func (a consentAnswer) categories() map[string]any {
	all := a == grantsAll
	return map[string]any{"C0001": true, "C0002": all || a == choosesAnalytics, "C0003": all, "C0004": all}
}

var (
	browsers = []struct {
		agent         string
		width, height int
	}{
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36", 1920, 1080},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15", 1440, 900},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Mobile/15E148 Safari/604.1", 390, 844},
		{"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36", 412, 924},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0", 1536, 864},
	}
	places = []struct{ locale, zone, currency string }{
		{"en-GB", "Europe/London", "EUR"}, {"de-DE", "Europe/Berlin", "EUR"}, {"fr-FR", "Europe/Paris", "EUR"},
		{"nl-NL", "Europe/Amsterdam", "EUR"}, {"en-US", "America/New_York", "USD"}, {"en-US", "America/Los_Angeles", "USD"},
	}
	firstNames = strings.Fields("Ada Ben Clara David Emma Finn Greta Hugo Ines Jonas Kira Liam Mara Noah Olga Paul Rosa Sam Tilda Vera")
	lastNames  = strings.Fields("Abel Brandt Costa Dietz Evans Fischer Gray Hill Iversen Jansen Keller Lind Moreau Novak Olsen Parker Quinn Rossi Stone Weber")
	campaigns  = []map[string]any{
		{"source": "newsletter", "medium": "email", "name": "autumn-letter"},
		{"source": "search", "medium": "cpc", "name": "kettles", "term": "pour over kettle"},
		{"source": "social", "medium": "paid", "name": "mug-of-the-month", "content": "video"},
	}
	referrers = []string{"", "", "https://www.example.org/search", "https://blog.example.net/slow-mornings"}
	searches  = []string{"mug", "tea", "linen", "moss", "kettle", "red mug", "gift", "green tea"}
	leadTopic = []string{"Newsletter", "Newsletter", "Back in stock", "Wedding list"}
)

func newPerson(r *rand.Rand) *person {
	b, at := browsers[r.IntN(len(browsers))], places[r.IntN(len(places))]
	p := &person{
		anonymousID: uuid4(r), agent: b.agent, width: b.width, height: b.height,
		locale: at.locale, zone: at.zone, currency: at.currency,
		first: firstNames[r.IntN(len(firstNames))], last: lastNames[r.IntN(len(lastNames))],
	}
	p.email = fmt.Sprintf("%s.%s%d@example.com", strings.ToLower(p.first), strings.ToLower(p.last), r.IntN(100))
	switch n := r.IntN(100); {
	case n < 55:
		p.answer = grantsAll
	case n < 75:
		p.answer = denies
	case n < 80:
		p.answer = choosesAnalytics
	default:
		p.answer = neverAnswers
	}
	return p
}

// A stop is one page of a visit with the events that it sends.
type stop struct {
	url, title, referrer string
	campaign             map[string]any // of the page's address, nil for none
	events               []sent
	before, after        func() // what the person does before and after the events go, nil for nothing
}

// sent is one call of the collector.
type sent struct {
	kind       string // track, page, identify
	name       string
	properties map[string]any
	traits     map[string]any
}

// event gives one call as the collector would send it.
func (p *person) event(r *rand.Rand, at stop, s sent, now time.Time) map[string]any {
	e := map[string]any{
		"type": s.kind, "messageId": uuid4(r), "anonymousId": p.anonymousID,
		"timestamp": stamp(now), "context": p.context(at),
	}
	if s.name != "" {
		e["event"] = s.name
	}
	if s.properties != nil {
		e["properties"] = s.properties
	}
	if s.traits != nil {
		e["traits"] = s.traits
	}
	if p.userID != "" {
		e["userId"] = p.userID
	}
	return e
}

func (p *person) context(at stop) map[string]any {
	page := map[string]any{"url": at.url, "title": at.title, "referrer": at.referrer}
	if u, err := url.Parse(at.url); err == nil {
		page["path"], page["search"] = u.Path, ""
		if u.RawQuery != "" {
			page["search"] = "?" + u.RawQuery
		}
	}
	c := map[string]any{
		"page": page, "userAgent": p.agent, "locale": p.locale, "timezone": p.zone,
		"screen":  map[string]any{"width": p.width, "height": p.height},
		"library": map[string]any{"name": "signal-demo-shoppers", "version": "1"},
	}
	if p.answered {
		c["consent"] = map[string]any{"categories": p.answer.categories()}
	}
	if at.campaign != nil {
		c["campaign"] = at.campaign
	}
	return c
}

// uuid4 is a random UUID from the shopper's own chance, so that a seed gives
// the same ids again.
func uuid4(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	a = a&^0xf000 | 0x4000
	b = b&^(0b11<<62) | 0b10<<62
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
}
