package desk

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/store"
	"github.com/datafly/signal/trace"
)

// Together gives the rows of the other events of a report, by their message
// ids. What the history does not have is left out.
func (d *Desk) Together(ctx context.Context, who auth.Actor, ids []string) ([]Row, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return nil, err
	}
	found, err := d.o.Store.TraceRows(ctx, ids)
	var out []Row
	for _, s := range found {
		out = append(out, d.row(who, s))
	}
	return out, err
}

// A Ride is what became of the address of a carried page.
type Ride struct {
	// With is the event whose report took it along; nil when that is not known.
	With *Row
	// Waits says that it has not left yet.
	Waits bool
}

// laterReports is how many of a visitor's later reports are looked into.
const laterReports = 5

// Ride finds the report that the address of a carried page left with: the
// first of the visitor's later ones that has it.
func (d *Desk) Ride(ctx context.Context, who auth.Actor, messageID, integration string) (Ride, error) {
	if err := allow(who, auth.Viewer); err != nil {
		return Ride{}, err
	}
	page, ok, err := d.o.Store.Trace(ctx, messageID)
	if err != nil || !ok {
		return Ride{}, err
	}
	addresses := addressesOf(page, integration)
	if len(addresses) == 0 {
		return Ride{}, nil
	}
	visit, _, err := d.o.Store.Visit(ctx, integration, page.AnonymousID)
	if err != nil {
		return Ride{}, err
	}
	later, _, err := d.o.Store.Traces(ctx, store.TraceFilter{
		Visitor: page.AnonymousID, Integration: integration, Outcome: string(trace.Delivered),
		From: page.ReceivedAt, OldestFirst: true, Limit: laterReports,
	})
	if err != nil {
		return Ride{}, err
	}
	for _, row := range later {
		report, ok, err := d.o.Store.Trace(ctx, row.MessageID)
		if err != nil {
			return Ride{}, err
		}
		if ok && row.MessageID != messageID && tookAlong(report, integration, addresses) {
			r := d.row(who, row)
			return Ride{With: &r}, nil
		}
	}
	return Ride{Waits: slices.ContainsFunc(visit.Waiting, func(a string) bool { return slices.Contains(addresses, a) })}, nil
}

// addressesOf gives the addresses of pages in what the mapping made of an event.
func addressesOf(t store.TraceDetail, integration string) []string {
	var out []string
	for _, r := range t.Routes {
		if r.Integration == integration && r.Route != nil {
			out = slices.DeleteFunc(texts(r.Route.Payload), func(s string) bool { return !strings.Contains(s, "://") })
		}
	}
	return out
}

func tookAlong(report store.TraceDetail, integration string, addresses []string) bool {
	for _, r := range report.Routes {
		if r.Integration != integration {
			continue
		}
		for _, s := range r.Steps {
			if s.Step.Outcome == trace.Delivered && slices.ContainsFunc(texts(s.Step.Body), func(s string) bool { return slices.Contains(addresses, s) }) {
				return true
			}
		}
	}
	return false
}

// texts gives all texts that stand as values in b, none when it is not JSON.
func texts(b json.RawMessage) []string {
	var out []string
	d := jsontext.NewDecoder(strings.NewReader(string(b)))
	for {
		depth, length := d.StackIndex(d.StackDepth())
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			return nil
		}
		name := depth == '{' && length%2 == 0
		if t.Kind() == '"' && !name {
			out = append(out, t.String())
		}
	}
}
