// Package client is the one SMTP client (RFC 5321): it sends mails over one
// connection, with what the server offers of PIPELINING, 8BITMIME, BINARYMIME,
// CHUNKING, SMTPUTF8, SIZE, REQUIRETLS, STARTTLS and AUTH.
//
// A server's no is a *Refusal, after which the connection is in step and good
// for the next mail. Any other error leaves it of no use: close it. Nobody
// knows then whether a mail whose last octet was sent has arrived.
package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"postern/gateway/smtp/reply"
)

// StartTLS says when a connection in the clear moves into TLS.
type StartTLS uint8

const (
	Never   StartTLS = iota
	Offered          // where the server offers it; its certificate must be good then
	Must             // or the connection is of no use
)

// Options say how to connect.
type Options struct {
	Addr           string // host:port
	Hello          string // argument of EHLO
	TLS            *tls.Config
	Implicit       bool // TLS from the first octet
	StartTLS       StartTLS
	User, Password string        // signs in where User is given
	Timeout        time.Duration // for each reply, and for each piece of a mail
	Trace          io.Writer     // gets the dialogue, secrets hidden; nil: nobody does
}

// Client is a connection that is ready for a transaction.
type Client struct {
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	ext  map[string]string // keyword of EHLO, in upper case -> its parameters
	o    Options
	stop func() bool // ends the watch for the context's end
}

// Dial connects and says hello, inside TLS and signed in as the options ask.
// The end of the context ends the connection.
func Dial(ctx context.Context, o Options) (*Client, error) {
	d := net.Dialer{Timeout: o.Timeout}
	conn, err := d.DialContext(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	if o.Implicit {
		conn = tls.Client(conn, o.TLS)
	}
	c, err := New(conn, o)
	if err != nil {
		stop()
		_ = conn.Close()
		return nil, err
	}
	c.stop = stop
	return c, nil
}

// New reads the greeting of a server that is connected already and says hello.
// The connection stays the caller's where there is an error.
func New(conn net.Conn, o Options) (*Client, error) {
	c := &Client{o: o, stop: func() bool { return true }}
	c.use(conn)
	if _, err := c.expect("the connection", 220); err != nil {
		return nil, err
	}
	if err := c.hello(); err != nil {
		return nil, err
	}
	if o.StartTLS == Must || o.StartTLS == Offered && c.Offers("STARTTLS") {
		if err := c.startTLS(); err != nil {
			return nil, err
		}
	}
	if o.User != "" {
		if err := c.auth(); err != nil {
			return nil, fmt.Errorf("signing in: %w", err)
		}
	}
	return c, nil
}

func (c *Client) use(conn net.Conn) {
	c.conn, c.r, c.w = conn, bufio.NewReader(conn), bufio.NewWriter(conn)
}

// Offers reports whether EHLO listed a keyword, given in upper case.
func (c *Client) Offers(keyword string) bool { _, ok := c.ext[keyword]; return ok }

// Parameters are what stood behind a keyword.
func (c *Client) Parameters(keyword string) string { return c.ext[keyword] }

// Bye says QUIT and leaves the connection open.
func (c *Client) Bye() error {
	_, err := c.ask(221, "QUIT")
	return err
}

// Quit ends the session; what the server answers doesn't matter any more.
func (c *Client) Quit() {
	_ = c.Bye()
	c.Close()
}

// Close ends the connection at once.
func (c *Client) Close() {
	c.stop()
	_ = c.conn.Close()
}

// hello says EHLO, or HELO to a server that knows nothing newer.
func (c *Client) hello() error {
	c.ext = map[string]string{}
	r, err := c.ask(250, "EHLO "+c.o.Hello)
	if no := (*Refusal)(nil); errors.As(err, &no) && no.Code/100 == 5 {
		_, err = c.ask(250, "HELO "+c.o.Hello)
		return err
	}
	if err != nil {
		return err
	}
	for _, line := range r.Lines[1:] {
		word, params, _ := strings.Cut(line, " ")
		c.ext[strings.ToUpper(word)] = params
	}
	return nil
}

// startTLS moves into TLS. What came behind the server's 220 in the clear is
// somebody else's and is never taken for an answer inside TLS.
func (c *Client) startTLS() error {
	if !c.Offers("STARTTLS") {
		return errors.New("the server doesn't offer STARTTLS")
	}
	if _, err := c.ask(220, "STARTTLS"); err != nil {
		return err
	}
	if c.r.Buffered() > 0 {
		return errors.New("STARTTLS: octets in the clear came behind the answer")
	}
	secured := tls.Client(c.conn, c.o.TLS)
	if err := c.deadline(); err != nil {
		return err
	}
	if err := secured.Handshake(); err != nil {
		return fmt.Errorf("STARTTLS: %w", err)
	}
	c.use(secured)
	return c.hello()
}

// Refusal is a reply that isn't the one that was needed.
type Refusal struct {
	To string // the command that was refused
	reply.Reply
}

// Error implements error.
func (r *Refusal) Error() string { return fmt.Sprintf("%s was answered %s", r.To, r.Reply) }

// Temporary reports whether trying again later is the right thing.
func (r *Refusal) Temporary() bool { return r.Code/100 == 4 }
