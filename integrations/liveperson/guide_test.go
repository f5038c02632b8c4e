package liveperson_test

import (
	"os"
	"strings"
	"testing"

	"github.com/datafly/signal/integrations/liveperson"
)

// The guide has each cause in its troubleshooting, by the headline that the
// debugger shows.
func TestTheGuideKnowsEveryCause(t *testing.T) {
	guide, err := os.ReadFile("../../docs/liveperson.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range liveperson.Causes() {
		headline := strings.ReplaceAll(c.Headline, "{field}", "lead.currency")
		if !strings.Contains(string(guide), "| *"+headline+"* ") {
			t.Errorf("docs/liveperson.md has no row for %s: *%s*\n\t%s", c.Name, headline, c.Remedy)
		}
	}
}
