package integrations

import (
	"context"
	"encoding/json"
	"time"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/event"
)

// A Paced connection says how fast its vendor may be called. A Connection that
// is not Paced takes delivery's defaults.
type Paced interface {
	// Rate gives the requests per second, with a burst of the same number, and
	// how many requests may be in flight at once. Both are above 0.
	Rate() (perSecond float64, concurrency int)
}

// A Batcher says which items may travel together. delivery asks it before
// Build; a Connection that is no Batcher takes all items that it is given.
type Batcher interface {
	// Batch gives how many of the leading items go into one request: at least
	// 1 unless items is empty. It is pure.
	Batch(items []Item) int
}

// A Preparer is a Connection that needs more of an event than what a mapping
// writes: a signed token, or the ids of the vendor's own tag on the page.
type Preparer interface {
	// Extract gives what it needs of the event, for Item.Extra; nil for
	// nothing. It is pure, and runs after governance.
	Extract(e *event.Event) json.RawMessage

	// Prepare makes an item ready for Build. delivery calls it once for each
	// item, before the first try. It may block on I/O until ctx ends. A reason
	// ends the item as filtered; an error means that it cannot say at the
	// moment, so that the visitor's lane waits and asks again.
	Prepare(ctx context.Context, item Item) (ready Item, reason string, err error)
}

// A Reformer is a Connection that knows more than one form of a request.
type Reformer interface {
	// BuildAs is Build in the form that a Reform named, for one report.
	BuildAs(form string, visit Visit, items []Item) Built
}

// A Splitter is a Connection whose items may have several parts.
type Splitter interface {
	// Split gives an item for each part of item, in order; one or none means
	// that there is nothing to split. It is pure.
	Split(item Item) []Item
}

// A Learner is a Connection that finds out by itself how its vendor's service
// wants to be spoken to. Send learns, and Build goes by what was learned.
type Learner interface {
	// Learned gives what is known by now. It is cheap.
	Learned() Learned
	// Restore takes back the State of an earlier run. A state that it cannot
	// read is an error, and the connection learns anew.
	Restore(state json.RawMessage) error
	// Forget lets it find out anew.
	Forget()
}

// Learned is what a Learner found out.
type Learned struct {
	Version uint64          `json:"-"` // grows with each change
	State   json.RawMessage `json:"-"` // for the store
	Facts   []Fact          `json:"facts"`
}

// A Fact is one thing that was learned, or is not known yet.
type Fact struct {
	Name  string    `json:"name"`           // "form", "pages alone", "own ids", "domain"
	Value string    `json:"value"`          // "liveperson"; empty while not known
	Say   string    `json:"say"`            // a whole sentence: what it means
	Since time.Time `json:"since,omitzero"` // when it was learned
	From  string    `json:"from,omitempty"` // message id of the event that taught it
}

// A Tended connection has something to do beside single tries, such as
// following its vendor's domain.
type Tended interface {
	// Tend works until ctx ends, and then returns. It logs nothing; what it
	// finds shows in Learned.
	Tend(ctx context.Context)
}

// A Scheduled connection tries again sooner or later than others at first.
type Scheduled interface {
	// Pauses are the waits after the first failed tries, in order. Of the
	// schedule of all vendors, what is longer follows.
	Pauses() []time.Duration
}

// A Diagnoser is a Connection that can look for what stands behind a failure.
type Diagnoser interface {
	// Diagnose gives what it found out about the cause of r. It may block on
	// I/O until ctx ends. It is asked once for each pause and probe.
	Diagnose(ctx context.Context, r attempt.Result) []attempt.Check
}

// A Warner is a Connection whose settings work and are still not what its
// vendor advises.
type Warner interface {
	// Warnings gives whole sentences for a person, none when all is well.
	Warnings() []string
}

// A Secretive vendor has settings that are never shown. They may be written as
// env:NAME or file:PATH.
type Secretive interface {
	// Secrets are their dotted paths, such as "basic.password"; "headers.*"
	// stands for every name below headers.
	Secrets() []string
}

// A Listed vendor names its presets.
type Listed interface {
	// Presets are the names that Preset knows; the first is to begin with.
	Presets() []string
}
