// Package web draws the pages of the console over the operations of
// console/desk. Pages are rendered on the server and work without script, but
// for live updates; a few ES modules add those. There is no inline script and
// no inline style, so that the content security policy can forbid both.
//
// It holds no state. Who may do what is decided by the operation, and personal
// data is masked there, before it reaches a page.
package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/a-h/templ"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
)

// policy forbids everything that a page does not need; a text of an event that
// found its way into a page as markup could still do nothing.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

type site struct {
	desk *desk.Desk
	auth *auth.Auth
}

// New makes the handler of the pages and of what they load.
func New(d *desk.Desk, who *auth.Auth) http.Handler {
	s := &site{d, who}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sign-in", s.signIn)
	mux.HandleFunc("POST /sign-in", s.signInPost)
	mux.HandleFunc("POST /sign-out", s.signOut)
	mux.HandleFunc("GET /setup/{token}", s.setup)
	mux.HandleFunc("POST /setup/{token}", s.setupPost)
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request, auth.Actor) error{
		"GET /{$}":                               s.overview,
		"GET /debugger":                          s.debugger,
		"GET /debugger/{id}":                     s.debugger,
		"GET /integrations":                      s.integrations,
		"GET /integrations/{pipeline}/{name...}": s.integration,
		"POST /integrations/resume":              s.resume,
		"POST /integrations/learn-again":         s.learnAgain,
		"GET /pipelines":                         s.pipelines,
		"GET /pipelines/{id}":                    s.pipeline,
		"GET /dead-letters":                      s.dead,
		"GET /dead-letters/{id}":                 s.letter,
		"GET /dead-letters/confirm":              s.confirm,
		"POST /dead-letters/act":                 s.act,
		"GET /dead-letters/replays/{id}":         s.replayJob,
		"POST /dead-letters/replays/{id}/go":     s.replayGo,
		"POST /dead-letters/replays/{id}/stop":   s.replayStop,
		"GET /consent":                           s.consent,
		"GET /settings":                          s.settings,
		"/":                                      s.missing,
	} {
		mux.HandleFunc(pattern, s.page(h))
	}
	pages := who.Wrap(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if name, ok := strings.CutPrefix(r.URL.Path, "/static/"); ok {
			static(w, r, name)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		pages.ServeHTTP(w, r)
	})
}

