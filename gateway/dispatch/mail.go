package dispatch

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"postern/gateway/budget"
	"postern/gateway/mail"
	"postern/webhook/payload"
)

// ErrNoMemory is returned by Open when no memory for the message, or no place at a
// processor, came free in time: answer 452 4.3.1.
var ErrNoMemory = budget.ErrShort

// Mail is a message on its way to its webhooks; its deliveries share it. Its
// parsed form is in memory only while a reference to it is held, which is while
// it is rendered or sent: a webhook that is slow to answer costs its Head alone.
type Mail struct {
	Envelope *mail.Envelope
	Head     *mail.Message // who sent it and what it is about; nil until it was first read

	// Keep makes the content durable until the time, before a url names it; nil:
	// there is no store, and so no urls.
	Keep func(ctx context.Context, until time.Time) error

	raw func() mail.Source // our trace header and the octets of DATA
	sum func() (string, error)

	mu      sync.Mutex
	openRef *ref          // Open's
	refs    int           // how many need the three that follow; nil without any
	src     mail.Source   // the source that was parsed
	parsed  *mail.Message // as today's parser reads it, also where the mail is old
	grant   *budget.Grant // the memory that they hold
}

// NewMail returns a message to deliver. raw gives our trace header and the
// octets of DATA, each time that the message is parsed.
func NewMail(env *mail.Envelope, raw func() mail.Source) *Mail {
	m := &Mail{Envelope: env, raw: raw}
	m.sum = sync.OnceValues(func() (string, error) { return payload.RawSum(raw()) })
	return m
}

// Open parses a message before its deliveries are planned: its Head is there
// then. It waits for memory for a while (ErrNoMemory). The parsed form stays for
// the deliveries that DeliverAll makes; Release gives it up.
func (x *Dispatcher) Open(ctx context.Context, m *Mail) error {
	r, err := x.addRef(ctx, m, Fresh)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.openRef = r
	return err
}

// Release gives up the reference that Open took. It may be called again.
func (m *Mail) Release() {
	m.mu.Lock()
	r := m.openRef
	m.mu.Unlock()
	r.release()
}

// ref is a reference to a message's parsed form. It holds no pointer to that
// form itself: once it was released, a ref that still lies about keeps nothing
// alive.
type ref struct {
	mail     *Mail
	released atomic.Bool
}

// release gives the reference up, once; a nil one holds nothing.
func (r *ref) release() {
	if r != nil && !r.released.Swap(true) {
		r.mail.dropRef()
	}
}

// addRef takes one more reference, and parses the message if there was none. It
// may wait for memory, so its caller must hold none.
func (x *Dispatcher) addRef(ctx context.Context, m *Mail, o Origin) (*ref, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refs == 0 {
		if err := x.parse(ctx, m, memoryWait(o)); err != nil {
			return nil, err
		}
	}
	m.refs++
	return &ref{mail: m}, nil
}

// parse parses the message within the memory budget.
func (x *Dispatcher) parse(ctx context.Context, m *Mail, wait time.Duration) (err error) {
	if x.deps.Step != nil {
		within, end := x.deps.Step(ctx, "parse")
		defer func() { end(err) }()
		ctx = within
	}
	src := m.raw()
	var parsed *mail.Message
	grant, err := x.deps.Memory.Work(ctx, wait, mail.Least(src), func(g *budget.Grant) (err error) {
		short := x.compute(ctx, src, func() { parsed, err = mail.ParseWithin(src, x.cfg.ParseLimits, g) })
		return cmp.Or(short, err)
	})
	if err != nil {
		return fmt.Errorf("dispatch: message %s: %w", m.Envelope.ID, err)
	}
	m.src, m.parsed, m.grant = src, parsed, grant
	if m.Head == nil {
		m.Head = parsed.Head()
	}
	return nil
}

// addRefIfParsed takes one more reference if the message is parsed now; else nil.
func (m *Mail) addRefIfParsed() *ref {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refs == 0 {
		return nil
	}
	m.refs++
	return &ref{mail: m}
}

// compute parses or renders a mail: work that waits for nothing, since stores give
// large mail as a file of this machine. With a large one it takes so long that it
// could keep all processors from other mail. Work that found no place until ctx
// ended was never begun: ErrNoMemory.
func (x *Dispatcher) compute(ctx context.Context, src mail.Source, work func()) error {
	switch n := src.Size(); {
	case n > largeMail:
		return x.deps.Processors.Whole(ctx, work)
	case n > smallMail:
		if err := x.deps.Processors.Enter(ctx); err != nil {
			return err
		}
		defer x.deps.Processors.Leave()
	}
	work()
	return nil
}

// Octets of mails: small ones wait for no place at a processor, large ones leave
// some to others.
const (
	smallMail = 64 << 10
	largeMail = 1 << 20
)

// dropRef gives up a reference; with the last one the parsed form goes.
func (m *Mail) dropRef() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refs--; m.refs == 0 {
		m.src, m.parsed = nil, nil
		m.grant.Release()
	}
}
