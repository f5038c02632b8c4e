package ingest

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAnonymousIDAndCookie(t *testing.T) {
	const rest = "; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax"
	made := newID(1)
	tests := []struct {
		name    string
		target  string
		body    string
		headers []string
		want    string // anonymousIds of what is stored, joined by a space
		cookie  string // the value that is set, "" for none
	}{
		{name: "a browser without any gets a new one", headers: []string{fromWeb}, want: made, cookie: made},
		{name: "Sec-Fetch-Site makes a browser too", headers: []string{"Sec-Fetch-Site: same-origin"}, want: made, cookie: made},
		{name: "a server gets a new one and no cookie", want: made},
		{name: "a UUID of the body is adopted", body: `{"anonymousId":"` + uuid1 + `"}`, headers: []string{fromWeb}, want: uuid1, cookie: uuid1},
		{name: "a server's UUID makes no cookie", body: `{"anonymousId":"` + uuid1 + `"}`, want: uuid1},
		{name: "a foreign form is kept and makes no cookie", body: `{"anonymousId":"visitor 7"}`, headers: []string{fromWeb}, want: "visitor 7"},
		{name: "a number is a foreign form", body: `{"anonymousId":7}`, headers: []string{fromWeb}, want: "7"},
		{name: "the UUID of zeros is a foreign form", body: `{"anonymousId":"00000000-0000-0000-0000-000000000000"}`, headers: []string{fromWeb}, want: "00000000-0000-0000-0000-000000000000"},
		{name: "the cookie wins and lives on", body: `{"anonymousId":"` + uuid1 + `"}`, headers: []string{fromWeb, "Cookie: a=b; _dfid=" + uuid2}, want: uuid2, cookie: uuid2},
		{name: "the cookie wins over a foreign form", body: `{"anonymousId":"visitor 7"}`, headers: []string{fromWeb, "Cookie: _dfid=" + uuid2}, want: uuid2, cookie: uuid2},
		{name: "the cookie counts without a browser, and is not set", headers: []string{"Cookie: _dfid=" + uuid2}, want: uuid2},
		{name: "a cookie that is no UUID counts as none", body: `{"anonymousId":"` + uuid1 + `"}`, headers: []string{fromWeb, "Cookie: _dfid=x"}, want: uuid1, cookie: uuid1},
		{name: "after a reset the body's wins over the cookie", target: "/v1/p?reset=1", body: `{"anonymousId":"` + uuid1 + `"}`, headers: []string{fromWeb, "Cookie: _dfid=" + uuid2}, want: uuid1, cookie: uuid1},
		{name: "after a reset without an id there is a new one", target: "/v1/p?reset=1", headers: []string{fromWeb, "Cookie: _dfid=" + uuid2}, want: made, cookie: made},
		{name: "a browser's batch is one visitor", target: "/v1/batch", body: `{"batch":[{"type":"page"},{"type":"page"}]}`, headers: []string{fromWeb}, want: made + " " + made, cookie: made},
		{name: "a server's batch may be many", target: "/v1/batch", body: `{"batch":[{"type":"page"},{"type":"page"}]}`, want: made + " " + newID(2)},
		{name: "a batch keeps what each event has", target: "/v1/batch", body: `{"batch":[{"type":"page","anonymousId":"` + uuid1 + `"},{"type":"page","anonymousId":"` + uuid2 + `"},{"type":"page"}]}`, headers: []string{fromWeb}, want: uuid1 + " " + uuid2 + " " + uuid1, cookie: uuid1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, d := gateway(t, nil)
			if tt.target == "" {
				tt.target = "/v1/p"
			}
			if tt.body == "" {
				tt.body = "{}"
			}
			w := call(g, "POST", tt.target, tt.body, append(tt.headers, bearer)...)
			var ids []string
			for _, r := range d.all() {
				ids = append(ids, r.AnonymousID)
			}
			if got := strings.Join(ids, " "); w.Code != 200 || got != tt.want {
				t.Errorf("%d, anonymousId = %q, want %q", w.Code, got, tt.want)
			}
			want := ""
			if tt.cookie != "" {
				want = "_dfid=" + tt.cookie + rest
			}
			if got := w.Header().Get("Set-Cookie"); got != want {
				t.Errorf("Set-Cookie = %q, want %q", got, want)
			}
		})
	}
}

