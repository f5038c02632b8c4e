package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/datafly/signal/config"
	"github.com/datafly/signal/event"
	"github.com/datafly/signal/identity"
	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/process"
	"github.com/datafly/signal/store"
)

type mapCmd struct {
	Config      string `help:"The configuration." default:"signal.yaml" env:"SIGNAL_CONFIG" placeholder:"FILE"`
	Integration string `help:"The integration, by name or as pipeline/name." required:""`
	Explain     bool   `help:"Say which source fed which field."`
}

// mapped is one line of the output (product.md 10).
type mapped struct {
	MessageID string         `json:"messageId"`
	Outcome   string         `json:"outcome"`
	Reason    string         `json:"reason,omitempty"`
	Request   *mappedRequest `json:"request,omitempty"`
	Explain   any            `json:"explain,omitempty"`
}

type mappedRequest struct {
	Method string          `json:"method"`
	URL    string          `json:"url"`
	Body   json.RawMessage `json:"body"`
}

func (c *mapCmd) Run(ctx context.Context, s streams) error {
	cfg, err := config.Load(c.Config, vendors())
	if err != nil {
		return err
	}
	m, err := newDryRun(cfg, c.Integration, c.Explain)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(s.out)
	defer out.Flush()
	lines := bufio.NewReaderSize(s.in, 64<<10)
	var wrong []error
	unready := false
	for n := 1; ctx.Err() == nil; n++ {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var result mapped
		if err == nil {
			result, err = m.line(ctx, bytes.TrimSpace(line))
		}
		if err != nil {
			unready = unready || errors.As(err, &notPrepared{})
			wrong = append(wrong, fmt.Errorf("line %d: %w", n, err))
			continue
		}
		if err := write(out, result); err != nil {
			return fmt.Errorf("write a result: %w", err)
		}
	}
	switch {
	case len(wrong) == 0:
		return nil
	case unready:
		return errors.Join(wrong...)
	}
	return usage{errors.Join(wrong...)}
}

// prepareTimeout bounds what a vendor has to find out for one event, such as
// the keys of its token.
const prepareTimeout = 10 * time.Second

// notPrepared is of an event that is as it should be and of which nobody can
// say now what would be sent.
type notPrepared struct{ error }

func (e notPrepared) Unwrap() error { return e.error }

// readLine reads a line without its end. One over the size of an event is read
// to its end and refused.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line) <= event.MaxBytes {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)):
			return nil, err
		case len(line) > event.MaxBytes+1:
			return nil, fmt.Errorf("the event is larger than %d bytes", event.MaxBytes)
		}
		return line, nil
	}
}

func write(w io.Writer, result mapped) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // addresses are for people
	if err := e.Encode(result); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// dryRun takes events through governance and mapping to one integration, in
// memory alone.
type dryRun struct {
	pipeline *process.Pipeline
	route    *process.Route
	explain  bool
	salt     []byte
	visitors map[string]*store.Visitor
	visits   map[string]integrations.Visit
}

func newDryRun(cfg *config.Config, name string, explain bool) (*dryRun, error) {
	var found []*process.Pipeline
	var names []string
	for _, p := range pipelines(cfg, true) {
		for _, r := range p.Routes {
			names = append(names, r.ID)
			if r.ID == name || r.Name == name {
				one := p
				one.Routes = []process.Route{r}
				found = append(found, &one)
			}
		}
	}
	switch {
	case len(found) == 0:
		return nil, usage{fmt.Errorf("--integration: there is no %q: use one of %s", name, strings.Join(names, ", "))}
	case len(found) > 1:
		return nil, usage{fmt.Errorf("--integration: %q is in several pipelines: name it as pipeline/name", name)}
	}
	id := uuid.New()
	return &dryRun{pipeline: found[0], route: &found[0].Routes[0], explain: explain, salt: id[:], visitors: map[string]*store.Visitor{}, visits: map[string]integrations.Visit{}}, nil
}

func (m *dryRun) line(ctx context.Context, raw []byte) (mapped, error) {
	head, err := event.Admit(raw, "")
	if err != nil {
		return mapped{}, err
	}
	r := event.Received{Pipeline: m.pipeline.Name, MessageID: head.MessageID, AnonymousID: head.AnonymousID, Type: head.Type, SentAt: head.SentAt, ReceivedAt: time.Now().UTC(), Body: raw}
	if r.MessageID == "" {
		r.MessageID = uuid.Must(uuid.NewV7()).String()
	}
	if r.AnonymousID == "" {
		r.AnonymousID = uuid.NewString()
	}
	w := &process.Work{Pipeline: m.pipeline, Received: r, Explain: m.explain, Visitor: m.visitor(r.AnonymousID)}
	if w.Event, err = event.Decode(r); err != nil {
		return mapped{}, err
	}
	w.Run(m.salt)
	return m.outcome(ctx, w)
}

func (m *dryRun) visitor(id string) *store.Visitor {
	v := m.visitors[id]
	if v == nil {
		v = &store.Visitor{Visitor: identity.Visitor{Pipeline: m.pipeline.Name, AnonymousID: id}}
		m.visitors[id] = v
	}
	return v
}

func (m *dryRun) outcome(ctx context.Context, w *process.Work) (mapped, error) {
	routed := &w.Routes[0]
	out := mapped{MessageID: w.Event.MessageID}
	if routed.Reason != "" {
		out.Outcome, out.Reason = "filtered", routed.Reason
		return out, nil
	}
	if len(routed.Explain) > 0 {
		out.Explain = routed.Explain
	}
	item, reason, err := m.prepare(ctx, routed.Item)
	switch {
	case err != nil:
		return mapped{}, notPrepared{err}
	case reason != "":
		out.Outcome, out.Reason = "filtered", reason
		return out, nil
	}
	built := m.route.Connection.Build(m.visits[w.Event.AnonymousID], []integrations.Item{item})
	m.visits[w.Event.AnonymousID] = built.Visit
	switch {
	case len(built.Refused) > 0:
		out.Outcome, out.Reason = "filtered", built.Refused[0].Reason
	case built.Request == nil:
		out.Outcome = "carried"
	default:
		out.Outcome = "report"
		out.Request = &mappedRequest{built.Request.Method, built.Request.URL, built.Request.Body}
	}
	return out, nil
}

// prepare does what delivery does with an item before its first try.
func (m *dryRun) prepare(ctx context.Context, item integrations.Item) (ready integrations.Item, reason string, err error) {
	p, ok := m.route.Connection.(integrations.Preparer)
	if !ok {
		return item, "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	return p.Prepare(ctx, item)
}

// pipelines makes the configured pipelines ready for processing; with all, those
// integrations too that are switched off.
func pipelines(cfg *config.Config, all bool) []process.Pipeline {
	var out []process.Pipeline
	for _, p := range cfg.Pipelines {
		made := process.Pipeline{Pipeline: p}
		for _, in := range p.Integrations {
			if !in.Enabled && !all {
				continue
			}
			r := cfg.Ready[in.ID]
			made.Routes = append(made.Routes, process.Route{Integration: in, Program: r.Program, Connection: r.Connection})
		}
		out = append(out, made)
	}
	return out
}
