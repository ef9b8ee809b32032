package transfer

import "bytes"

// uuDecoder decodes UU lines. Lines before "begin" and after "end" are
// no data; a line that is none is dropped. A body that doesn't begin within
// maxBeforeUU octets isn't encoded at all, whatever its header says.
//
//	before --"begin 644 name"--> inside --"end"--> after
//	before --64 KiB, or nothing follows--> none
type uuDecoder struct {
	held   []byte // a line that a piece cuts
	before []byte // what came before "begin", so far
	state  uuState
}

const maxBeforeUU = 64 << 10

type uuState uint8

const (
	uuBefore uuState = iota
	uuInside
	uuAfter
	uuNone
)

func (d *uuDecoder) Clone() Decoder {
	return &uuDecoder{bytes.Clone(d.held), bytes.Clone(d.before), d.state}
}

func (d *uuDecoder) Decode(dst, src []byte, last bool) []byte {
	if len(d.held) > 0 {
		src = append(d.held, src...)
		d.held = nil
	}
	for len(src) > 0 && d.state != uuNone {
		i := bytes.IndexByte(src, '\n')
		if i < 0 && !last && len(src) < 4096 {
			d.held = append([]byte(nil), src...)
			return dst
		}
		line, next := CutLine(src, 0)
		dst = d.line(dst, line)
		if d.state == uuBefore {
			d.before = append(d.before, src[:next]...)
		}
		src = src[next:]
		if len(d.before) > maxBeforeUU {
			d.state = uuNone
		}
	}
	if last && d.state == uuBefore {
		d.state = uuNone
	}
	if d.state == uuNone {
		dst = append(append(dst, d.before...), src...)
		d.before = nil
	}
	return dst
}

func (d *uuDecoder) line(dst, line []byte) []byte {
	switch d.state {
	case uuBefore:
		if _, ok := uuBegin(line); ok {
			d.state, d.before = uuInside, nil
		}
		return dst
	case uuAfter:
		return dst
	}
	if bytes.Equal(bytes.TrimSpace(line), []byte("end")) {
		d.state = uuAfter
		return dst
	}
	return uuLine(dst, line)
}

// uuLine decodes one data line: a length character, then four characters for
// three octets. Trailing spaces may have been cut in transport.
func uuLine(dst, line []byte) []byte {
	if len(line) == 0 {
		return dst
	}
	n := int(line[0]-' ') & 63
	line = line[1:]
	for n > 0 {
		var v [4]byte
		for i := range v {
			if i < len(line) {
				v[i] = (line[i] - ' ') & 63
			}
		}
		group := [3]byte{v[0]<<2 | v[1]>>4, v[1]<<4 | v[2]>>2, v[2]<<6 | v[3]}
		dst = append(dst, group[:min(n, 3)]...)
		n -= 3
		line = line[min(4, len(line)):]
		if len(line) == 0 && n > 3 {
			return dst // the length lies
		}
	}
	return dst
}

// uuBegin reads "begin 644 name".
func uuBegin(line []byte) (name []byte, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("begin "))
	if !ok {
		return nil, false
	}
	mode, name, ok := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	if !ok || len(mode) < 3 || len(mode) > 4 {
		return nil, false
	}
	for _, c := range mode {
		if c < '0' || c > '7' {
			return nil, false
		}
	}
	name = bytes.TrimSpace(name)
	return name, len(name) > 0
}

// UUFile is a UU file inside a text: from its "begin" line to behind
// its "end" line.
type UUFile struct {
	Name       []byte // as sent
	Start, End int
}

// FindUU finds the UU files in a text, most of them at the most.
func FindUU(b []byte, most int) []UUFile {
	var blocks []UUFile
	for pos := 0; pos < len(b) && len(blocks) < most; {
		i := bytes.Index(b[pos:], []byte("begin "))
		if i < 0 {
			break
		}
		start := pos + i
		line, next := CutLine(b, start)
		name, ok := uuBegin(line)
		if !ok || start > 0 && b[start-1] != '\n' {
			pos = start + 6
			continue
		}
		end := uuEnd(b, next)
		if end < 0 {
			pos = next
			continue
		}
		blocks = append(blocks, UUFile{name, start, end})
		pos = end
	}
	return blocks
}

// uuEnd returns the offset behind the "end" line of the data at pos, -1 when
// the lines before it are no UU data.
func uuEnd(b []byte, pos int) int {
	for lines := 0; pos < len(b); lines++ {
		line, next := CutLine(b, pos)
		if bytes.Equal(bytes.TrimSpace(line), []byte("end")) {
			if lines == 0 {
				return -1
			}
			return next
		}
		if len(line) > 0 {
			n := int(line[0]-' ') & 63
			if line[0] < ' ' || line[0] > '`' || len(line)-1 > (n+2)/3*4+2 {
				return -1
			}
		}
		pos = next
	}
	return -1
}
