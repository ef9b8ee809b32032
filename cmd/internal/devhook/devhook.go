// Package devhook is a webhook for development: it prints what it is sent and
// answers as it was told, to play an app's faults, or hands it on to the app and
// its answer back.
//
// What it prints never speaks to the terminal, whatever a mail holds. A body
// above its bound is answered 413 and not printed; with a secret, what that
// didn't sign is answered 401 and goes no further. An app that can't be asked is
// a 502.
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
	Secret   string            // whsec_…: what it didn't sign is answered 401
	Delay    time.Duration     // before each answer
	Full     bool              // long values are not shortened
	MaxBody  int64             // octets of a body, a larger one is answered 413; 0: 256 MiB
	Count    int               // Serve ends after so many requests; 0 never
	Got      func(body []byte) // called with each body, may be nil
	Forward  *Forwarder        // who answers in our place; nil: nobody

	enough func() // called once Count requests were answered
	mu     sync.Mutex
	chosen int // statuses that were given
	seen   int
}

// maxBody bounds what one request makes us hold.
const maxBody = 256 << 20

// ServeHTTP implements http.Handler.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, cmp.Or(h.MaxBody, maxBody)))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		h.say("\n%s %s  answered 413: %v\n", r.Method, r.URL.RequestURI(), err)
		return
	}
	select {
	case <-time.After(h.Delay):
	case <-r.Context().Done():
	}
	signature, genuine := "", true
	if h.Secret != "" {
		signature, genuine = checkSignature(h.Secret, r.Header, body, time.Now())
	}
	var a answer
	switch {
	case !genuine:
		a = unsigned(signature)
	case h.Forward != nil:
		a = h.Forward.Pass(r, body)
	default:
		a = h.own()
	}
	h.print(r, body, signature, a)
	a.write(w)
	h.answered(body)
}

// answered counts an answer that was given.
func (h *Hook) answered(body []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.Got != nil {
		h.Got(body)
	}
	if h.seen++; h.Count > 0 && h.seen == h.Count {
		h.enough()
	}
}

// answer is what a request is answered with.
type answer struct {
	status int
	header http.Header
	body   []byte
	how    string // in words, "" for nothing to add
	err    error  // why there was none to pass back
}

func (a answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// unsigned is the answer of an app that insists on signatures.
func unsigned(signature string) answer {
	return answer{status: http.StatusUnauthorized, header: plainText(), body: []byte("signature: " + signature + "\n"), how: ": the signature is " + signature}
}

func plainText() http.Header {
	return http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
}

// own is the next answer as it was told.
func (h *Hook) own() answer {
	a := answer{status: h.next(), header: http.Header{}, body: []byte(h.Text)}
	if h.Text != "" {
		a.header = plainText()
	}
	if h.Reply != "" {
		a.header.Set("SMTP-Reply", h.Reply)
		a.how = " with SMTP-Reply: " + h.Reply
	}
	return a
}

// next is the status for the next request.
func (h *Hook) next() int {
	h.mu.Lock()
	n := h.chosen
	h.chosen++
	h.mu.Unlock()
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

// say prints a line or more; what it says of a mail doesn't speak to the
// terminal.
func (h *Hook) say(format string, args ...any) {
	said := text.TerminalLines(fmt.Sprintf(format, args...))
	h.mu.Lock()
	defer h.mu.Unlock()
	_, _ = io.WriteString(h.Out, said)
}

func (h *Hook) print(r *http.Request, body []byte, signature string, a answer) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s %s  %s, %d octets\n", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), len(body))
	for _, name := range []string{"Webhook-Id", "Webhook-Attempt", "Postern-Message-Id", "Webhook-Timestamp"} {
		if v := r.Header.Get(name); v != "" {
			fmt.Fprintf(&b, "  %s: %s\n", strings.ToLower(name), v)
		}
	}
	if signature != "" {
		fmt.Fprintf(&b, "  signature: %s\n", signature)
	}
	b.WriteString(h.pretty(body))
	fmt.Fprintf(&b, "answered %d%s\n", a.status, a.how)
	h.say("%s", b.String())
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

// checkSignature says in words what a Standard Webhooks signature is worth, and
// whether that is anything.
func checkSignature(secret string, h http.Header, body []byte, now time.Time) (words string, genuine bool) {
	signatures := h.Get(webhook.HeaderSignature)
	if signatures == "" {
		return "missing", false
	}
	err := webhook.Verify(webhook.Secret(secret), h.Get(webhook.HeaderID), h.Get(webhook.HeaderTimestamp), signatures, body, now, signatureTolerance)
	if err != nil {
		return "WRONG: " + err.Error(), false
	}
	return "verified", true
}
