package client

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"postern/gateway/smtp/reply"
)

// ask writes a command and waits for its reply.
func (c *Client) ask(want int, line string) (reply.Reply, error) {
	if err := c.write(line, line); err != nil {
		return reply.Reply{}, err
	}
	verb, _, _ := strings.Cut(line, " ")
	return c.flushAndExpect(verb, want)
}

// write queues a command; shown is what the trace says.
func (c *Client) write(line, shown string) error {
	if strings.ContainsAny(line, "\r\n") {
		return fmt.Errorf("%q can't be sent: it holds a line end", shown)
	}
	c.note("C: " + shown)
	_, err := c.w.WriteString(line + "\r\n")
	return err
}

func (c *Client) flush() error {
	if err := c.deadline(); err != nil {
		return err
	}
	return c.w.Flush()
}

func (c *Client) flushAndExpect(to string, want int) (reply.Reply, error) {
	if err := c.flush(); err != nil {
		return reply.Reply{}, err
	}
	return c.expect(to, want)
}

// expect reads a reply; another code than the wanted one is a *Refusal.
func (c *Client) expect(to string, want int) (reply.Reply, error) {
	r, err := c.read()
	if err != nil {
		return r, fmt.Errorf("waiting for the reply to %s: %w", to, err)
	}
	if r.Code != want && (want != 250 || r.Code/100 != 2) {
		return r, &Refusal{to, r}
	}
	return r, nil
}

func (c *Client) read() (reply.Reply, error) {
	if err := c.deadline(); err != nil {
		return reply.Reply{}, err
	}
	return readReply(c.r, c.note)
}

// maxReplyLines bounds one reply; EHLO's is the longest that is real.
const maxReplyLines = 200

// readReply reads one reply (RFC 5321 section 4.2) and gives each line to note.
// The enhanced code is taken off the lines.
func readReply(in *bufio.Reader, note func(string)) (r reply.Reply, err error) {
	for range maxReplyLines {
		raw, err := in.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, io.EOF) && len(raw) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return r, err
		}
		line := strings.TrimRight(string(raw), "\r\n")
		note("S: " + line)
		code, text, last, ok := cutReply(line)
		if !ok || r.Code != 0 && code != r.Code {
			return r, fmt.Errorf("%.80q is no SMTP reply", line)
		}
		r.Code = code
		r.Enhanced, text = cutEnhanced(r, text)
		if r.Lines = append(r.Lines, text); last {
			return r, nil
		}
	}
	return r, fmt.Errorf("the reply has more than %d lines", maxReplyLines)
}

// cutReply cuts a line into its code and its text; last: none follows.
func cutReply(line string) (code int, text string, last, ok bool) {
	if len(line) < 3 {
		return 0, "", false, false
	}
	code, err := strconv.Atoi(line[:3])
	ok = err == nil && code >= 200 && code <= 599
	if line = line[3:]; line == "" {
		return code, "", true, ok
	}
	return code, line[1:], line[0] != '-', ok && (line[0] == ' ' || line[0] == '-')
}

// cutEnhanced takes the enhanced code off a line of the reply.
func cutEnhanced(r reply.Reply, text string) (reply.Enhanced, string) {
	word, rest, _ := strings.Cut(text, " ")
	e, ok := reply.ParseEnhanced(word)
	if !ok || int(e[0]) != r.Code/100 {
		return r.Enhanced, text
	}
	return e, rest
}

func (c *Client) deadline() error { return c.conn.SetDeadline(time.Now().Add(c.o.Timeout)) }

func (c *Client) note(line string) {
	if c.o.Trace != nil {
		fmt.Fprintln(c.o.Trace, line)
	}
}

// patient gives a large mail the time that its progress deserves.
type patient struct {
	c *Client
	w io.Writer
}

func (p patient) Write(b []byte) (int, error) {
	if err := p.c.deadline(); err != nil {
		return 0, err
	}
	return p.w.Write(b)
}
