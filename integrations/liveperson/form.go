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

// form gives the form that the settings ask for. Auto is the dialect signal.
func (s Settings) form() form {
	f := form{dialect: DialectSignal, method: http.MethodPost, pagesAlone: true, ownIDs: true}
	query := "v=1.0"
	if s.Dialect == DialectLivePerson {
		f = form{
			dialect: DialectLivePerson,
			method:  http.MethodPut,
			names:   map[string]string{"cartStatus": "cart", "searchContent": "searchInfo"},
		}
		query = "v=1.1"
	}
	if s.OnBehalf {
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

// wire gives the name of an SDE on the wire.
func (f *form) wire(name string) string {
	if w, ok := f.names[name]; ok {
		return w
	}
	return name
}

// ids are those that the next request of a visitor carries. Either may be
// empty.
func (f *form) ids(v integrations.Visit, s integrations.Session) attempt.IDs {
	ids := v.IDs
	if v.Bare {
		return attempt.IDs{}
	}
	if v.Of != s.Sid {
		ids.Session = "" // of a visit that is over
	}
	if !f.ownIDs {
		return ids
	}
	if ids.Visitor == "" {
		ids.Visitor = s.Vid
	}
	if ids.Session == "" {
		ids.Session = s.Sid
	}
	return ids
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
