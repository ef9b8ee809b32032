package postgres

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"postern/retry"
)

// TestHold: a body that is held can be read when its message is gone, holds are
// few, and one that nobody reads doesn't keep the queue from closing.
func TestHold(t *testing.T) {
	t.Parallel()
	q, ctx := open(t, shared.Database(t), Options{Conns: 8}), t.Context()
	large := bytes.Repeat([]byte("0123456789abcde\n"), 1<<20) // more than what is on its way at once
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
	b, err := q.Open(ctx, l.Body)
	if err != nil {
		t.Fatal(err)
	}
	held, err := b.(retry.Holder).Hold(ctx)
	if err != nil {
		t.Fatal(err)
	}
	unread, err := b.(retry.Holder).Hold(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.(retry.Holder).Hold(ctx); !errors.Is(err, errHolds) {
		t.Errorf("one more: %v", err)
	}
	if err := q.Ack(ctx, l, retry.Attempt{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Verify(); !errors.Is(err, retry.ErrCorrupt) {
		t.Errorf("it isn't gone: %v", err)
	}
	if got, err := io.ReadAll(held); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d octets of %d, %v", len(got), len(large), err)
	}
	if err := errors.Join(held.Close(), q.Close()); err != nil {
		t.Error(err)
	}
	if n, err := io.Copy(io.Discard, unread); err == nil {
		t.Errorf("%d octets of a closed queue", n)
	}
	if len(q.holds) != 0 {
		t.Errorf("%d are held at the end", len(q.holds))
	}
}
