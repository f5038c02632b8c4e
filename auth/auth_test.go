package auth

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestRoles(t *testing.T) {
	all := []Role{"", "root", Viewer, Editor, Admin}
	for i, have := range all {
		for j, need := range all {
			want := i >= j && j >= 2
			if got := have.May(need); got != want {
				t.Errorf("%q may what needs %q = %v, want %v", have, need, got, want)
			}
		}
	}
	for _, r := range []string{"viewer", "editor", "org_admin"} {
		if got, err := ParseRole(r); err != nil || string(got) != r {
			t.Errorf("ParseRole(%q) = %q, %v", r, got, err)
		}
	}
	if _, err := ParseRole("Admin"); err == nil {
		t.Error("ParseRole takes a role that is not there")
	}
}

func TestPasswords(t *testing.T) {
	p := NewPasswords(PasswordOptions{})
	hash, err := p.Hash(t.Context(), "correct horse battery")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=3,p=1$") {
		t.Fatalf("hash = %q, %v", hash, err)
	}
	again, _ := p.Hash(t.Context(), "correct horse battery")
	if again == hash {
		t.Error("two hashes of one password are equal: the salt is not random")
	}
	for _, tt := range []struct {
		name, hash, password string
		want                 bool
	}{
		{"the right one", hash, "correct horse battery", true},
		{"another one", hash, "correct horse batterY", false},
		{"the empty one", hash, "", false},
		{"of an account that is not there", "", "correct horse battery", false},
		{"far too long", hash, strings.Repeat("x", 1<<20), false},
	} {
		if got, err := p.Check(t.Context(), tt.hash, tt.password); got != tt.want || err != nil {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
	for _, bad := range []string{"x", "$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA", strings.Replace(hash, "m=65536", "m=4194304000", 1), strings.Replace(hash, "t=3", "t=0", 1), hash[:len(hash)-5]} {
		if ok, err := p.Check(t.Context(), bad, "correct horse battery"); ok || err == nil {
			t.Errorf("damaged hash %.40q = %v, %v, want an error", bad, ok, err)
		}
	}
	for _, short := range []string{"", "elevenchars", strings.Repeat("é", 11), strings.Repeat("x", 257)} {
		if _, err := p.Hash(t.Context(), short); err == nil {
			t.Errorf("a password of %d characters is taken", len([]rune(short)))
		}
	}
	if _, err := p.Hash(t.Context(), strings.Repeat("é", 12)); err != nil {
		t.Errorf("12 characters of any kind: %v", err)
	}
}

// At most so many hashes run at once; who waits can give up.
func TestHashesWaitForATurn(t *testing.T) {
	p := NewPasswords(PasswordOptions{MemoryKiB: 64, Passes: 1, Parallel: 1})
	p.slots <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Hash(ctx, "correct horse battery"); err == nil {
		t.Error("a hash ran although the only place was taken")
	}
	<-p.slots
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := p.Hash(t.Context(), "correct horse battery"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter()
		here, there := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8")
		for n := range MaxTries {
			if left, _, ok := l.Take("A@example.com ", here, time.Now()); !ok || left != MaxTries-1-n {
				t.Fatalf("try %d: left %d, %v", n, left, ok)
			}
		}
		if _, until, ok := l.Take("a@example.com", here, time.Now()); ok || time.Until(until) != Pause {
			t.Errorf("a sixth try: %v until %v", ok, until)
		}
		if _, _, ok := l.Take("a@example.com", there, time.Now()); !ok {
			t.Error("the owner is locked out from elsewhere")
		}
		if _, _, ok := l.Take("b@example.com", here, time.Now()); !ok {
			t.Error("another account is locked too")
		}
		time.Sleep(Pause - time.Second)
		if _, _, ok := l.Take("a@example.com", here, time.Now()); ok {
			t.Error("the wait was too short")
		}
		time.Sleep(time.Second)
		if left, _, ok := l.Take("a@example.com", here, time.Now()); !ok || left != MaxTries-1 {
			t.Errorf("after the wait: %d, %v", left, ok)
		}
		l.Right("a@example.com", here)
		if left, _, _ := l.Take("a@example.com", here, time.Now()); left != MaxTries-1 {
			t.Errorf("after a right password %d are left", left)
		}
	})
}

func TestLimiterBoundsOneAddressAndItsMemory(t *testing.T) {
	l := NewLimiter()
	now := time.Now()
	refused := 0
	for i := range 2 * perAddress { // one household of IPv6, many accounts
		from := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)})
		if _, _, ok := l.Take(fmt.Sprintf("user%d@example.com", i), from, now); !ok {
			refused++
		}
	}
	if refused != perAddress {
		t.Errorf("%d of %d tries of one address were refused", refused, 2*perAddress)
	}
	for i := range 3 * maxKeys {
		l.Take(fmt.Sprint(i), netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now.Add(time.Duration(i)))
		if i%1000 == 0 && len(l.counts) > maxKeys {
			t.Fatalf("%d counts are kept", len(l.counts))
		}
	}
}

func TestTokens(t *testing.T) {
	tokens, err := NewTokens([]Token{{"ci", "ci-secret-1", Editor}, {"ops", "ops-secret-1", Admin}})
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{"ci-secret-1": "ci", "ops-secret-1": "ops", "ci-secret-2": "", "": "", "ci-secret-1 ": ""} {
		if got, ok := tokens.Actor(token); got.Name != want || ok != (want != "") {
			t.Errorf("Actor(%q) = %+v, %v, want %q", token, got, ok, want)
		}
	}
	_, err = NewTokens([]Token{{"a", "", Editor}, {"b", "secret-value", "root"}})
	if err == nil || !strings.Contains(err.Error(), "token of a is empty") || !strings.Contains(err.Error(), "role of b") || strings.Contains(err.Error(), "secret-value") {
		t.Errorf("err = %v, want both faults and no token", err)
	}
}

func TestBearer(t *testing.T) {
	for header, want := range map[string]string{"Bearer abc": "abc", "bearer  abc ": "abc", "Basic abc": "-", "": "-", "Bearer": "-"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		got, ok := Bearer(r)
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("Bearer of %q = %q, want %q", header, got, want)
		}
	}
}

func TestPersonCheckNamesEveryField(t *testing.T) {
	if f := (Person{"Jonas", "jonas@example.com", "twelve letters"}).Check(); f != nil {
		t.Errorf("a good person has faults: %v", f)
	}
	f := Person{" ", "jonas", "short"}.Check()
	if len(f) != 3 || f["password"] != "This has 5 characters, a password needs 12 or more." {
		t.Errorf("faults = %v", f)
	}
}
