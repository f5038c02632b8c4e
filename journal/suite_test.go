package journal_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/datafly/signal/journal"
	"github.com/datafly/signal/journal/journaltest"
)

func TestEmbedded(t *testing.T) {
	dir := t.TempDir()
	journaltest.Run(t, opener(journal.Options{Dir: dir}))
}

// One server on its own stands for a cluster: what differs is the connection.
func TestOverTheNetwork(t *testing.T) {
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, MaxPayload: journal.MaxFrameSize,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	journaltest.Run(t, opener(journal.Options{URL: srv.ClientURL(), Replicas: 1}))
}

func opener(o journal.Options) func(t *testing.T) *journal.Journal {
	return func(t *testing.T) *journal.Journal {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
		j, err := journal.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
}
