package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// client is one SMTP session that says what it likes.
type client struct {
	net.Conn
	r *bufio.Reader
}

// dial connects from 127.0.x.y, so that limits by address can be met or not.
func dial(addr, from string) (*client, error) {
	d := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(170 * time.Second))
	return greet(c)
}

func dialTLS(addr, from string) (*client, error) {
	d := &net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := tls.DialWithDialer(d, "tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(170 * time.Second))
	return greet(c)
}

func greet(conn net.Conn) (*client, error) {
	c := &client{conn, bufio.NewReaderSize(conn, 2048)}
	if code, err := c.reply(); err != nil || code != 220 {
		c.Close()
		return nil, refusal("the greeting", code, err)
	}
	if code, err := c.cmd("EHLO client.test"); err != nil || code != 250 {
		c.Close()
		return nil, refusal("EHLO", code, err)
	}
	return c, nil
}

// replied is a reply that ended a dialogue.
type replied struct {
	what string
	code int
}

func (r *replied) Error() string { return fmt.Sprintf("%s: %d", r.what, r.code) }

func refusal(what string, code int, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return &replied{what, code}
}

// reply reads a reply, of all its lines, and returns its code.
func (c *client) reply() (int, error) {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if len(line) < 4 {
			return 0, fmt.Errorf("reply %q", line)
		}
		if line[3] == ' ' {
			return strconv.Atoi(line[:3])
		}
	}
}

func (c *client) cmd(line string) (int, error) {
	if _, err := io.WriteString(c, line+"\r\n"); err != nil {
		return 0, err
	}
	return c.reply()
}

// envelope gives MAIL and RCPT.
func (c *client) envelope(to string, size int, more string) error {
	mailFrom := "MAIL FROM:<a@client.test>" + more
	if size > 0 {
		mailFrom += " SIZE=" + strconv.Itoa(size)
	}
	if code, err := c.cmd(mailFrom); err != nil || code != 250 {
		return refusal("MAIL", code, err)
	}
	if code, err := c.cmd("RCPT TO:<" + to + ">"); err != nil || code != 250 {
		return refusal("RCPT", code, err)
	}
	return nil
}

// send delivers a mail by DATA and returns the reply's code.
func (c *client) send(to string, size int, body []byte) (int, error) {
	if err := c.envelope(to, size, ""); err != nil {
		if r, ok := err.(*replied); ok {
			return r.code, nil
		}
		return 0, err
	}
	if code, err := c.cmd("DATA"); err != nil || code != 354 {
		return code, err
	}
	if _, err := c.Write(body); err != nil {
		return 0, err
	}
	return c.cmd(".")
}

// ended makes a body end with CRLF.
func ended(b []byte) []byte {
	if !bytes.HasSuffix(b, []byte("\r\n")) {
		b = append(b, '\r', '\n')
	}
	return b
}
