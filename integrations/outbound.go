package integrations

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// ErrNotPublic is in the error of a request whose host's address is not
// public: the guard against a setting that points into our own network.
var ErrNotPublic = errors.New("the address is not public")

// ErrPlainHTTP is in the error of a request in plain HTTP that the operator has
// not opened.
var ErrPlainHTTP = errors.New("plain HTTP is not allowed")

// ClientOptions tune an HTTP client for one vendor. The zero value is ready for
// use.
type ClientOptions struct {
	// Connect bounds finding the address and opening the connection, and then
	// the TLS handshake. Default 5 s.
	Connect time.Duration

	// Idle is how many connections stay open between requests. Fewer than the
	// requests in flight means handshakes under load. Default 64.
	Idle int

	// Dial opens connections in the place of the network, for tests with a
	// server in memory. Nothing is resolved then, so the guard against private
	// addresses has nothing to look at; that against plain HTTP stays. Default
	// nil: the network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client gives an HTTP client for requests to a vendor: HTTP/1.1 with kept
// connections, TLS 1.2 or later, no proxy from the environment, redirects
// answered as they stand, and no connection to an address that is not public
// unless its host is in AllowHosts. The address is checked after the name is
// resolved, so a name cannot be turned onto our own network later. It is safe
// for many goroutines. It has no timeout of its own beyond Connect.
func (o Outbound) Client(opts ClientOptions) *http.Client {
	if opts.Connect == 0 {
		opts.Connect = 5 * time.Second
	}
	if opts.Idle == 0 {
		opts.Idle = 64
	}
	if opts.Dial == nil {
		opts.Dial = o.dial(opts.Connect)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // many short requests to one host: faster than one shared HTTP/2 connection
	return &http.Client{
		Transport: &guard{o, &http.Transport{
			Proxy:                  nil,
			DialContext:            opts.Dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    opts.Connect,
			Protocols:              protocols,
			MaxIdleConns:           opts.Idle,
			MaxIdleConnsPerHost:    opts.Idle,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// guard refuses plain HTTP before anything is sent.
type guard struct {
	out  Outbound
	next *http.Transport
}

func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !(g.out.AllowHTTP && g.out.Allows(r.URL.Hostname())) {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, ErrPlainHTTP
	}
	return g.next.RoundTrip(r)
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the
// connections.
func (g *guard) CloseIdleConnections() { g.next.CloseIdleConnections() }

func (o Outbound) dial(timeout time.Duration) func(context.Context, string, string) (net.Conn, error) {
	open := &net.Dialer{Timeout: timeout}
	guarded := &net.Dialer{Timeout: timeout, Control: refusePrivate}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("read the host of a request: %w", err)
		}
		if o.Allows(host) {
			return open.DialContext(ctx, network, addr)
		}
		return guarded.DialContext(ctx, network, addr)
	}
}

// refusePrivate runs for each resolved address, before its connection opens.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !Public(at.Addr()) {
		return ErrNotPublic
	}
	return nil
}

// Public reports whether a is an address of the public internet. Forms that
// carry an IPv4 address inside (mapped, NAT64) are judged by that one.
func Public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if a.Is6() && !global6.Contains(a) {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	global6 = netip.MustParsePrefix("2000::/3")

	// reserved are the ranges of IANA's special-purpose registries. Those of
	// IPv6 lie inside global6; everything outside of it is refused anyway.
	reserved = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("100.64.0.0/10"), // shared by a carrier's customers
		netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("169.254.0.0/16"), // link-local; the metadata of clouds
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("192.88.99.0/24"),
		netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("224.0.0.0/4"), // multicast
		netip.MustParsePrefix("240.0.0.0/4"), // reserved, and broadcast
		netip.MustParsePrefix("2001::/23"),   // Teredo and other protocols
		netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("2002::/16"), // 6to4: an IPv4 address inside
		netip.MustParsePrefix("3fff::/20"),
	}
)
