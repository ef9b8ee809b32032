package smtp

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/gateway/smtp/data"
	"postern/gateway/smtp/reply"
)

// taker takes everything and keeps what it got.
type taker struct {
	mu     sync.Mutex
	bodies [][]byte
}

type takerSink struct{ bytes.Buffer }

func (*takerSink) Abort() {}

func (*taker) Connect(context.Context, *Client) reply.Reply               { return reply.Reply{} }
func (*taker) Mail(context.Context, *Transaction) reply.Reply             { return reply.Reply{} }
func (*taker) Rcpt(context.Context, *Transaction, *Recipient) reply.Reply { return reply.Reply{} }
func (*taker) Data(context.Context, *Transaction) (Sink, reply.Reply) {
	return &takerSink{}, reply.Reply{}
}
func (*taker) Ended(*Transaction, []reply.Reply, bool)             {}
func (*taker) Refused(*Client, string, string, reply.Reply)        {}
func (*taker) Verify(context.Context, *Client, string) reply.Reply { return reply.Reply{} }
func (*taker) Expand(context.Context, *Client, string) reply.Reply { return reply.Reply{} }
func (*taker) Status(context.Context, *Client) reply.Reply         { return reply.Reply{} }
func (h *taker) Message(_ context.Context, _ *Transaction, s Sink) []reply.Reply {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bodies = append(h.bodies, bytes.Clone(s.(*takerSink).Bytes()))
	return []reply.Reply{replyOK}
}

// memoryConn feeds a session from a slice, in pieces, and keeps what it says.
type memoryConn struct {
	in   []byte
	step int
	out  bytes.Buffer
}

func (c *memoryConn) Read(p []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), max(1, c.step))], c.in)
	c.in = c.in[n:]
	return n, nil
}
func (c *memoryConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *memoryConn) Close() error                     { return nil }
func (c *memoryConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }

// converse runs a whole session over memory and returns the replies' first lines.
func converse(t testing.TB, srv *Server, in []byte, step int) (replies []string) {
	conn := &memoryConn{in: in, step: step}
	s := newSession(srv, conn, SMTP)
	srv.connections.Enter()
	srv.running.Add(1)
	s.serve()
	for line := range strings.SplitSeq(strings.TrimSuffix(conn.out.String(), "\r\n"), "\r\n") {
		if len(line) < 4 || len(line) > reply.MaxLine-2 || strings.ContainsAny(line, "\r\n") {
			t.Fatalf("reply line %q to %q", line, in)
		}
		if code, err := strconv.Atoi(line[:3]); err != nil || code < 200 || code > 599 {
			t.Fatalf("reply line %q to %q", line, in)
		}
		if line[3] == ' ' {
			replies = append(replies, line)
		}
	}
	return replies
}

func fuzzServer(t testing.TB, b BareLF) (*Server, *taker) {
	cfg := DefaultConfig("mx.here.example")
	cfg.ErrorDelay, cfg.MaxSize, cfg.AllowEarlyTalk, cfg.BareLF = 0, 4096, true, b
	cfg.HardErrors, cfg.MaxJunk, cfg.MaxRefused = 0, 0, 0
	cfg.Legacy, cfg.DSN, cfg.DeliverBy, cfg.Verify, cfg.Expand = true, true, true, true, true
	h := &taker{}
	srv, err := NewServer(cfg, h, WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	return srv, h
}

// FuzzSession: whatever a client says, and however it is cut, the answers are
// SMTP, and the same.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
		"HELO x\r\nMAIL FROM:<a@b.c> SIZE=1 BODY=8BITMIME\r\nRSET\r\nNOOP\r\nHELP\r\nVRFY a\r\nEXPN b\r\n",
		"EHLO x\r\nSEND FROM:<>\r\nRCPT TO:<@a,@b:c@d> NOTIFY=NEVER\r\nBDAT 3\r\nabcBDAT 0 LAST\r\n",
		"BDAT 99999999999999999999\r\n", "NO\x00OP\n\n\r\n", "GET / HTTP/1.0\r\n", "\x16\x03\x01", "AUTH PLAIN\r\nSTARTTLS\r\nTURN\r\n",
	} {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s), uint8(7))
	}
	srv, h := fuzzServer(f, BareLFNormalize)
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		h.bodies = nil
		whole := converse(t, srv, in, len(in))
		bodies := h.bodies
		h.bodies = nil
		pieces := converse(t, srv, in, int(step))
		if behindMatters(in) {
			return
		}
		if strings.Join(whole, "\n") != strings.Join(pieces, "\n") || !bytes.Equal(bytes.Join(bodies, []byte{0}), bytes.Join(h.bodies, []byte{0})) {
			t.Fatalf("%q\nwhole:  %q\npieces: %q", in, whole, pieces)
		}
	})
}

