package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// control spoils a run on purpose in one way, which the account must notice: an
// account that always holds would show nothing.
type control struct {
	kind    string // "" spoils nothing
	spoiled atomic.Int64
}

// The ways to spoil a run, and the words with which the account must fail.
var controls = map[string]string{
	"lost":     "lost",                   // a mail that waits is deleted from the database behind the queue's back
	"damaged":  "damaged",                // the webhook reads another text
	"twice":    "twice without a reason", // the webhook is given a mail again
	"other-id": "with another webhook-id",
}

// controlMost is how many mails are spoiled.
const controlMost = 3

// once says whether the webhook is to spoil this mail.
func (c *control) once(kind string) bool {
	return c.kind == kind && c.spoiled.Add(1) <= controlMost
}

// work spoils for so long.
func (c *control) work(dsn string, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if c.kind == "lost" {
		if err := c.lose(ctx, dsn); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// lose deletes mails that wait and that the webhook never took, until ctx ends.
func (c *control) lose(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for c.spoiled.Load() < controlMost {
		tag, err := conn.Exec(ctx, `WITH one AS (SELECT n, message FROM postern.delivery WHERE state = 0 AND last_status = 503 LIMIT 1 FOR UPDATE SKIP LOCKED),
			gone AS (DELETE FROM postern.delivery WHERE n IN (SELECT n FROM one)) DELETE FROM postern.message WHERE n IN (SELECT message FROM one)`)
		if err != nil {
			return err
		}
		c.spoiled.Add(tag.RowsAffected())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// judge is nil where the account failed for what was spoiled, and for nothing else.
func (c *control) judge(verdict error) error {
	if c.kind == "" {
		return verdict
	}
	n := min(c.spoiled.Load(), controlMost)
	switch want := fmt.Sprintf("the account doesn't hold: %d %s", n, controls[c.kind]); {
	case n == 0:
		return errors.New("the control spoiled nothing")
	case verdict == nil:
		return fmt.Errorf("%d mails were %s on purpose, and the account holds", n, c.kind)
	case !strings.HasSuffix(verdict.Error(), want):
		return fmt.Errorf("%d mails were %s on purpose, and the account says: %w", n, c.kind, verdict)
	}
	fmt.Printf("control: %d mails were %s on purpose, and the account noticed\n", n, c.kind)
	return nil
}
