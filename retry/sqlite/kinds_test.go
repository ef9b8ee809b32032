package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/retry"
	"postern/retry/sqlite/wal"
)

// wreck is a store as a kill leaves it: mail in the database, in its log and in
// files of its own.
type wreck struct {
	*testing.T
	dir string
}

const wreckMail = 12

func (w wreck) path(name ...string) string { return filepath.Join(append([]string{w.dir}, name...)...) }

func (w wreck) read(name string) []byte {
	w.Helper()
	b, err := os.ReadFile(w.path(name))
	w.must(err)
	return b
}

func (w wreck) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w wreck) write(name string, b []byte) { w.Helper(); w.must(os.WriteFile(w.path(name), b, 0o600)) }

func (w wreck) cut(name string, to int) { w.Helper(); w.write(name, w.read(name)[:to]) }

func (w wreck) flip(name string, at int) {
	w.Helper()
	b := w.read(name)
	b[at] ^= 0x10
	w.write(name, b)
}

// zero blanks a page of the database.
func (w wreck) zero(page int) {
	w.Helper()
	b := w.read("queue.db")
	copy(b[(page-1)*wal.PageSize:page*wal.PageSize], make([]byte, wal.PageSize))
	w.write("queue.db", b)
}

// root is the first page of a table or index.
func (w wreck) root(name string) (page int) {
	w.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path("queue.db"))
	w.must(err)
	defer db.Close()
	w.must(db.QueryRow("SELECT rootpage FROM sqlite_schema WHERE name = ?", name).Scan(&page))
	return page
}

// settled has all of the log in the database, as a clean end does.
func (w wreck) settled() {
	w.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path("queue.db"))
	w.must(err)
	defer db.Close()
	_, err = db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	w.must(err)
	w.must(os.Remove(w.path(openMarker)))
}

func (w wreck) body() string {
	w.Helper()
	files, err := filepath.Glob(w.path("bodies", "??", "*"))
	w.must(err)
	slices.Sort(files)
	return strings.TrimPrefix(files[0], w.dir+"/")
}

// frame is where the i-th frame of the log begins.
func frame(i int) int { return wal.HeaderSize + i*wal.FrameSize }

func (w wreck) frames() int {
	w.Helper()
	return (len(w.read("queue.db-wal")) - wal.HeaderSize) / wal.FrameSize
}

