package journal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// describes begins the description of a stream, before the name of its log.
const describes = "Signal log "

// Names gives the logs that are there, in order.
func (j *Journal) Names(ctx context.Context) ([]string, error) {
	var names []string
	err := j.ask(ctx, func(ctx context.Context) error {
		names = nil
		list := j.control.ListStreams(ctx)
		for info := range list.Info() {
			names = append(names, logOf(info)...)
		}
		return list.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list the logs: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

func logOf(info *jetstream.StreamInfo) []string {
	name, ok := strings.CutPrefix(info.Config.Description, describes)
	if !ok {
		return nil
	}
	return []string{name}
}
