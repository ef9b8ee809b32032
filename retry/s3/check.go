package s3

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"postern/retry"
)

// Check puts an object, reads it, lists and deletes it, and says which step
// failed.
func (s *Store) Check(ctx context.Context) error {
	text := rand.Text()
	folder := "check-" + strings.ToLower(rand.Text()[:8])
	name, sum := folder+"/aa/object", sha256.Sum256([]byte(text))
	step := func(what string, err error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	err := step("storing an object", s.put(ctx, name, "text/plain", strings.NewReader(text), int64(len(text)), sum))
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(s.cfg.Dir, "postern-check-*")
	if err != nil {
		return err
	}
	defer f.Close()
	err = errors.Join(os.Remove(f.Name()), step("reading it", s.copy(ctx, name, retry.BodyRef{Size: int64(len(text)), SHA256: sum}, f)))
	listed := 0
	err = errors.Join(err, step("listing it", s.List(ctx, folder, time.Now().Add(24*time.Hour), func(names []string) error {
		listed += len(names)
		return nil
	})))
	if err == nil && listed != 1 {
		err = fmt.Errorf("listing it: %d objects are there instead of 1", listed)
	}
	return errors.Join(err, step("deleting it", s.Delete(ctx, []string{name})))
}

// Hint says what to mend about an error, "" where it speaks for itself.
func Hint(err error) string {
	var e minio.ErrorResponse
	if !errors.As(err, &e) {
		if err != nil && (strings.Contains(err.Error(), "no such host") || strings.Contains(err.Error(), "connection refused")) {
			return "is AWS_ENDPOINT_URL right, and does a network policy let us out?"
		}
		return ""
	}
	switch e.Code {
	case "NoSuchBucket":
		return "create the bucket, or mend POSTERN_BODY_STORE"
	case "AccessDenied":
		return "the credentials need s3:PutObject, s3:GetObject and s3:DeleteObject on the prefix, and s3:ListBucket on the bucket; without any (AWS_ACCESS_KEY_ID …) requests are anonymous"
	case "InvalidAccessKeyId", "XAdminUserNotFound":
		return "AWS_ACCESS_KEY_ID isn't known there"
	case "SignatureDoesNotMatch":
		return "AWS_SECRET_ACCESS_KEY is another key's"
	case "ExpiredToken", "InvalidToken":
		return "AWS_SESSION_TOKEN is over, or another key's"
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "InvalidRegion":
		return "set AWS_REGION to the bucket's"
	case "RequestTimeTooSkewed":
		return "this machine's clock is wrong"
	}
	return ""
}
