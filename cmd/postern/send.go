package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/cmd/internal/testmail"
	"postern/gateway/smtp/client"
	"postern/gateway/smtp/reply"
	"postern/gateway/text"
)

const sendHelp = `[flags] HOST:PORT [FILE|FOLDER ...]

Sends mails to an SMTP server: files, folders of .eml files, or without any a
sample mail. The envelope comes from --from and --to, else from each mail's
own From, To, Cc and Bcc.

In place of files, --template sends a mail as apps meet them:
`

// templatesHelp lists the templates.
func templatesHelp() string {
	var rows [][2]string
	for _, t := range testmail.Templates() {
		rows = append(rows, [2]string{t.Name, t.About})
	}
	return cli.Columns(append(rows, [2]string{"all", "one of each"}))
}

// sendOptions are the flags of send.
type sendOptions struct {
	client      client.Options
	from        string
	to          config.List
	insecure    bool
	password    string // file
	connections int
	retries     int
	retryDelay  time.Duration
	dialogue    bool
	template    string // "": none
}

// cmdSend sends mails to any SMTP server and tells what it answered.
func cmdSend(ctx context.Context, s *stdio, args []string) error {
	o, rest, err := parseSend(s, args)
	if err != nil {
		return err
	}
	mails, err := sendMails(o, rest)
	if err != nil {
		return err
	}
	return sendAll(ctx, s, o, mails)
}

// dialogue prints what a server says without letting it speak to the terminal.
type dialogue struct{ w io.Writer }

func (d dialogue) Write(line []byte) (int, error) {
	_, err := io.WriteString(d.w, text.TerminalLines(string(line)))
	return len(line), err
}

func parseSend(s *stdio, args []string) (o sendOptions, rest []string, err error) {
	fs := cli.NewFlags("send", sendHelp+templatesHelp())
	fs.StringVar(&o.from, "from", "", "reverse-path `address`; <> for the null sender")
	fs.Func("to", "recipient `address`es, separated by commas", func(v string) error { return o.to.UnmarshalText([]byte(v)) })
	fs.StringVar(&o.client.Hello, "helo", config.HostName(), "`name` to say in EHLO")
	fs.Word(&o.template, "template", "`name` of a mail to send, as above", append(testmail.Names(), "all")...)
	startTLS := fs.Bool("starttls", false, "insist on STARTTLS")
	fs.BoolVar(&o.client.Implicit, "tls", false, "TLS from the first octet")
	fs.BoolVar(&o.insecure, "insecure", false, "accept any certificate")
	fs.StringVar(&o.client.User, "user", "", "sign in as `name`")
	fs.StringVar(&o.password, "password-file", "", "`file` with the password")
	fs.IntVar(&o.connections, "connections", 1, "connections at once")
	fs.IntVar(&o.retries, "retries", 0, "more tries after a 4xx answer or a broken connection")
	fs.Duration(&o.retryDelay, "retry-delay", time.Second, "pause of so much `time` before each")
	fs.Duration(&o.client.Timeout, "timeout", time.Minute, "longest `time` to wait for a reply")
	fs.BoolVar(&o.dialogue, "v", false, "show the SMTP dialogue")
	if err := fs.Parse(args, 1, cli.Any); err != nil {
		return o, nil, err
	}
	if o.connections < 1 || o.retries < 0 {
		return o, nil, cli.Misuse("--connections is at least 1, and --retries 0")
	}
	if o.template != "" && fs.NArg() > 1 {
		return o, nil, cli.Misuse("--template stands in place of files, and there is %q", fs.Arg(1))
	}
	o.client.Addr = fs.Arg(0)
	if *startTLS {
		o.client.StartTLS = client.Must
	}
	host, _, err := net.SplitHostPort(o.client.Addr)
	if err != nil {
		return o, nil, cli.Misuse("%q names no server: it must be HOST:PORT, such as 127.0.0.1:2525", fs.Arg(0))
	}
	o.client.TLS = &tls.Config{ServerName: host, InsecureSkipVerify: o.insecure}
	if o.password != "" {
		if o.client.Password, err = config.ReadSecret(o.password); err != nil {
			return o, nil, err
		}
	}
	if o.dialogue {
		o.client.Trace = dialogue{s.Err}
	}
	return o, fs.Args()[1:], nil
}

// sendMails prepares what is to be sent before the first connection, so that a
// mistake in one mail doesn't end a run in its middle.
func sendMails(o sendOptions, args []string) ([]*outgoing, error) {
	if o.template != "" {
		return templateMails(o)
	}
	if len(args) == 0 {
		m, err := sampleOutgoing(o.from, o.to)
		return []*outgoing{m}, err
	}
	paths, err := findMails(args)
	if err != nil {
		return nil, err
	}
	var mails []*outgoing
	var errs []error
	for _, path := range paths {
		m, err := fileMail(path, o.from, o.to)
		if err != nil {
			errs = append(errs, err)
		}
		mails = append(mails, m)
	}
	return mails, errors.Join(errs...)
}

