package mail

import (
	"encoding/base64"
	"encoding/binary"
	"testing"
)

// winmail makes a winmail.dat of attributes.
func winmail(attributes ...any) []byte {
	b := []byte{0x78, 0x9f, 0x3e, 0x22, 1, 0}
	for i := 0; i < len(attributes); i += 2 {
		data := []byte(attributes[i+1].(string))
		b = append(b, 2)
		b = binary.LittleEndian.AppendUint32(b, uint32(attributes[i].(int)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		b = append(append(b, data...), 0, 0)
	}
	return b
}

const (
	winmailText  = 0x0002800c
	winmailFile  = 0x00069002
	winmailTitle = 0x00018010
	winmailData  = 0x0006800f
)

func TestWinmail(t *testing.T) {
	data := winmail(winmailText, "The text\r\n", winmailFile, "", winmailTitle, `C:\x\a.txt`+"\x00", winmailData, "first file",
		winmailFile, "", winmailTitle, "b.bin\x00", winmailData, "\x00\x01\x02")
	m := parse(t, "Subject: x\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"+wrapBase64(data))
	if m.Text != "The text\n" || len(m.Attachments) != 3 {
		t.Fatalf("%s %q", leaves(t, m), m.Defects)
	}
	if got := readContent(t, "whole", m.Attachments[0]); string(got) != string(data) {
		t.Error("winmail.dat itself isn't passed on")
	}
	a, b := m.Attachments[1], m.Attachments[2]
	if a.Filename != "a.txt" || string(readContent(t, "a", a)) != "first file" {
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
