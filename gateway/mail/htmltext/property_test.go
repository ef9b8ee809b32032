package htmltext

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bare is an output with nothing added.
func (p *Page) Bare(markdown bool) string {
	r := renderer{Page: p, markdown: markdown, bare: true}
	if markdown {
		r.w.escape = escapeMarkdown
	}
	return r.run()
}

// letters are the letters and digits of a text.
func letters(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return c
		}
		return -1
	}, s)
}

// subsequence says whether a has all of b, in order.
func subsequence(a, b string) bool {
	for len(b) > 0 {
		c, n := utf8.DecodeRuneInString(b)
		i := strings.IndexRune(a, c)
		if i < 0 {
			return false
		}
		a, b = a[i+utf8.RuneLen(c):], b[n:]
	}
	return true
}

// CheckPage holds what is promised of any page.
func CheckPage(t testing.TB, name, source string) {
	t.Helper()
	p := Read(source)
	want := letters(p.Characters())
	for _, markdown := range []bool{false, true} {
		if got := letters(p.Bare(markdown)); got != want {
			i := 0
			for i < len(got) && i < len(want) && got[i] == want[i] {
				i++
			}
			t.Errorf("%s: markdown %v: letters differ at %d: %.80q, want %.80q", name, markdown, i, got[max(0, i-20):], want[max(0, i-20):])
		}
	}
	for how, got := range map[string]string{"text": p.Text(), "markdown": p.Markdown()} {
		if !subsequence(letters(got), want) {
			t.Errorf("%s: %s lacks letters of %.200q: %.200q", name, how, want, got)
		}
		if !utf8.ValidString(got) {
			t.Errorf("%s: %s is no UTF-8", name, how)
		}
		if strings.TrimRight(got, " \n") != got || strings.Contains(got, "\r") {
			t.Errorf("%s: %s ends in blanks: %q", name, how, got[max(0, len(got)-40):])
		}
	}
	p.Hidden()
}

func TestPagesKeepTheirCharacters(t *testing.T) {
	for _, tt := range pieces {
		CheckPage(t, tt.name, tt.html)
	}
	for _, tt := range tricks {
		CheckPage(t, tt.name, tt.html)
	}
	for _, tt := range seen {
		CheckPage(t, tt.name, tt.html)
	}
	CheckPage(t, "letter", letter())
}

func FuzzRead(f *testing.F) {
	for _, tt := range pieces {
		f.Add(tt.html)
	}
	for _, tt := range tricks {
		f.Add(tt.html)
	}
	for _, tt := range seen {
		f.Add(tt.html)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) < 1<<16 {
			CheckPage(t, "fuzz", strings.ToValidUTF8(s, "\ufffd"))
		}
	})
}

