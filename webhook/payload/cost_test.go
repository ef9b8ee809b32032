package payload

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/gateway/mail"
)

// shapes are mails of a quarter of a megabyte that arrange their octets in all the ways
// which might cost more than octets do.
func shapes() map[string]string {
	const size = 256 << 10
	head := "From: a@example.org\r\nSubject: x\r\n"
	mixed := head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	part := func(lines string) string { return "--b\r\n" + lines + "\r\n" }
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	numbered := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	m := map[string]string{
		"text":                  head + "\r\n" + fill("Words of a text that people write.\r\n"),
		"8-bit text":            head + "Content-Type: text/plain; charset=koi8-r\r\n\r\n" + fill("\xf0\xd2\xc9\xd7\xc5\xd4 \xcd\xc9\xd2\r\n"),
		"html":                  head + "Content-Type: text/html\r\n\r\n" + fill("<p>Words <b>of</b> a text</p>\r\n"),
		"one file":              mixed + part("Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n"+fill("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0\r\n")) + "--b--\r\n",
		"files of 3 octets":     mixed + fill(part("Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD")) + "--b--\r\n",
		"files of 1,000 octets": mixed + fill(part("Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n"+strings.Repeat("QUJD", 250))) + "--b--\r\n",
		"files, unclean base64": mixed + fill(part("Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nQ UJD")) + "--b--\r\n",
		"files, quoted":         mixed + fill(part("Content-Type: a/b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=20b")) + "--b--\r\n",
		"files, 8bit":           mixed + fill(part("Content-Type: a/b\r\n\r\nabc")) + "--b--\r\n",
		"files, uuencoded":      mixed + fill(part("Content-Type: a/b\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\r\n#86)C\r\nend")) + "--b--\r\n",
		"texts of 3 octets":     mixed + fill(part("\r\nabc")) + "--b--\r\n",
		"htmls of 3 octets":     mixed + fill(part("Content-Type:text/html\r\n\r\nabc")) + "--b--\r\n",
		"texts, koi8-r":         mixed + fill(part("Content-Type:text/plain;charset=koi8-r\r\n\r\n\xc1\xc2\xd7")) + "--b--\r\n",
		"texts, raw 8-bit":      mixed + fill(part("\r\n\xc1\xc2\xd7")) + "--b--\r\n",
		"empty parts":           mixed + fill("--b\r\n\r\n") + "--b--\r\n",
		"messages":              mixed + fill(part("Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nabc")) + "--b--\r\n",
		"uuencoded in a text":   head + "\r\n" + fill("begin 644 a\r\n#86)C\r\nend\r\n"),
		"uuencoded in texts":    mixed + fill(part("\r\n"+strings.Repeat("begin 644 a\r\n#86)C\r\nend\r\n", 100))) + "--b--\r\n",
		"fields":                head + fill("A: b\r\n") + "\r\nx",
		"fields, numbered":      head + numbered("A%d: b\r\n") + "\r\nx",
		"fields, raw 8-bit":     head + fill("A: \xc1\xd2\xc9\r\n") + "\r\nx",
		"fields of parts":       mixed + fill(part(strings.Repeat("A: b\r\n", 300)+"\r\nabc")) + "--b--\r\n",
		"folded field":          head + "A: " + fill("b\r\n ") + "\r\n\r\nx",
		"many addresses":        head + "To: " + fill("a@b,\r\n ") + "c@d\r\n\r\nx",
		"many references":       head + "References: " + fill("<a@b>\r\n ") + "\r\n\r\nx",
		"parameters":            head + "Content-Type: text/plain" + fill(";\r\n a=b") + "\r\n\r\nx",
		"parameters, RFC 2231":  head + "Content-Type: a/b" + numbered(";\r\n a*%d*=%%41") + "\r\n\r\nx",
		"parameters of parts":   mixed + fill(part("Content-Type: a/b"+numbered("; a*%d*=%%41")[:2000]+"\r\n\r\nabc")) + "--b--\r\n",
		"words":                 "Subject: " + fill("=?koi8-r?Q?=C1?= x ") + "\r\n\r\nx",
		"words of two charsets": "Subject: " + fill("=?koi8-r?Q?=C1?= =?cp1251?Q?=C1?= ") + "\r\n\r\nx",
		"words, unknown":        "Subject: " + fill("=?q?Q?=C1?= =?r?Q?=C1?= ") + "\r\n\r\nx",
		"words, japanese":       "Subject: " + fill("=?iso-2022-jp?B?GyRCMEEbKEI=?= =?euc-jp?B?sME=?= ") + "\r\n\r\nx",
		"words in addresses":    "To: " + fill("=?koi8-r?Q?=C1?= <a@b>, ") + "\r\n\r\nx",
		"words in names":        mixed + fill(part("Content-Type: a/b; name=\""+strings.Repeat("=?koi8-r?Q?=C1?= x ", 50)+"\"\r\n\r\nabc")) + "--b--\r\n",
		"defects":               mixed + numbered("--b\r\nContent-Type: a%[1]d\r\nContent-Transfer-Encoding: e%[1]d\r\n\r\nabc\r\n") + "--b--\r\n",
		"flips of depth":        flips(size),
		"nested":                nested(45) + fill("x\r\n"),
		"winmail.dat":           head + "Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n" + wrapped(winmail(900, size*3/4/900)),
		"winmail.dat, small":    head + "Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n" + wrapped(winmail(size/60, 3)),
		"winmail.dats":          mixed + fill(part("Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"+wrapped(winmail(1, 3)))) + "--b--\r\n",
		"quotes":                head + "\r\n" + fill("> x\r\ny\r\n"),
	}
	return m
}

