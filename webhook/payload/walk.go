package payload

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"

	"postern/gateway/mail"
	"postern/gateway/text"
)

const (
	maxFieldBytes = 64 << 10 // of a header field that is looked at
	maxBoundaries = 100      // nested
)

// walker finds what to edit in a message that is not for everybody. It reads lines:
//
//	header --blank line--> body --boundary--> header
//	                         `---closing boundary--> epilogue --outer boundary--> header
//
// Only what stands in a leaf's body is encoded; a boundary that the walker
// misses makes the leaf longer, never shorter, so nothing is lost.
type walker struct {
	known      map[string]string // top-level fields by their octets: what they were understood to say
	boundaries []string
	open       map[string]int // boundary to its place in boundaries, the innermost where it is used twice
	shadowed   []int          // for each boundary, the place of the same one further out, -1 for none
	edits      []edit

	inBody bool
	nested bool // below the top-level header

	field      []byte // the header field being read, folding kept
	fieldStart int64
	hint       *charmap.Charmap // of the first text that names a charset: header fields without one are in it too
	odd        bool             // the field isn't UTF-8, also beyond what is kept of it
	media      string           // of the entity
	coding     string
	boundary   string
	codingAt   [2]int64 // where its Content-Transfer-Encoding stands; zero: nowhere

	bodyStart int64
	invalid   bool // the body isn't UTF-8
	eol       int64
}

// findEdits reads the source once and says what to change, in order.
func findEdits(src mail.Source, m *mail.Message) ([]edit, error) {
	w := &walker{known: map[string]string{}}
	for i := range m.Headers {
		if h := &m.Headers[i]; !utf8.Valid(h.Raw) {
			w.known[string(bytes.TrimSpace(h.Raw))] = text.OneLine(h.Value)
		}
	}
	r, err := src.Open()
	if err != nil {
		return nil, fmt.Errorf("open the stored message: %w", err)
	}
	defer r.Close()
	in := bufio.NewReaderSize(r, copyBuffer)
	at, fresh := int64(0), true
	for {
		line, err := in.ReadSlice('\n')
		w.line(line, at, fresh)
		at += int64(len(line))
		fresh = err == nil
		switch {
		case err == io.EOF:
			w.endField(at)
			w.endBody(at, 0)
			return w.edits, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("read the stored message: %w", err)
		}
	}
}

// line takes the next line; fresh is false for the rest of a long one.
func (w *walker) line(line []byte, at int64, fresh bool) {
	if w.inBody {
		if fresh && w.isBoundary(line, at) {
			return
		}
		w.invalid = w.invalid || !utf8.Valid(line)
		w.eol = eolLen(line)
		return
	}
	switch {
	case fresh && len(bytes.TrimRight(line, "\r\n")) == 0:
		w.endField(at)
		w.startBody(at, at+int64(len(line)))
	case fresh && w.isBoundary(line, at): // a part without a body
	default:
		if fresh && line[0] != ' ' && line[0] != '\t' || len(w.field) == 0 {
			w.endField(at)
			w.fieldStart, w.odd = at, false
		}
		w.odd = w.odd || !utf8.Valid(line)
		if len(w.field) < maxFieldBytes {
			w.field = append(w.field, line...)
		}
	}
}

func eolLen(line []byte) int64 {
	switch {
	case bytes.HasSuffix(line, []byte("\r\n")):
		return 2
	case bytes.HasSuffix(line, []byte("\n")):
		return 1
	}
	return 0
}

// isBoundary closes the entity if the line is one of the open boundaries.
func (w *walker) isBoundary(line []byte, at int64) bool {
	i, closing := w.find(line)
	if i < 0 {
		return false
	}
	w.endField(at)
	w.endBody(at, w.eol)
	if closing { // what follows is an epilogue, up to an outer boundary
		w.closeTo(i)
		w.media, w.coding, w.codingAt = "multipart/epilogue", "", [2]int64{}
		w.startText(at + int64(len(line)))
		return true
	}
	w.closeTo(i + 1)
	w.startHeader()
	return true
}

// find is the place of the open boundary that the line is, -1 if it is none. A
// hostile mail has millions of lines to try: no step here depends on the depth.
func (w *walker) find(line []byte) (i int, closing bool) {
	s, dashes := bytes.CutPrefix(line, []byte("--"))
	if !dashes || len(w.open) == 0 {
		return -1, false
	}
	s = bytes.TrimRight(s, " \t\r\n")
	if i, ok := w.open[string(s)]; ok {
		return i, false
	}
	if s, closing = bytes.CutSuffix(s, []byte("--")); closing {
		if i, ok := w.open[string(s)]; ok {
			return i, true
		}
	}
	return -1, false
}

// closeTo leaves the n outermost boundaries open.
func (w *walker) closeTo(n int) {
	for len(w.boundaries) > n {
		last := len(w.boundaries) - 1
		b := w.boundaries[last]
		if i := w.shadowed[last]; i >= 0 {
			w.open[b] = i
		} else {
			delete(w.open, b)
		}
		w.boundaries, w.shadowed = w.boundaries[:last], w.shadowed[:last]
	}
}

// openBoundary opens one more.
func (w *walker) openBoundary(b string) {
	outer, used := w.open[b]
	if !used {
		outer = -1
	}
	if w.open == nil {
		w.open = map[string]int{}
	}
	w.open[b] = len(w.boundaries)
	w.boundaries, w.shadowed = append(w.boundaries, b), append(w.shadowed, outer)
}

