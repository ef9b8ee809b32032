package limit

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"time"
)

// SignIns bounds what signing in may cost everybody else. Passwords are checked
// a few at once, the others wait in a short line; a network that failed too
// often waits for the end of its window without being asked anything.
type SignIns struct {
	slots chan struct{} // holds a value for each check under way

	mu       sync.Mutex
	waiting  int                        // sign-ins that wait or are being checked
	inLine   map[netip.Prefix]int       // of these, by the client's network
	failures map[netip.Prefix]*failures // recent ones, by the client's network
}

// failures are a network's within one window.
type failures struct {
	n    int
	ends time.Time // of the window
}

const (
	lineLength      = 16               // checks that wait for each one under way: about 4 s of bcrypt
	lineOfOne       = 4                // of one network
	maxFailures     = 20               // of one network in a window; more sessions than one share it
	failureWindow   = 10 * time.Minute // from the first failure
	failureNetworks = 10_000           // that are remembered
	signInBits4     = 24               // a network of IPv4
	signInBits6     = 64               // and of IPv6
)

// ErrLine is returned where so many wait for a password check that one more
// would wait too long.
var ErrLine = errors.New("limit: too many wait for a password check")

// NewSignIns leaves half of the processors to those who only send mail.
func NewSignIns() *SignIns {
	return &SignIns{
		slots:  make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		inLine: map[netip.Prefix]int{}, failures: map[netip.Prefix]*failures{},
	}
}

// Check runs a password check when its turn comes; it returns the check's error,
// ErrLine, or why the context ended.
func (g *SignIns) Check(ctx context.Context, from netip.Prefix, check func() error) error {
	if !g.enter(from) {
		return ErrLine
	}
	defer g.leave(from)
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-g.slots }()
	return check()
}

func (g *SignIns) enter(from netip.Prefix) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting >= lineLength*cap(g.slots) || from.IsValid() && g.inLine[from] >= lineOfOne {
		return false
	}
	g.waiting++
	g.inLine[from]++
	return true
}

func (g *SignIns) leave(from netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting--
	if g.inLine[from]--; g.inLine[from] == 0 {
		delete(g.inLine, from)
	}
}

// Failed counts a failure against the network.
func (g *SignIns) Failed(from netip.Prefix, now time.Time) {
	if !from.IsValid() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.failures[from]
	if f == nil || !now.Before(f.ends) {
		g.makeRoom(now)
		f = &failures{ends: now.Add(failureWindow)}
		g.failures[from] = f
	}
	f.n++
}

// makeRoom forgets windows that are over, or any where there are too many.
func (g *SignIns) makeRoom(now time.Time) {
	if len(g.failures) < failureNetworks {
		return
	}
	for p, f := range g.failures {
		if !now.Before(f.ends) {
			delete(g.failures, p)
		}
	}
	for p := range g.failures {
		if len(g.failures) < failureNetworks {
			return
		}
		delete(g.failures, p)
	}
}

// Barred reports whether the network failed too often of late.
func (g *SignIns) Barred(from netip.Prefix, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.failures[from]
	return f != nil && f.n >= maxFailures && now.Before(f.ends)
}

// SignInNetwork is the network that a sign-in is counted for: who guesses
// passwords has more than one address. Invalid for a unix socket.
func SignInNetwork(a netip.Addr) netip.Prefix {
	bits := signInBits6
	if a.Is4() {
		bits = signInBits4
	}
	p, _ := a.Prefix(bits)
	return p
}
