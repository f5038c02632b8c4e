package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
)

// plan is one visit: five to fifteen events on the pages of the shop, in the
// order in which a person meets them. The cart is settled while planning; the
// answer to the banner and the sign-in happen on the way.
func (p *person) plan(r *rand.Rand, shop string) []stop {
	t := &tour{p: p, r: r, shop: shop}
	t.arrive()
	if !p.answered && p.answer != neverAnswers {
		t.last().after = func() { p.answered = true }
	}
	if r.IntN(100) < 30 {
		t.search()
	} else {
		t.shelf()
	}
	for looks := 1 + r.IntN(3); looks > 0 && t.events() < 7; looks-- {
		t.look()
	}
	if p.userID == "" && t.events() < 8 && r.IntN(100) < 30 {
		t.signIn()
	}
	if t.events() < 9 && r.IntN(100) < 20 {
		t.lead()
	}
	if len(p.cart) > 0 && r.IntN(100) < 85 {
		t.cart()
		if r.IntN(100) < 60 {
			t.checkout()
			if r.IntN(100) < 75 {
				t.order()
			}
		}
	}
	for t.events() < 5 {
		t.shelf()
	}
	return t.stops
}

// tour collects the stops of one visit.
type tour struct {
	p     *person
	r     *rand.Rand
	shop  string
	stops []stop
}

func (t *tour) last() *stop { return &t.stops[len(t.stops)-1] }

func (t *tour) events() int {
	n := 0
	for _, s := range t.stops {
		n += len(s.events)
	}
	return n
}

// page goes to an address, which sends a page view and then the given events.
func (t *tour) page(path, title string, then ...sent) {
	s := stop{url: t.shop + path, title: title + " · Kettle & Pine"}
	if len(t.stops) > 0 {
		s.referrer = t.last().url
	}
	s.events = append([]sent{{kind: "page", properties: map[string]any{"title": s.title}}}, then...)
	t.stops = append(t.stops, s)
}

func track(name string, properties map[string]any) sent {
	return sent{kind: "track", name: name, properties: properties}
}

func (t *tour) arrive() {
	if t.r.IntN(100) >= 35 {
		t.page("/", "Mugs, tea and kettles")
		t.last().referrer = referrers[t.r.IntN(len(referrers))]
		return
	}
	c := campaigns[t.r.IntN(len(campaigns))]
	q := url.Values{}
	for _, k := range []string{"source", "medium", "name", "term", "content"} {
		if v, ok := c[k].(string); ok {
			q.Set("utm_"+strings.Replace(k, "name", "campaign", 1), v)
		}
	}
	t.page("/?"+q.Encode(), "Mugs, tea and kettles")
	t.last().campaign = c
}

func (t *tour) shelf() {
	c := categories[t.r.IntN(len(categories))]
	t.page("/c/"+c.Slug, c.Name)
}

func (t *tour) search() {
	q := searches[t.r.IntN(len(searches))]
	t.page("/search?q="+url.QueryEscape(q), "Search: "+q,
		track("Products Searched", map[string]any{"query": q, "results": len(find(q))}))
}

// look views a product and puts it into the cart now and then; the shop tells
// the cart as it stands when something is added.
func (t *tour) look() {
	p := products[t.r.IntN(len(products))]
	t.page("/p/"+p.Slug, p.Name, track("Product Viewed", map[string]any{
		"product_id": p.SKU, "product_name": p.Name, "category": p.CategoryName(),
		"price": amount(p.In(t.p.currency)), "currency": t.p.currency,
	}))
	if t.r.IntN(100) < 45 {
		t.p.add(p, 1+t.r.IntN(2))
		t.last().events = append(t.last().events, track("Cart Viewed", t.p.cartProperties()))
	}
}

func (t *tour) cart() {
	t.page("/cart", "Your cart", track("Cart Viewed", t.p.cartProperties()))
}

func (t *tour) checkout() {
	t.page("/checkout", "Checkout", track("Checkout Started", t.p.cartProperties()))
}

func (t *tour) order() {
	shipping := 0
	goods := t.p.goods()
	if goods < 5000 {
		shipping = 490
	}
	t.page("/thanks", "Thank you", track("Order Completed", map[string]any{
		"order_id": fmt.Sprintf("KP-%08X", t.r.Uint32()), "revenue": amount(goods + shipping), "shipping": amount(shipping),
		"currency": t.p.currency, "products": t.p.cartProducts(),
	}))
	t.p.cart = nil
}

func (t *tour) lead() {
	at := t.last()
	at.events = append(at.events, track("Lead Generated", map[string]any{
		"lead_id": fmt.Sprintf("NL-%06X", t.r.Uint32N(1<<24)), "topic": leadTopic[t.r.IntN(len(leadTopic))],
	}))
}

func (t *tour) signIn() {
	p := t.p
	id := fmt.Sprintf("KP%06d", t.r.IntN(1_000_000))
	t.page("/sign-in", "Sign in", sent{kind: "identify", traits: map[string]any{
		"firstName": p.first, "lastName": p.last, "email": p.email, "status": "active",
		"tier": []string{"regular", "regular", "gold"}[t.r.IntN(3)],
	}})
	t.last().before = func() { p.userID = id }
}

func (p *person) add(what Product, quantity int) {
	for i := range p.cart {
		if p.cart[i].product.SKU == what.SKU {
			p.cart[i].quantity = min(9, p.cart[i].quantity+quantity)
			return
		}
	}
	p.cart = append(p.cart, cartLine{what, quantity})
}

func (p *person) goods() int {
	sum := 0
	for _, l := range p.cart {
		sum += l.product.In(p.currency) * l.quantity
	}
	return sum
}

func (p *person) cartProducts() []any {
	var out []any
	for _, l := range p.cart {
		out = append(out, map[string]any{
			"product_id": l.product.SKU, "name": l.product.Name, "category": l.product.CategoryName(),
			"price": amount(l.product.In(p.currency)), "quantity": l.quantity,
		})
	}
	return out
}

func (p *person) cartProperties() map[string]any {
	return map[string]any{"total": amount(p.goods()), "currency": p.currency, "products": p.cartProducts()}
}

// amount is a number in whole units with two decimals, exact.
func amount(cents int) json.Number { return json.Number(number(cents)) }
