package demo

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func lineLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

var testOptions = ShopOptions{
	GatewayURL: "http://127.0.0.1:8080/", PipelineKey: key,
	ConsoleURL: "http://127.0.0.1:8084/", SimulatorURL: "http://127.0.0.1:8089/",
}

// paths are one address of each kind of page.
var paths = []string{"/", "/c/mugs", "/c/linen", "/p/stoneware-mug", "/search", "/search?q=moss", "/search?q=nothing+like+it", "/cart", "/checkout", "/thanks", "/sign-in"}

func get(t *testing.T, h http.Handler, path string, cookies ...*http.Cookie) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPages(t *testing.T) {
	h := Shop(testOptions)
	titles := map[string]string{}
	for _, p := range paths {
		resp := get(t, h, p)
		page := body(t, resp)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: status %d, %s", p, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		for _, want := range []string{
			`<script async src="http://127.0.0.1:8080/d.js" data-pipeline-key="dk_test_demo"></script>`,
			`<a href="http://127.0.0.1:8084/">Console</a>`, `<a href="http://127.0.0.1:8089/">What LivePerson knows</a>`,
			`lang="en"`, `class="skip"`, "Only necessary", "Save choice", "Allow all", "Change consent",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("%s has no %s", p, want)
			}
		}
		if n := strings.Count(page, "<h1"); n != 1 {
			t.Errorf("%s has %d h1", p, n)
		}
		title := regexp.MustCompile(`<title>(.*)</title>`).FindString(page)
		if was, ok := titles[title]; ok {
			t.Errorf("%s and %s have the title %s", p, was, title)
		}
		titles[title] = p
	}
}

// The policy allows no inline script or style, so a page must have none, and
// nothing may come from elsewhere.
func TestPagesKeepToThePolicy(t *testing.T) {
	h := Shop(testOptions)
	inline := regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)
	outside := regexp.MustCompile(`(?:src|href|action)="(https?://[^"]*)"`)
	id := regexp.MustCompile(`\sid="([^"]*)"`)
	for _, p := range append([]string{"/no/such"}, paths...) {
		resp := get(t, h, p)
		page := body(t, resp)
		policy := resp.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self' http://127.0.0.1:8080;") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", p, policy)
		}
		if m := inline.FindString(page); m != "" {
			t.Errorf("%s: inline script or style: %q", p, m)
		}
		for _, m := range outside.FindAllStringSubmatch(page, -1) {
			if u, err := url.Parse(m[1]); err != nil || u.Hostname() != "127.0.0.1" {
				t.Errorf("%s: takes something from %s", p, m[1])
			}
		}
		seen := map[string]bool{}
		for _, m := range id.FindAllStringSubmatch(page, -1) {
			if seen[m[1]] {
				t.Errorf("%s: id %q is there twice", p, m[1])
			}
			seen[m[1]] = true
		}
	}
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	h := Shop(testOptions)
	link := regexp.MustCompile(`(?:src|href|action)="(/[^"]*)"`)
	seen := map[string]bool{"/currency": true} // is posted to
	queue := []string{"/"}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		if seen[p] {
			continue
		}
		seen[p] = true
		resp := get(t, h, p)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", p, resp.StatusCode)
		}
		for _, m := range link.FindAllStringSubmatch(body(t, resp), -1) {
			queue = append(queue, strings.ReplaceAll(m[1], "&amp;", "&"))
		}
	}
	if len(seen) < len(products)+len(categories)+5 {
		t.Errorf("only %d addresses were found from the home page", len(seen))
	}
}

func TestNotFound(t *testing.T) {
	h := Shop(testOptions)
	for _, p := range []string{"/c/cars", "/p/none", "/no/such", "/static/none.js"} {
		if resp := get(t, h, p); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", p, resp.StatusCode)
		}
	}
}

func TestSearchEscapesWhatWasTyped(t *testing.T) {
	page := body(t, get(t, Shop(testOptions), "/search?q="+url.QueryEscape(`"><script>alert(1)</script>`)))
	if strings.Contains(page, "<script>alert") || !strings.Contains(page, "Results for") {
		t.Error("the query stands in the page as markup")
	}
}

