package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/datafly/signal/store"
)

// Store is what auth keeps. *store.Store is one.
type Store interface {
	AddUser(ctx context.Context, u store.User) (store.User, error)
	UserByEmail(ctx context.Context, email string) (store.User, bool, error)
	User(ctx context.Context, id string) (store.User, bool, error)
	CountUsers(ctx context.Context) (int, error)
	SeenUser(ctx context.Context, id string, at time.Time) error

	FindWebSession(ctx context.Context, token string) (data []byte, found bool, err error)
	CommitWebSession(ctx context.Context, token string, data []byte, expiry time.Time) error
	DeleteWebSession(ctx context.Context, token string) error

	CreateSetupToken(ctx context.Context, hash string, expires time.Time) error
	SetupToken(ctx context.Context, hash string) (bool, error)
	UseSetupToken(ctx context.Context, hash string) (bool, error)
}

var _ Store = (*store.Store)(nil)

// Options tune an Auth. The zero value is ready for use on plain HTTP.
type Options struct {
	// Tokens are the API tokens of the configuration.
	Tokens []Token
	// Secure marks the cookie for HTTPS alone. Set it wherever the console is
	// reached over HTTPS.
	Secure bool
	// Idle ends a session without a request. Default 12 h.
	Idle time.Duration
	// Max ends a session however busy. Default 7 days.
	Max time.Duration
	// Passwords is the cost of a password hash.
	Passwords PasswordOptions
}

// Auth knows who makes a request, and signs people in and out. It is safe for
// many goroutines.
type Auth struct {
	store     Store
	sessions  *scs.SessionManager
	passwords *Passwords
	tokens    *Tokens
	limit     *Limiter
}

// New makes an Auth. Its error joins what is wrong with the tokens.
func New(s Store, o Options) (*Auth, error) {
	tokens, err := NewTokens(o.Tokens)
	if err != nil {
		return nil, err
	}
	// New starts a goroutine for its own store in memory. Stopping it races with
	// its start, so it stays: one a process, awake once a minute.
	// Made by hand, as scs.New starts a goroutine that would stay for good.
	m := &scs.SessionManager{
		IdleTimeout: or(o.Idle, 12*time.Hour), Lifetime: or(o.Max, 7*24*time.Hour),
		Store: sessionStore{s}, HashTokenInStore: true, Codec: scs.GobCodec{},
		Cookie: scs.SessionCookie{Name: "signal_session", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Persist: true},
	}
	if o.Secure {
		m.Cookie.Secure = true
		m.Cookie.Name = "__Host-signal_session"
	}
	m.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) {
		http.Error(w, "The session could not be read. Try again.", http.StatusInternalServerError)
	}
	return &Auth{store: s, sessions: m, passwords: NewPasswords(o.Passwords), tokens: tokens, limit: NewLimiter()}, nil
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

const (
	keyUser  = "user"
	keyProof = "proof" // fingerprint of the password hash: a new password ends all sessions
)

// Wrap makes h know who calls it: auth.From(ctx) is the Actor of an API token
// or of the session, or the zero Actor. It refuses writes that a browser makes
// from another site. A wrong token is nobody, even beside a good session.
func (a *Auth) Wrap(h http.Handler) http.Handler {
	known := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(With(r.Context(), a.session(r.Context()))))
	})
	browser := a.sessions.LoadAndSave(known)
	sameSite := http.NewCrossOriginProtection()
	sameSite.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "This came from another site. Open the console itself and try again.", http.StatusForbidden)
	}))
	return sameSite.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token, ok := Bearer(r); ok {
			actor, _ := a.tokens.Actor(token)
			h.ServeHTTP(w, r.WithContext(With(r.Context(), actor)))
			return
		}
		browser.ServeHTTP(w, r)
	}))
}

// session finds who the session in ctx belongs to. A role that was changed
// holds from the next request on.
func (a *Auth) session(ctx context.Context) Actor {
	id := a.sessions.GetString(ctx, keyUser)
	if id == "" {
		return Actor{}
	}
	u, ok, err := a.store.User(ctx, id)
	if err != nil || !ok || a.sessions.GetString(ctx, keyProof) != proof(u) {
		return Actor{}
	}
	return Actor{ID: u.ID, Name: u.Name, Email: u.Email, Role: Role(u.Role)}
}

