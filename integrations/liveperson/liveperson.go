// Package liveperson delivers to LivePerson Conversational Cloud through its
// Monitoring API: purchases, carts, product views, leads, searches and customer
// info become engagement attributes (SDEs) of one consumer.
//
// Mappings write SDEs with Signal's names (cartStatus, searchContent). Build
// checks each against LivePerson's schema, translates it to the dialect in
// force, and makes one request of the items of one visitor. Send makes one try,
// and judge says what its answer means. What is known of a visitor comes in as
// integrations.Visit and goes out the same way. What a Connection itself keeps
// is what it learned of the account: the form of its reports, and its domain.
// Nothing here logs.
package liveperson

import (
	"context"
	"embed"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/datafly/signal/integrations"
)

var (
	_ integrations.Vendor     = (*Vendor)(nil)
	_ integrations.Connection = (*Connection)(nil)
	_ integrations.Paced      = (*Connection)(nil)
	_ integrations.Batcher    = (*Connection)(nil)
	_ integrations.Reformer   = (*Connection)(nil)
	_ integrations.Splitter   = (*Connection)(nil)
	_ integrations.Learner    = (*Connection)(nil)
	_ integrations.Tended     = (*Connection)(nil)
	_ integrations.Diagnoser  = (*Connection)(nil)
	_ integrations.Warner     = (*Connection)(nil)
)

//go:embed presets/*.yaml
var presets embed.FS

// Options tune a Vendor. The zero value is ready for use.
type Options struct {
	// Timeout bounds one try, from finding the address to the last byte of the
	// answer. Default 10 s. Longer holds the visitor's lane; shorter sends
	// again what LivePerson took.
	Timeout time.Duration

	// Connect bounds opening a connection within a try. Default 5 s.
	Connect time.Duration

	// Dial opens connections in the place of the network, for tests with a
	// server in memory. Default nil: the network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Vendor is LivePerson. It is safe for many goroutines.
type Vendor struct{ opts Options }

// New gives the vendor.
func New(opts Options) *Vendor {
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Second
	}
	if opts.Connect == 0 {
		opts.Connect = 5 * time.Second
	}
	return &Vendor{opts}
}

// Check reads the settings and gives a *Connection. Its error joins one
// *integrations.SettingFault per fault.
func (v *Vendor) Check(settings map[string]any, out integrations.Outbound) (integrations.Connection, error) {
	s, err := ParseSettings(settings, out)
	if err != nil {
		return nil, err
	}
	dialing := integrations.ClientOptions{Connect: v.opts.Connect, Dial: v.opts.Dial, Idle: s.Concurrency}
	c := &Connection{
		settings: s,
		out:      out,
		timeout:  v.opts.Timeout,
		http:     out.Client(dialing),
		wake:     make(chan struct{}, 1),
		turn:     make(chan struct{}, 1),
		prover:   s.prover(out),
	}
	if host, _ := splitPort(s.MonitoringDomain); s.DomainAPI != "" || !out.Allows(host) {
		c.resolver = newResolver(s.DomainAPI, out, dialing)
	}
	c.stance.Store(s.stance(s.MonitoringDomain, s.plain, knowledge{}))
	return c, nil
}

// Preset gives a mapping of this package by name: "retail", "service",
// "full" or "blank".
func (v *Vendor) Preset(name string) ([]byte, bool) {
	if name == "" || strings.ContainsAny(name, "./\\") {
		return nil, false
	}
	b, err := presets.ReadFile("presets/" + name + ".yaml")
	return b, err == nil
}

// A Connection is one integration's way to LivePerson. It is safe for many
// goroutines.
type Connection struct {
	settings Settings
	out      integrations.Outbound
	timeout  time.Duration
	http     *http.Client
	prover   *prover // nil without identity_token

	stance atomic.Pointer[stance] // stored with mu held

	resolver *Resolver     // nil where the Domain API is not asked
	wake     chan struct{} // the domain may have changed
	turn     chan struct{} // held by the one question that is under way

	mu      sync.Mutex
	version uint64 // of what was learned
	domain  domains
}

// Settings gives the settings in force, defaults filled in.
func (c *Connection) Settings() Settings { return c.settings }

// Rate gives the requests per second and how many may be in flight at once.
func (c *Connection) Rate() (perSecond float64, concurrency int) {
	return c.settings.RateLimit, c.settings.Concurrency
}

// Close lets go of the kept connections. Requests in flight go on, and the
// Connection may still be used. It may be called twice.
func (c *Connection) Close() {
	c.http.CloseIdleConnections()
	if c.resolver != nil {
		c.resolver.http.CloseIdleConnections()
	}
}
