package liveperson

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/datafly/signal/integrations"
)

// DomainAPI is where LivePerson tells the hosts of an account.
const DomainAPI = "https://api.liveperson.net"

// Errors that a caller of Resolve tells apart.
var (
	// ErrNoAccount: LivePerson knows no such account.
	ErrNoAccount = errors.New("no such account")
	// ErrNoDomain: the Domain API gave no domain that can be used, or no
	// answer. The domain can be typed by hand.
	ErrNoDomain = errors.New("no domain")
)

// A Resolver asks the Domain API. It remembers nothing. It is safe for many
// goroutines.
type Resolver struct {
	base string
	out  integrations.Outbound
	http *http.Client
}

// NewResolver gives a Resolver. base is the Domain API's address; "" means
// DomainAPI, another is for tests and the demo.
func NewResolver(base string, out integrations.Outbound) *Resolver {
	return newResolver(base, out, integrations.ClientOptions{})
}

func newResolver(base string, out integrations.Outbound, opts integrations.ClientOptions) *Resolver {
	if base == "" {
		base = DomainAPI
	}
	opts.Idle = 1
	client := out.Client(opts)
	client.Timeout = 10 * time.Second
	return &Resolver{base: strings.TrimSuffix(base, "/"), out: out, http: client}
}

// Resolve gives the monitoring domain of an account. Its error is a sentence
// for a person and wraps ErrNoAccount or ErrNoDomain.
func (r *Resolver) Resolve(ctx context.Context, account string) (string, error) {
	if !accountForm.MatchString(account) {
		return "", refusal{"an account ID has 1 to 20 letters, digits or underscores, such as 12345678", ErrNoAccount}
	}
	body, err := r.ask(ctx, account)
	if err != nil {
		return "", err
	}
	host := strings.ToLower(domainIn(body))
	if host == "" {
		return "", refusal{"LivePerson's Domain API names no domain for the service smt; ask LivePerson whether monitoring is part of this account", ErrNoDomain}
	}
	if _, err := checkHost(host, r.out); err != nil {
		return "", refusal{"LivePerson's Domain API names a domain that Signal does not go to: it " + err.Error(), ErrNoDomain}
	}
	return host, nil
}

func (r *Resolver) ask(ctx context.Context, account string) ([]byte, error) {
	address := r.base + "/api/account/" + url.PathEscape(account) + "/service/smt/baseURI.json?version=1.0"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, refusal{"the address of the Domain API is not valid", ErrNoDomain}
	}
	req.Header.Set("Accept", "application/json")
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, refusal{"LivePerson's Domain API cannot be reached: " + plainCause(err) + "; try again, or type the domain by hand", ErrNoDomain}
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusNotFound:
		return nil, refusal{"LivePerson knows no account " + account, ErrNoAccount}
	default:
		return nil, refusal{fmt.Sprintf("LivePerson's Domain API answered %d; try again later, or type the domain by hand", resp.StatusCode), ErrNoDomain}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, refusal{"the answer of LivePerson's Domain API was cut off; try again", ErrNoDomain}
	}
	return body, nil
}

// plainCause words a transport error without its address, in half a sentence.
func plainCause(err error) string {
	if name, _ := wrongSetting(err); name != "" {
		return "its address is not one that Signal may go to, or is not known"
	}
	sentence := cause(err, 10*time.Second)
	return strings.ToLower(sentence[:1]) + strings.TrimSuffix(sentence[1:], ".")
}

// domainIn reads either shape of the Domain API's answer: one service, or a
// list of services.
func domainIn(body []byte) string {
	type service struct {
		Service string `json:"service"`
		BaseURI string `json:"baseURI"`
	}
	var one struct {
		service
		BaseURIs []service `json:"baseURIs"`
	}
	if json.Unmarshal(body, &one) != nil {
		return ""
	}
	if one.BaseURI != "" {
		return one.BaseURI
	}
	for _, s := range one.BaseURIs {
		if s.Service == "smt" {
			return s.BaseURI
		}
	}
	return ""
}

// refusal is a sentence for a person, with what a caller branches on.
type refusal struct {
	text string
	kind error
}

func (r refusal) Error() string { return r.text }
func (r refusal) Unwrap() error { return r.kind }
