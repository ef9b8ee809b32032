package smtp

import (
	"bytes"
	"math"

	"postern/gateway/smtp/data"
	"postern/gateway/smtp/param"
	"postern/gateway/smtp/reply"
	"postern/gateway/text"
)

// bdat takes a chunk of a message (RFC 3030). The chunk's octets follow the
// command at once, so every refusal either reads them or closes.
func (s *session) bdat(arg []byte) reply.Reply {
	n, last, ok := parseChunk(arg)
	if !ok {
		return s.badChunk()
	}
	if s.body == nil {
		if r := s.openBody(); !r.Zero() {
			return s.swallow(n, r)
		}
		s.t.Chunked, s.state = true, stateBdat
	}
	if r := s.receiveChunk(n); !r.Zero() || r.Close {
		s.reset()
		return r
	}
	if last {
		return s.complete()
	}
	if r := s.body.fault; !r.Zero() {
		s.reset()
		return r
	}
	return replyChunk
}

// refuseChunk answers a BDAT that is not in order.
func (s *session) refuseChunk(arg []byte, r reply.Reply) reply.Reply {
	n, _, ok := parseChunk(arg)
	if !ok {
		return s.badChunk()
	}
	return s.swallow(n, r)
}

// badChunk closes the session: nobody knows how many octets of a message follow.
func (s *session) badChunk() reply.Reply {
	s.reset()
	return s.ended(EndProtocol, replyBadChunk)
}

// parseChunk reads "<octets> [LAST]".
func parseChunk(arg []byte) (n int64, last, ok bool) {
	size, word := arg, []byte(nil)
	if i := bytes.IndexAny(arg, " \t"); i >= 0 {
		size, word = arg[:i], bytes.TrimLeft(arg[i:], " \t")
	}
	n, ok = param.Number(size)
	last = text.IsWord(word, "LAST")
	return n, last, ok && n < math.MaxInt64 && (last || len(word) == 0)
}

// receiveChunk reads n octets into the message.
func (s *session) receiveChunk(n int64) reply.Reply {
	if n > 0 && s.tooFar(s.body.size, n) {
		return s.ended(EndProtocol, replyTooBig)
	}
	return s.chunk(n, s.body)
}

// swallow reads n octets away and then gives the reply.
func (s *session) swallow(n int64, r reply.Reply) reply.Reply {
	if s.tooFar(0, n) {
		return s.ended(EndProtocol, r)
	}
	if cut := s.chunk(n, nowhere{}); cut.Close {
		return cut
	}
	return r
}

// tooFar reports whether so many octets are not worth reading only to refuse them.
func (s *session) tooFar(have, n int64) bool {
	limit := s.srv.cfg.MaxSize
	return limit > 0 && (n > math.MaxInt64-have || beyond(have+n, limit))
}

// nowhere takes the octets of a chunk that was refused.
type nowhere struct{}

func (nowhere) Take([]byte) {}

// pass hands octets that were read of a chunk on.
func (s *session) pass(b []byte, out data.Taker) {
	defer s.leave(s.enter())
	out.Take(b)
	s.r += len(b)
}

// chunk carries n octets from the wire to out.
func (s *session) chunk(n int64, out data.Taker) reply.Reply {
	clock := s.newDataClock()
	wide := int64(0)
	defer func() { s.srv.memory.Free(wide) }()
	for {
		b := s.buffered()
		if int64(len(b)) > n {
			b = b[:n]
		}
		s.pass(b, out)
		if n -= int64(len(b)); n == 0 {
			return reply.Reply{}
		}
		if wide == 0 {
			wide = s.widen()
		}
		s.send()
		if s.body != nil {
			s.settle()
		}
		if err := clock.fill(); err != nil {
			return s.cutOff(err)
		}
	}
}
