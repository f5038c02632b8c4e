package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/datafly/signal/auth"
)

func (s *site) gateView(r *http.Request) gateView {
	return gateView{Host: r.Host, Version: s.desk.Version(), To: local(r.FormValue("to"))}
}

func (s *site) signIn(w http.ResponseWriter, r *http.Request) {
	if auth.From(r.Context()).Known() {
		http.Redirect(w, r, local(r.FormValue("to")), http.StatusSeeOther) //nolint:gosec // local keeps it on the console
		return
	}
	v := s.gateView(r)
	has, err := s.desk.HasUsers(r.Context())
	v.First = err == nil && !has
	render(w, r, http.StatusOK, signInPage(v))
}

func (s *site) signInPost(w http.ResponseWriter, r *http.Request) {
	v := s.gateView(r)
	v.Email = r.PostFormValue("email")
	err := s.auth.SignIn(r, v.Email, r.PostFormValue("password"))
	var refused *auth.Refusal
	switch {
	case err == nil:
		http.Redirect(w, r, v.To, http.StatusSeeOther)
	case errors.As(err, &refused):
		status := http.StatusUnauthorized
		if refused.Left == 0 {
			status = http.StatusTooManyRequests
		}
		v.Wrong = refused.Error()
		render(w, r, status, signInPage(v))
	default:
		s.desk.Log().Error("a sign-in broke", "error", err)
		v.Wrong = "Signal could not check this. Its log has the reason. Try again."
		render(w, r, http.StatusInternalServerError, signInPage(v))
	}
}

func (s *site) signOut(w http.ResponseWriter, r *http.Request) {
	if err := s.auth.SignOut(r.Context()); err != nil {
		s.desk.Log().Error("a sign-out broke", "error", err)
	}
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

func (s *site) setup(w http.ResponseWriter, r *http.Request) {
	v := s.gateView(r)
	v.Token = r.PathValue("token")
	open, err := s.auth.SetupOpen(r.Context(), v.Token)
	v.Used = err != nil || !open
	status := http.StatusOK
	if v.Used {
		status = http.StatusNotFound
	}
	render(w, r, status, setupPage(v))
}

func (s *site) setupPost(w http.ResponseWriter, r *http.Request) {
	v := s.gateView(r)
	v.Token, v.Name, v.Email = r.PathValue("token"), r.PostFormValue("name"), r.PostFormValue("email")
	err := s.auth.Setup(r, v.Token, auth.Person{Name: v.Name, Email: v.Email, Password: r.PostFormValue("password")})
	var faults auth.Faults
	switch {
	case err == nil:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case errors.As(err, &faults):
		v.Faults = faults
		render(w, r, http.StatusBadRequest, setupPage(v))
	case errors.Is(err, auth.ErrSetup):
		v.Used = true
		render(w, r, http.StatusNotFound, setupPage(v))
	default:
		s.desk.Log().Error("a set-up broke", "error", err)
		http.Error(w, "Signal could not make the account. Its log has the reason.", http.StatusInternalServerError)
	}
}

// local gives an address on this site, "/" when it is another: a link to the
// sign-in page must not lead people elsewhere afterwards.
func local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}
