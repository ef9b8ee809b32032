package htmltext

import (
	"strings"
	"testing"
)

// tricks are ways to put SECRET into a mail that no reader sees. Each stands
// between two words that are seen.
var tricks = []struct{ name, html string }{
	{"display", `<div style="display:none">SECRET</div>`},
	{"display, important", `<div style="display: none !important; display:block">SECRET</div>`},
	{"display, upper case", `<DIV STYLE="DISPLAY:NONE">SECRET</DIV>`},
	{"display with a comment", `<div style="display:/* x */none">SECRET</div>`},
	{"display with an escape", `<div style="d\69splay:n\6fne">SECRET</div>`},
	{"display with an entity", `<div style="display&#58;none">SECRET</div>`},
	{"display without quotes", `<div style=display:none>SECRET</div>`},
	{"display with line ends", "<div style=\"display\n:\tnone\">SECRET</div>"},
	{"display after a quoted semicolon", `<div style="font-family:'a;b';display:none">SECRET</div>`},
	{"display of an ancestor", `<table style="display:none"><tr><td><p style="display:block">SECRET</p></td></tr></table>`},
	{"display of a row", `<table><tr style="display:none"><td>SECRET</td></tr></table>`},
	{"display of a cell", `<table><tr><td style="display:none">SECRET</td></tr></table>`},
	{"hidden attribute", `<p hidden>SECRET</p>`},
	{"hidden until found", `<p hidden="until-found">SECRET</p>`},
	{"visibility", `<p style="visibility:hidden">SECRET</p>`},
	{"visibility, collapsed", `<p style="visibility:collapse">SECRET</p>`},
	{"opacity", `<p style="opacity:0">SECRET</p>`},
	{"opacity, nearly none", `<p style="opacity:.01">SECRET</p>`},
	{"opacity in percent", `<p style="opacity:0%">SECRET</p>`},
	{"opacity by filter", `<p style="filter:opacity(0)">SECRET</p>`},
	{"opacity by the old filter", `<p style="filter:alpha(opacity=0)">SECRET</p>`},
	{"font size", `<span style="font-size:0">SECRET</span>`},
	{"font size, 1px", `<span style="font-size:1px">SECRET</span>`},
	{"font size in em", `<span style="font-size:0.01em">SECRET</span>`},
	{"font size in percent", `<span style="font-size:0%">SECRET</span>`},
	{"font size in points", `<span style="font-size:.1pt">SECRET</span>`},
	{"font size, inherited", `<div style="font-size:0px"><b>SECRET</b></div>`},
	{"font size, relative to none", `<div style="font-size:0"><span style="font-size:2em">SECRET</span></div>`},
	{"font shorthand", `<span style="font:0/0 a">SECRET</span>`},
	{"font shorthand with weight", `<span style="font:bold 1px Arial">SECRET</span>`},
	{"max-height", `<div style="max-height:0;overflow:hidden">SECRET</div>`},
	{"max-height alone", `<div style="max-height:0px">SECRET</div>`},
	{"max-width", `<div style="max-width:0;overflow:hidden">SECRET</div>`},
	{"height", `<div style="height:0;overflow:hidden">SECRET</div>`},
	{"height, 1px", `<div style="height:1px;width:1px;overflow:hidden">SECRET</div>`},
	{"width", `<div style="width:0;overflow:hidden">SECRET</div>`},
	{"line-height", `<div style="line-height:0;overflow:hidden">SECRET</div>`},
	{"white on white", `<span style="color:#ffffff">SECRET</span>`},
	{"white by name", `<span style="color:white">SECRET</span>`},
	{"white, nearly", `<span style="color:#fefefe">SECRET</span>`},
	{"white of a font element", `<font color="#FFFFFF">SECRET</font>`},
	{"white without #", `<font color=ffffff>SECRET</font>`},
	{"white, short", `<span style="color:#fff">SECRET</span>`},
	{"white as rgb", `<span style="color:rgb(255, 255, 255)">SECRET</span>`},
	{"white as rgb in percent", `<span style="color:rgb(100% 100% 100%)">SECRET</span>`},
	{"white as hsl", `<span style="color:hsl(0,0%,100%)">SECRET</span>`},
	{"transparent", `<span style="color:transparent">SECRET</span>`},
	{"transparent rgba", `<span style="color:rgba(0,0,0,0)">SECRET</span>`},
	{"transparent hex", `<span style="color:#0000">SECRET</span>`},
	{"red on red", `<div style="background-color:#c00"><span style="color:#cc0000">SECRET</span></div>`},
	{"red on red by attribute", `<table bgcolor="#cc0000"><tr><td><font color="#cc0000">SECRET</font></td></tr></table>`},
	{"black on black", `<div style="background:#000">SECRET</div>`},
	{"on the same background shorthand", `<div style="background:#abcdef none repeat; color:#abcdef">SECRET</div>`},
	{"link of the colour of its ground", `<a href="https://a.example/x" style="color:#fff">SECRET</a>`},
	{"left of the page", `<div style="position:absolute;left:-9999px">SECRET</div>`},
	{"above the page", `<div style="position:absolute;top:-1000px">SECRET</div>`},
	{"fixed, right of the page", `<div style="position:fixed;right:-5000px">SECRET</div>`},
	{"relative, left of the page", `<div style="position:relative;left:-200em">SECRET</div>`},
	{"margin", `<div style="margin-left:-9999px">SECRET</div>`},
	{"margin shorthand", `<div style="margin:0 0 0 -9999px">SECRET</div>`},
	{"text-indent", `<div style="text-indent:-9999px">SECRET</div>`},
	{"letter-spacing", `<span style="letter-spacing:-1em">SECRET</span>`},
	{"clip", `<div style="position:absolute;clip:rect(0 0 0 0)">SECRET</div>`},
	{"clip, 1px", `<div style="position:absolute;clip:rect(1px,1px,1px,1px)">SECRET</div>`},
	{"clip-path", `<div style="clip-path:inset(100%)">SECRET</div>`},
	{"clip-path, circle", `<div style="clip-path:circle(0)">SECRET</div>`},
	{"clip-path, polygon", `<div style="clip-path:polygon(0 0, 0 0, 0 0)">SECRET</div>`},
	{"transform", `<div style="transform:scale(0)">SECRET</div>`},
	{"transform out of the page", `<div style="transform:translateX(-9999px)">SECRET</div>`},
	{"content-visibility", `<div style="content-visibility:hidden">SECRET</div>`},
	{"mso-hide", `<div style="mso-hide:all">SECRET</div>`},
	{"preheader of a service", `<div style="display:none;font-size:1px;color:#ffffff;line-height:1px;max-height:0px;max-width:0px;opacity:0;overflow:hidden;">SECRET</div>`},
	{"rule by class", `<style>.h{display:none}</style><p class="a h b">SECRET</p>`},
	{"rule by class, upper case", `<style>.Hide{display:none}</style><p class=hide>SECRET</p>`},
	{"rule by id", `<style>#h{display:none}</style><p id=h>SECRET</p>`},
	{"rule by tag", `<style>h6{display:none}</style><h6>SECRET</h6>`},
	{"rule by tag and class", `<style>p.h{color:#fff}</style><p class=h>SECRET</p>`},
	{"rule by descent", `<style>.o .h{font-size:0}</style><div class=o><p><span class=h>SECRET</span></p></div>`},
	{"rule by child", `<style>div > span{opacity:0}</style><div><span>SECRET</span></div>`},
	{"rule among selectors", `<style>.a, .h , #x {visibility:hidden}</style><p class=h>SECRET</p>`},
	{"rule in a comment's marks", `<style><!-- .h{display:none} --></style><p class=h>SECRET</p>`},
	{"rule after a comment", `<style>/* } */.h{display:none}</style><p class=h>SECRET</p>`},
	{"rule in @media screen", `<style>@media screen{.h{display:none}}</style><p class=h>SECRET</p>`},
	{"rule in @media by width", `<style>@media only screen and (min-width:480px){.h{display:none}}</style><p class=h>SECRET</p>`},
	{"rule that is important", `<style>.h{display:none !important}</style><p class=h style="display:block">SECRET</p>`},
	{"rule that is more specific", `<style>#h{display:none} .h{display:block}</style><p class=h id=h>SECRET</p>`},
	{"rule that comes later", `<p class=h>SECRET</p><style>.h{display:none}</style>`},
	{"rule of the ground", `<style>.d{background:#222}.h{color:#222}</style><div class=d><p class=h>SECRET</p></div>`},
	{"comment", `<!-- SECRET -->`},
	{"conditional comment", `<!--[if mso]><p>SECRET</p><![endif]-->`},
	{"conditional comment, nested", `<!--[if (gte mso 9)|(IE)]><table><tr><td>SECRET<![endif]-->`},
	{"declaration", `<!SECRET>`},
	{"processing instruction", `<?SECRET?>`},
	{"script", `<script>SECRET</script>`},
	{"style", `<style>SECRET</style>`},
	{"title", `<title>SECRET</title>`},
	{"template", `<template><p>SECRET</p></template>`},
	{"datalist", `<datalist><option>SECRET</datalist>`},
	{"iframe", `<iframe>SECRET</iframe>`},
	{"noframes", `<noframes>SECRET</noframes>`},
	{"hidden input", `<input type=hidden value="SECRET">`},
	{"option that isn't chosen", `<select><option>x<option>SECRET</select>`},
	{"attributes", `<p title="SECRET" data-x="SECRET" aria-label="SECRET"></p>`},
	{"alt of a tracking pixel", `<img src=x width=1 height=1 alt="SECRET">`},
	{"alt of a hidden image", `<img src=x style="display:none" alt="SECRET">`},
	{"dialog", `<dialog>SECRET</dialog>`},
	{"font never closed, around paragraphs", `<div><p><font style="display:none">x</p><p>SECRET</p></font></div>`},
	{"span that a block keeps open", `<div><span style="display:none"><div>x</span>SECRET</div></span></div>`},
	{"cell that is never closed", `<table><tr><td style="display:none">SECRET<tr><td></table>`},
	{"item that is never closed", `<ul><li style="display:none">SECRET<li></ul>`},
	{"body's own colours", `<div style="background:#fff"><div style="color:inherit"><font color=white>SECRET</font></div></div>`},
	{"details of ruby", `<ruby>x<rp>SECRET</rp></ruby>`},
	{"Unicode tags", "\U000e0053\U000e0045\U000e0043"},
}

