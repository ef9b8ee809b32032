package mail

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestSafeFilename: what a sender calls a file, and the name that is safe to use.
func TestSafeFilename(t *testing.T) {
	for in, want := range map[string]string{
		"report.pdf": "report.pdf", ".profile": ".profile", "a b.tar.gz": "a b.tar.gz", "отчёт.pdf": "отчёт.pdf", "a, (1).pdf": "a, (1).pdf",
		"../../etc/passwd": "passwd", `C:\dir\evil.exe`: "evil.exe", "dir/": "dir", ".": "", "..": "", ". . .": "", "a\u202efdp.exe": "afdp.exe", "a\x00b.txt": "ab.txt",
		"C:evil.exe": "evil.exe", "c:D:evil.exe": "evil.exe", "C:": "", "C:..": "", "x.pdf::$DATA": "x.pdf", "x.pdf:evil.exe": "x.pdf", "x.pdf:a:$DATA": "x.pdf", "x:": "", "ab:": "ab",
		"Re: offer.pdf": "Re- offer.pdf", "Meeting 10:30.ics": "Meeting 10-30.ics", "v1.2: offer.pdf": "v1.2- offer.pdf", "AW: Re: x.pdf::$DATA": "AW- Re- x.pdf",
		"aux": "_aux", "CON": "_CON", "nul.txt": "_nul.txt", "nul.tar.gz": "_nul.tar.gz", "com1": "_com1", "Lpt9.doc": "_Lpt9.doc", "COM¹.txt": "_COM¹.txt", "con .txt": "_con .txt", "con.": "_con", "C:con": "_con", "aux:x": "aux-x",
		"console": "console", "com": "com", "com10": "com10", "comx": "comx", "comlpt1": "comlpt1", "auxiliary.txt": "auxiliary.txt",
		"evil.exe.": "evil.exe", "evil.exe. . ": "evil.exe", "evil.exe\u00a0": "evil.exe", " a.txt": "a.txt",
		strings.Repeat("a", 300) + ".pdf": strings.Repeat("a", 251) + ".pdf", strings.Repeat("ж", 200) + ".pdf": strings.Repeat("ж", 125) + ".pdf", strings.Repeat("a", 255): strings.Repeat("a", 255),
		"a." + strings.Repeat("b", 300): "a." + strings.Repeat("b", 253), strings.Repeat("a", 254) + ". " + strings.Repeat("b", 99): strings.Repeat("a", 254),
	} {
		got := safeFilename(in)
		if got != want || len(got) > maxFilename || !utf8.ValidString(got) || safeFilename(got) != got {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// TestLeftOut: what is left out of a header field or a name is told.
func TestLeftOut(t *testing.T) {
	for in, want := range map[string]bool{
		"Subject: a\x00b\n\nx\n": true, "Subject: =?utf-8?Q?a=00b?=\n\nx\n": true, "From: a\x00b <a@x.org>\n\nx\n": true, "Subject: ab\x01\n\nx\n": true,
		"Content-Disposition: attachment; filename=\"a\x00b.txt\"\n\nx\n": true, "Content-Disposition: attachment; filename*=utf-8''a%00b.txt\n\nx\n": true,
		"Subject: ab\n c\td\n\nx\n": false, "Subject: =?utf-8?B?77u/YWI=?=\n\nx\n": false, "Subject: =?utf-16be?B?AGEAYg==?=\n\nx\n": false,
	} {
		m := parse(t, in)
		if told := strings.Contains(strings.Join(m.Defects, "\n"), "is left out"); told != want || strings.ContainsAny(m.Subject, "\x00\x01") {
			t.Errorf("%q: subject %q, defects %q", in, m.Subject, m.Defects)
		}
	}
}
