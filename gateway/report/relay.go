package report

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"net/textproto"
	"net/url"
	"time"

	"postern/webhook"
)

// dialTimeout bounds connecting to the relay.
const dialTimeout = 15 * time.Second

// Relay is the SMTP server that carries notifications.
type Relay struct {
	host, port string
	tls        bool // from the first octet
	user       string
	password   webhook.Secret
	config     *tls.Config
}

// NewRelay reads smtp://user:password@host:port, or smtps:// for TLS from the
// first octet. Port 25 is smtp's default, 465 smtps'. STARTTLS is used where the
// relay offers it, and its certificate must be good; a password is sent only
// over TLS or to this machine. config may be nil.
func NewRelay(address string, config *tls.Config) (*Relay, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "smtp" && u.Scheme != "smtps") || u.Hostname() == "" {
		return nil, errors.New("report: POSTERN_DSN_RELAY is not smtp://user:password@host:port")
	}
	r := &Relay{host: u.Hostname(), port: u.Port(), tls: u.Scheme == "smtps", user: u.User.Username()}
	if password, ok := u.User.Password(); ok {
		r.password = webhook.Secret(password)
	}
	if r.port == "" {
		r.port = "25"
		if r.tls {
			r.port = "465"
		}
	}
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	r.config = config.Clone()
	if r.config.ServerName == "" {
		r.config.ServerName = r.host
	}
	return r, nil
}

// content is what a Relay sends.
type content interface {
	// utf8 says that addresses or header need SMTPUTF8 (RFC 6531).
	utf8() bool
	// write writes the message; eightBit says that octets above 127 may pass.
	write(w io.Writer, eightBit bool) error
}

// send hands a message from the null sender over to the relay. A 5xx answer to
// the transaction is permanent; one to signing in is a fault of the settings,
// which somebody may mend.
func (r *Relay) send(ctx context.Context, hello, to string, m content) error {
	c, err := r.dial(ctx)
	if err != nil {
		return fmt.Errorf("the relay for notifications: %w", err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := r.open(c, hello); err != nil {
		return fmt.Errorf("the relay for notifications: %w", err)
	}
	err = transact(c, to, m)
	var said *textproto.Error
	var final errFinal
	switch {
	case err == nil:
		c.Quit() // it has the message whatever it says
		return nil
	case errors.As(err, &final):
		return err
	case errors.As(err, &said) && said.Code >= 500:
		return permanent(fmt.Errorf("the relay refused the notification: %w", err))
	}
	return fmt.Errorf("the relay for notifications: %w", err)
}

// dial connects and reads the greeting.
func (r *Relay) dial(ctx context.Context) (*smtp.Client, error) {
	d := &net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(r.host, r.port))
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	if r.tls {
		conn = tls.Client(conn, r.config)
	}
	c, err := smtp.NewClient(conn, r.host)
	if err != nil {
		conn.Close()
	}
	return c, err
}

func transact(c *smtp.Client, to string, m content) error {
	eightBit, _ := c.Extension("8BITMIME")
	if utf8, _ := c.Extension("SMTPUTF8"); m.utf8() && !utf8 {
		return withheld("the relay has no SMTPUTF8, which the addresses need")
	}
	if err := c.Mail(""); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if err := m.write(w, eightBit); err != nil {
		return err // the final dot was not sent, so the relay drops it
	}
	return w.Close()
}

// open says hello, turns on TLS and signs in.
func (r *Relay) open(c *smtp.Client, hello string) error {
	if err := c.Hello(hello); err != nil {
		return err
	}
	if offered, _ := c.Extension("STARTTLS"); offered && !r.tls {
		if err := c.StartTLS(r.config); err != nil {
			return fmt.Errorf("STARTTLS with %s: %w", r.host, err)
		}
	}
	if r.user == "" {
		return nil
	}
	if err := c.Auth(smtp.PlainAuth("", r.user, r.password.Reveal(), r.host)); err != nil {
		return fmt.Errorf("signing in at %s: %w", r.host, err)
	}
	return nil
}
