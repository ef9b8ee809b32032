package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"postern/retry"
)

// TestServerAwayAtStart: the program starts without its server, refuses what
// must wait, and goes on as soon as the server is there.
func TestServerAwayAtStart(t *testing.T) {
	s := ownServer(t)
	s.Kill()
	began := time.Now()
	q := open(t, s.URL("postgres"), Options{})
	if took := time.Since(began); took > 2*firstTry {
		t.Errorf("Open took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := q.Health(ctx); !errors.Is(err, retry.ErrUnhealthy) {
		t.Errorf("Health = %v", err)
	}
	if err := putOne(ctx, q, "early"); err == nil {
		t.Error("mail was taken without a server")
	}
	if ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 1, TTL: time.Minute}); len(ls) > 0 || errors.Is(err, retry.ErrUnhealthy) {
		t.Errorf("Lease = %v, %v: a worker would end", ls, err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-q.Notify():
	case <-ctx.Done():
		t.Fatal("the server is there and nobody noticed")
	}
	if err := errors.Join(q.Health(ctx), putOne(ctx, q, "late")); err != nil {
		t.Fatal(err)
	}
	ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 10, TTL: time.Minute})
	if err != nil || len(ls) != 1 || ls[0].ID != "late" {
		t.Errorf("Lease = %v, %v", ls, err)
	}
}

func putOne(ctx context.Context, q *Queue, id string) error {
	return putOf(ctx, q, id, retry.NewDelivery{ID: id, Endpoint: "e"})
}

func putOf(ctx context.Context, q *Queue, id string, d retry.NewDelivery) error {
	ref, err := q.Stage(ctx, nil, body(id))
	if err != nil {
		return err
	}
	m := retry.Message{ID: id, Received: time.Now(), Life: time.Hour, Body: ref}
	_, err = q.Enqueue(ctx, m, []retry.NewDelivery{d})
	return err
}

// TestReplicasAgreeOnAValue has replicas that start at once on an empty database
// each put a value of their own.
func TestReplicasAgreeOnAValue(t *testing.T) {
	dsn := shared.Database(t)
	const replicas = 4
	got := make([]string, replicas)
	var wg sync.WaitGroup
	for i := range replicas {
		wg.Go(func() {
			q, err := Open(t.Context(), dsn, Options{Conns: 4})
			if err != nil {
				t.Error(err)
				return
			}
			defer q.Close()
			v, err := q.PutMeta(t.Context(), "url_secret", fmt.Append(nil, "made by ", i))
			if err != nil {
				t.Error(err)
			}
			got[i] = string(v)
		})
	}
	wg.Wait()
	if got[0] == "" || len(slices.Compact(got)) != 1 {
		t.Errorf("the replicas have %q", got)
	}
}
