package signal_test

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules of the house: what a reader can rely on in every room without
// looking. A rule that cannot hold somewhere is changed here, with its reason.

const module = "github.com/datafly/signal"

// rooms says which packages of ours each package may import. A package that is not in the table is a failure: a new room
// is a decision. Tests may import more, such as a neighbour's suite or the
// simulator; the compiler keeps them from going round in circles.
var rooms = map[string]string{
	// The words of the domain. Pure, without I/O.
	"event":    "",
	"attempt":  "",
	"consent":  "event",
	"identity": "event",
	"mapping":  "event",
	"trace":    "event",

	// Engines.
	"journal":             "",
	"journal/journaltest": "journal",
	"store":               "event consent identity attempt mapping trace integrations",
	"store/sqlite":        "store event consent identity attempt mapping trace integrations",
	"store/storetest":     "store event consent identity attempt mapping trace integrations",
	"ledger":              "event journal store trace integrations",

	// Vendors.
	"integrations":                  "event attempt",
	"integrations/liveperson":       "integrations event attempt identity mapping consent",
	"integrations/liveperson/lpsim": "",
	"integrations/webhook":          "integrations event attempt identity mapping consent",

	// The way of an event.
	"collector":                          "",
	"collector/internal/bundle":          "",
	"collector/internal/bundle/generate": "collector/internal/bundle",

	"ingest":   "event journal store collector trace identity",
	"process":  "event consent identity mapping journal store trace integrations ledger",
	"delivery": "attempt journal store trace integrations event ledger",

	// People.
	"auth":         "store",
	"config":       "store consent identity mapping integrations event",
	"console":      "console/api console/desk console/web ops " + above,
	"console/api":  "console/desk ops " + above,
	"console/desk": "ops " + above,
	"console/web":  "console/desk ops " + above,
	"demo":         "event",
	"ops":          "",

	// The program wires.
	"cmd/signal": "console console/api console/desk console/web demo ops collector integrations/liveperson integrations/liveperson/lpsim integrations/webhook store/sqlite " + above,
}

const above = "event attempt consent identity mapping trace journal store ledger integrations integrations/liveperson ingest process delivery auth config"

func TestRoomsImportOnlyWhatTheTableSays(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sources(t) {
		room := path.Dir(f.name)
		allowed, known := rooms[room]
		if !known && room != "." {
			if !seen[room] {
				t.Errorf("%s is not in the table of rooms: is it a room of its own?", room)
			}
			seen[room] = true
			continue
		}
		seen[room] = true
		if f.test {
			continue
		}
		for _, spec := range f.ast.Imports {
			to, _ := strconv.Unquote(spec.Path.Value)
			to, ours := strings.CutPrefix(to, module+"/")
			if ours && !slices.Contains(strings.Fields(allowed), to) {
				t.Errorf("%s imports %s, which the table of rooms does not allow", f.name, to)
			}
		}
	}
	for room := range rooms {
		if !seen[room] {
			t.Errorf("the table of rooms has %s, and there is no such package: take it out", room)
		}
	}
}

// The simulator judges what we send, so it shares no code with what sends it,
// not even in its tests.
func TestTheSimulatorImportsNothingOfOurs(t *testing.T) {
	for _, f := range sources(t) {
		if path.Dir(f.name) != "integrations/liveperson/lpsim" {
			continue
		}
		for _, spec := range f.ast.Imports {
			if to, _ := strconv.Unquote(spec.Path.Value); strings.HasPrefix(to, module) && to != module+"/integrations/liveperson/lpsim" {
				t.Errorf("%s imports %s", f.name, to)
			}
		}
	}
}

// A test that sleeps is slow on a good day and wrong on a busy one. In a bubble
// of testing/synctest the sleep is exact and costs nothing.
func TestSleepOnlyInBubbles(t *testing.T) {
	for _, f := range sources(t) {
		if f.test && !imports(f, "testing/synctest") {
			eachCall(f, "time", "Sleep", func(call *ast.CallExpr) {
				t.Errorf("%s: time.Sleep in a test without a bubble of testing/synctest", f.at(call))
			})
		}
	}
}

func TestSkipsSayWhy(t *testing.T) {
	for _, f := range sources(t) {
		if !f.test {
			continue
		}
		for _, recv := range []string{"t", "b", "f", "tb"} {
			eachCall(f, recv, "SkipNow", func(call *ast.CallExpr) {
				t.Errorf("%s: SkipNow gives no reason, use Skip", f.at(call))
			})
			for _, name := range []string{"Skip", "Skipf"} {
				eachCall(f, recv, name, func(call *ast.CallExpr) {
					if !reason(call) {
						t.Errorf("%s: the skip gives no reason that a person can use", f.at(call))
					}
				})
			}
		}
	}
}

