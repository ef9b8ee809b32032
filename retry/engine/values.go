package engine

import (
	"hash/crc32"
	"math/rand/v2"
	"time"

	"postern/retry"
)

// Bounds of what is stored beside the mail.
const (
	AttemptsKept = 20  // of a delivery's history
	ErrorMax     = 500 // octets of an error's text
	SubjectMax   = 200 // octets of a subject
	// DeadShare is the part of the bounds that dead letters have to themselves,
	// as a divisor: only what they take beyond it counts against new mail.
	DeadShare = 5
)

// Millis is how engines store times: milliseconds since 1970, 0 for the zero
// time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis reads what Millis made.
func FromMillis(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}

// FirstToken is beyond the tokens of any earlier delivery with the same id, and
// of one of the same millisecond it differs by chance.
func FirstToken(now time.Time) int64 { return Millis(now)<<20 | rand.Int64N(1<<20) }

// SealMessage guards what is delivered besides the body, which has its
// SHA-256: damage makes Lease.Damaged.
func SealMessage(id, key string, sha, envelope []byte) int64 {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, b := range [][]byte{[]byte(id), {0}, []byte(key), {0}, sha, envelope} {
		h.Write(b)
	}
	return int64(h.Sum32())
}

// SealDelivery guards where a delivery goes.
func SealDelivery(id, endpoint, recipients string) int64 {
	return int64(crc32.Checksum([]byte(id+"\x00"+endpoint+"\x00"+recipients), crc32.MakeTable(crc32.Castagnoli)))
}

// The states of a delivery as stored.
const (
	StateDue    = 0
	StateLeased = 1
	StateDead   = 2
)

// Bounds are a queue's.
type Bounds struct {
	MaxBytes    int64 // of bodies, dead letters' share aside
	MaxMessages int64
}

// The bounds where an engine's options name none.
const (
	DefaultMaxBytes    = 4 << 30
	DefaultMaxMessages = 1_000_000
)

// Hint is a queue's retry.Leases.Notify.
type Hint chan struct{}

// Give gives the hint, unless one waits to be heard.
func (h Hint) Give() {
	select {
	case h <- struct{}{}:
	default:
	}
}

// LeaseEnd is when a lease that is given now runs out.
func LeaseEnd(now time.Time, ttl time.Duration) time.Time {
	return now.Add(min(ttl, retry.MaxLease))
}

// Until is the end of something that lasts so long from now; 0 where it has
// none.
func Until(now time.Time, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return Millis(now.Add(d))
}
