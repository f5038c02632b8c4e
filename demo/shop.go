// Package demo is what a person sees who runs `signal demo`: Kettle & Pine, a
// small shop that uses the collector as a customer would, and Shoppers, who
// visit it without a browser.
//
// It is a customer of Signal and stands outside of it: the shop's pages talk to
// the gateway over HTTP from the browser, the shoppers over HTTP from here.
// Nothing is sold, and nothing that a person types leaves the browser but
// through the events that the panel "What this page sent" shows.
package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// ShopOptions say where the shop's neighbours are. The zero value serves the
// pages without a collector.
type ShopOptions struct {
	GatewayURL   string // where d.js comes from, such as http://127.0.0.1:8080
	PipelineKey  string // public; stands in the page
	ConsoleURL   string // of the link in the dark line; "" leaves it out
	SimulatorURL string // of the link "What LivePerson knows"; "" leaves it out

	// Outcomes looks up how events ended, by message id, for the panel "What
	// this page sent". An id that is not known is left out of the answer. It is
	// called about once a second for each open page; nil shows every event as
	// on its way.
	Outcomes func(ctx context.Context, messageIDs []string) map[string]Outcome

	Log *slog.Logger // nil discards
}

// An Outcome is how one event ended, as the shop's panel shows it.
type Outcome struct {
	Outcome string `json:"outcome"`          // pending, delivered, carried, filtered, dead
	Reason  string `json:"reason,omitempty"` // of filtered and dead
	Status  int    `json:"status,omitempty"` // the vendor's HTTP status, 0 when nothing was sent
}

//go:embed templates static
var files embed.FS

type shop struct {
	opts    ShopOptions
	log     *slog.Logger
	pages   map[string]*template.Template
	static  map[string]asset
	gateway string // origin, for the policy
}

type asset struct {
	body []byte
	kind string
	etag string
}

// Shop serves the sample shop. It is safe for many goroutines and keeps
// nothing: cart, sign-in and consent live in the visitor's browser.
func Shop(o ShopOptions) http.Handler {
	s := &shop{opts: o, log: o.Log, gateway: origin(o.GatewayURL)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.opts.GatewayURL = strings.TrimRight(o.GatewayURL, "/")
	s.loadStatic()
	s.loadPages()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /c/{category}", s.category)
	mux.HandleFunc("GET /p/{slug}", s.product)
	mux.HandleFunc("GET /search", s.search)
	mux.HandleFunc("GET /cart", s.plain("cart", "Your cart"))
	mux.HandleFunc("GET /checkout", s.plain("checkout", "Checkout"))
	mux.HandleFunc("GET /thanks", s.plain("thanks", "Thank you"))
	mux.HandleFunc("GET /sign-in", s.plain("signin", "Sign in"))
	mux.HandleFunc("POST /currency", s.setCurrency)
	mux.HandleFunc("GET /demo/outcomes", s.outcomes)
	mux.HandleFunc("GET /static/{file}", s.file)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.static["icon.svg"].url("icon.svg"), http.StatusFound)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("/", s.notFound)
	return s.secure(mux)
}

// secure puts the headers of a careful shop on every answer. The policy allows
// no inline script or style; the gateway is the one other origin.
func (s *shop) secure(next http.Handler) http.Handler {
	others := ""
	if s.gateway != "" {
		others = " " + s.gateway
	}
	policy := "default-src 'none'; script-src 'self'" + others + "; style-src 'self'; img-src 'self' data:" + others +
		"; connect-src 'self'" + others + "; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
		next.ServeHTTP(w, r)
	})
}

// view is what a page's template reads.
type view struct {
	Title       string
	Page        string // the template's name; the scripts go by it
	Opts        ShopOptions
	Currency    string
	Path        string // for coming back after a change of currency
	Categories  []Category
	Category    Category
	Product     Product
	Products    []Product // of the list, or all for the lines of the cart
	Query       string
	Here        string // slug of the category whose link is current
	Gateway     bool
	StaticFiles map[string]string // file → address with its digest
}

func (s *shop) view(r *http.Request, page, title string) view {
	files := make(map[string]string, len(s.static))
	for name, a := range s.static {
		files[strings.ReplaceAll(name, ".", "_")] = a.url(name)
	}
	return view{
		Title: title, Page: page, Opts: s.opts, Currency: currency(r), Path: r.URL.RequestURI(),
		Categories: categories, Gateway: s.gateway != "", StaticFiles: files,
	}
}

func (s *shop) home(w http.ResponseWriter, r *http.Request) {
	v := s.view(r, "home", "Mugs, tea and kettles")
	v.Products = products
	s.render(w, r, http.StatusOK, v)
}

func (s *shop) category(w http.ResponseWriter, r *http.Request) {
	c, ok := categoryBySlug(r.PathValue("category"))
	if !ok {
		s.notFound(w, r)
		return
	}
	v := s.view(r, "category", c.Name)
	v.Category, v.Here, v.Products = c, c.Slug, inCategory(c.Slug)
	s.render(w, r, http.StatusOK, v)
}

