package header

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func readTestHeader(s string) (Block, string, int, []string) {
	var defects []string
	r := Reader{Max: 5, Defect: func(d string) {
		if !slices.Contains(defects, d) {
			defects = append(defects, d)
		}
	},
		IsDelim: func(l []byte) bool { return bytes.HasPrefix(l, []byte("bb")) }}
	h, body, over := r.Read([]byte(s))
	return h, s[body:], over, defects
}

func TestHeaderReader(t *testing.T) {
	tests := []struct {
		name, in, fields, body string
		defects                int
	}{
		{"plain", "A: 1\r\nB: 2\r\n\r\nbody", "A=1|B=2", "body", 0},
		{"bare line feeds", "A: 1\nB: 2\n\nbody", "A=1|B=2", "body", 0},
		{"folded", "A: 1\r\n 2\r\n\t3\r\n\r\nx", "A=1 2\t3", "x", 0},
		{"empty first line of a fold", "A:\r\n 1\r\n\r\nx", "A=1", "x", 0},
		{"a line of white space inside a fold", "A: 1\r\n \r\n 2\r\nB: 3\r\n\r\nx", "A=1  2|B=3", "x", 0},
		{"a line of white space and text", "A: 1\r\n \t\r\nHello: there\r\nx", "A=1", "Hello: there\r\nx", 1},
		{"a line of white space and a delimiter line of nobody's", "A: 1\r\n \r\n--cc\r\nSubject: 2\r\n\r\nx", "A=1", "--cc\r\nSubject: 2\r\n\r\nx", 1},
		{"a line of white space and a calendar", "A: 1\r\n \r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "A=1", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", 1},
		{"a line of white space, and fields go on", "A: 1\r\n \r\nB: 2\r\nSubject: 3\r\n\r\nx", "A=1|B=2|Subject=3", "x", 0},
		{"no body", "A: 1", "A=1", "", 0},
		{"nothing", "", "", "", 0},
		{"no header", "\r\nbody", "", "body", 0},
		{"text only", "just some text\r\nmore\r\n", "", "just some text\r\nmore\r\n", 1},
		{"mbox line", "From x Mon Jan 1\r\nA: 1\r\n\r\nx", "A=1", "x", 1},
		{"quoted mbox line", ">From x Mon Jan 1\r\nA: 1\r\n\r\nx", "A=1", "x", 1},
		{"line without a colon", "A: 1\r\njunk\r\nSubject: 2\r\n\r\nx", "A=1|Subject=2", "x", 1},
		{"mbox lines behind our own", "Received: x\r\nFrom a Mon\r\n>From b Tue\r\nA: 1\r\n\r\nx", "Received=x|A=1", "x", 1},
		{"several junk lines", "A: 1\r\njunk\r\nmore junk\r\nSubject: 2\r\n\r\nx", "A=1|Subject=2", "x", 2},
		{"too many to be junk", "A: 1\r\nDear all\r\nhere is\r\nmy text\r\nas\r\nSubject: 2\r\n", "A=1", "Dear all\r\nhere is\r\nmy text\r\nas\r\nSubject: 2\r\n", 1},
		{"body without a blank line", "A: 1\r\nHello there\r\n\r\nx", "A=1", "Hello there\r\n\r\nx", 1},
		{"space before the colon", "A : 1\r\n\r\nx", "A=1", "x", 0},
		{"leading space", " A: 1\r\nB: 2\r\n\r\nx", "A=1|B=2", "x", 0},
		{"8-bit name", "X-\xcf\xe5: 1\r\n\r\nx", "X-\ufffd=1", "x", 0},
		{"empty name", "A: 1\r\n: 2\r\n\r\nx", "A=1|=2", "x", 0},
		{"cut by a delimiter", "A: 1\r\n--bb\r\nB: 2\r\n\r\n", "A=1", "--bb\r\nB: 2\r\n\r\n", 1},
		{"not a delimiter", "--cc\r\nA: 1\r\n\r\nx", "A=1", "x", 1},
		{"bare CR in a value", "A: 1\r2\r\n\r\nx", "A=1 2", "x", 0},
	}
	for _, tt := range tests {
		h, body, _, defects := readTestHeader(tt.in)
		var got []string
		for _, f := range h.Fields {
			got = append(got, f.Name+"="+string(Unfold(f.Raw)))
		}
		if s := strings.Join(got, "|"); s != tt.fields || body != tt.body || len(defects) != tt.defects {
			t.Errorf("%s: fields %q body %q defects %q", tt.name, s, body, defects)
		}
	}
}

func TestHeaderLimit(t *testing.T) {
	in := strings.Repeat("X-A: 1\r\n", 7) + "Subject: kept\r\nX-B: 2\r\n\r\nbody"
	h, body, over, _ := readTestHeader(in)
	if len(h.Fields) != 6 || h.Fields[5].Name != "Subject" || body != "body" || over != 5*len("X-A: 1\r\n") {
		t.Errorf("%d fields, body %q, over at %d", len(h.Fields), body, over)
	}
}

func FuzzHeaderReader(f *testing.F) {
	for _, s := range []string{"A: 1\r\n b\r\n\r\nx", "From a\n>From b\nA: 1\n--bb\n", "a\r\n b\r\nC: d\r\n", " \n\t\n:\n", "\r\r\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, body, over, _ := readTestHeader(s)
		if over > len(s)-len(body) {
			t.Errorf("over %d behind the header's end", over)
		}
		for _, f := range h.Fields {
			if !strings.Contains(s, string(f.Raw)) {
				t.Errorf("field %q isn't in the mail", f.Raw)
			}
			Unfold(f.Raw)
		}
	})
}
