package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
	"github.com/datafly/signal/integrations/liveperson/lpsim"
)

// The test cases that liveperson.md 15.8 has for every client, each by its
// number: the lanes, the real connection to LivePerson and the simulator, in a
// bubble with a network in memory, so that hours pass in no time and pauses are
// exact.

// A brand is one integration with LivePerson and the simulator behind it.
type brand struct {
	t       *testing.T
	sim     *lpsim.Sim
	conn    *liveperson.Connection
	bench   *bench
	start   time.Time
	log     bytes.Buffer
	serving http.Handler
	hosts   map[string]bool // that were dialed
	mu      sync.Mutex
}

// newBrand connects to a simulator; settings go over the plain ones.
func newBrand(t *testing.T, o lpsim.Options, settings map[string]any) *brand {
	t.Helper()
	o.SessionCap = -1
	b := &brand{t: t, sim: lpsim.New(o), start: time.Now(), hosts: map[string]bool{}}
	b.serving = b.sim.Handler()
	wire := newWire()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.serving.ServeHTTP(w, r) })}
	go func() { _ = server.Serve(wire) }()
	t.Cleanup(func() { _ = server.Close() })
	all := map[string]any{"monitoring_domain": "lp.test", "account_id": lpsim.DefaultAccount, "app_installation_id": lpsim.DefaultApp, "dialect": "liveperson"}
	for name, v := range settings {
		all[name] = v
	}
	vendor := liveperson.New(liveperson.Options{Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
		b.mu.Lock()
		b.hosts[strings.TrimSuffix(addr, ":80")] = true
		b.mu.Unlock()
		return wire.dial(ctx)
	}})
	conn, err := vendor.Check(all, integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"lp.test", "moved.test", "api.test"}})
	if err != nil {
		t.Fatal(err)
	}
	b.conn = conn.(*liveperson.Connection)
	t.Cleanup(b.conn.Close)
	b.begin(nil)
	return b
}

// begin starts the lanes anew, as a restart does, with the visits of before.
func (b *brand) begin(visits map[string]integrations.Visit) {
	b.bench = benchOf(b.conn, &script{}, func(o *laneOptions) {
		o.concurrency = 8
		o.log = slog.New(slog.NewTextHandler(&b.log, nil))
	})
	if visits != nil {
		b.bench.visits = visits
	}
	b.t.Cleanup(b.bench.stop)
	go b.bench.run(context.WithoutCancel(b.t.Context()))
}

// send hands over one event of a visitor, with its attributes, and lets what
// can happen at this instant happen.
func (b *brand) send(visitor, message string, attributes ...string) {
	b.bench.add(b.event(visitor, message, attributes...))
	synctest.Wait()
}

func (b *brand) event(visitor, message string, attributes ...string) *held {
	h := item(visitor, message)
	h.Session = integrations.Session{Vid: "v000000000000000000001", Sid: "s000000000000000000001"}
	h.Payload = fmt.Appendf(nil, `{"consumerId":%[1]q,"identities":[{"iss":"Datafly","acr":"0","sub":%[1]q}],"engagementAttributes":[%[2]s]}`, visitor, strings.Join(attributes, ","))
	return h
}

// answers gives what the simulator answered to reports, and when after the
// start: "201 at 0s".
func (b *brand) answers() []string {
	var out []string
	for _, q := range b.sim.Requests("") {
		if strings.Contains(q.URL, "/report") {
			out = append(out, fmt.Sprintf("%d at %s", q.Status, q.At.Sub(b.start).Round(time.Second)))
		}
	}
	return out
}

func (b *brand) want(answers ...string) {
	b.t.Helper()
	if got := b.answers(); !slices.Equal(got, answers) {
		b.t.Errorf("LivePerson answered %q, want %q", got, answers)
	}
}

// query gives the ids of report n, which counts from 0.
func (b *brand) query(n int) (vid, sid string) {
	q := b.sim.Requests("")[n].Query
	return q["vid"], q["sid"]
}

func (b *brand) visitor(name string) lpsim.Visitor {
	v, _ := b.sim.Visitor(name)
	return v
}

func (b *brand) fail(f lpsim.Fault) {
	b.t.Helper()
	if _, err := b.sim.Fail(f); err != nil {
		b.t.Fatal(err)
	}
}

