package config

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// logEvery is how long a line of the log may wait for others, and logBuffer how
// many octets wait at most: one write for each line costs more than the line.
const (
	logEvery  = 100 * time.Millisecond
	logBuffer = 32 << 10
)

// Logger writes the log that the configuration asks for. Lines below Warn are
// written together, at the latest after a tenth of a second; flush writes what
// waits, and must come last.
func (c Process) Logger(w io.Writer) (log *slog.Logger, flush func()) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	lines := &lines{w: bufio.NewWriterSize(w, logBuffer)}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "text" {
		return slog.New(prompt{slog.NewTextHandler(lines, options), lines}), lines.flush
	}
	return slog.New(prompt{slog.NewJSONHandler(lines, options), lines}), lines.flush
}

// lines gathers what is written to it.
type lines struct {
	mu      sync.Mutex
	w       *bufio.Writer
	waiting bool // a flush is on its way
}

// Write implements io.Writer; what can't be written is lost, as with any log.
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.waiting {
		l.waiting = true
		time.AfterFunc(logEvery, l.flush)
	}
	return l.w.Write(line)
}

func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = false
	_ = l.w.Flush()
}

// prompt is a handler whose warnings and errors are there at once.
type prompt struct {
	slog.Handler
	lines *lines
}

// Handle implements slog.Handler.
func (p prompt) Handle(ctx context.Context, r slog.Record) error {
	err := p.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		p.lines.flush()
	}
	return err
}

// WithAttrs implements slog.Handler.
func (p prompt) WithAttrs(attrs []slog.Attr) slog.Handler {
	return prompt{p.Handler.WithAttrs(attrs), p.lines}
}

// WithGroup implements slog.Handler.
func (p prompt) WithGroup(name string) slog.Handler {
	return prompt{p.Handler.WithGroup(name), p.lines}
}
