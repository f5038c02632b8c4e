package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/store"
)

// disk is a Committer in memory.
type disk struct {
	mu    sync.Mutex
	items []event.Received
	tags  []string
	fail  func(n int) error // asked with the number of the call, from 1
	gate  chan struct{}     // when set, a commit waits for a value
	calls int
}

func (d *disk) Commit(ctx context.Context, tag string, b []byte) (uint64, int, error) {
	d.mu.Lock()
	d.calls++
	n := d.calls
	d.mu.Unlock()
	if d.gate != nil {
		select {
		case <-d.gate:
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
	if d.fail != nil {
		if err := d.fail(n); err != nil {
			return 0, 0, err
		}
	}
	r, err := event.ParseReceived(bytes.Clone(b))
	if err != nil {
		return 0, 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.items = append(d.items, r)
	d.tags = append(d.tags, tag)
	return uint64(len(d.items)), 0, nil
}

func (d *disk) all() []event.Received {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]event.Received(nil), d.items...)
}

// bulkDisk takes batches together.
type bulkDisk struct {
	disk
	bulks int
}

func (d *bulkDisk) CommitAll(ctx context.Context, tag string, items [][]byte) error {
	d.bulks++
	for _, b := range items {
		if _, _, err := d.Commit(ctx, tag, b); err != nil {
			return err
		}
	}
	return nil
}

var errFull = errors.New("disk full")

const (
	shopKey = "dk_test_shop"
	openKey = "dk_test_open"
	shop    = "https://www.example.com"
	uuid1   = "11111111-2222-4333-8444-555555555555"
	uuid2   = "aaaaaaaa-2222-4333-8444-555555555555"
)

func pipelines() []store.Pipeline {
	return []store.Pipeline{
		{Name: "shop", Key: shopKey, AllowedOrigins: []string{shop, "http://localhost:3000/"}},
		{Name: "open", Key: openKey},
	}
}

// counts gathers what Count is told.
type counts struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counts) add(pipeline, result string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[pipeline+"/"+result] += n
}

func (c *counts) of(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[name]
}

// gateway makes one whose new ids are anon-1, anon-2 … and msg-1, msg-2 …; in
// place of the first two a UUID, so that they may go into a cookie.
func gateway(t testing.TB, change func(*Options)) (*Gateway, *disk) {
	t.Helper()
	d := &disk{}
	var mu sync.Mutex
	made := map[string]int{}
	next := func(kind, format string) func() string {
		return func() string {
			mu.Lock()
			defer mu.Unlock()
			made[kind]++
			return fmt.Sprintf(format, made[kind])
		}
	}
	o := Options{
		Pipelines:      pipelines(),
		Committer:      d,
		Now:            func() time.Time { return time.Date(2026, 2, 25, 14, 30, 0, 0, time.UTC) },
		NewMessageID:   next("msg", "msg-%d"),
		NewAnonymousID: next("anon", "00000000-0000-4000-8000-%012d"),
	}
	if change != nil {
		change(&o)
	}
	return New(o), d
}

// newID is the n-th anonymousId that a gateway of a test makes.
func newID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// call is one request of a test. Headers are written "Name: value".
func call(g *Gateway, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr = "203.0.113.7:4711"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	g.Handler().ServeHTTP(w, r)
	return w
}

const (
	bearer  = "Authorization: Bearer " + shopKey
	open    = "Authorization: Bearer " + openKey
	asJSON  = "Content-Type: application/json"
	fromWeb = "Origin: " + shop
)

