package preview

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"unicode"
	"unicode/utf8"

	"postern/gateway/text"
	"postern/webhook"
)

const (
	shownValue = 2 << 10 // octets of one value that are shown
	shownBytes = 80      // of one that is no text: content in base64
	shownBody  = 1 << 20 // of all that isn't JSON or a form
)

// Pretty is the body for reading: JSON indented, a form as a list of fields,
// long values and files cut with a note of what is left out. It is at most max
// octets long.
func Pretty(p *webhook.Preview, max int) (string, error) {
	media, params, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
	var out string
	var err error
	switch {
	case strings.HasSuffix(media, "json"):
		out, err = prettyJSON(p.Write)
	case media == "multipart/form-data":
		out, err = prettyForm(p.Write, params["boundary"])
	default:
		var b head
		err = ended(p.Write(&b))
		out = string(b)
	}
	if err != nil {
		return "", fmt.Errorf("preview: %w", err)
	}
	if short := text.Clip(shown(out), max); len(short) < len(out) {
		return short + "\n… (" + octets(p.Length) + " in all)", nil
	}
	return shown(out), nil
}

// shown is text without what would change how it is displayed.
func shown(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t':
			return c
		case c == '\r':
			return -1
		case c == utf8.RuneError || unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c):
			return '\ufffd'
		}
		return c
	}, s)
}

func octets(n int64) string { return fmt.Sprintf("%d octets", n) }

// head keeps the first octets and stops who writes.
type head []byte

var errEnough = errors.New("enough")

func (h *head) Write(b []byte) (int, error) {
	n := min(len(b), shownBody-len(*h))
	if *h = append(*h, b[:n]...); n < len(b) {
		return n, errEnough
	}
	return n, nil
}

func ended(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// prettyJSON indents what write gives, its strings shortened on their way: no
// attachment is held.
func prettyJSON(write func(io.Writer) error) (string, error) {
	var s shortener
	if err := write(&s); err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, s.out, "", "  "); err != nil {
		return string(s.out), nil
	}
	return b.String(), nil
}

// shortener copies JSON and cuts its long strings, never within a character or
// an escape sequence.
//
//	outside -"-> in a string -"-> outside
type shortener struct {
	out    []byte
	inside bool
	unit   int   // octets that the character or escape sequence still has
	kept   int   // octets of this string that were copied
	cut    int64 // and that weren't
	text   bool  // something says that it is text, and not content in base64
}

func (s *shortener) Write(b []byte) (int, error) {
	for _, c := range b {
		switch {
		case !s.inside:
			s.out = append(s.out, c)
			s.inside, s.kept, s.cut, s.text = c == '"', 0, 0, false
		case c == '"' && s.unit == 0:
			s.end()
		default:
			s.take(c)
		}
	}
	return len(b), nil
}

// take copies an octet of a string while it is short enough.
func (s *shortener) take(c byte) {
	begins := s.unit == 0
	switch {
	case begins && c == '\\':
		s.unit = 1
	case begins && c >= 0xf0:
		s.unit = 3
	case begins && c >= 0xe0:
		s.unit = 2
	case begins && c >= 0xc0:
		s.unit = 1
	case begins:
	case s.unit == 1 && c == 'u' && s.escape():
		s.unit = 4
	default:
		s.unit--
	}
	s.text = s.text || c == ' ' || c == '\\' || c >= 0x80
	if s.cut > 0 || begins && s.kept >= shownValue {
		s.cut++
		return
	}
	s.out = append(s.out, c)
	s.kept++
}

// escape reports whether the octet before begins an escape sequence; what is cut
// doesn't matter any more.
func (s *shortener) escape() bool { return s.cut == 0 && s.out[len(s.out)-1] == '\\' }

// end closes a string and says what is missing.
func (s *shortener) end() {
	s.inside = false
	if s.cut > 0 {
		if !s.text {
			s.cut += int64(s.kept - shownBytes)
			s.out = s.out[:len(s.out)-s.kept+shownBytes]
		}
		s.out = fmt.Appendf(s.out, "… (%s more)", octets(s.cut))
	}
	s.out = append(s.out, '"')
}

// prettyForm lists a form's fields.
func prettyForm(write func(io.Writer) error, boundary string) (string, error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(w)) }()
	defer r.Close()
	var b strings.Builder
	for form := multipart.NewReader(r, boundary); ; {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		if err := prettyField(&b, part); err != nil {
			return "", err
		}
	}
}

// prettyField is one field: its name and value, or the file that it is.
func prettyField(b *strings.Builder, part *multipart.Part) error {
	value, err := io.ReadAll(io.LimitReader(part, shownValue+1))
	if err != nil {
		return err
	}
	rest, err := io.Copy(io.Discard, part)
	if err != nil {
		return err
	}
	size := int64(len(value)) + rest
	switch {
	case part.FileName() != "":
		fmt.Fprintf(b, "%s: file %q, %s, %s\n", part.FormName(), part.FileName(), part.Header.Get("Content-Type"), octets(size))
	case size > shownValue:
		fmt.Fprintf(b, "%s: %s… (%s more)\n", part.FormName(), text.Clip(string(value), shownValue), octets(size-shownValue))
	default:
		fmt.Fprintf(b, "%s: %s\n", part.FormName(), value)
	}
	return nil
}
