package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"postern/retry"
	"postern/retry/engine"
)

// ErrUnsafe is returned when the server is set so that a crash loses commits.
var ErrUnsafe = errors.New("postgres: the server doesn't keep what it committed")

// Options bound a queue. Zero fields take the defaults named.
type Options struct {
	MaxBytes    int64 // of bodies, dead letters' share aside; 4 GiB
	MaxMessages int64 // 1,000,000
	Conns       int32 // of the pool, at most; 16
	// Admin opens the queue for an operator's command: no migration and no
	// housekeeping.
	Admin bool
	// Bodies keeps large bodies; nil: they lie in the database.
	Bodies engine.Bodies
	// Dir is where bodies over 256 KiB lie while they are read, LocalBytes of them;
	// both as for engine.NewLocals.
	Dir        string
	LocalBytes int64
	Logger     *slog.Logger
	// Now is nil for the server's clock, which replicas share.
	Now func() time.Time

	steps []step // of the schema; nil: all
	deaf  bool   // doesn't hear other replicas
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = engine.DefaultMaxBytes
	}
	if o.MaxMessages == 0 {
		o.MaxMessages = engine.DefaultMaxMessages
	}
	if o.Conns == 0 {
		o.Conns = 16
	}
	if o.steps == nil {
		o.steps = steps
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Times of the housekeeping.
const (
	pulseEvery = time.Second // looks for other replicas' and operators' changes
	tidyEvery  = time.Minute
)

// Queue is a retry.Queue in a PostgreSQL database.
type Queue struct {
	o       Options
	pool    *pgxpool.Pool
	clock   atomic.Pointer[retry.Clock] // the server's, steady; nil until it is reached
	offset  atomic.Int64                // the server's clock less the machine's, in ns
	reached atomic.Bool                 // the server was reached, checked and migrated
	pooled  atomic.Bool                 // there is a pooler before the server
	notify  engine.Hint
	teller  teller

	usage   engine.Usage
	staged  engine.Staged
	stores  *batcher[*enqueue]
	endings *batcher[*ending]
	reads   *batcher[*reading]
	asks    *batcher[*asking]
	objects engine.Objects
	names   sync.Map // endpoints that have a row
	ahead   *ahead
	turn    atomic.Pointer[string] // whose turn was last, of endpoints

	endpoints endpointCache
	counted   statsCache

	commitMode atomic.Pointer[string] // synchronous_commit of what must be durable

	locals *engine.Locals  // copies of bodies in many rows
	run    context.Context // ends with the queue
	stop   context.CancelFunc
	last   context.CancelFunc // ends the endings: what is stored last may have to be given back
	wg     sync.WaitGroup
	closed sync.Once
}

var _ retry.Queue = (*Queue)(nil)

// firstTry is how long Open waits for the server.
const firstTry = 5 * time.Second

// Open connects to the database that dsn names (postgres://…) and migrates its
// schema. A server that is away is tried again in the background, until Close;
// meanwhile everything fails with errAway, and mail that must wait stays with
// its sender. One that refuses us, or can't be trusted, is an error at once.
func Open(ctx context.Context, dsn string, o Options) (*Queue, error) {
	q := &Queue{o: o.withDefaults(), notify: make(engine.Hint, 1), teller: newTeller(), locals: engine.NewLocals(o.Dir, o.LocalBytes)}
	q.stores, q.endings, q.reads = newBatcher(q.storeTogether), newBatcher(q.settleTogether), newBatcher(q.readTogether)
	q.asks = newBatcher(q.askTogether)
	q.setCommitMode("on")
	q.turn.Store(new(string))
	q.ahead, q.counted.turn = newAhead(), make(chan struct{}, 1)
	q.objects.Bodies, q.objects.Meta = q.o.Bodies, q
	if err := q.open(ctx, dsn); err != nil {
		return nil, fmt.Errorf("opening the queue in PostgreSQL: %w", err)
	}
	try, cancel := context.WithTimeout(ctx, firstTry)
	err := q.prepare(try)
	cancel()
	if err != nil && (q.o.Admin || !away(err)) {
		q.pool.Close()
		return nil, fmt.Errorf("opening the queue in PostgreSQL: %w", err)
	}
	if err != nil {
		q.o.Logger.Error("the queue's PostgreSQL is away; it is tried again, and meanwhile mail that must wait stays with its sender", "err", err)
	}
	run, stop := context.WithCancel(context.Background())
	settling, last := context.WithCancel(context.Background())
	q.run, q.stop, q.last = run, stop, last
	q.wg.Go(func() { q.tell(run) })
	q.stores.start(run, lanes)
	q.endings.start(settling, 1) // two would wait for one another's messages
	q.reads.start(run, lanes)
	q.asks.start(run, lanes)
	if !q.o.Admin {
		q.wg.Go(func() { q.housekeep(run) })
		if !q.o.deaf {
			q.wg.Go(func() { q.listen(run) })
		}
		q.wg.Go(func() { q.giveBackLate(run) })
		q.sweepObjects(run)
	}
	return q, nil
}

func (q *Queue) open(ctx context.Context, dsn string) error {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return errors.New("the address isn't one of PostgreSQL's (postgres://user:password@host/database)") // the error repeats the password
	}
	cfg.MaxConns = q.o.Conns
	cfg.BeforeConnect, cfg.AfterConnect = q.beforeConnect, q.afterConnect
	q.pool, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), cfg)
	return err
}