func TestFind(t *testing.T) {
	tests := []struct {
		name, query string
		want        string // SKUs
	}{
		{"a plural finds the singular", "apron", "L-2"},
		{"every word counts", "green tea", "M-1 T-8"},
		{"a word that is nowhere finds nothing", "moss zebra", ""},
		{"case does not matter", "SENCHA", "T-8"},
		{"spaces alone find nothing", "  ", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range find(tt.query) {
				got = append(got, p.SKU)
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("find(%q) = %q, want %q", tt.query, s, tt.want)
			}
		})
	}
}

func TestCatalogIsWhole(t *testing.T) {
	for _, p := range products {
		if drawings[p.SKU] == "" || p.EUR == 0 || p.USD == 0 || p.CategoryName() == "" || len(goesWith(p)) != len(p.With) {
			t.Errorf("product %s lacks a drawing, a price, a shelf or a neighbour", p.SKU)
		}
	}
}

func TestCurrency(t *testing.T) {
	h := Shop(testOptions)
	r := httptest.NewRequest(http.MethodPost, "/currency", strings.NewReader("currency=USD&back=%2Fp%2Fstoneware-mug%3Fa%3D1"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/p/stoneware-mug?a=1" || len(resp.Cookies()) != 1 {
		t.Fatalf("status %d to %q with %v", resp.StatusCode, resp.Header.Get("Location"), resp.Cookies())
	}
	if page := body(t, get(t, h, "/p/stoneware-mug", resp.Cookies()[0])); !strings.Contains(page, "$32.50") || !strings.Contains(page, `data-currency="USD"`) {
		t.Error("the price is not in dollars")
	}
	if page := body(t, get(t, h, "/p/stoneware-mug")); !strings.Contains(page, "€29.90") {
		t.Error("the price is not in euros")
	}
}

func TestRedirectsStayInTheShop(t *testing.T) {
	for back, want := range map[string]string{
		"/cart": "/cart", "": "/", "https://example.com/": "/", "//example.com": "/", `/\example.com`: "/", "cart": "/", "/a/../..//example.com": "/example.com",
	} {
		if got := localPath(back); got != want {
			t.Errorf("localPath(%q) = %q, want %q", back, got, want)
		}
	}
}

func TestOutcomes(t *testing.T) {
	o := testOptions
	var asked []string
	o.Outcomes = func(_ context.Context, ids []string) map[string]Outcome {
		asked = ids
		return map[string]Outcome{"a": {Outcome: "filtered", Reason: "consent: marketing is not granted"}, "b": {Outcome: "delivered", Status: 200}}
	}
	resp := get(t, Shop(o), "/demo/outcomes?ids=a,b,a,,c,"+strings.Repeat("x", maxID+1))
	if strings.Join(asked, " ") != "a b c" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("asked for %q, cache %q", asked, resp.Header.Get("Cache-Control"))
	}
	var got struct{ Outcomes map[string]Outcome }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Outcomes["b"].Status != 200 || got.Outcomes["a"].Reason == "" || len(got.Outcomes) != 2 {
		t.Errorf("outcomes = %+v", got.Outcomes)
	}
	if s := body(t, get(t, Shop(testOptions), "/demo/outcomes?ids=a")); s != "{\"outcomes\":{}}\n" {
		t.Errorf("without a source: %q", s)
	}
	if n := len(askedFor(strings.Repeat("y", 3) + strings.Join(make([]string, 10), ",z"))); n > maxAsked {
		t.Errorf("%d ids were let through", n)
	}
}

func TestStaticFilesAreCachedByContent(t *testing.T) {
	h := Shop(testOptions)
	page := body(t, get(t, h, "/"))
	css := regexp.MustCompile(`/static/shop\.css\?[0-9a-f]{16}`).FindString(page)
	if css == "" {
		t.Fatal("the page names no stylesheet with a digest")
	}
	resp := get(t, h, css)
	if resp.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/css") {
		t.Errorf("%s: %v", css, resp.Header)
	}
	if resp := get(t, h, "/static/cart.js"); resp.Header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("cart.js: %v", resp.Header)
	}
}

func TestAShopWithoutNeighbours(t *testing.T) {
	resp := get(t, Shop(ShopOptions{}), "/")
	page := body(t, resp)
	if strings.Contains(page, "d.js") || strings.Contains(page, "What LivePerson knows") || strings.Contains(resp.Header.Get("Content-Security-Policy"), "http") {
		t.Error("the page names neighbours that it does not have")
	}
}
