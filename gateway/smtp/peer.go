package smtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"postern/gateway/smtp/client"
	"postern/gateway/smtp/param"
)

// turned is a session's connection once its client has become the server. What
// the session has read already comes first, and its clocks go on.
type turned struct {
	net.Conn
	s     *session
	until time.Time
}

// Read implements net.Conn.
func (t *turned) Read(p []byte) (int, error) {
	s := t.s
	if s.r == s.w {
		if err := s.fillUntil(t.until); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.buffered())
	s.r += n
	return n, nil
}

// SetDeadline implements net.Conn; the session's own end is the last.
func (t *turned) SetDeadline(d time.Time) error {
	if d.After(t.s.ends) {
		d = t.s.ends
	}
	t.until = d
	return t.s.raw.SetWriteDeadline(d)
}

// handOver is the client's side of a turned session: greeting, hello, mails,
// QUIT.
func (s *session) handOver(mails Collection) error {
	c, err := client.New(&turned{Conn: s.conn, s: s}, client.Options{Hello: s.srv.cfg.Domain, Timeout: s.srv.cfg.CommandTimeout})
	if err != nil {
		return err
	}
	for !s.srv.closing.Load() {
		w, err := mails.Next(s.ctx())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			s.srv.log.Error("no more mail to hand over", "auth", s.client.Auth, "err", err)
			break
		}
		if err := offer(s.ctx(), c, w); err != nil {
			return err
		}
	}
	return c.Bye()
}

// offer hands one mail over, if the peer can take it, and settles it. An error
// means that the connection is of no more use.
func offer(ctx context.Context, c *client.Client, w *Waiting) error {
	if why := unable(c, w); why != "" {
		w.Skip(ctx, why)
		return nil
	}
	src, err := w.Open(ctx)
	if err != nil {
		w.Settle(ctx, 0, "", err)
		return nil
	}
	defer src.Close()
	r, err := c.Send(outgoing(w, src))
	var refused *client.Refusal
	if err != nil && !errors.As(err, &refused) {
		w.Settle(ctx, 0, "", err)
		return err
	}
	w.Settle(ctx, r.Code, r.Words(), nil)
	if r.Code == 421 {
		return fmt.Errorf("smtp: the peer closes: %s", r.Words())
	}
	return nil
}

// outgoing is the waiting mail as it is sent: to all of its recipients, its
// octets unchanged.
func outgoing(w *Waiting, src io.Reader) *client.Message {
	m := &client.Message{
		From: w.From.String(), Size: w.Size, EightBit: w.EightBit, UTF8: w.UTF8,
		Binary: w.Binary, Chunked: w.Binary || w.BareLF, RequireTLS: w.RequireTLS, Whole: true,
		Write: func(out io.Writer) error {
			_, err := io.CopyBuffer(onlyWriter{out}, onlyReader{src}, make([]byte, largeBuffer))
			return err
		},
	}
	for _, to := range w.Recipients {
		m.To = append(m.To, to.String())
	}
	return m
}

// unable says what the mail needs and the peer lacks.
func unable(c *client.Client, w *Waiting) string {
	for _, need := range [...]struct {
		needed bool
		ext    string
	}{
		{w.UTF8, "SMTPUTF8"},
		{w.EightBit && !w.Binary, "8BITMIME"},
		{w.Binary, "BINARYMIME"},
		{w.Binary || w.BareLF, "CHUNKING"},
		{w.RequireTLS, "REQUIRETLS"},
	} {
		if need.needed && !c.Offers(need.ext) {
			return "the peer doesn't offer " + need.ext
		}
	}
	if limit, ok := param.Number([]byte(c.Parameters("SIZE"))); ok && limit > 0 && w.Size > limit {
		return "the peer takes no message of that size"
	}
	return ""
}

// onlyWriter hides a writer's other methods from io.CopyBuffer.
type onlyWriter struct{ io.Writer }
