package tnef

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"

	"postern/gateway/mail/charset"
)

const (
	signature = 0x223e9f78

	body        = 0x0002800c // plain text
	codepage    = 0x00069007
	message     = 0x00069003 // MAPI properties of the message
	attachStart = 0x00069002 // a new attachment
	attachTitle = 0x00018010
	attachData  = 0x0006800f
	attachProps = 0x00069005 // MAPI properties of the attachment

	mapiBody        = 0x1000
	mapiBodyHTML    = 0x1013
	mapiBodyRTF     = 0x1009 // compressed
	mapiName        = 0x3001 // of an object
	mapiAttachData  = 0x3701 // an object: the interface it has, then its octets
	mapiAttachLong  = 0x3707 // file name
	mapiAttachShort = 0x3704
	mapiAttachMIME  = 0x370e
	mapiAttachCID   = 0x3712
	maxProperty     = 1 << 20 // of a property block that is read
	maxAttributes   = 10_000  // attributes of one file
	maxObjects      = 5       // one inside the other
)

// File is what a winmail.dat holds.
type File struct {
	Text        string // valid UTF-8
	HTML        string
	Attachments []Attachment
	codepage    string
	rtf         []byte // body, decompressed
	limit       int64
	depth       int // of objects around it
}

// Attachment is a file inside.
type Attachment struct {
	Name      string // as sent, valid UTF-8; "" without
	Type      string // media type; "" without
	ContentID string
	Offset    int64 // of its data in the winmail.dat
	Size      int64 // octets
}

// reader reads attributes and knows how far it got.
type reader struct {
	io.Reader
	pos int64
}

func (r *reader) take(n int64) ([]byte, bool) {
	b, err := io.ReadAll(io.LimitReader(r, n)) // what is there, not what is claimed
	r.pos += int64(len(b))
	return b, err == nil && int64(len(b)) == n
}

func (r *reader) skip(n int64) bool {
	k, err := io.CopyN(io.Discard, r, n)
	r.pos += k
	return err == nil
}

// Read reads a winmail.dat from its first octet; false when it ends early or is
// none. Texts of more than limit octets are left out.
func Read(src io.Reader, limit int64) (File, bool) {
	t := File{limit: limit}
	ok := t.read(&reader{Reader: src})
	if s, html := readRTF(t.rtf, t.codepage); html && t.HTML == "" {
		t.HTML = s
	} else if !html && t.Text == "" {
		t.Text = s
	}
	t.rtf = nil
	return t, ok
}

func (t *File) read(r *reader) bool {
	if head, ok := r.take(6); !ok || binary.LittleEndian.Uint32(head) != signature {
		return false
	}
	for range maxAttributes {
		head, ok := r.take(9)
		if !ok {
			return len(head) == 0 || head[0] == 0 // nothing more: the regular end
		}
		id, size := binary.LittleEndian.Uint32(head[1:]), int64(binary.LittleEndian.Uint32(head[5:]))
		if !t.attribute(r, id, size) || !r.skip(2) {
			return false
		}
	}
	return false
}

// attribute takes one attribute's data off the reader.
func (t *File) attribute(r *reader, id uint32, size int64) bool {
	switch id {
	case attachStart:
		t.Attachments = append(t.Attachments, Attachment{})
		return r.skip(size)
	case attachData:
		if n := len(t.Attachments); n > 0 {
			t.Attachments[n-1].Offset, t.Attachments[n-1].Size = r.pos, size
		}
		before := r.pos
		ok := r.skip(size)
		if n := len(t.Attachments); !ok && n > 0 { // cut off: what is there is there
			t.Attachments[n-1].Size = r.pos - before
		}
		return ok
	case body, codepage, attachTitle, message, attachProps:
	default:
		return r.skip(size)
	}
	if size > max(maxProperty, t.limit) {
		return r.skip(size)
	}
	start := r.pos
	data, ok := r.take(size)
	if !ok {
		return false
	}
	t.property(id, data, start)
	return true
}

// property takes the data of an attribute that was read whole, from its start in
// the file.
func (t *File) property(id uint32, data []byte, start int64) {
	switch id {
	case codepage:
		if len(data) >= 4 {
			t.codepage = codepageLabel(int(binary.LittleEndian.Uint32(data)))
		}
	case body:
		t.Text = t.decode(data)
	case attachTitle:
		if n := len(t.Attachments); n > 0 && t.Attachments[n-1].Name == "" {
			t.Attachments[n-1].Name = t.decode(data)
		}
	case message:
		mapiProperties(data, func(id, kind uint16, v []byte) {
			switch id {
			case mapiBody:
				t.Text = t.mapiString(kind, v)
			case mapiBodyHTML:
				t.HTML = t.mapiString(kind, v)
			case mapiBodyRTF:
				t.rtf = decompressRTF(v, t.limit)
			}
		})
	case attachProps:
		if n := len(t.Attachments); n > 0 {
			inner := t.attachProperties(&t.Attachments[n-1], data, start)
			t.Attachments = append(t.Attachments, inner...)
		}
	}
}

// attachProperties reads what is said of an attachment, and returns the files
// that an object holds.
func (t *File) attachProperties(f *Attachment, data []byte, start int64) (inner []Attachment) {
	mapiProperties(data, func(id, kind uint16, v []byte) {
		switch id {
		case mapiAttachData:
			if kind == mapiObject && len(v) > 16 { // the interface comes first
				f.Offset, f.Size = start+int64(cap(data)-cap(v))+16, int64(len(v)-16)
				inner = t.object(f, v[16:])
			}
		case mapiAttachLong:
			f.Name = cmp.Or(t.mapiString(kind, v), f.Name)
		case mapiAttachShort, mapiName:
			f.Name = cmp.Or(f.Name, t.mapiString(kind, v))
		case mapiAttachMIME:
			f.Type = cmp.Or(t.mapiString(kind, v), f.Type)
		case mapiAttachCID:
			f.ContentID = cmp.Or(t.mapiString(kind, v), f.ContentID)
		}
	})
	return inner
}

// object reads an object: a message of its own, whose files are files, too.
func (t *File) object(f *Attachment, data []byte) []Attachment {
	if t.depth >= maxObjects || len(data) < 4 || binary.LittleEndian.Uint32(data) != signature {
		return nil
	}
	f.Type = "application/ms-tnef"
	o := File{limit: t.limit, codepage: t.codepage, depth: t.depth + 1}
	o.read(&reader{Reader: bytes.NewReader(data)})
	for i := range o.Attachments {
		o.Attachments[i].Offset += f.Offset
	}
	return o.Attachments
}

// decode reads 8-bit text in the file's code page.
func (t *File) decode(b []byte) string {
	s, _ := charset.Decode([]byte(strings.TrimRight(string(b), "\x00")), t.codepage)
	return s
}

func codepageLabel(n int) string {
	if n == 65001 {
		return "utf-8"
	}
	return "cp" + strconv.Itoa(n)
}

// mapiString decodes a property: UTF-16 or 8-bit.
func (t *File) mapiString(kind uint16, v []byte) string {
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