// letPass lets time pass, and all that it brings happen.
func letPass(long time.Duration) {
	time.Sleep(long)
	synctest.Wait()
}

// called reports whether a host was.
func (b *brand) called(host string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hosts[host]
}

func (b *brand) status() Status { return (&Courier{lanes: b.bench.lanes}).Status() }

func lead(id string) string {
	return fmt.Sprintf(`{"type":"lead","lead":{"topic":"t","leadId":%q}}`, id)
}

func oneOrder(id string) string {
	return fmt.Sprintf(`{"type":"purchase","total":11.70,"currency":"USD","orderId":%q}`, id)
}

// wire is a network in memory.
type wire struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newWire() *wire { return &wire{conns: make(chan net.Conn), done: make(chan struct{})} }

func (w *wire) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case w.conns <- theirs:
		return ours, nil
	case <-w.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.done:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error   { w.once.Do(func() { close(w.done) }); return nil }
func (w *wire) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// contract runs one case in a bubble.
func contract(t *testing.T, o lpsim.Options, settings map[string]any, run func(*testing.T, *brand)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(t, newBrand(t, o, settings)) })
}

func TestContract01TheFirstReportBringsTheIDsOfTheSecond(t *testing.T) {
	contract(t, lpsim.Options{}, nil, func(t *testing.T, b *brand) {
		b.send("ann", "m1", lead("1"))
		b.send("ann", "m2", lead("2"))
		b.want("201 at 0s", "200 at 0s")
		if vid, sid := b.query(0); vid+sid != "" {
			t.Errorf("the first report has the ids %q and %q, want none", vid, sid)
		}
		v := b.visitor("ann")
		if vid, sid := b.query(1); vid != v.Vid || sid != v.Sid || vid == "" || sid == "" {
			t.Errorf("the second report has the ids %q and %q, want %q and %q", vid, sid, v.Vid, v.Sid)
		}
	})
}

func TestContract02AColdAccountOf11IsCalledAgainWithItsVisitor(t *testing.T) {
	contract(t, lpsim.Options{ColdCalls: 1}, nil, func(t *testing.T, b *brand) { b.cold("202") })
}

func TestContract03AColdAccountOf10IsCalledAgainWithItsVisitor(t *testing.T) {
	contract(t, lpsim.Options{ColdCalls: 1}, map[string]any{"dialect": "signal"}, func(t *testing.T, b *brand) { b.cold("500") })
}

func (b *brand) cold(status string) {
	b.send("ann", "m1", lead("1"))
	letPass(time.Hour)
	b.want(status+" at 0s", "201 at 3s")
	if vid, _ := b.query(1); vid == "" || !strings.Contains(b.sim.Requests("")[0].Answer, "vid: "+vid) {
		b.t.Errorf("the second try names the visitor %q, want that of %s", vid, b.sim.Requests("")[0].Answer)
	}
	if n := len(b.visitor("ann").Leads); n != 1 {
		b.t.Errorf("%d leads, want 1", n)
	}
}

func TestContract04FiveLoadingAnswersInARowLeadIntoTheLongBackOff(t *testing.T) {
	contract(t, lpsim.Options{ColdCalls: 5}, nil, func(_ *testing.T, b *brand) {
		b.send("ann", "m1", lead("1"))
		letPass(time.Hour)
		b.want("202 at 0s", "202 at 3s", "202 at 13s", "202 at 43s", "202 at 2m13s", "201 at 4m13s")
	})
}

func TestContract05AnExpiredSessionIsFollowedByTheNewOne(t *testing.T) {
	contract(t, lpsim.Options{}, nil, func(t *testing.T, b *brand) {
		b.send("ann", "m1", lead("1"))
		letPass(31 * time.Minute)
		b.send("ann", "m2", lead("2"))
		b.send("ann", "m3", lead("3"))
		b.want("201 at 0s", "201 at 31m0s", "200 at 31m0s")
		_, old := b.query(1)
		if _, sid := b.query(2); sid == old || sid != b.visitor("ann").Sid {
			t.Errorf("the third report is in the session %q, want the new one %q", sid, b.visitor("ann").Sid)
		}
	})
}

