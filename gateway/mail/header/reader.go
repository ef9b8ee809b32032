package header

import (
	"bytes"
	"fmt"
	"strings"

	"postern/gateway/mail/charset"
	"postern/gateway/mail/transfer"
	"postern/gateway/text"
)

// Field is one header field as received.
type Field struct {
	Name string // fit to be shown; blanks inside are gone
	Raw  []byte // after the colon, folding kept, final line end dropped
}

// Block is the fields of one header block, in order.
type Block struct {
	Fields []Field
	Loose  []byte // a line that is no field and might be the first of the text
}

// Get returns the first field of that name, nil without.
func (h *Block) Get(name string) []byte {
	for i := range h.Fields {
		if named(h.Fields[i].Name, name) {
			return h.Fields[i].Raw
		}
	}
	return nil
}

// All returns every field of that name.
func (h *Block) All(name string) [][]byte {
	var out [][]byte
	for i := range h.Fields {
		if named(h.Fields[i].Name, name) {
			out = append(out, h.Fields[i].Raw)
		}
	}
	return out
}

// named says whether a field has a name of ASCII letters.
func named(field, name string) bool { return len(field) == len(name) && strings.EqualFold(field, name) }

// Reader takes a header block apart and cannot fail: a line that is no
// field is skipped when fields go on after it, else the body starts there.
//
//	line start --"From "/">From "--> skip (first line only)
//	           --blank line--------> end
//	           --white space-------> continuation of the field before it; nothing but
//	                                 white space ends the header where no field goes on
//	           --name ":"----------> field
//	           --delimiter line----> end, no body
//	           --anything else-----> skip if a field follows, else body
type Reader struct {
	Max     int                    // fields kept; what mail can't be understood without is kept beyond
	Room    int                    // for so many fields without growing
	IsDelim func(line []byte) bool // what follows "--" on the line ends the header; nil: nothing does
	Defect  func(string)           // told in words what was repaired; nil: nobody
}

func (r Reader) defect(s string) {
	if r.Defect != nil {
		r.Defect(s)
	}
}

// Read returns the header at the start of b, where the body starts, and where
// the fields over the limit start (-1: none).
func (r Reader) Read(b []byte) (h Block, body int, over int) {
	over = -1
	h.Fields = make([]Field, 0, r.Room)
	open := -1 // where the raw value of the last field starts
	pos := 0
	blank := false   // the line before holds nothing but white space
	shut := func() { // completes the last field at pos
		if open >= 0 {
			h.Fields[len(h.Fields)-1].Raw = transfer.TrimEOL(b[open:pos])
			open = -1
		}
	}
	for pos < len(b) {
		line, next := transfer.CutLine(b, pos)
		switch {
		case len(line) == 0:
			shut()
			return h, next, over
		case blank && !isSpace(line[0]) && !goesOn(b, pos):
			shut()
			r.defect("the blank line between header and body holds white space")
			return h, pos, over
		case isSpace(line[0]) && open >= 0:
			// a continuation: the field's value grows
		case over >= 0 && isSpace(line[0]):
		case len(line) > 2 && line[0] == '-' && line[1] == '-' && r.IsDelim != nil && r.IsDelim(line[2:]):
			shut()
			r.defect("a part's header is cut off by the next boundary")
			return h, pos, over
		default:
			shut()
			name, value := splitField(b, pos, len(line))
			if value < 0 {
				name, value = r.spacedField(b, pos, len(line), next)
			}
			if value < 0 {
				if !r.skip(&h, b, line, next) {
					r.defect("no blank line between header and body")
					return h, pos, over
				}
				break
			}
			if len(h.Fields) >= r.Max {
				if over < 0 {
					over = pos
				}
				if !structural(name) {
					break
				}
			}
			h.Fields = append(h.Fields, Field{Name: name})
			open = value
		}
		blank = len(bytes.TrimLeft(line, " \t")) == 0
		pos = next
	}
	shut()
	return h, len(b), over
}

// goesOn says whether the header goes on at pos, behind a line of white space: a
// field that belongs to one is found before anything that is no field.
func goesOn(b []byte, pos int) bool {
	for range 50 {
		line, next := transfer.CutLine(b, pos)
		switch {
		case len(line) == 0:
			return false
		case isSpace(line[0]):
		case !StrictField(line):
			return false
		case wellKnown(lineName(line)):
			return true
		}
		pos = next
	}
	return false
}

// maxLooseLines bounds how many lines in a row that are no fields are skipped.
const maxLooseLines = 3

