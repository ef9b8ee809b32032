package engine

import (
	"fmt"
	"sync"

	"postern/retry"
)

// UsageColumns are what the database's own account says.
const UsageColumns = "bytes, messages, dead_bytes, dead_messages"

// Stored is the account of what is stored.
type Stored struct{ Bytes, Messages, DeadBytes, DeadMessages int64 }

// Dest is where UsageColumns are scanned to.
func (s *Stored) Dest() []any {
	return []any{&s.Bytes, &s.Messages, &s.DeadBytes, &s.DeadMessages}
}

// Idle says that nothing alive is stored.
func (s Stored) Idle() bool { return s.Messages == s.DeadMessages }

// Usage is the last account that the database gave, and what is reserved beside
// it.
type Usage struct {
	mu              sync.Mutex
	stored          Stored
	added           int64 // messages counted by Add so far
	asOf            int64 // of these, how many there were when the account was asked for
	bytes, messages int64 // reserved
}

// Set takes a new account.
func (u *Usage) Set(s Stored) { u.SetAsOf(s, u.Added()) }

// Added counts the messages that were stored here so far.
func (u *Usage) Added() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.added
}

// SetAsOf takes an account that was asked for when so many had been added: it may
// not know of those after them.
func (u *Usage) SetAsOf(s Stored, added int64) {
	u.mu.Lock()
	u.stored, u.asOf = s, added
	u.mu.Unlock()
}

// Idle says that nothing alive is stored.
func (u *Usage) Idle() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.stored.Idle() && u.asOf == u.added
}

// Get returns the account.
func (u *Usage) Get() Stored {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.stored
}

// Add counts a message that was just stored, until the next account.
func (u *Usage) Add(bytes int64) {
	u.mu.Lock()
	u.stored.Bytes, u.stored.Messages, u.added = u.stored.Bytes+bytes, u.stored.Messages+1, u.added+1
	u.mu.Unlock()
}

// Reserve books n bytes and a message where they fit; retry.ErrFull where they
// don't.
func (u *Usage) Reserve(n int64, b Bounds) (*Reservation, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.stored
	bytes := s.Bytes - min(s.DeadBytes, b.MaxBytes/DeadShare) + u.bytes
	messages := s.Messages - min(s.DeadMessages, b.MaxMessages/DeadShare) + u.messages
	if bytes+n > b.MaxBytes || messages+1 > b.MaxMessages {
		return nil, fmt.Errorf("%w: one more message of %d bytes is too many beside what waits", retry.ErrFull, n)
	}
	u.bytes, u.messages = u.bytes+n, u.messages+1
	return &Reservation{u: u, n: n}, nil
}

// Reservation holds booked bytes; Release gives them back once.
type Reservation struct {
	u    *Usage
	n    int64
	once sync.Once
}

// Release implements retry.Reservation.
func (r *Reservation) Release() {
	r.once.Do(func() {
		r.u.mu.Lock()
		r.u.bytes, r.u.messages = r.u.bytes-r.n, r.u.messages-1
		r.u.mu.Unlock()
	})
}
