package webhook

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"runtime"
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

func newUpload(write func(io.Writer) error, w *watch) *upload {
	r, pw := io.Pipe()
	u := &upload{PipeReader: r, watch: w, done: make(chan struct{})}
	go func() {
		defer close(u.done)
		buf := bufio.NewWriterSize(pw, uploadBuffer)
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

// Read implements io.Reader: each call means that the octets before were taken.
// A webhook that takes them as fast as they come would keep other mail from the
// processor, however many large bodies are sent at once.
func (u *upload) Read(p []byte) (int, error) {
	u.watch.progress()
	runtime.Gosched()
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