// preparing marks the context of who may use the server before it is ready.
type preparing struct{}

// errAway is returned while the server hasn't been reached since Open.
var errAway = errors.New("the queue's PostgreSQL hasn't been reached yet")

// prepare checks the server, migrates its schema and reads its clock.
func (q *Queue) prepare(ctx context.Context) error {
	ctx = context.WithValue(ctx, preparing{}, true)
	err := q.checkServer(ctx)
	if errors.Is(err, errPooler) {
		err = q.checkServer(ctx)
	}
	if err != nil {
		return err
	}
	if !q.o.Admin {
		if err := q.migrate(ctx); err != nil {
			return poolingMode(err)
		}
	}
	if err := q.readClock(ctx); err != nil {
		return err
	}
	if err := q.readUsage(ctx); err != nil {
		return err
	}
	q.reached.Store(true)
	q.hint()
	return nil
}

// away says that the server may come back by itself: it wasn't reached, is
// starting or ending, or has no connection free (classes 08, 53 and 57).
func away(err error) bool {
	if errors.Is(err, ErrUnsafe) || errors.Is(err, ErrNewerSchema) || errors.Is(err, ErrStatementPooling) {
		return false
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return true
	}
	return slices.Contains([]string{"08", "53", "57"}, e.Code[:min(2, len(e.Code))])
}

// setCommitMode takes the server's own mode where it is more than "on".
func (q *Queue) setCommitMode(server string) {
	mode := "on"
	if server == "remote_apply" {
		mode = server
	}
	q.commitMode.Store(&mode)
}

// checkServer refuses a server that loses commits and warns of one that a lost
// machine takes along.
func (q *Queue) checkServer(ctx context.Context) error {
	var fsync, pages, standby, mode string
	err := q.pool.QueryRow(ctx, `SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_standby_names'),
		current_setting('synchronous_commit')`).Scan(&fsync, &pages, &standby, &mode)
	if err != nil {
		return err
	}
	q.setCommitMode(mode)
	if fsync != "on" || pages != "on" {
		return fmt.Errorf("%w: set fsync and full_page_writes on (they are %s and %s)", ErrUnsafe, fsync, pages)
	}
	if standby == "" && !q.o.Admin {
		q.o.Logger.Warn("the queue's PostgreSQL has no synchronous standby: if its disk is lost, so is the mail that waits (synchronous_standby_names)")
	}
	return nil
}

// Close ends the housekeeping and closes the connections. What was leased ahead and
// nobody fetched is due again; without the server it is when the leases run out.
func (q *Queue) Close() error {
	q.closed.Do(func() {
		q.StopAhead(context.Background())
		q.stop()
		q.wg.Wait()
		<-q.stores.Ended()
		q.StopAhead(context.Background()) // what was being stored
		if len(q.teller.wants) > 0 {
			q.tellOnce(context.Background())
		}
		q.last()
		<-q.endings.Ended()
		<-q.reads.Ended()
		<-q.asks.Ended()
		q.pool.Close()
		_ = q.locals.Close()
	})
	return nil
}

// Notify implements retry.Queue.
func (q *Queue) Notify() <-chan struct{} { return q.notify }

func (q *Queue) hint() { q.notify.Give() }

// hintAll hints to the other replicas' workers too.
func (q *Queue) hintAll() {
	q.hint()
	q.teller.want()
}

// tx runs f in a durable transaction; errInDoubt where nobody knows whether it
// is committed.
func (q *Queue) tx(ctx context.Context, f func(pgx.Tx) error) error {
	tx, err := q.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL synchronous_commit = " + q.mode(durable)})
	if err != nil {
		return classify(err)
	}
	if err := f(tx); err != nil {
		// The caller's context may be over; the connection still wants to know.
		_ = tx.Rollback(context.WithoutCancel(ctx))
		return classify(err)
	}
	return doubt(tx.Commit(ctx))
}

// classify turns the server's lack of space into ErrFull.
func classify(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "53100" { // disk_full
		return fmt.Errorf("%w: %w", retry.ErrFull, err)
	}
	return err
}

// Health implements retry.Queue: can the server write?
func (q *Queue) Health(ctx context.Context) error {
	var readOnly string
	err := q.pool.QueryRow(ctx, "SELECT current_setting('transaction_read_only')").Scan(&readOnly)
	if err != nil {
		return fmt.Errorf("%w: %w", retry.ErrUnhealthy, err)
	}
	if readOnly == "on" {
		return fmt.Errorf("%w: the server is read only, a standby perhaps", retry.ErrUnhealthy)
	}
	return nil
}
