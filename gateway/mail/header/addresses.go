package header

import (
	"bytes"
	"strings"
)

// Address is a mailbox of a header field. Address is "" where only a name
// could be made out.
type Address struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// maxAddresses bounds the addresses of one kind (To, Cc …) in one mail.
const maxAddresses = 50_000

// addressReader reads an address list (RFC 5322 3.4) and never loses an entry:
// groups are flattened, ";" separates as "," does, comments become names where
// there is no other, and what can't be an address is kept as a name.
type addressReader struct {
	dec   *Decoder
	list  []Address
	words []byte // the display name so far, raw
	at    bool   // words hold an "@"
	note  []byte // the last comment
	angle []byte // what stood in <>, nil without
	open  int    // quotes that were never closed, so far
}

// Bounds that keep the reading linear on hostile lists.
const (
	maxOpenQuotes  = 20
	maxCommaName   = 200 // octets of a display name that commas are taken into
	maxAngleLength = 4096
)

// Addresses reads every field of a name, at most 50,000 mailboxes.
func (d *Decoder) Addresses(fields [][]byte) []Address {
	var list []Address
	for _, f := range fields {
		r := addressReader{dec: d}
		r.read(Unfold(f))
		list = append(list, r.list...)
		if len(list) > maxAddresses {
			return list[:maxAddresses]
		}
	}
	return list
}

// read walks the list once:
//
//	"…" quoted string, (…) comment, <…> address, "," and ";" separators,
//	":" ends a group's name when a ";" closes the group, else it is text.
func (r *addressReader) read(s []byte) {
	group := bytes.LastIndexByte(s, ';') // a colon before it may open a group
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '"':
			i += r.quoted(s[i:])
		case c == '(':
			i += r.comment(s[i:])
		case c == '<':
			i += r.bracket(s[i:])
		case c == ',' || c == ';':
			r.flush(c == ',')
			i++
		case c == ':' && i < group && r.angle == nil && !r.at:
			r.reset()
			i++
		case c == '=' && bytes.HasPrefix(s[i:], []byte("=?")):
			n := max(1, encodedWordLen(s[i:]))
			r.words = append(r.words, s[i:i+n]...)
			i += n
		default:
			r.at = r.at || c == '@'
			r.words = append(r.words, c)
			i++
		}
	}
	r.flush(false)
}

func (r *addressReader) reset() { r.words, r.at, r.note, r.angle = r.words[:0], false, nil, nil }

// encodedWordLen keeps the commas and brackets of an encoded word from being read.
func encodedWordLen(s []byte) int {
	_, n := parseWord(s)
	return n
}

// quoted takes a quoted string; without an end the quote is dropped.
func (r *addressReader) quoted(s []byte) int {
	if r.open >= maxOpenQuotes {
		return 1
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			if i+1 < len(s) && s[i+1] == '@' { // a quoted local part
				r.words = append(r.words, s[:i+1]...)
				return i + 1
			}
			r.words = append(r.words, unescape(s[1:i])...)
			return i + 1
		}
	}
	r.open++
	return 1
}

// unescape drops the backslashes of a quoted string.
func unescape(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) {
			i++
		}
		out = append(out, b[i])
	}
	return out
}

// comment takes a comment, nested ones included; without an end it is text.
func (r *addressReader) comment(s []byte) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				r.note = unescape(s[1:i])
				return i + 1
			}
		}
	}
	r.words = append(r.words, s...) // never closed: nothing behind it is special
	return len(s)
}

// bracket takes "<address>"; without an end it ends at the next separator.
func (r *addressReader) bracket(s []byte) int {
	start := 1
	for start < len(s) && s[start] == '<' {
		start++
	}
	rest := s[start:]
	n := bytes.IndexAny(rest[:min(len(rest), maxAngleLength)], "<>")
	if n < 0 || rest[n] == '<' { // never closed
		if n = bytes.IndexAny(rest, ",;<"); n < 0 {
			n = len(rest)
		}
		r.addAngle(rest[:n])
		return start + n
	}
	r.addAngle(rest[:n])
	for n++; n < len(rest) && rest[n] == '>'; {
		n++
	}
	return start + n
}

func (r *addressReader) addAngle(a []byte) {
	if r.angle != nil { // two mailboxes without a comma
		after := bytes.Clone(r.words)
		r.words = r.words[:0]
		r.flush(false)
		r.words = append(r.words, after...)
	}
	r.angle = append([]byte{}, a...)
	r.names()
}

// names sets the display name aside, so that what follows the brackets can be
// told from it.
func (r *addressReader) names() {
	name := r.dec.Text(bytes.TrimSpace(r.words))
	addr := cleanAddress(r.dec, r.angle)
	r.list = append(r.list, Address{Name: strings.Trim(name, " \t"), Address: addr})
	r.words, r.at = r.words[:0], false
}

