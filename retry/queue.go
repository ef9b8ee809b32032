package retry

import (
	"context"
	"errors"
	"io"
	"time"
)

// Sentinels that a caller decides on.
var (
	// ErrFull is returned when a bound on bytes, messages or free disk is reached: answer 452.
	ErrFull = errors.New("retry: the queue is full")
	// ErrLeaseLost is returned when a lease's token is stale: somebody else has the delivery.
	ErrLeaseLost = errors.New("retry: lease lost")
	// ErrCorrupt is returned when stored bytes don't match their checksum; they are never delivered.
	ErrCorrupt = errors.New("retry: stored body is corrupt")
	// ErrNotFound is returned when no delivery has the id.
	ErrNotFound = errors.New("retry: no such delivery")
	// ErrNoFilter is returned when Replay or Delete would take everything and All isn't set.
	ErrNoFilter = errors.New("retry: the filter is empty: name ids, a state, an endpoint, or set all")
	// ErrUnhealthy is returned after an fsync or commit failed: nothing more is accepted, answer 451.
	ErrUnhealthy = errors.New("retry: the store can't write")
)

// Queue keeps deliveries until they are done. Both engines pass the suite in
// retry/queuetest. All methods are safe for concurrent use.
type Queue interface {
	// Reserve books n bytes; ErrFull when they don't fit. Release it always:
	// after Enqueue it is a no-op for the bytes that were stored.
	Reserve(ctx context.Context, n int64) (Reservation, error)
	// Stage takes the body in without making it visible: durable by the time
	// that Enqueue returns nil. b stays readable until then, since an engine may
	// read it twice. Bodies that Enqueue never names are swept at the next
	// start, or by Discard.
	Stage(ctx context.Context, r Reservation, b Body) (BodyRef, error)
	Discard(ctx context.Context, ref BodyRef) error
	// Enqueue stores the message and its deliveries in one commit; nil means
	// durable, and only then may 250 be said. A delivery whose ID is open
	// already is left as it is and counted in Result.Duplicates; a dead letter
	// with that ID comes back to life with the new message. After any error
	// the caller must not assume absence.
	Enqueue(ctx context.Context, m Message, ds []NewDelivery) (Result, error)
	// Lease takes due deliveries, oldest due first within an endpoint, fair
	// over endpoints, skipping paused ones and those without req.Room. A lease
	// that expires makes its delivery due again.
	Lease(ctx context.Context, req LeaseRequest) ([]Lease, error)
	// LeaseID takes one delivery by id, due or not, dead too (TURN, replay now).
	LeaseID(ctx context.Context, id string, ttl time.Duration) (Lease, error)
	Extend(ctx context.Context, l Lease, ttl time.Duration) error
	// Open reads the body and verifies its checksum: ErrCorrupt at the latest
	// instead of io.EOF. The reader lives as long as ctx.
	Open(ctx context.Context, ref BodyRef) (StoredBody, error)
	// Ack, Retry and Dead settle a lease; ErrLeaseLost when its token is stale:
	// somebody else took the delivery, or it is settled.
	Ack(ctx context.Context, l Lease, a Attempt) error
	Retry(ctx context.Context, l Lease, due time.Time, a Attempt) error
	Dead(ctx context.Context, l Lease, why string, a Attempt) error
	// Release gives a lease back unspent, in the state it was leased from; a
	// non-zero attempt is recorded.
	Release(ctx context.Context, l Lease, a Attempt) error
	// NextDue is when Lease may have something to give to endpoints with room
	// that it doesn't have now; zero: nothing waits.
	NextDue(ctx context.Context, room func(endpoint string) int) (time.Time, error)
	// Notify is a hint that something became due; polling stays correct.
	Notify() <-chan struct{}

	// Keep stores a message that no delivery needs (any more), for content by
	// url, until the time; a message that is stored already is kept as long at
	// least. A zero time drops it as soon as no delivery needs it.
	Keep(ctx context.Context, m Message, until time.Time) error
	// OpenMessage reads a stored message; ErrNotFound when it is gone. The
	// caller closes the body.
	OpenMessage(ctx context.Context, messageID string) (Message, StoredBody, error)

	// Pause keeps an endpoint's deliveries from being leased until the time
	// (zero: until Resume). It is kept over restarts and shared by replicas.
	Pause(ctx context.Context, endpoint string, until time.Time, why string) error
	Resume(ctx context.Context, endpoint string) error
	Endpoints(ctx context.Context) ([]EndpointState, error)
	// SaveBreaker keeps an endpoint's breaker over restarts.
	SaveBreaker(ctx context.Context, endpoint string, state []byte) error

	List(ctx context.Context, f Filter, page Page) ([]Info, Page, error)
	Get(ctx context.Context, id string) (Info, []Attempt, error)
	// Replay makes dead deliveries due again with a new life as long as their
	// first, to the endpoint "to" where it is not "", keeping id and history;
	// it returns how many. ErrNoFilter when f selects everything without All.
	Replay(ctx context.Context, f Filter, to string, due time.Time) (int, error)
	// Delete removes deliveries that nobody has leased; it returns how many.
	Delete(ctx context.Context, f Filter) (int, error)
	Stats(ctx context.Context) (Stats, error)
	// Meta reads a small value that belongs to the store, nil when absent;
	// SetMeta writes it.
	Meta(ctx context.Context, key string) ([]byte, error)
	SetMeta(ctx context.Context, key string, value []byte) error
	// Health is nil while the store can write.
	Health(ctx context.Context) error
	Close() error

	Ledger
}