// TestKindsOfDamage damages a store in every way that we could think of. Mail is
// recovered, or the queue refuses to open, or an error says so: never nothing.
func TestKindsOfDamage(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good")
	makeWreck(t, good)
	for _, c := range []struct {
		kind   string
		whole  bool // all mail is delivered
		silent bool // nothing needs to be told: nothing is lost
		damage func(w wreck)
	}{
		{"none", true, true, func(wreck) {}},
		{"database missing", false, false, func(w wreck) { w.must(os.Remove(w.path("queue.db"))) }},
		{"database and log missing", false, false, func(w wreck) {
			w.must(errors.Join(os.Remove(w.path("queue.db")), os.Remove(w.path("queue.db-wal")), os.Remove(w.path("queue.db-shm"))))
		}},
		{"database empty", false, false, func(w wreck) { w.cut("queue.db", 0) }},
		{"database empty, checkpointed", false, false, func(w wreck) { w.settled(); w.cut("queue.db", 0) }},
		{"database's first page overwritten", true, false, func(w wreck) { w.write("queue.db", append(make([]byte, 200), w.read("queue.db")[200:]...)) }},
		{"database cut in its first page", false, false, func(w wreck) { w.cut("queue.db", 90) }},
		{"database cut in half, checkpointed", false, false, func(w wreck) { w.settled(); w.cut("queue.db", len(w.read("queue.db"))/2/wal.PageSize*wal.PageSize) }},
		{"database is noise", false, false, func(w wreck) { w.write("queue.db", bytes.Repeat([]byte("noise"), 20000)) }},
		{"deliveries' page blank", false, false, func(w wreck) { w.settled(); w.zero(w.root("delivery")) }},
		{"messages' page blank", false, false, func(w wreck) { w.settled(); w.zero(w.root("message")) }},
		{"an index's page blank", true, false, func(w wreck) { w.settled(); w.zero(w.root("delivery_due")) }},
		{"a delivery in an unknown state", true, false, func(w wreck) { w.settled(); w.exec("UPDATE delivery SET state = 7 WHERE n = 3") }},
		{"counts that contradict", true, false, func(w wreck) {
			w.settled()
			w.exec("UPDATE message SET live = 0 WHERE n = 3")
			w.write(openMarker, nil)
			w.write("queue.db-wal", nil)
		}},
		{"a delivery's endpoint changed", false, false, func(w wreck) { w.settled(); w.exec("UPDATE delivery SET endpoint = 'f' WHERE n = 3") }},
		{"an envelope changed", false, false, func(w wreck) { w.settled(); w.exec(`UPDATE message SET envelope = '{"v":2}' WHERE n = 3`) }},
		{"a small body changed", false, false, func(w wreck) {
			w.settled()
			w.exec("UPDATE body SET bytes = 'x' WHERE message = (SELECT min(message) FROM body)")
		}},
		{"log flipped in its header", true, false, func(w wreck) { w.flip("queue.db-wal", 9) }},
		{"log's salt flipped", true, false, func(w wreck) { w.flip("queue.db-wal", 17) }},
		{"log flipped in the first frame", true, false, func(w wreck) { w.flip("queue.db-wal", frame(0)+500) }},
		{"log flipped in a frame's sum", true, false, func(w wreck) { w.flip("queue.db-wal", frame(w.frames()/2)+17) }},
		{"log flipped in a frame's salt", true, false, func(w wreck) { w.flip("queue.db-wal", frame(w.frames()/2)+9) }},
		{"log flipped in the middle", false, false, func(w wreck) { w.flip("queue.db-wal", frame(w.frames()/2)+5000) }},
		{"log flipped near its end", false, false, func(w wreck) { w.flip("queue.db-wal", frame(w.frames()-1)+5000) }},
		{"log cut in the middle", false, false, func(w wreck) { w.cut("queue.db-wal", frame(w.frames()/2)+100) }},
		{"log cut after a commit", false, false, func(w wreck) { w.cut("queue.db-wal", frame(w.lastCommit()/2)) }},
		{"log empty", false, false, func(w wreck) { w.cut("queue.db-wal", 0) }},
		{"log missing", false, false, func(w wreck) { w.must(os.Remove(w.path("queue.db-wal"))) }},
		{"log and its index missing", false, false, func(w wreck) {
			w.must(errors.Join(os.Remove(w.path("queue.db-wal")), os.Remove(w.path("queue.db-shm"))))
		}},
		{"the log's index missing", true, true, func(w wreck) { w.must(os.Remove(w.path("queue.db-shm"))) }},
		{"the log's index is noise", true, true, func(w wreck) { w.write("queue.db-shm", bytes.Repeat([]byte("noise"), 6000)) }},
		{"an older database", false, false, func(w wreck) { w.older(good) }},
		{"a body flipped", false, false, func(w wreck) { w.flip(w.body(), 40000) }},
		{"a body cut", false, false, func(w wreck) { w.cut(w.body(), 40000) }},
		{"a body missing", false, false, func(w wreck) { w.must(os.Remove(w.path(w.body()))) }},
		{"all bodies missing", false, false, func(w wreck) { w.must(os.RemoveAll(w.path("bodies"))) }},
		{"lock, marker and reserve missing", true, true, func(w wreck) {
			w.must(errors.Join(os.Remove(w.path("queue.lock")), os.Remove(w.path(openMarker)), os.RemoveAll(w.path("queue.reserve"))))
		}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			w := wreck{t, filepath.Join(t.TempDir(), "queue")}
			w.must(os.CopyFS(w.dir, os.DirFS(good)))
			c.damage(w)
			got, dead, told, err := w.open()
			t.Logf("%s: delivered %d, dead %d, told %v, refused: %v", c.kind, got, dead, told != "", err)
			switch {
			case err != nil && c.whole:
				t.Errorf("refused what can be recovered: %v", err)
			case err != nil:
			case c.whole && got != wreckMail:
				t.Errorf("%d of %d recovered; told: %s", got, wreckMail, told)
			case !c.silent && told == "":
				t.Errorf("%d of %d delivered, and nothing was told", got, wreckMail)
			case c.silent && told != "":
				t.Errorf("told of what is no damage: %s", told)
			}
		})
	}
}

