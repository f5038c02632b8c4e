package lpsim

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Summary is a visitor in one line of a list.
type Summary struct {
	Account         string    `json:"account"`
	Sub             string    `json:"sub"`
	Name            string    `json:"name"`
	Last            string    `json:"last"` // the last thing known, in words
	LastAt          time.Time `json:"last_at"`
	Reports         int       `json:"reports"`
	SessionsCreated int       `json:"sessions_created"`
	Lints           int       `json:"lints"`

	Initials string `json:"-"`
}

// summaries gives the visitors heard of last, newest first, and how many there
// are. A limit of 0 gives all.
func (s *Sim) summaries(limit int) ([]Summary, int) {
	st := s.state
	st.mu.Lock()
	defer st.mu.Unlock()
	out := []Summary{}
	for e := st.order.Front(); e != nil && (limit == 0 || len(out) < limit); e = e.Next() {
		v := e.Value.(*visitor)
		out = append(out, Summary{
			Account: v.key.account, Sub: v.key.name, Name: nameOf(v.called, v.key.name), Initials: initials(v.called),
			Last: v.lastWords(), LastAt: v.last, Reports: v.reports, SessionsCreated: v.created, Lints: len(v.lints),
		})
	}
	return out, st.order.Len()
}

func nameOf(called, sub string) string {
	if called != "" {
		return called
	}
	return "Visitor " + short(sub, 8)
}

// initials gives at most two letters, or ? for a visitor without a name.
func initials(called string) string {
	words := strings.Fields(called)
	if len(words) == 0 {
		return "?"
	}
	if len(words) > 2 {
		words = []string{words[0], words[len(words)-1]}
	}
	var b strings.Builder
	for _, w := range words {
		r, _ := utf8.DecodeRuneInString(w)
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

func short(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

// lastWords says the last thing known of a visitor.
func (v *visitor) lastWords() string {
	var when time.Time
	words := "nothing reported yet"
	if n := len(v.history); n > 0 {
		e := v.history[n-1]
		doc, _ := parse(e.SDE)
		when, words = e.At, wordsFor(e.Type, doc)
	}
	if n := len(v.pages); n > 0 && v.pages[n-1].At.After(when) {
		words = "entered at " + pathOf(v.pages[n-1].URL)
	}
	return words
}

// wordsFor puts an attribute in a few words.
func wordsFor(kind string, n node) string {
	switch kind {
	case "purchase":
		return "purchase " + cmp.Or(money(n.get("total"), n.get("currency")), n.get("orderId").text)
	case "cart", "cartStatus":
		return "cart " + money(n.get("total"), n.get("currency"))
	case "prodView":
		return "viewed " + productName(n)
	case "searchInfo", "searchContent":
		return "searched " + quoted(n.get("keywords"))
	case "lead":
		return strings.TrimSuffix("lead, "+n.at("lead", "topic").text, ", ")
	case "service":
		return strings.TrimSuffix("service, "+n.at("service", "topic").text, ", ")
	case "error":
		return strings.TrimSuffix("error, "+n.at("error", "message").text, ", ")
	case "ctmrinfo":
		return strings.TrimSpace("customer " + cmp.Or(n.at("info", "customerId").text, n.at("info", "userName").text))
	case "mrktInfo":
		return strings.TrimSpace("came from " + cmp.Or(n.at("info", "affiliate").text, n.at("info", "campaignId").text, "a campaign"))
	case "personal":
		return "gave personal details"
	default:
		return kind
	}
}

func money(total, currency node) string {
	return strings.TrimSpace(currency.text + " " + amount(total))
}

// amount writes 29.9 as 29.90 and leaves other digits as they came.
func amount(n node) string {
	digits := n.words()
	if n.kind != '0' || strings.ContainsAny(digits, "eE") {
		return digits
	}
	switch _, fraction, _ := strings.Cut(digits, "."); len(fraction) {
	case 0:
		return digits + ".00"
	case 1:
		return digits + "0"
	default:
		return digits
	}
}

func productName(n node) string {
	var first node
	if products := n.get("products").items; len(products) > 0 {
		first = products[0].get("product")
	}
	return cmp.Or(first.get("name").text, first.get("sku").text, "a product")
}

func quoted(keywords node) string {
	var words []string
	for _, k := range keywords.items {
		words = append(words, "“"+k.text+"”")
	}
	return strings.Join(words, ", ")
}

func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return cmp.Or(u.EscapedPath(), "/")
}

// A pane is what the page shows of one visitor.
type pane struct {
	Visitor
	Name, Initials string
	Orders         []line
	Cart           *cartView
	Looked         []line
	Paths          string
	Leads          []line
	Services       []line
	Errors         []line
	Customer       []pair
	Received       []received
	ReceivedCount  int
	More           bool // of Received than are shown
}

type line struct {
	Text, Note string
	At         time.Time
	Again      bool // its id came before
}

type pair struct{ Label, Value string }

type cartView struct {
	At           time.Time
	Lines        []cartLine
	Items, Total string
}

type cartLine struct{ Name, SKU, Price, Quantity string }

type received struct {
	Seq    uint64
	What   string
	Status int
	Good   bool
	At     time.Time
}

// shownLines is how many lines of each list the page shows, newest first.
const shownLines = 20

func (s *Sim) pane(v Visitor, called string) *pane {
	p := &pane{Visitor: v, Name: nameOf(called, v.Sub), Initials: initials(called)}
	p.Orders = lines(v.Orders, func(n node) (string, string) {
		return cmp.Or(n.get("orderId").text, "without orderId"), money(n.get("total"), n.get("currency"))
	})
	p.Leads = lines(v.Leads, func(n node) (string, string) {
		l := n.get("lead")
		return cmp.Or(l.get("topic").text, "lead"), strings.Trim(l.get("leadId").text+" · "+money(l.get("value"), l.get("currency")), " ·")
	})
	p.Services = lines(v.Services, func(n node) (string, string) {
		x := n.get("service")
		return cmp.Or(x.get("topic").text, x.get("category").text, "service"), statusWord(x.get("status"))
	})
	p.Errors = lines(v.Errors, func(n node) (string, string) {
		x := n.get("error")
		return cmp.Or(x.get("message").text, "error"), x.get("code").text
	})
	p.Looked = looked(v)
	p.Cart = cartOf(v.Cart)
	p.Customer = customerOf(v)
	p.Paths = paths(v.Pages)
	s.receivedOf(p)
	return p
}

func lines(entries []Entry, words func(node) (text, note string)) []line {
	var out []line
	for _, e := range slices.Backward(entries) {
		if len(out) == shownLines {
			break
		}
		n, _ := parse(e.SDE)
		text, note := words(n)
		out = append(out, line{text, note, e.At, e.RepeatOf != 0})
	}
	return out
}

// looked lists products and searches together, newest first.
func looked(v Visitor) []line {
	all := slices.Concat(v.ProductsViewed, v.Searches)
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Compare(a.Request, b.Request) })
	return lines(all, func(n node) (string, string) {
		if n.get("keywords").there() {
			return "searched " + quoted(n.get("keywords")), ""
		}
		var sku string
		if products := n.get("products").items; len(products) > 0 {
			sku = products[0].at("product", "sku").text
		}
		return productName(n), sku
	})
}

