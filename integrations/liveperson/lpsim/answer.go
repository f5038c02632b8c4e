package lpsim

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// An answer is what a call gets.
type answer struct {
	status     int
	code       int // internalCode, when coded
	coded      bool
	body       []byte
	kind       string // content type, when not the usual one
	allow      string
	retryAfter string
	location   string
	close      bool // cut the connection instead of answering
	truncate   bool
}

// refuse is the error answer of all checks.
func refuse(at time.Time, status, code int, message string) *answer {
	b := append(make([]byte, 0, 96), `{"time":`...)
	b = strconv.AppendInt(b, at.UnixMilli(), 10)
	b = append(b, `,"message":`...)
	b = quote(b, message)
	b = append(b, `,"internalCode":`...)
	b = strconv.AppendInt(b, int64(code), 10)
	return &answer{status: status, code: code, coded: true, body: append(b, '}')}
}

func (c *call) invalid(what string) *answer { return refuse(c.at, 400, 5, what) }

// bare is an answer without a body, as the Domain API gives.
func bare(status int) *answer { return &answer{status: status} }

func (s *Sim) write(w http.ResponseWriter, a *answer) {
	if a.close {
		cut(w)
		return
	}
	h := w.Header()
	switch {
	case a.kind != "":
		h["Content-Type"] = []string{a.kind}
	case len(a.body) == 0:
		h["Content-Type"] = nil // and nothing is guessed
	default:
		h["Content-Type"] = s.usual
	}
	for _, pair := range [...][2]string{{"Allow", a.allow}, {"Retry-After", a.retryAfter}, {"Location", a.location}} {
		if pair[1] != "" {
			h[pair[0]] = []string{pair[1]}
		}
	}
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		w.WriteHeader(a.status)
		return
	}
	if !s.o.Chunked || a.truncate {
		h["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	}
	w.WriteHeader(a.status)
	if a.truncate {
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		hangUp(w, false)
		return
	}
	if s.o.Chunked { // a flush before the end keeps the server from counting
		_ = http.NewResponseController(w).Flush()
	}
	_, _ = w.Write(a.body) // a client that left needs no answer
}

// cut ends the connection without a further byte, and with a reset where the
// system allows it.
func cut(w http.ResponseWriter) { hangUp(w, true) }

// hangUp ends the connection. Without reset, what was sent arrives.
func hangUp(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2: the server resets the stream
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// pause waits, or until the client left.
func pause(r *http.Request, ms int) {
	if ms <= 0 {
		return
	}
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}
