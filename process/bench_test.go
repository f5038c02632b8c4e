package process

import (
	"testing"
	"time"

	"github.com/datafly/signal/event"
	"github.com/datafly/signal/store"
)

// BenchmarkWork takes one order from the bytes of the journal through
// governance and mapping to the encoded report item.
func BenchmarkWork(b *testing.B) {
	p := testPipeline(b, nil)
	body := []byte(order("ann", 12))
	r := event.Received{Pipeline: "shop", Type: event.Track, AnonymousID: "ann", MessageID: "m", ReceivedAt: time.Now(), Body: body}
	raw, err := r.Append(nil)
	if err != nil {
		b.Fatal(err)
	}
	visitor := &store.Visitor{}
	salt := []byte("salt")
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		r, err := event.ParseReceived(raw)
		if err != nil {
			b.Fatal(err)
		}
		w := &Work{Pipeline: p, Received: r, Visitor: visitor}
		if w.Event, err = event.Decode(r); err != nil {
			b.Fatal(err)
		}
		w.Run(salt)
		if buf, err = w.Routes[0].Item.Append(buf[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
