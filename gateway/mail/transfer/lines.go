package transfer

import "bytes"

// CutLine returns the line at pos without its line end, and where the next one
// starts.
func CutLine(b []byte, pos int) ([]byte, int) {
	i := bytes.IndexByte(b[pos:], '\n')
	if i < 0 {
		return b[pos:], len(b)
	}
	return TrimCR(b[pos : pos+i]), pos + i + 1
}

// TrimEOL drops the line end.
func TrimEOL(b []byte) []byte { return TrimCR(bytes.TrimSuffix(b, []byte("\n"))) }

// TrimCR drops the carriage returns before a line feed: some systems send two.
func TrimCR(line []byte) []byte {
	for len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	return line
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }
