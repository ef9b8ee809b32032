package htmltext

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// CheckTree holds the tree to that of html.Parse, styles left aside: the same
// characters in the same order.
func CheckTree(t testing.TB, name, source string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(source))
	if err != nil {
		return // nested too deep for it
	}
	var want strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			switch {
			case c.Type == html.TextNode && classes[n.DataAtom]&unseen == 0:
				want.WriteString(c.Data)
			case c.Type == html.ElementNode && classes[c.DataAtom]&unseen == 0:
				walk(c)
			}
		}
	}
	walk(doc)
	p := Read(source)
	var got strings.Builder
	var mine func(int32)
	mine = func(i int32) {
		for c := range p.children(i) {
			switch n := &p.nodes[c]; {
			case n.tag == textTag:
				got.Write(p.text(n))
			case n.class&unseen == 0:
				mine(c)
			}
		}
	}
	mine(0)
	if g, w := letters(got.String()), letters(want.String()); g != w {
		i := 0
		for i < len(g) && i < len(w) && g[i] == w[i] {
			i++
		}
		t.Errorf("%s: the tree differs at %d: %.80q, want %.80q", name, i, g[max(0, i-20):], w[max(0, i-20):])
	}
}

// TestTree: misnested, unclosed and misplaced elements stand where browsers put
// them.
func TestTree(t *testing.T) {
	for _, tt := range pieces {
		if strings.Contains(tt.html, "noscript") {
			continue // html.Parse runs scripts
		}
		CheckTree(t, tt.name, tt.html)
	}
	for _, s := range []string{
		"<b>a<i>b</b>c</i>d", "<a>b<div>c</a>d</div>e", "<p>a<table>b<tr>c<td>d</table>e", "<table><tr><td>a</table>b<td>c", "<b><p>a</b>b<p>c", "<font><div>a<p>b</font>c</div>d",
		"<ul><li>a<li>b<ul><li>c</ul>d<li>e</ul>f", "<dl><dt>a<dd>b<dt>c</dl>", "<select><option>a<option>b</select>c", "<table><caption>a<tr><td>b</table>", "<h1>a<h2>b</h1>c", "<div>a</p>b</div>c",
		"<button>a<button>b</button>c", "<table><tbody>a<b>b</b><tr><td>c</table>d", "<nobr>a<nobr>b", "<a>a<a>b<a>c", "<p>a<ul><li>b</p>c</ul>d", "<span>a<div>b</span>c</div>d",
		"<table><tr><td><table><tr><td>a</table>b</table>c", "<i>a<b>b<p>c</i>d</b>e", "<head><title>x</title>a</head>b", "<body>a</body>b</html>c", "<form>a<form>b</form>c</form>d", "<pre>\n\na</pre>",
		"<marquee>a<b>b</marquee>c", "<object>a<b>b</object>c", "<table><td>a<tr>b<td>c</table>", "<option>a<optgroup>b</optgroup>c", "<b>a<table><tr><td>b</b>c</table>d", "<li>a<p>b<li>c", "</br>a</p>b",
	} {
		CheckTree(t, s, s)
	}
	CheckTree(t, "letter", letter())
}
