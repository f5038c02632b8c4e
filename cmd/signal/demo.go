package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/datafly/signal/auth"
	"github.com/datafly/signal/config"
	"github.com/datafly/signal/demo"
	"github.com/datafly/signal/integrations/liveperson/lpsim"
	"github.com/datafly/signal/ops"
	"github.com/datafly/signal/store"
)

type demoCmd struct {
	Data          string `help:"Folder of the journal and the database." default:"./signal-demo" env:"SIGNAL_DATA" placeholder:"DIR"`
	Fresh         bool   `help:"Start anew: forget what is in the folder."`
	Visitors      int    `help:"Simulated shoppers." default:"0" placeholder:"N"`
	GatewayAddr   string `help:"Address of the gateway." default:"127.0.0.1:8080"`
	ConsoleAddr   string `help:"Address of the console." default:"127.0.0.1:8084"`
	ShopAddr      string `help:"Address of the sample shop." default:"127.0.0.1:8088"`
	SimulatorAddr string `help:"Address of the LivePerson simulator." default:"127.0.0.1:8089"`
	Dialect       string `help:"Dialect of the LivePerson integration: signal or liveperson." default:"signal"`
	LogLevel      string `help:"debug, info, warn or error." default:"warn" env:"SIGNAL_LOG_LEVEL"`
}

const (
	demoKey   = "dk_test_demo"
	demoLogin = "mira@kettleandpine.example"
)

// demoConfig is the configuration of the demo, as a user would write it.
const demoConfig = `
data: %q
gateway: {addr: %q}
console: {addr: %q, api_tokens: [{name: demo, token: %q, role: org_admin}]}
outbound: {allow_http: true, allow_hosts: [127.0.0.1, localhost]}
pipelines:
  - name: shop
    key: ` + demoKey + `
    allowed_origins: [%q, %q]
    consent:
      when_unknown: deny
      mapping: {C0001: essential, C0002: analytics, C0003: functional, C0004: marketing}
    integrations:
      - name: liveperson
        vendor: liveperson
        settings: {monitoring_domain: %q, account_id: %q, app_installation_id: %q, dialect: %q}
        consent_categories: [marketing]
        preset: retail
`

func (c *demoCmd) Run(ctx context.Context, s streams) error {
	log, err := ops.Log(s.err, "text", c.LogLevel)
	if err != nil {
		return usage{err}
	}
	if err := c.prepare(); err != nil {
		return err
	}
	simulatorAt, err := net.Listen("tcp", c.SimulatorAddr)
	if err != nil {
		return fmt.Errorf("--simulator-addr: %w: stop what uses it, or choose another address", err)
	}
	defer simulatorAt.Close()
	shopAt, err := net.Listen("tcp", c.ShopAddr)
	if err != nil {
		return fmt.Errorf("--shop-addr: %w: stop what uses it, or choose another address", err)
	}
	defer shopAt.Close()
	d := &demoRun{cmd: c, out: s, shopAt: shopAt, token: "demo-" + randomText(12), password: randomText(8)}
	_, shopPort, _ := net.SplitHostPort(shopAt.Addr().String())
	src := fmt.Sprintf(demoConfig, c.Data, c.GatewayAddr, c.ConsoleAddr, d.token,
		"http://"+shopAt.Addr().String(), "http://localhost:"+shopPort,
		simulatorAt.Addr().String(), lpsim.DefaultAccount, lpsim.DefaultApp, c.Dialect)
	cfg, err := config.Parse("demo", []byte(src), vendors())
	if err != nil {
		return usage{err}
	}
	var simulator sync.WaitGroup
	simulating, stop := context.WithCancel(context.WithoutCancel(ctx))
	simulator.Go(func() {
		if err := lpsim.New(lpsim.Options{SessionCap: -1}).ServeOn(simulating, simulatorAt); err != nil {
			log.Error("the simulator stopped", "error", err)
		}
	})
	d.simulator = "http://" + simulatorAt.Addr().String()
	err = serve(ctx, cfg, serveOptions{log: log, started: d.started})
	stop()
	simulator.Wait()
	return err
}