// page lets in who is signed in and words the errors of operations.
func (s *site) page(h func(http.ResponseWriter, *http.Request, auth.Actor) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who := auth.From(r.Context())
		if !who.Known() {
			to := "/sign-in"
			if r.Method == http.MethodGet && r.URL.Path != "/" {
				to += "?to=" + url.QueryEscape(r.URL.RequestURI())
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
		if err := h(w, r, who); err != nil {
			s.broke(w, r, who, err)
		}
	}
}

func (s *site) broke(w http.ResponseWriter, r *http.Request, who auth.Actor, err error) {
	f := s.frame(r, who, "", "")
	switch {
	case errors.Is(err, desk.ErrRole):
		f.Title = "Not allowed"
		render(w, r, http.StatusForbidden, message(f, err.Error(), admins(s.desk.Admins(r.Context())), "/", "Back to Overview"))
	case errors.Is(err, desk.ErrNotFound):
		f.Title = "Not found"
		render(w, r, http.StatusNotFound, message(f, "Not found", err.Error(), "/", "Back to Overview"))
	case errors.Is(err, desk.ErrInvalid), errors.Is(err, desk.ErrAbsent), errors.Is(err, desk.ErrFile):
		f.Title = "That did not work"
		render(w, r, http.StatusBadRequest, message(f, "That did not work", err.Error(), "/", "Back to Overview"))
	default:
		if r.Context().Err() != nil {
			return
		}
		s.desk.Log().Error("a page broke", "path", r.URL.Path, "error", err)
		f.Title = "This page could not be made"
		render(w, r, http.StatusInternalServerError, message(f, "This page could not be made", "The log of the server has the reason.", r.URL.RequestURI(), "Try again"))
	}
}

func (s *site) missing(w http.ResponseWriter, r *http.Request, who auth.Actor) error {
	f := s.frame(r, who, "Not found", "")
	render(w, r, http.StatusNotFound, message(f, "There is no page "+r.URL.Path+".", "The address may be old, or have a typing error.", "/", "Back to Overview"))
	return nil
}

// frame fills in what stands around a page. Counts that cannot be read are left
// out: the page itself will say so.
func (s *site) frame(r *http.Request, who auth.Actor, title, section string) frame {
	f := frame{Title: title, Section: section, Who: who, Pipeline: r.URL.Query().Get("pipeline")}
	all, _ := s.desk.Pipelines(who)
	at := func(name string) string {
		to, q := sectionPath(section), url.Values{}
		if section == "debugger" || section == "overview" || section == "dead-letters" {
			q = r.URL.Query()
			for _, k := range []string{"cursor", "part", "done", "did", "integration"} {
				q.Del(k)
			}
		}
		q.Del("pipeline")
		if name != "" {
			q.Set("pipeline", name)
		}
		return address(to, q)
	}
	f.Switch = []choice{{Label: "All pipelines", Href: at(""), On: f.Pipeline == ""}}
	for _, p := range all {
		f.Switch = append(f.Switch, choice{Label: p.Name, Href: at(p.Name), On: p.Name == f.Pipeline, Tag: liveOrTest(p.Test)})
		if p.Name == f.Pipeline {
			f.Test = p.Test
		}
	}
	f.Dead, _ = s.desk.CountDead(r.Context(), who, desk.DeadQuery{Pipeline: f.Pipeline})
	return f
}

func address(to string, q url.Values) string {
	if len(q) == 0 {
		return to
	}
	return to + "?" + q.Encode()
}

func sectionPath(section string) string {
	if section == "overview" || section == "" {
		return "/"
	}
	return "/" + section
}

// sections are those of the left column; the chosen pipeline goes along.
func sections(pipeline string) []section {
	out := []section{
		{"overview", "Overview", ""}, {"debugger", "Event Debugger", ""}, {"integrations", "Integrations", ""},
		{"pipelines", "Pipelines", ""}, {"dead-letters", "Dead letters", ""}, {"consent", "Consent", ""}, {"settings", "Settings", ""},
	}
	for i := range out {
		q := url.Values{}
		if pipeline != "" {
			q.Set("pipeline", pipeline)
		}
		out[i].Href = address(sectionPath(out[i].Key), q)
	}
	return out
}

type shortcut struct {
	Keys []string
	Does string
}

var keys = []shortcut{
	{[]string{"/"}, "search"},
	{[]string{"g", "o"}, "Overview; d Event Debugger, i Integrations, p Pipelines, l Dead letters, c Consent, s Settings"},
	{[]string{"p"}, "pause the live list"},
	{[]string{"j", "k"}, "next, previous event"},
	{[]string{"Enter"}, "open the first event"},
	{[]string{"1", "…", "5"}, "open a stage"},
	{[]string{"c"}, "copy the request as curl"},
	{[]string{"r"}, "replay a dead event"},
	{[]string{"v"}, "the events of this visitor"},
	{[]string{"f"}, "filters"},
	{[]string{"o"}, "only this outcome"},
	{[]string{"t"}, "charts as numbers"},
	{[]string{"Esc"}, "close"},
}

// render writes a page whole or not at all, so that a fault is never half a page.
func render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) {
	var b bytes.Buffer
	if err := c.Render(context.WithoutCancel(r.Context()), &b); err != nil {
		http.Error(w, "This page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Add("Vary", "Accept-Encoding")
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(status)
		_, _ = w.Write(b.Bytes())
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z := gzip.NewWriter(w)
	_, _ = z.Write(b.Bytes())
	_ = z.Close()
}

//go:embed static
var files embed.FS

type file struct {
	body, packed []byte
	tag, kind    string
}

// assets are the embedded files with their hashes and packed forms.
var assets = sync.OnceValue(func() map[string]file {
	out := map[string]file{}
	err := fs.WalkDir(files, "static", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		_, _ = z.Write(body)
		_ = z.Close()
		sum := sha256.Sum256(body)
		kind := mime.TypeByExtension(path.Ext(name))
		if path.Ext(name) == ".js" {
			kind = "text/javascript; charset=utf-8"
		}
		out[strings.TrimPrefix(name, "static/")] = file{body, packed.Bytes(), hex.EncodeToString(sum[:6]), kind}
		return nil
	})
	if err != nil {
		panic("web: embedded files: " + err.Error())
	}
	return out
})

// asset is the address of an embedded file. It changes with the file, so that
// browsers may keep it for good.
func asset(name string) string { return "/static/" + name + "?v=" + assets()[name].tag }

func static(w http.ResponseWriter, r *http.Request, name string) {
	f, ok := assets()[name]
	if !ok || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("ETag", `"`+f.tag+`"`)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	// Modules import each other without a version, so only the versioned
	// address is kept for good.
	if r.URL.Query().Get("v") == f.tag {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if r.Header.Get("If-None-Match") == `"`+f.tag+`"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.body
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.packed
	}
	_, _ = w.Write(body)
}
