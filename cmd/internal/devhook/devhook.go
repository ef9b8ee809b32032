// Package devhook is a webhook for development: it prints what it is sent and
// answers as it was told, to play an app's faults.
//
// What it prints never speaks to the terminal, whatever a mail holds. A body
// above its bound is answered 413 and not printed.
package devhook

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"postern/gateway/text"
	"postern/webhook"
)

// Hook is a webhook that prints its requests to Out and answers as told. Its
// zero value with an Out answers 200 to everything.
type Hook struct {
	Out      io.Writer
	Statuses []int             // one a request; the last holds for the rest
	Reply    string            // SMTP-Reply to ask for; without Statuses it chooses the status
	Text     string            // text/plain body
	Secret   string            // whsec_…: signatures are checked
	Delay    time.Duration     // before each answer
	Full     bool              // long values are not shortened
	MaxBody  int64             // octets of a body, a larger one is answered 413; 0: 256 MiB
	Count    int               // Serve ends after so many requests; 0 never
	Got      func(body []byte) // called with each body, may be nil

	enough func() // called once Count requests were answered
	mu     sync.Mutex
	seen   int
}

// maxBody bounds what one request makes us hold.
const maxBody = 256 << 20

// ServeHTTP implements http.Handler.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, cmp.Or(h.MaxBody, maxBody)))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		h.mu.Lock()
		defer h.mu.Unlock()
		fmt.Fprintf(h.Out, "\n%s %s  answered 413: %v\n", r.Method, text.Terminal(r.URL.RequestURI()), err)
		return
	}
	select {
	case <-time.After(h.Delay):
	case <-r.Context().Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	status := h.next()
	h.print(r, body, status)
	if h.Reply != "" {
		w.Header().Set("SMTP-Reply", h.Reply)
	}
	if h.Text != "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(status)
	io.WriteString(w, h.Text)
	if h.Got != nil {
		h.Got(body)
	}
	if h.Count > 0 && h.seen == h.Count {
		h.enough()
	}
}

// next is the status for the next request.
func (h *Hook) next() int {
	n := h.seen
	h.seen++
	if len(h.Statuses) > 0 {
		return h.Statuses[min(n, len(h.Statuses)-1)]
	}
	switch {
	case strings.HasPrefix(h.Reply, "5"):
		return http.StatusNotAcceptable
	case strings.HasPrefix(h.Reply, "4"):
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

func (h *Hook) print(r *http.Request, body []byte, status int) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s %s  %s, %d octets\n", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), len(body))
	for _, name := range []string{"Webhook-Id", "Webhook-Attempt", "Postern-Message-Id", "Webhook-Timestamp"} {
		if v := r.Header.Get(name); v != "" {
			fmt.Fprintf(&b, "  %s: %s\n", strings.ToLower(name), v)
		}
	}
	if h.Secret != "" {
		fmt.Fprintf(&b, "  signature: %s\n", checkSignature(h.Secret, r.Header, body, time.Now()))
	}
	b.WriteString(h.pretty(body))
	fmt.Fprintf(&b, "answered %d", status)
	if h.Reply != "" {
		fmt.Fprintf(&b, " with SMTP-Reply: %s", h.Reply)
	}
	b.WriteString("\n")
	io.WriteString(h.Out, b.String())
}

// The longest line, and the most lines of a body that isn't JSON, that print.
const (
	prettyLine  = 160
	prettyLines = 60
)

// pretty indents JSON and shortens what nobody reads on a screen.
func (h *Hook) pretty(body []byte) string {
	shown, isJSON := string(body), false
	var indented bytes.Buffer
	if json.Indent(&indented, body, "", "  ") == nil {
		shown, isJSON = indented.String(), true
	}
	var b strings.Builder
	n := 0
	for line := range strings.Lines(shown) {
		if n++; !h.Full && !isJSON && n > prettyLines {
			b.WriteString("…\n")
			break
		}
		b.WriteString(h.shorten(text.Terminal(strings.TrimRight(line, "\r\n"))) + "\n")
	}
	return b.String()
}

func (h *Hook) shorten(line string) string {
	if h.Full || utf8.RuneCountInString(line) <= prettyLine {
		return line
	}
	runes := []rune(line)
	return fmt.Sprintf("%s… (%d more)", string(runes[:prettyLine]), len(runes)-prettyLine)
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
