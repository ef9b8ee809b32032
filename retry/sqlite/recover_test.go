package sqlite

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"postern/retry"
)

// TestKilledAttemptCounts kills the owner in the middle of an attempt: the next one is
// the second, and the first is told. What wasn't under way counts none.
func TestKilledAttemptCounts(t *testing.T) {
	work, killed := t.TempDir(), filepath.Join(t.TempDir(), "killed")
	q := open(t, work, Options{})
	for _, id := range []string{"first", "second"} {
		if err := enqueueTo(q, id, "e"); err != nil {
			t.Fatal(err)
		}
	}
	ls, err := q.Lease(t.Context(), retry.LeaseRequest{Max: 1, TTL: time.Minute})
	if err != nil || len(ls) != 1 || ls[0].ID != "first" {
		t.Fatalf("leased %+v, %v", ls, err)
	}
	if err := os.CopyFS(killed, os.DirFS(work)); err != nil { // as a kill leaves it
		t.Fatal(err)
	}
	again := open(t, killed, Options{})
	ls, err = again.Lease(t.Context(), retry.LeaseRequest{Max: 2, TTL: time.Minute})
	if err != nil || len(ls) != 2 {
		t.Fatalf("leased %+v, %v", ls, err)
	}
	for _, l := range ls {
		want := map[string]int{"first": 1, "second": 0}[l.ID]
		_, past, err := again.Get(t.Context(), l.ID)
		if err != nil || l.Attempts != want || l.Tries != want || len(past) != want {
			t.Errorf("%s: %d attempts, %d tries, told %+v, %v; want %d", l.ID, l.Attempts, l.Tries, past, err, want)
		}
		if want > 0 && (past[0].N != 1 || past[0].Reason != retry.ReasonLost || past[0].Error == "" || time.Since(past[0].At) > time.Hour) {
			t.Errorf("the lost attempt is told as %+v", past[0])
		}
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