func (s *shop) product(w http.ResponseWriter, r *http.Request) {
	p, ok := productBySlug(r.PathValue("slug"))
	if !ok {
		s.notFound(w, r)
		return
	}
	v := s.view(r, "product", p.Name)
	v.Product, v.Here, v.Products = p, p.Category, goesWith(p)
	v.Category, _ = categoryBySlug(p.Category)
	s.render(w, r, http.StatusOK, v)
}

func (s *shop) search(w http.ResponseWriter, r *http.Request) {
	v := s.view(r, "search", "Search")
	v.Query = clip(strings.TrimSpace(r.URL.Query().Get("q")), 80)
	if v.Query != "" {
		v.Title = "Search: " + v.Query
		v.Products = find(v.Query)
	}
	s.render(w, r, http.StatusOK, v)
}

// plain serves a page whose content is made in the browser from the cart; it
// has every product's picture at hand.
func (s *shop) plain(page, title string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := s.view(r, page, title)
		v.Products = products
		s.render(w, r, http.StatusOK, v)
	}
}

func (s *shop) notFound(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "no such page", http.StatusNotFound)
		return
	}
	v := s.view(r, "notfound", "Not here")
	v.Products = products[:4]
	s.render(w, r, http.StatusNotFound, v)
}

func (s *shop) render(w http.ResponseWriter, r *http.Request, status int, v view) {
	var b bytes.Buffer
	if err := s.pages[v.Page].ExecuteTemplate(&b, "layout", v); err != nil {
		s.log.Error("shop page not rendered", "page", v.Page, "error", err)
		http.Error(w, "this page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store") // the currency is in a cookie
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // the visitor left; there is nobody to tell
	}
}

const currencyCookie = "kp_currency"

func currency(r *http.Request) string {
	if c, err := r.Cookie(currencyCookie); err == nil && c.Value == "USD" {
		return "USD"
	}
	return "EUR"
}

func (s *shop) setCurrency(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	want := "EUR"
	if r.FormValue("currency") == "USD" {
		want = "USD"
	}
	//nolint:gosec // Not Secure on purpose: the demo is plain HTTP on loopback, and this is a currency.
	http.SetCookie(w, &http.Cookie{
		Name: currencyCookie, Value: want, Path: "/", MaxAge: int((30 * 24 * time.Hour).Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, r, localPath(r.FormValue("back")), http.StatusSeeOther) //nolint:gosec // localPath keeps it inside the shop.
}

// localPath keeps a redirect inside the shop.
func localPath(p string) string {
	u, err := url.Parse(p)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(p, `\`) {
		return "/"
	}
	return (&url.URL{Path: path.Clean(u.Path), RawQuery: u.RawQuery}).String()
}

func (s *shop) file(w http.ResponseWriter, r *http.Request) {
	a, ok := s.static[r.PathValue("file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("ETag", a.etag)
	cache := "no-cache"
	if r.URL.RawQuery != "" { // the address names the content
		cache = "public, max-age=31536000, immutable"
	}
	w.Header().Set("Cache-Control", cache)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}

// loadStatic reads the embedded files; they are part of the program, so a fault
// is the program's.
func (s *shop) loadStatic() {
	s.static = map[string]asset{}
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		panic("demo: embedded files: " + err.Error())
	}
	for _, e := range entries {
		b, err := files.ReadFile("static/" + e.Name())
		if err != nil {
			panic("demo: embedded files: " + err.Error())
		}
		kind := mime.TypeByExtension(path.Ext(e.Name()))
		if path.Ext(e.Name()) == ".js" { // the machine's own table may say otherwise
			kind = "text/javascript; charset=utf-8"
		}
		sum := sha256.Sum256(b)
		s.static[e.Name()] = asset{body: b, kind: kind, etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
}

func (a asset) url(name string) string {
	return "/static/" + name + "?" + strings.Trim(a.etag, `"`)
}

// loadPages makes one set of templates a page: its own file between the layout
// and the shared parts.
func (s *shop) loadPages() {
	funcs := template.FuncMap{"picture": picture, "price": price, "number": number, "line": line}
	shared := template.Must(template.New("").Funcs(funcs).ParseFS(files, "templates/layout.html", "templates/parts.html"))
	s.pages = map[string]*template.Template{}
	for _, page := range []string{"home", "category", "product", "search", "cart", "checkout", "thanks", "signin", "notfound"} {
		set := template.Must(shared.Clone())
		s.pages[page] = template.Must(set.ParseFS(files, "templates/"+page+".html"))
	}
}

// line hands a product with its currency to a shared part.
func line(p Product, currency string) map[string]any {
	return map[string]any{"P": p, "Currency": currency}
}

// price writes an amount as the page shows it: €29.90.
func price(p Product, currency string) string {
	if currency == "USD" {
		return "$" + number(p.USD)
	}
	return "€" + number(p.EUR)
}

// number writes cents with two decimals.
func number(cents int) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
