package webhook

import (
	"strings"

	"github.com/datafly/signal/integrations"
)

// reader reads the settings, with what a webhook's own must be.
type reader struct{ integrations.SettingReader }

// secret reads a value that is never shown, and reports whether it is good. One
// that still names a place was put in without reading that place, and must not
// be sent.
func (r *reader) secret(name string, v any) (Secret, bool) {
	s, ok := integrations.TextOf(v)
	switch {
	case v == nil:
		return "", true
	case !ok:
		r.Fault(name, "must be text, got %s", integrations.KindOf(v))
	case s == "":
		r.Fault(name, "is empty; write env:NAME or file:PATH, or leave it out")
	case strings.HasPrefix(s, "env:"), strings.HasPrefix(s, "file:"):
		r.Fault(name, "names a place that Signal did not read; env:NAME and file:PATH work in signal.yaml, elsewhere write the value itself")
	default:
		return Secret(s), true
	}
	return Secret(s), false
}
