package webhook

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/datafly/signal/integrations"
)

// address reads url, and reports whether it is spoken to in plain HTTP.
func (r *reader) address(out integrations.Outbound) (string, bool) {
	v := r.Values["url"]
	s, ok := v.(string)
	switch {
	case v != nil && !ok:
		r.Fault("url", "must be text, got %s", integrations.KindOf(v))
		return "", false
	case s == "":
		r.Fault("url", "is required: where events go, such as https://example.com/hooks/signal")
		return "", false
	}
	u, err := parseAddress(s, out)
	if err != nil {
		r.Fault("url", "%s", err)
		return "", false
	}
	return u.String(), u.Scheme == "http"
}

// parseAddress says whether an address may be spoken to. Names are held against
// the guard again when they are resolved, at each connection.
func parseAddress(s string, out integrations.Outbound) (*url.URL, error) {
	if len(s) > maxURL {
		return nil, errors.New("is longer than 2,048 characters, which receivers refuse")
	}
	if strings.HasPrefix(s, "env:") || strings.HasPrefix(s, "file:") {
		return nil, errors.New("names a place that Signal did not read; write the address itself")
	}
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return nil, errors.New("must be a whole address without spaces, such as https://example.com/hooks/signal")
	}
	u.Host = strings.ToLower(u.Host)
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("must begin with https://")
	case u.User != nil:
		return nil, errors.New("must not carry a user or password; set basic: {user: …, password: …}")
	case u.Fragment != "" || strings.Contains(s, "#"):
		return nil, errors.New("must not carry a fragment (#…), which is never sent")
	case strings.HasSuffix(u.Host, ":") || u.Port() != "" && !validPort(u.Port()):
		return nil, errors.New("must have a port from 1 to 65535, or none")
	case strings.ContainsFunc(u.RawQuery, func(c rune) bool { return c > '~' }):
		return nil, errors.New("must have letters beyond ASCII behind the question mark percent-encoded, such as %C3%A9")
	case !validHost(u.Hostname()):
		return nil, errors.New("must have a host of letters, digits, dots and hyphens; write one in other letters in its ASCII form, which begins with xn--")
	}
	return u, checkReach(u, out)
}

// checkReach refuses what the operator has not opened, with the reason that a
// try would only find later.
func checkReach(u *url.URL, out integrations.Outbound) error {
	host := u.Hostname()
	opened := out.Allows(host)
	if u.Scheme == "http" && !(opened && out.AllowHTTP) {
		return errors.New("must begin with https://; plain HTTP goes only where outbound.allow_http and outbound.allow_hosts open it, which is for tests")
	}
	if opened {
		return nil
	}
	address, err := netip.ParseAddr(host)
	private := err == nil && !integrations.Public(address)
	if private || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return errors.New("points to an address that is not public; only outbound.allow_hosts opens such a host, which is for tests")
	}
	return nil
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// validHost takes addresses, and names without empty labels. A name that ends in
// a number is none: some resolvers read 127.1 as an address.
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	labels := strings.Split(host, ".")
	if last := labels[len(labels)-1]; last != "" && '0' <= last[0] && last[0] <= '9' {
		return false
	}
	return len(host) <= 253 && !slices.ContainsFunc(labels, func(label string) bool {
		return label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(c rune) bool {
				return c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z')
			})
	})
}
