package identity

import (
	"reflect"
	"regexp"
	"testing"
	"time"
)

var salt = []byte("0123456789abcdef")

func TestSessions(t *testing.T) {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name  string
		rules Rules
		at    []time.Duration // of the events, since start
		began []bool
	}{
		{"one visit", Rules{}, []time.Duration{0, time.Minute, 30 * time.Minute}, []bool{true, false, false}},
		{"idle for 30 minutes begins another", Rules{}, []time.Duration{0, 30 * time.Minute}, []bool{true, true}},
		{"each event keeps it awake", Rules{Idle: time.Minute}, []time.Duration{0, 50 * time.Second, 100 * time.Second}, []bool{true, false, false}},
		{"24 hours end even a busy one", Rules{Idle: 25 * time.Hour}, []time.Duration{0, 23 * time.Hour, 24 * time.Hour}, []bool{true, false, true}},
		{"an older receipt changes nothing", Rules{}, []time.Duration{time.Minute, 0, 30 * time.Minute}, []bool{true, false, false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := Visitor{Pipeline: "shop", AnonymousID: "a"}
			var got []bool
			for _, d := range tt.at {
				vid := v.Session.Vid
				got = append(got, v.Touch(start.Add(d), tt.rules, salt))
				if vid != "" && v.Session.Vid != vid {
					t.Error("the visitor's vid changed")
				}
			}
			if !reflect.DeepEqual(got, tt.began) {
				t.Errorf("began = %v, want %v", got, tt.began)
			}
		})
	}
}

func TestIDs(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	a, again, b := Visitor{AnonymousID: "a"}, Visitor{AnonymousID: "a"}, Visitor{AnonymousID: "b"}
	a.Touch(at, Rules{}, salt)
	again.Touch(at, Rules{}, salt)
	b.Touch(at, Rules{}, salt)
	if !reflect.DeepEqual(a.Session, again.Session) {
		t.Errorf("the same visitor and instant gave %v and %v", a.Session, again.Session)
	}
	if a.Session.Vid == b.Session.Vid || a.Session.Sid == b.Session.Sid {
		t.Error("two visitors share ids")
	}
	if !regexp.MustCompile(`^[A-Za-z0-9]{22}$`).MatchString(a.Session.Vid) {
		t.Errorf("vid %q is not 22 letters and digits", a.Session.Vid)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`).MatchString(a.Session.Sid) {
		t.Errorf("sid %q is not 22 characters of base64url", a.Session.Sid)
	}
}

func TestIdentify(t *testing.T) {
	v := Visitor{}
	v.Identify("u1", map[string]any{"plan": "free", "name": "Jo"})
	changed := v.Identify("", map[string]any{"plan": "gold"})
	if want := (map[string]any{"plan": "gold", "name": "Jo"}); !reflect.DeepEqual(v.Traits, want) || v.UserID != "u1" {
		t.Errorf("visitor = %+v, want traits %v and u1", v, want)
	}
	if !reflect.DeepEqual(changed, []string{"traits"}) {
		t.Errorf("changed = %v", changed)
	}
	if got := v.Identify("u1", nil); got != nil {
		t.Errorf("nothing new, changed = %v", got)
	}
}
