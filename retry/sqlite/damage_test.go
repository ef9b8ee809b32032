package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"postern/retry"
)

// TestDamage flips bits and cuts ends in every kind of file. The queue may
// refuse to open or to read, clearly; it may put mail aside; it must never
// hand out anything but what was stored.
func TestDamage(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 2))
	t.Logf("seed %d", seed)
	good := filepath.Join(t.TempDir(), "good")
	ids := damageTarget(t, good)
	kinds := []string{"queue.db", "queue.db-wal", "bodies"}
	refused, aside, sound := 0, 0, 0
	for i := range 24 {
		dir := filepath.Join(t.TempDir(), "queue")
		if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		what := damage(t, r, dir, kinds[i%len(kinds)])
		q, err := Open(context.Background(), dir, Options{MinFree: -1})
		if err != nil {
			refused++
			continue
		}
		a, s := drainDamaged(t, q, ids, what)
		aside, sound = aside+a, sound+s
		_ = q.Close()
	}
	t.Logf("refused to open %d times, put %d aside, %d sound", refused, aside, sound)
	if sound == 0 || aside+refused == 0 {
		t.Error("the damage had no effect: this test proves nothing")
	}
}

// damageTarget makes a queue with small and large mail whose log holds half.
func damageTarget(t *testing.T, dir string) map[string]int {
	t.Helper()
	work := filepath.Join(t.TempDir(), "work")
	q := open(t, work, Options{})
	ids := map[string]int{}
	for i := range 24 {
		id, size := fmt.Sprint("m", i), 3000
		if i%4 == 0 {
			size = 80 << 10
		}
		if err := enqueueOne(q, id, crashBody{data: crashContent(id, size)}); err != nil {
			t.Fatal(err)
		}
		ids[id] = size
		if i == 12 {
			emptyLog(t, q)
		}
	}
	if err := os.CopyFS(dir, os.DirFS(work)); err != nil { // as a crash leaves it
		t.Fatal(err)
	}
	return ids
}

func damage(t *testing.T, r *rand.Rand, dir, kind string) string {
	t.Helper()
	path := filepath.Join(dir, kind)
	if kind == "bodies" {
		files, err := filepath.Glob(filepath.Join(dir, "bodies", "??", "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no body files: %v", err)
		}
		slices.Sort(files)
		path = files[r.IntN(len(files))]
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		t.Fatalf("nothing to damage in %s: %v", path, err)
	}
	at := r.IntN(len(data))
	what := fmt.Sprintf("%s bit flipped at %d", kind, at)
	if r.IntN(4) == 0 {
		data, what = data[:at], fmt.Sprintf("%s cut at %d", kind, at)
	} else {
		data[at] ^= 1 << r.IntN(8)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return what
}

// drainDamaged takes all that the queue gives, as a worker does.
func drainDamaged(t *testing.T, q *Queue, ids map[string]int, what string) (aside, sound int) {
	t.Helper()
	ctx := context.Background()
	for range 10 {
		ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 10, TTL: time.Minute})
		if err != nil || len(ls) == 0 {
			return aside, sound
		}
		for _, l := range ls {
			data, err := readLease(q, l)
			if err != nil {
				aside++
				continue
			}
			size, known := ids[l.ID]
			if !known || !bytes.Equal(data, crashContent(l.ID, size)) || l.Endpoint != "e" || !slices.Equal(l.Recipients, []string{l.ID + "@in.example"}) {
				t.Errorf("%s: handed out %+v with %d bytes", what, l, len(data))
			}
			sound++
		}
	}
	return aside, sound
}

// readLease reads a body as the worker and the gateway together do.
func readLease(q *Queue, l retry.Lease) ([]byte, error) {
	if l.Damaged {
		return nil, retry.ErrCorrupt
	}
	b, err := q.Open(context.Background(), l.Body)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	if err := b.Verify(); err != nil {
		return nil, err
	}
	return io.ReadAll(b)
}

func TestMissingBodyFileIsCorrupt(t *testing.T) {
	q := open(t, t.TempDir(), Options{})
	if err := enqueueOne(q, "m", crashBody{data: crashContent("m", 100<<10)}); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(q.dir, "bodies", "??", "*"))
	if len(files) != 1 || os.Remove(files[0]) != nil {
		t.Fatalf("body files: %v", files)
	}
	ls, err := q.Lease(context.Background(), retry.LeaseRequest{Max: 1, TTL: time.Minute})
	if err != nil || len(ls) != 1 {
		t.Fatal(err)
	}
	if _, err := q.Open(context.Background(), ls[0].Body); !errors.Is(err, retry.ErrCorrupt) {
		t.Errorf("Open of a body that is gone: %v", err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, Options{})
	if err := q.w.do(t.Context(), true, 0, func(ctx context.Context, tx *tx) error { return tx.exec(ctx, "PRAGMA user_version = 99") }); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, Options{MinFree: -1}); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("Open = %v, want ErrNewerSchema", err)
	}
}

func TestAdminLeavesMigrationToTheOwner(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "queue.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, Options{Admin: true}); err == nil {
		t.Fatal("an operator's command migrated")
	}
	open(t, dir, Options{})
}

func TestOneOwner(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, Options{})
	if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second owner: %v", err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Options{})
}

