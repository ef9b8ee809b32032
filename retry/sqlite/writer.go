package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"postern/retry/engine"
)

// maxPatience bounds what a slow disk makes of the wait for others.
const maxPatience = 20 * time.Millisecond

// pollForeign is how often the writer looks for another process's changes.
const pollForeign = time.Second

// hangLimit is how long a caller that has given up waits for the disk.
const hangLimit = 10 * time.Second

// task is one caller's part of a transaction. run may be called again after a
// rollback, so it sets its results from scratch.
type task struct {
	run     func(ctx context.Context, t *tx) error
	durable bool     // fsynced before the caller goes on
	after   []func() // once committed: files to unlink, caches to update
}

type op = engine.Op[task]

// tx is the transaction under way as a task sees it.
type tx struct {
	*writer
	op *op
}

// onCommit runs f once the transaction is durable.
func (t *tx) onCommit(f func()) { t.op.It.after = append(t.op.It.after, f) }

// writer owns the one connection that writes.
type writer struct {
	q      *Queue
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt
	ops    *engine.Group[task]
	sync   bool          // the connection is at synchronous=FULL
	ver    int64         // data_version: changes when another process commits
	grown  int64         // bytes written since the last checkpoint was asked for
	total  int64         // and before, since the writer's own last one
	full   chan struct{} // asks for a checkpoint
	dirty  bool          // something was written since the log was emptied
	placed bool          // this batch has asked whether the folder is the one that was opened
	crowd  int           // ops of the last batch, and those that waited for its end
	took   time.Duration // by its COMMIT
}

func newWriter(q *Queue, c *sql.Conn) *writer {
	return &writer{q: q, conn: c, stmts: map[string]*sql.Stmt{}, full: make(chan struct{}, 1), sync: true,
		ops: engine.NewGroup[task](engine.GroupBounds{Ops: 1024, Bytes: 16 << 20, Hang: hangLimit, ErrUnknown: errUnknown, ErrClosed: errClosed})}
}

func (w *writer) prepare(ctx context.Context) error {
	return w.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&w.ver)
}

func (w *writer) start(ctx context.Context) { go w.run(ctx) }

func (w *writer) wait() { <-w.ops.Ended() }

func (w *writer) close() error {
	var errs []error
	for _, s := range w.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// errUnknown is returned when the caller's time is over and the disk hangs.
var errUnknown = errors.New("sqlite: the disk didn't answer and the outcome is unknown")

// errClosed is returned after Close.
var errClosed = errors.New("sqlite: the queue is closed")

// do has run executed in a transaction and returns once it is committed, as
// engine.Group does. What run sets may be read after a nil error only.
func (w *writer) do(ctx context.Context, durable bool, weight int64, run func(context.Context, *tx) error) error {
	if err := w.q.fatal.get(); err != nil {
		return err
	}
	return w.ops.Do(ctx, task{run: run, durable: durable}, weight)
}

func (w *writer) run(ctx context.Context) {
	defer w.ops.End()
	poll := time.NewTicker(pollForeign)
	defer poll.Stop()
	idle := time.NewTimer(idleAfter)
	defer idle.Stop()
	for {
		select {
		case o := <-w.ops.Waiting():
			w.commit(w.collect(o))
			idle.Reset(idleAfter)
		case <-idle.C:
			if !w.empty() {
				idle.Reset(idleAfter)
			}
		case <-poll.C:
			w.lookForForeign()
		case <-ctx.Done():
			w.drain()
			return
		}
	}
}

// drain commits what callers have already handed in.
func (w *writer) drain() {
	for {
		select {
		case o := <-w.ops.Waiting():
			w.commit(w.collect(o))
		default:
			return
		}
	}
}

// collect takes what waits into one batch. Whose op was just committed mostly
// comes back with the next: a part of a commit's time is worth waiting for them,
// since otherwise every other half would have a commit of its own.
func (w *writer) collect(first *op) []*op {
	var batch engine.Batch[task]
	var patience <-chan time.Time // made when nothing waits any more
	for o := first; ; {
		if w.ops.Gather(&batch, o) || len(batch.Ops) >= w.crowd {
			return batch.Ops
		}
		if patience == nil {
			patience = time.After(w.took / 4)
		}
		select {
		case o = <-w.ops.Waiting():
		case <-patience:
			return batch.Ops
		}
	}
}

// commit runs a batch in one transaction. When one op spoils it, all are
// rolled back and run again each in its own.
func (w *writer) commit(batch []*op) {
	if len(batch) == 0 {
		return
	}
	errs, err := w.try(batch)
	if err != nil && len(batch) > 1 && w.q.fatal.get() == nil {
		for _, o := range batch {
			w.commit([]*op{o})
		}
		return
	}
	for i, o := range batch {
		if o.Err = err; err == nil {
			for _, f := range o.It.after {
				f()
			}
			o.Err = errs[i]
		}
		o.Finish()
	}
}

// try runs a batch in one transaction. errs are the ops' own refusals, which
// wrote nothing; err says that nothing of the batch is stored, or, where the
// queue turned unhealthy, that it isn't known.
func (w *writer) try(batch []*op) (errs []error, err error) {
	if err := w.q.fatal.get(); err != nil {
		return nil, err
	}
	ctx := context.Background() // a batch has many callers
	if err := w.begin(ctx, batch); err != nil {
		return nil, w.classify(err, false)
	}
	errs = make([]error, len(batch))
	var grown int64
	for i, o := range batch {
		t := &tx{writer: w, op: o}
		o.It.after = nil
		errs[i] = o.It.run(ctx, t)
		if errs[i] != nil && !isRefusal(errs[i]) {
			w.rollback(ctx)
			return nil, w.classify(errs[i], false)
		}
		grown += o.Bytes()
	}
	use, err := readUsage(ctx, w)
	if err == nil {
		err = w.q.o.Fault("commit")
	}
	if err != nil {
		w.rollback(ctx)
		return nil, w.classify(err, false)
	}
	began := time.Now()
	if err := w.exec(ctx, "COMMIT"); err != nil {
		w.rollback(ctx)
		return nil, w.classify(err, true)
	}
	w.took, w.crowd = min(time.Since(began), maxPatience), len(batch)+w.ops.Len()
	if err := w.q.o.Fault("committed"); err != nil {
		return nil, w.classify(err, true)
	}
	w.q.usage.Set(use)
	w.grown += grown + int64(len(batch))*opGrows
	w.relieve(ctx)
	return errs, nil
}

// begin opens the transaction; one without durable ops needs no fsync.
func (w *writer) begin(ctx context.Context, batch []*op) error {
	w.placed = false
	durable := false
	for _, o := range batch {
		durable = durable || o.It.durable
	}
	w.dirty = w.dirty || durable
	if durable != w.sync && !w.q.o.Unsafe {
		mode := "NORMAL"
		if durable {
			mode = "FULL"
		}
		if _, err := w.conn.ExecContext(ctx, "PRAGMA synchronous="+mode); err != nil {
			return err
		}
		w.sync = durable
	}
	return w.exec(ctx, "BEGIN IMMEDIATE")
}

func (w *writer) rollback(ctx context.Context) { _ = w.exec(ctx, "ROLLBACK") }

// lookForForeign refreshes what is cached when another process committed.
func (w *writer) lookForForeign() {
	ctx := context.Background()
	var ver int64
	if err := w.queryRow(ctx, "PRAGMA data_version").Scan(&ver); err != nil || ver == w.ver {
		return
	}
	w.ver = ver
	if use, err := readUsage(ctx, w); err == nil {
		w.q.usage.Set(use)
	}
	w.q.hint()
}
