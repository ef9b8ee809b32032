package mail

import (
	"bufio"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Outlook's winmail.dat (MS-OXTNEF): a stream of attributes, each with a level,
// an identifier, a length, data and a checksum. Only what a mail's reader wants
// is taken: the body and the attachments. Whatever doesn't fit ends the reading;
// the original is passed on in any case.

const (
	tnefSignature = 0x223e9f78

	tnefBody        = 0x0002800c // plain text
	tnefCodepage    = 0x00069007
	tnefMessage     = 0x00069003 // MAPI properties of the message
	tnefAttachStart = 0x00069002 // a new attachment
	tnefAttachTitle = 0x00018010
	tnefAttachData  = 0x0006800f
	tnefAttachProps = 0x00069005 // MAPI properties of the attachment

	mapiBody         = 0x1000
	mapiBodyHTML     = 0x1013
	mapiAttachLong   = 0x3707 // file name
	mapiAttachShort  = 0x3704
	mapiAttachMIME   = 0x370e
	mapiAttachCID    = 0x3712
	maxTNEFProperty  = 1 << 20 // of a property block that is read
	maxTNEFAttribute = 10_000  // attributes of one file
)

// tnefFile is what a winmail.dat holds.
type tnefFile struct {
	codepage string
	text     string
	html     string
	files    []tnefAttachment
}

type tnefAttachment struct {
	name, mime, cid string
	off, size       int64 // of the data, in the decoded winmail.dat
}

// isTNEF says whether a part is a winmail.dat.
func isTNEF(e entity) bool {
	switch e.ctype.value {
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return true
	}
	return strings.EqualFold(e.filename(), "winmail.dat")
}

// openTNEF adds the body and the attachments of a winmail.dat to the message.
func (p *parser) openTNEF(c *leafContent) {
	in := &container{leafContent: c}
	r, err := in.scan()
	if err != nil {
		p.err = err
		return
	}
	defer r.Close()
	t, ok := readTNEF(bufio.NewReaderSize(r, in.piece()), p.lim.TextBytes)
	if !ok {
		p.defect("a winmail.dat could not be read to its end")
	}
	if t.text != "" && len(p.body.text) == 0 {
		p.body.text = append(p.body.text, p.tidy(t.text))
	}
	if t.html != "" && len(p.body.html) == 0 {
		p.body.html = append(p.body.html, p.tidy(t.html))
	}
	for _, f := range t.files {
		if p.parts++; p.parts > p.lim.Parts {
			p.defectf("more than %d parts; the rest is in winmail.dat only", p.lim.Parts)
			return
		}
		a := Attachment{Filename: p.safeName(f.name), ContentType: strings.ToLower(f.mime), Disposition: "attachment", ContentID: contentID(f.cid),
			Size: f.size, Content: &partContent{in: in, off: f.off, size: f.size}}
		if a.ContentType == "" {
			a.ContentType = "application/octet-stream"
		}
		p.msg.Attachments = append(p.msg.Attachments, a)
	}
}

// tnefReader reads attributes and knows how far it got.
type tnefReader struct {
	*bufio.Reader
	pos int64
}

func (r *tnefReader) take(n int64) ([]byte, bool) {
	b := make([]byte, n)
	k, err := io.ReadFull(r, b)
	r.pos += int64(k)
	return b, err == nil
}

func (r *tnefReader) skip(n int64) bool {
	k, err := io.CopyN(io.Discard, r, n)
	r.pos += k
	return err == nil
}

// readTNEF reads a winmail.dat; false when it ends early or is none.
func readTNEF(src *bufio.Reader, limit int64) (tnefFile, bool) {
	var t tnefFile
	r := &tnefReader{Reader: src}
	if head, ok := r.take(6); !ok || binary.LittleEndian.Uint32(head) != tnefSignature {
		return t, false
	}
	for range maxTNEFAttribute {
		head, ok := r.take(9)
		if !ok {
			return t, head[0] == 0 // nothing more: the regular end
		}
		id, size := binary.LittleEndian.Uint32(head[1:]), int64(binary.LittleEndian.Uint32(head[5:]))
		if !t.attribute(r, id, size, limit) || !r.skip(2) {
			return t, false
		}
	}
	return t, false
}

// attribute takes one attribute's data off the reader.
func (t *tnefFile) attribute(r *tnefReader, id uint32, size, limit int64) bool {
	switch id {
	case tnefAttachStart:
		t.files = append(t.files, tnefAttachment{})
		return r.skip(size)
	case tnefAttachData:
		if n := len(t.files); n > 0 {
			t.files[n-1].off, t.files[n-1].size = r.pos, size
		}
		before := r.pos
		ok := r.skip(size)
		if n := len(t.files); !ok && n > 0 { // cut off: what is there is there
			t.files[n-1].size = r.pos - before
		}
		return ok
	case tnefBody, tnefCodepage, tnefAttachTitle, tnefMessage, tnefAttachProps:
	default:
		return r.skip(size)
	}
	if size > max(maxTNEFProperty, limit) {
		return r.skip(size)
	}
	data, ok := r.take(size)
	if !ok {
		return false
	}
	t.property(id, data)
	return true
}

// property takes the data of an attribute that was read whole.
func (t *tnefFile) property(id uint32, data []byte) {
	switch id {
	case tnefCodepage:
		if len(data) >= 4 {
			t.codepage = codepageLabel(int(binary.LittleEndian.Uint32(data)))
		}
	case tnefBody:
		t.text = t.decode(data)
	case tnefAttachTitle:
		if n := len(t.files); n > 0 && t.files[n-1].name == "" {
			t.files[n-1].name = clean(t.decode(data))
		}
	case tnefMessage:
		mapiProperties(data, func(id, kind uint16, v []byte) {
			switch id {
			case mapiBody:
				t.text = t.mapiString(kind, v)
			case mapiBodyHTML:
				t.html = t.mapiString(kind, v)
			}
		})
	case tnefAttachProps:
		if n := len(t.files); n > 0 {
			t.attachProperties(&t.files[n-1], data)
		}
	}
}

func (t *tnefFile) attachProperties(f *tnefAttachment, data []byte) {
	mapiProperties(data, func(id, kind uint16, v []byte) {
		switch s := clean(t.mapiString(kind, v)); {
		case s == "":
		case id == mapiAttachLong, id == mapiAttachShort && f.name == "":
			f.name = s
		case id == mapiAttachMIME:
			f.mime = s
		case id == mapiAttachCID:
			f.cid = s
		}
	})
}

// decode reads 8-bit text in the file's code page.
func (t *tnefFile) decode(b []byte) string {
	s, _ := decodeCharset([]byte(strings.TrimRight(string(b), "\x00")), t.codepage)
	return s
}

func codepageLabel(n int) string {
	if n == 65001 {
		return "utf-8"
	}
	return "cp" + strconv.Itoa(n)
}

// mapiString decodes a property: UTF-16 or 8-bit.
func (t *tnefFile) mapiString(kind uint16, v []byte) string {
	if kind != mapiUnicode {
		return t.decode(v)
	}
	u := make([]uint16, len(v)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(v[2*i:])
	}
	return strings.TrimRight(string(utf16.Decode(u)), "\x00")
}

const (
	mapiString8 = 0x1e
	mapiUnicode = 0x1f
	mapiObject  = 0x0d
	mapiBinary  = 0x102
)

// mapiSizes are the octets of the property types of fixed size, padding included.
func mapiSize(kind uint16) int {
	switch kind {
	case 0x02, 0x03, 0x04, 0x0a, 0x0b:
		return 4
	case 0x05, 0x06, 0x07, 0x14, 0x40:
		return 8
	case 0x48:
		return 16
	}
	return 0
}

// mapiReader cuts little-endian values off a property block.
type mapiReader struct {
	b  []byte
	ok bool
}

func (r *mapiReader) bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.ok = false
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *mapiReader) u32() int {
	if v := r.bytes(4); v != nil {
		return int(binary.LittleEndian.Uint32(v))
	}
	return 0
}