// TestAdminBeside has an operator's process change what the owner holds: the
// owner notices, its account stays right, and its leases stay its own.
func TestAdminBeside(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	q := open(t, dir, Options{MaxBytes: 200 << 10})
	for i := range 2 {
		id := fmt.Sprint("m", i)
		if err := enqueueOne(q, id, crashBody{data: crashContent(id, 90<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 2, TTL: time.Minute})
	if err != nil || len(ls) != 2 {
		t.Fatalf("leased %d, %v", len(ls), err)
	}
	if err := q.Dead(ctx, ls[0], "rejected", retry.Attempt{}); err != nil {
		t.Fatal(err)
	}
	for len(q.notify) > 0 {
		<-q.notify
	}
	admin := open(t, dir, Options{Admin: true, MaxBytes: 200 << 10})
	if n, err := admin.Replay(ctx, retry.Filter{State: retry.Dead}, "", 0); err != nil || n != 1 {
		t.Fatalf("Replay beside the owner: %d, %v", n, err)
	}
	select {
	case <-q.Notify():
	case <-time.After(time.Minute):
		t.Fatal("the owner never noticed")
	}
	if n, err := admin.Delete(ctx, retry.Filter{All: true}); err != nil || n != 1 {
		t.Fatalf("Delete beside the owner: %d, %v, want the one that isn't leased", n, err)
	}
	if err := admin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := q.Ack(ctx, ls[1], retry.Attempt{}); err != nil {
		t.Fatalf("the owner's lease: %v", err)
	}
	r, err := q.Reserve(ctx, 200<<10)
	if err != nil {
		t.Fatalf("the account still counts what the operator deleted: %v", err)
	}
	r.Release()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "bodies", "??", "*")); len(files) != 0 {
		t.Errorf("files are left: %v", files)
	}
	if _, err := Open(ctx, t.TempDir(), Options{Admin: true}); err == nil {
		t.Error("an operator's command made a queue where there was none")
	}
}

func TestPrivateFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	q := open(t, dir, Options{})
	if err := enqueueOne(q, "m", crashBody{data: crashContent("m", 100<<10)}); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLinkedBody has a spool file become the body without a copy.
func TestLinkedBody(t *testing.T) {
	root := t.TempDir()
	q := open(t, filepath.Join(root, "queue"), Options{Fault: func(point string) error {
		if point == "write" {
			t.Error("a spool file on the same disk was copied")
		}
		return nil
	}})
	b, err := newCrashBody("m", 100<<10, true, q.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := enqueueOne(q, "m", b); err != nil {
		t.Fatal(err)
	}
	b.remove()
	if i, _, err := q.Get(t.Context(), "m"); err != nil || !whole(q, i) {
		t.Errorf("the body after the spool file is gone: %+v, %v", i, err)
	}
}

// emptyLog puts all of the log into the database.
func emptyLog(t *testing.T, q *Queue) {
	t.Helper()
	if _, err := q.check.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
}

// TestShrinks gives the disk back what a drained queue no longer needs.
func TestShrinks(t *testing.T) {
	q := open(t, t.TempDir(), Options{})
	for i := range 700 {
		id := fmt.Sprint("m", i)
		if err := enqueueOne(q, id, crashBody{data: crashContent(id, 60<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := q.Delete(t.Context(), retry.Filter{All: true}); err != nil || n != 700 {
		t.Fatal(n, err)
	}
	emptyLog(t, q)
	size := func() int64 {
		info, err := os.Stat(filepath.Join(q.dir, "queue.db"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	for range 3 {
		q.shrink(t.Context())
	}
	if after := size(); before < 40<<20 || after > before/2 {
		t.Errorf("%d bytes shrank to %d", before, after)
	}
}

// TestFaults has each step between a body's first byte and its commit fail:
// with EIO the queue gives up and says so, with ENOSPC it refuses and lives.
func TestFaults(t *testing.T) {
	for _, point := range []string{"link", "write", "fsync", "fsync folder", "rename", "commit", "committed"} {
		for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
			if point == "committed" && errno == syscall.ENOSPC {
				continue // after the commit there is nothing to refuse
			}
			t.Run(point+"/"+errno.Error(), func(t *testing.T) {
				armed := false
				fatal := 0
				root := t.TempDir()
				q := open(t, filepath.Join(root, "queue"), Options{OnFatal: func(error) { fatal++ }, Fault: func(at string) error {
					if armed && at == point {
						return errno
					}
					return nil
				}})
				armed = true
				b, err := newCrashBody("m", 100<<10, point == "link", q.dir)
				if err != nil {
					t.Fatal(err)
				}
				err = enqueueOne(q, "m", b)
				armed = false
				if errno == syscall.ENOSPC {
					if !errors.Is(err, retry.ErrFull) || fatal != 0 {
						t.Fatalf("Enqueue = %v, gave up %d times", err, fatal)
					}
					if err := enqueueOne(q, "m", b); err != nil {
						t.Fatalf("after room was made: %v", err)
					}
				} else {
					if !errors.Is(err, retry.ErrUnhealthy) || fatal != 1 || !errors.Is(q.Health(t.Context()), retry.ErrUnhealthy) {
						t.Fatalf("Enqueue = %v, gave up %d times, Health %v", err, fatal, q.Health(t.Context()))
					}
					if err := enqueueOne(q, "n", b); !errors.Is(err, retry.ErrUnhealthy) {
						t.Fatalf("a queue that gave up took another: %v", err)
					}
				}
				if err := q.Close(); err != nil {
					t.Fatal(err)
				}
				j := newJournal()
				if _, damaged := account(t, q.dir, j); damaged != 0 || j.damage != "" {
					t.Errorf("the message is there in part (%d), or the store is taken for damaged: %s", damaged, j.damage)
				}
			})
		}
	}
}

// TestPragmas holds the settings that durability and speed were measured with.
func TestPragmas(t *testing.T) {
	q := open(t, t.TempDir(), Options{})
	for pragma, want := range map[string]string{"page_size": "8192", "auto_vacuum": "2", "journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "wal_autocheckpoint": "0"} {
		var got string
		if err := q.w.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, want %q, %v", pragma, got, want, err)
		}
	}
}
