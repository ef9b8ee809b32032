package text

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShown(t *testing.T) {
	for name, row := range map[string]struct{ got, want string }{
		"clip short":            {Clip("abc", 3), "abc"},
		"clip":                  {Clip("abcd", 3), "abc"},
		"clip in a character":   {Clip("aéb", 2), "a"},
		"clip to nothing":       {Clip("é", 1), ""},
		"shorten fits":          {Shorten("aé", 3), "aé"},
		"shorten":               {Shorten("aéb", 2), "a…"},
		"one line":              {OneLine(" a\r\nb\x00c\u2028d\u0085e\tf "), "a  b c d e f"},
		"one line keeps words":  {OneLine("Grüße, 世界"), "Grüße, 世界"},
		"reply":                 {Reply("  no\r\n\r\nsuch\u00a0user\x1b[1m ünknown  ", 80), "no such user [1m ?nknown"},
		"reply is cut":          {Reply("abcdef", 4), "abcd"},
		"reply fits":            {Reply("abcd", 4), "abcd"},
		"reply fits with blank": {Reply("ab d", 4), "ab d"},
		"reply is cut at blank": {Reply("abc def", 4), "abc"},
		"terminal's lines":      {TerminalLines("a\x1b[2J\nb\u202e\n"), "a.[2J\nb.\n"},
		"terminal":              {Terminal("\x1b]0;x\x07\ta\u009bb\xff\u202ec\u2067"), ".]0;x.\ta.b..c."},
		"url":                   {RedactURL("https://u:p@h.example/hook?token=s#f"), "https://h.example/hook?…#f"},
		"url without a secret":  {RedactURL("http://h.example:8080/x"), "http://h.example:8080/x"},
		"url that can't be one": {RedactURL("http://user:secret@[::1"), "an address that is no URL"},
	} {
		if row.got != row.want {
			t.Errorf("%s: %q, want %q", name, row.got, row.want)
		}
	}
	if !IsASCII("a~\x00") || IsASCII("é") || IsASCII([]byte{0x80}) || !IsASCII([]byte(nil)) {
		t.Error("IsASCII is wrong")
	}
}

// TestIsASCII: the octet that isn't may stand anywhere.
func TestIsASCII(t *testing.T) {
	for n := range 20 {
		b := []byte(strings.Repeat("\x7f", n))
		if !IsASCII(b) || !IsASCII(string(b)) {
			t.Errorf("%d octets of ASCII aren't", n)
		}
		for i := range b {
			b[i] = 0x80
			if IsASCII(b) || IsASCII(string(b)) {
				t.Errorf("octet %d of %d isn't seen", i, n)
			}
			b[i] = 0
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add("550 no\r\n250 yes", 20)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		r := Reply(s, limit)
		if len(r) > max(limit, 0) || strings.IndexFunc(r, func(c rune) bool { return c < ' ' || c > '~' }) >= 0 {
			t.Errorf("Reply(%q, %d) = %q", s, limit, r)
		}
		if c := Clip(s, max(limit, 0)); utf8.ValidString(s) && !utf8.ValidString(c) {
			t.Errorf("Clip(%q, %d) = %q", s, limit, c)
		}
	})
}
