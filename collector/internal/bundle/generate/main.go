// Command generate writes the files of dist. It is run by go generate, in the
// folder of the collector.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/datafly/signal/collector/internal/bundle"
)

func main() {
	files, err := bundle.Build(".")
	if err != nil {
		log.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join("dist", name), text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
