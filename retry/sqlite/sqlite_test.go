package sqlite

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"

	"postern/retry"
	"postern/retry/queuetest"
	"postern/retry/s3/s3test"
)

func TestMain(m *testing.M) {
	if o := os.Getenv(childEnv); o != "" {
		os.Exit(childMain(parseChild(o)))
	}
	goleak.VerifyTestMain(m)
}

func TestSuite(t *testing.T) {
	queuetest.Run(t, func(t *testing.T, c *queuetest.Clock, b queuetest.Bounds) retry.Queue {
		return tidied{open(t, t.TempDir(), Options{Now: c.Now, MaxBytes: b.Bytes, MaxMessages: b.Messages})}
	})
}

// tidied lets the suite tidy up at once.
type tidied struct{ *Queue }

func (q tidied) Tidy() { q.tidy(context.Background()) }

func open(t *testing.T, dir string, o Options) *Queue {
	t.Helper()
	if o.MinFree == 0 {
		o.MinFree = -1
	}
	q, err := Open(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// TestSuiteObjects is the suite with large bodies in an object store.
func TestSuiteObjects(t *testing.T) {
	server := s3test.Start(t)
	bodies := server.Store(t, "mail")
	queuetest.Run(t, func(t *testing.T, c *queuetest.Clock, b queuetest.Bounds) retry.Queue {
		return tidied{open(t, t.TempDir(), Options{Now: c.Now, MaxBytes: b.Bytes, MaxMessages: b.Messages, Bodies: bodies})}
	})
}
