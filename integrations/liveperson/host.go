package liveperson

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/datafly/signal/integrations"
)

var livePersonHost = regexp.MustCompile(`^[a-z0-9.-]+\.liveperson\.(net|com)$`)

// domain reads the host and reports whether it is spoken to in plain HTTP.
func (r *settingsReader) domain(out integrations.Outbound) (string, bool) {
	s, ok := r.Required("monitoring_domain", "the host that LivePerson's Domain API gives for the service smt, such as va.v.liveperson.net; signal liveperson resolve finds it")
	if !ok {
		return "", false
	}
	plain, err := checkHost(s, out)
	if err != nil {
		r.Fault("monitoring_domain", "%s", err)
	}
	return s, plain
}

// domainAPI reads the address of another Domain API.
func (r *settingsReader) domainAPI(out integrations.Outbound) string {
	const name = "domain_api"
	if r.Values[name] == nil {
		return ""
	}
	s, _ := r.Values[name].(string)
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http":
		r.Fault(name, "must be an address such as http://127.0.0.1:8089; leave it out for LivePerson's own, %s", DomainAPI)
	case !out.Allows(u.Hostname()):
		r.Fault(name, "names a host that outbound.allow_hosts does not open; leave it out for LivePerson's own, %s", DomainAPI)
	case u.Scheme == "http" && !out.AllowHTTP:
		r.Fault(name, "may be plain HTTP only where outbound.allow_http is on, which is for tests")
	}
	return s
}

// checkHost says whether host may be spoken to, and whether in plain HTTP. Only
// LivePerson's own names pass, and what the operator opened.
func checkHost(host string, out integrations.Outbound) (plain bool, err error) {
	if strings.Contains(host, "://") || strings.ContainsAny(host, "/?#@ ") {
		return false, errors.New("must be a host alone, without https:// and without a path, such as va.v.liveperson.net")
	}
	if host != strings.ToLower(host) {
		return false, errors.New("must be in lower case, such as va.v.liveperson.net")
	}
	if livePersonHost.MatchString(host) && validName(host) {
		return false, nil
	}
	name, port := splitPort(host)
	switch {
	case !out.Allows(name) && port != "":
		return false, errors.New("must not carry a port, such as va.v.liveperson.net")
	case !out.Allows(name):
		return false, errors.New("must be a host of LivePerson: it ends in .liveperson.net or .liveperson.com, such as va.v.liveperson.net")
	case port != "" && !out.AllowHTTP:
		return false, errors.New("may carry a port only where outbound.allow_http is on, which is for tests")
	case port != "" && !validPort(port):
		return false, errors.New("must have a port from 1 to 65535")
	}
	return out.AllowHTTP, nil
}

// validName refuses names with empty labels, such as "..liveperson.net".
func validName(host string) bool {
	return len(host) <= 253 && !slices.ContainsFunc(strings.Split(host, "."), func(label string) bool {
		return label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-'
	})
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// splitPort splits "127.0.0.1:8089" and "[::1]:8089". A host without a port is
// given back as it is, without brackets.
func splitPort(host string) (name, port string) {
	if name, port, err := net.SplitHostPort(host); err == nil {
		return name, port
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ""
}
