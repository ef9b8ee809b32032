package mail

import (
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bombs are mails made to cost much. Each is a few megabytes.
func bombs() map[string]string {
	const mb = 1 << 20
	fill := func(s string, n int) string { return strings.Repeat(s, n/len(s)) }
	head := "Subject: x\r\n"
	nested := ""
	for i := range 60 {
		nested += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	mixed := head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	html := head + "Content-Type: text/html\r\n\r\n"
	text := head + "\r\nx\r\n"
	encoded := func(cte, s string) string {
		return head + "Content-Type: application/x\r\nContent-Transfer-Encoding: " + cte + "\r\n\r\n" + s
	}
	m := map[string]string{
		"delimiters that are none":   mixed + fill("--\n", 8*mb),
		"delimiters, short":          mixed + fill("--b\n", 4*mb),
		"nested delimiters":          nested + fill("--b\n", 8*mb),
		"wrong boundaries":           mixed + fill("--c\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\n", 4*mb),
		"dashes":                     mixed + fill("-", 8*mb),
		"parts without header":       mixed + fill("--b\r\nno field\r\n", 4*mb),
		"parts of many types":        mixed + fill("--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n", 4*mb),
		"header without end":         fill("X-A: b\r\n", 4*mb),
		"header of one line":         "X-A: " + fill("b ", 4*mb),
		"bad header lines":           head + fill("no field\r\n y\r\n", mb) + "X: y\r\n\r\n",
		"parameters":                 "Content-Type: text/plain" + fill("; a*0*=utf-8''%41", mb) + "\r\n\r\n",
		"quoted parameters":          "Content-Type: text/plain; a=" + fill(`"\`, mb) + "\r\n\r\n",
		"encoded words":              "Subject: " + fill("=?koi8-r?Q?=C1?= x ", mb) + "\r\n\r\n",
		"encoded words, never ended": "Subject: " + fill("=?a?B?", mb) + "\r\n\r\n",
		"raw 8-bit subject":          "Subject: " + fill("=?\xc1\xd2 ", mb) + "\r\n\r\n",
		"brackets":                   "To: " + fill("<", mb) + "\r\n\r\n",
		"open brackets":              "To: " + fill("<a@b ", mb) + "\r\n\r\n",
		"comments":                   "To: " + fill("(", mb) + "\r\n\r\n",
		"closed comments":            "To: " + fill("(a)", mb) + "\r\n\r\n",
		"open quotes":                "To: " + fill(`"\`, mb) + "\r\n\r\n",
		"commas":                     "To: " + fill("a,", mb) + "\r\n\r\n",
		"colons":                     "To: @" + fill(":", mb) + ";\r\n\r\n",
		"groups":                     "To: " + fill("a:;", mb) + "\r\n\r\n",
		"recipients":                 "To: " + fill("a@b,", mb) + "\r\n\r\n",
		"references":                 "References: " + fill("<a> ", mb) + "\r\n\r\n",
		"date":                       "Date: " + fill("1 ", mb) + "\r\n\r\n",
		"blank text":                 text + fill("\n", 8*mb),
		"attributions":               text + fill("On 1 2 x:\n", 4*mb),
		"header blocks":              text + fill("From:\n", 4*mb),
		"signatures":                 text + fill("--\n\n\n", 4*mb),
		"mobile signatures":          text + fill("Sent from my x\n", 4*mb),
		"quotes":                     text + fill("> ", 4*mb),
		"uuencode":                   text + fill("begin 644 a\n!\n", 4*mb),
		"carriage returns":           text + fill("\r", 4*mb) + "\n",
		"nested html":                html + fill("<div>", 4*mb),
		"nested html, smaller":       html + fill("<div>", mb/4),
		"html formatting":            html + fill("<b><i><a>", mb/4) + fill("<p>", mb/4),
		"html tables":                html + fill("<table><tr><td>", mb/4),
		"html fonts":                 html + fill("<font><p>", mb/4),
		"html attributes":            html + "<p " + fill("a=b ", mb/2) + ">",
		"html entities":              html + fill("&amp", 4*mb),
		"html comments":              html + fill("<!--", 4*mb),
		"html cells":                 html + "<table><tr>" + fill("<td>x", mb/2) + "</table>",
		"meta":                       html + fill("<meta ", 4*mb),
		"utf-7":                      head + "Content-Type: text/plain; charset=utf-7\r\n\r\n" + fill("+AGE-", 4*mb),
		"iso-2022-jp":                head + "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + fill("\x1b$B0!\x1b(B", 4*mb),
		"8-bit text":                 head + "Content-Type: text/plain; charset=koi8-r\r\n\r\n" + fill("\xd0\xd2\xc9 ", 4*mb),
		"quoted-printable":           encoded("quoted-printable", fill("=", 8*mb)),
		"quoted-printable spaces":    encoded("quoted-printable", fill(" ", 8*mb)),
		"quoted-printable returns":   encoded("quoted-printable", fill("\r", 8*mb)),
		"base64 padding":             encoded("base64", fill("A=", 8*mb)),
		"base64 lines":               encoded("base64", fill("A\n", 8*mb)),
		"uuencoded lines":            encoded("x-uuencode", "begin 644 a\n"+fill("!\n", 8*mb)),
		"winmail.dat":                head + "Content-Type: application/ms-tnef\r\n\r\n\x78\x9f\x3e\x22\x00\x00" + fill("\x02\x02\x90\x06\x00\x00\x00\x00\x00\x00\x00", 8*mb),
	}
	return m
}

// TestBombs: no mail costs much CPU, and what is left of it can be read.
func TestBombs(t *testing.T) {
	limit := time.Second // four times the aim: the machine may be busy
	if raceEnabled {
		limit *= 30 // still far from what a quadratic reader takes
	}
	var worst time.Duration
	for name, in := range bombs() {
		before := cpuTime(t)
		m, err := Parse(notBytes{Bytes(in)}, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		cpu := cpuTime(t) - before
		worst = max(worst, cpu)
		if cpu > 250*time.Millisecond {
			t.Logf("%s: %v", name, cpu)
		}
		if cpu > limit {
			t.Errorf("%s takes %v of CPU", name, cpu)
		}
		for _, a := range m.Attachments[:min(3, len(m.Attachments))] {
			if err := a.Content.WriteBase64(io.Discard); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	t.Logf("the worst takes %v", worst)
}

func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
