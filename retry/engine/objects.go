package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"postern/retry"
)

// Bodies keeps large bodies outside of the database that names them, in an
// object store. Names are relative, parted by slashes, and never used twice.
type Bodies interface {
	// Put stores a body; nil means that the store has it durably and confirmed
	// its SHA-256.
	Put(ctx context.Context, name string, b retry.Body, sum [32]byte) error
	// Open reads a body: retry.ErrCorrupt where it is gone or differs from ref,
	// ErrBodiesAway where it can't be read now.
	Open(ctx context.Context, name string, ref retry.BodyRef) (retry.StoredBody, error)
	// Delete ends bodies; one that is gone is deleted.
	Delete(ctx context.Context, names []string) error
	// List tells of all bodies of a folder that were stored before the time, some
	// at once.
	List(ctx context.Context, folder string, before time.Time, found func(names []string) error) error
	// Mark says in the store that a folder is a queue's.
	Mark(ctx context.Context, folder string) error
	// Epoch reads the epoch that a folder is in, "" for none; ErrBodiesAway also
	// where the folder isn't marked.
	Epoch(ctx context.Context, folder string) (string, error)
	// PutEpoch begins an epoch of a folder.
	PutEpoch(ctx context.Context, folder, epoch string) error
	// Hold is told why nothing may be deleted; nil: it may.
	Hold(err error)
}

// ErrBodiesAway is returned when the store of bodies can't be read or written
// now: what is queued waits, what is new stays with its sender.
var ErrBodiesAway = errors.New("the store of bodies can't be reached")

// errNoBodies is of a body that was put where this program has no access to.
var errNoBodies = fmt.Errorf("%w: the body lies in an object store and POSTERN_BODY_STORE isn't set", ErrBodiesAway)

// Objects are a queue's bodies in a store of bodies: each has a name of its own
// in the folder of the queue's database, so that neither queues nor messages
// share any.
type Objects struct {
	Bodies Bodies     // nil: none
	Meta   retry.Meta // where the folder's name is kept

	mu     sync.Mutex
	folder string
}

// objectPrefix begins a BodyRef.ID that names an object.
const objectPrefix = "object:"

// ObjectName is the object that a BodyRef.ID names; false where it names none.
func ObjectName(id string) (string, bool) { return strings.CutPrefix(id, objectPrefix) }

// ObjectID is a BodyRef.ID for an object's name.
func ObjectID(name string) string { return objectPrefix + name }

// ObjectIDs is ObjectID of each name.
func ObjectIDs(names []string) []string {
	ids := make([]string, len(names))
	for i, n := range names {
		ids[i] = ObjectID(n)
	}
	return ids
}

// NameSet is a set of names, as ObjectIndex.Known gives it.
func NameSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// Takes says whether a body of so many octets goes to the store of bodies.
func (o *Objects) Takes(size int64) bool { return o.Bodies != nil && size > InlineMax }

// Stage puts a body, durable when it returns nil.
func (o *Objects) Stage(ctx context.Context, b retry.Body) (retry.BodyRef, error) {
	ref := NewRef(b.Size())
	folder, err := o.Folder(ctx)
	if err != nil {
		return ref, fmt.Errorf("finding the folder for bodies: %w", err)
	}
	name := folder + "/" + ref.ID[:2] + "/" + ref.ID
	ref.ID = ObjectID(name)
	src, err := b.Open()
	if err != nil {
		return ref, fmt.Errorf("reading the message: %w", err)
	}
	err = errors.Join(Digest(src, &ref), src.Close())
	if err != nil {
		return ref, fmt.Errorf("reading the message: %w", err)
	}
	if err := o.Bodies.Put(ctx, name, b, ref.SHA256); err != nil {
		return ref, fmt.Errorf("storing the message's body: %w", err)
	}
	return ref, nil
}

// folderKey is where a database keeps its folder's name.
const folderKey = "bodies"

// Folder is the database's own folder in the store of bodies. It is marked there
// before the database knows it: a store without the mark is another one.
func (o *Objects) Folder(ctx context.Context) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.folder != "" {
		return o.folder, nil
	}
	v, err := o.Meta.Meta(ctx, folderKey)
	if err != nil {
		return "", err
	}
	if v == nil {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		mine := hex.EncodeToString(b[:])
		if err := o.Bodies.Mark(ctx, mine); err != nil {
			return "", err
		}
		if v, err = o.Meta.PutMeta(ctx, folderKey, []byte(mine)); err != nil {
			return "", err
		}
	}
	o.folder = string(v)
	return o.folder, nil
}

// Open opens the object that ref names.
func (o *Objects) Open(ctx context.Context, name string, ref retry.BodyRef) (retry.StoredBody, error) {
	if o.Bodies == nil {
		return nil, errNoBodies
	}
	return o.Bodies.Open(ctx, name, ref)
}

// discardLimit is for letting go of a body that nobody needs; the sweep of
// orphans has time.
const discardLimit = 10 * time.Second

// Discard lets go of a body that no message names; false where it stays for the
// sweep.
func (o *Objects) Discard(name string) bool {
	if o.Bodies == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), discardLimit)
	defer cancel()
	return o.Bodies.Delete(ctx, []string{name}) == nil
}