func TestContract06ARefusedSessionIsLetGoAndTheReportSentOnceWithout(t *testing.T) {
	contract(t, lpsim.Options{SessionMode: lpsim.SessionReject}, nil, func(t *testing.T, b *brand) {
		b.send("ann", "m1", lead("1"))
		letPass(31 * time.Minute)
		b.send("ann", "m2", lead("2"))
		b.want("201 at 0s", "404 at 31m0s", "201 at 31m0s")
		if vid, sid := b.query(2); vid+sid != "" {
			t.Errorf("it was sent again with the ids %q and %q, want none", vid, sid)
		}
		if n := len(b.visitor("ann").Leads); n != 2 {
			t.Errorf("%d leads, want 2", n)
		}
	})
}

func TestContract07AnUnknownAppKeyIsNotTriedAgainButProbed(t *testing.T) {
	contract(t, lpsim.Options{}, map[string]any{"app_installation_id": "00000000-0000-4000-8000-000000000000"}, func(t *testing.T, b *brand) {
		b.send("ann", "m1", lead("1"))
		b.send("ben", "m2", lead("2"))
		letPass(4 * time.Minute)
		b.want("404 at 0s")
		if s := b.status(); !s.Paused || s.Cause == "" || s.Code != 18 {
			t.Errorf("the status is %+v, want paused by 404 with code 18", s)
		}
		letPass(12 * time.Minute)
		b.want("404 at 0s", "404 at 5m0s", "404 at 15m0s")
		if len(b.bench.ends) > 0 {
			t.Errorf("events ended: %q", b.bench.ends)
		}
	})
}

func TestContract08ABadAttributeIsIsolatedAndTheGoodOnesArrive(t *testing.T) {
	contract(t, lpsim.Options{Rules: map[string]bool{lpsim.RuleNoSearch: true}}, nil, func(t *testing.T, b *brand) {
		b.fail(lpsim.Fault{Status: 503, Count: 1})
		b.send("ann", "m1", lead("1"))
		b.send("ann", "m2", lead("2"))
		b.send("ann", "m3", `{"type":"searchContent","keywords":["tea"]}`)
		b.send("ann", "m4", lead("4"))
		letPass(time.Minute)
		if got := fmt.Sprint(attributes(b.visitor("ann").Leads, "leadId")); got != "[1 2 4]" {
			t.Errorf("leads %s, want 1, 2 and 4 in order", got)
		}
		dead := slices.DeleteFunc(slices.Clone(b.bench.ends), func(s string) bool { return strings.HasSuffix(s, " delivered") })
		if len(dead) != 1 || !strings.HasPrefix(dead[0], "m3 dead: ") {
			t.Errorf("not delivered: %q, want m3 alone", dead)
		}
	})
}

func TestContract09TwoTimes503IsTriedAfter3And10Seconds(t *testing.T) {
	contract(t, lpsim.Options{}, nil, func(_ *testing.T, b *brand) {
		b.fail(lpsim.Fault{Status: 503, Count: 2})
		b.send("ann", "m1", lead("1"))
		letPass(time.Minute)
		b.want("503 at 0s", "503 at 3s", "201 at 13s")
	})
}

func TestContract10RetryAfterIsHonoured(t *testing.T) {
	contract(t, lpsim.Options{}, nil, func(t *testing.T, b *brand) {
		b.fail(lpsim.Fault{Status: 429, Count: 1, RetryAfter: "7"})
		b.send("ann", "m1", lead("1"))
		letPass(time.Minute)
		b.want("429 at 0s", "201 at 7s")
		b.fail(lpsim.Fault{Status: 429, Count: 1})
		b.send("ann", "m2", lead("2"))
		letPass(time.Minute)
		if got := b.sim.Requests(""); len(got) != 4 || got[3].At.Sub(got[2].At) < time.Second {
			t.Errorf("answers %q, want at least a second behind a 429 that names no time", b.answers())
		}
	})
}

func TestContract11ALostAnswerRepeatsTheOrderByTheSameID(t *testing.T) {
	contract(t, lpsim.Options{}, nil, func(t *testing.T, b *brand) {
		b.fail(lpsim.Fault{DelayMS: 20_000, When: "after", Count: 1})
		b.send("ann", "m1", oneOrder("O-1"))
		letPass(time.Minute)
		if got := fmt.Sprint(attributes(b.visitor("ann").Orders, "orderId")); got != "[O-1 O-1]" {
			t.Errorf("orders %s, want the same twice", got)
		}
		if got := strings.Join(b.bench.ends, " "); got != "m1 delivered" {
			t.Errorf("ends %q", got)
		}
	})
}

