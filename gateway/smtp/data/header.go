package data

import (
	"bytes"

	"postern/gateway/text"
)

// Header follows a message's header through its windows.
type Header struct {
	MaxSize int64 // octets, 0: no limit
	MaxHops int   // Received lines that are a loop, 0: no limit
	size    int64
	hops    int
	prefix  [len(receivedField)]byte // the first octets of the line under way
	n       int                      // how many of them there are
	colon   bool                     // the line under way has one
	done    bool                     // the body has begun
}

// Fault is what a message's header is refused for.
type Fault uint8

const (
	FaultNone Fault = iota
	FaultSize       // longer than MaxSize
	FaultHops       // as many Received lines as MaxHops: a loop (RFC 5321 section 6.3)
)

const receivedField = "RECEIVED:"

// Watch reads on while in the header.
func (h *Header) Watch(p []byte) Fault {
	for len(p) > 0 && !h.done {
		end := bytes.IndexByte(p, '\n')
		line, rest := p, p[len(p):]
		if end >= 0 {
			line, rest = p[:end], p[end+1:]
		}
		h.size += int64(len(p) - len(rest))
		if h.MaxSize > 0 && h.size > h.MaxSize {
			return FaultSize
		}
		h.n += copy(h.prefix[h.n:], line)
		h.colon = h.colon || bytes.IndexByte(line, ':') >= 0
		if end >= 0 {
			if f := h.endLine(); f != FaultNone {
				return f
			}
		}
		p = rest
	}
	return FaultNone
}

// endLine judges the line that just ended. A line that is no field and no
// continuation, an empty one too, ends the header.
func (h *Header) endLine() Fault {
	continued := h.n > 0 && (h.prefix[0] == ' ' || h.prefix[0] == '\t')
	h.done = !h.colon && !continued
	if h.n == len(receivedField) && text.IsWord(h.prefix[:], receivedField) {
		h.hops++
	}
	h.n, h.colon = 0, false
	if h.MaxHops > 0 && h.hops >= h.MaxHops {
		return FaultHops
	}
	return FaultNone
}
