package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/datafly/signal/config"
)

// remote says which running server a command talks to.
type remote struct {
	URL    string `help:"Address of the console; or --config names it." env:"SIGNAL_URL" placeholder:"URL"`
	Token  string `help:"API token; or --config names it." env:"SIGNAL_TOKEN" placeholder:"TOKEN"`
	Config string `help:"Configuration whose console and first token are used." env:"SIGNAL_CONFIG" placeholder:"FILE"`
}

// client speaks to the Management API of a running server.
type client struct {
	base, token string
}

// open finds address and token.
func (r *remote) open() (*client, error) {
	c := &client{base: strings.TrimSuffix(r.URL, "/"), token: r.Token}
	if c.base != "" && c.token != "" {
		return c, nil
	}
	path := r.Config
	if path == "" {
		if _, err := os.Stat("signal.yaml"); err != nil {
			return nil, usage{errors.New("which server: set SIGNAL_URL and SIGNAL_TOKEN, or name the configuration with --config")}
		}
		path = "signal.yaml"
	}
	cfg, err := config.Load(path, vendors())
	if err != nil {
		return nil, err
	}
	if c.base == "" {
		c.base = "http://" + strings.Replace(cfg.ConsoleAddr, "0.0.0.0", "127.0.0.1", 1)
		if strings.HasPrefix(cfg.ConsoleAddr, ":") {
			c.base = "http://127.0.0.1" + cfg.ConsoleAddr
		}
	}
	if c.token == "" {
		if len(cfg.Tokens) == 0 {
			return nil, usage{fmt.Errorf("%s has no console.api_tokens: add one, or set SIGNAL_TOKEN", path)}
		}
		c.token = cfg.Tokens[0].Token
	}
	return c, nil
}

// request makes a request below /v1/admin/.
func (c *client) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	var send io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		send = bytes.NewReader(b)
	}
	at := c.base + "/v1/admin/" + path
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, at, send)
	if err != nil {
		return nil, usage{fmt.Errorf("SIGNAL_URL: %q is no address: write http://127.0.0.1:8084", c.base)}
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no server answers at %s: %w: is `signal serve` running there?", c.base, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refused(resp)
}

// refusal is an answer that is not a success.
type refusal struct {
	status int
	say    string
}

func (r refusal) Error() string { return r.say }

// refused words an answer that is not a success.
func refused(resp *http.Response) error {
	var said struct {
		Error struct{ Code, Message string } `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&said); err != nil || said.Error.Code == "" {
		return fmt.Errorf("the server answers %s: is this the address of a Signal console?", resp.Status)
	}
	return refusal{resp.StatusCode, fmt.Sprintf("the server answers %d %s: %s", resp.StatusCode, said.Error.Code, said.Error.Message)}
}

// get reads one JSON answer.
func (c *client) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.exchange(ctx, http.MethodGet, path, query, nil, into)
}

// post sends a body and reads one JSON answer.
func (c *client) post(ctx context.Context, path string, body, into any) error {
	return c.exchange(ctx, http.MethodPost, path, nil, body, into)
}

func (c *client) exchange(ctx context.Context, method, path string, query url.Values, body, into any) error {
	resp, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", path, err)
	}
	return nil
}