// Still reports whether an actor may do now what they could when they came: a
// page that stays open for hours asks it again. Tokens stay until a restart.
func (a *Auth) Still(ctx context.Context, actor Actor) bool {
	if actor.ID == "" {
		return actor.Known()
	}
	u, ok, err := a.store.User(ctx, actor.ID)
	return err != nil || ok && Role(u.Role) == actor.Role
}

func proof(u store.User) string {
	sum := sha256.Sum256([]byte(u.PasswordHash))
	return hex.EncodeToString(sum[:8])
}

// ErrWrong means that e-mail or password is wrong; which of them is not said.
var ErrWrong = errors.New("e-mail or password is wrong")

// A Refusal is a sign-in that did not succeed, with what the person is told.
type Refusal struct {
	Left  int       // tries that remain before the wait
	Until time.Time // when the tries are used up: until when to wait
}

// Error is the one text for both faults.
func (r *Refusal) Error() string {
	minutes := int(Pause.Minutes())
	switch {
	case r.Left > 1:
		return fmt.Sprintf("E-mail or password is wrong. After %d more tries you wait %d minutes.", r.Left, minutes)
	case r.Left == 1:
		return fmt.Sprintf("E-mail or password is wrong. After 1 more try you wait %d minutes.", minutes)
	}
	wait := max(1, int((time.Until(r.Until)+time.Minute-1)/time.Minute))
	if wait == 1 {
		return "Too many tries. Wait 1 minute, then try again."
	}
	return fmt.Sprintf("Too many tries. Wait %d minutes, then try again.", wait)
}

// Unwrap makes a Refusal an ErrWrong.
func (r *Refusal) Unwrap() error { return ErrWrong }

// SignIn checks a password and begins a session in r's context. It returns a
// *Refusal when it is wrong or the tries are used up; any other error is ours.
// The work is the same for an e-mail that nobody has.
func (a *Auth) SignIn(r *http.Request, email, password string) error {
	from := address(r)
	left, until, ok := a.limit.Take(email, from, time.Now())
	if !ok {
		return &Refusal{Until: until}
	}
	u, _, err := a.store.UserByEmail(r.Context(), email)
	if err != nil {
		return err
	}
	right, err := a.passwords.Check(r.Context(), u.PasswordHash, password)
	if err != nil {
		return err
	}
	if !right {
		return &Refusal{Left: left, Until: until}
	}
	a.limit.Right(email, from)
	return a.begin(r.Context(), u)
}

func (a *Auth) begin(ctx context.Context, u store.User) error {
	// A new token, so that one that was put into the browser before the
	// sign-in is worth nothing.
	if err := a.sessions.RenewToken(ctx); err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	a.sessions.Put(ctx, keyUser, u.ID)
	a.sessions.Put(ctx, keyProof, proof(u))
	return a.store.SeenUser(ctx, u.ID, time.Now())
}

// SignOut ends the session in ctx.
func (a *Auth) SignOut(ctx context.Context) error { return a.sessions.Destroy(ctx) }

// Hash makes the hash of a new password; its error says what is wrong with it.
func (a *Auth) Hash(ctx context.Context, password string) (string, error) {
	return a.passwords.Hash(ctx, password)
}

// address is where a request comes from, as far as the limits are concerned.
func address(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr()
}

// sessionStore is the store as scs wants it.
type sessionStore struct{ s Store }

var _ scs.CtxStore = sessionStore{}

func (s sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	return s.s.FindWebSession(ctx, token)
}

func (s sessionStore) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	return s.s.CommitWebSession(ctx, token, b, expiry)
}

func (s sessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.s.DeleteWebSession(ctx, token)
}

func (s sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

func (s sessionStore) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

func (s sessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// looksLikeEmail is a plain check against typing errors; only a message that
// arrives would prove more.
func looksLikeEmail(s string) bool {
	at := strings.IndexByte(s, '@')
	return at > 0 && at < len(s)-1 && len(s) <= 254 && !strings.ContainsAny(s, " \t\r\n<>\"") && strings.Count(s, "@") == 1
}
