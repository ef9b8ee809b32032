package mail

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"testing"
	"unicode/utf16"
)

// tnefAttr writes one attribute.
func tnefAttr(b *bytes.Buffer, level byte, id uint32, data []byte) {
	b.WriteByte(level)
	binary.Write(b, binary.LittleEndian, id)
	binary.Write(b, binary.LittleEndian, uint32(len(data)))
	b.Write(data)
	sum := uint16(0)
	for _, c := range data {
		sum += uint16(c)
	}
	binary.Write(b, binary.LittleEndian, sum)
}

// mapiProp writes one string or binary property.
func mapiProp(kind, id uint16, data []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(id)<<16|uint32(kind))
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	return append(b, make([]byte, (4-len(data)%4)%4)...)
}

func utf16Bytes(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s + "\x00")) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// testTNEF is a winmail.dat with a body and two files.
func testTNEF() []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, uint32(tnefSignature))
	binary.Write(&b, binary.LittleEndian, uint16(1))
	tnefAttr(&b, 1, 0x00089006, []byte{0, 0, 1, 0}) // version
	tnefAttr(&b, 1, tnefCodepage, []byte{0xe3, 4, 0, 0, 0, 0, 0, 0})
	props := binary.LittleEndian.AppendUint32(nil, 3)
	props = append(props, binary.LittleEndian.AppendUint32(nil, 0x0e1f000b)...) // a boolean before it
	props = append(props, 1, 0, 0, 0)
	props = append(props, mapiProp(mapiUnicode, mapiBody, utf16Bytes("Тело письма"))...)
	props = append(props, mapiProp(mapiBinary, mapiBodyHTML, []byte("<p>\xd2\xe5\xeb\xee</p>"))...)
	tnefAttr(&b, 1, tnefMessage, props)
	tnefAttr(&b, 2, tnefAttachStart, make([]byte, 14))
	tnefAttr(&b, 2, tnefAttachTitle, []byte("SHORT~1.TXT\x00"))
	tnefAttr(&b, 2, tnefAttachData, []byte("first file"))
	tnefAttr(&b, 2, tnefAttachProps, append(binary.LittleEndian.AppendUint32(nil, 2),
		append(mapiProp(mapiUnicode, mapiAttachLong, utf16Bytes("длинное имя.txt")), mapiProp(mapiString8, mapiAttachMIME, []byte("text/plain\x00"))...)...))
	tnefAttr(&b, 2, tnefAttachStart, make([]byte, 14))
	tnefAttr(&b, 2, tnefAttachTitle, []byte("b.bin\x00"))
	tnefAttr(&b, 2, tnefAttachData, []byte{0, 1, 2})
	return b.Bytes()
}

func TestTNEF(t *testing.T) {
	data := testTNEF()
	in := "Subject: x\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n" + wrapBase64(data)
	m := parse(t, in)
	if m.Text != "Тело письма" || m.HTML != "<p>Тело</p>" || len(m.Attachments) != 3 || len(m.Defects) > 0 {
		t.Fatalf("%s %q", leaves(t, m), m.Defects)
	}
	if got := readContent(t, "whole", m.Attachments[0]); !bytes.Equal(got, data) {
		t.Error("winmail.dat itself isn't passed on")
	}
	a, b := m.Attachments[1], m.Attachments[2]
	if a.Filename != "длинное имя.txt" || a.ContentType != "text/plain" || string(readContent(t, "a", a)) != "first file" {
		t.Errorf("first file: %+v", a)
	}
	if b.Filename != "b.bin" || b.ContentType != "application/octet-stream" || string(readContent(t, "b", b)) != "\x00\x01\x02" {
		t.Errorf("second file: %+v", b)
	}
	for n := range len(data) { // cut anywhere
		m := parse(t, "Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"+base64.StdEncoding.EncodeToString(data[:n]))
		for _, a := range m.Attachments {
			readContent(t, "cut", a)
		}
	}
}

func FuzzTNEF(f *testing.F) {
	f.Add(testTNEF())
	f.Fuzz(func(t *testing.T, b []byte) {
		file, _ := readTNEF(bufio.NewReader(bytes.NewReader(b)), 1<<20)
		for _, a := range file.files {
			if a.off+a.size > int64(len(b)) || a.size < 0 {
				t.Errorf("file at %d of %d octets in %d", a.off, a.size, len(b))
			}
		}
	})
}

func TestUnflow(t *testing.T) {
	tests := []struct {
		in, want string
		delSp    bool
	}{
		{"one \ntwo\nthree\n", "one two\nthree\n", false},
		{"one \ntwo", "onetwo", true},
		{" stuffed\n >x\n", "stuffed\n>x\n", false},
		{"> a \n> b\n>> c \n> d\n", "> a b\n>> c \n> d\n", false},
		{"text \n-- \nsig\n", "text \n-- \nsig\n", false},
		{"", "", false},
		{"end ", "end ", false},
	}
	for _, tt := range tests {
		if got := unflow(tt.in, tt.delSp); got != tt.want {
			t.Errorf("unflow(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
