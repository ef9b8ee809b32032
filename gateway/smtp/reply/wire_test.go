package reply_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"postern/gateway/smtp/reply"
)

// TestLines: no reply line is longer than 512 octets or holds what a
// client could take for another line, whoever wrote the text.
func TestLines(t *testing.T) {
	long := strings.Repeat("wörd ", 400)
	out := string(reply.Reply{Code: 550, Enhanced: reply.Enhanced{4, 1, 1}, Lines: []string{"a\r\nb\x00c", long, strings.Repeat("é", 700)}}.Append(nil, reply.StyleUTF8))
	lines := strings.Split(strings.TrimSuffix(out, "\r\n"), "\r\n")
	for i, line := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		if !strings.HasPrefix(line, "550"+sep+"5.1.1 ") || len(line) > reply.MaxLine-2 || !utf8.ValidString(line) {
			t.Errorf("line %d: %q", i, line)
		}
	}
	if lines[0] != "550-5.1.1 a  b c" {
		t.Errorf("%q", lines[0])
	}
	if got := string((reply.Reply{Code: 554, Lines: []string{"é"}}).Append(nil, reply.StyleEnhanced)); got != "554 5.0.0 ??\r\n" {
		t.Errorf("%q", got)
	}
	if got := string((reply.Reply{Code: 550, Enhanced: reply.Enhanced{4, 7, 708}, Lines: []string{"x"}}).Append(nil, reply.StyleEnhanced)); got != "550 5.7.708 x\r\n" {
		t.Errorf("%q", got)
	}
}
