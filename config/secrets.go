package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/datafly/signal/integrations"
)

// secretPaths are the settings of a vendor that are never shown.
func secretPaths(v integrations.Vendor) []string {
	if s, ok := v.(integrations.Secretive); ok {
		return s.Secrets()
	}
	return nil
}

// isSecret reports whether a setting, by its dotted path, is one of paths.
func isSecret(path string, paths []string) bool {
	object, _, below := strings.Cut(path, ".")
	return slices.Contains(paths, path) || below && slices.Contains(paths, object+".*")
}

// masked gives settings as people may see them: of secrets, references stand as
// they are, and values as dots.
func masked(settings map[string]any, paths []string, below string) map[string]any {
	out := maps.Clone(settings)
	for name, v := range settings {
		path := strings.TrimPrefix(below+"."+name, ".")
		object, inside := v.(map[string]any)
		switch {
		case inside:
			out[name] = masked(object, paths, path)
		case v != nil && isSecret(path, paths):
			out[name] = Secret(fmt.Sprint(v))
		}
	}
	return out
}