func TestContract12AnAnswerIsReadWhateverItsTypeAndItsFurtherFields(t *testing.T) {
	contract(t, lpsim.Options{}, nil, func(t *testing.T, b *brand) {
		b.serving = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.WriteHeader(http.StatusCreated)
			for _, chunk := range []string{`{"weather":{"rain":true},"sess`, `ionId":"S.1/+ =","visi`, `torId":"V&1","pageId":"1","eng":[]}`} {
				_, _ = w.Write([]byte(chunk))
				w.(http.Flusher).Flush()
			}
		})
		b.send("ann", "m1", lead("1"))
		if got := b.bench.visits["ann"].IDs; got != (attempt.IDs{Visitor: "V&1", Session: "S.1/+ ="}) {
			t.Errorf("ids = %+v", got)
		}
		var asked string
		b.serving = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			asked = r.URL.Query().Get("vid") + " and " + r.URL.Query().Get("sid")
		})
		b.send("ann", "m2", lead("2"))
		if asked != "V&1 and S.1/+ =" {
			t.Errorf("the next report has the ids %q", asked)
		}
	})
}

func TestContract13AProxysPageIsTriedAgain(t *testing.T) {
	contract(t, lpsim.Options{}, nil, func(_ *testing.T, b *brand) {
		b.fail(lpsim.Fault{Status: 502, Body: "html", Count: 1})
		b.send("ann", "m1", lead("1"))
		letPass(time.Minute)
		b.want("502 at 0s", "201 at 3s")
	})
}

func TestContract14AHundredFirstEventsOfOneConsumerMakeOneSession(t *testing.T) {
	contract(t, lpsim.Options{}, nil, func(t *testing.T, b *brand) {
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() { b.bench.add(b.event("ann", fmt.Sprint("m", i), lead(fmt.Sprint(i)))) })
		}
		wg.Wait()
		letPass(time.Minute)
		if v := b.visitor("ann"); v.SessionsCreated != 1 || len(v.Leads) != 100 {
			t.Errorf("%d sessions and %d leads, want 1 and 100", v.SessionsCreated, len(v.Leads))
		}
	})
}

func TestContract15ARestartGoesOnWithTheStoredIDs(t *testing.T) {
	contract(t, lpsim.Options{}, nil, func(_ *testing.T, b *brand) {
		b.send("ann", "m1", lead("1"))
		b.bench.stop()
		b.begin(b.bench.visits)
		b.send("ann", "m2", lead("2"))
		b.want("201 at 0s", "200 at 0s")
	})
}

func TestContract16AReferenceThatRefusesPlainPostTakesTheOverride(t *testing.T) {
	contract(t, lpsim.Options{Dialect: lpsim.DialectReference}, nil, func(t *testing.T, b *brand) {
		body := `{"consumerId":"ann","engagementAttributes":[` + lead("1") + `]}`
		for override, want := range map[string]int{"": 405, "PUT": 201, "put": 201, "GET": 405} {
			if got := b.raw(body, override); got != want {
				t.Errorf("POST with the override %q is answered %d, want %d", override, got, want)
			}
		}
	})
	contract(t, lpsim.Options{Dialect: lpsim.DialectReference}, map[string]any{"dialect": "signal"}, func(t *testing.T, b *brand) {
		b.send("ann", "m1", lead("1"))
		b.want("405 at 0s")
		if !b.status().Paused {
			t.Error("a form that was set by hand and is refused does not pause")
		}
	})
}

// raw posts a report past the client.
func (b *brand) raw(body, override string) int {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodPost, "/api/account/"+lpsim.DefaultAccount+"/app/"+lpsim.DefaultApp+"/report?v=1.1&obh=true", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if override != "" {
		r.Header.Set("X-HTTP-Method-Override", override)
	}
	w := &answerWriter{header: http.Header{}}
	b.serving.ServeHTTP(w, r)
	return w.status
}

type answerWriter struct {
	header http.Header
	status int
}

func (w *answerWriter) Header() http.Header         { return w.header }
func (w *answerWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *answerWriter) WriteHeader(status int)      { w.status = status }

