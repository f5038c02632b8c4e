package ingest

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/datafly/signal/event"
)

// single takes one event; the address names its type.
func (g *Gateway) single(w http.ResponseWriter, r *http.Request, t event.Type) {
	var p *site
	if key := keyOf(r); key != "" {
		if p = g.enter(w, r, key); p == nil {
			return
		}
	}
	b, no := g.read(w, r)
	if no != nil {
		g.deny(w, p, *no)
		return
	}
	defer b.free()
	if b.Len() > event.MaxBytes {
		g.deny(w, p, eventTooLarge)
		return
	}
	head, err := event.Admit(b.Bytes(), t)
	if err != nil {
		g.deny(w, p, refusalOf(err))
		return
	}
	if p == nil {
		if p = g.enter(w, r, head.WriteKey); p == nil {
			return
		}
	}
	l := g.loading(r, p, 1, b.Len())
	l.add(head, b.Bytes())
	if g.stored(w, r, l) {
		answer(w, http.StatusOK, success)
	}
}

var success = []byte(`{"success":true}`)

// batch takes up to event.MaxBatch events. The good ones are kept, the bad ones
// named by their index.
func (g *Gateway) batch(w http.ResponseWriter, r *http.Request) {
	var p *site
	if key := keyOf(r); key != "" {
		if p = g.enter(w, r, key); p == nil {
			return
		}
	}
	b, no := g.read(w, r)
	if no != nil {
		g.deny(w, p, *no)
		return
	}
	defer b.free()
	batch, err := event.SplitBatch(b.Bytes())
	if err != nil {
		g.deny(w, p, refusalOf(err))
		return
	}
	if p == nil {
		if p = g.enter(w, r, batch.WriteKey); p == nil {
			return
		}
	}
	if len(batch.Events) > event.MaxBatch {
		g.deny(w, p, batchTooLong)
		return
	}
	l := g.loading(r, p, len(batch.Events), b.Len())
	l.stamps.SentAt = batch.SentAt
	bad := l.addAll(batch.Events)
	for _, b := range bad {
		g.opts.Count(p.name, b.Code, 1)
	}
	switch {
	case len(batch.Events) == 0:
		g.deny(w, p, refusal{http.StatusBadRequest, "INVALID_EVENT", "the batch is empty: send at least one event"})
	case len(bad) == len(batch.Events):
		refuse(w, refusal{http.StatusBadRequest, "INVALID_EVENT",
			fmt.Sprintf("no event of the batch can be kept; the first: %s", bad[0].Message)}, bad...)
	case g.stored(w, r, l):
		answer(w, http.StatusOK, batchAnswer(len(l.cargo.items), bad))
	}
}

func batchAnswer(accepted int, bad []rejected) []byte {
	if bad == nil {
		bad = []rejected{}
	}
	body, err := json.Marshal(struct {
		Success  bool       `json:"success"`
		Accepted int        `json:"accepted"`
		Rejected []rejected `json:"rejected"`
	}{true, accepted, bad})
	if err != nil {
		panic("ingest: an answer that is no JSON: " + err.Error()) // it holds text and numbers only
	}
	return body
}

// enter finds the pipeline of a key and checks that the call's origin may use
// it. When it gives nil it has answered.
func (g *Gateway) enter(w http.ResponseWriter, r *http.Request, key string) *site {
	p := g.sites.Load().of(key)
	if p == nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="pipeline key"`)
		g.deny(w, nil, unknownKey)
		return nil
	}
	if !p.allow(w.Header(), r.Header.Get("Origin")) {
		g.deny(w, p, foreignOrigin)
		return nil
	}
	return p
}

// deny refuses a request whole and counts it.
func (g *Gateway) deny(w http.ResponseWriter, p *site, no refusal) {
	name := ""
	if p != nil {
		name = p.name
	}
	g.opts.Count(name, no.code, 1)
	refuse(w, no)
}

// stored keeps what is loaded. When it gives false it has answered 503.
func (g *Gateway) stored(w http.ResponseWriter, r *http.Request, l *loading) bool {
	if err := g.keep(r.Context(), &l.cargo); err != nil {
		g.complain.error(g.opts.Now(), "events were refused because the journal did not take them", "error", err)
		g.opts.Count(l.cargo.tag, notDurable.code, len(l.cargo.items))
		w.Header().Set("Retry-After", retryAfter)
		refuse(w, notDurable)
		return false
	}
	if l.cargo.repeat > 0 {
		g.opts.Count(l.cargo.tag, Duplicate, l.cargo.repeat)
	}
	if n := len(l.cargo.items) - l.cargo.repeat; n > 0 {
		g.opts.Count(l.cargo.tag, Accepted, n)
	}
	g.setCookie(w, r, l.visitor.toSet())
	return true
}

// loading turns the events of one request into cargo.
type loading struct {
	stamps  event.Received // what all events of the request share
	visitor visitor
	cargo   cargo
	space   []byte // all cargo stands in it
	newID   func() string
}

func (g *Gateway) loading(r *http.Request, p *site, events, size int) *loading {
	agent := clip(r.UserAgent(), 512)
	origin := clip(r.Header.Get("Origin"), 256)
	l := &loading{visitor: g.visitorOf(r), newID: g.opts.NewMessageID}
	l.cargo = cargo{tag: p.name, items: make([]item, 0, events)}
	l.space = make([]byte, 0, size+events*(320+len(p.name)+len(agent)+len(origin)))
	l.stamps = event.Received{
		Pipeline: p.name, ReceivedAt: g.opts.Now().UTC(),
		IP: g.clientIP(r), UserAgent: agent, Origin: origin, Path: r.URL.Path,
		Browser: l.visitor.browser, GPC: r.Header.Get("Sec-GPC") == "1",
	}
	return l
}

// clip cuts a header that nobody needs whole. The cut may fall into a
// character, which the encoder mends.
func clip(s string, limit int) string {
	return s[:min(len(s), limit)]
}

// addAll loads the events of a batch and gives those that cannot be kept.
func (l *loading) addAll(events [][]byte) (bad []rejected) {
	shared := l.stamps.SentAt
	for i, raw := range events {
		if len(raw) > event.MaxBytes {
			bad = append(bad, rejected{i, "EVENT_TOO_LARGE", eventTooLarge.message})
			continue
		}
		head, err := event.Admit(raw, "")
		if err != nil {
			no := refusalOf(err)
			bad = append(bad, rejected{i, no.code, no.message})
			continue
		}
		l.stamps.SentAt = shared
		l.add(head, raw)
	}
	return bad
}

// add stamps one admitted event and takes it on board.
func (l *loading) add(head event.Head, raw []byte) {
	s := &l.stamps
	s.Body, s.Type = raw, head.Type
	s.AnonymousID = l.visitor.idOf(head.AnonymousID)
	if !head.SentAt.IsZero() {
		s.SentAt = head.SentAt
	}
	it := item{keyed: head.MessageID != ""}
	s.MessageID = head.MessageID
	if it.keyed {
		it.key = seenKey(s.Pipeline, s.MessageID)
	} else {
		s.MessageID = l.newID()
	}
	start := len(l.space)
	space, err := s.Append(l.space)
	if err != nil {
		panic("ingest: stamps that are no JSON: " + err.Error()) // text and sane times only
	}
	// When space has to grow, what was on board before stays where it was.
	l.space = space
	it.bytes = space[start:len(space):len(space)]
	l.cargo.items = append(l.cargo.items, it)
}
