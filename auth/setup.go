package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/datafly/signal/store"
)

// SetupLasts is how long a set-up link works. Who sees the server's output in
// that time can make the first account.
const SetupLasts = 30 * time.Minute

// NewSetup makes a token for the address /setup/{token}, which makes the first
// account once. It gives "" when there is an account already.
func NewSetup(ctx context.Context, s Store) (token string, until time.Time, err error) {
	n, err := s.CountUsers(ctx)
	if err != nil || n > 0 {
		return "", time.Time{}, err
	}
	token = base64.RawURLEncoding.EncodeToString(random(24))
	until = time.Now().Add(SetupLasts)
	if err := s.CreateSetupToken(ctx, setupHash(token), until); err != nil {
		return "", time.Time{}, err
	}
	return token, until, nil
}

// setupHash is what the store keeps, so that a copy of it opens nothing.
func setupHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// ErrSetup means that a set-up link was used, is too old, or was never given.
var ErrSetup = errors.New("this link was used or is too old: start signal serve again to print a new one")

// SetupOpen reports whether a set-up link still works.
func (a *Auth) SetupOpen(ctx context.Context, token string) (bool, error) {
	n, err := a.store.CountUsers(ctx)
	if err != nil || n > 0 {
		return false, err
	}
	return a.store.SetupToken(ctx, setupHash(token))
}

// Faults are what is wrong with a form, by the field's name.
type Faults map[string]string

// Error names the fields.
func (f Faults) Error() string {
	var names []string
	for k := range f {
		names = append(names, k)
	}
	return "fields at fault: " + strings.Join(names, ", ")
}

// Person is an account that is to be made.
type Person struct{ Name, Email, Password string }

// Check gives what is wrong with p, nil if nothing is.
func (p Person) Check() Faults {
	f := Faults{}
	if n := utf8.RuneCountInString(strings.TrimSpace(p.Name)); n == 0 || n > 100 {
		f["name"] = "Your name, of up to 100 characters."
	}
	if !looksLikeEmail(strings.TrimSpace(p.Email)) {
		f["email"] = "An e-mail looks like name@example.com."
	}
	if err := CheckPassword(p.Password); err != nil {
		f["password"] = strings.ToUpper(err.Error()[:1]) + err.Error()[1:] + "."
	}
	if len(f) == 0 {
		return nil
	}
	return f
}

// Setup makes the first account, an admin, with a set-up link, and signs it
// in. It returns Faults, ErrSetup, or an error of ours. The link stays good
// while the form has faults.
func (a *Auth) Setup(r *http.Request, token string, p Person) error {
	ctx := r.Context()
	open, err := a.SetupOpen(ctx, token)
	if err != nil {
		return err
	}
	if !open {
		return ErrSetup
	}
	if f := p.Check(); f != nil {
		return f
	}
	hash, err := a.Hash(ctx, p.Password)
	if err != nil {
		return err
	}
	good, err := a.store.UseSetupToken(ctx, setupHash(token))
	if err != nil {
		return err
	}
	if !good {
		return ErrSetup
	}
	u, err := a.store.AddUser(ctx, store.User{
		Name: strings.TrimSpace(p.Name), Email: strings.TrimSpace(p.Email), Role: string(Admin), PasswordHash: hash,
	})
	if err != nil {
		return fmt.Errorf("make the first account: %w", err)
	}
	return a.begin(ctx, u)
}