func TestContract17ZerosArrive(t *testing.T) {
	contract(t, lpsim.Options{}, nil, func(t *testing.T, b *brand) {
		b.send("ann", "m1", `{"type":"cartStatus","total":0,"numItems":0}`, `{"type":"service","service":{"status":0,"serviceId":"S"}}`,
			`{"type":"mrktInfo","info":{"channel":0}}`, `{"type":"error","error":{"message":"m","resolved":false}}`)
		v := b.visitor("ann")
		if v.Cart == nil || len(v.Services) != 1 || v.Marketing == nil || len(v.Errors) != 1 {
			t.Fatalf("LivePerson knows %+v of the visitor, after %q", v, b.answers())
		}
		got := fmt.Sprintf("%s %s %s %s", v.Cart.SDE, v.Services[0].SDE, v.Marketing.SDE, v.Errors[0].SDE)
		for _, zero := range []string{`"total":0`, `"numItems":0`, `"status":0`, `"channel":0`, `"resolved":false`} {
			if !strings.Contains(got, zero) {
				t.Errorf("%s is not in %s", zero, got)
			}
		}
	})
}

// The examples of liveperson.md 6, with the names that mappings write.
var examples = []string{
	`{"type":"cartStatus","total":84.7,"currency":"EUR","numItems":3,"products":[{"product":{"name":"Mug","category":"kitchen","sku":"M-1","price":29.9},"quantity":2},{"product":{"name":"Tea","category":"food","sku":"T-9","price":24.9},"quantity":1}]}`,
	`{"type":"purchase","total":84.7,"currency":"EUR","orderId":"O-1001","cart":{"numItems":3,"products":[{"product":{"name":"Mug","category":"kitchen","sku":"M-1","price":29.9},"quantity":2},{"product":{"name":"Tea","category":"food","sku":"T-9","price":24.9},"quantity":1}]}}`,
	`{"type":"prodView","currency":"EUR","products":[{"product":{"name":"Mug","category":"kitchen","sku":"M-1","price":29.9,"statusInStock":"low","quantityInStock":7}}]}`,
	`{"type":"ctmrinfo","info":{"cstatus":"active","ctype":"gold","customerId":"C-4711","balance":-12.5,"currency":"EUR","socialId":"11256324780","imei":"354354654354568","userName":"jdoe","companySize":50,"companyBranch":"North","accountName":"Doe Ltd","role":"buyer","lastPaymentDate":{"day":15,"month":10,"year":2024},"registrationDate":{"day":23,"month":5,"year":2019},"storeNumber":"1241","storeZipCode":"12205"}}`,
	`{"type":"mrktInfo","info":{"channel":1,"affiliate":"google","campaignId":"spring-sale"}}`,
	`{"type":"personal","personal":{"firstname":"Jane","lastname":"Doe","age":{"age":34,"year":1990,"month":4,"day":15},"contacts":[{"email":"jane@example.com","phone":"+1 212-555-0100","phoneType":"MOBILE","address":{"country":"Germany","region":"Bavaria"}}],"gender":"FEMALE","company":"Doe Ltd","language":"en-US"}}`,
	`{"type":"lead","lead":{"topic":"test drive","value":22.2,"currency":"EUR","leadId":"L-77"}}`,
	`{"type":"service","service":{"topic":"open account","status":1,"category":"finance","serviceId":"S-12"}}`,
	`{"type":"error","error":{"contextId":"credit card form","message":"Expiry date missing","code":"E-17","level":10,"resolved":false}}`,
	`{"type":"searchContent","keywords":["reset password"]}`,
}

func TestContract18EveryExampleIsTakenAndEveryNameOfReportsIsRefused(t *testing.T) {
	contract(t, lpsim.Options{}, nil, func(t *testing.T, b *brand) {
		for i, e := range examples {
			b.send(fmt.Sprint("v", i), fmt.Sprint("m", i), e)
		}
		for i, line := range b.bench.ends {
			if !strings.HasSuffix(line, " delivered") {
				t.Errorf("%s ended as %s", examples[i], line)
			}
		}
		if len(b.bench.ends) != len(examples) {
			t.Errorf("%d ends, want %d", len(b.bench.ends), len(examples))
		}
		for _, name := range []string{"cartStatus", "viewedProduct", "customerInfo", "marketingCampaignInfo", "personalInfo", "serviceActivity", "visitorError", "searchContent", "ctmrInfo", "mrktinfo", "prodview"} {
			body := fmt.Sprintf(`{"consumerId":"ann","engagementAttributes":[{"type":%q}]}`, name)
			if got := b.raw(body, "PUT"); got != 400 {
				t.Errorf("LivePerson answers %d to the type %s, want 400", got, name)
			}
			if name == "cartStatus" || name == "searchContent" {
				continue // the mapping's own names, which the dialect translates
			}
			before := len(b.answers())
			b.send("eve", name, fmt.Sprintf(`{"type":%q,"total":1,"numItems":1}`, name))
			if last := b.bench.ends[len(b.bench.ends)-1]; !strings.HasPrefix(last, name+" filtered: ") || len(b.answers()) != before {
				t.Errorf("the type %s ended as %q after a request, want it refused before", name, last)
			}
		}
	})
}

