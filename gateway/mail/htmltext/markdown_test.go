package htmltext

import "testing"

// TestMarkdown: HTML and the Markdown of what a reader sees of it.
func TestMarkdown(t *testing.T) {
	tests := []struct{ name, html, want string }{
		{"headings", "<h1>a</h1><h2>b <b>c</b></h2>d<h6>e<br>f</h6>", "# a\n\n## b c\n\nd\n\n###### e f"},
		{"emphasis", "<b>a</b> <i>b</i> <strong><em>c</em></strong> <s>d</s>", "**a** *b* ***c*** ~~d~~"},
		{"emphasis in a word", "Total <b>12</b>.50", "Total **12**.50"},
		{"emphasis with blanks inside", "a<b> b </b>c", "a **b** c"},
		{"emphasis of nothing", "a<b> </b>b<i></i>c", "a bc"},
		{"emphasis twice", "<b>a<strong>b</strong></b>", "**ab**"},
		{"emphasis over blocks", "<b><p>a</p><p>b</p></b>", "**a**\n\n**b**"},
		{"emphasis over a line end", "<b>a<br>b</b>", "**a**  \n**b**"},
		{"line ends", "a<br>b<br><br>c", "a  \nb\n\nc"},
		{"link", `see <a href="https://a.example/x?y=1&amp;z=(2)">this <b>page</b></a>.`, "see [this **page**](https://a.example/x?y=1&z=%282%29)."},
		{"link that is its target", `<a href="https://a.example/x">https://a.example/x</a>`, "<https://a.example/x>"},
		{"link around blocks", `<p>x</p><a href="https://a.example/x"><h2>T</h2><p>more</p></a><p>y</p>`, "x\n\n[T more](https://a.example/x)\n\ny"},
		{"link around an image", `<a href="https://a.example/x"><img src=x alt="Shop"></a>`, "[Shop](https://a.example/x)"},
		{"link without words", `a<a href="https://a.example/x"></a>b`, "ab"},
		{"mailto and tel", `<a href="mailto:ann@a.example">Ann</a> <a href="tel:+4930123">Call</a>`, "[Ann](mailto:ann@a.example) [Call](tel:+4930123)"},
		{"link in a heading", `<h2><a href="https://a.example/x">T</a></h2>`, "## [T](https://a.example/x)"},
		{"image of the mail", `<img src="cid:logo@x" alt="Logo">`, "![Logo](cid:logo@x)"},
		{"lists", "<ul><li>a<li>b<ol start=3><li>c<li>d</ol></ul>", "- a\n- b\n  3. c\n  4. d"},
		{"list with paragraphs", "<ul><li><p>a</p><p>b</p></ul>", "- a\n\n  b"},
		{"quote", "<blockquote>a<p>b</p></blockquote>", "> a\n>\n> b"},
		{"table", "<table><thead><tr><th>Item<th>Price<tbody><tr><td>Pear | apple<td><b>1</b>.50</table>", "| Item | Price |\n| --- | --- |\n| Pear \\| apple | **1**.50 |"},
		{"table with links and lines", `<table border=1><tr><td>a<br>b<td><a href="https://a.example/x">c</a><tr><td>d<td></table>`, "| a b | [c](https://a.example/x) |\n| --- | --- |\n| d |  |"},
		{"layout", "<table role=presentation><tr><td><h1>a</h1></td></tr><tr><td>b</td></tr></table>", "# a\n\nb"},
		{"code", "run <code>a_b *c*</code> now", "run `a_b *c*` now"},
		{"preformatted", "<pre>a *b*\n  c\n</pre>d", "```\na *b*\n  c\n```\n\nd"},
		{"rule", "a<hr>b", "a\n\n---\n\nb"},
		{"characters that are markup", "1. a * b _c_ snake_case [d] `e` &lt;f> \\ #g & &amp;amp;", "1\\. a \\* b \\_c\\_ snake_case \\[d\\] \\`e\\` \\<f> \\\\ #g & \\&amp;"},
		{"lines that are markup", "# a<p>- b</p><p>+ c</p><p>&gt; d</p><p>2) e</p><p>===</p>", "\\# a\n\n\\- b\n\n\\+ c\n\n\\> d\n\n2\\) e\n\n\\==="},
		{"hidden", `<h1 style="display:none">x</h1><p>y<span style="color:#fff">z</span></p>`, "y"},
	}
	for _, tt := range tests {
		if got := Read(tt.html).Markdown(); got != tt.want {
			t.Errorf("%s\n%s\n got %q\nwant %q", tt.name, tt.html, got, tt.want)
		}
	}
}
