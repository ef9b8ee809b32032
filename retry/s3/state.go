package s3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"postern/retry/engine"
)

// The operations that are counted.
const (
	opPut    = "put"
	opGet    = "get"
	opDelete = "delete"
	opList   = "list"
	opProbe  = "probe"
)

var operations = []string{opPut, opGet, opDelete, opList, opProbe}

const (
	restAfter  = time.Second      // a service that failed is left alone so long
	probeAway  = 5 * time.Second  // it is asked so often while it is away
	probeQuiet = 15 * time.Second // and while nobody else asks it
)

// state is whether the service answers, and what it was asked.
type state struct {
	log     *slog.Logger
	refused func() // called when the service doesn't take our credentials

	mu     sync.Mutex
	held   error     // why nothing may be deleted; nil: it may
	err    error     // why it is away; nil: it isn't
	next   time.Time // while it is away: when it may be asked again
	last   time.Time // when it answered last
	counts map[string]Count
}

// Count is how often an operation was made, and how often it failed.
type Count struct{ Done, Failed int64 }

// try makes a request unless the service failed a moment ago.
func (s *state) try(op string, request func() error) error {
	if err := s.resting(); err != nil {
		return err
	}
	err := request()
	s.ended(op, err)
	if err != nil && !isMissing(err) && !errors.Is(err, engine.ErrBodiesAway) {
		err = fmt.Errorf("%w: %s: %w", engine.ErrBodiesAway, op, err)
	}
	return err
}

func (s *state) resting() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.err != nil && now.Before(s.next) {
		return fmt.Errorf("%w since a moment ago: %w", engine.ErrBodiesAway, s.err)
	}
	s.next = now.Add(restAfter) // one tries, the others are told
	return nil
}

func (s *state) ended(op string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts[op]
	if s.counts == nil {
		s.counts = map[string]Count{}
	}
	if ok := err == nil || isMissing(err); ok {
		c.Done++
	} else {
		c.Failed++
	}
	s.counts[op] = c
	switch {
	case err == nil || isMissing(err):
		if s.err != nil {
			s.log.Info("the object store answers again")
		}
		s.err, s.last = nil, time.Now()
	case errors.Is(err, context.Canceled): // whoever asked is gone
	default:
		if s.err == nil {
			s.log.Error("degraded: the object store fails, so large mail that must wait is left with its sender, and what waits there goes on waiting", "err", err, "hint", Hint(err))
		}
		s.err, s.next = err, time.Now().Add(restAfter)
		if status := minio.ToErrorResponse(err).StatusCode; status == http.StatusForbidden || status == http.StatusUnauthorized || status == http.StatusBadRequest {
			s.refused()
		}
	}
}

// Health is nil while the service answers as it should.
func (s *Store) Health() error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if s.state.err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", engine.ErrBodiesAway, s.state.err)
}

// Counts is how often each operation was made; all are there.
func (s *Store) Counts() map[string]Count {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	out := map[string]Count{}
	for _, op := range operations {
		out[op] = s.state.counts[op]
	}
	return out
}

// watch asks a service that is away, or that nobody asks, whether it answers,
// and closes idle files, until ctx ends.
func (s *Store) watch(ctx context.Context) {
	tick := time.NewTicker(probeAway)
	defer tick.Stop()
	for {
		if s.state.due(time.Now()) {
			s.probe(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.local.Expire(now)
		}
	}
}

func (s *state) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil || now.Sub(s.last) >= probeQuiet
}

// probe asks whether the bucket is there and ours to use.
func (s *Store) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, shortLimit)
	defer cancel()
	_ = s.state.try(opProbe, func() error {
		there, err := s.core.BucketExists(ctx, s.cfg.Bucket)
		if err == nil && !there {
			err = minio.ErrorResponse{StatusCode: http.StatusNotFound, Code: "NoSuchBucket", Message: "the bucket " + s.cfg.Bucket + " isn't there"}
		}
		return err
	})
}

// isMissing says that the service answered that there is no such object.
func isMissing(err error) bool {
	return err != nil && minio.ToErrorResponse(err).Code == "NoSuchKey"
}

func ignoreMissing(err error) error {
	if isMissing(err) {
		return nil
	}
	return err
}