// bombs are pages made to cost much.
func bombs() map[string]string {
	const mb = 1 << 18 // a quarter of what is read at all, so that the test is quick
	fill := func(s string, n int) string { return strings.Repeat(s, n/len(s)+1) }
	var rules, classes strings.Builder
	for i := range 8000 {
		fmt.Fprintf(&rules, ".a .b .c%d,", i%3)
		fmt.Fprintf(&classes, "c%d ", i%100)
	}
	return map[string]string{
		"nesting":              fill("<div>", 8*mb),
		"nesting with words":   fill("<div>x", 8*mb),
		"formatting":           fill("<b><i><a>", 2*mb) + fill("<p>", 2*mb),
		"formatting closed":    fill("<b><div>", mb) + fill("</b>", mb),
		"adoption":             fill("<a><div></a>x", 4*mb),
		"fonts":                fill("<font color=red><p>x", 4*mb),
		"end tags of nothing":  fill("<span>", mb/64) + fill("</p></section></td>", 4*mb),
		"tables":               fill("<table><tr><td>", 4*mb),
		"tables with words":    fill("<table><tr><td>x<td>y", 4*mb),
		"words in tables":      "<table>" + fill("x<tr>", 4*mb),
		"cells":                "<table><tr>" + fill("<td>x", 4*mb),
		"rows":                 "<table>" + fill("<tr><td>x<td>y", 4*mb),
		"lists":                fill("<ul><li>x", 4*mb),
		"items":                fill("<li>x", 4*mb),
		"quotes":               fill("<blockquote>x", 4*mb),
		"quotes with lines":    fill("<blockquote>", 6000) + fill("x<br>", 4*mb),
		"line ends":            fill("<br>", 4*mb),
		"preformatted":         "<pre>" + fill("\n", 4*mb),
		"no-break spaces":      fill("&nbsp;", 4*mb) + "x",
		"attributes":           "<p " + fill("a=b ", 4*mb) + ">",
		"an attribute":         "<p style='" + fill("a", 4*mb) + "'>x",
		"declarations":         "<p style='" + fill("color:red;", 4*mb) + "'>x",
		"important":            "<p style='" + fill("color:red!important;", 4*mb) + "'>x",
		"hrefs":                fill("<a href='https://a.example/"+fill("x", 8000)+"'>y</a>", 4*mb),
		"entities":             fill("&amp", 4*mb),
		"comments":             fill("<!--", 4*mb),
		"angles":               fill("<", 4*mb),
		"parentheses":          "<p style='color:" + fill("(", 4*mb) + "'>x",
		"rules":                "<style>" + fill(".a{color:red}", 4*mb) + "</style>" + fill("<p class=a>x", 4*mb),
		"rules by descent":     "<style>" + rules.String() + "x{color:red}</style>" + fill("<p class='a b c0 c1 c2'>x", 4*mb),
		"rules by sibling":     "<style>.a ~ .b ~ .c ~ .d{color:red}.a + .b ~ .d{color:red}</style>" + fill("<p class=b>x<p class=d>", 4*mb),
		"rules by words":       "<style>.z ~ b{color:red}</style><p>" + fill("x<!---->", 2*mb) + fill("<b>x</b>", 2*mb),
		"rules by anything":    "<style>" + fill("[a~=b] :not(:is([c],.d) ~ e) > :nth-child(2n){color:red}", mb) + "</style>" + fill("<p a=b>x", 4*mb),
		"rules by number":      "<style>:nth-child(3n+1):nth-last-of-type(2n){color:red}</style>" + fill("<p>x<b>y</b>", 4*mb),
		"rules by far descent": "<style>.a > .a .a > .a .a > .a .a > .b{color:red}</style>" + fill("<div class=a>", mb/64) + fill("<p class=b>x", 4*mb),
		"rules in rules":       "<style>" + fill(".a{&&&,&&{", mb) + "</style>" + fill("<p class=a>x", mb),
		"rules in parentheses": "<style>" + fill(":not(", mb) + "{color:red}</style>" + fill("<p class=a>x", mb),
		"custom properties":    fill("<p style='--a:var(--b)var(--b);--b:var(--a)var(--a);color:var(--a)'>x", 4*mb),
		"custom in custom":     fill("<b style='--a:var(--a)x;color:var(--c)'>x", 4*mb),
		"attributes asked for": fill("<p q=1>x", 4*mb) + "<style>[q]{color:red}</style>",
		"classes":              "<style>.c1{color:red}</style><p class='" + fill(classes.String(), 4*mb) + "'>x",
		"braces":               "<style>" + fill("@media{", mb) + "</style>x",
		"styles":               fill("<style>a{color:red}</style>", 4*mb),
		"options":              fill("<select><option>x", 4*mb),
		"selects":              "<select>" + fill("<option>x", 4*mb),
		"quotes of a mailer":   fill("<div class=gmail_quote>", 12000) + fill("x<br>", 4*mb),
		"heads of a mailer":    fill("<div id=divRplyFwdMsg>x", 4*mb),
		"nothing below quotes": "<div>a</div><div class=gmail_quote>b</div>" + fill("<br>", 4*mb),
		"tags":                 fill("\U000e0041", 4*mb),
		"zero widths":          fill("\u200b\u200c", 4*mb) + "x",
	}
}

// TestBombs: no page costs much time.
func TestBombs(t *testing.T) {
	limit := time.Second // several times what the worst takes: the machine may be busy
	if raceEnabled {
		limit *= 30
	}
	for name, s := range bombs() {
		before := cpuTime(t)
		p := Read(s)
		text, md := p.Text(), p.Markdown()
		r, quoted := ReadReply(s).Reply()
		r.Without(quoted)
		cpu := cpuTime(t) - before
		if cpu > limit/4 {
			t.Logf("%s: %v, %d nodes, %d and %d octets", name, cpu, len(p.nodes), len(text), len(md))
		}
		if cpu > limit {
			t.Errorf("%s takes %v of CPU", name, cpu)
		}
		if len(text) > 2*maxOctets*maxPrefix || len(p.nodes) > maxNodes+maxActive {
			t.Errorf("%s: %d octets, %d nodes", name, len(text), len(p.nodes))
		}
	}
}

func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
