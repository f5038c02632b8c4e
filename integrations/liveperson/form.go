package liveperson

import (
	"net/http"
	"net/url"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

// form is what a dialect means for one integration's requests.
type form struct {
	dialect Dialect // signal or liveperson
	method  string
	url     string            // up to the ids of the visit
	names   map[string]string // of SDEs on the wire, where they differ from ours

	// pagesAlone: a page view is a report of its own, without SDEs. Else its
	// address waits for the visitor's next report.
	pagesAlone bool
	// ownIDs: Signal's own vid and sid go out until LivePerson gives others.
	// Else the first request goes without.
	ownIDs bool
}

// wireNames are the SDEs that LivePerson's reference calls otherwise than
// Signal: the ones by which the two forms of a report differ.
var wireNames = map[string]string{"cartStatus": "cart", "searchContent": "searchInfo"}

// form gives the form that the settings name. That of auto is Signal's, with
// which it begins.
func (s Settings) form() form {
	f := form{dialect: DialectSignal, method: http.MethodPost, pagesAlone: true, ownIDs: true}
	query := "v=1.0"
	if s.Dialect == DialectLivePerson {
		f = form{dialect: DialectLivePerson, method: http.MethodPut, names: wireNames}
		query = "v=1.1"
	}
	if s.OnBehalf == nil && s.Dialect == DialectLivePerson || s.OnBehalf != nil && *s.OnBehalf {
		query += "&obh=true"
	}
	scheme := "https"
	if s.plain {
		scheme = "http"
	}
	f.url = scheme + "://" + s.MonitoringDomain +
		"/api/account/" + url.PathEscape(s.AccountID) +
		"/app/" + url.PathEscape(s.AppInstallationID) + "/report?" + query
	return f
}

// A stance is what Build goes by at one moment: the host in force and what is
// known of LivePerson. It is never changed; what changes makes another.
type stance struct {
	host     string
	learning bool // the dialect is auto
	known    knowledge

	signal, liveperson form
	force              Dialect // of reports that no Reform names another form for
}

// stance gives what to go by with reports to host.
func (s Settings) stance(host string, plain bool, k knowledge) *stance {
	st := &stance{host: host, learning: s.Dialect == Auto, known: k, force: s.Dialect}
	s.MonitoringDomain, s.plain = host, plain
	s.Dialect = DialectSignal
	st.signal = s.form()
	s.Dialect = DialectLivePerson
	st.liveperson = s.form()
	if st.learning {
		st.force = k.force()
		st.signal.pagesAlone = k.Pages.Value != pagesCarried
		st.signal.ownIDs = k.OwnIDs.Value != ownNone
	}
	return st
}

// form gives the form of that name, and the one in force for any other.
func (st *stance) form(name Dialect) *form {
	if name != DialectSignal && name != DialectLivePerson {
		name = st.force
	}
	if name == DialectLivePerson {
		return &st.liveperson
	}
	return &st.signal
}

// wire gives the name of an SDE on the wire.
func (f *form) wire(name string) string {
	if w, ok := f.names[name]; ok {
		return w
	}
	return name
}

// ids are those that the next request of a visitor carries; either may be
// empty. page are those of LivePerson's own tag on the visitor's page, which
// come first, so that Signal's reports join the tag's visit. own says that both
// are Signal's.
func (f *form) ids(v integrations.Visit, s integrations.Session, page attempt.IDs) (ids attempt.IDs, own bool) {
	if v.Bare {
		return attempt.IDs{}, false
	}
	if joins(v, page) {
		return page, false
	}
	ids = v.IDs
	if v.Of != s.Sid {
		ids.Session = "" // of a visit that is over
	}
	if !f.ownIDs {
		return ids, false
	}
	own = ids == (attempt.IDs{}) && s.Vid != "" && s.Sid != ""
	if ids.Visitor == "" {
		ids.Visitor = s.Vid
	}
	if ids.Session == "" {
		ids.Session = s.Sid
	}
	return ids, own
}

// joins reports whether the ids of the tag on the page are to be used: they are
// there, and LivePerson has neither refused them nor answered them with others.
func joins(v integrations.Visit, page attempt.IDs) bool {
	return page.Visitor != "" && !v.Bare && (page != v.Refused || page == v.IDs)
}

// after gives the visit once a request of Signal's session sid was taken: no
// address waits any more, and an id that was not sent is let go. The tag's ids
// were used up: from here on it is what LivePerson answers that counts, until
// the tag has others.
func after(v integrations.Visit, sid string, page attempt.IDs) integrations.Visit {
	next := integrations.Visit{IDs: v.IDs, Of: sid, Refused: v.Refused}
	switch {
	case v.Bare:
		next.IDs = attempt.IDs{}
	case joins(v, page):
		next.IDs, next.Refused = page, page
	case v.Of != sid:
		next.IDs.Session = ""
	}
	return next
}

// address gives the URL with the ids. They are opaque, so they are escaped.
func (f *form) address(ids attempt.IDs) string {
	u := f.url
	if ids.Visitor != "" {
		u += "&vid=" + url.QueryEscape(ids.Visitor)
	}
	if ids.Session != "" {
		u += "&sid=" + url.QueryEscape(ids.Session)
	}
	return u
}