// behindMatters: what comes behind DATA, STARTTLS and TURN is judged by when it
// comes, and a TLS hello by its first read.
func behindMatters(in []byte) bool {
	up := bytes.ToUpper(in)
	for _, word := range []string{"DATA", "STARTTLS", "TURN", "\x16"} {
		if bytes.Contains(up, []byte(word)) {
			return true
		}
	}
	return false
}

// FuzzBDAT: a message in chunks is the chunks, wherever it is cut.
func FuzzBDAT(f *testing.F) {
	f.Add([]byte("Subject: x\r\n\r\n.\r\nNOOP\r\n"), uint8(3), uint8(9))
	f.Add([]byte("\x00\n\r."), uint8(0), uint8(1))
	srv, h := fuzzServer(f, BareLFNormalize)
	f.Fuzz(func(t *testing.T, body []byte, chunk, step uint8) {
		if len(body) > 4096 {
			return
		}
		in := []byte("EHLO x\r\nMAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<a@b.c>\r\n")
		n := 0
		for rest := body; len(rest) > 0; n++ {
			size := min(len(rest), int(chunk)+1)
			in = append(in, "BDAT "+strconv.Itoa(size)+"\r\n"...)
			in = append(in, rest[:size]...)
			rest = rest[size:]
		}
		in = append(in, "BDAT 0 LAST\r\nNOOP\r\nQUIT\r\n"...)
		h.bodies = nil
		replies := converse(t, srv, in, int(step))
		if looped := bytes.Count(bytes.ToUpper(body), []byte("RECEIVED:")) >= 50; looped {
			return
		}
		if len(h.bodies) != 1 || !bytes.Equal(h.bodies[0], body) || len(replies) != 4+n+3 {
			t.Fatalf("%q in chunks of %d: %q, %q", body, chunk, h.bodies, replies)
		}
	})
}

// whole is the message as the scanner alone reads it, in one piece.
type whole struct{ bytes.Buffer }

func (w *whole) Take(p []byte) { w.Write(p) }

// FuzzSmuggle: between the 354 and the reply to a message no octet is a
// command: a session of n messages has n answers to messages, whatever is in them.
func FuzzSmuggle(f *testing.F) {
	for _, s := range []string{"a\n.\nMAIL FROM:<>", "a\r.\r", "\r\n.\r", ".", "\r\n.\n", "\n", "x\r"} {
		f.Add([]byte(s), uint8(3))
	}
	normalizing, taken := fuzzServer(f, BareLFNormalize)
	rejecting, kept := fuzzServer(f, BareLFReject)
	f.Fuzz(func(t *testing.T, body []byte, step uint8) {
		if len(body) > 2000 {
			return
		}
		in := []byte("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n")
		start := len(in)
		in = append(in, body...)
		in = bytes.ReplaceAll(in, []byte("\r\n."), []byte("\r\n..")) // dots stuffed
		in = append(in, "\r\n.\r\nNOOP\r\nQUIT\r\n"...)
		var want whole
		scanner := data.Scanner{Normalize: true}
		scanner.Scan(in[start:], &want)
		taken.bodies, kept.bodies = nil, nil
		for _, srv := range []*Server{normalizing, rejecting} {
			replies := converse(t, srv, in, int(step))
			if len(replies) != 8 || !strings.HasPrefix(replies[7], "221") {
				t.Fatalf("%q: %q", body, replies)
			}
		}
		if len(taken.bodies) != 1 || !bytes.Equal(taken.bodies[0], want.Bytes()) {
			t.Fatalf("%q became %q, want %q", body, taken.bodies, want.Bytes())
		}
		if got := len(kept.bodies); scanner.Bare && got > 0 || !scanner.Bare && (got != 1 || !bytes.Equal(kept.bodies[0], want.Bytes())) {
			t.Fatalf("%q became %q", body, kept.bodies)
		}
	})
}
