package event

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of the wire, product.md 4 and 11.
const (
	MaxBytes = 64 << 10 // one event, raw bytes as received
	MaxDepth = 32       // objects and lists inside each other, the event itself is 1
	MaxBatch = 500      // events in one POST
	MaxBody  = 512 << 10
	MaxID    = 256 // characters of a messageId or userId
	MaxAnon  = 128 // characters of an anonymousId
	MaxName  = 256 // characters of an event name
)

// ErrJSON means that the bytes are not one JSON object by RFC 8259 with our
// limits: duplicate keys, depth over MaxDepth, invalid UTF-8, \u0000, a number
// beyond the range of a double, or trailing data.
var ErrJSON = errors.New("not a JSON object that Signal takes")

// Invalid names every field of an event that is wrong, so that a person mends
// all at once.
type Invalid []string

// Error joins the faults in one line.
func (f Invalid) Error() string { return strings.Join(f, "; ") }

func (f *Invalid) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }
