package ingest

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/datafly/signal/event"
)

// A refusal is an answer other than 200. Its message names fields and limits,
// never what a person sent.
type refusal struct {
	status  int
	code    string
	message string
}

// The refusals that are the same every time.
var (
	unknownKey = refusal{http.StatusUnauthorized, "INVALID_PIPELINE_KEY",
		"the pipeline key is missing or not known: send it as Bearer token, as Basic user name, as wk in the query, or as writeKey in the body"}
	foreignOrigin = refusal{http.StatusForbidden, "ORIGIN_NOT_ALLOWED",
		"this origin is not among the pipeline's allowed origins: add it to allowed_origins"}
	bodyTooLarge = refusal{http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE",
		"a body may have " + strconv.Itoa(event.MaxBody>>10) + " KiB, before and after decompression"}
	eventTooLarge = refusal{http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE",
		"an event may have " + strconv.Itoa(event.MaxBytes>>10) + " KiB"}
	batchTooLong = refusal{http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE",
		"a batch may have " + strconv.Itoa(event.MaxBatch) + " events"}
	bodyTooSlow = refusal{http.StatusRequestTimeout, "REQUEST_TIMEOUT",
		"the body did not arrive in time: send it again"}
	bodyCut = refusal{http.StatusBadRequest, "INVALID_JSON",
		"the body ended before its announced length"}
	badGzip = refusal{http.StatusBadRequest, "INVALID_JSON",
		"the body is not the gzip that Content-Encoding says it is"}
	foreignMedia = refusal{http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE",
		"send application/json or text/plain in UTF-8, plain or with Content-Encoding: gzip"}
	notDurable = refusal{http.StatusServiceUnavailable, "NOT_DURABLE",
		"the events could not be stored: send them again"}
)

// retryAfter is in seconds, for 503. Shorter brings the crowd back before a
// full disk is seen to.
const retryAfter = "5"

// refusalOf words what Admit and SplitBatch found wrong.
func refusalOf(err error) refusal {
	if errors.Is(err, event.ErrJSON) {
		return refusal{http.StatusBadRequest, "INVALID_JSON", err.Error()}
	}
	return refusal{http.StatusBadRequest, "INVALID_EVENT", err.Error()}
}

// failure is the JSON form of a refusal. Rejected is there when a whole batch
// was refused event by event.
type failure struct {
	Error    fault      `json:"error"`
	Rejected []rejected `json:"rejected,omitempty"`
}

type fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// rejected names one event of a batch that was not kept.
type rejected struct {
	Index   int    `json:"index"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func refuse(w http.ResponseWriter, r refusal, of ...rejected) {
	body, err := json.Marshal(failure{fault{r.code, r.message}, of})
	if err != nil {
		panic("ingest: a refusal that is no JSON: " + err.Error()) // it holds text and numbers only
	}
	answer(w, r.status, body)
}

func answer(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone misses its answer
}

// Header values that are the same in every answer, made once.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
	noSniff  = []string{"nosniff"}
)

// limitedLog writes at most one line a second, so that a full disk does not
// fill itself with complaints.
type limitedLog struct {
	log  *slog.Logger
	last atomic.Int64
}

func (l *limitedLog) error(now time.Time, msg string, args ...any) {
	last := l.last.Load()
	if now.UnixNano()-last >= int64(time.Second) && l.last.CompareAndSwap(last, now.UnixNano()) {
		l.log.Error(msg, args...) //nolint:sloglint // each caller's message is a constant
	}
}
