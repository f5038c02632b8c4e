package mapping

import "testing"

const context = `"context":{"page":{"url":"https://example.com/checkout"},"locale":"en-GB","consent":{"canonical":{"essential":true,"marketing":true}}}`

// The three shapes of shopping events: BenchmarkRun is the mapping's share of
// the way of an event.
func BenchmarkRun(b *testing.B) {
	events := []struct{ name, body string }{
		{"order of one product", `{"type":"track","event":"Order Completed","anonymousId":"a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d",
			"properties":{"order_id":"DRV1534XC","revenue":11.70,"currency":"USD","products":[{"product_id":"M-1","name":"Mug","category":"kitchen","price":11.70,"quantity":1}]},` + context + `}`},
		{"order without products", `{"type":"track","event":"Order Completed","anonymousId":"a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d",
			"properties":{"order_id":"DRV1534XC","revenue":11.70,"currency":"USD"},` + context + `}`},
		{"product viewed", `{"type":"track","event":"Product Viewed","anonymousId":"a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d",
			"properties":{"product_id":"SKU-A","product_name":"Widget","category":"Hardware","price":49.99},` + context + `}`},
		{"cart with its sum", `{"type":"track","event":"Cart Viewed","anonymousId":"a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d",
			"properties":{"currency":"EUR","products":[{"product_id":"M-1","name":"Mug","category":"kitchen","price":29.90,"quantity":2},{"product_id":"T-9","name":"Tea","price":24.90}]},` + context + `}`},
		{"page", `{"type":"page","anonymousId":"a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d",` + context + `}`},
	}
	p := retail(b)
	for _, e := range events {
		in := Input{Event: received(b, e.body)}
		b.Run(e.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := p.Run(in); r.Stop != "" {
					b.Fatal(r.Stop)
				}
			}
		})
	}
}
