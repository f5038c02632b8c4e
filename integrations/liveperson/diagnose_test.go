package liveperson_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
)

func TestDiagnose(t *testing.T) {
	tests := []struct {
		name     string
		settings map[string]any
		api      http.HandlerFunc
		cause    string
		want     []string // "domain right: …"
	}{
		{
			"domain and account are right, so the app key is wrong", nil, say(200, `{"baseURI":"lp.example"}`), "unknown_app_key",
			[]string{
				"domain right: LivePerson gives lp.example for this account, which is the domain in use.",
				"account right: LivePerson knows the account.",
				"app key wrong: Domain and account are right, so the app key is wrong, or its app is not active.",
			},
		},
		{
			"the domain is another", map[string]any{"follow_domain": false}, say(200, `{"baseURI":"moved.example"}`), "unknown_app_key",
			[]string{
				"domain wrong: LivePerson gives moved.example for this account now, and the report went to lp.example.",
				"account right: LivePerson knows the account.",
				"app key open: It cannot be judged before the rest is right.",
			},
		},
		{
			"the domain is another, and is taken over", nil, say(200, `{"baseURI":"moved.example"}`), "wrong_domain",
			[]string{
				"domain wrong: LivePerson gives moved.example for this account now, and the report went to lp.example.",
				"account right: LivePerson knows the account.",
				"app key open: It cannot be judged before the rest is right.",
			},
		},
		{
			"the account is not known", nil, say(401, ""), "unknown_account",
			[]string{
				"domain open: LivePerson's Domain API gives a domain for known accounts only.",
				"account wrong: LivePerson knows no account 12345678.",
				"app key open: It cannot be judged before the rest is right.",
			},
		},
		{
			"the Domain API is down", nil, say(503, ""), "unknown_app_key",
			[]string{
				"domain open: LivePerson's Domain API gave no answer that says which domain is right.",
				"account open: LivePerson's Domain API gave no answer that says whether the account is known.",
				"app key open: LivePerson does not know it, or not for this account.",
			},
		},
		{
			"a redirect from the right domain", nil, say(200, `{"baseURI":"lp.example"}`), "redirect",
			[]string{
				"domain right: LivePerson gives lp.example for this account, which is the domain in use.",
				"account right: LivePerson knows the account.",
				"app key open: LivePerson did not come to look at it.",
			},
		},
		{
			"a domain that the operator opened", map[string]any{"domain_api": nil}, say(500, ""), "wrong_domain",
			[]string{
				"domain open: The domain was opened in outbound, so LivePerson's Domain API is not asked about it.",
				"account open: Only LivePerson's Domain API could tell.",
				"app key open: LivePerson did not come to look at it.",
			},
		},
		{"both dialects were refused", nil, nil, "other_dialect", []string{"dialect wrong: LivePerson refused the dialect signal as well as liveperson."}},
		{
			"the dialect of the settings was refused", map[string]any{"dialect": "liveperson"}, nil, "other_dialect",
			[]string{"dialect wrong: The settings say liveperson, so Signal does not find the dialect out by itself."},
		},
		{"signed identities without tokens", nil, nil, "signed_identities", []string{"identities wrong: identity_token is not set, so no report has a signed identity behind it."}},
		{
			"signed identities with tokens", map[string]any{"identity_token": "context.identity.token", "identity_keys": "https://shop.example/jwks"}, nil, "signed_identities",
			[]string{"identities right: identity_token is set: events with a valid token are reported with acr loa1, all others with acr 0."},
		},
		{"what needs no looking", nil, nil, "unavailable", nil},
		{"nothing", nil, nil, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork(t)
			asked := 0
			n.serve("api.example:80", func(w http.ResponseWriter, r *http.Request) { asked++; tt.api(w, r) })
			settings := map[string]any{"domain_api": "http://api.example"}
			for name, value := range tt.settings {
				settings[name] = value
			}
			c := n.join(t, settings)
			for range 2 { // the second time the answer is at hand
				var got []string
				for _, check := range c.Diagnose(t.Context(), attempt.Result{Verdict: attempt.Hold, Cause: tt.cause}) {
					state := map[[2]bool]string{{true, false}: "right", {false, true}: "wrong", {false, false}: "open"}[[2]bool{check.Right, check.Wrong}]
					got = append(got, fmt.Sprintf("%s %s: %s", check.What, state, check.Say))
				}
				if tt.name == "the domain is another, and is taken over" && asked == 1 && strings.Contains(strings.Join(got, ""), "domain right") {
					continue // by now the domain in use is that one
				}
				same(t, "checks", got, tt.want)
			}
			if asked > 1 {
				t.Errorf("the Domain API was asked %d times, want at most once", asked)
			}
		})
	}
}

func TestDiagnoseTakesTenSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.serve("api.example:80", hang)
		c := n.join(t, map[string]any{"domain_api": "http://api.example"})
		start := time.Now()
		checks := c.Diagnose(t.Context(), attempt.Result{Cause: "unknown_app_key"})
		if took := time.Since(start); took > 10*time.Second || len(checks) != 3 {
			t.Errorf("took %v for %d checks, want at most 10 s for 3", took, len(checks))
		}
	})
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		name string
		more map[string]any
		want string // the beginning; "" for none
	}{
		{"all is well", nil, ""},
		{"a domain of another kind", map[string]any{"monitoring_domain": "va.bc-monitoring.liveperson.net"}, "monitoring_domain va.bc-monitoring.liveperson.net is of a form"},
		{"the server's place for the visitor's", map[string]any{"dialect": "liveperson", "on_behalf": false}, "on_behalf is off"},
		{"on_behalf off in Signal's form, which is its default", map[string]any{"on_behalf": false}, ""},
		{"an issuer of one's own", map[string]any{"issuer": "https://shop.example"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := connect(t, tt.more).Warnings()
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], tt.want) || !strings.HasSuffix(got[0], ".")) {
				t.Errorf("warnings = %q, want %q", got, tt.want)
			}
		})
	}
}

// A resolver goes through the same hook as reports do.
func TestAConnectionSpeaksPlainHTTPOnlyWhereItIsOpen(t *testing.T) {
	n := newNetwork(t)
	v := liveperson.New(liveperson.Options{Dial: n.dial})
	c, err := v.Check(given(nil), integrations.Outbound{})
	if err != nil {
		t.Fatal(err)
	}
	r := c.Build(integrations.Visit{}, []integrations.Item{item(sdes(purchase))}).Request
	r.URL = strings.Replace(r.URL, "https://va.v.liveperson.net", "http://lp.example", 1)
	n.serve("lp.example:80", say(200, success))
	if got := c.Send(t.Context(), *r); got.Verdict != attempt.Hold || got.Cause != "plain_http" {
		t.Errorf("plain HTTP through the hook: %v %s", got.Verdict, got.Why)
	}
}
