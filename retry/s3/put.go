package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/minio/minio-go/v7"

	"postern/retry"
)

// Put implements engine.Bodies. The request is signed with the body's SHA-256,
// so that the service refuses other octets, and must answer with it.
func (s *Store) Put(ctx context.Context, name string, b retry.Body, sum [32]byte) error {
	src, err := b.Open()
	if err != nil {
		return fmt.Errorf("reading the message: %w", err)
	}
	defer src.Close()
	ctx, cancel := context.WithTimeout(ctx, limit(b.Size()))
	defer cancel()
	return s.state.try(opPut, func() error { return s.put(ctx, name, "message/rfc822", src, b.Size(), sum) })
}

func (s *Store) put(ctx context.Context, name, kind string, src io.ReadSeeker, size int64, sum [32]byte) error {
	want := base64.StdEncoding.EncodeToString(sum[:])
	// Only Read and Seek: the client would close it before a second try.
	info, err := s.core.PutObject(ctx, s.cfg.Bucket, s.key(name), struct{ io.ReadSeeker }{src}, size, "", hex.EncodeToString(sum[:]), minio.PutObjectOptions{
		ContentType: kind, DisableContentSha256: true, UserMetadata: map[string]string{"X-Amz-Checksum-Sha256": want},
	})
	switch {
	case err != nil:
		return err
	case info.ChecksumSHA256 == want:
		return nil
	case info.ChecksumSHA256 != "":
		return fmt.Errorf("the service stored octets with the SHA-256 %s instead of %s", info.ChecksumSHA256, want)
	}
	return s.compare(ctx, name, size, sum)
}

// compare reads back what a service stored that confirms no checksum.
func (s *Store) compare(ctx context.Context, name string, size int64, sum [32]byte) error {
	r, _, _, err := s.core.GetObject(ctx, s.cfg.Bucket, s.key(name), minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, io.LimitReader(r, size+1), make([]byte, 64<<10))
	if err != nil {
		return err
	}
	if n != size || [32]byte(h.Sum(nil)) != sum {
		return errors.New("the service gave other octets back than it was given")
	}
	return nil
}

// markName is the object in a folder that says whose it is.
const markName = "/postern"

// Mark implements engine.Bodies.
func (s *Store) Mark(ctx context.Context, folder string) error {
	return s.putText(ctx, folder+markName, "Bodies of mail that waits in the queue of a Postern lie in this folder. Its database knows which it needs; Postern deletes the others itself.\n")
}

func (s *Store) putText(ctx context.Context, name, text string) error {
	ctx, cancel := context.WithTimeout(ctx, shortLimit)
	defer cancel()
	return s.state.try(opPut, func() error {
		return s.put(ctx, name, "text/plain", strings.NewReader(text), int64(len(text)), sha256.Sum256([]byte(text)))
	})
}
