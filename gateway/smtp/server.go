package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"postern/gateway/smtp/limit"
)

// ErrServerClosed is returned by Serve after Shutdown or Close.
var ErrServerClosed = errors.New("smtp: server closed")

// Protocol is what a listener speaks.
type Protocol uint8

const (
	SMTP  Protocol = iota // RFC 5321, STARTTLS as Config.TLS says
	SMTPS                 // the same inside TLS from the first octet (RFC 8314)
	LMTP                  // RFC 2033, on TCP or a unix socket; never on port 25
)

// Server serves any number of listeners with one set of limits.
type Server struct {
	cfg        Config
	handler    Handler
	collector  Collector // nil: no TURN
	resolver   Resolver  // nil: Rcpt answers at once
	memory     Memory
	processors Processors
	log        *slog.Logger
	observer   Observer
	tls        *tls.Config
	auth       Authenticator
	mechs      []mechanism
	commands   []command
	pool       *buffers
	signIns    *limit.SignIns

	connections limit.Connections
	closing     atomic.Bool
	cutting     atomic.Bool        // at the end of the grace: nobody waits for a client any more
	closed      chan struct{}      // closed with closing
	base        context.Context    // of all handler calls
	cancel      context.CancelFunc // at the end of the grace

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	sessions  map[*session]struct{}
	running   sync.WaitGroup
}

// Option hands a Server what it uses.
type Option func(*Server)

// WithLogger sets the logger; the default is silent.
func WithLogger(l *slog.Logger) Option { return func(s *Server) { s.log = l } }

// WithObserver sets who is told of sessions and replies.
func WithObserver(o Observer) Option { return func(s *Server) { s.observer = o } }

// WithTLS sets the certificate and, for client certificates, ClientAuth and
// ClientCAs. GetCertificate lets a certificate change while the server runs.
// TLS older than 1.2 is never spoken (RFC 8996).
func WithTLS(c *tls.Config) Option { return func(s *Server) { s.tls = c } }

// WithAuthenticator lets clients sign in; without one AUTH is 502.
func WithAuthenticator(a Authenticator) Option { return func(s *Server) { s.auth = a } }

// NewServer checks the configuration and wires a server; Serve makes it run.
func NewServer(cfg Config, h Handler, opts ...Option) (*Server, error) {
	s := &Server{
		cfg: cfg, handler: h, memory: boundless{}, processors: boundless{}, log: slog.New(slog.DiscardHandler), observer: nobody{},
		commands: commandTable(), pool: newBuffers(), closed: make(chan struct{}),
		listeners: map[net.Listener]struct{}{}, sessions: map[*session]struct{}{},
	}
	for _, o := range opts {
		o(s)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	s.collector, _ = h.(Collector)
	s.connections.Total, s.connections.PerClient = cfg.MaxConnections, cfg.MaxConnectionsPerClient
	s.base, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

func (s *Server) check() error {
	errs := []error{s.cfg.validate()}
	if s.cfg.TLS != TLSOff && s.tls == nil {
		errs = append(errs, errors.New("smtp: TLS is on but there is no certificate: give WithTLS, or set TLS to off"))
	}
	if s.cfg.AuthRequired && s.auth == nil {
		errs = append(errs, errors.New("smtp: AuthRequired needs somebody to sign in to: give WithAuthenticator"))
	}
	if s.auth != nil {
		s.mechs, s.signIns = knownMechanisms(), limit.NewSignIns()
		errs = append(errs, checkMechanisms(s.auth))
	}
	if s.tls != nil {
		s.tls = s.tls.Clone()
		s.tls.MinVersion = max(s.tls.MinVersion, tls.VersionTLS12)
	}
	return errors.Join(errs...)
}

// Serve takes connections until the context ends, the listener fails or
// Shutdown is called (ErrServerClosed). Sessions outlive the context: only
// Shutdown and Close end them. It may be called for several listeners.
func (s *Server) Serve(ctx context.Context, l net.Listener, p Protocol) error {
	if err := s.admits(l, p); err != nil {
		return errors.Join(err, l.Close())
	}
	if !s.track(l) {
		return errors.Join(ErrServerClosed, l.Close())
	}
	defer s.untrack(l)
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	var wait time.Duration
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			wait = 0
			s.start(conn, p)
		case s.closing.Load():
			return ErrServerClosed
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("smtp: accept: %w", err)
		default: // out of descriptors, most likely: others will end
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			s.log.Error("accept failed, trying again", "err", err, "wait", wait)
			s.pause(wait)
		}
	}
}

// admits says whether the protocol may be spoken there.
func (s *Server) admits(l net.Listener, p Protocol) error {
	if p == SMTPS && s.tls == nil {
		return errors.New("smtp: implicit TLS needs a certificate: give WithTLS")
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok && p == LMTP && a.Port == 25 {
		return errors.New("smtp: LMTP must not be spoken on port 25 (RFC 2033 section 5): choose another port")
	}
	return nil
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
	_ = l.Close()
}

// start gives a connection its session, or refuses it where there are enough.
func (s *Server) start(conn net.Conn, p Protocol) {
	ses := newSession(s, conn, p)
	s.observer.SessionStarted(&ses.client)
	if s.memory.Crowded() || !s.connections.Enter() {
		ses.turnAway()
		return
	}
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		s.connections.Leave()
		_ = conn.Close()
		s.observer.SessionEnded(&ses.client, EndShutdown)
		return
	}
	s.sessions[ses] = struct{}{}
	s.running.Add(1)
	s.mu.Unlock()
	go ses.serve()
}

// forget is called by a session as its last act.
func (s *Server) forget(ses *session) {
	s.connections.Leave()
	s.mu.Lock()
	delete(s.sessions, ses)
	s.mu.Unlock()
	s.running.Done()
}

// Shutdown stops accepting, answers 421 4.3.2 to idle sessions and waits for
// the transactions that are in DATA; they get their reply, then the 421. When
// the context ends first, its error is returned: handlers see their context
// end, and have a few seconds to answer; who is still sending is told 421.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		s.cancel()
		return nil
	case <-ctx.Done():
	}
	s.cut()
	select {
	case <-done:
	case <-time.After(lastWords):
		s.sever()
		<-done
	}
	return ctx.Err()
}

// lastWords is how long sessions may take to say theirs once the grace is over.
const lastWords = 5 * time.Second

// Close ends everything at once and waits for it: handlers see their context end.
func (s *Server) Close() error {
	s.stop()
	s.cut()
	s.sever()
	s.running.Wait()
	return nil
}

// stop closes the listeners and wakes the sessions that wait for a command. A
// session looks at closing after it has set its own deadline, so it either
// sees it or is woken.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing.Swap(true) {
		close(s.closed)
	}
	for l := range s.listeners {
		_ = l.Close()
	}
	for ses := range s.sessions {
		_ = ses.raw.SetReadDeadline(past)
	}
}

// cut ends the handlers' context and all waiting for clients.
func (s *Server) cut() {
	s.cutting.Store(true)
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for ses := range s.sessions {
		_ = ses.raw.SetReadDeadline(past)
	}
}

// sever ends all connections.
func (s *Server) sever() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ses := range s.sessions {
		_ = ses.raw.Close()
	}
}

// pause waits, but not beyond the server's end.
func (s *Server) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.closed:
	}
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)
