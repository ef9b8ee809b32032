package auth_test

import (
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"postern/gateway/auth"
	"postern/gateway/mail"
	"postern/gateway/spool"
)

const us = "mx.our.example"

// shown is a message as readers see it: behind our own line, without what was
// removed.
func shown(t testing.TB, message string, ours ...string) string {
	t.Helper()
	data := mail.Bytes(message)
	r, err := auth.Forged(data, ours...)
	if err != nil {
		t.Fatal(err)
	}
	in, err := mail.Without(data, r.Spans).Open()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// disguises are fields that pretend to be our verdict.
var disguises = map[string]string{
	"plain":                     "Authentication-Results: mx.our.example; dmarc=pass",
	"upper case":                "AUTHENTICATION-RESULTS: MX.OUR.EXAMPLE; dmarc=pass",
	"blank before the colon":    "Authentication-Results : mx.our.example; dmarc=pass",
	"tabs before the colon":     "Authentication-Results\t\t: mx.our.example; dmarc=pass",
	"folded":                    "Authentication-Results:\r\n mx.our.example;\r\n dmarc=pass",
	"folded with a comment":     "Authentication-Results: (x)\r\n\t(y (z)) mx.our.example (1);\r\n dmarc=pass",
	"comment in the name":       "Authentication-Results: m(x)x.our.example; dmarc=pass",
	"unclosed comment":          "Authentication-Results: mx.our.example (; dmarc=pass",
	"folded name":               "Authentication-Results\r\n : mx.our.example; dmarc=pass",
	"name broken by a fold":     "Authentication-\r\n Results: mx.our.example; dmarc=pass",
	"quoted":                    `Authentication-Results: "mx.our.example"; dmarc=pass`,
	"quoted pairs":              `Authentication-Results: "mx\.our\.example"; dmarc=pass`,
	"version":                   "Authentication-Results: mx.our.example 1; dmarc=pass",
	"version behind a slash":    "Authentication-Results: mx.our.example/1; dmarc=pass",
	"trailing dot":              "Authentication-Results: mx.our.example.; dmarc=pass",
	"port":                      "Authentication-Results: mx.our.example:25; dmarc=pass",
	"trailing dot and port":     "Authentication-Results: MX.our.example.:25; dmarc=pass",
	"in brackets":               "Authentication-Results: [mx.our.example]; dmarc=pass",
	"zero-width space":          "Authentication-Results: mx.\u200bour.example; dmarc=pass",
	"soft hyphen":               "Authentication-Results: mx.o\u00adur.example; dmarc=pass",
	"zero-width non-joiner":     "Authentication-Results: mx.our\u200c.example; dmarc=pass",
	"Hangul filler":             "Authentication-Results: mx.o\u3164ur.example; dmarc=pass",
	"Hangul choseong filler":    "Authentication-Results: mx.o\u115fur.example; dmarc=pass",
	"half-width Hangul filler":  "Authentication-Results: mx\uffa0.our.example; dmarc=pass",
	"grapheme joiner":           "Authentication-Results: mx.our\u034f.example; dmarc=pass",
	"left-to-right mark":        "Authentication-Results: mx.our.example\u200e; dmarc=pass",
	"byte order mark":           "Authentication-Results: \ufeffmx.our.example; dmarc=pass",
	"mathematical letters":      "Authentication-Results: \U0001d426\U0001d431.our.example; dmarc=pass",
	"variation selector":        "Authentication-Results: mx.our\ufe0f.example; dmarc=pass",
	"several trailing dots":     "Authentication-Results: mx.our.example..; dmarc=pass",
	"blanks around dots":        "Authentication-Results: mx . our .example; dmarc=pass",
	"ideographic dots":          "Authentication-Results: mx\u3002our\uff0eexample; dmarc=pass",
	"full width":                "Authentication-Results: ｍｘ.our.example; dmarc=pass",
	"encoded word":              "Authentication-Results: =?utf-8?q?mx=2Eour=2Eexample?=; dmarc=pass",
	"encoded whole":             "Authentication-Results: =?utf-8?b?bXgub3VyLmV4YW1wbGU7IGRtYXJjPXBhc3M=?=",
	"encoded twice":             "Authentication-Results: =?utf-8?q?=3D=3Futf-8=3Fq=3Fmx=2Eour=2Eexample=3F=3D?=; dmarc=pass",
	"within a list":             "Authentication-Results: mx.other.example; spf=pass; mx.our.example; dmarc=pass",
	"within a list of commas":   "Authentication-Results: mx.other.example, mx.our.example; dmarc=pass",
	"no authserv-id":            "Authentication-Results: dmarc=pass; spf=pass",
	"nothing before the list":   "Authentication-Results: ; dmarc=pass",
	"underscores":               "Authentication_Results: mx.our.example; dmarc=pass",
	"control in the name":       "Authentication-Results\x00: mx.our.example; dmarc=pass",
	"no-break in the name":      "Authentication\u00ad-Results: mx.our.example; dmarc=pass",
	"no-break space":            "Authentication-Results:\u00a0mx.our.example; dmarc=pass",
	"ARC":                       "ARC-Authentication-Results: i=1; mx.our.example; dmarc=pass",
	"ARC without an id":         "ARC-Authentication-Results: i=1; dmarc=pass",
	"X-Original":                "X-Original-Authentication-Results: mx.our.example; dmarc=pass",
	"original behind":           "Authentication-Results-Original: mx.our.example; dmarc=pass",
	"Received-SPF":              "Received-SPF: pass (mx.other.example: all is well) client-ip=192.0.2.1",
	"Received-SPF in disguise":  "RECEIVED-spf :\r\n pass",
	"a line that is no field":   "who knows\r\n Authentication-Results: mx.our.example; dmarc=pass",
	"a name that has blanks":    "a b: c\r\n Authentication-Results: mx.our.example;\r\n dmarc=pass",
	"CR alone":                  "X-A: b\rAuthentication-Results: mx.our.example; dmarc=pass",
	"CR alone, folded":          "X-A: b\rAuthentication-Results:\r mx.our.example; dmarc=pass",
	"several CRs":               "X-A: b\r\r\rAuthentication-Results: mx.our.example; dmarc=pass",
	"LF alone":                  "X-A: b\nAuthentication-Results: mx.our.example; dmarc=pass",
	"blanks in front":           "\x0bAuthentication-Results: mx.our.example; dmarc=pass",
	"our note about removals":   "X-Postern-Removed: nothing",
	"very long":                 "Authentication-Results: (" + strings.Repeat("x", 70<<10) + ") mx.our.example; dmarc=pass",
	"a line of blanks above it": " \t\r\nAuthentication-Results: mx.our.example; dmarc=pass",
}

// TestForged puts each disguise at the top, in the middle and at the end of a
// header: nothing of it stays, and nothing else goes.
func TestForged(t *testing.T) {
	const before, after, body = "From: a@b.example\r\nSubject: s\r\n", "To: c@our.example\r\n", "\r\nhello\r\n"
	for name, d := range disguises {
		for place, m := range map[string][3]string{
			"top":    {"", before + after + body},
			"middle": {before, after + body},
			"end":    {before + after, body},
			"no end": {before + after, ""},
		} {
			got := shown(t, m[0]+d+"\r\n"+m[1], us)
			if v := verdictOfOurs(got); v != "" {
				t.Errorf("%s, %s: %q reads as ours in %q", name, place, v, got)
			}
			if lower := strings.ToLower(got); strings.Contains(lower, "dmarc=pass") || strings.Contains(lower, "received-spf") {
				t.Errorf("%s, %s: stays in %q", name, place, got)
			}
			if !strings.HasPrefix(got, m[0]) || !strings.HasSuffix(got, m[1]) {
				t.Errorf("%s, %s: too much went: %q", name, place, got)
			}
		}
	}
}

// TestIDN: a host's name is the same in both of its forms.
func TestIDN(t *testing.T) {
	for _, own := range []string{"mx.bücher.example", "mx.xn--bcher-kva.example", "MX.BÜCHER.example."} {
		for _, id := range []string{"mx.bücher.example", "mx.BÜCHER.example", "mx.xn--bcher-kva.example", "MX.XN--BCHER-KVA.EXAMPLE.", "=?utf-8?q?mx=2Eb=C3=BCcher=2Eexample?=", "mx.bu\u0308cher.example"} {
			if got := shown(t, "Authentication-Results: "+id+"; dmarc=pass\r\n\r\n", own); got != "\r\n" {
				t.Errorf("%s as %s stays: %q", own, id, got)
			}
		}
	}
}

// TestNotForged: what others say under their own name is theirs to say, and a
// body is nobody's header.
func TestNotForged(t *testing.T) {
	for _, m := range []string{
		"Authentication-Results: mx.other.example; dmarc=pass header.from=our.example\r\n\r\n",
		"Authentication-Results: mx.other.example 1; spf=pass smtp.mailfrom=mx.our.example\r\n\r\n",
		"Authentication-Results: mx.other.example;\r\n spf=pass (mx.other.example: domain of bob@mx.our.example) smtp.mailfrom=bob@mx.our.example\r\n\r\n",
		"Authentication-Results: other.mx.our.example; none\r\n\r\n",
		"Authentication-Results: mx.our.example.evil.example; dmarc=pass\r\n\r\n",
		"ARC-Authentication-Results: i=1; mx.google.com; spf=pass\r\n\r\n",
		"DKIM-Signature: v=1; h=From:To:\r\n Authentication-Results:Received-SPF:\r\n Received-SPF:Subject; b=x\r\n\r\n",
		"Subject: Authentication-Results: mx.our.example; dmarc=pass\r\n\r\n",
		"Subject: a\r\n Authentication-Results: mx.our.example; dmarc=pass\r\n\r\n",
		"From: a@b.example\r\n\r\nAuthentication-Results: mx.our.example; dmarc=pass\r\n",
		"From: a@b.example\r\n\r\r\nAuthentication-Results: mx.our.example; dmarc=pass\r\n",
		"Content-Type: message/rfc822\r\n\r\nAuthentication-Results: mx.our.example; dmarc=pass\r\nReceived-SPF: pass\r\n\r\nnested\r\n",
	} {
		if got := shown(t, m, us); got != m {
			t.Errorf("%q became %q", m, got)
		}
	}
}

// TestForgedInFile reads a message from a file, through a window and by pieces:
// the same as from memory.
func TestForgedInFile(t *testing.T) {
	filler := strings.Repeat("X-Filler: "+strings.Repeat("y", 900)+"\r\n", 100)
	m := filler + disguises["folded"] + "\r\n" + filler + disguises["CR alone, folded"] + "\r\n" + filler + disguises["very long"] + "\r\n\r\n" + strings.Repeat("body\r\n", 60000)
	want := shown(t, m, us)
	spooler, err := spool.New(t.TempDir(), 1024, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := spooler.New("", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := io.WriteString(p, m); err != nil {
		t.Fatal(err)
	}
	r, err := auth.Forged(p.Source(), us)
	if err != nil {
		t.Fatal(err)
	}
	src := mail.Without(p.Source(), r.Spans)
	in, err := src.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	got, err := io.ReadAll(struct{ io.Reader }{in})
	if err != nil || string(got) != want || src.Size() != int64(len(want)) {
		t.Fatalf("%d octets of %d, want %d, %v", len(got), src.Size(), len(want), err)
	}
	for _, at := range []int64{0, 1, 90000, 95000, 200000, src.Size() - 3} {
		if _, err := in.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if _, err := io.Copy(&b, in); err != nil || b.String() != want[at:] {
			t.Fatalf("from %d: %d octets, want %d, %v", at, b.Len(), len(want)-int(at), err)
		}
	}
}

// TestNote: the trace says what went.
func TestNote(t *testing.T) {
	r, err := auth.Forged(mail.Bytes("Received-SPF: a\r\nAUTHENTICATION-results: "+us+"; x=y\r\nX: y\r\nreceived-spf: b\r\n\r\n"), us)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Note(), "X-Postern-Removed: Authentication-Results,\r\n Received-Spf (2)\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := (auth.Removal{}).Note(); got != "" {
		t.Errorf("%q for nothing", got)
	}
}

// verdictOfOurs is the first field that one of several readers takes for our
// verdict, "" if none does. They know nothing of how Forged reads.
func verdictOfOurs(message string) string {
	message = "Received: by " + us + "\r\n" + message // as everybody gets it
	for _, f := range append(carelessFields(message), parsedFields(message)...) {
		name := strings.ToLower(strings.TrimSpace(f[0]))
		if strings.HasSuffix(name, "received-spf") {
			return f[0] + ":" + f[1]
		}
		if strings.HasSuffix(name, "authentication-results") && slices.Contains(authservIDs(f[1]), us) {
			return f[0] + ":" + f[1]
		}
	}
	return ""
}

// carelessFields splits at every line end that there is.
func carelessFields(message string) (out [][2]string) {
	message = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(message)
	header, _, _ := strings.Cut(message, "\n\n")
	for line := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(header, "\n ", " "), "\n\t", " "), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			out = append(out, [2]string{name, value})
		}
	}
	return out
}

