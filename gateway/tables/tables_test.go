package tables

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"postern/retry/postgres/pgtest"
)

var shared pgtest.Shared

func TestMain(m *testing.M) { shared.Main(m) }

const schema = `
SELECT pg_advisory_xact_lock(7885912312000);
CREATE TABLE IF NOT EXISTS made (n bigint GENERATED ALWAYS AS IDENTITY, by text);
INSERT INTO made (by) VALUES ('here');`

func open(t testing.TB, dsn, schema string) *DB {
	t.Helper()
	d, err := Open(t.Context(), dsn, schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// TestOnce: however many come at once, a replica makes the tables once.
func TestOnce(t *testing.T) {
	dsn := shared.Database(t)
	replicas := []*DB{open(t, dsn, schema), open(t, dsn, schema)}
	errs := make(chan error)
	for range 8 {
		for _, d := range replicas {
			go func() { errs <- d.Prepare(t.Context()) }()
		}
	}
	for range 16 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	var n int
	if err := replicas[0].QueryRow(t.Context(), "SELECT count(*) FROM made").Scan(&n); err != nil || n != 2 {
		t.Errorf("made %d times by two replicas, %v", n, err)
	}
}

// TestAgain: what failed is tried again by the next, who waits no longer than they
// want to.
func TestAgain(t *testing.T) {
	d := open(t, shared.Database(t), "SELECT 1 FROM nothing_there")
	if err := d.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing_there") {
		t.Errorf("Prepare = %v", err)
	}
	d.schema = schema
	token := <-d.missing // somebody is at it
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Prepare(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Prepare while another does = %v", err)
	}
	d.missing <- token
	if err := d.Prepare(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAddress: an address that is none is told without its password.
func TestAddress(t *testing.T) {
	_, err := Open(t.Context(), "postgres://user:hunter2@host:port/", schema)
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "postgres://user:password@host/database") {
		t.Errorf("Open = %v", err)
	}
}

// TestPooler: behind a pooler each statement may meet another connection, which
// knows nothing of what was prepared.
func TestPooler(t *testing.T) {
	d := open(t, pgtest.Bouncer(t, shared.Database(t), "transaction"), schema)
	if err := d.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	for i := range 40 {
		go func() {
			_, err := d.Exec(t.Context(), "INSERT INTO made (by) SELECT $1 FROM pg_sleep($2)", "a", float64(i%4)/100)
			errs <- err
		}()
	}
	for range 40 {
		select {
		case err := <-errs:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("no answer")
		}
	}
}
