package retry

import (
	"context"
	"errors"
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
	// ErrBusy is returned when a body can't be read now, since others are: later.
	ErrBusy = errors.New("retry: there is no room to read a body now")
	// ErrNoFilter is returned when Replay or Delete would take everything and All isn't set.
	ErrNoFilter = errors.New("retry: the filter is empty: name ids, a state, an endpoint, or set all")
	// ErrPage is returned for a place in a list that no list gave.
	ErrPage = errors.New("retry: no list gave this place")
	// ErrUnhealthy is returned after an fsync or commit failed: nothing more is accepted, answer 451.
	ErrUnhealthy = errors.New("retry: the store can't write")
)

// Queue keeps deliveries until they are done: what an engine offers as a whole.
// Whoever works with one names the part that it calls, one of those below or
// an interface of its own. Both engines pass the suite in retry/queuetest. All
// methods are safe for concurrent use.
//
// Only the queue makes absolute times, with a clock of its own: callers say how
// long from now.
type Queue interface {
	Intake
	Keeper
	Leases
	Endpoints
	Operator
	Dedup
	Meta
	// Health is nil while the store can write.
	Health(ctx context.Context) error
	Close() error
}

// Intake takes mail in.
type Intake interface {
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
}

// Keeper stores messages that no delivery needs (any more), for content by url.
type Keeper interface {
	// Keep stores a message for so long at least, beside its deliveries if it
	// has any.
	Keep(ctx context.Context, m Message, d time.Duration) error
	// Drop ends what Keep asked for: the message goes as soon as no delivery
	// needs it.
	Drop(ctx context.Context, messageID string) error
	Messages
}

// Messages reads what is stored.
type Messages interface {
	// OpenMessage reads a stored message; ErrNotFound when it is gone. The
	// caller closes the body.
	OpenMessage(ctx context.Context, messageID string) (Message, StoredBody, error)
}

// Leases gives deliveries out and takes their outcome. A lease is settled by
// one of Ack, Retry, Dead, Release and Split; ErrLeaseLost when its token is
// stale: somebody else took the delivery, or it is settled.
type Leases interface {
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
	Ack(ctx context.Context, l Lease, a Attempt) error
	// Retry makes the delivery due again after the wait. The zero attempt is none:
	// it doesn't count.
	Retry(ctx context.Context, l Lease, wait time.Duration, a Attempt) error
	Dead(ctx context.Context, l Lease, why string, a Attempt) error
	// Release gives a lease back unspent, in the state it was leased from; a
	// non-zero attempt is recorded.
	Release(ctx context.Context, l Lease, a Attempt) error
	// Split puts parts in a delivery's place, in one commit: what is left of it
	// after its webhook answered for each recipient. They go to its endpoint,
	// have its attempts behind them, count on from its backoff and end when it
	// would have. A part whose id is stored already is treated as in Enqueue.
	Split(ctx context.Context, l Lease, parts []NewDelivery) error
	// NextDue is how long it is until Lease may have something to give for the
	// request that it doesn't have now; false: nothing waits.
	NextDue(ctx context.Context, req LeaseRequest) (wait time.Duration, some bool, err error)
	// StopAhead ends what the last Lease allowed (LeaseRequest.Ahead): its caller
	// takes no more, and what was leased for it is due, for others.
	StopAhead(ctx context.Context)
	// Notify is a hint that something became due; polling stays correct.
	Notify() <-chan struct{}
}

// Endpoints is what the store knows of where deliveries go.
type Endpoints interface {
	// Pause keeps an endpoint's deliveries from being leased for so long, 0
	// until Resume. It is kept over restarts and shared by replicas.
	Pause(ctx context.Context, endpoint string, d time.Duration, why string) error
	// Resume ends a pause, and tells whoever has the endpoint's breaker to let
	// its next probe go.
	Resume(ctx context.Context, endpoint string) error
	Endpoints(ctx context.Context) ([]EndpointState, error)
	// SaveBreaker keeps an endpoint's breaker over restarts.
	SaveBreaker(ctx context.Context, endpoint string, state []byte) error
	// Waiting counts the deliveries of an endpoint that are due or leased, most of
	// them at most where that is above 0.
	Waiting(ctx context.Context, endpoint string, most int64) (Waiting, error)
}

// Waiting is what waits for an endpoint: deliveries, and the octets of their
// messages. One that has several deliveries counts for each.
type Waiting struct{ Deliveries, Bytes int64 }

// Operator looks into the queue and changes what waits. What changes something
// returns how many, and ErrNoFilter when the filter selects everything without
// All.
type Operator interface {
	List(ctx context.Context, f Filter, page Page) ([]Info, Page, error)
	Get(ctx context.Context, id string) (Info, []PastAttempt, error)
	// Replay makes dead deliveries due again after the wait, with a new life as
	// long as their message's, to the endpoint "to" where it is not "", keeping id
	// and history.
	Replay(ctx context.Context, f Filter, to string, wait time.Duration) (int, error)
	// RetryNow makes waiting deliveries due within the spread, evenly, those
	// aside that are due sooner.
	RetryNow(ctx context.Context, f Filter, spread time.Duration) (int, error)
	// Delete removes deliveries that nobody has leased.
	Delete(ctx context.Context, f Filter) (int, error)
	Stats(ctx context.Context) (Stats, error)
}

// Dedup keeps the dedup records: whom a message has reached whose sender hasn't
// been answered 250 yet, so that the sender's next try reaches only the others.
type Dedup interface {
	// Delivered lists the ids that Remember added under the message's key.
	Delivered(ctx context.Context, key string) ([]string, error)
	// Remember adds ids under the key, for so long.
	Remember(ctx context.Context, key string, ids []string, d time.Duration) error
	// Forget drops the key: the sender was answered 250.
	Forget(ctx context.Context, key string) error
}

// Meta holds small values that belong to the store and that all who share it
// agree on.
type Meta interface {
	// Meta reads a value, nil when absent.
	Meta(ctx context.Context, key string) ([]byte, error)
	// PutMeta stores a value where there is none and returns the one that is
	// stored: of several at once all get the same.
	PutMeta(ctx context.Context, key string, value []byte) ([]byte, error)
}
