package mapping

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Texts that YAML's parser takes minutes for are refused before it sees them,
// with where it became too much.
func TestTextsThatWouldHangTheParser(t *testing.T) {
	const n = 300_000
	for name, src := range map[string]string{
		"lists in lists":            strings.Repeat("[", n),
		"lists of pairs":            strings.Repeat("[a: ", n),
		"objects in objects":        strings.Repeat("{a: ", n),
		"blocks in one line":        strings.Repeat("- ", n),
		"keys in one line":          strings.Repeat("a: ", n),
		"keys one below the other":  strings.Repeat("a:\n", n),
		"anchors":                   strings.Repeat("&a ", n),
		"aliases":                   strings.Repeat("*a ", n),
		"quotes":                    strings.Repeat(`"`, n),
		"pairs on lines":            strings.Repeat("k: v # c\n", n/3),
		"JSON with a fault, nested": `{"a":` + strings.Repeat("[", n),
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := Parse([]byte(src))
			if took := time.Since(began); err == nil || took > 2*time.Second {
				t.Errorf("it took %v, %v; want a refusal at once", took, err)
			}
		})
	}
	_, err := Parse([]byte("events:\n" + strings.Repeat("  - event: x\n", 30_000)))
	if err == nil || !strings.Contains(err.Error(), "line 13335, column 1: the mapping is too big or nested too deeply") {
		t.Errorf("many rules: %v", err)
	}
}

// A long mapping of a person is far below the limits.
func TestALongMapping(t *testing.T) {
	var b strings.Builder
	b.WriteString("# all of it\nevents:\n")
	for i := range 500 {
		fmt.Fprintf(&b, "  - event: Event %d # number %d\n    aliases: [a%d, \"b%d\"]\n    attributes:\n      - type: purchase\n        fields:\n", i, i, i, i)
		for j := range 4 {
			fmt.Fprintf(&b, "          - {target: t%d, source: [properties.a, properties.b], as: number}\n", j)
		}
	}
	m, err := Parse([]byte(b.String()))
	if err != nil || len(m.Events) != 500 {
		t.Fatalf("%v, want 500 rules", err)
	}
	if _, err := m.Compile(); err != nil {
		t.Error(err)
	}
}

// Places in JSON are counted on from one value to the next, so a long text
// costs what it holds.
func TestPlacesInJSON(t *testing.T) {
	src := strings.Repeat("\n", 500_000) + `{"events": [` + strings.Repeat("\n1,", 40_000) + `2]}`
	began := time.Now()
	_, err := Parse([]byte(src))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	faults := Faults(err)
	if len(faults) != maxFaults || faults[0].Line != 500_002 || faults[0].Column != 1 || faults[99].Line != 500_101 {
		t.Errorf("%d faults, first %v", len(faults), faults[0])
	}
}
