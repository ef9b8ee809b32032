package dispatch

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"postern/gateway/budget"
	"postern/gateway/mail"
	"postern/webhook/payload"
)

// ErrNoMemory is returned by Open when no memory for the message came free in
// time: answer 452 4.3.1.
var ErrNoMemory = budget.ErrShort

// Mail is a message on its way to its webhooks; its deliveries share it. What
// it says is in memory only while somebody renders or sends it: a webhook that
// thinks costs its head alone.
type Mail struct {
	Envelope *mail.Envelope
	Head     *mail.Message // who sent it and what it is about; nil until it was first read

	// Keep makes the content durable until the time, before a url names it; nil:
	// there is no store, and so no urls.
	Keep func(ctx context.Context, until time.Time) error

	raw func() mail.Source // our header lines and the octets of DATA
	sum func() (string, error)

	mu     sync.Mutex
	opened *use          // Open's
	users  int           // who need what follows
	src    mail.Source   // raw's, nil without users
	text   *mail.Message // what today's parser reads in it, nil without users
	grant  *budget.Grant
}

// NewMail returns a message to deliver. raw makes a source of our header lines
// and the octets of DATA, each time that the message is read.
func NewMail(env *mail.Envelope, raw func() mail.Source) *Mail {
	m := &Mail{Envelope: env, raw: raw}
	m.sum = sync.OnceValues(func() (string, error) { return payload.RawSum(raw()) })
	return m
}

// Open reads a message before its deliveries are planned: its Head is there
// then. It waits for memory for a while (ErrNoMemory). The text stays
// for the deliveries that DeliverAll makes; Release lets go of it.
func (x *Dispatcher) Open(ctx context.Context, m *Mail) error {
	u, _, _, err := x.use(ctx, m, Fresh)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened = u
	return err
}

// Release ends the use that Open began. It may be called again.
func (m *Mail) Release() {
	m.mu.Lock()
	u := m.opened
	m.mu.Unlock()
	u.end()
}

// use is one user's hold on what a message says. It has nothing of it itself:
// who waits with a use in hand must not keep the text alive.
type use struct {
	mail *Mail
	over atomic.Bool
}

// end gives the use up, once. A nil use is over.
func (u *use) end() {
	if u != nil && !u.over.Swap(true) {
		u.mail.done()
	}
}

// use gives what the message says to one more user, reading it if there was
// none. Who waits for memory here must hold none.
func (x *Dispatcher) use(ctx context.Context, m *Mail, o Origin) (*use, *mail.Message, mail.Source, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users == 0 {
		if err := x.read(ctx, m, memoryWait(o)); err != nil {
			return nil, nil, nil, err
		}
	}
	m.users++
	return &use{mail: m}, m.text, m.src, nil
}

// read parses the message within the budget.
func (x *Dispatcher) read(ctx context.Context, m *Mail, wait time.Duration) error {
	src := m.raw()
	var text *mail.Message
	grant, err := x.deps.Memory.Work(ctx, wait, mail.Least(src), func(g *budget.Grant) (err error) {
		if src.Size() > heavyMail {
			x.heavy <- struct{}{}
			defer func() { <-x.heavy }()
		}
		text, err = mail.ParseWithin(src, x.cfg.ParseLimits, g)
		return err
	})
	if err != nil {
		return fmt.Errorf("dispatch: message %s: %w", m.Envelope.ID, err)
	}
	m.src, m.text, m.grant = src, text, grant
	if m.Head == nil {
		m.Head = text.Head()
	}
	return nil
}

// also is one more use of what is at hand, nil where nothing is.
func (m *Mail) also() *use {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users == 0 {
		return nil
	}
	m.users++
	return &use{mail: m}
}

// heavyMail is the octets above which reading a mail takes so long that it could
// keep all processors from other mail: one is left free of such work, where there
// is more than one. Who reads waits for nothing else.
const heavyMail = 1 << 20

// done ends a use.
func (m *Mail) done() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users--; m.users == 0 {
		m.src, m.text = nil, nil
		m.grant.Release()
	}
}
