package webhook

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/datafly/signal/attempt"
	"github.com/datafly/signal/integrations"
)

// A name may come to point into our own network after its settings were
// checked. The guard looks at each connection, and the webhook is held.
func TestTheGuardHoldsTheWebhook(t *testing.T) {
	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(server.Close)
	for address, cause := range map[string]string{
		server.URL: "plain_http",
		strings.Replace(server.URL, "http://", "https://", 1): "not_public",
	} {
		c, err := New(Options{}).Check(map[string]any{"url": "https://example.com/"}, integrations.Outbound{})
		if err != nil {
			t.Fatal(err)
		}
		connection := c.(*Connection)
		connection.settings.URL = address
		got := connection.Send(t.Context(), integrations.Request{Method: http.MethodPost, Body: []byte(`{}`)})
		if got.Verdict != attempt.Hold || got.Cause != cause || asked {
			t.Errorf("%s: %+v, asked %v, want a hold because of %s", address, got, asked, cause)
		}
	}
}