func (w *walker) startHeader() {
	w.inBody, w.nested, w.field = false, true, w.field[:0]
	w.media, w.coding, w.boundary, w.codingAt = "text/plain", "", "", [2]int64{}
}

// startText starts a body at an offset.
func (w *walker) startText(at int64) {
	w.inBody, w.bodyStart, w.invalid, w.eol = true, at, false, 0
}

// startBody is called at the blank line after a header.
func (w *walker) startBody(blank, next int64) {
	switch {
	case strings.HasPrefix(w.media, "multipart/") && w.boundary != "" && len(w.boundaries) < maxBoundaries:
		w.openBoundary(w.boundary)
	case (w.media == "message/rfc822" || w.media == "message/global") && identity(w.coding):
		w.startHeader()
		return
	}
	if w.codingAt == [2]int64{} {
		w.codingAt = [2]int64{blank, blank}
	}
	w.startText(next)
}

// endBody closes the body that ends at an offset, before a line end of eol octets
// that belongs to the boundary.
func (w *walker) endBody(at, eol int64) {
	defer func() { w.inBody = false }()
	end := max(at-eol, w.bodyStart)
	if !w.inBody || !w.invalid || end == w.bodyStart {
		return
	}
	how := encoded
	switch {
	case strings.HasPrefix(w.media, "multipart/"):
		how = decoded
	case w.coding == "quoted-printable":
		how = escaped
	case !identity(w.coding):
		how = blanked
	default:
		w.insert(edit{w.codingAt[0], w.codingAt[1], replaced, "Content-Transfer-Encoding: base64\r\n", nil})
	}
	w.edits = append(w.edits, edit{from: w.bodyStart, to: end, how: how, charset: w.hint})
}

// insert puts an edit of the header before those that follow it there.
func (w *walker) insert(e edit) {
	i := len(w.edits)
	for i > 0 && w.edits[i-1].from >= e.from {
		i--
	}
	if i < len(w.edits) && e.to > w.edits[i].from { // the field itself isn't UTF-8
		w.edits[i] = e
		return
	}
	w.edits = append(w.edits[:i], append([]edit{e}, w.edits[i:]...)...)
}

func identity(coding string) bool {
	switch coding {
	case "", "7bit", "8bit", "binary":
		return true
	}
	return false
}

// endField looks at a header field, which ends before an offset.
func (w *walker) endField(end int64) {
	f := w.field
	w.field = f[:0]
	if len(f) == 0 || w.inBody {
		return
	}
	name, value, _ := strings.Cut(string(f), ":")
	value = strings.TrimSpace(value)
	if w.odd {
		w.mend(name, value, f, end)
	} else if v, ok := renamed(f); ok && int64(len(f)) == end-w.fieldStart {
		w.edits = append(w.edits, edit{w.fieldStart, end, replaced, v, nil})
	}
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "content-type":
		t, params, err := mime.ParseMediaType(strings.ToValidUTF8(text.OneLine(value), "?"))
		if err == nil || errors.Is(err, mime.ErrInvalidMediaParameter) {
			w.media, w.boundary = t, params["boundary"]
		}
		if w.boundary == "" {
			w.boundary = looseBoundary(value)
		}
		w.hear(params["charset"])
	case "content-transfer-encoding":
		w.coding = strings.ToLower(strings.Trim(value, " \t\""))
		w.codingAt = [2]int64{w.fieldStart, end}
	}
}

// hear takes the first charset of single octets as a hint.
func (w *walker) hear(charset string) {
	if w.hint != nil || charset == "" {
		return
	}
	if e, err := htmlindex.Get(charset); err == nil {
		w.hint, _ = e.(*charmap.Charmap)
	}
}

// looseBoundary finds the boundary of a field that breaks the grammar.
func looseBoundary(value string) string {
	i := 0
	for ; !strings.EqualFold(value[i:min(len(value), i+len("boundary="))], "boundary="); i++ {
		if i == len(value) {
			return ""
		}
	}
	v := strings.TrimLeft(value[min(len(value), i+len("boundary=")):], " \t\"")
	if j := strings.IndexAny(v, "\";\r\n"); j >= 0 {
		v = v[:j]
	}
	return strings.TrimSpace(v)
}

// mend makes UTF-8 of a header field: what the parser understood of it at the
// top, a decoding elsewhere.
func (w *walker) mend(name, value string, f []byte, end int64) {
	if v, ok := w.known[value]; ok && !w.nested && isToken(name) {
		w.edits = append(w.edits, edit{w.fieldStart, end, replaced, name + ": " + v + string(f[len(bytes.TrimRight(f, "\r\n")):]), nil})
		return
	}
	if n := len(w.edits); n > 0 && w.joins(w.edits[n-1]) {
		w.edits[n-1].to = end
		return
	}
	w.edits = append(w.edits, edit{from: w.fieldStart, to: end, how: decoded, charset: w.hint})
}

// joins reports whether the field's decoding can go on with the last one: what
// stands between is UTF-8, which a decoding leaves alone, but no field that may
// have to be replaced.
func (w *walker) joins(last edit) bool {
	between := w.codingAt[0] >= last.to && w.codingAt != [2]int64{}
	return last.how == decoded && last.charset == w.hint && !between && w.fieldStart-last.to < copyBuffer
}
