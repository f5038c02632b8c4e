package lpsim

import (
	"encoding/json"
	"time"
)

// replaces says whether a repeated attribute of a kind replaces the one
// before, as messaging has it, or is added to it.
func replaces(kind string) bool {
	return oneOf(kind, "personal", "ctmrinfo", "mrktInfo", "cart", "cartStatus", "service")
}

// An Entry is one attribute as it was reported. An id that came before in the
// same session is marked repeated, by the names that LivePerson's read-back has
// for it.
type Entry struct {
	At      time.Time       `json:"at"`
	Request uint64          `json:"request"`
	Type    string          `json:"type"`
	Vid     string          `json:"vid"`
	Sid     string          `json:"sid"`
	SDE     json.RawMessage `json:"sde"`

	OrderID         string `json:"orderId,omitempty"`
	RepeatedOrder   bool   `json:"repeatedOrderId,omitempty"`
	LeadID          string `json:"leadId,omitempty"`
	RepeatedLead    bool   `json:"repeatedLeadId,omitempty"`
	ServiceID       string `json:"serviceId,omitempty"`
	RepeatedService bool   `json:"repeatedServiceActivity,omitempty"`
	// RepeatOf is the first request that had the same id, in whatever session.
	RepeatOf uint64 `json:"repeatOf,omitempty"`
}

// A Session is one monitoring session of a visitor.
type Session struct {
	Vid       string    `json:"vid"`
	Sid       string    `json:"sid"`
	App       string    `json:"app"`
	CreatedAt time.Time `json:"created_at"`
	LastAt    time.Time `json:"last_at"`
	Reports   int       `json:"reports"`
	Ended     bool      `json:"ended"`
	Why       string    `json:"why,omitempty"` // it ended: idle, age, full or fault
}

// A Visitor is all that LivePerson knows of one person: what an agent would
// see. Lists are in the order of arrival.
type Visitor struct {
	Account         string    `json:"account"`
	Sub             string    `json:"sub"` // what it is kept under: a sub, else a consumerId, else a vid
	Issuer          string    `json:"iss,omitempty"`
	Level           string    `json:"acr,omitempty"`
	ConsumerID      string    `json:"consumer_id,omitempty"`
	Names           []string  `json:"names"` // every sub, consumerId and vid it came with
	Vid             string    `json:"vid"`   // last used
	Sid             string    `json:"sid"`
	FirstAt         time.Time `json:"first_at"`
	LastAt          time.Time `json:"last_at"`
	Reports         int       `json:"reports"` // taken
	SessionsCreated int       `json:"sessions_created"`
	Sessions        []Session `json:"sessions"`

	Orders         []Entry `json:"orders"`
	Cart           *Entry  `json:"cart"`
	ProductsViewed []Entry `json:"products_viewed"`
	Searches       []Entry `json:"searches"`
	Leads          []Entry `json:"leads"`
	Services       []Entry `json:"services"`
	Errors         []Entry `json:"errors"`
	Impressions    []Entry `json:"impressions"`
	Customer       *Entry  `json:"customer"`
	Personal       *Entry  `json:"personal"`
	Marketing      *Entry  `json:"marketing"`
	Pages          []page  `json:"pages"`
	EntryPoints    []page  `json:"entry_points"` // sec://, lang://, tel:// and the like

	History []Entry `json:"history"` // every attribute in order of arrival, whatever became of it
	Lints   []Lint  `json:"lints"`
}

