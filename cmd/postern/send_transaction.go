package main

import (
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strings"
)

// send runs one transaction. It returns the reply to the message; its error
// names every recipient that was refused, also where others got the mail.
func (c *smtpClient) send(m *outgoing) (answer, error) {
	commands, err := c.commands(m)
	if err != nil {
		return answer{}, err
	}
	answers, err := c.converse(commands)
	if err != nil {
		return answer{}, err
	}
	var refused []error
	for i, a := range answers {
		if a.Code >= 400 {
			refused = append(refused, &refusal{commands[i], a})
		}
		if len(refused) > 0 && i == 0 {
			break // the rest only follows from it
		}
	}
	if last := answers[len(answers)-1]; last.Code != 354 {
		_, err := c.ask(250, "RSET")
		return last, errors.Join(append(refused, err)...)
	}
	if recipients := answers[1 : len(answers)-1]; !anyAccepted(recipients) {
		m = emptyMail() // RFC 2920, 3.1: the server waits for a message that nobody gets
	}
	a, err := c.data(m)
	return a, errors.Join(append(refused, err)...)
}

// commands are the transaction's up to DATA.
func (c *smtpClient) commands(m *outgoing) ([]string, error) {
	mail := "MAIL FROM:<" + m.from + ">"
	if c.offers("SIZE") {
		mail += fmt.Sprintf(" SIZE=%d", m.size)
	}
	if m.eightBit && c.offers("8BITMIME") {
		mail += " BODY=8BITMIME"
	}
	if m.utf8 && c.offers("SMTPUTF8") {
		mail += " SMTPUTF8"
	} else if !ascii([]byte(m.from + strings.Join(m.to, ""))) {
		return nil, fmt.Errorf("%s: an address needs SMTPUTF8, which the server doesn't offer", m.name)
	}
	all := []string{mail}
	for _, to := range m.to {
		all = append(all, "RCPT TO:<"+to+">")
	}
	return append(all, "DATA"), nil
}

// converse gives the commands, all at once where the server offers PIPELINING.
// Else it stops where going on is of no use.
func (c *smtpClient) converse(commands []string) ([]answer, error) {
	if c.offers("PIPELINING") {
		for _, line := range commands {
			if err := c.write(line, line); err != nil {
				return nil, err
			}
		}
		if err := c.w.Flush(); err != nil {
			return nil, err
		}
	}
	var answers []answer
	for _, line := range commands {
		if !c.offers("PIPELINING") {
			hopeless := len(answers) == 1 && answers[0].Code >= 400 || line == "DATA" && !anyAccepted(answers[1:])
			if hopeless {
				break
			}
			if err := c.write(line, line); err != nil {
				return nil, err
			}
			if err := c.w.Flush(); err != nil {
				return nil, err
			}
		}
		a, err := c.read()
		if err != nil {
			return nil, fmt.Errorf("waiting for the reply to %s: %w", line, err)
		}
		answers = append(answers, a)
	}
	return answers, nil
}

func anyAccepted(answers []answer) bool {
	for _, a := range answers {
		if a.Code/100 == 2 {
			return true
		}
	}
	return false
}

func emptyMail() *outgoing {
	return &outgoing{open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }}
}

// data writes a message with its dots stuffed and its lines ended by CRLF.
func (c *smtpClient) data(m *outgoing) (answer, error) {
	body, err := m.open()
	if err != nil {
		return answer{}, err
	}
	defer body.Close()
	c.note(fmt.Sprintf("C: (%d octets of mail)", m.size))
	c.note("C: .")
	dots := textproto.NewWriter(c.w).DotWriter()
	if _, err := io.Copy(deadlineWriter{c, dots}, body); err != nil {
		return answer{}, err
	}
	if err := dots.Close(); err != nil {
		return answer{}, err
	}
	return c.expect("the message", 250)
}
