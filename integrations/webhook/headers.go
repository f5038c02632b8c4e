package webhook

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/datafly/signal/integrations"
)

// The headers that Signal writes itself.
const (
	headTimestamp = "X-Signal-Timestamp"
	headSignature = "X-Signal-Signature"
	headMessageID = "X-Signal-Message-Id"
	ourPrefix     = "X-Signal-"
)

const (
	maxHeaders     = 32
	maxHeaderValue = 4 << 10 // bytes; servers take 8 KiB of headers at least
)

// ownHeaders are those that a setting must not write, with the reason.
var ownHeaders = map[string]string{
	"Host":              "is taken from url",
	"Content-Length":    "is counted for each request",
	"Content-Encoding":  "would be wrong: bodies are sent as they are",
	"Accept-Encoding":   "is negotiated for each request",
	"Expect":            "is not used",
	"Connection":        "belongs to a connection, not to a request",
	"Keep-Alive":        "belongs to a connection, not to a request",
	"Proxy-Connection":  "belongs to a connection, not to a request",
	"Transfer-Encoding": "belongs to a connection, not to a request",
	"Te":                "belongs to a connection, not to a request",
	"Trailer":           "belongs to a connection, not to a request",
	"Upgrade":           "belongs to a connection, not to a request",
	"Http2-Settings":    "belongs to a connection, not to a request",

	"Proxy-Authenticate":  "is for proxies, and Signal uses none",
	"Proxy-Authorization": "is for proxies, and Signal uses none",
}

// shownHeaders are those whose values help a person and are no secret. A header
// of any other name may be a key, so its value is hidden.
var shownHeaders = map[string]bool{"Content-Type": true, "Accept": true, "Accept-Language": true, "User-Agent": true}

// headers reads the map of headers; nil when there are none.
func (r *reader) headers() map[string]Secret {
	v := r.Values["headers"]
	if v == nil {
		return nil
	}
	given, ok := v.(map[string]any)
	if !ok {
		r.Fault("headers", "must be an object of names and values, such as {X-Api-Key: \"env:HOOK_KEY\"}, got %s", integrations.KindOf(v))
		return nil
	}
	if len(given) > maxHeaders {
		r.Fault("headers", "there are %d of them, at most %d fit", len(given), maxHeaders)
		return nil
	}
	out := make(map[string]Secret, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at := "headers." + name
		canonical := http.CanonicalHeaderKey(name)
		if _, twice := out[canonical]; twice {
			r.Fault(at, "is there twice: letters large or small make no difference in a header's name")
			continue
		}
		if r.headerName(at, name, canonical) {
			out[canonical] = r.headerValue(at, given[name])
		}
	}
	return out
}

func (r *reader) headerName(at, name, canonical string) bool {
	switch {
	case !isToken(name):
		// The name may hold a line end, so it does not stand in the sentence.
		r.Fault("headers", "has a name that is none: letters, digits, hyphens and the like, without spaces and colons, such as X-Api-Key")
	case strings.HasPrefix(canonical, ourPrefix):
		r.Fault(at, "is Signal's own: headers that begin with %s are written for each request", ourPrefix)
	case ownHeaders[canonical] != "":
		r.Fault(at, "cannot be set: it %s", ownHeaders[canonical])
	default:
		return true
	}
	return false
}

func (r *reader) headerValue(at string, v any) Secret {
	if v == nil {
		r.Fault(at, "has no value; write one, or leave the header out")
		return ""
	}
	s, ok := r.secret(at, v)
	switch {
	case !ok:
	case len(s) > maxHeaderValue:
		r.Fault(at, "is longer than 4,096 bytes, which receivers refuse")
	case strings.ContainsFunc(string(s), func(c rune) bool { return c != '\t' && (c < ' ' || c > '~') }):
		r.Fault(at, "must be one line of ASCII, since a header holds nothing else")
	case strings.TrimSpace(string(s)) != string(s):
		r.Fault(at, "has spaces around it, which do not arrive; take them out")
	}
	return s
}

// isToken reports whether s is a token by RFC 9110, as names of headers are.
func isToken(s string) bool {
	return s != "" && len(s) <= 256 && !strings.ContainsFunc(s, func(c rune) bool {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		return !letter && (c > '~' || !strings.ContainsRune("!#$%&'*+-.^_`|~", c))
	})
}