func TestARefusedCallSetsNoCookie(t *testing.T) {
	g, _ := gateway(t, nil)
	for _, body := range []string{`{`, `{"properties":5}`} {
		if w := call(g, "POST", "/v1/p", body, bearer, fromWeb); w.Code != 400 || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d with cookie %q", body, w.Code, w.Header().Get("Set-Cookie"))
		}
	}
}

func TestCookieDomainAndSecure(t *testing.T) {
	g, _ := gateway(t, func(o *Options) {
		o.CookieDomain = "example.com"
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	})
	tests := []struct {
		name    string
		target  string
		headers []string
		secure  bool
	}{
		{name: "plain HTTP", target: "/v1/p"},
		{name: "TLS at the gateway", target: "https://data.example.com/v1/p", secure: true},
		{name: "TLS at the proxy", target: "/v1/p", headers: []string{"X-Forwarded-Proto: https"}, secure: true},
		{name: "the last proxy's word counts", target: "/v1/p", headers: []string{"X-Forwarded-Proto: https, http"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := call(g, "POST", tt.target, "{}", append(tt.headers, bearer, fromWeb)...).Header().Get("Set-Cookie")
			if !strings.Contains(got, "; Domain=example.com") || strings.Contains(got, "; Secure") != tt.secure {
				t.Errorf("Set-Cookie = %q, want Secure to be %v", got, tt.secure)
			}
		})
	}
	g, _ = gateway(t, nil)
	if got := call(g, "POST", "/v1/p", "{}", bearer, fromWeb, "X-Forwarded-Proto: https").Header().Get("Set-Cookie"); strings.Contains(got, "Secure") {
		t.Errorf("a stranger's X-Forwarded-Proto was believed: %s", got)
	}
}

func TestClientIP(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}
	tests := []struct {
		name    string
		peer    string
		forward []string
		want    string
	}{
		{"no proxy", "198.51.100.1:1", nil, "198.51.100.1"},
		{"a stranger's word is not believed", "198.51.100.1:1", []string{"1.2.3.4"}, "198.51.100.1"},
		{"one proxy", "203.0.113.7:1", []string{"198.51.100.9"}, "198.51.100.9"},
		{"the right-most that is no proxy", "203.0.113.7:1", []string{"1.2.3.4, 198.51.100.9, 10.1.1.1"}, "198.51.100.9"},
		{"several lines are one list", "203.0.113.7:1", []string{"1.2.3.4", "198.51.100.9", "10.1.1.1"}, "198.51.100.9"},
		{"proxies only: the one farthest away", "203.0.113.7:1", []string{"10.2.2.2, 10.1.1.1"}, "10.2.2.2"},
		{"a proxy that says nothing", "203.0.113.7:1", nil, "203.0.113.7"},
		{"nonsense ends the walk at the last good hop", "203.0.113.7:1", []string{"1.2.3.4, unknown, 10.1.1.1"}, "10.1.1.1"},
		{"ports are cut off", "203.0.113.7:1", []string{"198.51.100.9:8080"}, "198.51.100.9"},
		{"IPv6 with port and brackets", "[2001:db8:1::5]:1", []string{"[2001:db8:9::1]:443"}, "2001:db8:9::1"},
		{"IPv6 in brackets alone", "203.0.113.7:1", []string{"[2001:db8:9::1]"}, "2001:db8:9::1"},
		{"IPv4 in IPv6 is IPv4", "[::ffff:203.0.113.7]:1", []string{"::ffff:198.51.100.9"}, "198.51.100.9"},
		{"a zone is cut off", "[fe80::1%eth0]:1", nil, "fe80::1"},
		{"no address", "@", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := gateway(t, func(o *Options) { o.TrustedProxies = proxies })
			r := request("POST", "/v1/p", "{}")
			r.RemoteAddr = tt.peer
			r.Header["X-Forwarded-For"] = tt.forward
			if got := g.clientIP(r); got != tt.want {
				t.Errorf("clientIP(%s, %q) = %q, want %q", tt.peer, tt.forward, got, tt.want)
			}
		})
	}
}