// Ledger remembers who took a message whose sender hasn't been answered 250
// yet, so that the sender's next try reaches only the others.
type Ledger interface {
	// Taken lists the delivery ids that took the message with this key.
	Taken(ctx context.Context, key string) ([]string, error)
	// Remember adds ids under the key until expires.
	Remember(ctx context.Context, key string, ids []string, expires time.Time) error
	// Forget drops the key: the sender was answered 250.
	Forget(ctx context.Context, key string) error
}

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
	ID       string    // unique; the envelope's id
	Key      string    // message key
	Received time.Time // when we took it
	Expires  time.Time // open deliveries die then
	From     string    // reverse-path, for lists
	Subject  string    // for lists, at most 200 octets
	Envelope []byte    // JSON, opaque to the engine
	Body     BodyRef
	// Retain keeps the message so long after each of its deliveries was
	// acknowledged, for content by url.
	Retain time.Duration
}

// NewDelivery is one delivery to store with its message.
type NewDelivery struct {
	ID         string // webhook-id: the same for the same (key, endpoint, recipients)
	Endpoint   string
	Recipients []string
	Due        time.Time
	Dead       string   // a reason stores it as a dead letter at once
	First      *Attempt // the attempt already made while the sender waited
}

// Result says what Enqueue did.
type Result struct {
	Stored     int
	Duplicates int
}

// LeaseRequest says what a worker can take now.
type LeaseRequest struct {
	Max int           // deliveries at most
	TTL time.Duration // how long the lease lasts without Extend
	// Room says how many more an endpoint can take now, 0 none; nil is no bound.
	Room func(endpoint string) int
	// Expired takes deliveries past their Expires instead, of every endpoint,
	// paused ones and those without room too: to make dead letters of them.
	Expired bool
}

// Lease is the right to attempt one delivery, until it expires.
type Lease struct {
	Info
	Token    int64 // fencing token
	Until    time.Time
	Tries    int // attempts since it was stored or replayed: the backoff's count
	Envelope []byte
	Body     BodyRef
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
	N      int           `json:"n"`
	At     time.Time     `json:"at"`
	Status int           `json:"status"` // HTTP status, 0 where none came
	Took   time.Duration `json:"took_ns"`
	Reason string        `json:"reason"`
	Error  string        `json:"error,omitempty"`
}

// Filter selects deliveries; a zero field selects all.
type Filter struct {
	IDs       []string
	MessageID string
	State     State
	Endpoint  string
	Recipient string
	Reason    string
	Before    time.Time // received before
	All       bool      // Replay and Delete refuse an otherwise empty filter without it
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
}

// Stats counts what waits.
type Stats struct {
	Bytes, MaxBytes       int64
	Messages, MaxMessages int64
	Endpoints             map[string]Counts
	OldestDue             time.Time // receipt of the delivery that has waited longest of its time; zero: nothing waits
	DeadByReason          map[string]int64
}

// Counts are an endpoint's deliveries by state.
type Counts struct{ Due, Leased, Dead int64 }