func parsedFields(message string) (out [][2]string) {
	m, err := mail.Parse(mail.Bytes(message), mail.Limits{})
	if err != nil {
		return nil
	}
	for _, h := range m.Headers {
		out = append(out, [2]string{h.Name, h.Value})
	}
	return out
}

var (
	comment  = regexp.MustCompile(`\([^()]*\)`)
	version  = regexp.MustCompile(`[/ \t]+[0-9]+$`)
	instance = regexp.MustCompile(`^\s*i\s*=\s*[0-9]+\s*;`)
)

// authservIDs are the ids that somebody could read in a value.
func authservIDs(value string) (ids []string) {
	for _, v := range []string{value, comment.ReplaceAllString(value, ""), comment.ReplaceAllString(comment.ReplaceAllString(value, " "), " ")} {
		v = instance.ReplaceAllString(v, "")
		v, _, _ = strings.Cut(v, ";")
		v = strings.NewReplacer(`"`, "", `\`, "").Replace(v)
		v = version.ReplaceAllString(strings.TrimSpace(v), "")
		ids = append(ids, strings.TrimSuffix(strings.ToLower(strings.TrimSpace(v)), "."))
	}
	return ids
}

// FuzzForged: whatever a header looks like, nobody reads a verdict of ours in it.
func FuzzForged(f *testing.F) {
	for _, d := range disguises {
		if len(d) < 1000 {
			f.Add("Subject: s\r\n" + d + "\r\nTo: x@y.example\r\n\r\nbody\r\n")
		}
	}
	f.Fuzz(func(t *testing.T, message string) {
		got := shown(t, message, us)
		if v := verdictOfOurs(got); v != "" {
			t.Errorf("%q reads as ours; the message is %q, shown as %q", v, message, got)
		}
		if again := shown(t, got, us); verdictOfOurs(again) != "" || len(again) > len(got) {
			t.Errorf("%q, shown again: %q", got, again)
		}
	})
}

// TestMutations changes the disguises at random: POSTERN_MUTATIONS of them
// (20,000), the same each time.
func TestMutations(t *testing.T) {
	n := 20000
	if s := os.Getenv("POSTERN_MUTATIONS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	rnd := rand.New(rand.NewPCG(12, 9))
	seeds := make([]string, 0, len(disguises))
	for _, d := range disguises {
		if len(d) < 1000 {
			seeds = append(seeds, d)
		}
	}
	slices.Sort(seeds)
	pieces := []string{"\r", "\n", "\r\n", "\r\n ", "\n\t", " ", "\t", ":", ";", "(", ")", `"`, `\`, ".", ",", "/1", "=", "i=1;", "=?utf-8?q?", "?=", "\x00", "\x0b", "\u3002",
		us, strings.ToUpper(us), "Authentication-Results", "Received-SPF:", "X-", "ARC-", "dmarc=pass", "mx.other.example", "\r\nSubject: s", "=2E", "\u00a0", "xn--"}
	forged := 0
	for range n {
		m := seeds[rnd.IntN(len(seeds))]
		if rnd.IntN(3) == 0 {
			m += "\r\n" + seeds[rnd.IntN(len(seeds))]
		}
		for range 1 + rnd.IntN(6) {
			at := rnd.IntN(len(m) + 1)
			switch p := pieces[rnd.IntN(len(pieces))]; rnd.IntN(3) {
			case 0:
				m = m[:at] + m[min(len(m), at+1+rnd.IntN(3)):]
			default:
				m = m[:at] + p + m[at:]
			}
		}
		m = "Subject: s\r\n" + m + "\r\nTo: x@y.example\r\n\r\nbody\r\n"
		if verdictOfOurs(m) != "" {
			forged++
		}
		if v := verdictOfOurs(shown(t, m, us)); v != "" {
			t.Fatalf("%q reads as ours in %q", v, m)
		}
	}
	if forged < n/8 {
		t.Errorf("only %d of %d mutations were forgeries", forged, n)
	}
}
