package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// smtpClient is a plain SMTP client (RFC 5321) for send and demo: one
// connection, EHLO, and what a server offers of PIPELINING, 8BITMIME,
// SMTPUTF8, SIZE, STARTTLS and AUTH.
type smtpClient struct {
	conn    net.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	ext     map[string]string // keyword of EHLO -> its parameters
	trace   io.Writer         // the dialogue, or nil
	timeout time.Duration     // for each reply
	stop    func() bool       // ends the watch for the context's end
}

// clientOptions says how to connect.
type clientOptions struct {
	Addr      string // host:port
	Hello     string
	TLS       *tls.Config // nil: in the clear unless Implicit or StartTLS
	Implicit  bool        // TLS from the first octet
	StartTLS  bool        // STARTTLS is a must
	User, Pwd string
	Timeout   time.Duration
	Trace     io.Writer
}

// answer is a server's reply.
type answer struct {
	Code  int
	Lines []string
}

func (a answer) String() string { return strconv.Itoa(a.Code) + " " + strings.Join(a.Lines, " ") }

// refusal is a reply that isn't the one that was needed.
type refusal struct {
	to string // the command that was refused
	answer
}

func (r *refusal) Error() string { return fmt.Sprintf("%s was answered %s", r.to, r.answer) }

// temporary reports whether trying again later is the right thing.
func (r *refusal) temporary() bool { return r.Code/100 == 4 }

