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
// Each phase has its limit; sending begins anew with each octet taken, and stands
// still while we have nothing to send (hold). When the limit is reached the request is cancelled with the phase's cause.
type watch struct {
	cancel  context.CancelCauseFunc
	timeout time.Duration // for the answer

	mu    sync.Mutex
	timer *time.Timer
	cause error
	begun bool // sending
	held  bool // we have nothing to send yet
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
func (w *watch) progress() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = true
	w.send()
}

// hold stops the limit until resume starts it anew.
func (w *watch) hold()   { w.setHeld(true) }
func (w *watch) resume() { w.setHeld(false) }

func (w *watch) setHeld(held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = held
	w.send()
}

// send sets the limit of sending; w is locked.
func (w *watch) send() {
	if w.over || !w.begun {
		return
	}
	w.cause = ErrStalled
	if w.held {
		w.timer.Stop()
		return
	}
	w.timer.Reset(stallTimeout)
}

// sent starts the limit for the answer's header.
func (w *watch) sent() { w.phase(w.timeout) }

// after starts a last limit, for the answer's body.
func (w *watch) after(d time.Duration) {
	w.mu.Lock()
	w.over = false
	w.mu.Unlock()
	w.phase(d)
}

// phase starts a limit that no octet taken starts anew.
func (w *watch) phase(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	w.over, w.cause = true, ErrTimeout
	w.timer.Reset(d)
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
}
