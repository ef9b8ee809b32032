package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errForeign is of a folder whose epoch the database doesn't know.
var errForeign = errors.New("another database uses this one's folder of bodies, or this one was set back to an earlier state")

const (
	epochsKey   = "bodies_epochs" // where a database keeps the epochs that it knows, the newest first
	epochLength = 16
	epochsKept  = 256 // each replica makes one a minute
	epochEvery  = 3   // sweeps: how often one is made, and how many must go well before one deletes
)

func newEpoch() string { return rand.Text()[:epochLength] }

// claim makes sure, once a sweep, that the folder of bodies is this database's
// alone and that the database wasn't set back. An epoch is a random word, noted in
// the database first and in the folder then: a copy of the database, or one that
// was restored, doesn't know those that came after it was made.
func (s *Sweeper) claim(ctx context.Context) error {
	folder, last, err := s.verify(ctx)
	if errors.Is(err, errForeign) && s.claimed {
		// The other one began after us: what neither knows stops it, too.
		s.claimed = false
		err = errors.Join(err, s.Objects.Bodies.PutEpoch(ctx, folder, newEpoch()))
	}
	if err == nil && s.good%epochEvery == 0 {
		err = s.advance(ctx, folder, last)
	}
	if s.good++; err != nil {
		s.good = 0
	}
	return err
}

// settled says that who shares the folder has had the time to say so.
func (s *Sweeper) settled() bool { return s.good >= epochEvery }

// verify reads the folder's epoch, "" where it has none, and fails where the
// database doesn't know it.
func (s *Sweeper) verify(ctx context.Context) (folder, epoch string, err error) {
	if folder, err = s.Objects.Folder(ctx); err != nil {
		return "", "", fmt.Errorf("finding the folder of bodies: %w", err)
	}
	// In this order: a replica notes its epoch in the database first.
	if epoch, err = s.Objects.Bodies.Epoch(ctx, folder); err != nil {
		return folder, "", fmt.Errorf("reading the epoch of the folder of bodies: %w", err)
	}
	known, err := s.Objects.Meta.Meta(ctx, epochsKey)
	if err != nil {
		return folder, "", fmt.Errorf("reading the epochs of the folder of bodies: %w", err)
	}
	if epoch != "" && !slices.Contains(strings.Fields(string(known)), epoch) {
		err = errForeign
	}
	s.hold(folder, err)
	return folder, epoch, err
}

// advance begins an epoch. The last one is noted once more, so that no number of
// them that didn't reach the folder makes the database forget it.
func (s *Sweeper) advance(ctx context.Context, folder, last string) error {
	epoch := newEpoch()
	note := epoch + "\n"
	if last != "" {
		note += last + "\n"
	}
	if err := s.Index.PrependMeta(ctx, epochsKey, []byte(note), epochsKept*(epochLength+1)); err != nil {
		return fmt.Errorf("noting an epoch of the folder of bodies: %w", err)
	}
	if err := s.Objects.Bodies.PutEpoch(ctx, folder, epoch); err != nil {
		return fmt.Errorf("beginning an epoch of the folder of bodies: %w", err)
	}
	s.claimed = true
	return nil
}

// hold tells of a folder in which nothing is deleted, and of its end.
func (s *Sweeper) hold(folder string, err error) {
	switch {
	case err != nil && !s.held:
		s.Log.Error("degraded: no body is deleted from the object store", "err", err, "folder", folder,
			"hint", "give a copy of a database a POSTERN_BODY_STORE of its own; after a restore look at the bodies there that are newer than the backup, then delete the object "+folder+"/epoch")
	case err == nil && s.held:
		s.Log.Info("bodies that nothing needs are deleted from the object store again")
	}
	s.held = err != nil
	s.Objects.Bodies.Hold(err)
}
