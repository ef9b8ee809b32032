package payload

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"

	"postern/gateway/mail/charset"
)

// maxLabel is more than the longest name of a charset that anybody knows.
const maxLabel = 64

// label is the place of a charset's label in text: of a parameter charset=…, or
// of an encoded word =?…?q?…?=. It is -1, -1 where the "=" at i begins neither,
// and ends at len(b) where more may follow.
func label(b []byte, i int) (from, to int) {
	if i+1 < len(b) && b[i+1] == '?' {
		to = i + 2
		for to < len(b) && b[to] != '?' && b[to] != '*' && b[to] > ' ' {
			to++
		}
		if to < len(b) && b[to] != '?' && b[to] != '*' || to == i+2 {
			return -1, -1
		}
		return i + 2, to
	}
	const name = "charset"
	before := bytes.TrimRight(b[max(0, i-len(name)-4):i], " \t*0")
	if len(before) < len(name) || !bytes.EqualFold(before[len(before)-len(name):], []byte(name)) {
		return -1, -1
	}
	for from = i + 1; from < len(b) && (b[from] == ' ' || b[from] == '\t' || b[from] == '"' || b[from] == '\''); from++ {
	}
	for to = from; to < len(b) && b[to] > ' ' && b[to] != '"' && b[to] != ';' && b[to] != '\'' && b[to] != '>'; to++ {
	}
	return from, to
}

// odd is a label that frameworks don't know.
func odd(l []byte) bool {
	return len(l) > 0 && charset.Common(string(l)) != string(l)
}

// commonInBase64 is the message as one line of base64: octet for octet, but where
// a charset's label is odd.
func commonInBase64(d *Delivery) (stream, error) {
	var s labelScanner
	if err := writeSource(&s, d.Raw); err != nil {
		return stream{}, err
	}
	if !s.found {
		return rawBase64(d.Raw), nil
	}
	common, err := downgraded(d)
	return stream{base64Len(common.size), func(w io.Writer) error {
		e := base64.NewEncoder(base64.StdEncoding, w)
		return errors.Join(common.write(e), e.Close())
	}}, err
}

// renamed is a header field with the labels in it that everybody knows; false
// where they are.
func renamed(field []byte) (string, bool) {
	var out []byte
	at, seen := 0, 0
	for {
		i := bytes.IndexByte(field[seen:], '=')
		if i < 0 {
			break
		}
		i += seen
		seen = i + 1
		if from, to := label(field, i); from >= 0 && odd(field[from:to]) {
			out = append(append(out, field[at:from]...), charset.Common(string(field[from:to]))...)
			at, seen = to, to
		}
	}
	return string(append(out, field[at:]...)), at > 0
}

// labelScanner is a writer that looks for odd labels, wherever in a message they
// are: one in a body only means a closer look.
type labelScanner struct {
	tail  []byte // what may be the beginning of one
	found bool
}

func (s *labelScanner) Write(p []byte) (int, error) {
	if s.found {
		return len(p), nil
	}
	b := p
	if len(s.tail) > 0 {
		joined := append(s.tail, p[:min(len(p), 2*maxLabel)]...)
		s.look(joined)
	}
	s.look(b)
	s.tail = append([]byte(nil), b[max(0, len(b)-2*maxLabel):]...)
	return len(p), nil
}

func (s *labelScanner) look(b []byte) {
	for at := 0; !s.found; {
		i := bytes.IndexByte(b[at:], '=')
		if i < 0 {
			return
		}
		from, to := label(b, at+i)
		s.found = from >= 0 && (to < len(b) || to-from > maxLabel) && odd(b[from:to])
		at += i + 1
	}
}
