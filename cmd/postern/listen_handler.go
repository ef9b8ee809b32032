package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"postern/webhook"
)

// listener is a webhook that prints its requests.
type listener struct {
	out      io.Writer
	statuses []int
	reply    string
	text     string
	secret   string
	delay    time.Duration
	full     bool
	count    int
	enough   func()            // called once count requests were answered
	got      func(body []byte) // called with each body, may be nil

	mu   sync.Mutex
	seen int
}

// listenMaxBody bounds what one request makes us hold.
const listenMaxBody = 256 << 20

// ServeHTTP implements http.Handler.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, listenMaxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	select {
	case <-time.After(l.delay):
	case <-r.Context().Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	status := l.next()
	l.print(r, body, status)
	if l.reply != "" {
		w.Header().Set("SMTP-Reply", l.reply)
	}
	if l.text != "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(status)
	io.WriteString(w, l.text)
	if l.got != nil {
		l.got(body)
	}
	if l.count > 0 && l.seen == l.count {
		l.enough()
	}
}

// next is the status for the next request.
func (l *listener) next() int {
	n := l.seen
	l.seen++
	if len(l.statuses) > 0 {
		return l.statuses[min(n, len(l.statuses)-1)]
	}
	switch {
	case strings.HasPrefix(l.reply, "5"):
		return http.StatusNotAcceptable
	case strings.HasPrefix(l.reply, "4"):
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

func (l *listener) print(r *http.Request, body []byte, status int) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s %s  %s, %d octets\n", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), len(body))
	for _, name := range []string{"Webhook-Id", "Webhook-Attempt", "Postern-Message-Id", "Webhook-Timestamp"} {
		if v := r.Header.Get(name); v != "" {
			fmt.Fprintf(&b, "  %s: %s\n", strings.ToLower(name), v)
		}
	}
	if l.secret != "" {
		fmt.Fprintf(&b, "  signature: %s\n", checkSignature(l.secret, r.Header, body, time.Now()))
	}
	b.WriteString(l.pretty(body))
	fmt.Fprintf(&b, "answered %d", status)
	if l.reply != "" {
		fmt.Fprintf(&b, " with SMTP-Reply: %s", l.reply)
	}
	b.WriteString("\n")
	io.WriteString(l.out, b.String())
}

// The longest line, and the most lines of a body that isn't JSON, that print.
const (
	prettyLine  = 160
	prettyLines = 60
)

// pretty indents JSON and shortens what nobody reads on a screen.
func (l *listener) pretty(body []byte) string {
	text, isJSON := string(body), false
	var indented bytes.Buffer
	if json.Indent(&indented, body, "", "  ") == nil {
		text, isJSON = indented.String(), true
	}
	var b strings.Builder
	n := 0
	for line := range strings.Lines(text) {
		if n++; !l.full && !isJSON && n > prettyLines {
			b.WriteString("…\n")
			break
		}
		b.WriteString(l.shorten(printable(strings.TrimRight(line, "\r\n"))) + "\n")
	}
	return b.String()
}

func (l *listener) shorten(line string) string {
	if l.full || utf8.RuneCountInString(line) <= prettyLine {
		return line
	}
	runes := []rune(line)
	return fmt.Sprintf("%s… (%d more)", string(runes[:prettyLine]), len(runes)-prettyLine)
}

// printable keeps a mail's control characters from reaching the terminal.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError {
			return '.'
		}
		return r
	}, line)
}

// signatureTolerance is how old a request may be (Standard Webhooks).
const signatureTolerance = 5 * time.Minute

// checkSignature says in words what a Standard Webhooks signature is worth.
func checkSignature(secret string, h http.Header, body []byte, now time.Time) string {
	signatures := h.Get(webhook.HeaderSignature)
	if signatures == "" {
		return "missing"
	}
	err := webhook.Verify(webhook.Secret(secret), h.Get(webhook.HeaderID), h.Get(webhook.HeaderTimestamp), signatures, body, now, signatureTolerance)
	if err != nil {
		return "WRONG: " + err.Error()
	}
	return "verified"
}