// skip decides on a line that is no field: true when the header goes on after
// it. Before a field that nobody knows the line may well be text: it is kept.
func (r Reader) skip(h *Block, b, line []byte, next int) bool {
	if mboxLine(line) && onlyTrace(h) {
		r.defect("an mbox \"From \" line precedes the header")
		return true
	}
	others := 0
	for range 50 { // over its continuation lines
		l, n := transfer.CutLine(b, next)
		switch {
		case len(l) == 0:
			return false
		case isSpace(l[0]):
		case !StrictField(l):
			if others++; others == maxLooseLines {
				return false
			}
		default:
			name := lineName(l)
			if others > 0 && !structural(name) && !trace(name) {
				return false
			}
			r.defect(fmt.Sprintf("header line that is no field skipped: %q", text.Shorten(charset.ToUTF8(line), 120)))
			if !wellKnown(name) {
				h.Loose = append(append(h.Loose, line...), '\n')
			}
			return true
		}
		next = n
	}
	return false
}

func lineName(line []byte) string {
	name, _, _ := bytes.Cut(line, []byte(":"))
	return strings.TrimSpace(string(name))
}

func mboxLine(line []byte) bool {
	return bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))
}

// onlyTrace says whether nothing but what mail systems prepend was read so far.
func onlyTrace(h *Block) bool {
	for _, f := range h.Fields {
		switch strings.ToLower(f.Name) {
		case "received", "authentication-results", "return-path", "delivered-to", "x-original-to":
		default:
			return false
		}
	}
	return true
}

// splitField returns the name of the field on the line b[pos:pos+n] and where
// its value starts, -1 when the line is no field. White space before the colon
// is obsolete syntax (RFC 5322 4.5); inside a name it makes the line text.
func splitField(b []byte, pos, n int) (string, int) {
	line := b[pos : pos+n]
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return "", -1
	}
	name := bytes.Trim(line[:i], " \t")
	if bytes.ContainsAny(name, " \t") {
		return "", -1
	}
	return fieldName(name), pos + i + 1
}

// spacedField is splitField for a line with blanks inside the field's name
// ("Content - Type: …"), which are dropped: where the name is one that the mail
// can't be understood without, or a field or the end of the header follows an "X Name".
func (r Reader) spacedField(b []byte, pos, n, next int) (string, int) {
	line := b[pos : pos+n]
	i := bytes.IndexByte(line, ':')
	if i <= 0 || i > 60 || !StrictField(append(bytes.ReplaceAll(line[:i], []byte(" "), nil), ':')) {
		return "", -1
	}
	words := strings.Fields(strings.ReplaceAll(string(line[:i]), "-", " "))
	name := strings.Join(words, "-")
	after, _ := transfer.CutLine(b, next)
	follows := next < len(b) && (len(after) == 0 || isSpace(after[0]) || StrictField(after))
	known := structural(name) || strings.EqualFold(name, "MIME-Version")
	if len(words) < 2 || !known && !(follows && strings.EqualFold(words[0], "x")) {
		return "", -1
	}
	r.defect(fmt.Sprintf("blanks inside the field name %q", text.Shorten(string(line[:i]), 60)))
	return name, pos + i + 1
}

// StrictField says whether a line is certainly a header field: a name without
// blanks inside, of printable ASCII, and a colon (RFC 5322 2.2).
func StrictField(line []byte) bool {
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return false
	}
	for _, c := range bytes.TrimRight(line[:i], " \t") {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// structural names the fields that are kept beyond the limit on their number,
// because the mail can't be understood without them.
func structural(name string) bool {
	switch strings.ToLower(name) {
	case "content-type", "content-transfer-encoding", "content-disposition", "content-id",
		"from", "to", "cc", "subject", "date", "message-id", "reply-to", "sender", "auto-submitted":
		return true
	}
	return false
}

// trace names what mail systems write above a message's own fields.
func trace(name string) bool {
	switch strings.ToLower(name) {
	case "received", "return-path", "delivered-to", "x-original-to", "dkim-signature", "authentication-results", "received-spf", "arc-seal", "mime-version":
		return true
	}
	return false
}

// wellKnown says whether a field belongs to a header without a doubt.
func wellKnown(name string) bool {
	n := strings.ToLower(name)
	return structural(n) || strings.Contains(n, "-") || n == "received" || n == "bcc" || n == "references" || n == "organization"
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// Unfold joins the lines of a folded value (RFC 5322 2.2.3) and trims it. Without
// folding it is a slice of raw.
func Unfold(raw []byte) []byte {
	raw = bytes.Trim(raw, " \t\r\n")
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		i := bytes.IndexAny(raw, "\r\n")
		if i < 0 {
			out = append(out, raw...)
			break
		}
		out = append(out, raw[:i]...)
		for i < len(raw) && (raw[i] == '\r' || raw[i] == '\n') {
			i++
		}
		raw = raw[i:]
		if len(raw) > 0 && !isSpace(raw[0]) && len(out) > 0 && !isSpace(out[len(out)-1]) {
			out = append(out, ' ') // a bare CR inside a value
		}
	}
	return out
}

// fieldName makes a name fit for any consumer; raw 8-bit ones exist.
func fieldName(name []byte) string {
	if text.IsASCII(name) {
		return Clean(string(name))
	}
	return Clean(charset.ToUTF8(name))
}
