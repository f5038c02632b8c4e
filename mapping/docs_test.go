package mapping

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every example of the guide runs: a mapping, an event, and what comes of it.
// A block that is a list holds fields of one attribute, and its event is the
// properties of an order. The session is the one that identity would have made
// of the guide's page with a campaign.
func TestTheGuide(t *testing.T) {
	raw, err := os.ReadFile("../docs/mappings.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(string(raw), -1)
	session := map[string]any{"landed": true, "campaign": map[string]any{"source": "google", "medium": "cpc", "name": "spring"}}
	if len(blocks) == 0 || len(blocks)%3 != 0 {
		t.Fatalf("%d blocks, want a mapping, an event and a result each time", len(blocks))
	}
	for i := 0; i < len(blocks); i += 3 {
		rules, body, kind, want := blocks[i][2], blocks[i+1][2], blocks[i+2][1], strings.TrimSpace(blocks[i+2][2])
		if blocks[i][1] != "yaml" || blocks[i+1][1] != "json" {
			t.Fatalf("block %d is %s, %s", i, blocks[i][1], blocks[i+1][1])
		}
		if strings.HasPrefix(rules, "- ") {
			rules = "events:\n- event: Order Completed\n  attributes:\n  - type: purchase\n    fields:\n" + indent(rules, "    ")
			body = `{"type":"track","event":"Order Completed","properties":` + body + `}`
			if kind == "json" {
				want = `{"engagementAttributes":[{"type":"purchase",` + strings.TrimPrefix(want, "{") + `]}`
			}
		}
		got := compiled(t, rules).Run(Input{Event: received(t, body), Session: session})
		if kind == "text" {
			if got.Stop != want {
				t.Errorf("the event %s\n stops with %q\nwant %q", body, got.Stop, want)
			}
			continue
		}
		if squeeze(string(got.Payload)) != squeeze(want) {
			t.Errorf("the event %s\n gives %s %s\nwant %s", body, got.Payload, got.Stop, want)
		}
	}
	for _, name := range append(functionNames(), readingNames...) {
		if !strings.Contains(string(raw), "`"+name) {
			t.Errorf("the guide does not name %s", name)
		}
	}
}

func indent(s, by string) string {
	return by + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n"+by)
}

// squeeze takes the spaces out that stand between values.
func squeeze(s string) string {
	return strings.NewReplacer("\n ", "", "\n", "", `": `, `":`, `, "`, `,"`, `, {`, `,{`).Replace(s)
}
