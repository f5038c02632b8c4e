package liveperson_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
)

func TestResolve(t *testing.T) {
	tests := []struct {
		name    string
		account string
		answer  http.HandlerFunc
		want    string
		err     string // a part of it
		kind    error
	}{
		{"one service", "12345678", say(200, `{"service":"smt","account":"12345678","baseURI":"va.v.liveperson.net"}`), "va.v.liveperson.net", "", nil},
		{"a list of services", "12345678", say(200, `{"baseURIs":[{"service":"asyncMessagingEnt","baseURI":"va.msg.liveperson.net"},{"service":"smt","baseURI":"lo.v.liveperson.net"}]}`), "lo.v.liveperson.net", "", nil},
		{"a host in capitals", "12345678", say(200, `{"baseURI":"VA.v.LivePerson.net"}`), "va.v.liveperson.net", "", nil},
		{"the simulator's host", "12345678", say(200, `{"baseURI":"127.0.0.1:8089"}`), "127.0.0.1:8089", "", nil},

		{"no such account", "12345679", say(401, ""), "", "LivePerson knows no account 12345679", liveperson.ErrNoAccount},
		{"not found", "12345679", say(404, ""), "", "LivePerson knows no account 12345679", liveperson.ErrNoAccount},
		{"an account that cannot be", "12/../34", say(200, ""), "", "an account ID has 1 to 20 letters, digits or underscores", liveperson.ErrNoAccount},
		{"down", "12345678", say(503, "<html>"), "", "LivePerson's Domain API answered 503; try again later, or type the domain by hand", liveperson.ErrNoDomain},
		{"a redirect", "12345678", say(302, ""), "", "LivePerson's Domain API answered 302", liveperson.ErrNoDomain},
		{"a reset", "12345678", reset, "", "LivePerson's Domain API cannot be reached: it broke the connection off; try again", liveperson.ErrNoDomain},
		{"cut off", "12345678", rawly("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"), "", "was cut off", liveperson.ErrNoDomain},
		{"a page", "12345678", say(200, "<html>"), "", "names no domain for the service smt", liveperson.ErrNoDomain},
		{"no smt", "12345678", say(200, `{"baseURIs":[{"service":"agent","baseURI":"va.agent.liveperson.net"}]}`), "", "names no domain for the service smt", liveperson.ErrNoDomain},
		{"a host of somebody else", "12345678", say(200, `{"baseURI":"evil.example"}`), "", "names a domain that Signal does not go to: it must be a host of LivePerson", liveperson.ErrNoDomain},
		{"a URL", "12345678", say(200, `{"baseURI":"https://va.v.liveperson.net"}`), "", "must be a host alone", liveperson.ErrNoDomain},
		{"an address of our own network", "12345678", say(200, `{"baseURI":"169.254.169.254"}`), "", "must be a host of LivePerson", liveperson.ErrNoDomain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if want := "/api/account/" + tt.account + "/service/smt/baseURI.json?version=1.0"; r.URL.RequestURI() != want || r.Method != "GET" {
					t.Errorf("asked %s %s, want GET %s", r.Method, r.URL.RequestURI(), want)
				}
				tt.answer(w, r)
			}))
			defer srv.Close()
			out := integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.1"}}
			got, err := liveperson.NewResolver(srv.URL+"/", out).Resolve(t.Context(), tt.account)
			if got != tt.want {
				t.Errorf("Resolve = %q, want %q", got, tt.want)
			}
			switch {
			case tt.err == "" && err != nil:
				t.Errorf("err = %v", err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || !errors.Is(err, tt.kind)):
				t.Errorf("err = %v, want it to contain %q and to be %v", err, tt.err, tt.kind)
			}
		})
	}
}

func TestResolveGoesToPublicAddressesOnly(t *testing.T) {
	_, err := liveperson.NewResolver("https://127.0.0.1:1", integrations.Outbound{}).Resolve(t.Context(), "12345678")
	if err == nil || !strings.Contains(err.Error(), "not one that Signal may go to") {
		t.Errorf("err = %v", err)
	}
}
