package report

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"postern/gateway/smtp/client"
	"postern/webhook"
)

// replyTimeout bounds connecting to the relay, and each of its replies.
const replyTimeout = time.Minute

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
	c, err := client.Dial(ctx, client.Options{
		Addr: net.JoinHostPort(r.host, r.port), Hello: hello, TLS: r.config, Implicit: r.tls, StartTLS: r.startTLS(),
		User: r.user, Password: r.password.Reveal(), Timeout: replyTimeout,
	})
	if err != nil {
		return fmt.Errorf("the relay for notifications: %w", err)
	}
	if m.utf8() && !c.Offers("SMTPUTF8") {
		c.Quit()
		return withheld("the relay has no SMTPUTF8, which the addresses need")
	}
	eightBit := c.Offers("8BITMIME")
	_, err = c.Send(&client.Message{
		To: []string{to}, EightBit: eightBit, UTF8: m.utf8(),
		Write: func(w io.Writer) error { return m.write(w, eightBit) },
	})
	var refused *client.Refusal
	switch {
	case err == nil || errors.As(err, &refused):
		c.Quit() // it has the message whatever it says
	default:
		c.Close() // the final dot was not sent, or nobody knows
	}
	var final errFinal
	switch {
	case err == nil, errors.As(err, &final):
		return err
	case refused != nil && !refused.Temporary():
		return permanent(fmt.Errorf("the relay refused the notification: %w", err))
	}
	return fmt.Errorf("the relay for notifications: %w", err)
}

// startTLS: where it is offered; never inside TLS.
func (r *Relay) startTLS() client.StartTLS {
	if r.tls {
		return client.Never
	}
	return client.Offered
}