// dialSMTP connects and gets ready for a first transaction.
func dialSMTP(ctx context.Context, o clientOptions) (*smtpClient, error) {
	d := net.Dialer{Timeout: o.Timeout}
	conn, err := d.DialContext(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	if o.Implicit {
		conn = tls.Client(conn, o.TLS)
	}
	c := &smtpClient{trace: o.Trace, timeout: o.Timeout}
	c.use(conn)
	c.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	if err := c.open(o); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *smtpClient) use(conn net.Conn) {
	c.conn, c.r, c.w = conn, bufio.NewReader(conn), bufio.NewWriter(conn)
}

func (c *smtpClient) open(o clientOptions) error {
	if _, err := c.expect("the connection", 220); err != nil {
		return err
	}
	if err := c.hello(o.Hello); err != nil {
		return err
	}
	if o.StartTLS {
		if err := c.startTLS(o); err != nil {
			return err
		}
	}
	if o.User != "" {
		return c.auth(o.User, o.Pwd)
	}
	return nil
}

// hello says EHLO, or HELO to a server that knows nothing newer.
func (c *smtpClient) hello(name string) error {
	c.ext = make(map[string]string)
	a, err := c.ask(250, "EHLO %s", name)
	if r := (*refusal)(nil); errors.As(err, &r) && r.Code/100 == 5 {
		_, err = c.ask(250, "HELO %s", name)
		return err
	}
	if err != nil {
		return err
	}
	for _, line := range a.Lines[1:] {
		word, params, _ := strings.Cut(line, " ")
		c.ext[strings.ToUpper(word)] = params
	}
	return nil
}

func (c *smtpClient) offers(keyword string) bool { _, ok := c.ext[keyword]; return ok }

func (c *smtpClient) startTLS(o clientOptions) error {
	if !c.offers("STARTTLS") {
		return errors.New("the server doesn't offer STARTTLS")
	}
	if _, err := c.ask(220, "STARTTLS"); err != nil {
		return err
	}
	secured := tls.Client(c.conn, o.TLS)
	if err := c.deadline(); err != nil {
		return err
	}
	if err := secured.Handshake(); err != nil {
		return fmt.Errorf("STARTTLS: %w", err)
	}
	c.use(secured)
	return c.hello(o.Hello)
}

// auth signs in with PLAIN, or LOGIN where only that is offered.
func (c *smtpClient) auth(user, password string) error {
	mechanisms := strings.Fields(strings.ToUpper(c.ext["AUTH"]))
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	steps := []string{"AUTH PLAIN " + encode("\x00"+user+"\x00"+password)}
	if !slices.Contains(mechanisms, "PLAIN") {
		if !slices.Contains(mechanisms, "LOGIN") {
			return fmt.Errorf("the server offers neither AUTH PLAIN nor LOGIN (%q): it may want TLS first, see --starttls", c.ext["AUTH"])
		}
		steps = []string{"AUTH LOGIN", encode(user), encode(password)}
	}
	for i, step := range steps {
		shown := step
		if i > 0 || len(steps) == 1 {
			shown = "AUTH [hidden]"
		}
		if err := c.write(step, shown); err != nil {
			return err
		}
		want := 334
		if i == len(steps)-1 {
			want = 235
		}
		if _, err := c.flushAndExpect("AUTH", want); err != nil {
			return err
		}
	}
	return nil
}

// ask writes a command and waits for its reply.
func (c *smtpClient) ask(want int, format string, args ...any) (answer, error) {
	line := fmt.Sprintf(format, args...)
	if err := c.write(line, line); err != nil {
		return answer{}, err
	}
	verb, _, _ := strings.Cut(line, " ")
	return c.flushAndExpect(verb, want)
}

// write queues a command; shown is what the trace says.
func (c *smtpClient) write(line, shown string) error {
	if strings.ContainsAny(line, "\r\n") {
		return fmt.Errorf("%q can't be sent: it holds a line end", shown)
	}
	c.note("C: " + shown)
	_, err := c.w.WriteString(line + "\r\n")
	return err
}

func (c *smtpClient) flushAndExpect(to string, want int) (answer, error) {
	if err := c.deadline(); err != nil {
		return answer{}, err
	}
	if err := c.w.Flush(); err != nil {
		return answer{}, err
	}
	return c.expect(to, want)
}

// expect reads a reply; another code than the wanted one is a *refusal.
func (c *smtpClient) expect(to string, want int) (answer, error) {
	a, err := c.read()
	if err != nil {
		return a, fmt.Errorf("waiting for the reply to %s: %w", to, err)
	}
	if a.Code != want && (want != 250 || a.Code != 251) {
		return a, &refusal{to, a}
	}
	return a, nil
}

// maxReplyLines bounds one reply; EHLO's is the longest that is real.
const maxReplyLines = 200

func (c *smtpClient) read() (answer, error) {
	var a answer
	if err := c.deadline(); err != nil {
		return a, err
	}
	for len(a.Lines) < maxReplyLines {
		raw, err := c.r.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		line := strings.TrimRight(string(raw), "\r\n")
		c.note("S: " + line)
		if len(line) < 3 {
			return a, fmt.Errorf("%q is no SMTP reply", line)
		}
		if a.Code, err = strconv.Atoi(line[:3]); err != nil || a.Code < 200 || a.Code > 599 {
			return a, fmt.Errorf("%q is no SMTP reply", line)
		}
		a.Lines = append(a.Lines, strings.TrimLeft(line[3:], "- "))
		if len(line) == 3 || line[3] != '-' {
			return a, nil
		}
	}
	return a, fmt.Errorf("the reply has more than %d lines", maxReplyLines)
}

func (c *smtpClient) deadline() error { return c.conn.SetDeadline(time.Now().Add(c.timeout)) }

func (c *smtpClient) note(line string) {
	if c.trace != nil {
		fmt.Fprintln(c.trace, line)
	}
}

// deadlineWriter gives a large message the time that its progress deserves.
type deadlineWriter struct {
	c *smtpClient
	w io.Writer
}

func (d deadlineWriter) Write(p []byte) (int, error) {
	if err := d.c.deadline(); err != nil {
		return 0, err
	}
	return d.w.Write(p)
}

// quit ends the session; what it answers doesn't matter any more.
func (c *smtpClient) quit() {
	_, _ = c.ask(221, "QUIT")
	c.close()
}

func (c *smtpClient) close() {
	c.stop()
	c.conn.Close()
}
