package ingest

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"

	"github.com/datafly/signal/store"
)

// A site is what the gateway needs of a pipeline.
type site struct {
	name    string
	origins map[string]bool // nil means any
}

// sites are all pipelines. It is never written to after it is made.
type sites struct {
	byKey  map[[sha256.Size]byte]*site // by digest, so that the time of a look-up says nothing of a key
	listed map[string]bool             // the origins of all pipelines
	open   bool                        // a pipeline takes any origin
}

// newSites also names the pipelines that no key leads to: those without one,
// and those whose key another has already.
func newSites(pipelines []store.Pipeline) (s *sites, clashes []string) {
	s = &sites{byKey: make(map[[sha256.Size]byte]*site, len(pipelines)), listed: map[string]bool{}}
	for _, p := range pipelines {
		digest := sha256.Sum256([]byte(p.Key))
		if s.byKey[digest] != nil || p.Key == "" {
			clashes = append(clashes, p.Name)
			continue
		}
		one := &site{name: p.Name}
		if len(p.AllowedOrigins) > 0 && !slices.Contains(p.AllowedOrigins, "*") {
			one.origins = make(map[string]bool, len(p.AllowedOrigins))
			for _, o := range p.AllowedOrigins {
				one.origins[foldOrigin(o)] = true
				s.listed[foldOrigin(o)] = true
			}
		}
		s.open = s.open || one.origins == nil
		s.byKey[digest] = one
	}
	return s, clashes
}

// of gives the pipeline of a key, or nil.
func (s *sites) of(key string) *site {
	if key == "" || len(key) > maxKey {
		return nil
	}
	return s.byKey[sha256.Sum256([]byte(key))]
}

// maxKey bounds what is hashed for a stranger.
const maxKey = 256

// foldOrigin gives the form in which two spellings of an origin are the same:
// lower case, without a closing slash or the port that is the scheme's own.
func foldOrigin(o string) string {
	o = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(o)), "/")
	if rest, ok := strings.CutSuffix(o, ":443"); ok && strings.HasPrefix(o, "https://") {
		return rest
	}
	if rest, ok := strings.CutSuffix(o, ":80"); ok && strings.HasPrefix(o, "http://") {
		return rest
	}
	return o
}

// allow writes the CORS headers of an answer to a call of this pipeline and
// reports whether the origin may call. A call without Origin may.
func (s *site) allow(h http.Header, origin string) bool {
	if origin == "" {
		return true
	}
	return cors(h, origin, s.origins[foldOrigin(origin)], s.origins == nil)
}

// allowAny writes the CORS headers of an answer whose pipeline is not known: a
// preflight has no key, nor has a call with a wrong one.
func (s *sites) allowAny(h http.Header, origin string) bool {
	h.Set("Vary", "Origin")
	if origin == "" {
		return true
	}
	return cors(h, origin, s.listed[foldOrigin(origin)], s.open)
}

// cors lets a listed origin read the answer with credentials, and where any
// origin is taken, everyone without. A refused origin gets no header: its page
// cannot read the answer, its developer sees it in the network panel.
func cors(h http.Header, origin string, listed, open bool) bool {
	switch {
	case listed:
		h["Access-Control-Allow-Origin"] = []string{origin}
		h["Access-Control-Allow-Credentials"] = allowTrue
	case open:
		h["Access-Control-Allow-Origin"] = allowAll
		delete(h, "Access-Control-Allow-Credentials")
	default:
		delete(h, "Access-Control-Allow-Origin")
		delete(h, "Access-Control-Allow-Credentials")
		return false
	}
	h["Access-Control-Expose-Headers"] = exposed
	return true
}

var (
	allowTrue = []string{"true"}
	allowAll  = []string{"*"}
	exposed   = []string{"Retry-After"}
)

// preflight answers for the union of all pipelines' origins, since a preflight
// carries no key. The call itself is judged by its own pipeline.
func (g *Gateway) preflight(w http.ResponseWriter, r *http.Request, allow string) {
	h := w.Header()
	h.Set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	if h.Get("Access-Control-Allow-Origin") == "" {
		g.opts.Count("", foreignOrigin.code, 1)
		refuse(w, foreignOrigin)
		return
	}
	h.Set("Allow", allow)
	h.Set("Access-Control-Allow-Methods", allow)
	// Stock clients send headers of their own, such as AnonymousId. None gives
	// a call more rights, so each is let through that is asked for.
	if asked := strings.Join(r.Header.Values("Access-Control-Request-Headers"), ", "); asked != "" && len(asked) <= 1024 {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", "7200") // the most that Chrome keeps
	w.WriteHeader(http.StatusNoContent)
}
