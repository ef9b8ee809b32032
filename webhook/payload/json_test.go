package payload

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestPlainRun walks every octet through every place of a word.
func TestPlainRun(t *testing.T) {
	for c := range 256 {
		for at := range 19 {
			s := strings.Repeat("x", at) + string([]byte{byte(c)}) + strings.Repeat("x", 18-at)
			want := at
			if plain[c] {
				want = len(s)
			}
			if got := plainRun(s, 0); got != want {
				t.Fatalf("%#x at %d: the run ends at %d", c, at, got)
			}
		}
	}
}

// TestEscaped: what is escaped reads back as it was, and is as long as was said.
func TestEscaped(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"words of a mail ", "\"", "\\", "\r\n", "\t", "\x00", "\x1f", "\x7f", "ä", "日本", "😀", "</td>", "&amp;", "\xff", "\xe4\xf6", "\xed\xa0\x80"}
	for range 2000 {
		var b strings.Builder
		for range rnd.IntN(30) {
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		s := b.String()
		out := appendString(nil, s)
		var back string
		if err := json.Unmarshal(out, &back); err != nil || back != strings.ToValidUTF8(perRune(s), "\uFFFD") || !utf8.Valid(out) {
			t.Fatalf("%q became %q (%v)", s, out, err)
		}
		if n := escapedLen(s); n != int64(len(out)-2) {
			t.Fatalf("%q: %d octets were said, %d written", s, n, len(out)-2)
		}
	}
}

// perRune has one replacement character for each octet that isn't UTF-8.
func perRune(s string) string { return string([]rune(s)) }

func BenchmarkEscape(b *testing.B) {
	for name, s := range map[string]string{
		"text": strings.Repeat("Words of a text that people write, in lines.\r\n", 200),
		"html": strings.Repeat("<td style=\"color:#aabbcc;border-bottom:1px solid #eee\"><a href=\"https://click.example.net/t/00ff?u=1\">Zürich</a></td>\n", 100),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			var out []byte
			for b.Loop() {
				out = appendEscaped(out[:0], s)
			}
		})
	}
}
