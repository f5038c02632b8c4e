package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// count writes n with thousands separators.
func count[N ~int | ~int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	var parts []string
	for len(s) > 3 {
		parts = append([]string{s[len(s)-3:]}, parts...)
		s = s[:len(s)-3]
	}
	return sign + strings.Join(append([]string{s}, parts...), ",")
}

// some writes a number with its noun: "1 event", "1,284 events".
func some[N ~int | ~int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// took writes how long one try took.
func took(ms int64) string {
	switch {
	case ms < 10_000:
		return count(ms) + " ms"
	default:
		return age(time.Duration(ms) * time.Millisecond)
	}
}

// age writes a duration in its largest unit, rounded down, as people say it.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", max(d.Milliseconds(), 0))
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// since writes the time from one instant to a later one on the stages' line.
func since(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return ""
	}
	return "+" + took(max(to.Sub(from).Milliseconds(), 0))
}

// size writes a number of bytes.
func size(n int) string {
	switch {
	case n < 1000:
		return some(n, "byte")
	case n < 1_000_000:
		return fmt.Sprintf("%.1f KB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// share writes a part of a whole, or "" when there is no whole.
func share(part, whole int64) string {
	if whole <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// short cuts an id to what people recognise it by.
func short(id string) string {
	if utf8.RuneCountInString(id) <= 12 {
		return id
	}
	if head, _, ok := strings.Cut(id, "-"); ok && len(head) == 8 {
		return head
	}
	return string([]rune(id)[:12]) + "…"
}

// upper makes the first letter a capital.
func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// status writes an HTTP status with its name.
func status(code int) string {
	if name := http.StatusText(code); name != "" {
		return fmt.Sprintf("%d %s", code, name)
	}
	return strconv.Itoa(code)
}

// initials gives one or two letters for the round sign of a person.
func initials(name string) string {
	var out []rune
	for _, w := range strings.Fields(name) {
		r, _ := utf8.DecodeRuneInString(w)
		out = append(out, unicode.ToUpper(r))
	}
	if len(out) > 2 {
		out = []rune{out[0], out[len(out)-1]}
	}
	return string(out)
}

const clock = "15:04:05.000"

// utc is the form of a time element's attribute.
func utc(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
