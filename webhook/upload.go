package webhook

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// uploadBuffer is the size of the pieces in which a large body is sent.
const uploadBuffer = 64 << 10

// upload is a large body while it is sent: a goroutine renders into a pipe from
// which net/http reads. Only the buffers are held.
type upload struct {
	*io.PipeReader
	watch *watch
	stop  context.CancelFunc // ends the wait for a place
	done  chan struct{}
	taken atomic.Int64          // octets that net/http has read
	err   atomic.Pointer[error] // by which rendering ended, other than by Close
}

func newUpload(ctx context.Context, write func(io.Writer) error, w *watch, p Processors) *upload {
	r, pw := io.Pipe()
	ctx, stop := context.WithCancel(ctx)
	u := &upload{PipeReader: r, watch: w, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(u.done)
		defer stop()
		err := piecewise(write, &pieces{ctx: ctx, w: pw, watch: w, p: p})
		if err != nil && ctx.Err() == nil && !errors.Is(err, io.ErrClosedPipe) {
			err = fmt.Errorf("%w: %w", errUnreadable, err)
			u.err.Store(&err)
		}
		pw.CloseWithError(err) // nil is io.EOF
	}()
	return u
}

// piecewise renders at a place at a processor, which w gives up now and then.
func piecewise(write func(io.Writer) error, w *pieces) error {
	if err := w.enter(); err != nil {
		return err
	}
	defer w.leave()
	buf := bufio.NewWriterSize(w, uploadBuffer)
	if err := write(buf); err != nil {
		return err
	}
	return buf.Flush()
}

// pieces gives up the place at a processor while w takes a piece: it may wait for
// the webhook. That waits for us while we wait for a place: its clock stands then.
type pieces struct {
	ctx    context.Context
	w      io.Writer
	watch  *watch
	p      Processors
	inside bool
}

// Write implements io.Writer.
func (p *pieces) Write(b []byte) (int, error) {
	p.leave()
	n, err := p.w.Write(b)
	if err == nil {
		err = p.enter()
	}
	return n, err
}

func (p *pieces) enter() error {
	p.watch.hold()
	defer p.watch.resume()
	err := p.p.Enter(p.ctx)
	p.inside = err == nil
	return err
}

func (p *pieces) leave() {
	if p.inside {
		p.inside = false
		p.p.Leave()
	}
}

// Read implements io.Reader: each call means that the octets before were taken.
func (u *upload) Read(p []byte) (int, error) {
	u.watch.progress()
	n, err := u.PipeReader.Read(p)
	u.taken.Add(int64(n))
	return n, err
}

// broken is the error by which rendering ended, nil if it didn't fail.
func (u *upload) broken() error {
	if err := u.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Close implements io.Closer.
func (u *upload) Close() error {
	u.stop()
	return u.PipeReader.Close()
}

// end closes the body and waits for the goroutine.
func (u *upload) end() {
	u.Close()
	<-u.done
}
