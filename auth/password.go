package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// MinPassword and MaxPassword bound the length of a new password, in
// characters. Any characters will do; the upper bound keeps the work bounded.
const (
	MinPassword = 12
	MaxPassword = 256
)

// CheckPassword says what is wrong with a new password, nil if nothing is.
func CheckPassword(password string) error {
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword:
		return fmt.Errorf("this has %d characters, a password needs %d or more", n, MinPassword)
	case n > MaxPassword:
		return fmt.Errorf("this has %d characters, a password may have %d at most", n, MaxPassword)
	}
	return nil
}

// Passwords hashes and checks passwords with argon2id. Each hash takes
// MemoryKiB while it runs and at most Parallel run at once, so a flood of
// sign-ins waits instead of using up the memory. It is safe for many goroutines.
type Passwords struct {
	o     PasswordOptions
	slots chan struct{}
	decoy string // hash that nobody knows the password of
}

// PasswordOptions tune the cost of a hash. The zero value is ready for use.
type PasswordOptions struct {
	// MemoryKiB of one hash. Default 65536 (64 MiB). Lower makes guessing a
	// stolen hash cheaper; higher makes each sign-in slower.
	MemoryKiB uint32
	// Passes over that memory. Default 3.
	Passes uint32
	// Parallel is how many hashes run at once. Default 2.
	Parallel int
}

// NewPasswords makes a Passwords.
func NewPasswords(o PasswordOptions) *Passwords {
	if o.MemoryKiB == 0 {
		o.MemoryKiB = 64 << 10
	}
	if o.Passes == 0 {
		o.Passes = 3
	}
	if o.Parallel == 0 {
		o.Parallel = 2
	}
	p := &Passwords{o: o, slots: make(chan struct{}, o.Parallel)}
	salt, key := random(saltBytes), random(keyBytes)
	p.decoy = encode(o, salt, key)
	return p
}

const (
	saltBytes = 16
	keyBytes  = 32
	// maxMemoryKiB and maxPasses bound what a stored hash may ask for, so that
	// a damaged row cannot take the machine down.
	maxMemoryKiB = 1 << 20
	maxPasses    = 32
)

// Hash gives a password's hash with its cost and salt, in the form that argon2
// tools share. It blocks while Parallel others run, until ctx ends.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	salt := random(saltBytes)
	key, err := p.derive(ctx, password, salt, p.o)
	if err != nil {
		return "", err
	}
	return encode(p.o, salt, key), nil
}

// Check reports whether password belongs to hash. An empty hash, of an account
// that does not exist, costs as much time as any other and is never right.
func (p *Passwords) Check(ctx context.Context, hash, password string) (bool, error) {
	known := hash != ""
	if !known {
		hash = p.decoy
	}
	o, salt, want, err := decode(hash)
	if err != nil {
		return false, err
	}
	if utf8.RuneCountInString(password) > MaxPassword {
		password, known = "", false // same work, and no
	}
	got, err := p.derive(ctx, password, salt, o)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1 && known, nil
}

func (p *Passwords) derive(ctx context.Context, password string, salt []byte, o PasswordOptions) ([]byte, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a turn to check a password: %w", ctx.Err())
	}
	defer func() { <-p.slots }()
	return argon2.IDKey([]byte(password), salt, o.Passes, o.MemoryKiB, 1, keyBytes), nil
}

func encode(o PasswordOptions, salt, key []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, o.MemoryKiB, o.Passes, b64(salt), b64(key))
}

var errHash = errors.New("stored password hash is damaged: set the password anew with signal user passwd")

func decode(hash string) (o PasswordOptions, salt, key []byte, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return o, nil, nil, errHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=1", &o.MemoryKiB, &o.Passes); n != 2 || err != nil {
		return o, nil, nil, errHash
	}
	if o.MemoryKiB == 0 || o.MemoryKiB > maxMemoryKiB || o.Passes == 0 || o.Passes > maxPasses {
		return o, nil, nil, errHash
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(salt) < 8 {
		return o, nil, nil, errHash
	}
	if key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(key) != keyBytes {
		return o, nil, nil, errHash
	}
	return o, salt, key, nil
}

// random gives n bytes that nobody can guess. crypto/rand never fails.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