func TestContract19TheDomainIsCachedFollowedAndNeverForeign(t *testing.T) {
	o := lpsim.Options{Host: "lp.test", MovedHost: "moved.test", MovedAfter: 1}
	contract(t, o, map[string]any{"domain_api": "http://api.test"}, func(t *testing.T, b *brand) {
		lookups, serve := 0, b.serving
		b.serving = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "baseURI.json") {
				lookups++
			}
			serve.ServeHTTP(w, r)
		})
		ctx, cancel := context.WithCancel(context.Background())
		var tending sync.WaitGroup
		tending.Go(func() { b.conn.Tend(ctx) })
		defer tending.Wait()
		defer cancel()
		synctest.Wait()
		b.send("ann", "m1", lead("1"))
		b.send("ann", "m2", lead("2"))
		if lookups != 1 {
			t.Fatalf("%d lookups, want 1", lookups)
		}
		letPass(2 * time.Minute)
		b.fail(lpsim.Fault{Reset: true, Count: 1}) // the old host goes away
		b.send("ann", "m3", lead("3"))
		letPass(10 * time.Minute)
		if got := b.visitor("ann").Leads; len(got) != 3 {
			t.Fatalf("%d leads arrived, want 3: %q", len(got), b.answers())
		}
		if !b.called("moved.test") {
			t.Error("moved.test was not called")
		}
		if lints := b.sim.Lints("", ""); slices.ContainsFunc(lints, func(l lpsim.Lint) bool { return strings.Contains(fmt.Sprint(l), "lookup") }) {
			t.Errorf("the simulator remarks: %+v", lints)
		}
		b.fail(lpsim.Fault{Host: "evil.example"})
		letPass(25 * time.Hour)
		b.send("ann", "m4", lead("4"))
		if b.called("evil.example") {
			t.Error("a foreign host was called")
		}
	})
}

func TestContract20NothingOfAPersonIsLogged(t *testing.T) {
	contract(t, lpsim.Options{ColdCalls: 1}, nil, func(t *testing.T, b *brand) {
		person := `{"type":"personal","personal":{"firstname":"Jane","lastname":"Doe","contacts":[{"email":"jane@example.com","phone":"+12125550100"}]}}`
		for _, f := range []lpsim.Fault{{Status: 503}, {Status: 429}, {Status: 400}, {Status: 404}, {Status: 401}, {Reset: true}, {Truncate: true}, {Status: 502, Body: "html"}} {
			f.Count = 25
			b.fail(f)
			for i := range 6 {
				b.send(fmt.Sprint("jane@example.com-", i), fmt.Sprint("secret-message-", i), person)
			}
			letPass(2 * time.Hour)
		}
		b.bench.stop()
		synctest.Wait()
		if b.log.Len() == 0 {
			t.Error("nothing was logged, so this test shows nothing")
		}
		for _, private := range []string{"jane", "Jane", "Doe", "2125550100", "secret-message", lpsim.DefaultApp} {
			if bytes.Contains(b.log.Bytes(), []byte(private)) {
				t.Errorf("the log has %q in it:\n%s", private, b.log.String())
			}
		}
	})
}

// attributes gives one field of each entry, wherever it stands.
func attributes(entries []lpsim.Entry, field string) []string {
	var out []string
	for _, e := range entries {
		var sde map[string]any
		if json.Unmarshal(e.SDE, &sde) != nil {
			return []string{"not JSON"}
		}
		for _, v := range sde {
			if inner, ok := v.(map[string]any); ok && inner[field] != nil {
				sde = inner
				break
			}
		}
		out = append(out, fmt.Sprint(sde[field]))
	}
	return out
}
