package postgres

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"postern/retry"
)

// TestLargeBodyIsHere: who has opened a large body reads it without the database:
// when its message is gone, and when the queue was closed. A damaged one, and one
// that nobody waits for, isn't opened.
func TestLargeBodyIsHere(t *testing.T) {
	t.Parallel()
	dsn, ctx, dir := shared.Database(t), t.Context(), t.TempDir()
	q := open(t, dsn, Options{Dir: dir})
	large := bytes.Repeat([]byte("0123456789abcde\n"), 100_000)
	ref, err := q.Stage(ctx, nil, body(large))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Enqueue(ctx, retry.Message{ID: "m", Key: "k", Received: time.Now(), Life: time.Hour, Envelope: []byte(`{}`), Body: ref}, []retry.NewDelivery{{ID: "d", Endpoint: "e", Recipients: []string{"r"}}}); err != nil {
		t.Fatal(err)
	}
	l, err := q.LeaseID(ctx, "d", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := q.Open(over, l.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits: %v", err)
	}
	execute(t, dsn, "UPDATE postern.chunk SET bytes = overlay(bytes placing 'X' from 1) WHERE i = 1")
	if _, err := q.Open(ctx, l.Body); !errors.Is(err, retry.ErrCorrupt) {
		t.Errorf("damaged: %v", err)
	}
	execute(t, dsn, "UPDATE postern.chunk SET bytes = overlay(bytes placing '0' from 1) WHERE i = 1")
	b, err := q.Open(ctx, l.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Ack(ctx, l, retry.Attempt{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Verify(), q.Close()); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d octets of %d, %v", len(got), len(large), err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%d files have names, %v", len(left), err)
	}
}
