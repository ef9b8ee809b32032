package client

import (
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"

	"postern/gateway/smtp/reply"
	"postern/gateway/text"
)

// Message is a mail to send.
type Message struct {
	From       string // reverse-path without brackets, "" the null one
	To         []string
	Size       int64 // octets that Write writes, lines ended by CRLF; 0: not known
	EightBit   bool  // an octet above 127 somewhere
	UTF8       bool  // one in the header or an address (RFC 6531)
	Binary     bool  // BODY=BINARYMIME
	Chunked    bool  // as it is, by BDAT: its line ends are not all CRLF, or it is binary; needs Size
	RequireTLS bool  // RFC 8689
	Whole      bool  // a refusal of any recipient refuses the mail
	// Write writes the content. By DATA, lone LFs become CRLF and dots are
	// stuffed behind it. An error leaves the mail without its end.
	Write func(w io.Writer) error
}

// Send runs one transaction and returns the reply that decides about the mail.
// The error joins a *Refusal for each recipient that was refused, also where
// others got the mail: the reply is a 2xx then.
func (c *Client) Send(m *Message) (reply.Reply, error) {
	commands, err := c.commands(m)
	if err != nil {
		return reply.Reply{}, err
	}
	replies, err := c.converse(commands)
	if err != nil {
		return reply.Reply{}, err
	}
	refused := refusals(commands, replies)
	accepted := anyAccepted(replies[1:])
	last := replies[len(replies)-1]
	switch {
	case replies[0].Code >= 300:
		return replies[0], refused[0]
	case m.apart() && (m.Whole && len(refused) > 0 || !accepted), !m.apart() && last.Code != 354:
		return c.giveUp(last, refused)
	case m.Chunked:
		last, err = c.chunk(m)
	case m.apart():
		if last, err = c.ask(354, "DATA"); err != nil {
			return c.giveUp(last, []error{err})
		}
		last, err = c.data(m)
	case !accepted: // RFC 2920, 3.1: the server waits for a message that nobody gets
		last, err = c.data(&Message{Write: func(io.Writer) error { return nil }})
	default:
		last, err = c.data(m)
	}
	return last, errors.Join(append(refused, err)...)
}

// apart: the content is announced when the recipients' replies are known.
func (m *Message) apart() bool { return m.Whole || m.Chunked }

// giveUp ends a transaction that the server refused.
func (c *Client) giveUp(last reply.Reply, refused []error) (reply.Reply, error) {
	if last.Code != 0 && last.Code != 421 { // 0: there is no connection any more
		if _, err := c.ask(250, "RSET"); err != nil {
			refused = append(refused, err)
		}
	}
	return last, errors.Join(refused...)
}

// refusals are the replies that refuse their command; what follows from a
// refused MAIL is not told.
func refusals(commands []string, replies []reply.Reply) (list []error) {
	for i, r := range replies {
		if data := commands[i] == "DATA"; r.Code >= 300 && !data || data && r.Code != 354 {
			list = append(list, &Refusal{commands[i], r})
			if i == 0 {
				break
			}
		}
	}
	return list
}

// commands are the transaction's, up to DATA where it may come along.
func (c *Client) commands(m *Message) ([]string, error) {
	if !text.IsASCII(m.From+strings.Join(m.To, "")) && !c.Offers("SMTPUTF8") {
		return nil, errors.New("an address needs SMTPUTF8, which the server doesn't offer")
	}
	all := []string{c.mail(m)}
	for _, to := range m.To {
		all = append(all, "RCPT TO:<"+to+">")
	}
	if !m.Whole && !m.Chunked {
		all = append(all, "DATA")
	}
	return all, nil
}

// mail is the MAIL command.
func (c *Client) mail(m *Message) string {
	line := "MAIL FROM:<" + m.From + ">"
	if c.Offers("SIZE") && m.Size > 0 {
		line += " SIZE=" + strconv.FormatInt(m.Size, 10)
	}
	switch {
	case m.Binary:
		line += " BODY=BINARYMIME"
	case m.EightBit && c.Offers("8BITMIME"):
		line += " BODY=8BITMIME"
	}
	if m.UTF8 && c.Offers("SMTPUTF8") {
		line += " SMTPUTF8"
	}
	if m.RequireTLS {
		line += " REQUIRETLS"
	}
	return line
}

// converse gives the commands, all at once where the server offers PIPELINING.
// Else it stops where going on is of no use.
func (c *Client) converse(commands []string) (replies []reply.Reply, err error) {
	pipelining := c.Offers("PIPELINING")
	if pipelining {
		for _, line := range commands {
			if err := c.write(line, line); err != nil {
				return nil, err
			}
		}
	}
	for _, line := range commands {
		if !pipelining {
			if hopeless(line, replies) {
				break
			}
			if err := c.write(line, line); err != nil {
				return nil, err
			}
		}
		if err := c.flush(); err != nil {
			return nil, err
		}
		r, err := c.read()
		if err != nil {
			return nil, fmt.Errorf("waiting for the reply to %s: %w", line, err)
		}
		replies = append(replies, r)
	}
	return replies, nil
}

// hopeless: after these replies the command is of no use.
func hopeless(line string, replies []reply.Reply) bool {
	switch {
	case len(replies) == 0:
		return false
	case replies[0].Code >= 300, replies[len(replies)-1].Code == 421:
		return true
	}
	return line == "DATA" && !anyAccepted(replies[1:])
}

func anyAccepted(replies []reply.Reply) bool {
	for _, r := range replies {
		if r.Code/100 == 2 {
			return true
		}
	}
	return false
}

// data writes a message with its dots stuffed and its lines ended by CRLF.
func (c *Client) data(m *Message) (reply.Reply, error) {
	c.note(fmt.Sprintf("C: (%d octets of mail)", m.Size))
	c.note("C: .")
	dots := textproto.NewWriter(c.w).DotWriter()
	if err := m.Write(patient{c, dots}); err != nil {
		return reply.Reply{}, err
	}
	if err := dots.Close(); err != nil {
		return reply.Reply{}, err
	}
	return c.expect("the message", 250)
}

// chunk sends the content by BDAT, in one piece (RFC 3030).
func (c *Client) chunk(m *Message) (reply.Reply, error) {
	line := "BDAT " + strconv.FormatInt(m.Size, 10) + " LAST"
	if err := c.write(line, line); err != nil {
		return reply.Reply{}, err
	}
	exact := &exactly{w: patient{c, c.w}, left: m.Size}
	if err := m.Write(exact); err != nil {
		return reply.Reply{}, err
	}
	if exact.left != 0 {
		return reply.Reply{}, io.ErrUnexpectedEOF
	}
	return c.flushAndExpect("the message", 250)
}

// exactly is a writer that takes so many octets.
type exactly struct {
	w    io.Writer
	left int64
}

func (e *exactly) Write(b []byte) (int, error) {
	if int64(len(b)) > e.left {
		return 0, errors.New("the mail is longer than its size")
	}
	e.left -= int64(len(b))
	return e.w.Write(b)
}
