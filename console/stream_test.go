package console

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/trace"
)

// A message is one server-sent event.
type message struct{ id, event, data string }

// listen opens a stream and gives its messages; comments have the event "beat".
func (b *bench) listen(path, token, last string) <-chan message {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", b.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		b.t.Fatalf("%s = %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	out := make(chan message, 10_000)
	go func() {
		defer resp.Body.Close()
		defer close(out)
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		var m message
		for lines.Scan() {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "id":
				m.id = value
			case "event":
				m.event = value
			case "data":
				m.data = value
			case "":
				if strings.HasPrefix(lines.Text(), ":") {
					m.event = "beat"
				}
				if m != (message{}) {
					out <- m
				}
				m = message{}
			}
		}
	}()
	if m := b.next(out); m.event != "beat" {
		b.t.Fatalf("the first message is %+v, want a beat", m)
	}
	return out
}

func (b *bench) next(messages <-chan message) message {
	b.t.Helper()
	select {
	case m, ok := <-messages:
		if !ok {
			b.t.Fatal("the stream ended")
		}
		return m
	case <-time.After(5 * time.Second):
		b.t.Fatal("no message within 5 s")
	}
	return message{}
}

type streamed struct {
	ID        uint64 `json:"id"`
	MessageID string `json:"message_id"`
	Outcome   string `json:"outcome"`
	Line      string `json:"line"`
	Tail      string `json:"tail"`
	Match     bool   `json:"match"`
	UserID    string `json:"user_id"`
}

func (b *bench) row(messages <-chan message) (streamed, message) {
	b.t.Helper()
	m := b.next(messages)
	var s streamed
	if err := json.Unmarshal([]byte(m.data), &s); err != nil {
		b.t.Fatalf("%+v: %v", m, err)
	}
	return s, m
}

func (b *bench) happen(records ...trace.Record) {
	for _, r := range records {
		b.tap.Note(func() trace.Record { return r })
	}
}

func TestStreamFollowsAnEvent(t *testing.T) {
	b := newBench(t)
	at := time.Now().UTC()
	messages := b.listen("/v1/admin/debugger/stream?integration=liveperson&outcome=pending", tokens[auth.Viewer], "")
	arrive := func(seq uint64, id, name string, route trace.Route) trace.Record {
		return arriving{seq: seq, id: id, name: name, visitor: "v1", user: "C-4711", body: `{}`, routes: []trace.Route{route}, at: at, granted: true}.record()
	}
	b.happen(
		arrive(1, "m1", "Order Completed", pending("shop/liveperson", `{}`)),
		arrive(2, "m2", "page", filtered("shop/liveperson", "consent: marketing is not granted")),
	)
	s, m := b.row(messages)
	if s.MessageID != "m1" || s.Outcome != "pending" || !s.Match || s.Line != "Waits to be sent" || s.Tail != "not sent" || m.id != fmt.Sprint(s.ID) {
		t.Fatalf("first row = %+v", s)
	}
	if s.UserID != trace.Hidden {
		t.Errorf("a viewer's stream names the user %q", s.UserID)
	}
	b.happen(step(1, "m1", at, delivered("purchase · USD 11.70", 84)))
	gone, m := b.row(messages)
	if gone.MessageID != "m1" || gone.Outcome != "delivered" || gone.Match || gone.Line != "purchase · USD 11.70" || gone.Tail != "200 · 84 ms" {
		t.Fatalf("row that stopped matching = %+v", gone)
	}
	// After a gap, what changed meanwhile comes first.
	b.happen(arrive(3, "m3", "Order Completed", pending("shop/liveperson", `{}`)))
	if s, _ := b.row(messages); s.MessageID != "m3" {
		t.Fatalf("row = %+v", s)
	}
	again := b.listen("/v1/admin/debugger/stream?integration=shop/liveperson", tokens[auth.Editor], m.id)
	if s, _ := b.row(again); s.MessageID != "m3" || s.UserID != "C-4711" {
		t.Errorf("after the gap = %+v, want m3", s)
	}
}

func TestStreamSaysWhatIsWrong(t *testing.T) {
	b := newBench(t)
	for query, want := range map[string]string{"outcome=lost": "is no outcome", "from=yesterday": "from"} {
		status, body := b.call("GET", "/v1/admin/debugger/stream?"+query, tokens[auth.Viewer], "")
		if status != 400 || !strings.Contains(body, want) || !strings.Contains(body, `"error"`) {
			t.Errorf("%s = %d %s", query, status, body)
		}
	}
}

// At full load a page gets 50 rows a second, failures first, and hears how many
// were left out.
func TestStreamAtFullLoad(t *testing.T) {
	b := newBench(t)
	messages := b.listen("/v1/admin/debugger/stream", tokens[auth.Editor], "")
	at := time.Now().UTC()
	const n, bad = 900, 8
	for i := range n {
		id := fmt.Sprintf("m%d", i)
		if i%(n/bad) == 0 {
			s := delivered("", 9)
			s.Outcome, s.Status, s.Reason = trace.Dead, 400, "LivePerson refused lead.currency."
			b.happen(step(uint64(i+1), "bad"+id, at, s))
			continue
		}
		b.happen(arriving{seq: uint64(i + 1), id: id, name: "page", visitor: "v", body: `{}`, routes: []trace.Route{pending("shop/liveperson", `{}`)}, at: at, granted: true}.record())
	}
	dead, shown, left := 0, 0, 0
	for left == 0 {
		m := b.next(messages)
		if m.event == "left_out" {
			var l struct {
				Shown   int `json:"shown"`
				LeftOut int `json:"left_out"`
			}
			if err := json.Unmarshal([]byte(m.data), &l); err != nil {
				t.Fatal(err)
			}
			left = l.LeftOut
			continue
		}
		shown++
		if strings.Contains(m.data, `"outcome":"dead"`) {
			dead++
		}
	}
	if dead < bad || shown > 110 || shown+left < n-50 {
		t.Errorf("%d shown, %d of them dead, %d left out of %d with %d failures", shown, dead, left, n, bad)
	}
}

func TestOverviewStreamEqualsOverview(t *testing.T) {
	b := newBench(t)
	b.seed()
	r, err := http.NewRequestWithContext(t.Context(), "GET", b.URL+"/v1/admin/overview/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+tokens[auth.Viewer])
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var live, asked struct {
		Accepted, Delivered, Carried, Filtered, Dead, Pending, Duplicates, Rejected int64
		Integrations                                                                []struct{ ID, State string }
		Reasons                                                                     []struct{ Reason string }
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &live); err != nil {
		t.Fatal(err)
	}
	_, body := b.call("GET", "/v1/admin/overview", tokens[auth.Viewer], "")
	if err := json.Unmarshal([]byte(body), &asked); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(live) != fmt.Sprint(asked) || asked.Accepted == 0 || asked.Duplicates != 1204 || asked.Rejected != 14 || len(asked.Integrations) != 5 || len(asked.Reasons) == 0 {
		t.Errorf("stream %+v\nasked %+v", live, asked)
	}
}
