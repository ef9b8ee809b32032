package smtp

import (
	"errors"

	"postern/gateway/smtp/data"
	"postern/gateway/smtp/reply"
)

// intake carries a message's octets to the sink and watches what the engine
// itself holds a message to: size, header size, hops. After a fault it goes on
// counting and drops the octets, so that the session stays in step.
//
// Short runs of octets are gathered, so that the number of the sink's Writes
// follows the size of the message and not how lines, dots and chunks cut it up.
type intake struct {
	sink   Sink
	pool   *buffers
	run    []byte // short runs that the sink doesn't have yet, from the pool
	size   int64  // octets of content so far
	limit  int64  // 0: none
	header data.Header
	fault  reply.Reply // zero while all is well
	err    error       // the sink's, where the fault is its 451 or 452
}

// Take takes the next octets of content.
func (in *intake) Take(p []byte) {
	in.size += int64(len(p))
	if !in.fault.Zero() || len(p) == 0 {
		return
	}
	if in.limit > 0 && in.size > in.limit {
		in.fault = replyTooBig
		return
	}
	if len(in.run)+len(p) > runBuffer {
		in.flush()
	}
	if len(p) > runBuffer/2 {
		in.flush()
		in.pass(p)
		return
	}
	if in.run == nil {
		in.run = in.pool.run.Get().(*[runBuffer]byte)[:0]
	}
	in.run = append(in.run, p...)
}

// flush gives the gathered runs to the sink; it must be called after the last octet.
func (in *intake) flush() {
	if len(in.run) > 0 && in.fault.Zero() {
		in.pass(in.run)
	}
	in.run = in.run[:0]
}

// release gives the buffer of gathered runs back.
func (in *intake) release() {
	if in.run != nil {
		in.pool.run.Put((*[runBuffer]byte)(in.run[:runBuffer]))
		in.run = nil
	}
}

// pass gives octets to the sink.
func (in *intake) pass(p []byte) {
	switch in.header.Watch(p) {
	case data.FaultSize:
		in.fault = replyHeaderBig
		return
	case data.FaultHops:
		in.fault = replyLoop
		return
	}
	if _, err := in.sink.Write(p); err != nil {
		in.err = err
		in.fault = replySinkFault
		if errors.Is(err, ErrSinkFull) {
			in.fault = replySinkFull
		}
	}
}

// flood reports whether so much came behind the limit that the client doesn't
// deserve to be read to the end.
func (in *intake) flood() bool { return beyond(in.size, in.limit) }

// beyond: more than twice the limit, and more than 10 MiB over it.
func beyond(n, limit int64) bool {
	return limit > 0 && n/2 > limit && n-limit > 10<<20
}
