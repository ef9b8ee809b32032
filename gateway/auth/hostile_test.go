package auth_test

import (
	"strings"
	"testing"
	"time"

	"postern/gateway/auth"
	"postern/gateway/mail"
)

// TestHostileHeaders: a header's arrangement doesn't multiply what it costs, nor
// how much is remembered of it.
func TestHostileHeaders(t *testing.T) {
	const size = 2 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	c := checker(t, world(), auth.Config{})
	for name, m := range map[string]string{
		"CRs":                 fill("\r"),
		"lines of CR":         fill("a\r"),
		"folds of CR":         fill("a:\r \r"),
		"CR and LF":           fill("a\rb\n"),
		"short fields":        fill("a:\n"),
		"folds":               "a:" + fill("\n b"),
		"loose folds":         fill("\n a:b"),
		"results of others":   fill("Authentication-Results: a.example; spf=pass\n"),
		"forgeries":           fill("Received-SPF: a\n"),
		"forgeries apart":     fill("Received-SPF: a\nX: y\n"),
		"forgeries behind CR": fill("X: y\rReceived-SPF: a\n"),
		"comments":            "Authentication-Results: " + fill("("),
		"dots":                "Authentication-Results: " + fill(" . "),
		"encoded words":       "Authentication-Results: " + fill("=?utf-8?q?=3D=3F?= "),
		"signatures":          fill("DKIM-Signature: v=1; d=relaxed.example; s=s; a=rsa-sha256; b=x; bh=y; h=from\n"),
	} {
		began := time.Now()
		e := envelope(other, "h.example", "x@relaxed.example")
		r, err := auth.Forged(mail.Bytes(m), us)
		if err != nil {
			t.Fatal(err)
		}
		e.Removed = r.Spans
		c.Authenticate(t.Context(), e, mail.Bytes(m))
		if took := time.Since(began); took > 15*time.Second { // a second at most, on a machine of one's own
			t.Errorf("%s: %v", name, took)
		}
		if len(r.Spans) > 1000 || len(r.Names) > 1000 {
			t.Errorf("%s: %d spans, %d names", name, len(r.Spans), len(r.Names))
		}
		t.Log(name, time.Since(began))
	}
}
