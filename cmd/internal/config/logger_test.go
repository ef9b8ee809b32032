package config

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// writes counts and keeps what is written.
type writes struct {
	mu sync.Mutex
	n  int
	bytes.Buffer
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	return w.Buffer.Write(b)
}

func (w *writes) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

func (w *writes) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Buffer.String()
}

// Lines are written together, a warning at once with what came before it, and
// nothing is left behind at the end.
func TestLoggerGathersLines(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		synctest.Test(t, func(t *testing.T) {
			w := &writes{}
			log, flush := Process{LogLevel: "info", LogFormat: format}.Logger(w)
			log = log.With("a", 1).WithGroup("g")
			for range 50 {
				log.Info("line", "x", slog.IntValue(1))
			}
			log.Debug("not asked for")
			if n := w.count(); n != 0 {
				t.Errorf("%d writes at once", n)
			}
			time.Sleep(logEvery)
			synctest.Wait()
			if n := w.count(); n != 1 || strings.Count(w.String(), "\n") != 50 {
				t.Errorf("%d writes, %d lines", n, strings.Count(w.String(), "\n"))
			}
			log.Info("before")
			log.Warn("now")
			if got := w.String(); w.count() != 2 || strings.Index(got, "before") > strings.Index(got, "now") || !strings.Contains(got, "now") {
				t.Errorf("a warning waits: %d writes", w.count())
			}
			log.Info("last")
			flush()
			if !strings.HasSuffix(w.String(), "\n") || !strings.Contains(w.String(), "last") {
				t.Error("the last line is lost")
			}
			time.Sleep(time.Second)
		})
	}
}