// marker tells a folder of the demo from one that --fresh must not empty.
const marker = "signal-demo.txt"

// prepare makes the folder, and empties it first with --fresh.
func (c *demoCmd) prepare() error {
	mark := filepath.Join(c.Data, marker)
	entries, err := os.ReadDir(c.Data)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("--data: %w", err)
	}
	if _, err := os.Stat(mark); err != nil && len(entries) > 0 {
		return usage{fmt.Errorf("--data: %s holds something that is not of the demo: name another folder", c.Data)}
	}
	if c.Fresh {
		if err := os.RemoveAll(c.Data); err != nil {
			return fmt.Errorf("--fresh: %w: stop the demo that runs there", err)
		}
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("--data: %w: name a folder that can be written to", err)
	}
	return os.WriteFile(mark, []byte("Data of `signal demo`. It may be deleted at any time.\n"), 0o600)
}

func randomText(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // does not fail
	return hex.EncodeToString(b)
}

// demoRun is what the demo adds to a running server.
type demoRun struct {
	cmd             *demoCmd
	out             streams
	shopAt          net.Listener
	simulator       string
	token, password string
}

// started opens the shop, lets the shoppers in and says where everything is.
func (d *demoRun) started(ctx context.Context, s *server) error {
	if err := d.login(ctx, s.store); err != nil {
		return err
	}
	gateway, console, shop := address(s.gatewayAt), address(s.consoleAt), address(d.shopAt)
	handler := demo.Shop(demo.ShopOptions{
		GatewayURL: gateway, PipelineKey: demoKey, ConsoleURL: console, SimulatorURL: d.simulator,
		Outcomes: outcomes(s.store), Log: s.log,
	})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if _, err := demo.Shoppers(ctx, demo.ShoppersOptions{GatewayURL: gateway, PipelineKey: demoKey, ShopURL: shop, Visitors: d.cmd.Visitors, Log: s.log}); err != nil && ctx.Err() == nil {
			s.log.Error("the shoppers went home", "error", err)
		}
	})
	d.say(gateway, console, shop)
	return serveHTTP(ctx, d.shopAt, handler)
}

func (d *demoRun) say(gateway, console, shop string) {
	fmt.Fprintf(d.out.out, `
Signal runs. Everything below is on this machine, and nothing is sold.

  Shop        %s     look at a mug, allow marketing, buy it
  Console     %s     the Event Debugger shows what became of it
              sign in as %s, password %s
  Simulator   %s     what a LivePerson agent would now know
  Gateway     %s     pipeline key %s

  For scripts:  export SIGNAL_URL=%s SIGNAL_TOKEN=%s
                signal tail · signal verify

Ctrl-C stops it. The data stays in %s.

`, shop, console, demoLogin, d.password, d.simulator, gateway, demoKey, console, d.token, d.cmd.Data)
}

// login makes the account of the demo, with a password of this run.
func (d *demoRun) login(ctx context.Context, s *store.Store) error {
	hash, err := auth.NewPasswords(auth.PasswordOptions{}).Hash(ctx, d.password)
	if err != nil {
		return err
	}
	u, ok, err := s.UserByEmail(ctx, demoLogin)
	if err != nil {
		return err
	}
	if ok {
		return s.SetPassword(ctx, u.ID, hash)
	}
	_, err = s.AddUser(ctx, store.User{Email: demoLogin, Name: "Mira Okafor", Role: string(auth.Admin), PasswordHash: hash})
	return err
}

// outcomes looks up how events ended, for the shop's panel.
func outcomes(s *store.Store) func(context.Context, []string) map[string]demo.Outcome {
	return func(ctx context.Context, ids []string) map[string]demo.Outcome {
		out := map[string]demo.Outcome{}
		for _, id := range ids {
			t, ok, err := s.Trace(ctx, id)
			if err != nil || !ok {
				continue
			}
			out[id] = demo.Outcome{Outcome: string(t.Outcome), Reason: strings.TrimPrefix(t.Reason, "consent: "), Status: t.Status}
		}
		return out
	}
}
