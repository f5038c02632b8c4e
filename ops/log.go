package ops

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Log makes the logger of a process. format is "text" or "json"; "" is text.
// level is "debug", "info", "warn" or "error"; "" is info.
func Log(w io.Writer, format, level string) (*slog.Logger, error) {
	var o slog.HandlerOptions
	if level != "" {
		var l slog.Level
		if err := l.UnmarshalText([]byte(level)); err != nil || strings.ContainsAny(level, "+-") {
			return nil, fmt.Errorf("log level %q is not known: use debug, info, warn or error", level)
		}
		o.Level = l
	}
	switch format {
	case "", "text":
		return slog.New(slog.NewTextHandler(w, &o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, &o)), nil
	}
	return nil, fmt.Errorf("log format %q is not known: use text or json", format)
}
