package api

import (
	"context"
	"net/http"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/console/desk"
)

func (s *server) people() {
	type me struct {
		Name  string `json:"name"`
		Email string `json:"email,omitempty"`
		Role  string `json:"role"`
		Token bool   `json:"token" doc:"An API token and no person."`
	}
	get(s, "/me", "Who calls", func(_ context.Context, who auth.Actor, _ *struct{}) (*body[me], error) {
		err := s.desk.CheckEvents(who, desk.EventQuery{})
		return &body[me]{me{who.Name, who.Email, string(who.Role), who.ID == ""}}, err
	})
	get(s, "/users", "Accounts of the console", func(ctx context.Context, who auth.Actor, _ *struct{}) (*body[list[desk.User]], error) {
		all, err := s.desk.Users(ctx, who)
		return &body[list[desk.User]]{list[desk.User]{all}}, err
	})
	type newUser struct {
		Body struct {
			Name     string `json:"name"`
			Email    string `json:"email"`
			Password string `json:"password" doc:"12 characters or more, of any kind."`
			Role     string `json:"role" enum:"viewer,editor,org_admin"`
		}
	}
	register(s, http.MethodPost, "/users", "Makes an account", func(ctx context.Context, who auth.Actor, in *newUser) (*body[desk.User], error) {
		u, err := s.desk.AddUser(ctx, who, s.auth, auth.Person{Name: in.Body.Name, Email: in.Body.Email, Password: in.Body.Password}, auth.Role(in.Body.Role))
		return &body[desk.User]{u}, err
	})
	type password struct {
		Email string `path:"email" doc:"The account's e-mail or id."`
		Body  struct {
			Password string `json:"password"`
		}
	}
	register(s, http.MethodPut, "/users/{email}/password", "Sets a password; all sessions of the account end", func(ctx context.Context, who auth.Actor, in *password) (*body[desk.User], error) {
		u, err := s.desk.SetPassword(ctx, who, s.auth, in.Email, in.Body.Password)
		return &body[desk.User]{u}, err
	})
}
