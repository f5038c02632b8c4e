package liveperson_test

import (
	"context"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
)

// A domainAPI answers what a test sets, and counts.
type domainAPI struct {
	mu    sync.Mutex
	host  string          // "" answers 503
	list  bool            // in the shape of a list
	asked []time.Duration // since start
	start time.Time
}

func (d *domainAPI) answer(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, time.Since(d.start))
	switch {
	case d.host == "":
		w.WriteHeader(503)
	case d.list:
		say(200, `{"baseURIs":[{"service":"smt","baseURI":"`+d.host+`"}]}`)(w, nil)
	default:
		say(200, `{"service":"smt","account":"12345678","baseURI":"`+d.host+`"}`)(w, nil)
	}
}

func (d *domainAPI) give(host string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.host = host
}

func (d *domainAPI) shape(list bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = list
}

func (d *domainAPI) questions() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

// A following is a connection that is tended, with its Domain API, in a bubble.
type following struct {
	*courier
	net  *network
	api  *domainAPI
	stop func()
}

func follow(t *testing.T, host string, more map[string]any) *following {
	t.Helper()
	f := &following{net: newNetwork(t), api: &domainAPI{host: host, start: time.Now()}}
	f.net.serve("api.example:80", f.api.answer)
	f.net.serve("lp.example:80", (&account{post: true, seedNames: true}).answer)
	settings := map[string]any{"domain_api": "http://api.example"}
	maps.Copy(settings, more)
	f.courier = &courier{Connection: f.net.join(t, settings)}
	ctx, cancel := context.WithCancel(t.Context())
	var tending sync.WaitGroup
	tending.Go(func() { f.Tend(ctx) })
	f.stop = func() {
		cancel()
		tending.Wait()
	}
	t.Cleanup(f.stop)
	synctest.Wait()
	return f
}

// host is where reports go.
func (f *following) host() string {
	u := f.Build(integrations.Visit{}, []integrations.Item{item(sdes(search))}).Request.URL
	host, _, _ := strings.Cut(strings.TrimPrefix(u, "http://"), "/")
	return host
}

func (f *following) fact() integrations.Fact {
	facts := f.Learned().Facts
	return facts[len(facts)-1]
}

// after lets time pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func TestTheDomainIsAskedForAtStartAndDaily(t *testing.T) {
	for _, list := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			f := follow(t, "lp.example", nil)
			f.api.shape(list)
			after(71 * time.Hour)
			if got := f.api.questions(); len(got) != 4 || got[0] != 0 || got[1] > 24*time.Hour || got[3] > 72*time.Hour {
				t.Errorf("asked at %v, want at the start and once a day", got)
			}
			if f.host() != "lp.example" || !strings.Contains(f.fact().Say, "as LivePerson's Domain API gives it") {
				t.Errorf("reports go to %s: %+v", f.host(), f.fact())
			}
		})
	}
}

func TestAChangedDomainIsTakenOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := follow(t, "lp.example", nil)
		version := f.Learned().Version
		after(time.Hour)
		f.api.give("moved.example")
		after(24 * time.Hour)
		fact := f.fact()
		if f.host() != "moved.example" || fact.Value != "moved.example" || fact.Since.IsZero() || f.Learned().Version <= version {
			t.Errorf("reports go to %s: %+v", f.host(), fact)
		}
		if want := "LivePerson's Domain API gives this domain, in the place of lp.example of the settings."; fact.Say != want {
			t.Errorf("fact says %q, want %q", fact.Say, want)
		}
		if c := f.Connection.Settings(); c.MonitoringDomain != "lp.example" {
			t.Errorf("the settings have %s, want what was configured", c.MonitoringDomain)
		}
	})
}

func TestWithoutFollowDomainAChangeIsShownOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := follow(t, "moved.example", map[string]any{"follow_domain": false})
		if f.host() != "lp.example" || !strings.Contains(f.fact().Say, "moved.example, which is not taken over, as follow_domain is off") {
			t.Errorf("reports go to %s: %+v", f.host(), f.fact())
		}
	})
}

