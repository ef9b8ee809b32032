package tnef

import (
	"bytes"
	"encoding/binary"
	"testing"
	"unicode/utf16"
)

// attribute writes one attribute.
func attribute(b *bytes.Buffer, level byte, id uint32, data []byte) {
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

// example is a winmail.dat with a body and two files.
func example() []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, uint32(signature))
	binary.Write(&b, binary.LittleEndian, uint16(1))
	attribute(&b, 1, 0x00089006, []byte{0, 0, 1, 0}) // version
	attribute(&b, 1, codepage, []byte{0xe3, 4, 0, 0, 0, 0, 0, 0})
	props := binary.LittleEndian.AppendUint32(nil, 3)
	props = append(props, binary.LittleEndian.AppendUint32(nil, 0x0e1f000b)...) // a boolean before it
	props = append(props, 1, 0, 0, 0)
	props = append(props, mapiProp(mapiUnicode, mapiBody, utf16Bytes("Тело письма"))...)
	props = append(props, mapiProp(mapiBinary, mapiBodyHTML, []byte("<p>\xd2\xe5\xeb\xee</p>"))...)
	attribute(&b, 1, message, props)
	attribute(&b, 2, attachStart, make([]byte, 14))
	attribute(&b, 2, attachTitle, []byte("SHORT~1.TXT\x00"))
	attribute(&b, 2, attachData, []byte("first file"))
	attribute(&b, 2, attachProps, append(binary.LittleEndian.AppendUint32(nil, 2),
		append(mapiProp(mapiUnicode, mapiAttachLong, utf16Bytes("длинное имя.txt")), mapiProp(mapiString8, mapiAttachMIME, []byte("text/plain\x00"))...)...))
	attribute(&b, 2, attachStart, make([]byte, 14))
	attribute(&b, 2, attachTitle, []byte("b.bin\x00"))
	attribute(&b, 2, attachData, []byte{0, 1, 2})
	return b.Bytes()
}

func TestRead(t *testing.T) {
	data := example()
	f, ok := Read(bytes.NewReader(data), 1<<20)
	if !ok || f.Text != "Тело письма" || f.HTML != "<p>Тело</p>" || len(f.Attachments) != 2 {
		t.Fatalf("%v %+v", ok, f)
	}
	for i, want := range []struct{ name, media, data string }{{"длинное имя.txt", "text/plain", "first file"}, {"b.bin", "", "\x00\x01\x02"}} {
		a := f.Attachments[i]
		if got := string(data[a.Offset : a.Offset+a.Size]); a.Name != want.name || a.Type != want.media || got != want.data {
			t.Errorf("file %d: %+v, %q", i, a, got)
		}
	}
	for n := range len(data) { // cut anywhere: what is there is there
		if f, _ := Read(bytes.NewReader(data[:n]), 1<<20); len(f.Attachments) > 0 && f.Attachments[0].Offset+f.Attachments[0].Size > int64(n) {
			t.Fatalf("of %d octets: %+v", n, f.Attachments[0])
		}
	}
}

// TestObject: a message inside, and the file in it.
func TestObject(t *testing.T) {
	data := example()
	props := append(binary.LittleEndian.AppendUint32(nil, 2), append(mapiProp(mapiUnicode, mapiName, utf16Bytes("Inner")), mapiProp(mapiObject, mapiAttachData, append(make([]byte, 16), data...))...)...)
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, uint32(signature))
	binary.Write(&b, binary.LittleEndian, uint16(1))
	attribute(&b, 2, attachStart, make([]byte, 14))
	attribute(&b, 2, attachProps, props)
	attribute(&b, 2, attachStart, make([]byte, 14))
	attribute(&b, 2, attachTitle, []byte("last.txt\x00"))
	attribute(&b, 2, attachData, []byte("last"))
	f, ok := Read(bytes.NewReader(b.Bytes()), 1<<20)
	if !ok || len(f.Attachments) != 4 {
		t.Fatalf("%v %+v", ok, f)
	}
	for i, want := range []struct{ name, data string }{{"Inner", string(data)}, {"длинное имя.txt", "first file"}, {"b.bin", "\x00\x01\x02"}, {"last.txt", "last"}} {
		a := f.Attachments[i]
		if got := string(b.Bytes()[a.Offset : a.Offset+a.Size]); a.Name != want.name || got != want.data {
			t.Errorf("file %d: %+v, %q", i, a, got)
		}
	}
}

// TestClaims: what a file says of its size costs nothing.
func TestClaims(t *testing.T) {
	b := binary.LittleEndian.AppendUint32(nil, signature)
	b = append(b, 1, 0, 1)
	b = binary.LittleEndian.AppendUint32(b, message)
	b = binary.LittleEndian.AppendUint32(b, 8<<20-1)
	if n := testing.Benchmark(func(tb *testing.B) {
		tb.ReportAllocs()
		for tb.Loop() {
			Read(bytes.NewReader(b), 8<<20)
		}
	}).AllocedBytesPerOp(); n > 16<<10 {
		t.Errorf("%d octets are allocated for a file of %d", n, len(b))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(example())
	f.Fuzz(func(t *testing.T, b []byte) {
		file, _ := Read(bytes.NewReader(b), 1<<20)
		for _, a := range file.Attachments {
			if a.Offset+a.Size > int64(len(b)) || a.Size < 0 {
				t.Errorf("file at %d of %d octets in %d", a.Offset, a.Size, len(b))
			}
		}
	})
}
