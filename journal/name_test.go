package journal

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesAsFoldersAndSubjects(t *testing.T) {
	tests := []struct{ name, want string }{
		{"events", "events"},
		{"EVENTS", "~e~v~e~n~t~s"},
		{"reports.shop/liveperson", "reports+shop=liveperson"},
		{"a_b-c 9", "a_b-c~0329"},
		{"+=~", "~043~061~126"},
		{"é\n", "~195~169~010"},
	}
	for _, tt := range tests {
		if got := encodeName(tt.name); got != tt.want {
			t.Errorf("encodeName(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A short code can be read back, so no two names share one; a long one ends in
// its name's hash. Folding case, as some file systems do, changes nothing.
func TestNamesDoNotCollide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := string(rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "name"))
		code := encodeName(name)
		if len(code) > 255-len(streamPrefix) || strings.ToLower(code) != code || strings.ContainsAny(code, " .*>/\\:\t\n") {
			t.Fatalf("%q has the code %q", name, code)
		}
		if long := strings.Contains(code, "~~"); !long && decodeName(code) != name {
			t.Fatalf("%q has the code %q, which reads as %q", name, code, decodeName(code))
		}
	})
}

func decodeName(code string) string {
	var name []byte
	for len(code) > 0 {
		c := code[0]
		code = code[1:]
		switch {
		case c == '+':
			c = '.'
		case c == '=':
			c = '/'
		case c == '~' && code[0] >= 'a':
			c = code[0] - 'a' + 'A'
			code = code[1:]
		case c == '~':
			c = (code[0]-'0')*100 + (code[1]-'0')*10 + code[2] - '0'
			code = code[3:]
		}
		name = append(name, c)
	}
	return string(name)
}
