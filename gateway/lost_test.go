package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"postern/gateway"
	"postern/gateway/auth"
	"postern/gateway/mail"
	"postern/gateway/spool"
)

// loser is an authenticator beside which the spool's file gets lost: before it
// looks, or once it has looked for what claims to be our verdict.
type loser struct {
	before, after bool
}

func (l loser) lose(data mail.Source) {
	if f, ok := data.(*spool.File); ok {
		os.Remove(f.Path())
	}
}

// Forged implements gateway.Authenticator.
func (l loser) Forged(_ *mail.Envelope, data mail.Source) (auth.Removal, error) {
	if l.before {
		l.lose(data)
	}
	return auth.Forged(data, "mx.example")
}

// Authenticate implements gateway.Authenticator.
func (l loser) Authenticate(_ context.Context, _ *mail.Envelope, data mail.Source) *mail.Authentication {
	if l.after {
		l.lose(data)
	}
	return &mail.Authentication{}
}

// TestSpoolLost: a message that can't be read back from the disk stays with its
// sender, and the session goes on.
func TestSpoolLost(t *testing.T) {
	for name, l := range map[string]loser{"before it is looked at": {before: true}, "before it is parsed": {after: true}} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			h := newHarness(t, setting{sender: l, log: &log})
			k := h.dial(h.addr, "EHLO")
			k.say("MAIL FROM:<x@a.example>", 250)
			k.say("RCPT TO:<a@in.example>", 250)
			k.say("DATA", 354)
			fmt.Fprintf(k.c, "Message-ID: <large@a.example>\r\nSubject: large\r\n\r\n")
			_, _ = io.WriteString(k.c, strings.Repeat(strings.Repeat("x", 76)+"\r\n", 3<<20/78)+".\r\n")
			if got := k.want(451); !strings.HasPrefix(got, "451 4.3.0") {
				t.Errorf("%q", got)
			}
			if posts, waiting := h.got(), h.waiting(); len(posts) > 0 || len(waiting) > 0 {
				t.Errorf("%d posts, %+v", len(posts), waiting)
			}
			if got := k.send("MAIL", "next@a.example", "a@in.example"); !strings.HasPrefix(got, "250") {
				t.Errorf("the next one: %s", got)
			}
			h.stop()
			if !strings.Contains(log.String(), "the spool can't be read") {
				t.Errorf("the log doesn't tell: %s", log.String())
			}
		})
	}
}

var _ gateway.Authenticator = loser{}
