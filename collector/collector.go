// Package collector holds datafly.js, the script that sites load, and serves
// it. The source is datafly.js; browsers get dist/datafly.min.js, which
// go generate makes of it and a test compares.
//
// The script sends events to the gateway (package ingest). It promises never to
// throw into the page, to keep the order of calls, and to hold at most 1,000
// events while the gateway cannot be reached. They are in memory: a page that
// is closed while the gateway is down loses what the browser's beacon does not
// bring through.
package collector

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
)

//go:generate go run ./internal/bundle/generate

//go:embed dist/datafly.min.js
var script []byte

// Script is the text of datafly.js as browsers get it. The caller must not
// write to it.
func Script() []byte { return script }

// Handler serves the script, gzipped for those who take it, with an ETag and
// for one hour: a new version of Signal reaches every page within that time,
// and a page that is opened meanwhile waits for nothing.
func Handler() http.Handler {
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err == nil {
		_, _ = z.Write(script) // a buffer takes everything
		err = z.Close()
	}
	if err != nil {
		panic("collector: gzip into memory: " + err.Error())
	}
	sum := sha256.Sum256(script)
	tag := hex.EncodeToString(sum[:8])
	plain := variant{script, `"` + tag + `"`, ""}
	small := variant{zipped.Bytes(), `"` + tag + `-gz"`, "gzip"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if takesGzip(r.Header.Values("Accept-Encoding")) {
			small.serve(w, r)
			return
		}
		plain.serve(w, r)
	})
}

// variant is the script in one coding.
type variant struct {
	body   []byte
	etag   string
	coding string
}

func (v variant) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", v.etag)
	h.Set("Cache-Control", "public, max-age=3600, stale-while-revalidate=86400")
	h.Set("Vary", "Accept-Encoding")
	// Any page may load it, as a module too, and under an embedder policy.
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	if matches(r.Header.Get("If-None-Match"), v.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(v.body)))
	if v.coding != "" {
		h.Set("Content-Encoding", v.coding)
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(v.body) // a browser that is gone misses it
	}
}

func matches(list, etag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == etag {
			return true
		}
	}
	return false
}

// takesGzip reads Accept-Encoding; a weight of zero refuses.
func takesGzip(lines []string) bool {
	for coding := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if name = strings.TrimSpace(name); !strings.EqualFold(name, "gzip") && name != "*" {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimPrefix(strings.ReplaceAll(weight, " ", ""), "q="), 64)
		return err != nil || q > 0
	}
	return false
}
