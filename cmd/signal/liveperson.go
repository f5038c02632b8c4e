package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
	"github.com/datafly/signal/integrations/liveperson/lpsim"
)

type livePersonCmd struct {
	Resolve  resolveCmd  `cmd:"" help:"Ask LivePerson's Domain API for the monitoring domain of an account."`
	Simulate simulateCmd `cmd:"" help:"The LivePerson simulator alone, for your own tests."`
}

type resolveCmd struct {
	Account   string `arg:"" help:"The account ID, the number in the address of Conversational Cloud."`
	DomainAPI string `help:"Another address of the Domain API, such as a simulator's." name:"domain-api" placeholder:"URL"`
}

func (c *resolveCmd) Run(ctx context.Context, s streams) error {
	out := integrations.Outbound{}
	if c.DomainAPI != "" {
		out = integrations.Outbound{AllowHTTP: true, AllowHosts: []string{"127.0.0.1", "localhost"}}
	}
	domain, err := liveperson.NewResolver(c.DomainAPI, out).Resolve(ctx, c.Account)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, domain)
	return err
}

type simulateCmd struct {
	Addr       string   `help:"Address to listen on." default:"127.0.0.1:8089"`
	Dialect    string   `help:"both, seed or reference." default:"both"`
	Strict     bool     `help:"Refuse what LivePerson does not document, too." default:"true" negatable:""`
	Account    string   `help:"The account that it knows." default:"12345678"`
	App        []string `help:"The app keys of the account." default:"a1b2c3d4-1234-5678-90ab-cdef12345678"`
	AnyAccount bool     `help:"Take every account with every app key."`
	Sessions   string   `help:"What an unknown session means: create or reject." default:"create"`
	Cold       int      `help:"How many first calls are answered \"loading account\"." default:"0"`
	Cap        int      `help:"Sessions that one identity may begin in a minute; -1 for no cap." default:"20"`
	Rule       []string `help:"Switch a rule: name=on or name=off." placeholder:"NAME=on|off"`
}

func (c *simulateCmd) Run(ctx context.Context, s streams) error {
	o := lpsim.Options{
		Dialect: c.Dialect, Lenient: !c.Strict, Accounts: map[string][]string{c.Account: c.App}, AnyAccount: c.AnyAccount,
		SessionMode: c.Sessions, ColdCalls: c.Cold, SessionCap: c.Cap, Rules: map[string]bool{},
	}
	for _, r := range c.Rule {
		name, value, _ := strings.Cut(r, "=")
		if value != "on" && value != "off" {
			return usage{fmt.Errorf("--rule: %q: write name=on or name=off; the names are %s", r, strings.Join(lpsim.RuleNames(), ", "))}
		}
		o.Rules[name] = value == "on"
	}
	if err := o.Check(); err != nil {
		return usage{err}
	}
	err := lpsim.Serve(ctx, c.Addr, o, s.out)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
