package s3

import (
	"context"
	"io"
	"strings"

	"github.com/minio/minio-go/v7"
)

// epochName is the object in a folder that says which epoch it is in.
const epochName = "/epoch"

// epochMost is more than an epoch has octets.
const epochMost = 256

// Epoch implements engine.Bodies.
func (s *Store) Epoch(ctx context.Context, folder string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, shortLimit)
	defer cancel()
	var text []byte
	err := s.state.try(opGet, func() error {
		r, _, _, err := s.core.GetObject(ctx, s.cfg.Bucket, s.key(folder+epochName), minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		defer r.Close()
		text, err = io.ReadAll(io.LimitReader(r, epochMost))
		return err
	})
	if isMissing(err) {
		return "", s.marked(ctx, folder)
	}
	return strings.TrimSpace(string(text)), err
}

// PutEpoch implements engine.Bodies.
func (s *Store) PutEpoch(ctx context.Context, folder, epoch string) error {
	return s.putText(ctx, folder+epochName, epoch+"\n")
}

// Hold implements engine.Bodies.
func (s *Store) Hold(err error) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.state.held = err
}

// Held is why nothing may be deleted, as Hold was told.
func (s *Store) Held() error {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return s.state.held
}
