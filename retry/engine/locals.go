package engine

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"postern/retry"
)

// How long, and how many, bodies stay that nobody reads: a delivery opens its
// body twice, and who downloads by ranges comes back.
const (
	idleFor = time.Minute
	idleMax = 64
)

// roomWait is how long who finds no room waits: then it is retry.ErrBusy.
const roomWait = 30 * time.Second

// asideShare is the part of the room, as a divisor, that readers aside
// (retry.Aside) may hold: deliveries have the rest whatever they do.
const asideShare = 2

// Locals are copies of bodies that lie elsewhere, in files that are open and have
// no name: whatever ends the process ends them. Who works on a mail reads it
// without waiting for a network or a database. Their octets are bounded; who finds
// no room waits.
type Locals struct {
	dir string
	max int64

	mu    sync.Mutex
	all   map[string]*local
	idle  *list.List // of *local, who was used last is in front
	used  int64
	aside int64         // of used, what readers aside hold
	freed chan struct{} // closed when there may be room
	ended bool
}

// local is one of them.
type local struct {
	name  string
	size  int64
	file  *os.File
	ready chan struct{} // closed when the file is whole, or err says why not
	err   error

	readers int
	aside   int           // of them, those aside
	place   *list.Element // in idle; nil: somebody reads it
	since   time.Time     // idle since
}

// NewLocals makes room for max octets in the folder, one larger body aside; "" is
// the system's folder for temporary files, 0 is 1 GiB.
func NewLocals(dir string, max int64) *Locals {
	if max <= 0 {
		max = 1 << 30
	}
	return &Locals{dir: dir, max: max, all: map[string]*local{}, idle: list.New(), freed: make(chan struct{})}
}

// Open gives the body by the name. fetch copies and verifies it, unless its file is
// there already: where it ends with the context of who asked first, who still
// waits begins anew.
func (s *Locals) Open(ctx context.Context, name string, size int64, fetch func(*os.File) error) (retry.StoredBody, error) {
	for {
		l, err := s.open(ctx, name, size, fetch)
		if err == nil {
			return &localBody{SectionReader: io.NewSectionReader(l.file, 0, size), l: l, all: s, aside: retry.IsAside(ctx)}, nil
		}
		if !errors.Is(err, errOther) || ctx.Err() != nil {
			return nil, err
		}
	}
}

// errOther is of a body that somebody else fetched, in vain.
var errOther = errors.New("another reader's context ended")

// open gives the file of a body.
func (s *Locals) open(ctx context.Context, name string, size int64, fetch func(*os.File) error) (*local, error) {
	aside := retry.IsAside(ctx)
	l, mine, err := s.take(ctx, name, size, aside)
	if err != nil {
		return nil, err
	}
	if mine {
		s.fill(l, fetch)
	}
	select {
	case <-l.ready:
	case <-ctx.Done():
		s.release(l, aside)
		return nil, ctx.Err()
	}
	if l.err != nil {
		s.release(l, aside)
		if !mine && errors.Is(l.err, context.Canceled) {
			return nil, fmt.Errorf("%w: %w", errOther, l.err)
		}
		return nil, l.err
	}
	return l, nil
}

// take finds a body's file, or makes room for it: then it is the caller's to fill.
func (s *Locals) take(ctx context.Context, name string, size int64, aside bool) (l *local, mine bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, roomWait, retry.ErrBusy)
	defer cancel()
	for {
		s.mu.Lock()
		l := s.all[name]
		if aside && (l == nil || l.aside == 0) && s.aside > 0 && s.aside+size > s.max/asideShare {
			s.mu.Unlock()
			return nil, false, fmt.Errorf("a body of %d octets: %w", size, retry.ErrBusy)
		}
		if l != nil {
			s.use(l, aside)
			s.mu.Unlock()
			return l, false, nil
		}
		for s.used > 0 && s.used+size > s.max && s.idle.Len() > 0 {
			s.drop(s.idle.Back().Value.(*local))
		}
		if s.used == 0 || s.used+size <= s.max {
			l := &local{name: name, size: size, ready: make(chan struct{})}
			s.all[name] = l
			s.used += size
			s.use(l, aside)
			s.mu.Unlock()
			return l, true, nil
		}
		freed := s.freed
		s.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, false, fmt.Errorf("waiting for room to read a body of %d octets: %w", size, context.Cause(ctx))
		}
	}
}

// fill makes the file. One that failed is found by nobody any more.
func (s *Locals) fill(l *local, fetch func(*os.File) error) {
	defer close(l.ready)
	defer func() {
		if l.err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.all, l.name)
		}
	}()
	f, err := os.CreateTemp(s.dir, "postern-body-*")
	if err != nil {
		l.err = fmt.Errorf("making a file to read a body from: %w", err)
		return
	}
	l.file = f
	l.err = errors.Join(os.Remove(f.Name()), fetch(f))
}

// use counts a reader more; s is locked.
func (s *Locals) use(l *local, aside bool) {
	l.readers++
	if aside {
		if l.aside++; l.aside == 1 {
			s.aside += l.size
		}
	}
	if l.place != nil {
		s.idle.Remove(l.place)
		l.place = nil
	}
}

// release counts a reader less; a file that nobody reads stays a while.
func (s *Locals) release(l *local, aside bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if aside {
		if l.aside--; l.aside == 0 {
			s.aside -= l.size
		}
	}
	if l.readers--; l.readers > 0 {
		return
	}
	failed := false
	select {
	case <-l.ready:
		failed = l.err != nil
	default:
	}
	l.place, l.since = s.idle.PushFront(l), time.Now()
	if failed || s.ended {
		s.drop(l)
	}
	for s.idle.Len() > idleMax {
		s.drop(s.idle.Back().Value.(*local))
	}
	s.give()
}

// drop closes an idle file; s is locked.
func (s *Locals) drop(l *local) {
	s.idle.Remove(l.place)
	if s.all[l.name] == l {
		delete(s.all, l.name)
	}
	s.used -= l.size
	if l.file != nil {
		_ = l.file.Close()
	}
}

// give wakes who waits for room; s is locked.
func (s *Locals) give() {
	close(s.freed)
	s.freed = make(chan struct{})
}

// Expire closes what was idle for long.
func (s *Locals) Expire(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.idle.Back(); e != nil && now.Sub(e.Value.(*local).since) >= idleFor; e = s.idle.Back() {
		s.drop(e.Value.(*local))
	}
	s.give()
}

// Close closes what is idle; what is read is closed with its last reader.
func (s *Locals) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for e := s.idle.Back(); e != nil; e = s.idle.Back() {
		s.drop(e.Value.(*local))
	}
	return nil
}

// localBody is a verified copy of a stored one.
type localBody struct {
	*io.SectionReader
	l      *local
	all    *Locals
	aside  bool
	closed bool
}

// Verify implements retry.StoredBody: that was done when it was copied.
func (*localBody) Verify() error { return nil }

// Close implements io.Closer.
func (b *localBody) Close() error {
	if !b.closed {
		b.closed = true
		b.all.release(b.l, b.aside)
	}
	return nil
}
