package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// When objects are swept.
const (
	sweepEvery  = 20 * time.Second
	sweepBatch  = 20_000         // objects of dropped messages that one sweep looks at
	orphansWait = 24 * time.Hour // between two looks for orphans, and an orphan's least age
	orphansMin  = 10 * time.Minute
	deleteBatch = 1000 // what one request of S3 takes
)

// ObjectIndex is what a database knows of its objects.
type ObjectIndex interface {
	// Dropped lists objects of messages that are gone, at most so many.
	Dropped(ctx context.Context, limit int) ([]string, error)
	// Forget ends Dropped for objects that are deleted.
	Forget(ctx context.Context, names []string) error
	// Known picks those among the names that a message has, or had (Dropped).
	Known(ctx context.Context, names []string) (map[string]bool, error)
	// PrependMeta puts octets before a value of retry.Meta, durably, and keeps so
	// many of the whole.
	PrependMeta(ctx context.Context, key string, v []byte, keep int) error
}

// Sweeper deletes the objects that nothing needs: those of messages that are
// gone, one sweep after it first saw them, and those that no message of the
// database ever named, a day after they were put. It deletes nothing that it
// couldn't ask the database about, and nothing while another database uses the
// folder or its own was set back to an earlier state.
type Sweeper struct {
	Objects *Objects
	Index   ObjectIndex
	Log     *slog.Logger
	// Whole says that the database isn't missing any of its messages: only then
	// an object that it doesn't name is an orphan. nil: it is.
	Whole func() bool

	seen    map[string]bool // dropped already at the sweep before
	good    int             // sweeps in a row at which the folder was ours
	claimed bool            // an epoch of ours is or was the folder's
	held    bool
}

// Run sweeps until ctx ends.
func (s *Sweeper) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	orphans := time.NewTimer(orphansMin + rand.N(orphansMin)) // replicas start at once
	defer orphans.Stop()
	said := ""
	tell := func(err error) {
		if err == nil || ctx.Err() != nil || errors.Is(err, errForeign) || err.Error() == said {
			return
		}
		said = err.Error()
		s.Log.Warn("bodies that nothing needs stay in their store until a later sweep", "err", err)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, err := s.Sweep(ctx)
			tell(err)
		case <-orphans.C:
			if !s.settled() {
				orphans.Reset(orphansMin)
				continue
			}
			_, err := s.Orphans(ctx, time.Now().Add(-orphansWait))
			tell(err)
			orphans.Reset(orphansWait)
		}
	}
}

// Sweep deletes the objects of dropped messages that the sweep before saw
// already: a reader that has one open is done by then, and so is a standby.
func (s *Sweeper) Sweep(ctx context.Context) (deleted int, err error) {
	names, err := s.Index.Dropped(ctx, sweepBatch)
	if err != nil {
		return 0, fmt.Errorf("listing dropped bodies: %w", err)
	}
	if err := s.claim(ctx); err != nil {
		return 0, err
	}
	if !s.settled() {
		s.seen = NameSet(names)
		return 0, nil
	}
	seen := make(map[string]bool, len(names))
	var old []string
	for _, n := range names {
		if s.seen[n] {
			old = append(old, n)
		} else {
			seen[n] = true
		}
	}
	for len(old) > 0 {
		batch := old[:min(len(old), deleteBatch)]
		old = old[len(batch):]
		if err := s.Objects.Bodies.Delete(ctx, batch); err != nil {
			return deleted, fmt.Errorf("deleting bodies: %w", err)
		}
		if err := s.Index.Forget(ctx, batch); err != nil {
			return deleted, fmt.Errorf("forgetting deleted bodies: %w", err)
		}
		deleted += len(batch)
	}
	s.seen = seen
	return deleted, nil
}

// Orphans deletes what was put before the time and no message names: what a
// crash left between the body and its commit. None before some sweeps went well.
func (s *Sweeper) Orphans(ctx context.Context, before time.Time) (deleted int, err error) {
	if s.Whole != nil && !s.Whole() || !s.settled() {
		return 0, nil
	}
	folder, err := s.Objects.Folder(ctx)
	if err != nil {
		return 0, fmt.Errorf("finding the folder of bodies: %w", err)
	}
	err = s.Objects.Bodies.List(ctx, folder, before, func(names []string) error {
		known, err := s.Index.Known(ctx, names)
		if err != nil {
			return err
		}
		var orphans []string
		for _, n := range names {
			if !known[n] {
				orphans = append(orphans, n)
			}
		}
		if len(orphans) == 0 {
			return nil
		}
		// A database that was set back since it was asked is noticed.
		if _, _, err := s.verify(ctx); err != nil {
			return err
		}
		deleted += len(orphans)
		return s.Objects.Bodies.Delete(ctx, orphans)
	})
	if deleted > 0 {
		s.Log.Info("bodies were deleted that no message names", "count", deleted)
	}
	if err != nil {
		return deleted, fmt.Errorf("looking for orphaned bodies: %w", err)
	}
	return deleted, nil
}
