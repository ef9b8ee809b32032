package client

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// auth signs in with PLAIN, or LOGIN where only that is offered: over TLS, or to
// this machine.
func (c *Client) auth() error {
	if !c.secret() {
		return errors.New("the connection is in the clear, and the password would be too: use TLS")
	}
	mechanisms := strings.Fields(strings.ToUpper(c.ext["AUTH"]))
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	steps := []string{"AUTH PLAIN " + encode("\x00"+c.o.User+"\x00"+c.o.Password)}
	if !slices.Contains(mechanisms, "PLAIN") {
		if !slices.Contains(mechanisms, "LOGIN") {
			return fmt.Errorf("the server offers neither AUTH PLAIN nor LOGIN (%q): it may want TLS first", c.ext["AUTH"])
		}
		steps = []string{"AUTH LOGIN", encode(c.o.User), encode(c.o.Password)}
	}
	for i, step := range steps {
		shown, want := "AUTH [hidden]", 334
		if i == 0 && len(steps) > 1 {
			shown = step
		}
		if i == len(steps)-1 {
			want = 235
		}
		if err := c.write(step, shown); err != nil {
			return err
		}
		if _, err := c.flushAndExpect("AUTH", want); err != nil {
			return err
		}
	}
	return nil
}

// secret reports whether nobody listens to the connection.
func (c *Client) secret() bool {
	if _, ok := c.conn.(*tls.Conn); ok {
		return true
	}
	a, ok := c.conn.RemoteAddr().(*net.TCPAddr)
	return !ok || a.IP.IsLoopback()
}
