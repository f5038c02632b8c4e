// Package webhook delivers events to any address that takes JSON over HTTPS: a
// service of one's own, or a tool without a vendor package here. It is the
// second vendor, and knows nothing of the first.
//
// Extract keeps the canonical event beside what the mapping made. Build makes
// one request of one event, or of a batch of one visitor's. Send makes one try,
// which it signs with the time of that try, and judge says what its answer
// means. A secret stands neither in a Request nor in a Result: Send adds it to
// what goes out and takes it out of what comes back. Nothing here keeps state
// or logs.
package webhook

import (
	"context"
	"embed"
	"net/http"
	"strings"
	"time"

	"github.com/datafly/signal/integrations"
)

var (
	_ integrations.Vendor     = (*Vendor)(nil)
	_ integrations.Connection = (*Connection)(nil)
	_ integrations.Paced      = (*Connection)(nil)
	_ integrations.Batcher    = (*Connection)(nil)
	_ integrations.Preparer   = (*Connection)(nil)
	_ integrations.Warner     = (*Connection)(nil)
)

//go:embed presets/*.yaml
var presets embed.FS

// Options tune a Vendor. The zero value is ready for use.
type Options struct {
	// Version of Signal, for the header User-Agent: "Signal/1.2.0". Empty gives
	// "Signal" alone.
	Version string
}

// Vendor is the webhook. It is safe for many goroutines.
type Vendor struct{ opts Options }

// New gives the vendor.
func New(opts Options) *Vendor { return &Vendor{opts} }

// Check reads the settings and gives a *Connection. Its error joins one
// *integrations.SettingFault per fault; none repeats a value.
func (v *Vendor) Check(settings map[string]any, out integrations.Outbound) (integrations.Connection, error) {
	s, err := ParseSettings(settings, out)
	if err != nil {
		return nil, err
	}
	agent := "Signal"
	if isToken(v.opts.Version) {
		agent += "/" + v.opts.Version
	}
	return &Connection{
		settings: s,
		agent:    agent,
		shownURL: s.shownURL(),
		hide:     s.hider(),
		http:     out.Client(integrations.ClientOptions{Idle: s.Concurrency}),
	}, nil
}

// Preset gives a mapping of this package by name: "events".
func (v *Vendor) Preset(name string) ([]byte, bool) {
	if name == "" || strings.ContainsAny(name, "./\\") {
		return nil, false
	}
	b, err := presets.ReadFile("presets/" + name + ".yaml")
	return b, err == nil
}

// Presets are the names that Preset knows. The first is the one to begin with.
func (v *Vendor) Presets() []string { return []string{"events"} }

// Secrets names the settings whose values are never shown, by their dotted
// paths; * stands for every name.
func (v *Vendor) Secrets() []string {
	return []string{"secret", "bearer", "basic.password", "headers.*"}
}

// A Connection is one integration's way to its receiver. It is safe for many
// goroutines.
type Connection struct {
	settings Settings
	agent    string
	shownURL string            // for people: values of the query are hidden
	hide     *strings.Replacer // hides secrets in what a receiver says
	http     *http.Client
}

// Settings gives the settings in force, defaults filled in. The secrets in it
// print and marshal masked.
func (c *Connection) Settings() Settings { return c.settings }

// Rate gives the requests per second and how many may be in flight at once.
func (c *Connection) Rate() (perSecond float64, concurrency int) {
	return c.settings.RateLimit, c.settings.Concurrency
}

// Pauses are the waits after the first failed tries, in order; delivery's own
// schedule goes on from there. They are shorter than a vendor's, since a
// receiver of one's own is mostly away for a restart only.
func (c *Connection) Pauses() []time.Duration {
	return []time.Duration{time.Second, 5 * time.Second, 25 * time.Second}
}

// Prepare has nothing to add: an item is ready as Extract left it.
func (c *Connection) Prepare(_ context.Context, item integrations.Item) (ready integrations.Item, reason string, err error) {
	return item, "", nil
}

// Warnings says what works and is still not safe.
func (c *Connection) Warnings() []string {
	var out []string
	switch n := len(c.settings.Secret); {
	case n == 0:
		out = append(out, "The receiver cannot tell Signal's requests from anybody else's. Set secret, and verify the signature there.")
	case n < goodSecret:
		out = append(out, "The secret is short enough to be guessed. Use 32 characters or more, such as what openssl rand -hex 32 gives.")
	}
	if c.settings.plain {
		out = append(out, "Events travel in plain HTTP, which anybody on the way can read. Use https:// outside of tests.")
	}
	return out
}

// Close lets go of the kept connections. Requests in flight go on, and the
// Connection may still be used. It may be called twice.
func (c *Connection) Close() { c.http.CloseIdleConnections() }
