package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"postern/cmd/internal/app"
	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/cmd/internal/devhook"
	"postern/gateway/smtp/client"
)

const demoHelp = `[--once]

Starts a gateway with a queue in a temporary folder and a webhook that prints
what it gets, and sends a mail through both. Then it waits for mails of yours.
`

// cmdDemo shows the gateway at work: it fails when the mail doesn't come through.
func cmdDemo(ctx context.Context, s *stdio, args []string) error {
	fs := cli.NewFlags("demo", demoHelp)
	once := fs.Bool("once", false, "end after the mail; exit 0 only if it came through")
	addr := fs.String("smtp", "127.0.0.1:2525", "`address` for mails of yours")
	if err := fs.Parse(args, 0, 0); err != nil {
		return err
	}
	if *once {
		*addr = "127.0.0.1:0"
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d, err := startDemo(ctx, &syncWriter{w: s.Out}, *addr)
	if err != nil {
		return err
	}
	err = d.sendSample(ctx)
	if err == nil && !*once {
		d.invite()
		<-ctx.Done()
	}
	return errors.Join(err, d.stop())
}

// demo is a gateway, its webhook and their temporary folder.
type demo struct {
	out     io.Writer
	folder  string
	app     *app.App
	web     net.Listener
	bodies  chan []byte // what the webhook got
	cancel  context.CancelFunc
	running sync.WaitGroup
	errs    chan error
}

// demoRoom is how many bodies wait for sendSample; later ones are dropped.
const demoRoom = 16

func startDemo(ctx context.Context, out io.Writer, addr string) (d *demo, err error) {
	d = &demo{out: out, bodies: make(chan []byte, demoRoom), errs: make(chan error, 2)}
	ctx, d.cancel = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, d.stop())
		}
	}()
	if d.folder, err = os.MkdirTemp("", "postern-demo-"); err != nil {
		return d, err
	}
	if d.web, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return d, err
	}
	secret := demoSecret()
	hook := &devhook.Hook{Out: out, Secret: secret, Got: func(b []byte) {
		select {
		case d.bodies <- b:
		default:
		}
	}}
	d.run(func() error { return hook.Serve(ctx, d.web) })

	cfg, err := config.Load([]string{
		"POSTERN_DOMAIN=localhost", "POSTERN_SMTP_ADDR=" + freeAddr(addr), "POSTERN_HTTP_ADDR=off",
		"POSTERN_RETRY_STORE=sqlite://" + d.folder,
		"POSTERN_WEBHOOK_URL=http://" + d.web.Addr().String() + "/mail", "POSTERN_WEBHOOK_SECRET=" + secret,
		"POSTERN_LOG_LEVEL=warn", "POSTERN_LOG_FORMAT=text",
	})
	if err != nil {
		return d, err
	}
	log, _ := cfg.Process.Logger(out) // warnings alone, which wait for nothing
	if d.app, err = app.New(ctx, cfg, app.Deps{Logger: log, Version: versionString()}); err != nil {
		return d, err
	}
	d.run(func() error { return d.app.Run(ctx) })
	fmt.Fprintf(out, "The gateway takes mail at %s, its webhook is http://%s/mail, its queue is in %s.\n",
		d.app.Addr("SMTP_ADDR"), d.web.Addr(), d.folder)
	return d, nil
}

// run runs a part until stop; what it fails with, stop returns.
func (d *demo) run(part func() error) {
	d.running.Go(func() {
		if err := part(); err != nil {
			d.errs <- err
		}
	})
}

func (d *demo) stop() error {
	d.cancel()
	d.running.Wait()
	close(d.errs)
	var all []error
	for err := range d.errs {
		all = append(all, err)
	}
	if d.app != nil {
		all = append(all, d.app.Close())
	}
	return errors.Join(append(all, os.RemoveAll(d.folder))...)
}

func demoSecret() string {
	key := make([]byte, 24)
	rand.Read(key)
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

// freeAddr is addr, or a free port of its host where addr is taken.
func freeAddr(addr string) string {
	ln, err := net.Listen("tcp", addr)
	if err == nil {
		ln.Close()
		return addr
	}
	host, _, _ := net.SplitHostPort(addr)
	return net.JoinHostPort(host, "0")
}

// demoWait is how long the mail may take from the reply to the webhook.
const demoWait = 30 * time.Second

// sendSample sends the sample mail and waits for the webhook to have it.
func (d *demo) sendSample(ctx context.Context) error {
	fmt.Fprint(d.out, "\nA client sends a mail (C: client, S: gateway); the webhook prints what it is POSTed before it answers:\n\n")
	m, err := sampleOutgoing("", nil)
	if err != nil {
		return err
	}
	c, err := client.Dial(ctx, client.Options{Addr: d.app.Addr("SMTP_ADDR"), Hello: "localhost", Timeout: time.Minute, Trace: d.out})
	if err != nil {
		return err
	}
	defer c.Quit()
	if _, err := c.Send(m.message()); err != nil {
		return err
	}
	select {
	case body := <-d.bodies:
		return checkSample(body)
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(demoWait):
		return fmt.Errorf("the webhook got nothing within %s", demoWait)
	}
}

// checkSample compares what the webhook got with what was sent.
func checkSample(body []byte) error {
	var payload struct {
		Type    string
		Message struct {
			Subject     string
			Attachments []struct {
				Filename string
				Content  []byte
			}
		}
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		return fmt.Errorf("the webhook got something else than JSON: %w", err)
	}
	m := payload.Message
	if payload.Type != "email.received" || m.Subject != sampleSubject || len(m.Attachments) != 1 ||
		m.Attachments[0].Filename != sampleFile || string(m.Attachments[0].Content) != sampleContent {
		return errors.New("the webhook got another mail than the one that was sent")
	}
	return nil
}

// invite says how to go on.
func (d *demo) invite() {
	addr := d.app.Addr("SMTP_ADDR")
	fmt.Fprintf(d.out, `
The mail came through. Send one of your own, from another terminal:

  postern send --to you@in.example.com %[1]s
  swaks --server %[1]s --to you@in.example.com --header "Subject: hello"
  curl smtp://%[1]s --mail-from me@example.com --mail-rcpt you@in.example.com -T mail.eml

Ctrl-C ends the demo.
`, strings.Replace(addr, "[::]", "127.0.0.1", 1))
}

// syncWriter lets the parts of the demo share an output.
type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *syncWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
