package webhook

import (
	"bufio"
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
	done  chan struct{}
	taken atomic.Int64          // octets that net/http has read
	err   atomic.Pointer[error] // by which rendering ended, other than by Close
}

func newUpload(write func(io.Writer) error, w *watch, p Processors) *upload {
	r, pw := io.Pipe()
	u := &upload{PipeReader: r, watch: w, done: make(chan struct{})}
	go func() {
		defer close(u.done)
		p.Enter()
		defer p.Leave()
		buf := bufio.NewWriterSize(piecewise{pw, p}, uploadBuffer)
		err := write(buf)
		if err == nil {
			err = buf.Flush()
		}
		if err != nil && !errors.Is(err, io.ErrClosedPipe) {
			err = fmt.Errorf("%w: %w", errUnreadable, err)
			u.err.Store(&err)
		}
		pw.CloseWithError(err) // nil is io.EOF
	}()
	return u
}

// piecewise gives up the place at a processor while w takes a piece: it may wait
// for the webhook.
type piecewise struct {
	w io.Writer
	p Processors
}

// Write implements io.Writer.
func (p piecewise) Write(b []byte) (int, error) {
	p.p.Leave()
	defer p.p.Enter()
	return p.w.Write(b)
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

// end closes the body and waits for the goroutine.
func (u *upload) end() {
	u.Close()
	<-u.done
}
