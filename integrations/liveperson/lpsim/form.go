package lpsim

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// A faultForm is the dialog "Make it fail" as it was filled in.
type faultForm struct {
	Kind, Status, Code, Retry, Count, Delay, Percent, Match string
	Errors                                                  []string
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
		Count: r.FormValue("count"), Delay: r.FormValue("delay_ms"), Percent: r.FormValue("percent"),
		Match: r.FormValue("match"),
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
	var wrong []string
	number := func(label, text string) int {
		text = strings.TrimSpace(text)
		if text == "" {
			return 0
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			wrong = append(wrong, fmt.Sprintf("%s is a whole number, such as 20. %q is none.", label, text))
		}
		return n
	}
	out := Fault{Count: number("How many reports", f.Count), Percent: number("Share", f.Percent), Match: strings.TrimSpace(f.Match)}
	switch f.Kind {
	case "status":
		out.Status = number("Status", f.Status)
		out.RetryAfter = strings.TrimSpace(f.Retry)
		if strings.TrimSpace(f.Code) != "" {
			code := number("Code", f.Code)
			out.Code = &code
		}
		if out.Status == 0 {
			wrong = append(wrong, "Status is missing, such as 503.")
		}
	case "html":
		out.Body = "html"
	case "delay":
		if out.DelayMS = number("Wait", f.Delay); out.DelayMS == 0 {
			wrong = append(wrong, "Wait is missing: how many milliseconds, such as 2000.")
		}
	case "reset":
		out.Reset = true
	case "truncate":
		out.Truncate = true
	case "cold":
		if out.Cold = number("How many reports", f.Count); out.Cold == 0 {
			out.Cold = 3
		}
		out.Count = 0
	case "expire":
		out = Fault{Expire: true, Match: out.Match}
	case "reference", "seed":
		out = Fault{Dialect: f.Kind}
	default:
		wrong = append(wrong, "Choose what goes wrong.")
	}
	return out, wrong
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