func TestAForeignDomainIsRefused(t *testing.T) {
	for _, host := range []string{"evil.example", "169.254.169.254", "lp.example/x", "http://lp.example"} {
		bubble(t, func(t *testing.T) {
			f := follow(t, host, nil)
			if fact := f.fact(); f.host() != "lp.example" || fact.Value != "lp.example" || !strings.Contains(fact.Say, "names a domain that Signal does not go to") {
				t.Errorf("%s: reports go to %s: %+v", host, f.host(), fact)
			}
		})
	}
}

// A connection, a name or an address that fails makes Signal ask at once, and
// the next try goes to the new domain.
func TestAFailureAsksAtOnce(t *testing.T) {
	tests := []struct {
		name   string
		domain string           // of the settings
		broken http.HandlerFunc // what answers there; nil refuses connections
		asks   bool
		end    string
	}{
		{"a refused connection", "lp.example", nil, true, "retry"},
		{"a name that is not known", "unknown.example", nil, true, "hold"},
		{"a reset", "lp.example", rawly(""), true, "retry"},
		{"something that is not HTTP", "lp.example", rawly("220 mail.example ESMTP\r\n"), true, "retry"},
		{"a redirect", "lp.example", say(301, ""), true, "hold"},
		{"a 404 without a code", "lp.example", say(404, "<html>"), true, "hold"},
		{"a 404 of an unknown account", "lp.example", say(404, `{"internalCode":6}`), true, "hold"},
		{"a page for an answer", "lp.example", say(403, "<html>"), true, "hold"},
		{"a 404 of an unknown app key", "lp.example", say(404, `{"internalCode":18}`), false, "hold"},
		{"a 503", "lp.example", say(503, ""), false, "retry"},
		{"a 400", "lp.example", say(400, ""), false, "dead"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := follow(t, "", map[string]any{"monitoring_domain": tt.domain}) // the first question fails
				f.net.stop("lp.example:80")
				if tt.broken != nil {
					f.net.serve("lp.example:80", tt.broken)
				}
				f.net.serve("moved.example:80", say(200, success))
				f.api.give("moved.example")
				after(2 * time.Minute)
				end, last := f.send(t, item(sdes(purchase)))
				synctest.Wait()
				if asked := len(f.api.questions()) == 2; end != tt.end || asked != tt.asks {
					t.Fatalf("ended %s, asked %v, want %s, %v: %s", end, asked, tt.end, tt.asks, last.Why)
				}
				if !tt.asks {
					return
				}
				if end, last := f.send(t, item(sdes(purchase))); end != "delivered" || f.host() != "moved.example" {
					t.Errorf("the next try ended %s at %s: %s", end, f.host(), last.Why)
				}
			})
		})
	}
}

func TestItIsAskedAtMostOnceAMinute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := follow(t, "", nil) // the Domain API is down as well
		f.net.stop("lp.example:80")
		for range 5 * 60 {
			if end, _ := f.send(t, item(sdes(purchase))); end != "retry" {
				t.Fatalf("ended %s", end)
			}
			after(time.Second)
		}
		got := f.api.questions()
		for i := range got[1:] {
			if got[i+1]-got[i] < time.Minute {
				t.Errorf("asked at %v, want a minute between", got)
			}
		}
		if len(got) < 5 {
			t.Errorf("asked at %v, want each minute", got)
		}
	})
}

func TestAFreshAnswerIsDoubtedOnlyWhenLivePersonCannotBeReachedThere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := follow(t, "lp.example", nil)
		for range 9 {
			f.send(t, item(sdes(purchase)))
			after(time.Minute)
		}
		if got := f.api.questions(); len(got) != 1 {
			t.Errorf("asked at %v, want the first answer to do", got)
		}
		f.net.stop("lp.example:80")
		f.send(t, item(sdes(purchase)))
		synctest.Wait()
		if got := f.api.questions(); len(got) != 2 {
			t.Errorf("asked at %v, want once more at the first failure", got)
		}
	})
}