// templateTo is who gets what a template makes, where nobody is named.
const templateTo = "you@in.example.com"

// templateMails makes the mails of the template.
func templateMails(o sendOptions) ([]*outgoing, error) {
	names, to := []string{o.template}, templateTo
	if o.template == "all" {
		names = testmail.Names()
	}
	if len(o.to) > 0 {
		to = o.to[0]
	}
	var mails []*outgoing
	for _, name := range names {
		t, err := testmail.Make(name, to, time.Now())
		if err != nil {
			return nil, err
		}
		m, err := bytesMail(name, t.Content, cmp.Or(o.from, t.From), o.to)
		if err != nil {
			return nil, err
		}
		mails = append(mails, m)
	}
	return mails, nil
}

// sendAll sends over o.connections connections and reports.
func sendAll(ctx context.Context, s *stdio, o sendOptions, mails []*outgoing) error {
	p := &progress{s: s, total: len(mails), began: time.Now()}
	stop := cli.Watch(s.Err, p.line)
	defer stop()
	work := make(chan *outgoing)
	var workers sync.WaitGroup
	for range min(o.connections, len(mails)) {
		workers.Go(func() {
			w := sendWorker{o: o}
			defer w.close()
			for m := range work {
				a, err := w.send(ctx, m)
				p.done(m, a, err)
			}
		})
	}
	for _, m := range mails {
		if ctx.Err() != nil {
			break
		}
		work <- m
	}
	close(work)
	workers.Wait()
	stop()
	return p.finish(ctx)
}

// sendWorker keeps a connection over the mails that it sends.
type sendWorker struct {
	o      sendOptions
	client *client.Client
}

func (w *sendWorker) close() {
	if w.client != nil {
		w.client.Quit()
		w.client = nil
	}
}

// send sends one mail, again where that may help.
func (w *sendWorker) send(ctx context.Context, m *outgoing) (reply.Reply, error) {
	for try := 0; ; try++ {
		a, err := w.once(ctx, m)
		if err == nil || try >= w.o.retries || !worthRetrying(err) || a.Code/100 == 2 {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, err
		case <-time.After(w.o.retryDelay):
		}
	}
}

func (w *sendWorker) once(ctx context.Context, m *outgoing) (reply.Reply, error) {
	if w.client == nil {
		c, err := client.Dial(ctx, w.o.client)
		if err != nil {
			return reply.Reply{}, err
		}
		w.client = c
	}
	a, err := w.client.Send(m.message())
	if r := (*client.Refusal)(nil); err != nil && (!errors.As(err, &r) || r.Code == 421) {
		w.client.Close() // out of step, or told to go
		w.client = nil
	}
	return a, err
}

// worthRetrying reports whether an error is a temporary refusal, or no refusal
// at all: a connection that failed.
func worthRetrying(err error) bool {
	r := (*client.Refusal)(nil)
	return !errors.As(err, &r) || r.Temporary()
}

// progress counts and tells.
type progress struct {
	s     *stdio
	total int
	began time.Time

	mu         sync.Mutex
	sent, lost int
}

// line is how far the sending is.
func (p *progress) line() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%d of %d sent, %d failed, %.0f a second", p.sent, p.total, p.lost, float64(p.sent)/time.Since(p.began).Seconds())
}

// progressFew is up to how many mails each gets its own line.
const progressFew = 20

func (p *progress) done(m *outgoing, a reply.Reply, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.lost++
		cli.Line(p.s.Err)
		fmt.Fprintf(p.s.Err, "%s: %s\n", m.name, text.Terminal(strings.ReplaceAll(err.Error(), "\n", "; ")))
	} else {
		p.sent++
		if p.total <= progressFew {
			cli.Line(p.s.Err)
			fmt.Fprintf(p.s.Out, "%s: %s\n", m.name, text.Terminal(a.String()))
		}
	}
}

func (p *progress) finish(ctx context.Context) error {
	if p.total > 1 {
		fmt.Fprintf(p.s.Out, "%d of %d sent in %s\n", p.sent, p.total, time.Since(p.began).Round(time.Millisecond))
	}
	if p.sent == p.total {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("stopped: %d of %d mails were sent", p.sent, p.total)
	}
	return fmt.Errorf("%d of %d mails were not taken by everybody: -v shows the dialogue, and 4xx answers are worth --retries", p.total-p.sent, p.total)
}
