package ingest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/datafly/signal/event"
)

// A body is the bytes of one request, in memory that is used again after free.
type body struct {
	bytes.Buffer
}

var (
	bodies  = sync.Pool{New: func() any { return new(body) }}
	gunzips = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

func (b *body) free() {
	if b.Cap() <= 64<<10 { // a large one would stay large for good
		b.Reset()
		bodies.Put(b)
	}
}

// hurry gives the client BodyTimeout to send its body. The bound holds from the
// first look at a request, since even one that is refused unread has its body
// drained by the server before the answer goes out.
func (g *Gateway) hurry(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		return
	}
	// A recorder in a test has no deadlines, which is no fault.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.opts.BodyTimeout))
}

// read takes the whole body in, decompressed. Memory is bounded by MaxBody
// whatever the client announces, and time by hurry. The caller frees what it
// gets.
func (g *Gateway) read(w http.ResponseWriter, r *http.Request) (*body, *refusal) {
	coding, ok := codingOf(r.Header)
	if !ok || !jsonMedia(r.Header.Values("Content-Type")) {
		return nil, &foreignMedia
	}
	if r.ContentLength > event.MaxBody {
		return nil, &bodyTooLarge
	}
	b := bodies.Get().(*body)
	raw := http.MaxBytesReader(w, r.Body, event.MaxBody)
	var err error
	if coding == "" {
		_, err = b.ReadFrom(raw)
	} else {
		err = b.gunzip(raw)
	}
	if err != nil {
		b.free()
		return nil, bodyRefusal(err, coding)
	}
	// Left in place the deadline would look like a client that is gone, and end
	// the request while it waits for the journal.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return b, nil
}

// errBomb is a body that grows past MaxBody when decompressed.
var errBomb = errors.New("more than a body may have")

func (b *body) gunzip(raw io.Reader) error {
	z := gunzips.Get().(*gzip.Reader)
	defer gunzips.Put(z)
	if err := z.Reset(raw); err != nil {
		return err
	}
	n, err := b.ReadFrom(io.LimitReader(z, event.MaxBody+1))
	if err == nil && n > event.MaxBody {
		return errBomb
	}
	return err
}

func bodyRefusal(err error, coding string) *refusal {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, errBomb):
		return &bodyTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &bodyTooSlow
	case coding != "":
		return &badGzip
	}
	return &bodyCut
}

// codingOf gives "gzip", or "" for a plain body; ok is false for another one.
func codingOf(h http.Header) (coding string, ok bool) {
	switch values := h["Content-Encoding"]; {
	case len(values) == 0:
		return "", true
	case len(values) > 1:
		return "", false
	default:
		coding = strings.ToLower(strings.TrimSpace(values[0]))
	}
	switch coding {
	case "", "identity":
		return "", true
	case "gzip", "x-gzip":
		return "gzip", true
	}
	return "", false
}

// jsonMedia reports whether a Content-Type is one that events come in. A
// missing one is taken: sendBeacon with a Blob of no type sends none.
func jsonMedia(values []string) bool {
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return true
	}
	if len(values) > 1 {
		return false
	}
	switch values[0] { // what browsers and the stock clients send, without a parse
	case "application/json", "text/plain", "text/plain;charset=UTF-8", "application/json; charset=utf-8", "application/json;charset=UTF-8":
		return true
	}
	media, params, err := mime.ParseMediaType(values[0])
	if err != nil || media != "application/json" && media != "text/plain" {
		return false
	}
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return true
	}
	return false
}
