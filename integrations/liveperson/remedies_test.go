package liveperson

import (
	"strings"
	"testing"

	"github.com/datafly/signal/attempt"
)

func TestCausesAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Causes() {
		if c.Name == "" || seen[c.Name] || c.When == "" || c.Verdict == attempt.Delivered {
			t.Errorf("cause %+v has no name of its own, no answers, or is a success", c)
		}
		seen[c.Name] = true
		for _, s := range []string{c.Headline, c.Remedy} {
			if !strings.HasSuffix(s, ".") || strings.ToUpper(s[:1]) != s[:1] {
				t.Errorf("cause %s: %q is no whole sentence", c.Name, s)
			}
		}
		if (c.Fix == "") != strings.HasPrefix(c.Remedy, "Nothing to do") && c.Fix != attempt.FixRate {
			t.Errorf("cause %s: the fix is %q, and the remedy %q", c.Name, c.Fix, c.Remedy)
		}
	}
	Causes()[0].Name = "changed"
	if Causes()[0].Name == "changed" {
		t.Error("the table can be changed from outside")
	}
}
