package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"postern/cmd/internal/app"
	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/gateway/directory"
	"postern/gateway/text"
)

const checkHelp = `[--to ADDRESS]

Tries what a gateway with this environment would use: POSTs two signed test
mails to each endpoint, a small one and one as large as its INLINE_LIMIT, asks
the directory, looks at the certificate, the store and the DNS, tries the object
store for bodies, and says what to mend. Exits 1 when something is wrong.
`

// checks runs one check after the other and reports each.
type checks struct {
	out    io.Writer
	err    io.Writer // how far they are
	failed int
	doing  atomic.Pointer[string] // what is tried now
}

// try says what comes next, for those who wait for it.
func (k *checks) try(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	k.doing.Store(&what)
}

// cmdCheck tries the configuration against the world.
func cmdCheck(ctx context.Context, s *stdio, args []string) error {
	fs := cli.NewFlags("check", checkHelp)
	to := fs.String("to", "", "recipient `address` of the test mail (default: postmaster at POSTERN_DOMAIN)")
	if err := fs.Parse(args, 0, 0); err != nil {
		return err
	}
	c, err := config.Load(s.Environ)
	if err != nil {
		return err
	}
	if *to == "" {
		*to = "postmaster@" + c.Listen.Domain
	}
	k := &checks{out: s.Out, err: s.Err}
	k.try("the configuration")
	stop := cli.Watch(s.Err, func() string { return "trying " + text.Terminal(*k.doing.Load()) + " …" })
	defer stop()
	for _, w := range c.Warnings(s.Environ) {
		k.say("warning", "%s", w)
	}
	if err := k.endpoints(ctx, c, *to); err != nil {
		return err
	}
	k.directory(ctx, c, *to)
	k.certificate(c)
	k.store(c)
	k.bodies(ctx, c)
	k.dns(ctx, c)
	stop()
	if k.failed > 0 {
		return fmt.Errorf("%d of the checks failed", k.failed)
	}
	return nil
}

func (k *checks) say(what, format string, args ...any) {
	cli.Line(k.err)
	fmt.Fprintf(k.out, "%-8s %s\n", what, cli.Hang(k.out, 9, text.TerminalLines(fmt.Sprintf(format, args...))))
}

func (k *checks) ok(format string, args ...any) { k.say("ok", format, args...) }

func (k *checks) fail(format string, args ...any) {
	k.failed++
	k.say("FAILED", format, args...)
}

// directory asks for an address. Whether it is a recipient is the directory's
// own affair: what is checked is that its answer counts.
func (k *checks) directory(ctx context.Context, c *config.Config, to string) {
	if c.Directory.URL == "" {
		return
	}
	k.try("the directory %s", c.Directory.URL)
	remote, err := app.NewRemote(c.Directory, app.Deps{Version: versionString()}, nil)
	if err != nil {
		k.fail("directory: %v", err)
		return
	}
	defer remote.Close()
	a := remote.Recipient(ctx, directory.Query{Address: to, MailFrom: "postmaster@" + c.Listen.Domain, Hello: c.Listen.Domain}, func(string) bool { return true })
	if a.Code == 450 {
		k.fail("directory %s gave no answer that counts for %s (450 %s): it must answer within its time, and a refusal must repeat the address in its JSON body", c.Directory.URL, to, a.Text())
		return
	}
	k.ok("directory %s answers %d for %s", c.Directory.URL, a.Code, to)
}