func TestAnAnswerIsUsedForADayWhenNoOtherComes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := follow(t, "moved.example", nil)
		f.api.give("")
		after(24*time.Hour - time.Second)
		if f.host() != "moved.example" {
			t.Errorf("before a day is over reports go to %s", f.host())
		}
		after(time.Hour)
		if fact := f.fact(); f.host() != "lp.example" || fact.Value != "lp.example" || !strings.Contains(fact.Say, "more than 24 hours old") {
			t.Errorf("after a day reports go to %s: %+v", f.host(), fact)
		}
		f.api.give("moved.example")
		after(time.Hour)
		if f.host() != "moved.example" {
			t.Errorf("when it answers again reports go to %s", f.host())
		}
	})
}

func TestTheDomainSurvivesARestart(t *testing.T) {
	tests := []struct {
		name     string
		later    time.Duration
		settings map[string]any
		want     string
	}{
		{"at once", 0, nil, "moved.example"},
		{"an hour later", time.Hour, nil, "moved.example"},
		{"a day later", 24 * time.Hour, nil, "lp.example"},
		{"with another domain in the settings", 0, map[string]any{"monitoring_domain": "unknown.example"}, "unknown.example"},
		{"with follow_domain off", 0, map[string]any{"follow_domain": false}, "lp.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := follow(t, "moved.example", nil)
				learned := f.Learned()
				f.stop()
				after(tt.later)
				settings := map[string]any{"domain_api": "http://api.example"}
				maps.Copy(settings, tt.settings)
				again := &following{courier: &courier{Connection: newNetwork(t).join(t, settings)}}
				if err := again.Restore(learned.State); err != nil {
					t.Fatal(err)
				}
				if got := again.host(); got != tt.want {
					t.Errorf("reports go to %s, want %s", got, tt.want)
				}
				if fact := again.fact(); tt.want == "moved.example" && !fact.Since.Equal(f.fact().Since) {
					t.Errorf("fact %+v, want since %v", fact, f.fact().Since)
				}
			})
		})
	}
}

func TestForgetAsksAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := follow(t, "lp.example", nil)
		f.api.give("moved.example")
		f.Forget()
		f.Forget()
		synctest.Wait()
		if got := f.api.questions(); len(got) != 1 || f.host() != "lp.example" {
			t.Errorf("asked at %v, reports go to %s, want no question within a minute", got, f.host())
		}
		after(time.Minute)
		if got := f.api.questions(); len(got) != 2 || f.host() != "moved.example" {
			t.Errorf("asked at %v, reports go to %s", got, f.host())
		}
	})
}

func TestWhereTheOperatorOpenedTheDomainNobodyIsAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNetwork(t)
		c := n.join(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 48*time.Hour)
		defer cancel()
		c.Tend(ctx)
		if ctx.Err() == nil {
			t.Error("Tend returned before its context ended")
		}
		if got := c.Learned().Facts[3].Say; got != "As in the settings. It was opened in outbound, so LivePerson's Domain API is not asked." {
			t.Errorf("the fact says %q", got)
		}
	})
}

// Only the operator's own hosts stand for LivePerson's in a network; in
// production the Domain API is LivePerson's.
func TestInProductionTheDomainAPIIsLivePersons(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var dialled []string
		refuse := func(_ context.Context, _, addr string) (net.Conn, error) {
			dialled = append(dialled, addr)
			return nil, syscall.ECONNREFUSED
		}
		c, err := liveperson.New(liveperson.Options{Dial: refuse}).Check(given(nil), integrations.Outbound{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.(*liveperson.Connection).Tend(ctx)
		if len(dialled) != 1 || dialled[0] != "api.liveperson.net:443" {
			t.Errorf("dialled %v, want api.liveperson.net:443", dialled)
		}
	})
}

func TestManyFailuresAtOnceAskOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := follow(t, "lp.example", nil)
		f.net.stop("lp.example:80")
		after(time.Hour)
		var work sync.WaitGroup
		for range 64 {
			work.Go(func() {
				f.Send(t.Context(), *f.Build(integrations.Visit{}, []integrations.Item{item(sdes(purchase))}).Request)
				f.Diagnose(t.Context(), attempt.Result{Cause: "wrong_domain"})
			})
		}
		work.Wait()
		synctest.Wait()
		if got := f.api.questions(); len(got) != 2 {
			t.Errorf("asked at %v, want once for all", got)
		}
	})
}
