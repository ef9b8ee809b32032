package kept

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"postern/gateway/mail"
	"postern/gateway/text"
)

// What waits to be written is bounded; more is dropped.
const (
	pendingOctets = 4 << 20          // in memory
	pendingFiles  = 64               // open files of large messages
	fileOctets    = 128 << 20        // in them, but one larger may wait alone: their owners count them as in use
	recordOctets  = 2 << 10          // about what a record takes besides its body
	putTimeout    = 10 * time.Second // of one message
	heedTimeout   = time.Second      // for a call whose time is over to say so
	pruneEvery    = 2 * time.Second
	maxSubject    = 200
)

// Deps are the parts that a keeper works with.
type Deps struct {
	Store  Store
	Logger *slog.Logger
	Now    func() time.Time
}

// Keeper takes delivered mail and writes it. A nil *Keeper takes everything and
// keeps nothing.
type Keeper struct {
	keep time.Duration
	deps Deps

	mu      sync.Mutex
	pending []waiting
	octets  int
	files   int
	inFiles int64
	wake    chan struct{}

	// stuck is closed once the call that nobody waited for any longer returns; nil:
	// there is none. Only Run touches it.
	stuck         chan struct{}
	kept, dropped atomic.Int64
}

// errStuck says that a disk or database hangs. What is delivered meanwhile waits to
// be kept as far as there is room for it.
var errStuck = errors.New("kept: the store hangs: a call of it doesn't return")

// waiting is a message that isn't written yet.
type waiting struct {
	env    *mail.Envelope
	record Record
	body   io.ReadCloser
	octets int // in memory
	files  int // open
}

// NewKeeper keeps messages for so long; Run writes what it takes.
func NewKeeper(keep time.Duration, deps Deps) *Keeper {
	return &Keeper{keep: keep, deps: deps, wake: make(chan struct{}, 1)}
}

// Kept is how many messages were written since the start.
func (k *Keeper) Kept() int64 { return k.kept.Load() }

// Dropped is how many were not.
func (k *Keeper) Dropped() int64 { return k.dropped.Load() }

// Keep takes a message that a webhook took, and the envelope for good. It
// doesn't wait: small octets are copied, a large message's file is held open.
func (k *Keeper) Keep(env *mail.Envelope, head *mail.Message, data mail.Source) {
	if k == nil {
		return
	}
	w, ok := k.open(env, head, data)
	if !ok {
		return
	}
	k.mu.Lock()
	k.pending = append(k.pending, w)
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// open takes hold of a message, if there is room for it among what waits.
func (k *Keeper) open(env *mail.Envelope, head *mail.Message, data mail.Source) (w waiting, ok bool) {
	w = waiting{env: env, record: Record{ID: env.ID, Key: env.Key, Received: env.Received, From: env.From, Names: names(env, head), Size: data.Size()}, octets: recordOctets}
	if head != nil {
		w.record.Subject = strings.Clone(text.Clip(head.Subject, maxSubject)) // else all of the message stays
	}
	small, inMemory := data.(mail.Bytes)
	if inMemory {
		w.octets += len(small)
	} else {
		w.files = 1
	}
	if !k.book(w) {
		k.dropped.Add(1)
		return w, false
	}
	if inMemory {
		w.body = io.NopCloser(bytes.NewReader(bytes.Clone(small)))
		return w, true
	}
	f, err := data.Open()
	if err != nil {
		k.release(w)
		k.count(err)
		return w, false
	}
	w.body = f
	return w, true
}

// book takes room for what waits, where there is some.
func (k *Keeper) book(w waiting) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	inFiles := k.inFiles + w.inFiles()
	if k.octets+w.octets > pendingOctets || k.files+w.files > pendingFiles || k.inFiles > 0 && inFiles > fileOctets {
		return false
	}
	k.octets, k.files, k.inFiles = k.octets+w.octets, k.files+w.files, inFiles
	return true
}

// inFiles are its octets that aren't in memory.
func (w *waiting) inFiles() int64 {
	if w.files == 0 {
		return 0
	}
	return w.record.Size
}

// Run writes and prunes until ctx ends, then writes once more, and closes
// nothing. It ends in time though the store hangs; the goroutine of the one call
// that does is left to the disk.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	var last string
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putTimeout)
			defer cancel()
			k.write(ctx, &last)
			k.leave()
			return
		case <-k.stuck:
			k.stuck = nil
			k.write(ctx, &last)
		case <-k.wake:
			k.write(ctx, &last)
		case <-tick.C:
			k.tell(k.prune(ctx), &last)
		}
	}
}

// write puts all that waits into the store, until it hangs.
func (k *Keeper) write(ctx context.Context, last *string) {
	k.mu.Lock()
	batch := k.pending
	k.pending = nil
	k.mu.Unlock()
	for i, w := range batch {
		if k.stuck != nil || ctx.Err() != nil {
			k.mu.Lock()
			k.pending = append(batch[i:len(batch):len(batch)], k.pending...)
			k.mu.Unlock()
			return
		}
		err := k.put(context.WithoutCancel(ctx), w) // once begun it is ended, at shutdown too
		k.count(err)
		k.tell(err, last)
	}
}

// leave lets go of what can't be written any more.
func (k *Keeper) leave() {
	k.mu.Lock()
	batch := k.pending
	k.pending = nil
	k.mu.Unlock()
	for _, w := range batch {
		k.release(w)
		k.count(errStuck)
	}
}

func (k *Keeper) put(ctx context.Context, w waiting) error {
	frozen, err := json.Marshal(w.env)
	if err != nil {
		k.release(w)
		return fmt.Errorf("kept: %w", err)
	}
	w.record.Envelope = frozen
	return k.call(ctx, func(ctx context.Context) error {
		defer k.release(w)
		return k.deps.Store.Put(ctx, w.record, w.body)
	})
}

// call has the store do something, and waits for it no longer than it may take.
// Files of a disk that hangs heed no context: until they return, there is no other
// call.
func (k *Keeper) call(ctx context.Context, do func(context.Context) error) error {
	if k.stuck != nil {
		return errStuck
	}
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	said, returned := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(returned)
		defer cancel()
		said <- do(ctx)
	}()
	select {
	case err := <-said:
		return err
	case <-ctx.Done():
	}
	heed := time.NewTimer(heedTimeout)
	defer heed.Stop()
	select {
	case err := <-said:
		return err
	case <-heed.C:
	}
	k.stuck = returned
	return errStuck
}

// release lets go of a message that was written, or can't be.
func (k *Keeper) release(w waiting) {
	if w.body != nil {
		_ = w.body.Close() // it was read only
	}
	k.mu.Lock()
	k.octets, k.files, k.inFiles = k.octets-w.octets, k.files-w.files, k.inFiles-w.inFiles()
	k.mu.Unlock()
}

func (k *Keeper) count(err error) {
	if err == nil {
		k.kept.Add(1)
	} else {
		k.dropped.Add(1)
	}
}

// tell logs a fault once for each kind, not for each message.
func (k *Keeper) tell(err error, last *string) {
	if err == nil {
		*last = ""
		return
	}
	if err.Error() != *last {
		*last = err.Error()
		k.deps.Logger.Warn("delivered mail can't be kept; mail goes on", "err", err)
	}
}

func (k *Keeper) prune(ctx context.Context) error {
	return k.call(ctx, func(ctx context.Context) error { return k.deps.Store.Prune(ctx, k.deps.Now().Add(-k.keep)) })
}
