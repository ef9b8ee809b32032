package smtp

import (
	"bytes"
	"errors"
	"postern/gateway/smtp/reply"

	"postern/gateway/text"
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
	header headerWatch
	fault  reply.Reply // zero while all is well
	err    error       // the sink's, where the fault is its 451 or 452
}

// write takes the next octets of content.
func (in *intake) write(p []byte) {
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
	if in.fault = in.header.watch(p); !in.fault.Zero() {
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

// headerWatch follows a message's header through its windows.
type headerWatch struct {
	maxSize int64
	maxHops int
	size    int64
	hops    int
	prefix  [len(receivedField)]byte // the first octets of the line under way
	n       int                      // how many of them there are
	line    int64                    // octets of the line under way, CR and LF not counted
	colon   bool                     // one of them is a colon
	done    bool                     // the body has begun
}

const receivedField = "RECEIVED:"

// watch reads on while in the header; the reply is zero while all is well.
func (h *headerWatch) watch(p []byte) reply.Reply {
	for len(p) > 0 && !h.done {
		end := bytes.IndexByte(p, '\n')
		text, rest := p, p[len(p):]
		if end >= 0 {
			text, rest = p[:end], p[end+1:]
		}
		h.size += int64(len(p) - len(rest))
		if h.maxSize > 0 && h.size > h.maxSize {
			return replyHeaderBig
		}
		h.n += copy(h.prefix[h.n:], text)
		h.colon = h.colon || bytes.IndexByte(text, ':') >= 0
		h.line += int64(len(bytes.TrimSuffix(text, crlf[:1])))
		if end >= 0 {
			if r := h.endLine(); !r.Zero() {
				return r
			}
		}
		p = rest
	}
	return reply.Reply{}
}

// endLine judges the line that just ended. A line that is no field and no
// continuation belongs to the body of a message without an empty line.
func (h *headerWatch) endLine() reply.Reply {
	h.done = h.line == 0 || !h.colon && !blank(h.prefix[0])
	if h.n == len(receivedField) && text.IsWord(h.prefix[:], receivedField) {
		h.hops++
	}
	h.n, h.line, h.colon = 0, 0, false
	if h.maxHops > 0 && h.hops >= h.maxHops {
		return replyLoop
	}
	return reply.Reply{}
}