// reason reports whether a skip says more than a word.
func reason(call *ast.CallExpr) bool {
	if len(call.Args) == 0 {
		return false
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	return !ok || lit.Kind == token.STRING && len(strings.Fields(lit.Value)) >= 3
}

func TestEveryPackageSaysWhatItHolds(t *testing.T) {
	doc, main := map[string]string{}, map[string]bool{}
	for _, f := range sources(t) {
		if f.test || ast.IsGenerated(f.ast) {
			continue
		}
		room := path.Dir(f.name)
		main[room] = f.ast.Name.Name == "main"
		if len(f.ast.Doc.Text()) > len(doc[room]) {
			doc[room] = f.ast.Doc.Text()
		} else if _, ok := doc[room]; !ok {
			doc[room] = ""
		}
	}
	for room, text := range doc {
		want := "Package " + path.Base(room) + " "
		if main[room] {
			want = "Command " + path.Base(room) + " "
		}
		if !strings.HasPrefix(text, want) || len(text) < 80 {
			t.Errorf("the doc of %s is %q, want what it holds, from %q on", room, text, want)
		}
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || f.ast.Name.Name == "main" || ast.IsGenerated(f.ast) {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc.Text() == "" && exportedReceiver(d) {
					t.Errorf("%s: %s has no doc", f.at(d), d.Name.Name)
				}
			case *ast.GenDecl:
				undocumented(d, func(n ast.Node, name string) { t.Errorf("%s: %s has no doc", f.at(n), name) })
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if generic, ok := typ.(*ast.IndexExpr); ok {
		typ = generic.X
	}
	id, ok := typ.(*ast.Ident)
	return !ok || id.IsExported()
}

// undocumented calls fault for each exported name of d without a sentence of
// its own, behind it, or over its group.
func undocumented(d *ast.GenDecl, fault func(ast.Node, string)) {
	if d.Doc.Text() != "" {
		return
	}
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc.Text()+s.Comment.Text() == "" {
				fault(s, s.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && s.Doc.Text()+s.Comment.Text() == "" {
					fault(s, name.Name)
				}
			}
		}
	}
}

// Every library that we use directly stands in docs/dependencies.txt with the
// reason why it is there, and nothing else does.
func TestDependenciesHaveAReason(t *testing.T) {
	why := map[string]string{}
	for n, line := range lines(t, "docs/dependencies.txt") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, text, _ := strings.Cut(line, " ")
		if len(strings.Fields(text)) < 3 {
			t.Errorf("docs/dependencies.txt:%d: %s has no reason", n+1, name)
		}
		why[name] = text
	}
	used := map[string]bool{}
	inside := false
	for _, line := range lines(t, "go.mod") {
		switch {
		case line == "require (":
			inside = true
		case line == ")":
			inside = false
		case !strings.Contains(line, "// indirect") && (inside || strings.HasPrefix(line, "require ")):
			name := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))[0]
			used[name] = true
			if why[name] == "" {
				t.Errorf("go.mod has %s: write the reason into docs/dependencies.txt, and a page into docs/decisions if it is a choice", name)
			}
		}
	}
	for name := range why {
		if !used[name] {
			t.Errorf("docs/dependencies.txt has %s, which go.mod does not use: take it out", name)
		}
	}
}

// The cases that a person wrote from the vendor's pages are part of the tests.
func TestCasesAreThere(t *testing.T) {
	cases, err := filepath.Glob("testdata/cases/[0-9][0-9]-*.json")
	if err != nil || len(cases) < 20 {
		t.Errorf("testdata/cases has %d cases, %v, want at least 20", len(cases), err)
	}
}

// A link to a page that is not there, or a page that nobody links to, is worse
// than no page.
func TestDocsLinkToWhatIsThere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s#]+)(?:#[^)]*)?\)`)
	linked := map[string]bool{"docs/README.md": true, "docs/decisions/README.md": true}
	for _, name := range markdown(t) {
		for n, line := range lines(t, name) {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				if strings.Contains(m[1], "://") {
					continue
				}
				to := path.Join(path.Dir(name), m[1])
				linked[to] = true
				if _, err := os.Stat(to); err != nil {
					t.Errorf("%s:%d: there is no %s", name, n+1, m[1])
				}
			}
		}
	}
	for _, name := range markdown(t) {
		if strings.HasPrefix(name, "docs/") && !linked[name] {
			t.Errorf("no page links to %s", name)
		}
	}
}

func markdown(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			found = append(found, filepath.ToSlash(name))
		}
	}
	return found
}

func TestNoteToSelfIsNoPlan(t *testing.T) {
	for _, f := range sources(t) {
		for _, group := range f.ast.Comments {
			for _, word := range []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"} {
				if strings.Contains(group.Text(), word) {
					t.Errorf("%s: a comment says %s; do it, or file it", f.at(group), word)
				}
			}
		}
	}
}