// padded reads n octets and the padding to a multiple of four behind them.
func (r *mapiReader) padded(n int) []byte {
	v := r.bytes(n)
	r.bytes(min((4-n%4)%4, len(r.b)))
	return v
}

// mapiProperties hands every string and binary property of a block to f.
func mapiProperties(block []byte, f func(id, kind uint16, v []byte)) {
	r := &mapiReader{b: block, ok: true}
	for n := r.u32(); n > 0 && r.ok && len(r.b) >= 4; n-- {
		tag := r.u32()
		kind, id := uint16(tag), uint16(tag>>16)
		if id >= 0x8000 { // a named property
			r.bytes(16)
			if r.u32() == 0 {
				r.u32()
			} else {
				r.padded(r.u32())
			}
		}
		values := 1
		multi := kind&0x1000 != 0
		kind &^= 0x1000
		variable := kind == mapiString8 || kind == mapiUnicode || kind == mapiObject || kind == mapiBinary
		if multi || variable {
			values = r.u32()
		}
		size := mapiSize(kind)
		if !variable && size == 0 {
			return // a type nobody knows: no way to go on
		}
		for ; values > 0 && r.ok; values-- {
			if !variable {
				r.bytes(size)
				continue
			}
			if v := r.padded(r.u32()); r.ok && !multi {
				f(id, kind, v)
			}
		}
	}
}
