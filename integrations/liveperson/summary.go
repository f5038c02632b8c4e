package liveperson

import (
	"net/url"
	"strconv"
	"strings"
)

// summary says in a few words what a report holds, for the lists of the Event
// Debugger: "purchase · USD 11.70 · DRV1534XC", or the path of a page.
func summary(f *form, sdes []sde, points []string) string {
	switch len(sdes) {
	case 0:
		return pages(points)
	case 1:
		return strings.Join(append([]string{f.wire(sdes[0].name)}, details(&sdes[0])...), " · ")
	}
	var names []string
	count := map[string]int{}
	for i := range sdes {
		name := f.wire(sdes[i].name)
		if count[name]++; count[name] == 1 {
			names = append(names, name)
		}
	}
	for i, name := range names {
		if n := count[name]; n > 1 {
			names[i] += " ×" + strconv.Itoa(n)
		}
	}
	return strings.Join(names, ", ")
}

// pages gives the path of the last page, and how many came before it. Other
// entry points, such as sec://, are no pages.
func pages(points []string) string {
	path, n := "", 0
	for _, p := range points {
		if u, err := url.Parse(p); err == nil && strings.HasPrefix(u.Scheme, "http") {
			path = u.Path
			n++
		}
	}
	if n == 0 {
		return ""
	}
	if path == "" {
		path = "/"
	}
	if more := n - 1; more > 0 {
		return short(path) + " and " + strconv.Itoa(more) + " before"
	}
	return short(path)
}

// details are the fields of one SDE that a person looks for, those that are
// there.
func details(s *sde) []string {
	var out []string
	add := func(text string) {
		if text != "" {
			out = append(out, short(text))
		}
	}
	switch s.name {
	case "purchase":
		add(money(s))
		add(s.show("orderId"))
	case "cartStatus":
		add(money(s))
		add(items(s.show("numItems")))
	case "prodView":
		add(either(s.show("name"), s.show("sku")))
	case "lead":
		add(either(s.show("topic"), s.show("leadId")))
	case "searchContent":
		if words := s.show("keywords"); words != "" {
			out = append(out, "“"+short(words)+"”")
		}
	case "service":
		add(either(s.show("topic"), s.show("serviceId")))
	case "error":
		add(either(s.show("code"), s.show("contextId")))
	}
	return out
}

// money gives the total with its currency. One decimal reads as two: 84.7 is
// shown as 84.70.
func money(s *sde) string {
	total := s.show("total")
	if i := strings.IndexByte(total, '.'); i >= 0 && i == len(total)-2 {
		total += "0"
	}
	return strings.TrimSpace(s.show("currency") + " " + total)
}

func items(n string) string {
	switch n {
	case "":
		return ""
	case "1":
		return "1 item"
	}
	return n + " items"
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// short cuts a text to what a list has room for.
func short(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
