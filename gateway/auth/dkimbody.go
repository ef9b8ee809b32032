package auth

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
)

// hashPiece is how much of a canonical body is handed to the hash at once.
const hashPiece = 4 << 10

// bodyHash is SHA-256 over a body in one of DKIM's canonical forms (RFC 6376,
// 3.4.3 and 3.4.4), computed while the body streams by. A line feed alone ends a
// line too.
//
//	text --line end--> line ends pending --text--> they and it
//	     --blank (relaxed)--> one blank pending --text--> it and the text
//	                                            --line end--> forgotten
type bodyHash struct {
	relaxed bool
	sum     hash.Hash
	out     []byte
	ends    int  // line ends that may turn out to be the last
	blank   bool // white space that may turn out to be at the end of a line
	cr      bool // the last octet was one
	any     bool // there was text
}

func newBodyHash(relaxed bool) *bodyHash {
	return &bodyHash{relaxed: relaxed, sum: sha256.New(), out: make([]byte, 0, hashPiece)}
}

var crByte = []byte{'\r'}

// blanks are the octets at which a run of relaxed text stops.
var blanks = [256]bool{' ': true, '\t': true, '\r': true, '\n': true}

// Write implements io.Writer; it never fails.
func (b *bodyHash) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		c := p[0]
		if b.cr {
			b.cr = false
			if c != '\n' {
				b.text(crByte)
			}
		}
		switch {
		case c == '\r':
			b.cr = true
		case c == '\n':
			b.ends, b.blank = b.ends+1, false
		case b.relaxed && blanks[c]:
			b.blank = true
		default:
			i := b.run(p)
			b.text(p[:i])
			p = p[i:]
			continue
		}
		p = p[1:]
	}
	return n, nil
}

// run is how much of p is text.
func (b *bodyHash) run(p []byte) int {
	if b.relaxed {
		i := 1
		for i < len(p) && !blanks[p[i]] {
			i++
		}
		return i
	}
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		i = len(p)
	}
	if j := bytes.IndexByte(p[:i], '\r'); j >= 0 {
		i = j
	}
	return i
}

// text hashes what was pending, then p.
func (b *bodyHash) text(p []byte) {
	for ; b.ends > 0; b.ends-- {
		b.out = append(b.room(2), "\r\n"...)
	}
	if b.blank {
		b.out = append(b.room(1), ' ')
		b.blank = false
	}
	b.any = true
	if len(p) <= hashPiece {
		b.out = append(b.room(len(p)), p...)
		return
	}
	b.sum.Write(b.out)
	b.out = b.out[:0]
	b.sum.Write(p)
}

// room is b.out with room for n octets more.
func (b *bodyHash) room(n int) []byte {
	if len(b.out)+n > hashPiece {
		b.sum.Write(b.out)
		b.out = b.out[:0]
	}
	return b.out
}

// Sum ends the body: without the empty lines at its end, with one line end, and
// where it is empty nothing (relaxed) or a line end (simple).
func (b *bodyHash) Sum() []byte {
	if b.cr {
		b.text(crByte)
		b.cr = false
	}
	b.sum.Write(b.out)
	b.out = b.out[:0]
	if b.any || !b.relaxed {
		io.WriteString(b.sum, "\r\n")
	}
	return b.sum.Sum(nil)
}
