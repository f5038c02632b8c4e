package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/datafly/signal/integrations"
	"github.com/datafly/signal/integrations/liveperson"
	"github.com/datafly/signal/integrations/liveperson/lpsim"
)

type livePersonCmd struct {
	Resolve  resolveCmd  `cmd:"" help:"Ask LivePerson's Domain API for the monitoring domain of an account."`
	Simulate simulateCmd `cmd:"" help:"The LivePerson simulator alone, for your own tests (docs/simulator.md)."`
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

// simulateCmd are the simulator's options as flags. flagOf says which is which.
type simulateCmd struct {
	Addr      string `help:"Address to listen on." default:"127.0.0.1:8089"`
	ListRules bool   `help:"Print the rules with their basis, defaults and meaning, and end."`

	Dialect    string   `group:"What it takes:" help:"both: each request is judged by the form it comes in; seed: POST with cartStatus and searchContent; reference: PUT with LivePerson's own names." default:"both"`
	Strict     bool     `group:"What it takes:" help:"Refuse what LivePerson does not document, too. On by default." default:"true" negatable:""`
	Lenient    bool     `group:"What it takes:" help:"The same as --no-strict: refuse only what LivePerson's pages say is refused."`
	Rule       []string `group:"What it takes:" help:"Switch a rule or remark: name=on or name=off. May be given again." sep:"," placeholder:"NAME=on|off"`
	Account    []string `group:"What it takes:" help:"An account that it knows. May be given again." sep:"none" default:"12345678"`
	App        []string `group:"What it takes:" help:"An app key of the accounts. May be given again." sep:"none" default:"a1b2c3d4-1234-5678-90ab-cdef12345678"`
	AnyAccount bool     `group:"What it takes:" help:"Take every account with every app key."`
	MaxBody    int      `group:"What it takes:" help:"Largest body, in bytes. 0: 1 MiB." placeholder:"BYTES"`

	Sessions   string        `group:"Sessions:" help:"What an unknown or expired session means: create (a new one, 201) or reject (404 with code 37 or 39)." default:"create"`
	Idle       time.Duration `group:"Sessions:" help:"A session ends when it was not used for so long." default:"30m"`
	MaxAge     time.Duration `group:"Sessions:" help:"A session ends so long after its first report." default:"6h"`
	Cold       int           `group:"Sessions:" help:"How many first calls of an account are answered \"loading account\"." placeholder:"N"`
	ColdFor    time.Duration `group:"Sessions:" help:"How long an account goes on loading after its first call." placeholder:"DURATION"`
	ColdAfter  time.Duration `group:"Sessions:" help:"An account is cold again when it was not called for so long." placeholder:"DURATION"`
	EventCap   int           `group:"Sessions:" help:"Attributes that a session takes before a new one is begun. 0: no cap." placeholder:"N"`
	Cap        int           `group:"Sessions:" help:"Sessions that one identity may begin in a minute. 0: 20, and no cap if lenient; --cap=-1: no cap." placeholder:"N"`
	AccountCap int           `group:"Sessions:" help:"Sessions that an account may begin in a minute. 0: no cap." placeholder:"N"`
	CapStatus  int           `group:"Sessions:" help:"Status of a call that a cap refuses." default:"503"`

	Fault       []string `group:"What it answers:" help:"A fault that is active from the start: a list such as status=503,rate=0.05 or reset=after,count=3, or JSON as for POST /_sim/faults. May be given again." sep:"none" placeholder:"FAULT"`
	Seed        uint64   `group:"What it answers:" help:"Makes the chance of faults with a rate come out the same in every run. 0: a new one." placeholder:"N"`
	ContentType string   `group:"What it answers:" help:"Content-Type of its answers." default:"application/octet-stream"`
	Chunked     bool     `group:"What it answers:" help:"Answer without Content-Length."`
	ExtraFields bool     `group:"What it answers:" help:"Put fields that nobody knows into answers."`
	Engagement  []string `group:"What it answers:" help:"An offer of /engagement. entry limits it to calls with such an entry point. May be given again." sep:"none" placeholder:"campaign=N,id=N[,revision=N][,connector=N][,entry=TEXT]"`
	Talk        []string `group:"What it answers:" name:"conversation" help:"An open conversation of a sub. May be given again." sep:"none" placeholder:"SUB=ID"`

	Host       string `group:"Domain API:" help:"The host that it answers. Default: the one it was asked at." placeholder:"HOST"`
	MovedHost  string `group:"Domain API:" help:"The host that it answers after --moved-after lookups; the old one is cut off then." placeholder:"HOST"`
	MovedAfter int    `group:"Domain API:" help:"Lookups before the host moves." placeholder:"N"`
	HostList   bool   `group:"Domain API:" help:"Answer for one service as a list."`

	Quiet       bool `group:"What it keeps:" help:"Keep no headers and bodies of requests, for load tests."`
	MaxRequests int  `group:"What it keeps:" help:"Requests that are kept to look at. 0: 10,000." placeholder:"N"`
	MaxVisitors int  `group:"What it keeps:" help:"Visitors that are kept. 0: 100,000." placeholder:"N"`
	MaxHistory  int  `group:"What it keeps:" help:"Attributes that are kept of one visitor. 0: 500." placeholder:"N"`
}

// flagOf names the flag of each of the simulator's options that can be wrong.
var flagOf = map[string]string{
	"Dialect": "dialect", "SessionMode": "sessions", "Rules": "rule", "Accounts": "account", "Faults": "fault", "CapStatus": "cap-status",
	"IdleTimeout": "idle", "MaxAge": "max-age", "ColdCalls": "cold", "ColdFor": "cold-for", "ColdAfter": "cold-after", "EventCap": "event-cap",
	"AccountCap": "account-cap", "ContentType": "content-type", "MaxBody": "max-body", "MovedAfter": "moved-after",
	"MaxRequests": "max-requests", "MaxVisitors": "max-visitors", "MaxHistory": "max-history",
}

func (c *simulateCmd) Run(ctx context.Context, s streams) error {
	if c.ListRules {
		return listRules(s.out)
	}
	o, err := c.options()
	if err != nil {
		return usage{err}
	}
	err = lpsim.Serve(ctx, c.Addr, o, s.out)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// options reads the flags. Its error joins one line for each that is wrong.
func (c *simulateCmd) options() (lpsim.Options, error) {
	o := lpsim.Options{
		Dialect: c.Dialect, Lenient: c.Lenient || !c.Strict, Rules: map[string]bool{}, Accounts: map[string][]string{}, AnyAccount: c.AnyAccount,
		SessionMode: c.Sessions, IdleTimeout: c.Idle, MaxAge: c.MaxAge, ColdCalls: c.Cold, ColdFor: c.ColdFor, ColdAfter: c.ColdAfter,
		EventCap: c.EventCap, SessionCap: c.Cap, AccountCap: c.AccountCap, CapStatus: c.CapStatus, Conversations: map[string]string{},
		Host: c.Host, MovedHost: c.MovedHost, MovedAfter: c.MovedAfter, HostList: c.HostList, ContentType: c.ContentType, Chunked: c.Chunked,
		ExtraFields: c.ExtraFields, MaxBody: c.MaxBody, Seed: c.Seed, MaxRequests: c.MaxRequests, MaxVisitors: c.MaxVisitors, MaxHistory: c.MaxHistory,
		Quiet: c.Quiet,
	}
	for _, account := range c.Account {
		o.Accounts[account] = c.App
	}
	errs := c.readLists(&o)
	if err := o.Check(); err != nil {
		errs = append(errs, flagErrors(err)...)
	}
	return o, errors.Join(errs...)
}

// readLists reads the flags that are small languages of their own.
func (c *simulateCmd) readLists(o *lpsim.Options) (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, rule := range c.Rule {
		name, value, _ := strings.Cut(rule, "=")
		if value != "on" && value != "off" {
			bad("--rule: %q: write name=on or name=off; the names are %s", rule, strings.Join(lpsim.RuleNames(), ", "))
			continue
		}
		o.Rules[name] = value == "on"
	}
	for _, text := range c.Fault {
		f, err := lpsim.ParseFault(text)
		if err != nil {
			bad("--fault: %q: %s", text, strings.ReplaceAll(err.Error(), "\n", "; "))
			continue
		}
		o.Faults = append(o.Faults, f)
	}
	for _, text := range c.Engagement {
		e, err := engagement(text)
		if err != nil {
			bad("--engagement: %q: %w", text, err)
			continue
		}
		o.Engagements = append(o.Engagements, e)
	}
	for _, text := range c.Talk {
		sub, id, ok := strings.Cut(text, "=")
		if !ok || sub == "" || id == "" {
			bad("--conversation: %q: write the sub and the id of its conversation, such as 5be2f7a8=C-9", text)
			continue
		}
		o.Conversations[sub] = id
	}
	return errs
}

// engagement reads campaign=1,id=2,revision=3,connector=4,entry=sec://mugs.
func engagement(text string) (lpsim.Engagement, error) {
	var e lpsim.Engagement
	numbers := map[string]*int64{"campaign": &e.CampaignID, "id": &e.EngagementID, "revision": &e.Revision, "connector": &e.ConnectorID}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		if name == "entry" {
			e.EntryPoint = value
			continue
		}
		into, known := numbers[name]
		n, err := strconv.ParseInt(value, 10, 64)
		if !known || err != nil {
			return e, fmt.Errorf("%q: write numbers for campaign, id, revision and connector, and a text for entry", part)
		}
		*into = n
	}
	if e.CampaignID == 0 || e.EngagementID == 0 {
		return e, errors.New("campaign and id are needed")
	}
	return e, nil
}

// flagErrors names the flags in what lpsim.Options.Check says.
func flagErrors(err error) []error {
	all := []error{err}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		all = many.Unwrap()
	}
	out := slices.Clone(all)
	for i, e := range all {
		if o := (*lpsim.OptionError)(nil); errors.As(e, &o) && flagOf[o.Option] != "" {
			out[i] = fmt.Errorf("--%s: %s", flagOf[o.Option], o.Why)
		}
	}
	return out
}

// listRules prints the table of rules.
func listRules(w io.Writer) error {
	word := func(on bool) string {
		if on {
			return "on"
		}
		return "off"
	}
	table := func(head string, remark bool) error {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, head+"\tCHECK\tBASIS\tSTRICT\tLENIENT\tMEANING")
		for _, r := range lpsim.Rules() {
			if r.Remark == remark {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.ID, r.Basis, word(r.Strict), word(r.Lenient), r.Meaning)
			}
		}
		return t.Flush()
	}
	if err := table("RULE", false); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return table("REMARK", true)
}
