package lpsim

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// A faultForm is the dialog "Make it fail" as it was filled in.
type faultForm struct {
	Kind, Status, Code, Retry, Location, Count, Delay, Percent, Match, Path, SDE string

	Errors []string
}

func (s *Sim) showFaults(w http.ResponseWriter, r *http.Request) {
	f := s.frame(r, "Make it fail · LivePerson simulator")
	f.Back = "/"
	s.render(w, http.StatusOK, "faults.html", f)
}

// postFault sets the fault of the form and returns to the page it was on.
func (s *Sim) postFault(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	form := faultForm{
		Kind: r.FormValue("kind"), Status: r.FormValue("status"), Code: r.FormValue("code"), Retry: r.FormValue("retry_after"),
		Location: r.FormValue("redirect"), Count: r.FormValue("count"), Delay: r.FormValue("delay_ms"), Percent: r.FormValue("percent"),
		Match: r.FormValue("match"), Path: r.FormValue("path"), SDE: r.FormValue("sde"),
	}
	fault, faults := form.fault()
	if len(faults) == 0 {
		if _, err := s.Fail(fault); err != nil {
			faults = strings.Split(err.Error(), "\n")
		}
	}
	if len(faults) > 0 {
		form.Errors = faults
		f := s.frame(r, "Make it fail · LivePerson simulator")
		f.Form, f.Back = form, "/"
		s.render(w, http.StatusBadRequest, "faults.html", f)
		return
	}
	http.Redirect(w, r, ownPath(r.FormValue("back")), http.StatusSeeOther) //nolint:gosec // ownPath keeps it here
}

// fault reads the form; the second result says what is wrong with it.
func (f faultForm) fault() (Fault, []string) {
	in := formReader{}
	out := Fault{
		Count: in.number("How many reports", f.Count), Rate: in.share(f.Percent),
		Match: strings.TrimSpace(f.Match), Path: f.Path, SDE: strings.TrimSpace(f.SDE),
	}
	switch f.Kind {
	case "status":
		out.Status = in.need("Status", f.Status, "such as 503")
		out.RetryAfter = strings.TrimSpace(f.Retry)
		if strings.TrimSpace(f.Code) != "" {
			code := in.number("Code", f.Code)
			out.Code = &code
		}
	case "html":
		out.Body = "html"
	case "redirect":
		if out.Redirect = strings.TrimSpace(f.Location); out.Redirect == "" {
			in.wrong = append(in.wrong, "Location is missing, such as https://elsewhere.example/.")
		}
	case "delay":
		out.DelayMS = in.need("Wait", f.Delay, "how many milliseconds, such as 2000")
	case "reset":
		out.Reset = true
	case "reset-after":
		out.Reset, out.When = true, "after"
	case "truncate":
		out.Truncate = true
	case "cold":
		out = Fault{Cold: out.Count, Rate: out.Rate, Match: out.Match}
		if out.Cold == 0 {
			out.Cold = 3
		}
	case "expire":
		out = Fault{Expire: true, Match: out.Match}
	case "reference", "seed":
		out = Fault{Dialect: f.Kind}
	default:
		in.wrong = append(in.wrong, "Choose what goes wrong.")
	}
	return out, in.wrong
}

// A formReader reads numbers and gathers what is wrong with them.
type formReader struct{ wrong []string }

func (in *formReader) number(label, text string) int {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		in.wrong = append(in.wrong, fmt.Sprintf("%s is a whole number, such as 20. %q is none.", label, text))
	}
	return n
}

// need is number for a field that must be filled in.
func (in *formReader) need(label, text, such string) int {
	if strings.TrimSpace(text) == "" {
		in.wrong = append(in.wrong, fmt.Sprintf("%s is missing: %s.", label, such))
	}
	return in.number(label, text)
}

// share reads a percentage; empty is all.
func (in *formReader) share(text string) float64 {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0
	}
	percent, err := strconv.ParseFloat(text, 64)
	if err != nil || !(percent > 0 && percent <= 100) {
		in.wrong = append(in.wrong, fmt.Sprintf("Share is a number above 0 and up to 100. %q is none.", text))
		return 0
	}
	return percent / 100
}

func (s *Sim) postEnd(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	id, err := strconv.Atoi(r.FormValue("id"))
	if err != nil || id < 0 {
		fail(w, http.StatusBadRequest, "a fault's id is a number: GET /_sim/faults lists them")
		return
	}
	s.EndFault(id)                                                         // one that ended by itself meanwhile is fine
	http.Redirect(w, r, ownPath(r.FormValue("back")), http.StatusSeeOther) //nolint:gosec // ownPath keeps it here
}

// ownPath keeps a redirect on the simulator's own pages.
func ownPath(back string) string {
	if !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n") {
		return "/"
	}
	return back
}
