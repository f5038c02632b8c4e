package ingest

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// keyOf gives the pipeline key that a request carries outside its body, or "".
// The first place that has one counts: Authorization, then wk in the query.
// The body's writeKey is asked last, and only when both are silent, because
// the body has not been read yet.
func keyOf(r *http.Request) string {
	if key := authorizationKey(r.Header.Get("Authorization")); key != "" {
		return key
	}
	return queryValue(r.URL.RawQuery, "wk")
}

// authorizationKey reads a Bearer token or a Basic user name. A header of
// another scheme, or that is no base64, holds no key.
func authorizationKey(header string) string {
	scheme, rest, ok := strings.Cut(header, " ")
	if !ok {
		return ""
	}
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return rest
	case strings.EqualFold(scheme, "Basic") && len(rest) <= 2*maxKey:
		plain, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return ""
		}
		user, _, _ := strings.Cut(string(plain), ":")
		return user
	}
	return ""
}

// queryValue gives the first value of a name in a raw query, without building
// the map that url.ParseQuery does.
func queryValue(raw, name string) string {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		key, value, _ := strings.Cut(pair, "=")
		if key != name {
			continue
		}
		if plain, err := url.QueryUnescape(value); err == nil {
			return plain
		}
		return ""
	}
	return ""
}
