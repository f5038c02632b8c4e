package lpsim

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// A Lint is something LivePerson would take but a careful client would not
// send. One is kept for each code and visitor, with how often it was seen.
type Lint struct {
	Code    string    `json:"code"`
	Account string    `json:"account,omitempty"`
	Visitor string    `json:"visitor,omitempty"` // as in /_sim/visitors/{sub}
	Title   string    `json:"title"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`      // first seen
	LastAt  time.Time `json:"last_at"` // last seen
	Count   int       `json:"count"`
	Request uint64    `json:"request"` // the request it was first seen in
}

// A remark is a lint before it is known whose it is.
type remark struct{ code, title, text string }

func (c *call) remark(code, title, format string, args ...any) {
	c.remarks = append(c.remarks, remark{code, title, fmt.Sprintf(format, args...)})
}

// remarkCall looks over a call whose body is right.
func (s *Sim) remarkCall(c *call) {
	if c.form == reference && c.query.obh.value != "true" {
		c.remark("obh_not_true", "obh is not true.",
			"LivePerson takes the place of our server for the visitor's place.")
	}
	remarkIdentity(c)
	for i := range c.attrs {
		remarkAttribute(c, &c.attrs[i])
	}
}

func remarkIdentity(c *call) {
	for _, id := range append([]string{c.who.consumerID, c.who.sub}, c.who.others...) {
		if id == "" {
			continue
		}
		if strings.Contains(id, "@") || all(id, func(b byte) bool { return isDigit(b) || strings.IndexByte("+-() .", b) >= 0 }) {
			c.remark("guessable_sub", "The identity can be guessed.",
				"A sub or consumerId must not be an e-mail address, a phone number or a running number. A UUID or a salted hash is right.")
			return
		}
	}
}

func remarkAttribute(c *call, a *attribute) {
	n := a.node
	switch a.kind {
	case "purchase":
		if n.get("orderId").text == "" {
			c.remark("purchase_without_order_id", "purchase without orderId.",
				"If the report is sent twice, LivePerson cannot see that it is the same order.")
		}
		remarkLines(c, n.get("cart").get("numItems"), n.get("total"), n.at("cart", "products"))
	case "cart", "cartStatus":
		remarkLines(c, n.get("numItems"), n.get("total"), n.get("products"))
	case "lead":
		if n.at("lead", "leadId").text == "" {
			c.remark("lead_without_lead_id", "lead without leadId.",
				"If the report is sent twice, LivePerson counts two leads.")
		}
	case "service":
		if n.at("service", "serviceId").text == "" {
			c.remark("service_without_service_id", "service without serviceId.",
				"If the report is sent twice, LivePerson counts two activities.")
		}
	case "ctmrinfo":
		remarkCustomer(c, n.get("info"))
	}
	if c.form == seed && (a.kind == "cart" || a.kind == "searchInfo") {
		c.remark("mixed_form", "Two forms mixed.",
			"%s is LivePerson's own name, but the report came as a plain POST, where the name is %s.",
			a.kind, map[string]string{"cart": "cartStatus", "searchInfo": "searchContent"}[a.kind])
	}
	for _, holder := range []node{n, n.get("info"), n.get("lead")} {
		if cur := holder.get("currency"); cur.there() && !isCurrency(cur.text) {
			c.remark("currency_form", "Unusual currency.",
				"A currency is three capital letters, such as EUR. LivePerson does not say what it does with anything else.")
		}
	}
}

func remarkCustomer(c *call, info node) {
	if info.get("customerId").there() && c.who.acr != "loa1" {
		c.remark("customer_id_without_loa1", "customerId without loa1.",
			"The customer's id came with an identity that is not authenticated. LivePerson takes it, agents may not see it.")
	}
	if c.who.acr == "loa1" && (info.get("storeZipCode").there() || info.get("storeNumber").there()) {
		c.remark("store_field_with_loa1", "Store fields with loa1.",
			"storeZipCode and storeNumber are not supported for an authenticated visitor.")
	}
}

// remarkLines compares what is said of a cart with its lines.
func remarkLines(c *call, numItems, total, lines node) {
	if len(lines.items) == 0 {
		return
	}
	var items, sum float64
	priced := true
	for _, line := range lines.items {
		quantity := 1.0
		if q, ok := line.get("quantity").number(); ok {
			quantity = q
		}
		price, ok := line.at("product", "price").number()
		priced = priced && ok
		items += quantity
		sum += price * quantity
	}
	if said, ok := numItems.number(); ok && said != items {
		c.remark("num_items_differs", "numItems differs from the lines.",
			"It says %s, the quantities of the lines make %g.", numItems.words(), items)
	}
	if said, ok := total.number(); ok && priced && math.Abs(said-sum) > 0.005 {
		c.remark("total_differs", "total differs from the lines.",
			"It says %s, price by quantity makes %.2f. A discount or postage explains that.", total.words(), sum)
	}
}

func isCurrency(s string) bool { return len(s) == 3 && all(s, isUpper) }
