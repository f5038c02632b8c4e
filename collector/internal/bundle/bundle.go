// Package bundle makes what browsers get out of the collector's source. Only
// the generator and a test use it, so that the program itself carries no
// bundler.
package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// Version is what context.library.version says.
const Version = "0.1.0"

// Names of the generated files, in the folder dist.
const (
	Script = "datafly.min.js"
	Sum    = "datafly.min.js.sha256"
)

// Build gives the generated files of the collector in dir, by name.
func Build(dir string) (map[string][]byte, error) {
	source, err := os.ReadFile(filepath.Join(dir, "datafly.js"))
	if err != nil {
		return nil, fmt.Errorf("read the collector's source: %w", err)
	}
	out := api.Transform(string(source), api.TransformOptions{
		Loader: api.LoaderJS, Target: api.ES2018, Format: api.FormatIIFE, Charset: api.CharsetASCII,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
		Define: map[string]string{"__VERSION__": `"` + Version + `"`},
	})
	for _, m := range append(out.Errors, out.Warnings...) {
		return nil, fmt.Errorf("build the collector: line %d: %s", m.Location.Line, m.Text)
	}
	sum := sha256.Sum256(out.Code)
	return map[string][]byte{
		Script: out.Code,
		Sum:    []byte(hex.EncodeToString(sum[:]) + "  " + Script + "\n"),
	}, nil
}
