package s3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/retry"
	"postern/retry/engine"
	"postern/retry/s3"
	"postern/retry/s3/s3test"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type octets []byte

func (o octets) Open() (io.ReadSeekCloser, error) { return readCloser{bytes.NewReader(o)}, nil }
func (o octets) Size() int64                      { return int64(len(o)) }

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// noise is octets that are the same each time.
func noise(n int) octets {
	b := make(octets, n)
	rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

func refOf(b octets) retry.BodyRef { return retry.BodyRef{Size: b.Size(), SHA256: sha256.Sum256(b)} }

func put(t *testing.T, s *s3.Store, name string, b octets) retry.BodyRef {
	t.Helper()
	if err := s.Put(t.Context(), name, b, sha256.Sum256(b)); err != nil {
		t.Fatal(err)
	}
	return refOf(b)
}

// read opens a body and gives its octets.
func read(t *testing.T, s *s3.Store, name string, ref retry.BodyRef) octets {
	t.Helper()
	b, err := s.Open(t.Context(), name, ref)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Verify(); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(b)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPutAndOpen(t *testing.T) {
	server := s3test.Start(t)
	s := server.Store(t, "mail")
	small, large := noise(70<<10), noise(5<<20)
	a, b := put(t, s, "q/aa/small", small), put(t, s, "q/bb/large", large)
	if !bytes.Equal(read(t, s, "q/aa/small", a), small) {
		t.Error("the small body differs")
	}
	body, err := s.Open(t.Context(), "q/bb/large", b)
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 1000)
	if _, err := body.ReadAt(part, 4<<20); err != nil || !bytes.Equal(part, large[4<<20:4<<20+1000]) {
		t.Errorf("ReadAt: %v", err)
	}
	if body.Size() != 5<<20 || !bytes.Equal(read(t, s, "q/bb/large", b), large) {
		t.Error("the large body differs")
	}
	_ = body.Close()
	_ = body.Close() // twice is once
	if n := s.Counts()["get"].Done; n != 2 {
		t.Errorf("two bodies that were opened three times were fetched %d times", n)
	}
	if err := s.Put(t.Context(), "q/cc/other", small, sha256.Sum256(large)); !errors.Is(err, engine.ErrBodiesAway) {
		t.Errorf("octets that differ from their checksum are stored: %v", err)
	}
	names, err := server.Objects("mail")
	if err != nil || len(names) != 2 || !strings.HasPrefix(names[0], "bodies/q/") {
		t.Errorf("the bucket holds %v, %v", names, err)
	}
}

// What is gone or damaged there is corrupt; a store that isn't the one is away.
func TestDamaged(t *testing.T) {
	server := s3test.Start(t)
	s := server.Store(t, "mail")
	body := noise(100 << 10)
	ref := put(t, s, "q/aa/one", body)
	if err := s.Mark(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	path := server.Path("mail", "bodies/q/aa/one")
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	stored[5000] ^= 1
	if err := os.WriteFile(path, stored, 0o644); err != nil {
		t.Fatal(err)
	}
	for what, name := range map[string]string{"damaged": "q/aa/one", "gone": "q/aa/two"} {
		if _, err := s.Open(t.Context(), name, ref); !errors.Is(err, retry.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Open(t.Context(), "another/aa/one", ref); errors.Is(err, retry.ErrCorrupt) || !errors.Is(err, engine.ErrBodiesAway) {
		t.Errorf("in a folder that isn't ours: %v", err)
	}
	if err := s.Health(); err != nil {
		t.Errorf("the service is well: %v", err)
	}
	elsewhere := s3test.Open(t, "nobucket/bodies")
	if _, err := elsewhere.Open(t.Context(), "q/aa/one", ref); errors.Is(err, retry.ErrCorrupt) || !errors.Is(err, engine.ErrBodiesAway) {
		t.Errorf("in a bucket that isn't there: %v", err)
	}
}

// While the service is away it is said at once; when it is back it is used.
func TestAway(t *testing.T) {
	server := s3test.Start(t)
	s := server.Store(t, "mail")
	body := noise(100 << 10)
	ref := put(t, s, "q/aa/one", body)
	server.Kill()
	if _, err := s.Open(t.Context(), "q/aa/one", ref); !errors.Is(err, engine.ErrBodiesAway) || errors.Is(err, retry.ErrCorrupt) {
		t.Fatalf("away: %v", err)
	}
	if s.Health() == nil {
		t.Error("a service that is away is healthy")
	}
	began := time.Now()
	for range 100 {
		if err := s.Put(t.Context(), "q/aa/two", body, ref.SHA256); err == nil {
			t.Fatal("a body is stored nowhere")
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("100 refusals took %s", took)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); s.Put(t.Context(), "q/aa/three", body, ref.SHA256) != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a service that is back isn't used")
		}
	}
	if err := s.Health(); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(read(t, s, "q/aa/one", ref), body) {
		t.Error("the body differs")
	}
}

// A service that takes connections and answers nothing costs who asks no more
// than the time they have.
func TestHangs(t *testing.T) {
	server := s3test.Start(t)
	s := server.Store(t, "mail")
	body := noise(100 << 10)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	defer server.Resume()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := s.Put(ctx, "q/aa/one", body, sha256.Sum256(body)); !errors.Is(err, engine.ErrBodiesAway) {
		t.Errorf("a body is stored nowhere: %v", err)
	}
	if err := s.Put(t.Context(), "q/aa/one", body, sha256.Sum256(body)); !errors.Is(err, engine.ErrBodiesAway) {
		t.Errorf("a body is stored nowhere: %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("two refusals took %s", took)
	}
}

// A service that confirms no checksum has the body read back.
func TestUnconfirmed(t *testing.T) {
	server := s3test.Start(t)
	server.Store(t, "mail")
	target, _ := url.Parse(server.URL())
	var damage atomic.Bool
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ModifyResponse: func(r *http.Response) error {
			r.Header.Del("X-Amz-Checksum-Sha256")
			if r.Request.Method == http.MethodGet && damage.Load() {
				b, err := io.ReadAll(r.Body)
				if err == nil && len(b) > 10 {
					b[10] ^= 1
				}
				r.Body = io.NopCloser(bytes.NewReader(b))
				return err
			}
			return nil
		},
	}
	front := httptest.NewServer(proxy)
	defer front.Close()
	t.Setenv("AWS_ENDPOINT_URL_S3", front.URL)
	s := s3test.Open(t, "mail/bodies")
	put(t, s, "q/aa/one", noise(100<<10))
	damage.Store(true)
	if err := s.Put(t.Context(), "q/aa/two", noise(100<<10), sha256.Sum256(noise(100<<10))); err == nil {
		t.Error("a body is taken for stored that comes back with other octets")
	}
}

func TestDeleteAndList(t *testing.T) {
	server := s3test.Start(t)
	s := server.Store(t, "mail")
	body := noise(100)
	if err := s.Mark(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"q/aa/1", "q/aa/2", "q/bb/3", "r/aa/4"} {
		put(t, s, n, body)
	}
	list := func(before time.Time) (all []string) {
		t.Helper()
		err := s.List(t.Context(), "q", before, func(names []string) error { all = append(all, names...); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if got := list(time.Now().Add(time.Hour)); len(got) != 3 {
		t.Errorf("listed %v", got)
	}
	if got := list(time.Now().Add(-time.Hour)); len(got) != 0 {
		t.Errorf("listed as old: %v", got)
	}
	for _, names := range [][]string{{"q/aa/1"}, {"q/aa/1"}, {"q/aa/2", "q/bb/3", "q/cc/none"}} {
		if err := s.Delete(t.Context(), names); err != nil {
			t.Errorf("%v: %v", names, err)
		}
	}
	if got := list(time.Now().Add(time.Hour)); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	refused := errors.New("the database is away")
	put(t, s, "q/aa/1", body)
	if err := s.List(t.Context(), "q", time.Now().Add(time.Hour), func([]string) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("List = %v", err)
	}
}

// Check finds each mistake and says what to mend.
func TestCheck(t *testing.T) {
	server := s3test.Start(t)
	s := server.Store(t, "mail")
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("a good store: %v", err)
	}
	if names, _ := server.Objects("mail"); len(names) != 0 {
		t.Errorf("the check leaves %v", names)
	}
	for name, c := range map[string]struct{ variable, value, place, hint string }{
		"no bucket":   {"AWS_REGION", s3test.Region, "nobucket", "create the bucket"},
		"key":         {"AWS_ACCESS_KEY_ID", "nobody", "mail", "AWS_ACCESS_KEY_ID"},
		"secret":      {"AWS_SECRET_ACCESS_KEY", "wrong", "mail", "AWS_SECRET_ACCESS_KEY"},
		"no server":   {"AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1", "mail", "AWS_ENDPOINT_URL"},
		"no endpoint": {"AWS_ENDPOINT_URL_S3", "http://nobody.invalid", "mail", "AWS_ENDPOINT_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(c.variable, c.value)
			err := s3test.Open(t, c.place).Check(t.Context())
			if err == nil || !strings.Contains(s3.Hint(err), c.hint) {
				t.Errorf("%v, hint %q", err, s3.Hint(err))
			}
		})
	}
}

// Credentials that are changed in their file need no restart.
func TestRotation(t *testing.T) {
	server := s3test.Start(t)
	server.Store(t, "mail")
	file := filepath.Join(t.TempDir(), "credentials")
	write := func(secret string) {
		t.Helper()
		text := "[default]\naws_access_key_id = " + s3test.AccessKey + "\naws_secret_access_key = " + secret + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("of yesterday")
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SHARED_CREDENTIALS_FILE": file, "AWS_PROFILE": ""} {
		t.Setenv(name, value)
	}
	s := s3test.Open(t, "mail/bodies")
	body := noise(100 << 10)
	sum := sha256.Sum256(body)
	if err := s.Put(t.Context(), "q/aa/one", body, sum); !errors.Is(err, engine.ErrBodiesAway) {
		t.Fatalf("with another's secret: %v", err)
	}
	write(s3test.SecretKey)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := s.Put(t.Context(), "q/aa/one", body, sum)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestSweep runs a queue's whole account of its objects.
func TestSweep(t *testing.T) {
	server := s3test.Start(t)
	s := server.Store(t, "mail")
	meta := retryMeta{}
	objects := &engine.Objects{Bodies: s, Meta: meta}
	index := &index{retryMeta: meta}
	sweeper := &engine.Sweeper{Objects: objects, Index: index, Log: slog.New(slog.DiscardHandler)}
	kept, err := objects.Stage(t.Context(), noise(100<<10))
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := objects.Stage(t.Context(), noise(100<<10))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := sweeper.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	name, _ := engine.ObjectName(kept.ID)
	index.known = map[string]bool{name: true}
	if n, err := sweeper.Orphans(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("%d young orphans are deleted, %v", n, err)
	}
	if n, err := sweeper.Orphans(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("%d orphans are deleted, %v", n, err)
	}
	gone, _ := engine.ObjectName(orphan.ID)
	if _, err := objects.Open(t.Context(), gone, orphan); !errors.Is(err, retry.ErrCorrupt) {
		t.Errorf("the orphan: %v", err)
	}
	if b, err := objects.Open(t.Context(), name, kept); err != nil {
		t.Errorf("the other: %v", err)
	} else {
		_ = b.Close()
	}
}

// TestEpoch: a folder's epoch is read as it was put, is none where somebody deleted
// it, and can't be read of a folder that isn't in the store.
func TestEpoch(t *testing.T) {
	server := s3test.Start(t)
	s := server.Store(t, "mail")
	if got, err := s.Epoch(t.Context(), "q"); !errors.Is(err, engine.ErrBodiesAway) {
		t.Errorf("of no folder: %q, %v", got, err)
	}
	if err := s.Mark(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"", "ONE", "TWO", ""} {
		var err error
		if want != "" {
			err = s.PutEpoch(t.Context(), "q", want)
		} else {
			err = s.Delete(t.Context(), []string{"q/epoch"})
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Epoch(t.Context(), "q"); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if err := s.List(t.Context(), "q", time.Now().Add(time.Hour), func(names []string) error {
		t.Errorf("%v are listed as bodies", names)
		return nil
	}); err != nil {
		t.Error(err)
	}
}

type retryMeta map[string][]byte

func (m retryMeta) Meta(_ context.Context, key string) ([]byte, error) { return m[key], nil }
func (m retryMeta) PutMeta(_ context.Context, key string, v []byte) ([]byte, error) {
	m[key] = v
	return v, nil
}

func (m retryMeta) PrependMeta(_ context.Context, key string, v []byte, _ int) error {
	m[key] = append(v, m[key]...)
	return nil
}

type index struct {
	retryMeta
	known map[string]bool
}

func (*index) Dropped(context.Context, int) ([]string, error)             { return nil, nil }
func (*index) Forget(context.Context, []string) error                     { return nil }
func (x *index) Known(context.Context, []string) (map[string]bool, error) { return x.known, nil }