// readBack works out a visitor under the state's lock. With chat, attributes
// are merged as chat has it: fields that were not repeated stay. With a sid,
// only that session counts.
func (s *Sim) readBack(v *visitor, now time.Time, chat bool, sid string) Visitor {
	out := Visitor{
		Account: v.key.account, Sub: v.key.name, Issuer: v.who.iss, Level: v.who.acr, ConsumerID: v.who.consumerID,
		Vid: v.vid, Sid: v.sid, FirstAt: v.first, LastAt: v.last, Reports: v.reports, SessionsCreated: v.created,
		Names: []string{}, Sessions: []Session{}, Lints: []Lint{}, History: []Entry{},
		Orders: []Entry{}, ProductsViewed: []Entry{}, Searches: []Entry{}, Leads: []Entry{},
		Services: []Entry{}, Errors: []Entry{}, Impressions: []Entry{},
		Pages: append([]page{}, v.pages...), EntryPoints: append([]page{}, v.entries...),
	}
	for _, k := range v.names {
		out.Names = append(out.Names, k.name)
	}
	for _, x := range v.sessions {
		why := s.ended(x, now)
		out.Sessions = append(out.Sessions, Session{x.vid, x.sid, x.app, x.created, x.last, x.reports, why != "", why})
	}
	for _, l := range v.lints {
		out.Lints = append(out.Lints, *l)
	}
	for _, kind := range []string{"personal", "ctmrinfo", "mrktInfo", "cart", "cartStatus", "service"} {
		if e, ok := v.kept[kind]; ok && (sid == "" || e.Sid == sid) {
			out.learn(e, chat)
		}
	}
	for _, e := range v.history {
		if sid == "" || e.Sid == sid {
			out.learn(e, chat)
			out.History = append(out.History, e.public())
		}
	}
	return out
}

func (e entry) public() Entry {
	out := Entry{At: e.At, Request: e.Request, Type: e.Type, Vid: e.Vid, Sid: e.Sid, SDE: e.SDE, RepeatOf: e.repeatOf}
	switch e.Type {
	case "purchase":
		out.OrderID, out.RepeatedOrder = e.id, e.repeated
	case "lead":
		out.LeadID, out.RepeatedLead = e.id, e.repeated
	case "service":
		out.ServiceID, out.RepeatedService = e.id, e.repeated
	}
	return out
}

// learn takes one more attribute in.
func (v *Visitor) learn(in entry, chat bool) {
	e := in.public()
	switch in.Type {
	case "purchase":
		v.Orders = append(v.Orders, e)
	case "cart", "cartStatus":
		v.Cart = &e
	case "prodView":
		v.ProductsViewed = append(v.ProductsViewed, e)
	case "searchInfo", "searchContent":
		v.Searches = append(v.Searches, e)
	case "lead":
		v.Leads = append(v.Leads, e)
	case "error":
		v.Errors = append(v.Errors, e)
	case "service":
		if !chat {
			v.Services = v.Services[:0]
		}
		v.Services = append(v.Services, e)
	case "ctmrinfo":
		v.Customer = after(v.Customer, e, chat)
	case "personal":
		v.Personal = after(v.Personal, e, chat)
	case "mrktInfo":
		v.Marketing = after(v.Marketing, e, chat)
	default:
		if isImpression(in.Type) {
			v.Impressions = append(v.Impressions, e)
		}
	}
}

// after is what a repeated attribute leaves: itself, or in chat both merged.
func after(old *Entry, e Entry, chat bool) *Entry {
	if chat && old != nil {
		before, _ := parse(old.SDE)
		next, _ := parse(e.SDE)
		e.SDE = merge(nil, before, next)
	}
	return &e
}

// merge writes object a with the members of b over it, level by level.
func merge(dst []byte, a, b node) []byte {
	if a.kind != '{' || b.kind != '{' {
		return append(dst, b.raw...)
	}
	dst = append(dst, '{')
	put := func(name string, raw func([]byte) []byte) {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(quote(dst, name), ':')
		dst = raw(dst)
	}
	for _, m := range a.members {
		if over := b.get(m.name); over.there() {
			put(m.name, func(d []byte) []byte { return merge(d, m.value, over) })
		} else {
			put(m.name, func(d []byte) []byte { return append(d, m.value.raw...) })
		}
	}
	for _, m := range b.members {
		if a.get(m.name).kind == 0 {
			put(m.name, func(d []byte) []byte { return append(d, m.value.raw...) })
		}
	}
	return append(dst, '}')
}
