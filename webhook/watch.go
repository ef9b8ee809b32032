package webhook

import (
	"context"
	"sync"
	"time"
)

// stallTimeout is how long a webhook may take no octet of a request. Connecting
// and the TLS handshake are bounded by limits of their own, each as long.
const stallTimeout = 10 * time.Second

// connectTimeout bounds the time until there is a connection: name, dial,
// proxy and handshake.
const connectTimeout = dialTimeout + handshakeTimeout

// watch is a request's clock:
//
//	connecting --GotConn--> sending --WroteRequest--> waiting --header--> reading
//
// Each phase has its limit; sending begins anew with each octet taken. When the
// limit is reached the request is cancelled with the phase's cause.
type watch struct {
	cancel  context.CancelCauseFunc
	timeout time.Duration // for the answer

	mu    sync.Mutex
	timer *time.Timer
	cause error
	over  bool // sent or stopped: progress no longer counts
}

func newWatch(cancel context.CancelCauseFunc, timeout time.Duration) *watch {
	w := &watch{cancel: cancel, timeout: timeout, cause: ErrTimeout}
	w.timer = time.AfterFunc(connectTimeout, w.fire)
	return w
}

func (w *watch) fire() {
	w.mu.Lock()
	cause := w.cause
	w.mu.Unlock()
	w.cancel(cause)
}

// progress starts the limit for the next octet to be taken.
func (w *watch) progress() { w.phase(stallTimeout, ErrStalled, false) }

// sent starts the limit for the answer's header.
func (w *watch) sent() { w.phase(w.timeout, ErrTimeout, true) }

// after starts a last limit, for the answer's body.
func (w *watch) after(d time.Duration) {
	w.mu.Lock()
	w.over = false
	w.mu.Unlock()
	w.phase(d, ErrTimeout, true)
}

// phase sets the clock anew; over ends the phases in which octets count.
func (w *watch) phase(d time.Duration, cause error, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	w.over, w.cause = over, cause
	w.timer.Reset(d)
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
}
