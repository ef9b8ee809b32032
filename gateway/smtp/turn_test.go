package smtp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"postern/gateway/smtp"
	"postern/gateway/smtp/reply"
)

// shelf is the mail that waits, and what became of it.
type shelf struct {
	mails   []*smtp.Waiting
	refuse  reply.Reply
	settled []string
	closed  bool
}

// Collect makes the recorder a Collector.
func (r *recorder) Collect(_ context.Context, c *smtp.Client) (smtp.Collection, reply.Reply) {
	if r.shelf == nil || len(c.Collect) == 0 {
		return nil, reply.New(550, reply.Enhanced{5, 7, 1}, "Nothing for you")
	}
	return r.shelf, r.shelf.refuse
}

func (s *shelf) Next(context.Context) (*smtp.Waiting, error) {
	if len(s.mails) == 0 {
		return nil, io.EOF
	}
	w := s.mails[0]
	s.mails = s.mails[1:]
	return w, nil
}

func (s *shelf) Close() error { s.closed = true; return nil }

// add puts a mail on the shelf.
func (s *shelf) add(name, content string, need func(*smtp.Waiting)) {
	w := &smtp.Waiting{
		From:       smtp.Address{Local: name, Domain: "client.test.example"},
		Recipients: []smtp.Address{{Local: "bob", Domain: "here.example"}, {Local: "a b", Domain: "here.example"}},
		Size:       int64(len(content)),
		Open:       func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		Settle: func(_ context.Context, code int, text string, err error) {
			if err != nil {
				text = "broken"
			}
			s.settled = append(s.settled, fmt.Sprintf("%s %d %s", name, code, text))
		},
		Skip: func(_ context.Context, why string) { s.settled = append(s.settled, name+" skipped: "+why) },
	}
	if need != nil {
		need(w)
	}
	s.mails = append(s.mails, w)
}

// swap signs in and turns.
func swap(t *testing.T, s *shelf, keys ...string) *player {
	f := newFixture(t, append(keys, "turn", "auth", "clear")...)
	f.rec.shelf = s
	p := talk(t, f)
	p.must("E", "> TURN", "< 502", "> AUTH PLAIN AGFubgBzZWNyZXQ=", "< 235", "> EHLO client.test.example", "< 250 TURN")
	return p
}

// asks reads what the server, now a client, says.
func (p *player) asks(want string) {
	p.t.Helper()
	line, err := p.r.ReadString('\n')
	if err != nil || line != want+"\r\n" {
		p.t.Fatalf("it says %q (%v), want %q", line, err, want)
	}
}

