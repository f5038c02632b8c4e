package lpsim

import (
	"net/url"
	"strings"
)

// A query is what the address of a call says behind its question mark.
type query struct {
	v, vid, sid, obh param
	wrong            string // first name that is unknown, twice there, or cannot be read
}

// A param is one parameter: its first value, and how often it was there.
type param struct {
	value string
	times int
}

func readQuery(raw string) query {
	var q query
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		q.add(name, value)
	}
	return q
}

func (q *query) add(name, value string) {
	if plain, err := unescape(name); err == nil {
		name = plain
	}
	p := q.param(name)
	value, err := unescape(value)
	if p == nil || err != nil {
		q.blame(name)
		return
	}
	if p.times++; p.times > 1 {
		q.blame(name)
	}
	if p.times == 1 || p == &q.obh && !isBool(value) { // of two, the one that is wrong
		p.value = value
	}
}

func isBool(s string) bool { return s == "true" || s == "false" }

func (q *query) blame(name string) {
	if q.wrong == "" {
		q.wrong = name
	}
}

func (q *query) param(name string) *param {
	switch name {
	case "v":
		return &q.v
	case "vid":
		return &q.vid
	case "sid":
		return &q.sid
	case "obh":
		return &q.obh
	default:
		return nil
	}
}

func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	return url.QueryUnescape(s)
}
