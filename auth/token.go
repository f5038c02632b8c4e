package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// A Token is an API token as the configuration gives it.
type Token struct {
	Name  string
	Token string // the secret itself; kept here only as its hash
	Role  Role
}

// Tokens knows the API tokens by their hashes. It is safe for many goroutines.
type Tokens struct{ known []hashed }

type hashed struct {
	sum   [sha256.Size]byte
	actor Actor
}

// NewTokens reads the tokens of the configuration; its error joins all faults
// and shows no token.
func NewTokens(tokens []Token) (*Tokens, error) {
	var t Tokens
	var faults []error
	for i, k := range tokens {
		name := k.Name
		if name == "" {
			name = fmt.Sprintf("api_tokens[%d]", i)
		}
		if k.Token == "" {
			faults = append(faults, fmt.Errorf("token of %s is empty: give it a long random text", name))
			continue
		}
		if _, err := ParseRole(string(k.Role)); err != nil {
			faults = append(faults, fmt.Errorf("role of %s: %w", name, err))
			continue
		}
		t.known = append(t.known, hashed{sha256.Sum256([]byte(k.Token)), Actor{Name: name, Role: k.Role}})
	}
	return &t, errors.Join(faults...)
}

// Actor finds who a token belongs to. It takes the same time whichever token
// matches, and when none does.
func (t *Tokens) Actor(token string) (Actor, bool) {
	sum := sha256.Sum256([]byte(token))
	found := -1
	for i := range t.known {
		if subtle.ConstantTimeCompare(sum[:], t.known[i].sum[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Actor{}, false
	}
	return t.known[found].actor, true
}

// Bearer gives the token of an Authorization header, and whether there was one.
func Bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}