func TestTurnHandsOver(t *testing.T) {
	var s shelf
	s.add("one", "Subject: 1\r\n\r\n.dot\r\n..\r\nno end", nil)
	s.add("utf8", "x\r\n", func(w *smtp.Waiting) { w.UTF8 = true })
	s.add("eight", "\xe9\r\n", func(w *smtp.Waiting) { w.EightBit = true })
	s.add("bare", "a\nb\r\n.\r\n", func(w *smtp.Waiting) { w.BareLF = true })
	s.add("binary", "\x00\n", func(w *smtp.Waiting) { w.Binary = true })
	s.add("secret", "x\r\n", func(w *smtp.Waiting) { w.RequireTLS = true })
	s.add("big", strings.Repeat("x", 2000), nil)
	s.add("refused", "x\r\n", nil)
	s.add("nobody", "x\r\n", nil)
	s.add("unreadable", "", func(w *smtp.Waiting) {
		w.Open = func(context.Context) (io.ReadCloser, error) { return nil, errors.New("corrupt") }
	})
	s.add("later", "x\r\n", nil)
	p := swap(t, &s)
	p.must("> TURN", "< 250", "> 220 client.test.example here")
	p.asks("EHLO mx.here.example")
	p.must(">> 250-client.test.example\\r\\n250-SIZE 1000\\r\\n250-8bitmime\\r\\n250 CHUNKING\\r\\n")

	p.asks("MAIL FROM:<one@client.test.example> SIZE=30")
	p.must("> 250 ok")
	p.asks("RCPT TO:<bob@here.example>")
	p.must("> 250 ok")
	p.asks(`RCPT TO:<"a b"@here.example>`)
	p.must("> 250 ok")
	p.asks("DATA")
	p.must("> 354 go on")
	for _, line := range []string{"Subject: 1", "", "..dot", "...", "no end", "."} {
		p.asks(line)
	}
	p.must(">> 250-thank\\r\\n250 you\\r\\n")

	p.asks("MAIL FROM:<eight@client.test.example> SIZE=3 BODY=8BITMIME")
	p.must("> 250 ok")
	p.asks("RCPT TO:<bob@here.example>")
	p.must("> 250 ok")
	p.asks(`RCPT TO:<"a b"@here.example>`)
	p.must("> 250 ok")
	p.asks("DATA")
	p.must("> 354 go on")
	p.asks("\xe9")
	p.asks(".")
	p.must("> 451 no room")

	p.asks("MAIL FROM:<bare@client.test.example> SIZE=8")
	p.must("> 250 ok")
	p.asks("RCPT TO:<bob@here.example>")
	p.must("> 250 ok")
	p.asks(`RCPT TO:<"a b"@here.example>`)
	p.must("> 250 ok")
	p.asks("BDAT 8 LAST")
	chunk := make([]byte, 8)
	if _, err := io.ReadFull(p.r, chunk); err != nil || !bytes.Equal(chunk, []byte("a\nb\r\n.\r\n")) {
		t.Fatalf("%q %v", chunk, err)
	}
	p.must("> 250 ok")

	p.asks("MAIL FROM:<refused@client.test.example> SIZE=3")
	p.must("> 550 not you")
	p.asks("MAIL FROM:<nobody@client.test.example> SIZE=3")
	p.must("> 250 ok")
	p.asks("RCPT TO:<bob@here.example>")
	p.must("> 250 ok")
	p.asks(`RCPT TO:<"a b"@here.example>`)
	p.must("> 550 who?")
	p.asks("RSET")
	p.must("> 250 ok")
	p.asks("MAIL FROM:<later@client.test.example> SIZE=3")
	p.must("> 421 closing")
	p.must("!closed")
	want := []string{"one 250 thank you", "utf8 skipped: the peer doesn't offer SMTPUTF8", "eight 451 no room", "bare 250 ok",
		"binary skipped: the peer doesn't offer BINARYMIME", "secret skipped: the peer doesn't offer REQUIRETLS",
		"big skipped: the peer takes no message of that size", "refused 550 not you", "nobody 550 who?", "unreadable 0 broken", "later 421 closing"}
	eventually(t, func() bool { return s.isClosed(p.fix) })
	if got := strings.Join(s.settled, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("%s", got)
	}
}

// isClosed waits for the session's end, after which the shelf is ours.
func (s *shelf) isClosed(f *fixture) bool {
	return f.srv.Close() == nil && s.closed
}

// TestTurnEnds: nothing (more) to hand over is a QUIT; a broken connection
// leaves the mail unsettled by any code; a peer without EHLO gets HELO.
func TestTurnEnds(t *testing.T) {
	t.Run("nothing waits", func(t *testing.T) {
		var s shelf
		p := swap(t, &s)
		p.must("> TURN", "< 250", "> 220 here")
		p.asks("EHLO mx.here.example")
		p.must("> 500 what?")
		p.asks("HELO mx.here.example")
		p.must("> 250 here")
		p.asks("QUIT")
		p.must("> 221 bye", "!closed")
	})
	t.Run("gone in the middle", func(t *testing.T) {
		var s shelf
		s.add("one", "x\r\n", nil)
		p := swap(t, &s)
		p.must("> TURN", "< 250", "> 220 here")
		p.asks("EHLO mx.here.example")
		p.must("> 250 here")
		p.asks("MAIL FROM:<one@client.test.example>")
		p.conn.Close()
		eventually(t, func() bool { return s.isClosed(p.fix) })
		if len(s.settled) != 1 || s.settled[0] != "one 0 broken" {
			t.Errorf("%q", s.settled)
		}
	})
	t.Run("no greeting", func(t *testing.T) {
		var s shelf
		s.add("one", "x\r\n", nil)
		p := swap(t, &s)
		p.must("> TURN", "< 250", "> 554 not now", "!closed")
		eventually(t, func() bool { return s.isClosed(p.fix) })
		if len(s.settled) != 0 {
			t.Errorf("%q", s.settled)
		}
	})
	t.Run("no SMTP", func(t *testing.T) {
		var s shelf
		p := swap(t, &s)
		p.must("> TURN", "< 250", "> hello", "!closed")
	})
}

// TestTurnRefused: by the collector, inside a transaction, with octets behind.
func TestTurnRefused(t *testing.T) {
	p := swap(t, &shelf{refuse: reply.New(450, reply.Enhanced{4, 3, 0}, "The queue sleeps")})
	p.must("> TURN", "< 450", "> TURN now", "< 501", "> MAIL FROM:<>", "< 250", "> TURN", "< 503", "> RSET", "< 250", ">> TURN\\r\\n220 x\\r\\n", "< 554", "<close")
}