func TestHiddenIsNotShown(t *testing.T) {
	for _, tt := range tricks {
		p := Read("<p>before</p>" + tt.html + "<p>after</p>")
		for how, got := range map[string]string{"text": p.Text(), "markdown": p.Markdown()} {
			if strings.Contains(got, "SECRET") || strings.ContainsFunc(got, func(c rune) bool { return c >= 0xe0000 }) {
				t.Errorf("%s: %s shows %q", tt.name, how, got)
			}
			if !strings.HasPrefix(got, "before") || !strings.HasSuffix(got, "after") {
				t.Errorf("%s: %s lacks what is shown: %q", tt.name, how, got)
			}
		}
	}
	t.Logf("%d tricks", len(tricks))
}

// seen is what must not be taken for hidden.
var seen = []struct{ name, html string }{
	{"size of a layout's cell", `<td style="font-size:0"><div style="font-size:13px">SEEN</div></td>`},
	{"size set again in a table", `<table><tr><td style="font-size:0px;line-height:0"><p style="font-size:16px;line-height:20px">SEEN</p></td></tr></table>`},
	{"visible in the invisible", `<div style="visibility:hidden"><p style="visibility:visible">SEEN</p></div>`},
	{"white on a dark ground", `<div style="background:#333"><span style="color:#fff">SEEN</span></div>`},
	{"white on a dark cell", `<table><tr><td bgcolor="#333333"><a href="https://a.example/x" style="color:#ffffff">SEEN</a></td></tr></table>`},
	{"white on an image", `<table><tr><td background="x.png"><p style="color:#fff">SEEN</p></td></tr></table>`},
	{"white on an image by style", `<div style="background-image:url(x.png)"><p style="color:#fff">SEEN</p></div>`},
	{"white on an image with a colour", `<div style="background:#fff url('x.png') no-repeat"><p style="color:#fff">SEEN</p></div>`},
	{"white on a gradient", `<div style="background:linear-gradient(#000,#333)"><p style="color:#fff">SEEN</p></div>`},
	{"light grey", `<span style="color:#cccccc">SEEN</span>`},
	{"link on the ground of a button", `<a href="https://a.example/x" style="background:#06c;color:#fff">SEEN</a>`},
	{"ground by a rule", `<style>.b{background-color:#06c}.b a{color:#fff}</style><div class=b><a href=x>SEEN</a></div>`},
	{"hidden on phones", `<style>@media only screen and (max-width:600px){.d{display:none!important}}</style><p class=d>SEEN</p>`},
	{"hidden in the dark", `<style>@media (prefers-color-scheme:dark){.d{display:none}}</style><p class=d>SEEN</p>`},
	{"hidden in print", `<style media=print>.d{display:none}</style><style>@media print{.d{display:none}}</style><p class=d>SEEN</p>`},
	{"hidden under the pointer", `<style>p:hover{display:none}</style><p>SEEN</p>`},
	{"hidden in another reader", `<style>u + .body .d{display:none} [owa] .d{display:none}</style><p class=d>SEEN</p>`},
	{"another's class", `<style>.h{display:none}</style><p class="hh h2">SEEN</p>`},
	{"another's child", `<style>div > .h{display:none}</style><div><p><b class=h>SEEN</b></p></div>`},
	{"overridden", `<style>.h{display:none}</style><p class=h style="display:block">SEEN</p>`},
	{"overridden by an important rule", `<style>.h{display:block!important}</style><p class=h style="display:none">SEEN</p>`},
	{"max-height of none", `<div style="max-height:none;overflow:hidden">SEEN</div>`},
	{"height that doesn't cut", `<div style="height:0">SEEN</div>`},
	{"small print", `<p style="font-size:8px">SEEN</p>`},
	{"small by word", `<p style="font-size:xx-small">SEEN</p>`},
	{"font shorthand", `<p style="font:400 14px/1.5 Arial">SEEN</p>`},
	{"opacity of a half", `<p style="opacity:.5">SEEN</p>`},
	{"moved a little", `<p style="position:relative;left:-5px;margin-left:-20px;text-indent:-18.0pt">SEEN</p>`},
	{"negative margin of a column", `<div style="margin:0 -10px">SEEN</div>`},
	{"image's alt in a cell of no size", `<td style="font-size:0"><img src=x alt="SEEN" width=200></td>`},
	{"after a comment that looks open", `<!--[if mso]>x<![endif]--><!--[if !mso]><!-- -->SEEN<!--<![endif]-->`},
	{"display that is spelled wrong", `<p style="displaynone; display">SEEN</p>`},
	{"inherited nothing", `<p style="color:inherit;background:inherit;font-size:inherit">SEEN</p>`},
	{"dark page", `<body bgcolor="#000000" text="#ffffff">SEEN</body>`},
	{"dark page by rule", `<style>body{background:#111;color:#eee}</style>SEEN`},
	{"marked", `<div style="background:#ff0"><mark>SEEN</mark></div>`},
	{"foster parent", `<table style="display:none">SEEN<tr><td>x</table>`},
	{"font closed in a block", `<font style="display:none">x<div>y</font>SEEN</div>`},
	{"overflow of a wrapper", `<div style="overflow:hidden;width:100%;line-height:1">SEEN</div>`},
	{"width of a column by attribute", `<table width=0><tr><td>SEEN</table>`},
}

func TestSeenIsShown(t *testing.T) {
	for _, tt := range seen {
		p := Read(tt.html)
		if got := p.Text(); !strings.Contains(got, "SEEN") {
			t.Errorf("%s: %q, hidden %v", tt.name, got, p.Hidden())
		}
	}
}
