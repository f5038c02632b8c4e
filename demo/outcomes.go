package demo

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

const (
	maxAsked = 50              // message ids of one question
	maxID    = 256             // characters of one id
	patience = 3 * time.Second // for the store behind Outcomes
)

// outcomes answers GET /demo/outcomes?ids=a,b with what is known of each.
func (s *shop) outcomes(w http.ResponseWriter, r *http.Request) {
	ids := askedFor(r.URL.Query().Get("ids"))
	found := map[string]Outcome{}
	if s.opts.Outcomes != nil && len(ids) > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		for id, o := range s.opts.Outcomes(ctx, ids) {
			found[id] = o
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(map[string]any{"outcomes": found}); err != nil {
		s.log.Debug("outcomes not written", "error", err)
	}
}

// askedFor reads the list of ids, without repeats and within the limits.
func askedFor(list string) []string {
	var ids []string
	seen := map[string]bool{}
	for id := range strings.SplitSeq(list, ",") {
		if id == "" || len(id) > maxID || seen[id] {
			continue
		}
		if len(ids) == maxAsked {
			break
		}
		seen[id] = true
		ids = append(ids, id)
	}
	return ids
}