func cartOf(e *Entry) *cartView {
	if e == nil {
		return nil
	}
	n, _ := parse(e.SDE)
	c := &cartView{At: e.At, Items: n.get("numItems").words(), Total: money(n.get("total"), n.get("currency"))}
	for _, p := range n.get("products").items {
		product := p.get("product")
		c.Lines = append(c.Lines, cartLine{
			Name: cmp.Or(product.get("name").text, product.get("sku").text, "a product"), SKU: product.get("sku").text,
			Price: amount(product.get("price")), Quantity: cmp.Or(p.get("quantity").words(), "1"),
		})
	}
	return c
}

var statusWords = []string{
	"complete", "in progress", "approved", "cancelled", "not approved", "reviewed", "missing details",
	"closed", "removed", "assigned", "waiting", "waiting for response", "pending", "resolved",
}

func statusWord(n node) string {
	if i, ok := n.integer(); ok && i >= 0 && int(i) < len(statusWords) {
		return statusWords[int(i)]
	}
	return ""
}

var channelWords = []string{"direct", "search", "social", "e-mail", "referral", "paid search", "display"}

// customerOf gathers what is known of the person.
func customerOf(v Visitor) []pair {
	var out []pair
	add := func(label, value string) {
		if p := (pair{label, value}); value != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if v.Customer != nil {
		n, _ := parse(v.Customer.SDE)
		info := n.get("info")
		for _, f := range [][2]string{
			{"Customer id", "customerId"}, {"Status", "cstatus"}, {"Type", "ctype"}, {"User name", "userName"},
			{"Company", "accountName"}, {"Branch", "companyBranch"}, {"Employees", "companySize"}, {"Role", "role"},
			{"Social id", "socialId"}, {"IMEI", "imei"}, {"Store", "storeNumber"}, {"Store zip", "storeZipCode"},
		} {
			add(f[0], info.get(f[1]).words())
		}
		add("Balance", money(info.get("balance"), info.get("currency")))
		add("Registered", date(info.get("registrationDate")))
		add("Last paid", date(info.get("lastPaymentDate")))
	}
	if v.Personal != nil {
		n, _ := parse(v.Personal.SDE)
		p := n.get("personal")
		for _, c := range p.get("contacts").items {
			add("E-mail", c.get("email").text)
			add("Phone", c.get("phone").text)
			add("Place", strings.Trim(c.at("address", "region").text+", "+c.at("address", "country").text, ", "))
		}
		add("Company", p.get("company").text)
		add("Gender", strings.ToLower(p.get("gender").text))
		add("Age", p.at("age", "age").words())
		add("Language", p.get("language").text)
	}
	if v.Marketing != nil {
		n, _ := parse(v.Marketing.SDE)
		info := n.get("info")
		if i, ok := info.get("channel").integer(); ok && i >= 0 && int(i) < len(channelWords) {
			add("Came by", channelWords[int(i)])
		} else {
			add("Came by", info.get("channel").words())
		}
		add("Affiliate", info.get("affiliate").text)
		add("Campaign", info.get("campaignId").text)
	}
	return out
}

func date(n node) string {
	if n.kind != '{' {
		return ""
	}
	pad := func(s string) string {
		if len(s) == 1 {
			return "0" + s
		}
		return s
	}
	return n.get("year").words() + "-" + pad(n.get("month").words()) + "-" + pad(n.get("day").words())
}

func paths(pages []page) string {
	if len(pages) > shownLines {
		pages = pages[len(pages)-shownLines:]
	}
	out := make([]string, 0, len(pages))
	for _, p := range pages {
		out = append(out, pathOf(p.URL))
	}
	return strings.Join(out, ", ")
}

// receivedOf lists the last reports of a visitor, refused ones as well.
func (s *Sim) receivedOf(p *pane) {
	records := s.log.pick(logFilter{name: p.Sub, account: p.Account})
	p.ReceivedCount = len(records)
	slices.Reverse(records)
	if len(records) > shownLines {
		records, p.More = records[:shownLines], true
	}
	for _, r := range records {
		p.Received = append(p.Received, received{
			Seq: r.seq, What: r.kindsOf(), Status: r.status, Good: r.status == 200 || r.status == 201, At: r.at,
		})
	}
}