func (w wreck) exec(sqlText string) {
	w.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path("queue.db"))
	w.must(err)
	defer db.Close()
	_, err = db.Exec("DROP TRIGGER delivery_moved; DROP TRIGGER message_died; DROP TRIGGER message_revived; " + sqlText)
	w.must(err)
}

// lastCommit is how many frames there are up to a commit in the log's middle,
// doubled.
func (w wreck) lastCommit() int {
	w.Helper()
	b := w.read("queue.db-wal")
	for i := w.frames() / 2; i > 0; i-- {
		if binary.BigEndian.Uint32(b[frame(i)+4:]) > 0 {
			return 2 * (i + 1)
		}
	}
	w.Fatal("no commit")
	return 0
}

// older puts a copy of the database from before the last mails in its place.
func (w wreck) older(good string) {
	w.Helper()
	w.settled()
	w.exec("DELETE FROM delivery WHERE n > 6")
	w.exec2("DELETE FROM message WHERE live = 0")
	w.must(errors.Join(ignoreMissing(os.Remove(w.path("queue.db-wal"))), ignoreMissing(os.Remove(w.path("queue.db-shm")))))
	later := time.Now().Add(time.Hour) // bodies are older than the last write by more than an intake takes
	w.must(os.Chtimes(w.path("queue.db"), later, later))
}

func (w wreck) exec2(sqlText string) {
	w.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path("queue.db"))
	w.must(err)
	defer db.Close()
	_, err = db.Exec(sqlText)
	w.must(err)
}

// makeWreck copies the files of an open queue: half of its mail is in the log.
func makeWreck(t *testing.T, to string) {
	t.Helper()
	work := filepath.Join(t.TempDir(), "work")
	hold := errors.New("not now")
	q := open(t, work, Options{Fault: func(point string) error {
		if point == "checkpoint" {
			return hold
		}
		return nil
	}})
	for i := range wreckMail {
		size := 3000
		if i%2 == 1 {
			size = 80 << 10
		}
		id := fmt.Sprint("m", i)
		if err := enqueueOne(q, id, crashBody{data: crashContent(id, size)}); err != nil {
			t.Fatal(err)
		}
		if i == wreckMail/2-1 {
			emptyLog(t, q)
		}
	}
	if err := os.CopyFS(to, os.DirFS(work)); err != nil {
		t.Fatal(err)
	}
}

// open opens the queue and takes all of it out; told is what was logged as an
// error.
func (w wreck) open() (got, dead int, told string, err error) {
	w.Helper()
	var log bytes.Buffer
	q, err := Open(context.Background(), w.dir, Options{MinFree: -1, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		return 0, 0, log.String(), err
	}
	defer q.Close()
	ctx := context.Background()
	for {
		ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 100, TTL: time.Minute})
		w.must(err)
		if len(ls) == 0 {
			break
		}
		for _, l := range ls {
			if bad := w.deliver(q, l); bad != nil {
				log.WriteString(bad.Error()) // the worker logs it as an error
				w.must(q.Dead(ctx, l, retry.ReasonCorrupt, retry.Attempt{}))
				continue
			}
			got++
			w.must(q.Ack(ctx, l, retry.Attempt{}))
		}
	}
	s, err := q.Stats(ctx)
	w.must(err)
	for _, n := range s.DeadByReason {
		dead += int(n)
	}
	if s.Aside == 0 && got+dead < wreckMail {
		w.Errorf("%d delivered, %d dead letters, nothing set aside", got, dead)
	}
	return got, dead, log.String(), nil
}

// deliver holds what is handed out to what was stored.
func (w wreck) deliver(q *Queue, l retry.Lease) error {
	w.Helper()
	if l.Damaged {
		return retry.ErrCorrupt
	}
	b, err := q.Open(context.Background(), l.Body)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := b.Verify(); err != nil {
		return err
	}
	data, err := io.ReadAll(b)
	if err != nil {
		return err
	}
	if !bytes.Equal(data, crashContent(l.ID, len(data))) || string(l.Envelope) != `{"v":1}` || l.Endpoint != "e" {
		w.Errorf("%s came out as something else", l.ID)
	}
	return nil
}
