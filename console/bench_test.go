package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/consent"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/mapping"
	"github.com/datafly/signal/process"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/store/sqlite"
	"github.com/datafly/signal/trace"
)

// quick makes password hashes that cost nothing; the real cost is tested in
// auth.
var quick = auth.PasswordOptions{MemoryKiB: 64, Passes: 1}

const password = "correct horse battery"

// A bench is a console over a real store and a real hub.
type bench struct {
	*httptest.Server
	t       *testing.T
	store   *store.Store
	hub     *trace.Hub
	tap     trace.Tap
	handler http.Handler

	mu       sync.Mutex
	replayed [][]string
	resumed  []string
	forgot   []string
	status   []IntegrationStatus
}

// tokens of the bench, by role.
var tokens = map[auth.Role]string{auth.Viewer: "viewer-token-0001", auth.Editor: "editor-token-0001", auth.Admin: "admin-token-00001"}

func newBench(t *testing.T) *bench {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "signal.db"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, store: s, status: statuses()}
	var tap trace.Tap
	b.hub, tap = trace.NewHub(trace.Options{Sink: s, FlushAfter: 20 * time.Millisecond})
	b.tap = tap
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.hub.Run(ctx)
	}()
	o := Options{
		Store: s, Hub: b.hub, Pipelines: pipelines, Secure: false, Version: "1.0.0-test", Passwords: quick,
		Status: func() []IntegrationStatus {
			b.mu.Lock()
			defer b.mu.Unlock()
			return slices.Clone(b.status)
		},
		Replay: func(ctx context.Context, ids []string, dry bool) (process.Replayed, error) {
			if dry { // one of each in ten was taken back meanwhile
				n := len(ids) / 10
				return process.Replayed{Sent: len(ids) - n, Filtered: map[string]int{"consent: marketing is not granted": n}}, nil
			}
			b.mu.Lock()
			b.replayed = append(b.replayed, slices.Clone(ids))
			b.mu.Unlock()
			n, err := s.DropDead(ctx, ids)
			return process.Replayed{Sent: n, Gone: len(ids) - n}, err
		},
		Find: func(context.Context, process.Selection) (*process.Found, error) { return &process.Found{}, nil },
		Resume: func(id string) bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.resumed = append(b.resumed, id)
			return true
		},
		Forget: func(id string) bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.forgot = append(b.forgot, id)
			return true
		},
		Verify: func(context.Context) (Proof, error) {
			return Proof{Events: 3, Pairs: 6, Outcomes: map[string]int{"delivered": 5, "pending": 1}}, nil
		},
		Domain: func(_ context.Context, account string) (string, error) { return "va.v.liveperson.net", nil },
	}
	for role, token := range tokens {
		o.Tokens = append(o.Tokens, Token{Name: string(role) + "-token", Token: token, Role: role})
	}
	if b.handler, err = New(o); err != nil {
		t.Fatal(err)
	}
	b.Server = httptest.NewServer(b.handler)
	t.Cleanup(func() {
		b.CloseClientConnections()
		cancel()
		<-ended
		b.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// person makes an account and gives a browser that is signed in to it.
func (b *bench) person(role auth.Role) *http.Client {
	b.t.Helper()
	b.account(role)
	c := b.browser()
	r, err := c.PostForm(b.URL+"/sign-in", url.Values{"email": {string(role) + "@kettleandpine.example"}, "password": {password}})
	if err != nil {
		b.t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("sign-in of %s = %d", role, r.StatusCode)
	}
	return c
}

func (b *bench) account(role auth.Role) {
	b.t.Helper()
	hash, err := auth.NewPasswords(quick).Hash(b.t.Context(), password)
	if err != nil {
		b.t.Fatal(err)
	}
	name := map[auth.Role]string{auth.Viewer: "Vera Novak", auth.Editor: "Mira Okafor", auth.Admin: "Jonas Lindqvist"}[role]
	if _, err := b.store.AddUser(b.t.Context(), store.User{Email: string(role) + "@kettleandpine.example", Name: name, Role: string(role), PasswordHash: hash}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 10 * time.Second}
}

func pipelines() []store.Pipeline {
	settings := func(account, domain string) map[string]any {
		return map[string]any{
			"account_id": account, "monitoring_domain": domain, "app_installation_id": "a1b2c3d4-1234-5678-90ab-cdef12345678",
			"dialect": "auto", "signing_secret": "whsec_never_shown",
		}
	}
	rules := &mapping.Mapping{}
	for _, e := range []string{"page", "Products Searched", "Product Viewed", "Cart Viewed", "Checkout Started", "Order Completed", "Lead Generated", "identify"} {
		rules.Events = append(rules.Events, mapping.EventRule{Event: e})
	}
	return []store.Pipeline{
		{
			Name: "shop", Key: "dk_live_7Qm2xV9cTb41", Secret: "pipeline-secret-never-shown", AllowedOrigins: []string{"https://www.kettleandpine.example"},
			Consent:    store.ConsentRules{WhenUnknown: consent.Deny, Mapping: consent.Mapping{"C0001": {consent.Essential}, "C0002": {consent.Analytics}, "C0004": {consent.Marketing}}},
			HashFields: []string{"traits.email"}, Bots: "flag", Source: "signal.yaml",
			Integrations: []store.Integration{
				{ID: "shop/liveperson", Name: "liveperson", Pipeline: "shop", Vendor: "liveperson", Enabled: true, Settings: settings("12345678", "va.v.liveperson.net"), Categories: []consent.Bucket{consent.Marketing}, Preset: "retail", Mapping: rules, Revision: 7},
				{ID: "shop/orders", Name: "orders", Pipeline: "shop", Vendor: "webhook", Enabled: true, Settings: map[string]any{"url": "https://erp.kettleandpine.example/orders"}, Mapping: rules, Revision: 2},
			},
		},
		{
			Name: "shop-eu", Key: "dk_live_3Fk8bN1zWq07", AllowedOrigins: []string{"https://eu.kettleandpine.example"}, Source: "signal.yaml",
			Integrations: []store.Integration{
				{ID: "shop-eu/liveperson-eu", Name: "liveperson-eu", Pipeline: "shop-eu", Vendor: "liveperson", Enabled: true, Settings: settings("87654321", "lo.v.liveperson.net"), Categories: []consent.Bucket{consent.Marketing}, Preset: "retail", Mapping: rules, Revision: 3},
				{ID: "shop-eu/liveperson-uk", Name: "liveperson-uk", Pipeline: "shop-eu", Vendor: "liveperson", Enabled: true, Settings: settings("11223344", "lo.v.liveperson.net"), Categories: []consent.Bucket{consent.Marketing}, Preset: "retail", Mapping: rules, Revision: 1},
				{ID: "shop-eu/liveperson-dk", Name: "liveperson-dk", Pipeline: "shop-eu", Vendor: "liveperson", Enabled: true, Settings: settings("55667788", "lo.v.liveperson.net"), Categories: []consent.Bucket{consent.Marketing}, Preset: "retail", Mapping: rules, Revision: 1},
			},
		},
	}
}

// An arrival of the bench: what varies of it.
type arriving struct {
	seq       uint64
	id, name  string
	visitor   string
	user      string
	body      string
	pipeline  string
	routes    []trace.Route
	at        time.Time
	granted   bool
	untracked bool // no consent on the event
}

func (a arriving) record() trace.Record {
	if a.pipeline == "" {
		a.pipeline = "shop"
	}
	kind := event.Track
	if event.Type(a.name).Known() {
		kind = event.Type(a.name)
	}
	state, _ := json.Marshal(consent.State{
		Categories: map[string]bool{"C0001": true, "C0002": true, "C0004": a.granted},
		Canonical:  map[consent.Bucket]bool{consent.Analytics: true, consent.Marketing: a.granted},
	})
	return trace.Record{At: a.at.Add(3 * time.Millisecond), Place: event.Place{Seq: a.seq}, MessageID: a.id, Arrival: &trace.Arrival{
		Pipeline: a.pipeline, Type: kind, Event: a.name, AnonymousID: a.visitor, UserID: a.user, ReceivedAt: a.at,
		Path: "/v1/t", Browser: true, IP: "203.0.113.7", UserAgent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15", Origin: "https://www.kettleandpine.example",
		Bytes: len(a.body) + 640, Skew: -120 * time.Millisecond, Body: json.RawMessage(a.body), Consent: state, OnEvent: !a.untracked,
		Hashed: []string{"traits.email"}, VisitAge: 22 * time.Minute, Routes: a.routes,
	}}
}

// pending is a route that goes on to delivery.
func pending(integration, payload string) trace.Route {
	return trace.Route{Integration: integration, Outcome: trace.Pending, Needs: []string{"marketing"}, Revision: 7, Payload: json.RawMessage(payload),
		Explain: json.RawMessage(`[{"target":"consumerId","source":"anonymousId","value":"a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d"},{"target":"engagementAttributes[0].total","source":"properties.revenue","value":11.70},{"target":"engagementAttributes[0].currency","source":"properties.currency","value":"USD"}]`)}
}

func filtered(integration, reason string) trace.Route {
	return trace.Route{Integration: integration, Outcome: trace.Filtered, Reason: reason, Needs: []string{"marketing"}, Revision: 7}
}

// step is one try of delivery.
func step(seq uint64, id string, at time.Time, s trace.Step) trace.Record {
	s.SentAt = at
	if s.Try == 0 {
		s.Try = 1
	}
	return trace.Record{At: at.Add(s.Took), Place: event.Place{Seq: seq}, MessageID: id, Step: &s}
}

const purchaseBody = `{"type":"track","event":"Order Completed","anonymousId":"a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d","userId":"C-4711","traits":{"email":"ada@example.com","plan":"gold"},"properties":{"order_id":"DRV1534XC","revenue":11.70,"currency":"USD"},"context":{"page":{"url":"https://www.kettleandpine.example/checkout/confirmation?email=ada%40example.com"},"consent":{"categories":{"C0001":true,"C0002":true,"C0004":true}}},"messageId":"01956b1e-5f2c-7d10-9a00-000000000001"}`

const purchaseReport = `{"consumerId":"a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d","identities":[{"iss":"Datafly","acr":"loa1","sub":"a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d"}],"entryPoints":["https://www.kettleandpine.example/checkout/confirmation"],"engagementAttributes":[{"type":"purchase","total":11.70,"currency":"USD","orderId":"DRV1534XC"}]}`

const reportURL = "https://va.v.liveperson.net/api/account/12345678/app/a1b2c3d4-1234-5678-90ab-cdef12345678/report?v=1.0&vid=A0ZTA5YTVlYTY5NTI1ODYx&sid=Vo13h4lpShW655STQJi9Jg"

func delivered(summary string, tookMS int) trace.Step {
	return trace.Step{
		Integration: "shop/liveperson", Outcome: trace.Delivered, Verdict: "delivered", Method: "POST", URL: reportURL,
		Header: map[string]string{"Content-Type": "application/json", "User-Agent": "Signal/1.0"}, Body: json.RawMessage(purchaseReport),
		Dialect: "signal", Summary: summary, Status: 200, Took: time.Duration(tookMS) * time.Millisecond,
		Answer: `{"sessionId":"Vo13h4lpShW655STQJi9Jg","visitorId":"A0ZTA5YTVlYTY5NTI1ODYx","pageId":"1674628973"}`,
		AHead:  map[string]string{"Content-Type": "application/json"},
		Notes:  []string{"LivePerson kept the visit: the visitor and session ids are the ones that were sent."},
	}
}

// first is the event that most tests open.
const first = "01956b1e-5f2c-7d10-9a00-000000000001"

// seed fills the history as a shop on a usual day does.
func (b *bench) seed() {
	b.t.Helper()
	now := time.Now().UTC().Truncate(time.Second).Add(412 * time.Millisecond)
	visitor := func(i int) string { return fmt.Sprintf("%08x-e5f6-4a7b-8c9d-0e1f2a3b4c5d", 0xa1b2c3d4+i*7919) }
	var records []trace.Record
	seq := uint64(5000)
	add := func(name, id string, ago time.Duration, granted bool, route trace.Route, steps ...trace.Step) {
		seq--
		if id == "" {
			id = fmt.Sprintf("01956b1e-%04x-7d10-9a00-%012x", seq, seq*31)
		}
		body := strings.Replace(strings.Replace(purchaseBody, "Order Completed", name, 1), first, id, 1)
		v := "a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d"
		if id != first {
			v = visitor(int(seq))
		}
		at := now.Add(-ago)
		records = append(records, arriving{seq: seq, id: id, name: name, visitor: v, user: "C-4711", body: body, routes: []trace.Route{route}, at: at, granted: granted}.record())
		for i, s := range steps {
			s.Integration = route.Integration
			s.Try = i + 1
			records = append(records, step(seq, id, at.Add(time.Duration(5+i*3000)*time.Millisecond), s))
		}
	}
	lp := "shop/liveperson"
	ok := pending(lp, purchaseReport)
	unavailable := trace.Step{Outcome: trace.Pending, Verdict: "retry", Method: "POST", URL: reportURL, Body: json.RawMessage(purchaseReport), Status: 503, Took: 41 * time.Millisecond,
		Reason: "LivePerson does not take reports now.", Remedy: "There is nothing to do. Signal tries again by itself.", Answer: `{"message":"Service Unavailable"}`, Next: now.Add(13 * time.Second), Summary: "lead · EUR 200"}
	refused := trace.Step{Outcome: trace.Dead, Verdict: "dead", Method: "POST", URL: reportURL, Body: json.RawMessage(purchaseReport), Status: 400, Code: 5, Took: 52 * time.Millisecond,
		Reason: "LivePerson refused lead.currency.", Remedy: "Map the sign to its code: add a value map for currency to the mapping.", Answer: `{"time":1772028131946,"message":"Invalid engagementAttributes","internalCode":5}`}
	add("Order Completed", first, 0, true, ok, delivered("purchase · USD 11.70 · DRV1534XC", 84))
	add("page", "", 35*time.Millisecond, true, ok, delivered("/checkout/confirmation", 61))
	add("Newsletter Opened", "", 122*time.Millisecond, true, filtered(lp, `not mapped: no rule for "Newsletter Opened"`))
	add("Lead Generated", "", 298*time.Millisecond, true, ok, unavailable, unavailable)
	add("Product Viewed", "filtered-0001", 430*time.Millisecond, false, filtered(lp, "consent: marketing is not granted"))
	add("Cart Viewed", "", 572*time.Millisecond, true, ok, delivered("cartStatus · EUR 84.70 · 3 items", 79))
	add("Products Searched", "", 693*time.Millisecond, true, ok, delivered("searchContent · “oolong”", 72))
	add("Lead Generated", "dead-0001", 779*time.Millisecond, true, ok, refused)
	add("identify", "", 904*time.Millisecond, true, ok, delivered("ctmrinfo, personal", 90))
	carried := trace.Step{Outcome: trace.Carried, Summary: "/tea", Reason: ""}
	for i := range 60 {
		ago := time.Duration(1041+i*137) * time.Millisecond
		switch i % 6 {
		case 0:
			add("Product Viewed", "", ago, true, ok, delivered("prodView · Stoneware mug", 60+i))
		case 1:
			add("page", "", ago, true, filtered(lp, "bot: headless browser"))
		case 2:
			add("Checkout Started", "", ago, true, ok, delivered("cartStatus · EUR 113.80 · 4 items", 77))
		case 3:
			add("page", "", ago, true, ok, carried)
		case 4:
			add("page", "", ago, true, ok, delivered("/cart", 66))
		default:
			add("Product Viewed", "", ago, false, filtered(lp, "consent: marketing is not granted"))
		}
	}
	if err := b.store.AddTraces(b.t.Context(), records); err != nil {
		b.t.Fatal(err)
	}
	b.seedDead(now)
	b.seedCounts(now)
}

func (b *bench) seedDead(now time.Time) {
	var letters []store.DeadLetter
	add := func(n int, integration, name, reason, remedy string, status, code int, ago time.Duration) {
		for i := range n {
			request, _ := json.Marshal(map[string]any{"method": "POST", "url": reportURL, "header": map[string]string{"Content-Type": "application/json"}, "body": json.RawMessage(purchaseReport)})
			answer, _ := json.Marshal(map[string]any{"body": `{"message":"Invalid engagementAttributes","internalCode":5}`})
			id := fmt.Sprintf("%s-%04d", strings.ToLower(strings.ReplaceAll(name, " ", "-")), i)
			if i == 0 && name == "Lead Generated" {
				id = "dead-0001"
			}
			letters = append(letters, store.DeadLetter{
				Pipeline: strings.Split(integration, "/")[0], Integration: integration, MessageID: id, Event: name,
				AnonymousID: fmt.Sprintf("%08x-e5f6-4a7b-8c9d-0e1f2a3b4c5d", 0x90b1d7fe+i*104729), UserID: "C-4711", Reason: reason, Remedy: remedy,
				Status: status, Code: code, Attempts: 1, FirstAt: now.Add(-ago - time.Minute), LastAt: now.Add(-ago - time.Duration(i)*5*time.Minute),
				Request: request, Answer: answer, Place: event.Place{Seq: uint64(len(letters) + 1)},
			})
			if code == 5 {
				last := &letters[len(letters)-1]
				last.Cause, last.Fix, last.Field = "invalid_field", string(attempt.FixMapping), "lead.currency"
			}
		}
	}
	add(96, "shop/liveperson", "Lead Generated", "LivePerson refused lead.currency.", "Map the sign to its code: add a value map for currency.", 400, 5, 0)
	add(21, "shop/liveperson", "Cart Viewed", "LivePerson refused the session id twice.", "It may pass now.", 404, 39, 11*time.Hour)
	add(7, "shop-eu/liveperson-eu", "Product Viewed", "LivePerson did not take it within 24 hours.", "It may pass now.", 0, 0, 40*time.Hour)
	if err := b.store.AddDead(b.t.Context(), letters); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) seedCounts(now time.Time) {
	var batch store.CountBatch
	add := func(pipeline, integration, outcome, reason string, minute time.Time, n int64, took time.Duration) {
		c := store.Count{Pipeline: pipeline, Integration: integration, Outcome: outcome, Reason: reason, Minute: minute, N: n}
		if took > 0 {
			c.TookSum = took * time.Duration(n)
			c.Took[store.TookBucket(took)] = n * 9 / 10
			c.Took[store.TookBucket(took*2)] = n - n*9/10
		}
		batch.Counts = append(batch.Counts, c)
	}
	for m := range 24*60 - 1 {
		at := now.Add(-time.Duration(m) * time.Minute)
		day := 1 + 0.7*wave(float64(at.Hour()*60+at.Minute())/1440)
		n := int64(330 * day)
		batch.Accepted = append(batch.Accepted, store.Accepted{Pipeline: "shop", Minute: at, N: n})
		add("shop", "shop/liveperson", "delivered", "", at, n*58/100, 78*time.Millisecond)
		add("shop", "shop/orders", "delivered", "", at, n*79/100, 61*time.Millisecond)
		add("shop", "shop/liveperson", "carried", "", at, n*6/100, 0)
		add("shop", "shop/liveperson", "filtered", "consent: marketing is not granted", at, n*23/100, 0)
		add("shop", "shop/liveperson", "filtered", `not mapped: no rule for "Newsletter Opened"`, at, n*3/100, 0)
		if m%7 == 0 {
			add("shop", "shop/liveperson", "filtered", "bot: headless browser", at, 9, 0)
		}
		if m%90 == 0 {
			add("shop", "shop/liveperson", "dead", "LivePerson refused lead.currency.", at, 6, 0)
		}
		if m > 28 {
			add("shop-eu", "shop-eu/liveperson-eu", "delivered", "", at, n*8/100, 92*time.Millisecond)
		}
	}
	add("shop", "shop/liveperson", "pending", "", now, 330, 0)
	add("shop", "shop/orders", "pending", "", now, 9, 0)
	add("shop-eu", "shop-eu/liveperson-eu", "pending", "", now, 1284, 0)
	if err := b.store.ApplyCounts(b.t.Context(), batch); err != nil {
		b.t.Fatal(err)
	}
	if err := b.store.AddGateway(b.t.Context(), []store.GatewayCount{
		{Pipeline: "shop", Kind: store.Duplicate, Minute: now, N: 1204}, {Pipeline: "shop", Kind: store.Rejected, Reason: "ORIGIN_NOT_ALLOWED", Minute: now, N: 14},
	}); err != nil {
		b.t.Fatal(err)
	}
}

// wave is a smooth hill over a day, from -1 to 1.
func wave(x float64) float64 {
	x = 2*x - 1
	return 1 - 2*x*x*x*x
}

func deadFilter(limit int) store.DeadFilter { return store.DeadFilter{Limit: limit} }

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func evilLetters(evil string) []store.DeadLetter {
	return []store.DeadLetter{{
		Pipeline: "shop", Integration: "shop/liveperson", MessageID: evil, Event: evil, AnonymousID: evil, UserID: evil, Reason: evil, Remedy: evil,
		Field: evil, Cause: evil, Fix: evil, Checks: mustJSON([]map[string]any{{"what": evil, "say": evil}}),
		Status: 400, Attempts: 1, FirstAt: time.Now(), LastAt: time.Now(), Place: event.Place{Seq: 9},
		Request: mustJSON(map[string]any{"method": evil, "url": "javascript:alert(1)?" + evil, "header": map[string]string{evil: evil}, "body": map[string]string{evil: evil}}),
		Answer:  mustJSON(map[string]any{"body": evil}),
	}}
}
