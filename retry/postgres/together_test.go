package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"postern/retry"
)

// brought is what a caller brings to a batch.
func brought(t *testing.T, q *Queue, message string, ds ...retry.NewDelivery) *op[*enqueue] {
	t.Helper()
	ref, err := q.Stage(t.Context(), nil, body(message))
	if err != nil {
		t.Fatal(err)
	}
	m := retry.Message{ID: message, Key: "k", Received: time.Now(), Life: time.Hour, Body: ref}
	return &op[*enqueue]{It: &enqueue{q: q, m: m, ds: ds}}
}

// TestCompany holds what a batch does to each of those in it.
func TestCompany(t *testing.T) {
	q, ctx := open(t, shared.Database(t), Options{}), t.Context()
	to := func(id string) retry.NewDelivery { return retry.NewDelivery{ID: id, Endpoint: "e"} }
	if err := putOne(ctx, q, "known"); err != nil {
		t.Fatal(err)
	}
	batch := []*op[*enqueue]{
		brought(t, q, "one", to("one/1"), to("one/2")),
		brought(t, q, "known", to("another")),          // its message is stored
		brought(t, q, "two", to("two/1"), to("known")), // one of its deliveries is
		brought(t, q, "three", to("three/1")),
		brought(t, q, "three", to("three/2")), // comes twice
		brought(t, q, "four", to("three/1")),  // has a neighbour's delivery
	}
	q.storeTogether(ctx, batch)
	for i, want := range []error{nil, errAlone, errAlone, nil, errAlone, errAlone} {
		if err := batch[i].Err; !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", i, err, want)
		}
	}
	list, _, err := q.List(ctx, retry.Filter{}, retry.Page{})
	if err != nil || len(list) != 4 {
		t.Errorf("stored %d, %v", len(list), err)
	}
	var bodies, counted int
	if err := q.pool.QueryRow(ctx, "SELECT (SELECT count(*) FROM postern.chunk), (SELECT sum(live) FROM postern.message)").Scan(&bodies, &counted); err != nil || bodies != 3 || counted != 4 {
		t.Errorf("%d bodies, %d counted, %v", bodies, counted, err)
	}
}

// TestSpoiledBatch has one of a batch that the server refuses: it alone fails.
func TestSpoiledBatch(t *testing.T) {
	q, ctx := open(t, shared.Database(t), Options{}), t.Context()
	batch := []*op[*enqueue]{
		brought(t, q, "one", retry.NewDelivery{ID: "one", Endpoint: "e"}),
		brought(t, q, "bad", retry.NewDelivery{ID: "bad\xff", Endpoint: "e"}),
	}
	q.storeTogether(ctx, batch)
	for i, o := range batch {
		if !errors.Is(o.Err, errAlone) {
			t.Fatalf("%d: %v", i, o.Err)
		}
		if err := o.It.alone(ctx); (err == nil) != (i == 0) {
			t.Errorf("%d alone: %v", i, err)
		}
	}
}

// TestBatcher holds that a lone caller doesn't wait, that those who come
// meanwhile go together, and that one who gave up in time is left out.
func TestBatcher(t *testing.T) {
	entered, free := make(chan int), make(chan struct{})
	b := newBatcher(func(_ context.Context, batch []*op[int]) { entered <- len(batch); <-free })
	ctx, stop := context.WithCancel(t.Context())
	b.start(ctx, 1)
	done := make(chan error, 10)
	go func() { done <- b.Do(ctx, 0, 0) }()
	if n := <-entered; n != 1 {
		t.Errorf("the first went with %d", n)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := b.Do(gone, 1, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: %v", err)
	}
	there := b.Len() // who gave up may lie there still
	for i := range 3 {
		go func() { done <- b.Do(context.Background(), i, 0) }()
	}
	for b.Len() < there+3 {
		time.Sleep(time.Millisecond)
	}
	stop() // what was handed in is finished
	free <- struct{}{}
	if n := <-entered; n != 3 {
		t.Errorf("the others went %d together", n)
	}
	free <- struct{}{}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	<-b.Ended()
	if err := b.Do(context.Background(), 9, 0); !errors.Is(err, errClosed) {
		t.Error(fmt.Errorf("after the end: %w", err))
	}
}
