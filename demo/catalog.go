package demo

import (
	"slices"
	"strings"
)

// A Category is one shelf of the shop.
type Category struct {
	Slug, Name, Intro string
}

// A Product is one thing on a shelf. Prices are in cents.
type Product struct {
	SKU, Slug, Name string
	Category        string // slug
	Kind            string // the second step of the breadcrumb
	EUR, USD        int
	Text            string
	Notes           []string // small lines below the button
	With            []string // SKUs that go well with it
}

var categories = []Category{
	{"mugs", "Mugs", "Thrown, glazed and fired two streets from here."},
	{"tea", "Tea", "Loose leaves in tins that close with a sigh."},
	{"kettles", "Kettles", "For the stove, the table and the long Sunday."},
	{"linen", "Kitchen linen", "Washed soft, woven to be used."},
}

var (
	pottery = []string{"Leaves our pottery in two days", "30 days to send it back"}
	stocked = []string{"In stock, leaves us tomorrow", "30 days to send it back"}
)

var products = []Product{
	{SKU: "M-1", Slug: "stoneware-mug", Name: "Stoneware mug", Category: "mugs", Kind: "Stoneware", EUR: 2990, USD: 3250, Notes: pottery, With: []string{"T-9", "K-2", "K-4", "L-1"},
		Text: "Thrown by hand and glazed in moss green. Holds 350 ml and keeps tea warm for a good half hour. No two are the same."},
	{SKU: "M-2", Slug: "espresso-cup", Name: "Espresso cup", Category: "mugs", Kind: "Stoneware", EUR: 1640, USD: 1790, Notes: pottery, With: []string{"M-1", "K-2", "L-1", "T-9"},
		Text: "Small, thick and slow to cool. Holds 80 ml, fits under every machine that we have tried."},
	{SKU: "M-3", Slug: "enamel-mug", Name: "Enamel mug", Category: "mugs", Kind: "Enamel", EUR: 1850, USD: 1990, Notes: stocked, With: []string{"T-7", "K-1", "L-2", "M-1"},
		Text: "Steel under white enamel, with a rim in pine. Survives the camp fire, the sink and the drop in between."},
	{SKU: "T-9", Slug: "breakfast-tea", Name: "Breakfast tea", Category: "tea", Kind: "Black", EUR: 1290, USD: 1390, Notes: stocked, With: []string{"M-1", "K-4", "T-8", "L-1"},
		Text: "Assam with a little Ceylon, strong enough for milk. 100 g of whole leaf, about forty cups."},
	{SKU: "T-8", Slug: "spring-sencha", Name: "Spring sencha", Category: "tea", Kind: "Green", EUR: 1640, USD: 1790, Notes: stocked, With: []string{"K-4", "M-2", "T-9", "L-2"},
		Text: "First picking, steamed and rolled the same day. Grassy and bright. Best at 70 °C, not a degree more."},
	{SKU: "T-7", Slug: "mint-and-pine", Name: "Mint & pine", Category: "tea", Kind: "Herbal", EUR: 1170, USD: 1270, Notes: stocked, With: []string{"M-3", "K-1", "M-1", "L-1"},
		Text: "Peppermint and young pine tips from the hill behind the shop. No caffeine, a very clear head."},
	{SKU: "K-1", Slug: "stove-kettle", Name: "Stove kettle", Category: "kettles", Kind: "Stove", EUR: 7900, USD: 8600, Notes: stocked, With: []string{"T-9", "M-3", "M-1", "L-2"},
		Text: "Two litres in rust red enamel, with a handle that stays cool. Works on gas, induction and fire."},
	{SKU: "K-2", Slug: "pour-over-kettle", Name: "Pour-over kettle", Category: "kettles", Kind: "Stove", EUR: 8950, USD: 9750, Notes: stocked, With: []string{"M-2", "M-1", "T-8", "L-1"},
		Text: "A long thin neck for a slow steady pour. One litre, slate enamel outside, steel inside, handle of oiled ash."},
	{SKU: "K-4", Slug: "moss-teapot", Name: "Moss teapot", Category: "kettles", Kind: "Teapots", EUR: 6400, USD: 6950, Notes: pottery, With: []string{"T-9", "T-8", "M-1", "L-1"},
		Text: "Four cups, one strainer, and a spout that does not drip. The glaze is the one of our stoneware mug."},
	{SKU: "L-1", Slug: "linen-towel", Name: "Linen towel", Category: "linen", Kind: "Towels", EUR: 1450, USD: 1580, Notes: stocked, With: []string{"L-2", "L-3", "M-1", "K-4"},
		Text: "Half linen, half cotton, 50 by 70 cm, with two stripes in moss. Dries glasses without a trace."},
	{SKU: "L-2", Slug: "linen-apron", Name: "Linen apron", Category: "linen", Kind: "Aprons", EUR: 4800, USD: 5200, Notes: stocked, With: []string{"L-1", "L-3", "M-3", "K-1"},
		Text: "Heavy linen the colour of wet slate, one pocket, long strings to tie in front."},
	{SKU: "L-3", Slug: "oven-glove", Name: "Oven glove", Category: "linen", Kind: "Gloves", EUR: 2200, USD: 2390, Notes: stocked, With: []string{"L-1", "L-2", "K-1", "M-3"},
		Text: "Quilted in three layers and long enough for the back of the oven. Fits either hand."},
}

// CategoryName is the name that the events carry.
func (p Product) CategoryName() string {
	c, _ := categoryBySlug(p.Category)
	return c.Name
}

// In gives the price in cents.
func (p Product) In(currency string) int {
	if currency == "USD" {
		return p.USD
	}
	return p.EUR
}

func categoryBySlug(slug string) (Category, bool) {
	i := slices.IndexFunc(categories, func(c Category) bool { return c.Slug == slug })
	if i < 0 {
		return Category{}, false
	}
	return categories[i], true
}

func productBySlug(slug string) (Product, bool) {
	i := slices.IndexFunc(products, func(p Product) bool { return p.Slug == slug })
	if i < 0 {
		return Product{}, false
	}
	return products[i], true
}

func inCategory(slug string) []Product {
	var out []Product
	for _, p := range products {
		if p.Category == slug {
			out = append(out, p)
		}
	}
	return out
}

func goesWith(p Product) []Product {
	var out []Product
	for _, sku := range p.With {
		if i := slices.IndexFunc(products, func(q Product) bool { return q.SKU == sku }); i >= 0 {
			out = append(out, products[i])
		}
	}
	return out
}

// find gives the products that have every word of the query somewhere.
func find(query string) []Product {
	var out []Product
	words := strings.Fields(strings.ToLower(query))
	for _, p := range products {
		text := strings.ToLower(strings.Join([]string{p.Name, p.CategoryName(), p.Kind, p.Text}, " "))
		if len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, stem(w)) }) {
			out = append(out, p)
		}
	}
	return out
}

// stem takes a plural's s off, so that "mugs" finds a mug.
func stem(word string) string {
	if len(word) > 3 {
		return strings.TrimSuffix(word, "s")
	}
	return word
}
