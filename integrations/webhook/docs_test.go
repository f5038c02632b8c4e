package webhook_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/webhook"
	"github.com/datafly/signal/mapping"
)

var block = regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```")

// blocks gives the examples of the guide in one language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			out = append(out, m[2])
		}
	}
	return out
}

// The settings and mappings of the guide are taken as they stand, references
// to secrets aside, which the configuration reads.
func TestTheGuidesSettingsWork(t *testing.T) {
	found := 0
	for _, text := range blocks(t, "yaml") {
		var file struct {
			Integrations []struct {
				Vendor   string         `yaml:"vendor"`
				Settings map[string]any `yaml:"settings"`
				Preset   string         `yaml:"preset"`
				Mapping  any            `yaml:"mapping"`
			} `yaml:"integrations"`
		}
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "env:", "of-the-environment-")), &file); err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		for _, in := range file.Integrations {
			found++
			v := webhook.New(webhook.Options{})
			if _, err := v.Check(in.Settings, integrations.Outbound{}); err != nil || in.Vendor != "webhook" {
				t.Errorf("%s\n%v", text, err)
			}
			if _, ok := v.Preset(in.Preset); !ok && in.Mapping == nil {
				t.Errorf("%s\nthere is no preset %q", text, in.Preset)
			}
			if in.Mapping == nil {
				continue
			}
			src, err := yaml.Marshal(in.Mapping)
			if err != nil {
				t.Fatal(err)
			}
			m, err := mapping.Parse(src)
			if err != nil {
				t.Fatal(err)
			}
			p, err := m.Compile()
			if err != nil {
				t.Fatal(err)
			}
			examples := blocks(t, "json")
			e := decode(t, examples[0])
			if got, want := p.Run(mapping.Input{Event: e}), compact(t, examples[len(examples)-1]); string(got.Payload) != want {
				t.Errorf("the mapping of the guide makes\n%s %s, it says\n%s", got.Payload, got.Stop, want)
			}
		}
	}
	if found < 2 {
		t.Errorf("the guide shows %d webhooks, want one of each body", found)
	}
}

// The event of the guide arrives as the guide says.
func TestTheGuidesEventArrives(t *testing.T) {
	examples := blocks(t, "json")
	e := decode(t, examples[0])
	if got, want := string(connect(t, nil).Extract(e)), compact(t, examples[0]); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line))
	}
	if !json.Valid([]byte(b.String())) {
		t.Fatalf("%s is not JSON", text)
	}
	return b.String()
}

// A reader checks their code against the guide's example, so it must be right.
func TestTheGuidesSignatureIsRight(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(blocks(t, "text")[0]), "\n")
	value := func(name string) string {
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name) })
		if i < 0 {
			t.Fatalf("the guide has no %s in %q", name, lines)
		}
		return strings.TrimSpace(lines[i][len(name):])
	}
	secret, body, stamp := value("secret"), value("body"), value("X-Signal-Timestamp:")
	at, err := time.Parse(time.RFC3339, "2026-02-25T14:30:00Z")
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://example.com", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Signal-Timestamp", stamp)
	r.Header.Set("X-Signal-Signature", value("X-Signal-Signature:"))
	if _, err := verified(r, secret, at); err != nil {
		t.Error(err)
	}
}

// The guide names each setting.
func TestTheGuideNamesEachSetting(t *testing.T) {
	text, err := os.ReadFile("../../docs/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	_, err = webhook.ParseSettings(map[string]any{"nothing_like_it": 1}, integrations.Outbound{})
	if err == nil {
		t.Fatal("a setting that is none was taken")
	}
	_, all, _ := strings.Cut(err.Error(), "there are ")
	all, _, _ = strings.Cut(all, "\n")
	for name := range strings.SplitSeq(all, ", ") {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("the guide does not explain %s", name)
		}
	}
}
