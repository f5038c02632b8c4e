package integrations_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/datafly/signal/integrations"
)

func TestPublic(t *testing.T) {
	tests := []struct {
		name string
		addr string
		want bool
	}{
		{"a public IPv4 address", "8.8.8.8", true},
		{"another, just above the shared range", "100.128.0.1", true},
		{"just below the private range of 172", "172.15.255.255", true},
		{"a public IPv6 address", "2a00:1450:4001:81b::200e", true},
		{"a public address mapped into IPv6", "::ffff:8.8.8.8", true},
		{"a public address behind NAT64", "64:ff9b::808:808", true},

		{"loopback", "127.0.0.1", false},
		{"any loopback", "127.255.0.9", false},
		{"loopback of IPv6", "::1", false},
		{"loopback mapped into IPv6", "::ffff:127.0.0.1", false},
		{"loopback behind NAT64", "64:ff9b::7f00:1", false},
		{"loopback in the old compatible form", "::127.0.0.1", false},
		{"private 10", "10.1.2.3", false},
		{"private 172", "172.16.0.1", false},
		{"private 172, its last", "172.31.255.255", false},
		{"private 192", "192.168.1.1", false},
		{"private mapped into IPv6", "::ffff:10.0.0.1", false},
		{"private behind NAT64", "64:ff9b::a00:1", false},
		{"NAT64 of a local network", "64:ff9b:1::808:808", false},
		{"shared by a carrier's customers", "100.64.0.1", false},
		{"shared, its last", "100.127.255.255", false},
		{"link-local", "169.254.1.1", false},
		{"the metadata of a cloud", "169.254.169.254", false},
		{"the metadata mapped into IPv6", "::ffff:169.254.169.254", false},
		{"the metadata behind NAT64", "64:ff9b::a9fe:a9fe", false},
		{"the metadata of a cloud in IPv6", "fd00:ec2::254", false},
		{"unspecified", "0.0.0.0", false},
		{"this network", "0.1.2.3", false},
		{"unspecified of IPv6", "::", false},
		{"protocol assignments", "192.0.0.1", false},
		{"documentation", "192.0.2.1", false},
		{"documentation, second", "198.51.100.1", false},
		{"documentation, third", "203.0.113.9", false},
		{"benchmarks", "198.19.0.1", false},
		{"relays of 6to4", "192.88.99.1", false},
		{"multicast", "224.0.0.1", false},
		{"reserved", "240.0.0.1", false},
		{"broadcast", "255.255.255.255", false},
		{"unique local IPv6", "fc00::1", false},
		{"unique local IPv6, second half", "fd12:3456::1", false},
		{"link-local IPv6", "fe80::1", false},
		{"site-local IPv6", "fec0::1", false},
		{"with a zone", "fe80::1%eth0", false},
		{"a public address with a zone", "2a00:1450::1%eth0", false},
		{"multicast IPv6", "ff02::1", false},
		{"Teredo", "2001::1", false},
		{"6to4 of a private address", "2002:a00:1::1", false},
		{"documentation IPv6", "2001:db8::1", false},
		{"documentation IPv6, second", "3fff::1", false},
		{"discard IPv6", "100::1", false},
		{"segment routing", "5f00::1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := integrations.Public(netip.MustParseAddr(tt.addr)); got != tt.want {
				t.Errorf("Public(%s) = %v, want %v", tt.addr, got, tt.want)
			}
		})
	}
	if integrations.Public(netip.Addr{}) {
		t.Error("the zero address is public, want not")
	}
}

func TestClientGuards(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/here", http.StatusFound)
		}
	}))
	defer srv.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that fail
	secure.StartTLS()
	defer secure.Close()
	name := func(raw string) string { // the same server by its name
		u, _ := url.Parse(raw)
		return u.Scheme + "://localhost:" + u.Port()
	}
	open := integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.1"}}
	tests := []struct {
		name   string
		out    integrations.Outbound
		url    string
		status int   // 0 if err
		err    error // nil with status 0: any
	}{
		{"plain HTTP is refused in production", integrations.Outbound{}, srv.URL, 0, integrations.ErrPlainHTTP},
		{"plain HTTP is refused to a host that is not listed", open, name(srv.URL), 0, integrations.ErrPlainHTTP},
		{"plain HTTP is refused to a listed host when it is off", integrations.Outbound{AllowHosts: open.AllowHosts}, srv.URL, 0, integrations.ErrPlainHTTP},
		{"plain HTTP goes to a listed host when it is on", open, srv.URL, 200, nil},
		{"a redirect is answered as it stands", open, srv.URL + "/away", 302, nil},
		{"our own machine is refused by its address", integrations.Outbound{}, secure.URL, 0, integrations.ErrNotPublic},
		{"our own machine is refused by a name that resolves to it", integrations.Outbound{}, name(secure.URL), 0, integrations.ErrNotPublic},
		{"a listed host does not open the others", open, name(secure.URL), 0, integrations.ErrNotPublic},
		{"a listed host needs a valid certificate all the same", open, secure.URL, 0, nil},
	}
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := tt.out.Client(integrations.ClientOptions{Connect: 5 * time.Second})
			defer client.CloseIdleConnections()
			resp, err := client.Get(tt.url)
			if err == nil {
				defer resp.Body.Close()
			}
			switch {
			case tt.status == 0 && err == nil:
				t.Fatalf("%s answered %d, want an error", tt.url, resp.StatusCode)
			case tt.status == 0 && tt.err != nil && !errors.Is(err, tt.err):
				t.Fatalf("err = %v, want %v", err, tt.err)
			case tt.status != 0 && err != nil:
				t.Fatalf("err = %v, want status %d", err, tt.status)
			case tt.status != 0 && resp.StatusCode != tt.status:
				t.Fatalf("status = %d, want %d", resp.StatusCode, tt.status)
			}
		})
	}
}

func TestADialHookTakesThePlaceOfTheNetwork(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	var dialled []string
	opts := integrations.ClientOptions{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled = append(dialled, addr)
		var d net.Dialer
		return d.DialContext(ctx, network, srv.Listener.Addr().String())
	}}
	open := integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"private.example"}}
	client := open.Client(opts)
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://private.example/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 404 || !slices.Equal(dialled, []string{"private.example:80"}) {
		t.Errorf("status %d, dialled %v, want 404 from private.example:80", resp.StatusCode, dialled)
	}
	if _, err := client.Get("http://other.example/"); !errors.Is(err, integrations.ErrPlainHTTP) {
		t.Errorf("plain HTTP to a host that is not open: %v, want %v", err, integrations.ErrPlainHTTP)
	}
}
