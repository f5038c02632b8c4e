package integrations_test

import (
	"testing"
	"time"

	"github.com/datafly/signal/integrations"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 2, 25, 14, 30, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, " 5 ": 5 * time.Second, "-3": 0, "1.5": 0, "soon": 0,
		"Wed, 25 Feb 2026 14:31:00 GMT": time.Minute, "Wed, 25 Feb 2026 14:29:00 GMT": 0,
		"999999999": 24 * time.Hour, "99999999999999999999": 0, "Sun, 25 Feb 2227 14:31:00 GMT": 24 * time.Hour,
	} {
		if got := integrations.RetryAfter(value, now); got != want {
			t.Errorf("RetryAfter(%q) = %v, want %v", value, got, want)
		}
	}
}