// flush ends an entry. Before a comma, a name without an address may be the
// first half of "Doe, John <john@…>": it waits for what follows.
func (r *addressReader) flush(comma bool) {
	words, note := bytes.TrimSpace(r.words), r.note
	switch {
	case r.angle != nil:
		last := &r.list[len(r.list)-1]
		if last.Name == "" {
			last.Name = strings.TrimSpace(r.dec.Text(words))
		}
		if last.Name == "" {
			last.Name = strings.TrimSpace(r.dec.Text(note))
		}
		if last.Address == "" && looksLikeAddress(last.Name) { // "ann@example.org <>"
			last.Name, last.Address = "", last.Name
		}
		if *last == (Address{}) || undisclosed(last.Address) || last.Address == "" && undisclosed(last.Name) { // "<>"
			r.list = r.list[:len(r.list)-1]
		}
	case len(words) == 0 && len(note) == 0:
	case comma && !r.at && len(words) > 0 && len(words) < maxCommaName:
		r.words = append(r.words, ',')
		return
	default:
		r.bare(words, note)
	}
	r.reset()
}

func looksLikeAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && !strings.ContainsAny(s, " \t,;<>\"") && !strings.Contains(domain, "@")
}

// bare reads an entry without brackets: addresses are what has an "@".
func (r *addressReader) bare(words, note []byte) {
	text := r.dec.Text(words)
	if !strings.Contains(text, "@") {
		r.nameless(text, note)
		return
	}
	start := len(r.list)
	var names []string
	for _, f := range addressFields(text) {
		if strings.Contains(f, "@") {
			r.list = append(r.list, Address{Address: cleanAddress(r.dec, []byte(f))})
		} else if f = strings.Trim(f, ","); f != "" {
			names = append(names, f)
		}
	}
	name := strings.Join(names, " ")
	if name == "" {
		name = r.dec.Text(note)
	}
	r.list[start].Name = name
}

// addressFields splits at white space, but neither in a quoted local part nor
// around an "@" or a dot that stands alone.
func addressFields(s string) []string {
	if strings.HasPrefix(s, `"`) && strings.Contains(s, `"@`) {
		i := strings.Index(s, `"@`)
		end := i + strings.IndexAny(s[i:]+" ", " \t")
		return append([]string{s[:end]}, strings.Fields(s[end:])...)
	}
	var out []string
	for _, f := range strings.Fields(s) {
		n := len(out)
		if n > 0 && (f[0] == '@' && !strings.Contains(out[n-1], "@") || strings.HasSuffix(out[n-1], "@") ||
			strings.Contains(out[n-1], "@") && (f[0] == '.' || strings.HasSuffix(out[n-1], "."))) {
			out[n-1] += f
			continue
		}
		out = append(out, f)
	}
	return out
}

// nameless keeps an entry that has no address: local users by name, and
// "undisclosed recipients" not at all.
func (r *addressReader) nameless(text string, note []byte) {
	for _, part := range strings.Split(text, ",") {
		part = strings.Trim(part, " \t'")
		switch {
		case part == "" || undisclosed(part):
		case strings.ContainsAny(part, " \t") || len(note) > 0 && strings.Contains(string(note), "@"):
			r.list = append(r.list, Address{Name: part})
		default:
			r.list = append(r.list, Address{Address: part})
		}
	}
	if text == "" && bytes.IndexByte(note, '@') >= 0 { // a comment is all there is
		r.list = append(r.list, Address{Name: r.dec.Text(note)})
	}
}

// undisclosed knows the stand-ins for recipients that nobody may see.
func undisclosed(s string) bool {
	s = strings.ToLower(s)
	return strings.HasPrefix(s, "undisclosed") || strings.HasPrefix(s, "unlisted-recipients")
}

// cleanAddress strips what senders wrap around an address: white space, quotes,
// "mailto:", a source route, comments, a trailing dot.
func cleanAddress(d *Decoder, b []byte) string {
	s := d.Text(StripComments(bytes.TrimSpace(b)))
	if strings.HasPrefix(s, "@") { // source route (RFC 5321 4.1.1.3)
		if i := strings.IndexByte(s, ':'); i >= 0 {
			s = s[i+1:]
		}
	}
	s = strings.Trim(s, " \t<>,;'`")
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	if !strings.HasPrefix(s, `"`) || strings.Count(s, `"`) != 2 {
		s = strings.ReplaceAll(s, " ", "")
		if strings.HasPrefix(s, `"`) && strings.HasSuffix(s, `"`) {
			s = strings.Trim(s, `"`)
		}
	} else if strings.HasSuffix(s, `"`) {
		s = strings.Trim(s, `"`)
	}
	if strings.HasSuffix(s, ".") && strings.Contains(s, "@") {
		s = strings.TrimRight(s, ".")
	}
	return s
}
