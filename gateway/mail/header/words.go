package header

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"postern/gateway/mail/charset"
	"postern/gateway/mail/transfer"
	"postern/gateway/text"
)

// Decoder turns header octets into text. Hint finds the charset that the
// mail's body declares, for raw 8-bit header fields; nil: none.
type Decoder struct {
	Hint func() string
	// LeftOut says that a control character, a NUL for one, was left out of what
	// was decoded so far.
	LeftOut bool
}

// Text decodes an unfolded field value: encoded words (RFC 2047) wherever
// they stand, also inside quotes, and raw 8-bit text.
func (d *Decoder) Text(v []byte) string {
	if bytes.IndexByte(v, '\n') >= 0 || bytes.IndexByte(v, '\r') >= 0 {
		v = Unfold(v)
	}
	if !bytes.Contains(v, []byte("=?")) {
		return d.Raw(v)
	}
	var out strings.Builder
	var run wordRun
	from := 0 // where the text starts that no word covers
	for pos := 0; ; {
		i := bytes.Index(v[pos:], []byte("=?"))
		if i < 0 {
			break
		}
		i += pos
		w, n := parseWord(v[i:])
		if n == 0 {
			pos = i + 2
			continue
		}
		if gap := v[from:i]; len(bytes.TrimSpace(gap)) > 0 || run.empty() {
			run.flush(d, &out) // white space between two encoded words is dropped
			out.WriteString(d.Raw(gap))
		}
		run.add(d, &out, w)
		from, pos = i+n, i+n
	}
	run.flush(d, &out)
	out.WriteString(d.Raw(v[from:]))
	return out.String()
}

// Raw decodes octets that are no encoded word.
func (d *Decoder) Raw(v []byte) string {
	if text.IsASCII(v) {
		return d.Clean(string(v))
	}
	return d.Clean(d.charset(v, ""))
}

// charset decodes v by its label, which stands: a few words are no evidence
// against it. Without a label by UTF-8, the hint, or a sniff.
func (d *Decoder) charset(v []byte, label string) string {
	if label == "" && !utf8.Valid(v) {
		if d.Hint != nil {
			label = d.Hint()
		}
		if l := charset.Normalize(label); l == "" || l == "utf-8" {
			label = charset.Sniff(v)
		}
	}
	s, _ := charset.DecodeWord(v, label)
	return s
}

// word is one encoded word.
type word struct {
	charset  string
	encoding byte // 'B' or 'Q'
	text     []byte
}

// wordRun collects adjacent encoded words of one charset, whose octets are
// joined before they are decoded: senders split characters and shift states.
type wordRun struct {
	charset string
	octets  []byte
	b64     []byte // undecoded base64 of the run: senders split groups, too
	filled  bool
}

func (r *wordRun) empty() bool { return !r.filled }

func (r *wordRun) add(d *Decoder, out *strings.Builder, w word) {
	if r.filled && !strings.EqualFold(r.charset, w.charset) {
		r.flush(d, out)
	}
	r.charset, r.filled = w.charset, true
	if w.encoding == 'Q' {
		r.closeBase64()
		r.octets = append(r.octets, decodeQ(w.text)...)
		return
	}
	if len(r.b64)%4 == 0 || bytes.IndexByte(r.b64, '=') >= 0 {
		r.closeBase64()
	}
	r.b64 = append(r.b64, w.text...)
}

func (r *wordRun) closeBase64() {
	r.octets = append(r.octets, decodeB(r.b64)...)
	r.b64 = r.b64[:0]
}

func (r *wordRun) flush(d *Decoder, out *strings.Builder) {
	if !r.filled {
		return
	}
	r.closeBase64()
	out.WriteString(d.Clean(d.charset(r.octets, r.charset)))
	r.octets, r.filled = r.octets[:0], false
}

// maxWord bounds an encoded word. RFC 2047 allows 75 octets.
const maxWord = 4096

// parseWord reads the encoded word at the start of v and returns its length, 0
// when there is none. Folding inside, a language suffix (RFC 2231 5) and a
// missing final "=" are taken.
func parseWord(v []byte) (word, int) {
	rest := v[2:]
	q := bytes.IndexByte(rest, '?')
	if q <= 0 || q > 64 || q+2 >= len(rest) || rest[q+2] != '?' || bytes.IndexByte(rest[:q], ' ') >= 0 {
		return word{}, 0
	}
	w := word{charset: string(rest[:q]), encoding: rest[q+1] &^ 0x20}
	if w.encoding != 'B' && w.encoding != 'Q' {
		return word{}, 0
	}
	if i := strings.IndexByte(w.charset, '*'); i >= 0 {
		w.charset = w.charset[:i]
	}
	body := rest[q+3:]
	end := bytes.Index(body[:min(len(body), maxWord)], []byte("?="))
	if end < 0 {
		return word{}, 0
	}
	w.text = body[:end]
	if bytes.Contains(w.text, []byte("=?")) { // this one was never closed
		return word{}, 0
	}
	return w, 2 + q + 3 + end + 2
}

// decodeB decodes base64 with or without padding, stray octets dropped.
func decodeB(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b))+3)
	if n, err := base64.StdEncoding.Decode(out, b); err == nil {
		return out[:n]
	}
	return transfer.DecodeBase64(b)
}

// decodeQ decodes the Q encoding: quoted-printable with "_" for a space.
func decodeQ(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(b) && transfer.Unhex(b[i+1]) >= 0 && transfer.Unhex(b[i+2]) >= 0:
			out = append(out, byte(transfer.Unhex(b[i+1])<<4|transfer.Unhex(b[i+2])))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

// Transfer reads a Content-Transfer-Encoding field (RFC 2045 6) as sent; false
// when nobody knows the encoding.
func (d *Decoder) Transfer(raw []byte) (transfer.Encoding, bool) {
	s := string(StripComments(Unfold(raw)))
	if strings.Contains(s, "=?") {
		s = d.Text([]byte(s))
	}
	return transfer.Parse(s)
}

// Clean is Clean, and notes in LeftOut what the text lost.
func (d *Decoder) Clean(s string) string {
	clean := Clean(s)
	if len(clean) < len(s) && !d.LeftOut {
		d.LeftOut = strings.ContainsFunc(s, func(r rune) bool { return r != '\ufeff' && cleanRune(r) < 0 })
	}
	return clean
}

// Clean makes a header string fit for any consumer: valid UTF-8, no NUL, no
// line ends.
func Clean(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\t' || s[i] >= utf8.RuneSelf || s[i] == 0x7f {
			return strings.Map(cleanRune, s)
		}
	}
	return s
}

func cleanRune(r rune) rune {
	switch {
	case r == '\r' || r == '\n':
		return ' '
	case r == '\ufeff' || r < ' ' && r != '\t' || r == 0x7f:
		return -1
	}
	return r // an invalid octet arrives, and leaves, as U+FFFD
}
