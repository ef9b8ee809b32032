package turn

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"postern/gateway/mail"
)

// broken is a message that can't be opened, or not be read to its end.
type broken struct {
	mail.Bytes
	opens bool
}

// Open implements mail.Source.
func (b broken) Open() (io.ReadSeekCloser, error) {
	if !b.opens {
		return nil, errBroken
	}
	return struct {
		io.Reader
		io.Seeker
		io.Closer
	}{io.MultiReader(strings.NewReader("a"), iotest.ErrReader(errBroken)), nil, io.NopCloser(nil)}, nil
}

// TestOctets: what stands in a message, wherever the pieces end in which it is read.
func TestOctets(t *testing.T) {
	fill := strings.Repeat("x", 32<<10-1) // to the last octet of the first piece
	for _, c := range []struct {
		text           string
		eightBit, bare bool
	}{
		{"", false, false},
		{"a\r\nb\r\n", false, false},
		{"\x7f\r\n", false, false},
		{"\x80\r\n", true, false},
		{"\x00\r\n", true, false},
		{"\xff\r\n", true, false},
		{"a\nb", false, true},
		{"a\rb", false, true},
		{"\n", false, true},
		{"\r", false, true},
		{"a\r\n\r", false, true},
		{"\r\r\n", false, true},
		{"\r\n\n", false, true},
		{fill + "\r\n", false, false},
		{fill + "\rx\r\n", false, true},
		{fill + "x\n", false, true},
		{fill + "x\x80", true, false},
	} {
		for _, trim := range []string{"", fill} {
			text := strings.TrimPrefix(c.text, trim)
			if eightBit, bare, err := octets(mail.Bytes(text)); err != nil || eightBit != c.eightBit || bare != c.bare {
				t.Errorf("%d octets ending in %.20q: %t %t %v", len(text), text[max(0, len(text)-10):], eightBit, bare, err)
			}
		}
	}
	for _, opens := range []bool{false, true} {
		if _, _, err := octets(broken{opens: opens}); !errors.Is(err, errBroken) {
			t.Errorf("opens %t: %v", opens, err)
		}
	}
}
