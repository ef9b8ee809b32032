package retry

import (
	"io"
	"time"
)

// Body is the message's bytes to store. A Body that also has Path() string is
// a file whose bytes never change again and that the engine may hard-link.
type Body interface {
	Open() (io.ReadSeekCloser, error)
	Size() int64
}

// StoredBody reads a stored body; ReadAt and Seek don't verify, Verify does.
type StoredBody interface {
	io.ReadSeekCloser
	io.ReaderAt
	Size() int64
	// Verify reads the whole body once and compares its SHA-256; ErrCorrupt
	// when it differs.
	Verify() error
}

// Reservation holds booked bytes until they are stored or released.
type Reservation interface{ Release() }

// BodyRef names a staged or stored body.
type BodyRef struct {
	ID     string
	Size   int64
	SHA256 [32]byte
	Inline []byte // the engine's own: small bodies wait here for Enqueue
}

// Message is the part that all deliveries of a mail share.
type Message struct {
	ID       string        // unique; the envelope's id
	Key      string        // message key
	Received time.Time     // when we took it
	Life     time.Duration // open deliveries end so long after they were stored
	From     string        // reverse-path, for lists
	Subject  string        // for lists, at most 200 octets
	Envelope []byte        // JSON, opaque to the engine
	Body     BodyRef
}

// NewDelivery is one delivery to store with its message.
type NewDelivery struct {
	ID         string // webhook-id: the same for the same (key, endpoint, recipients)
	Endpoint   string
	Recipients []string
	Wait       time.Duration // until it is due
	Life       time.Duration // it ends so long after it was stored, if its message's life is longer; 0: with that
	Dead       string        // a reason stores it as a dead letter at once
	First      *Attempt      // the attempt already made while the sender waited
}

// Result says what Enqueue did.
type Result struct {
	Stored     int
	Duplicates int
}

// LeaseRequest says what a worker can take now.
type LeaseRequest struct {
	Max int // deliveries at most
	// Octets of their bodies at most, the first delivery aside; 0 is no bound.
	Octets int64
	TTL    time.Duration // how long the lease lasts without Extend
	// Room says how many more an endpoint can take now, 0 none; nil is no bound.
	Room func(endpoint string) int
	// Expired takes deliveries past their end instead that nobody can attempt,
	// to make dead letters of them: those of paused endpoints and of Held ones.
	// The others are due and get their last attempt.
	Expired bool
	Held    func(endpoint string) bool // nil: none
	// Ahead lets an engine lease new deliveries as it stores them, within what this
	// request leaves of Max, Octets and Room, until the next one, which returns them.
	Ahead bool
	// Since leaves out what passed its end longer ago: nobody was there then to
	// attempt it. 0 is no bound.
	Since time.Duration
}

// MaxLease is the longest that a lease lasts without Extend. One that seems to
// last longer was given before the clock was set back.
const MaxLease = 15 * time.Minute

// Lease is the right to attempt one delivery, until it expires.
type Lease struct {
	Info
	Token    int64         // fencing token
	Tries    int           // attempts since it was stored or replayed: the backoff's count
	Left     time.Duration // of its life when it was leased; none left: this is its last attempt
	Envelope []byte
	Body     BodyRef
	// Lapsed says that the last lease ended without an outcome: whoever had it may
	// have ended by it.
	Lapsed bool
	// Damaged says that the stored record doesn't match its checksum: make it
	// a dead letter, never deliver it.
	Damaged bool
}

// State of a delivery.
type State string

// The states; a delivery that is done is gone.
const (
	Due    State = "due"
	Leased State = "leased"
	Dead   State = "dead"
)

// Info is a delivery without its body.
type Info struct {
	ID         string    `json:"id"`
	MessageID  string    `json:"message_id"`
	Key        string    `json:"key"`
	Endpoint   string    `json:"endpoint"`
	Recipients []string  `json:"recipients"`
	From       string    `json:"from"`
	Subject    string    `json:"subject"`
	Size       int64     `json:"size"`
	State      State     `json:"state"`
	Reason     string    `json:"reason,omitempty"` // of a dead letter
	Received   time.Time `json:"received"`
	Expires    time.Time `json:"expires"`
	DueAt      time.Time `json:"due"`
	Attempts   int       `json:"attempts"`
	LastStatus int       `json:"last_status,omitempty"`
	LastError  string    `json:"last_error,omitempty"`
}

// Attempt is one try and its outcome; the last 20 of a delivery are kept.
type Attempt struct {
	At     time.Time     `json:"at"`
	Status int           `json:"status"` // HTTP status, 0 where none came
	Took   time.Duration `json:"took_ns"`
	Reason string        `json:"reason"`
	Error  string        `json:"error,omitempty"`
}

// PastAttempt is an attempt of a delivery's history.
type PastAttempt struct {
	N int `json:"n"` // 1 is the first
	Attempt
}

// Filter selects deliveries; a zero field selects all.
type Filter struct {
	IDs       []string
	Prefix    string // of the delivery's id
	MessageID string
	State     State
	Endpoint  string
	Recipient string
	Reason    string
	Before    time.Time // received before
	Since     time.Time // received then or later
	All       bool      // what changes something refuses an otherwise empty filter without it
}

// Empty reports whether the filter leaves everything open.
func (f Filter) Empty() bool {
	return len(f.IDs) == 0 && f.Prefix+f.MessageID+string(f.State)+f.Endpoint+f.Recipient+f.Reason == "" && f.Before.IsZero() && f.Since.IsZero()
}

// Page is a place in a list; Size 0 takes 100, the zero After starts.
type Page struct {
	After string
	Size  int
}

// EndpointState is what the store knows of an endpoint.
type EndpointState struct {
	Endpoint    string    `json:"endpoint"`
	Paused      bool      `json:"paused"`
	PausedUntil time.Time `json:"paused_until"`
	Why         string    `json:"why,omitempty"`
	Breaker     []byte    `json:"-"` // a saved Breaker, opaque to the engine
	Resumes     int64     `json:"-"` // how often it was resumed: each lets an open breaker's probe go
}

// Stats counts what waits.
type Stats struct {
	Bytes, MaxBytes       int64
	Messages, MaxMessages int64
	Endpoints             map[string]Counts
	OldestDue             time.Time            // receipt of the delivery that has waited longest of its time; zero: nothing waits
	OldestOf              map[string]time.Time // by endpoint: when the life of its oldest waiting delivery began, by receipt or replay
	DeadByReason          map[string]int64
	DeadOf                map[DeadKind]int64
	Aside                 int64 // files set aside because the store was damaged
}

// DeadKind is an endpoint's dead letters of one reason.
type DeadKind struct{ Endpoint, Reason string }

// Counts are an endpoint's deliveries by state.
type Counts struct{ Due, Leased, Dead int64 }
