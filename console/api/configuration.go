package api

import (
	"context"
	"net/http"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
)

type pipelineID struct {
	ID string `path:"id"`
}

func (s *server) configuration() {
	get(s, "/pipelines", "Pipelines", func(_ context.Context, who auth.Actor, _ *struct{}) (*body[list[desk.Pipeline]], error) {
		all, err := s.desk.Pipelines(who)
		return &body[list[desk.Pipeline]]{list[desk.Pipeline]{all}}, err
	})
	get(s, "/pipelines/{id}", "One pipeline", func(_ context.Context, who auth.Actor, in *pipelineID) (*body[desk.Pipeline], error) {
		p, err := s.desk.Pipeline(who, in.ID)
		return &body[desk.Pipeline]{p}, err
	})
	get(s, "/pipelines/{id}/integrations", "The integrations of a pipeline, secrets masked", func(_ context.Context, who auth.Actor, in *pipelineID) (*body[list[desk.Integration]], error) {
		all, err := s.desk.Integrations(who, in.ID)
		return &body[list[desk.Integration]]{list[desk.Integration]{all}}, err
	})
	s.integrations()
	type domainInput struct {
		Account string `query:"account_id" required:"true" pattern:"^[0-9]{1,20}$" doc:"Digits."`
	}
	type domain struct {
		Account string `json:"account_id"`
		Domain  string `json:"monitoring_domain"`
	}
	get(s, "/liveperson/domain", "The monitoring domain of a LivePerson account", func(ctx context.Context, who auth.Actor, in *domainInput) (*body[domain], error) {
		host, err := s.desk.Domain(ctx, who, in.Account)
		return &body[domain]{domain{in.Account, host}}, err
	})
	s.managedByFile()
}

func (s *server) integrations() {
	get(s, "/integrations", "All integrations, secrets masked", func(_ context.Context, who auth.Actor, _ *struct{}) (*body[list[desk.Integration]], error) {
		all, err := s.desk.Integrations(who, "")
		return &body[list[desk.Integration]]{list[desk.Integration]{all}}, err
	})
	// An integration's ID has a slash: shop/liveperson. Both forms work.
	type integrationID struct {
		ID string `path:"id" doc:"The name where only one has it, or the ID with its slash as %2F."`
	}
	get(s, "/integrations/{id}", "One integration and how it fares", func(_ context.Context, who auth.Actor, in *integrationID) (*body[desk.Integration], error) {
		i, err := s.desk.Integration(who, in.ID)
		return &body[desk.Integration]{i}, err
	})
	type twoParts struct {
		Pipeline string `path:"pipeline"`
		Name     string `path:"name"`
	}
	get(s, "/integrations/{pipeline}/{name}", "One integration by both parts of its ID", func(_ context.Context, who auth.Actor, in *twoParts) (*body[desk.Integration], error) {
		i, err := s.desk.Integration(who, in.Pipeline+"/"+in.Name)
		return &body[desk.Integration]{i}, err
	})
	for _, act := range []struct {
		path, summary string
		do            func(who auth.Actor, id string) (desk.Integration, error)
	}{
		{"resume", "Ends the pause of an integration at once", s.desk.Resume},
		{"learn-again", "Lets an integration find out anew how its vendor wants to be spoken to", s.desk.LearnAgain},
	} {
		register(s, http.MethodPost, "/integrations/{id}/"+act.path, act.summary, func(_ context.Context, who auth.Actor, in *integrationID) (*body[desk.Integration], error) {
			i, err := act.do(who, in.ID)
			return &body[desk.Integration]{i}, err
		})
		register(s, http.MethodPost, "/integrations/{pipeline}/{name}/"+act.path, "The same by both parts of the ID", func(_ context.Context, who auth.Actor, in *twoParts) (*body[desk.Integration], error) {
			i, err := act.do(who, in.Pipeline+"/"+in.Name)
			return &body[desk.Integration]{i}, err
		})
	}
}

// managedByFile answers the changes that a file manages, so that a script hears
// why and where.
func (s *server) managedByFile() {
	type answer = body[struct{}]
	of := func(path func(in *pipelineID) string) func(context.Context, auth.Actor, *pipelineID) (*answer, error) {
		return func(_ context.Context, who auth.Actor, in *pipelineID) (*answer, error) {
			return nil, s.desk.ManagedByFile(who, path(in))
		}
	}
	pipeline := of(func(in *pipelineID) string { return in.ID })
	whichever := of(func(*pipelineID) string { return "" })
	const why = "Answers 409 MANAGED_BY_FILE: what comes from signal.yaml is changed there"
	register(s, http.MethodPost, "/pipelines", why, func(_ context.Context, who auth.Actor, _ *struct{}) (*answer, error) {
		return nil, s.desk.ManagedByFile(who, "")
	})
	for _, method := range []string{http.MethodPatch, http.MethodPut, http.MethodDelete} {
		register(s, method, "/pipelines/{id}", why, pipeline)
		register(s, method, "/integrations/{id}", why, whichever)
	}
	register(s, http.MethodPost, "/pipelines/{id}/integrations", why, pipeline)
	register(s, http.MethodPost, "/integrations/{id}/revisions", why, whichever)
}
