package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// A serverLog is the embedded server's logger. It passes on what an operator
// has to know. The server's lines hold names of logs and errors of the system;
// what was published stands only in its trace, which is off.
type serverLog struct {
	to *slog.Logger

	mu  sync.Mutex
	end error // the first fatal line
}

func (l *serverLog) Noticef(format string, v ...any) { l.note(l.to.Debug, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.note(l.to.Warn, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.note(l.to.Error, format, v) }
func (l *serverLog) Debugf(string, ...any)           {}
func (l *serverLog) Tracef(string, ...any)           {}

// Fatalf keeps the line for the caller of launch, who returns it. A server of
// its own would end the process here.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end == nil {
		l.end = errors.New("embedded server: " + fmt.Sprintf(format, v...))
	}
}

func (l *serverLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

func (l *serverLog) note(log func(string, ...any), format string, v []any) {
	log("journal server", "line", fmt.Sprintf(format, v...))
}
