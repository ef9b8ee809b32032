package webhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// full are Processors without a free place until somebody leaves.
type full chan struct{}

func (f full) Enter(ctx context.Context) error {
	select {
	case f <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f full) Leave() { <-f }

func (f full) Whole(ctx context.Context, work func()) error {
	if err := f.Enter(ctx); err != nil {
		return err
	}
	defer f.Leave()
	work()
	return nil
}

// newFull has its one place taken.
func newFull() full { f := make(full, 1); f <- struct{}{}; return f }

// A webhook isn't to blame for our wait for a place, whether it is for the first
// piece or for the next one.
func TestUploadWaitsForItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		p, w := newFull(), newWatch(cancel, time.Minute)
		defer w.stop()
		want := bytes.Repeat([]byte("octets\r\n"), uploadBuffer/4)
		u := newUpload(ctx, func(to io.Writer) error {
			_, err := io.Copy(to, struct{ io.Reader }{bytes.NewReader(want)})
			return err
		}, w, p)
		defer u.end()
		w.progress() // there is a connection
		time.Sleep(3 * stallTimeout)
		synctest.Wait()
		p.Leave()
		got, piece := []byte{}, make([]byte, uploadBuffer)
		for len(got) < len(want) {
			synctest.Wait()
			_ = p.Enter(ctx) // others take the place while a piece is sent
			n, err := u.Read(piece)
			if err != nil {
				t.Fatal(err, context.Cause(ctx))
			}
			got = append(got, piece[:n]...)
			time.Sleep(3 * stallTimeout)
			p.Leave()
		}
		if !bytes.Equal(got, want) || ctx.Err() != nil || u.broken() != nil {
			t.Errorf("%d octets of %d, %v, %v", len(got), len(want), context.Cause(ctx), u.broken())
		}
	})
}

// Who lets go of an upload, or ends its context, waits for no place, and the message
// isn't said to be unreadable.
func TestUploadEndsWithoutAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, end := range []func(*upload, context.CancelCauseFunc){
			func(u *upload, _ context.CancelCauseFunc) { u.end() },
			func(u *upload, cancel context.CancelCauseFunc) { cancel(ErrTimeout); <-u.done },
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			p, w := newFull(), newWatch(cancel, time.Minute)
			u := newUpload(ctx, func(io.Writer) error { t.Error("it was rendered"); return nil }, w, p)
			synctest.Wait()
			end(u, cancel)
			if u.broken() != nil || len(p) != 1 {
				t.Errorf("%v, %d places are taken", u.broken(), len(p))
			}
			w.stop()
			cancel(nil)
		}
	})
}

// A large message that finds no place to be signed isn't posted, and nobody says the
// webhook is to blame; without a secret no place is asked for.
func TestSignatureWithoutAPlace(t *testing.T) {
	posts := 0
	srv := serve(t, func(_ http.ResponseWriter, r *http.Request) { posts++; _, _ = io.Copy(io.Discard, r.Body) })
	s, err := NewSender(SenderConfig{}, SenderDeps{Processors: newFull()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	why := errors.New("the attempt's time is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	ep := endpoint(t, Config{URL: srv.URL, Secret: Fixed(testSecret)})
	if o := s.Send(ctx, ep, delivery(1<<20)); o.Reason != ReasonMemory || posts != 0 {
		t.Errorf("%+v after %d posts", o, posts)
	}
	r, err := s.Render(endpoint(t, Config{URL: srv.URL}), delivery(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.header(ctx, r); err != nil {
		t.Errorf("without a secret: %v", err)
	}
}
