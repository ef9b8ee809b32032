package tnef

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// compressedRTF is the example of MS-OXRTFCP 3.1.1.
var compressedRTF = []byte{0x2d, 0, 0, 0, 0x2b, 0, 0, 0, 0x4c, 0x5a, 0x46, 0x75, 0xf1, 0xc5, 0xc7, 0xa7, 0x03, 0, 0x0a, 0, 0x72, 0x63, 0x70, 0x67, 0x31, 0x32, 0x35, 0x42, 0x32, 0x0a, 0xf3, 0x20, 0x68, 0x65, 0x6c, 0x09, 0, 0x20, 0x62, 0x77, 0x05, 0xb0, 0x6c, 0x64, 0x7d, 0x0a, 0x80, 0x0f, 0xa0}

func TestDecompressRTF(t *testing.T) {
	if got := string(decompressRTF(compressedRTF, 1<<20)); got != "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n" {
		t.Errorf("%q", got)
	}
	if got := string(decompressRTF(compressedRTF, 10)); len(got) > 20 {
		t.Errorf("%d octets with a limit of 10", len(got))
	}
	plain := append(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 20), 8), append([]byte("MELA\x00\x00\x00\x00"), "{\\rtf1 x}"...)...)
	if got := string(decompressRTF(plain, 1<<20)); got != "{\\rtf1 x" {
		t.Errorf("%q", got)
	}
	for n := range len(compressedRTF) { // cut anywhere
		decompressRTF(compressedRTF[:n], 1<<20)
	}
}

func TestReadRTF(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		html     bool
	}{
		{`{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}\pard Gr\'fc\'dfe\par \b second\b0  line \u8364?\tab x\par}`, "Grüße\nsecond line €\tx", false},
		{`{\rtf1\ansi\ansicpg1251\pard \'cf\'f0\'e8\'e2\'e5\'f2{\*\generator x;}{\*\unknown y}}`, "Привет", false},
		{`{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0 Arial;}}{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Gr\'fc\'dfe{\*\htmltag84 <b>}\htmlrtf {\b\htmlrtf0 x\htmlrtf }\htmlrtf0 {\*\htmltag92 </b>}\htmlrtf }\htmlrtf0 {\*\htmltag72 </p>}}`, "<p>Grüße<b>x</b></p>", true},
		{`{\rtf1 a\{b\}\\c\~d}`, "a{b}\\c\u00a0d", false},
		{"no rtf", "", false},
		{`{\rtf1 \'`, "", false},
		{"{\\rtf1" + strings.Repeat("{", 100_000) + "x", "x", false},
	} {
		if got, html := readRTF([]byte(tt.in), ""); got != tt.want || html != tt.html {
			t.Errorf("%.60s: %q %v, want %q", tt.in, got, html, tt.want)
		}
	}
}

func TestReadBodyRTF(t *testing.T) {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, uint32(signature))
	binary.Write(&b, binary.LittleEndian, uint16(1))
	attribute(&b, 1, message, append(binary.LittleEndian.AppendUint32(nil, 1), mapiProp(mapiBinary, mapiBodyRTF, compressedRTF)...))
	if f, ok := Read(bytes.NewReader(b.Bytes()), 1<<20); !ok || f.Text != "hello world" {
		t.Errorf("%v %+v", ok, f)
	}
}

func FuzzRTF(f *testing.F) {
	f.Add([]byte(`{\rtf1\ansi\ansicpg1252\fromhtml1{\*\htmltag64 <p>}\htmlrtf x\htmlrtf0 \'fc\u8364?}`))
	f.Add(compressedRTF)
	f.Fuzz(func(t *testing.T, b []byte) {
		readRTF(b, "cp1252")
		if got := decompressRTF(b, 1<<16); len(got) > 1<<16+17 {
			t.Errorf("%d octets", len(got))
		}
	})
}
