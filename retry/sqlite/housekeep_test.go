package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"postern/retry"
)

// reading opens a read of the queue as it stands, until the returned function.
func reading(t *testing.T, q *Queue) (end func()) {
	t.Helper()
	tx, err := q.read.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM message").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return func() { _ = tx.Rollback() }
}

// TestShrinkWaitsForNoReader has somebody read for longer than anybody waits.
func TestShrinkWaitsForNoReader(t *testing.T) {
	q := open(t, filepath.Join(t.TempDir(), "queue"), Options{})
	for i := range 400 {
		id := fmt.Sprint("m", i)
		if err := enqueueOne(q, id, crashBody{data: crashContent(id, 60<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := q.Delete(t.Context(), retry.Filter{All: true}); err != nil || n != 400 {
		t.Fatal(n, err)
	}
	if _, err := q.check.ExecContext(t.Context(), "PRAGMA busy_timeout = 600000"); err != nil {
		t.Fatal(err)
	}
	end := reading(t, q)
	defer end()
	shrunk := make(chan struct{})
	go func() { defer close(shrunk); q.shrink(t.Context()) }()
	select {
	case <-shrunk:
	case <-time.After(10 * time.Second):
		t.Error("to shrink waits for a reader")
		end()
		<-shrunk
	}
	if err := enqueueOne(q, "m", crashBody{data: crashContent("m", 3000)}); err != nil {
		t.Error(err)
	}
}

// TestReliefBesideACheckpoint has the writer's own checkpoint come while another
// runs: it did nothing, so the next commit asks again, and the one after doesn't.
func TestReliefBesideACheckpoint(t *testing.T) {
	var q *Queue
	grow := false
	asked, beside := 0, func() {}
	q = open(t, filepath.Join(t.TempDir(), "queue"), Options{Fault: func(point string) error {
		switch {
		case point == "committed" && grow:
			grow, q.w.total = false, checkpointNow
		case point == "relieve":
			asked++
			beside()
		}
		return nil
	}})
	put := func(id string) {
		t.Helper()
		if err := enqueueOne(q, id, crashBody{data: crashContent(id, 3000)}); err != nil {
			t.Fatal(err)
		}
	}
	put("a")
	end := reading(t, q)
	defer end()
	other, err := q.connect(1, "busy_timeout(600000)")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var over chan error
	beside = func() {
		over = make(chan error, 1)
		go func() {
			var err error
			for busy, log, done := 1, 0, 0; err == nil && busy != 0; { // eventuallyBusy may come first
				err = other.QueryRow("PRAGMA wal_checkpoint(FULL)").Scan(&busy, &log, &done)
			}
			over <- err
		}()
		eventuallyBusy(t, q.check)
	}
	grow = true
	put("b")
	beside = func() {}
	end()
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"c", "d"} {
		put(id)
	}
	if asked != 2 {
		t.Errorf("the writer's own checkpoint was asked for %d times, want 2: beside another, and after it", asked)
	}
}

// eventuallyBusy waits until another connection's checkpoint is under way.
func eventuallyBusy(t *testing.T, db *sql.DB) {
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		var busy, log, done int
		if err := db.QueryRow("PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &log, &done); err != nil {
			t.Error(err)
			return
		}
		if busy != 0 {
			return
		}
	}
	t.Error("no checkpoint is under way")
}