// nested opens multiparts one inside the other.
func nested(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	return b.String() + "\r\n\xc1\r\n"
}

// flips opens and closes a multipart at the bottom of deep nesting, again and again.
func flips(size int) string {
	const inner = "--b40\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n\xc1\r\n--c--\r\n"
	return nested(41) + strings.Repeat(inner, size/len(inner))
}

func wrapped(b []byte) string {
	s := base64.StdEncoding.EncodeToString(b)
	var out strings.Builder
	for len(s) > 76 {
		out.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return out.String() + s + "\r\n"
}

// winmail makes a winmail.dat of n attachments of size octets.
func winmail(n, size int) []byte {
	b := []byte{0x78, 0x9f, 0x3e, 0x22, 0, 0}
	attribute := func(id uint32, data []byte) {
		b = append(b, 2)
		b = binary.LittleEndian.AppendUint32(b, id)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		b = append(append(b, data...), 0, 0)
	}
	for range n {
		attribute(0x00069002, nil)
		attribute(0x00018010, []byte("a.txt\x00"))
		attribute(0x0006800f, bytes.Repeat([]byte("x"), size))
	}
	return b
}

// perOctet bounds what is allocated in all, while a mail is parsed or rendered,
// for each of its octets. Smaller pieces cost more; none costs a buffer of its own.
const perOctet = 64 * allocationFactor

// cpuPerOctet is far above what any shape takes (80 ns), since the machine may be
// busy, and far below what a quadratic reader does.
const cpuPerOctet = 5 * time.Microsecond

// TestCostFollowsOctets: how a mail's octets are arranged doesn't multiply what
// they cost.
func TestCostFollowsOctets(t *testing.T) {
	for name, text := range shapes() {
		for where, src := range map[string]mail.Source{"memory": mail.Bytes(text), "a file": inFile(t, text)} {
			d := full()
			d.Raw = src
			holds(t, fmt.Sprintf("%s, parsed in %s", name, where), src, func() (err error) {
				d.Message, err = mail.Parse(src, mail.Limits{})
				return err
			})
			for _, f := range Formats() {
				for _, place := range []Where{Inline, Omit} {
					if place == Omit && f != (Native{}) {
						continue
					}
					o := options
					o.Attachments = place
					holds(t, fmt.Sprintf("%s as %s, %s, in %s", name, f.Name(), place, where), src, func() error {
						b, err := f.Render(d, o)
						if err != nil {
							return err
						}
						return b.Write(io.Discard)
					})
				}
			}
		}
	}
}

func inFile(t *testing.T, text string) mail.Source {
	path := filepath.Join(t.TempDir(), "mail")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file(path)
}

// holds runs something over a mail and checks what it took.
func holds(t *testing.T, what string, src mail.Source, run func() error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpuTime()
	if err := run(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	cpu := cpuTime() - start
	runtime.ReadMemStats(&after)
	n := float64(src.Size())
	octets, ns := float64(after.TotalAlloc-before.TotalAlloc)/n, float64(cpu.Nanoseconds())/n
	t.Logf("%6.1f octets, %6.1f ns an octet: %s", octets, ns, what)
	if octets > perOctet || ns > float64(cpuPerOctet.Nanoseconds()) {
		t.Errorf("%s: %.1f octets are allocated, %.1f ns of CPU are taken for each of %.0f", what, octets, ns, n)
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