func TestAnswers(t *testing.T) {
	big := `{"event":"x","properties":{"a":"` + strings.Repeat("a", event.MaxBytes) + `"}}`
	many := `{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"type":"page"},`, 501), ",") + `]}`
	const key = "the pipeline key is missing or not known: send it as Bearer token, as Basic user name, as wk in the query, or as writeKey in the body"
	tests := []struct {
		name    string
		method  string // POST when empty
		target  string
		body    string
		headers []string
		status  int
		want    string // the whole body, or a part that starts with …
		stored  int
	}{
		{name: "a track", target: "/v1/t", body: `{"event":"x"}`, headers: []string{bearer, asJSON}, status: 200, want: `{"success":true}`, stored: 1},
		{name: "a batch", target: "/v1/batch", body: `{"batch":[{"type":"page"},{"type":"track","event":"x"}]}`, headers: []string{bearer, asJSON}, status: 200, want: `{"success":true,"accepted":2,"rejected":[]}`, stored: 2},
		{name: "a batch of Segment's script", target: "/v1/b", body: `{"writeKey":"` + shopKey + `","batch":[{"type":"page","writeKey":"` + shopKey + `"}],"sentAt":"2026-02-25T14:30:00.000Z"}`, headers: []string{"Content-Type: text/plain"}, status: 200, want: `{"success":true,"accepted":1,"rejected":[]}`, stored: 1},
		{name: "a batch with bad ones names them and keeps the rest", target: "/v1/batch", body: `{"batch":[{"type":"track"},{"type":"page"},5,{"type":"page","a":1,"a":2}]}`, headers: []string{bearer}, status: 200,
			want: `{"success":true,"accepted":1,"rejected":[{"index":0,"code":"INVALID_EVENT","message":"event is required for a track: the event's name"},{"index":2,"code":"INVALID_JSON","message":"not a JSON object that Signal takes: an event is an object"},{"index":3,"code":"INVALID_JSON","message":"not a JSON object that Signal takes: a key is there twice"}]}`, stored: 1},
		{name: "an over-size event of a batch is named", target: "/v1/batch", body: `{"batch":[` + `{"type":"track",` + big[1:] + `,{"type":"page"}]}`, headers: []string{bearer}, status: 200,
			want: `{"success":true,"accepted":1,"rejected":[{"index":0,"code":"EVENT_TOO_LARGE","message":"an event may have 64 KiB"}]}`, stored: 1},
		{name: "a batch with bad ones only", target: "/v1/batch", body: `{"batch":[{"type":"track"}]}`, headers: []string{bearer}, status: 400,
			want: `{"error":{"code":"INVALID_EVENT","message":"no event of the batch can be kept; the first: event is required for a track: the event's name"},"rejected":[{"index":0,"code":"INVALID_EVENT","message":"event is required for a track: the event's name"}]}`},
		{name: "an empty batch", target: "/v1/batch", body: `{"batch":[]}`, headers: []string{bearer}, status: 400, want: `{"error":{"code":"INVALID_EVENT","message":"the batch is empty: send at least one event"}}`},
		{name: "no batch at all", target: "/v1/batch", body: `{}`, headers: []string{bearer}, status: 400, want: `{"error":{"code":"INVALID_EVENT","message":"batch must be a list of events"}}`},
		{name: "501 events", target: "/v1/batch", body: many, headers: []string{bearer}, status: 413, want: `{"error":{"code":"PAYLOAD_TOO_LARGE","message":"a batch may have 500 events"}}`},
		{name: "500 events", target: "/v1/batch", body: strings.Replace(many, `{"type":"page"},`, "", 1), headers: []string{bearer}, status: 200, want: `{"success":true,"accepted":500,"rejected":[]}`, stored: 500},
		{name: "an event over 64 KiB", target: "/v1/t", body: big, headers: []string{bearer}, status: 413, want: `{"error":{"code":"PAYLOAD_TOO_LARGE","message":"an event may have 64 KiB"}}`},
		{name: "a body over 512 KiB", target: "/v1/batch", body: strings.Repeat(" ", event.MaxBody+1), headers: []string{bearer}, status: 413, want: `{"error":{"code":"PAYLOAD_TOO_LARGE","message":"a body may have 512 KiB, before and after decompression"}}`},
		{name: "every wrong field is named", target: "/v1/t", body: `{"timestamp":"soon","properties":[]}`, headers: []string{bearer}, status: 400,
			want: `{"error":{"code":"INVALID_EVENT","message":"event is required for a track: the event's name; timestamp must be a time by ISO 8601, such as 2026-02-25T14:30:00.000Z; properties must be an object"}}`},
		{name: "type and address differ", target: "/v1/p", body: `{"type":"track","event":"x"}`, headers: []string{bearer}, status: 400, want: `{"error":{"code":"INVALID_EVENT","message":"type is \"track\", but the address is for \"page\""}}`},
		{name: "no JSON", target: "/v1/t", body: `event=x`, headers: []string{bearer}, status: 400, want: `…{"error":{"code":"INVALID_JSON"`},
		{name: "an empty body", target: "/v1/t", body: ``, headers: []string{bearer}, status: 400, want: `…{"error":{"code":"INVALID_JSON"`},
		{name: "no key", target: "/v1/t", body: `{"event":"x"}`, status: 401, want: `{"error":{"code":"INVALID_PIPELINE_KEY","message":"` + key + `"}}`},
		{name: "a wrong key is refused before the body is looked at", target: "/v1/t", body: `nonsense`, headers: []string{"Authorization: Bearer dk_wrong"}, status: 401, want: `{"error":{"code":"INVALID_PIPELINE_KEY","message":"` + key + `"}}`},
		{name: "a form", target: "/v1/t", body: `event=x`, headers: []string{bearer, "Content-Type: application/x-www-form-urlencoded"}, status: 415, want: `…{"error":{"code":"UNSUPPORTED_MEDIA_TYPE"`},
		{name: "an unknown address", target: "/v1/alias", status: 404, want: `…{"error":{"code":"NOT_FOUND"`},
		{name: "an address with a slash behind it", target: "/v1/t/", status: 404, want: `…{"error":{"code":"NOT_FOUND"`},
		{name: "GET where POST is due", method: "GET", target: "/v1/t", status: 405, want: `{"error":{"code":"METHOD_NOT_ALLOWED","message":"this address takes POST"}}`},
		{name: "POST where GET is due", target: "/healthz", status: 405, want: `{"error":{"code":"METHOD_NOT_ALLOWED","message":"this address takes GET"}}`},
		{name: "health", method: "GET", target: "/healthz", status: 200, want: `{"status":"ok"}`},
		{name: "readiness", method: "GET", target: "/readyz", status: 200, want: `{"status":"ready"}`},
		{name: "no collector", method: "GET", target: "/d.js", status: 404, want: `…{"error":{"code":"NOT_FOUND"`},
		{name: "signed events are not here yet", target: "/v1/events", body: `{}`, status: 404, want: `…{"error":{"code":"NOT_FOUND"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, d := gateway(t, nil)
			if tt.method == "" {
				tt.method = "POST"
			}
			w := call(g, tt.method, tt.target, tt.body, tt.headers...)
			got := w.Body.String()
			ok := got == tt.want
			if part, is := strings.CutPrefix(tt.want, "…"); is {
				ok = strings.HasPrefix(got, part)
			}
			if w.Code != tt.status || !ok {
				t.Errorf("%s %s:\n got %d %s\nwant %d %s", tt.method, tt.target, w.Code, got, tt.status, tt.want)
			}
			if n := len(d.all()); n != tt.stored {
				t.Errorf("stored %d events, want %d", n, tt.stored)
			}
			if h := w.Header(); h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", h)
			}
		})
	}
}

func TestEveryAddressStoresItsType(t *testing.T) {
	for path, want := range map[string]event.Type{
		"/v1/t": event.Track, "/v1/track": event.Track, "/v1/p": event.Page, "/v1/page": event.Page,
		"/v1/i": event.Identify, "/v1/identify": event.Identify, "/v1/g": event.Group, "/v1/group": event.Group,
		"/v1/s": event.Screen, "/v1/screen": event.Screen,
	} {
		g, d := gateway(t, nil)
		if w := call(g, "POST", path, `{"event":"x"}`, bearer); w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if got := d.all(); len(got) != 1 || got[0].Type != want || got[0].Path != path {
			t.Errorf("%s stored %+v, want type %s", path, got, want)
		}
	}
}

func TestAllowNamesTheMethods(t *testing.T) {
	g, _ := gateway(t, nil)
	for target, want := range map[string]string{"/v1/t": "POST, OPTIONS", "/healthz": "GET, HEAD, OPTIONS", "/d.js": "GET, HEAD, OPTIONS"} {
		for _, method := range []string{"DELETE", "OPTIONS"} {
			if got := call(g, method, target, "").Header().Get("Allow"); got != want {
				t.Errorf("%s %s: Allow = %q, want %q", method, target, got, want)
			}
		}
	}
}

func TestStamps(t *testing.T) {
	g, d := gateway(t, nil)
	body := ` {"event":"x","messageId":"m-1","anonymousId":"a-1","sentAt":"2026-02-25T14:29:59Z","properties":{"revenue":11.70,"id":12345678901234567}}`
	w := call(g, "POST", "/v1/track", body, bearer, fromWeb, "User-Agent: Mozilla/5.0", "Sec-GPC: 1")
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	got := d.all()[0]
	want := event.Received{
		Pipeline: "shop", MessageID: "m-1", AnonymousID: "a-1", Type: event.Track,
		ReceivedAt: time.Date(2026, 2, 25, 14, 30, 0, 0, time.UTC), SentAt: time.Date(2026, 2, 25, 14, 29, 59, 0, time.UTC),
		IP: "203.0.113.7", UserAgent: "Mozilla/5.0", Origin: shop, Path: "/v1/track", Browser: true, GPC: true, Body: got.Body,
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("stamps:\n got %+v\nwant %+v", got, want)
	}
	if string(got.Body) != body {
		t.Errorf("body = %s, want it as it came", got.Body)
	}
	if d.tags[0] != "shop" {
		t.Errorf("tag = %q", d.tags[0])
	}
}

func TestMissingIDsAreMade(t *testing.T) {
	g, d := gateway(t, func(o *Options) { o.NewMessageID, o.NewAnonymousID = nil, nil })
	call(g, "POST", "/v1/p", `{"messageId":"","anonymousId":null}`, bearer)
	got := d.all()[0]
	if len(got.MessageID) != 36 || got.MessageID[14] != '7' {
		t.Errorf("messageId = %q, want a UUID v7", got.MessageID)
	}
	if len(got.AnonymousID) != 36 || got.AnonymousID[14] != '4' {
		t.Errorf("anonymousId = %q, want a UUID v4", got.AnonymousID)
	}
}

func TestSentAtOfABatchIsForEventsWithoutOne(t *testing.T) {
	g, d := gateway(t, nil)
	call(g, "POST", "/v1/batch", `{"batch":[{"type":"page","sentAt":"2026-01-01T00:00:00Z"},{"type":"page"}],"sentAt":"2026-02-02T00:00:00Z"}`, bearer)
	got := d.all()
	if got[0].SentAt.Month() != time.January || got[1].SentAt.Month() != time.February {
		t.Errorf("sentAt = %v and %v", got[0].SentAt, got[1].SentAt)
	}
}

func TestReadiness(t *testing.T) {
	g, _ := gateway(t, func(o *Options) {
		o.Ready = func(context.Context) error { return errors.New("the journal is being read") }
	})
	w := call(g, "GET", "/readyz", "")
	if want := `{"error":{"code":"NOT_READY","message":"the journal is being read"}}`; w.Code != 503 || w.Body.String() != want {
		t.Errorf("%d %s, want 503 %s", w.Code, w.Body, want)
	}
	if w := call(g, "GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("healthz = %d", w.Code)
	}
}

func TestUseReplacesThePipelines(t *testing.T) {
	g, _ := gateway(t, nil)
	g.Use([]store.Pipeline{{Name: "blog", Key: "dk_blog"}, {Name: "twin", Key: "dk_blog"}, {Name: "keyless"}})
	if w := call(g, "POST", "/v1/p", `{}`, bearer); w.Code != 401 {
		t.Errorf("the old key gives %d", w.Code)
	}
	if w := call(g, "POST", "/v1/p", `{}`, "Authorization: Bearer dk_blog"); w.Code != 200 {
		t.Errorf("the new key gives %d", w.Code)
	}
	if w := call(g, "POST", "/v1/p", `{"writeKey":""}`); w.Code != 401 {
		t.Errorf("an empty key gives %d", w.Code)
	}
}

func TestCollectorIsServed(t *testing.T) {
	g, _ := gateway(t, func(o *Options) {
		o.Collector = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "script") })
	})
	for _, path := range []string{"/d.js", "/datafly.js"} {
		if w := call(g, "GET", path, ""); w.Body.String() != "script" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
