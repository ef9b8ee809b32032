package css

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseColour(t *testing.T) {
	for in, want := range map[string]string{
		"#fff": "ffffffff", "#F00": "ffff0000", "#f008": "88ff0000", "#12345678": "78123456", "#123456": "ff123456", "#12": "-", "#ggg": "-", "#": "-", "": "-",
		"white": "ffffffff", "RebeccaPurple": "ff663399", "transparent": "00000000", "nocolour": "-", strings.Repeat("a", 30): "-",
		"rgb(255, 0, 0)": "ffff0000", "rgb(100%,0%,0%)": "ffff0000", "rgba(0,0,0,0)": "00000000", "rgb(0 128 0 / 50%)": "7f008000", "rgb(1,2)": "-", "rgb(300,-5,0)": "ffff0000",
		"hsl(0,100%,50%)": "ffff0000", "hsl(120 100% 25%)": "ff007f00", "hsl(-240,100%,50%)": "ff00ff00", "hsl(600,100%,50%)": "ff0000ff", "hsla(0,0%,100%,.5)": "7fffffff",
		"rgb(1.2.3,0,0)": "-",
	} {
		got := "-"
		if c, ok := ParseColour([]byte(in)); ok {
			got = fmt.Sprintf("%08x", uint32(c))
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestColoursThatLookTheSame(t *testing.T) {
	for _, c := range []struct {
		a, b Colour
		near bool
	}{
		{White, White, true}, {White, Black, false}, {0xffffffff, 0xffeeeeee, true}, {0xffffffff, 0xffededed, false},
		{0xff101010, 0xff10ff10, false}, {0xff101010, 0xff202020, true}, {0xff000000, 0xff000012, false},
	} {
		if Near(c.a, c.b) != c.near || Near(c.b, c.a) != c.near {
			t.Errorf("%08x and %08x: %v", c.a, c.b, !c.near)
		}
	}
	for _, c := range []struct{ c, ground, want Colour }{
		{0x00ff0000, White, White}, {0xffff0000, White, 0xffff0000}, {0x80000000, White, 0xff7f7f7f}, {0x80ffffff, Black, 0xff808080},
	} {
		if got := c.c.Over(c.ground); got != c.want {
			t.Errorf("%08x over %08x: %08x, want %08x", c.c, c.ground, got, c.want)
		}
	}
}

func TestParseLength(t *testing.T) {
	for in, want := range map[string]float32{
		"0": 0, "12px": 12, "12PX": 12, "-3px": -3, "+.5px": 0.5, "12pt": 16, "1pc": 16, "1in": 96, "2rem": 32, "2em": 40, "1ex": 10, "50%": 250, "10vw": 80,
	} {
		if got, ok := ParseLength([]byte(in), 20, 500); !ok || got < want-0.01 || got > want+0.01 {
			t.Errorf("%q: %v %v, want %v", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "px", "auto", "12furlongs", "--3px", "1.2.3px", "calc(1px)"} {
		if got, ok := ParseLength([]byte(in), 20, 500); ok {
			t.Errorf("%q is %v", in, got)
		}
	}
}

func TestDeclarations(t *testing.T) {
	for in, want := range map[string][]string{
		"display:none":                                  {"1 none"},
		" DISPLAY : None !Important ; ":                 {"1 None!"},
		"d/* x */isplay: none":                          {"1 none"},
		`\64 isplay: none`:                              {"1 none"},
		"color: red; nothing: 3; opacity: 0":            {"7 red", "3 0"},
		"background: url(a;b:c); height: 0":             {"8 url(a;b:c)", "11 0"},
		`background: url("a;b"); height: 0`:             {`8 url("a;b")`, "11 0"},
		"color:; display none; :x":                      nil,
		"--ink: red !important; color: var(--ink)":      {"36 --ink: red!", "7 var(--ink) refers"},
		"color: red !other":                             {"7 red !other"},
		"/* never ends color: red":                      nil,
		"a-name-that-is-longer-than-any-property-is: 1": nil,
	} {
		var got []string
		Declarations([]byte(in), func(d Declaration) {
			s := fmt.Sprint(uint8(d.Prop), " ", string(d.Value))
			if d.Important {
				s += "!"
			}
			if d.Refers {
				s += " refers"
			}
			got = append(got, s)
		})
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{`\64 isplay`: "display", `\000064isplay`: "display", `a\:b`: "a:b", `end\`: `end\`, `\20ac x`: "\u20acx", "plain": "plain"} {
		if got := string(UnescapeCSS([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// What hides text, and what looks like it and doesn't.
func TestClipping(t *testing.T) {
	for _, c := range []struct {
		name string
		of   func([]byte) bool
		yes  []string
		no   []string
	}{
		{"ClipsAll", ClipsAll, []string{"rect(0,0,0,0)", "rect(0 0 0 0)", "RECT(1px, 1px, 1px, 1px)"}, []string{"auto", "rect(0,100px,100px,0)", "rect(auto,auto,auto,auto)", "rect()"}},
		{"ClipsPath", ClipsPath, []string{"inset(50%)", "inset(100% 0 0 0)", "circle(0)", "ellipse(0 0)", "polygon(0 0, 0 0)"}, []string{"none", "inset(10%)", "inset(2px)", "circle(50px)", "polygon(0 0, 100% 0, 50% 50%)", "url(#x)"}},
		{"MovesAway", MovesAway, []string{"scale(0)", "scaleX(0)", "scale(0.01)", "translate(-9999px)", "translate(0, -9999px)", "translateX(9999px)"}, []string{"none", "scale(1)", "scale(0.9)", "scale(-1)", "translate(-10px, 20px)", "rotate(0)"}},
	} {
		for _, v := range c.yes {
			if !c.of([]byte(v)) {
				t.Errorf("%s: %q doesn't", c.name, v)
			}
		}
		for _, v := range c.no {
			if c.of([]byte(v)) {
				t.Errorf("%s: %q does", c.name, v)
			}
		}
	}
}

func TestMedia(t *testing.T) {
	for in, want := range map[string]bool{
		"@media screen": true, "@media print": false, "@media only screen and (max-width: 600px)": false, "@media (min-width:600px)": true, "@media print, screen": true,
		"@media": true, "@media not screen": false, "@media (max-width: 1000px)": true, "@media (min-width: 1001px)": false, "@media (hover: hover)": false,
		"@supports (display: grid)": true, "@layer base": true, "@font-face": false, "@MEDIA ALL": true,
	} {
		if got := AtRuleApplies([]byte(in)); got != want {
			t.Errorf("%s: %v", in, got)
		}
	}
}

func TestNth(t *testing.T) {
	for in, want := range map[string]string{
		"odd": "1 3 5 7", "even": "2 4 6 8", "3": "3", "2n+1": "1 3 5 7", "n": "1 2 3 4 5 6 7 8", "-n+3": "1 2 3", "3n-1": "2 5 8", " 2N + 2 ": "2 4 6 8", "+n+7": "7 8", "0": "",
	} {
		a, b, ok := ParseNth([]byte(in))
		var fits []string
		for place := int32(1); place <= 8; place++ {
			if Nth(place, a, b) {
				fits = append(fits, fmt.Sprint(place))
			}
		}
		if got := strings.Join(fits, " "); !ok || got != want {
			t.Errorf("%q: %q, want %q (%d %d %v)", in, got, want, a, b, ok)
		}
	}
	for _, in := range []string{"", "x", "2m+1", "n+", "1.5n"} {
		if a, b, ok := ParseNth([]byte(in)); ok {
			t.Errorf("%q is %dn+%d", in, a, b)
		}
	}
}

func TestValueFits(t *testing.T) {
	for _, c := range []struct {
		op      byte
		v, want string
		fits    bool
	}{
		{0, "", "", true}, {'=', "a", "a", true}, {'=', "ab", "a", false}, {'~', "a b c", "b", true}, {'~', "abc", "b", false}, {'~', "", "", false},
		{'|', "en", "en", true}, {'|', "en-GB", "en", true}, {'|', "english", "en", false}, {'^', "abc", "ab", true}, {'^', "abc", "bc", false}, {'^', "abc", "", false},
		{'$', "abc", "bc", true}, {'$', "abc", "ab", false}, {'*', "abc", "b", true}, {'*', "abc", "d", false}, {'*', "abc", "", false},
	} {
		if got := ValueFits(c.op, []byte(c.v), []byte(c.want)); got != c.fits {
			t.Errorf("%q %c= %q: %v", c.v, c.op, c.want, got)
		}
	}
	if !Folds("type") || !Folds("lang") || Folds("class") || Folds("id") {
		t.Error("which attributes have no case")
	}
}

func TestCutting(t *testing.T) {
	show := func(a, b []byte) string { return string(a) + "|" + string(b) }
	for _, c := range []struct{ got, want string }{
		{show(CutTop([]byte("a(b,c),d"), ',')), "a(b,c)|d"},
		{show(CutTop([]byte(`a[x="],"],b`), ',')), `a[x="],"]|b`},
		{show(CutTop([]byte("a,"), ',')), "a|"},
		{show(CutTop([]byte("a)b,c"), ',')), "a)b|c"},
		{show(CutTop([]byte("a(b,c"), ',')), "a(b,c|"},
		{show(ClosingParen([]byte("a(b)c)d"))), "a(b)c|d"},
		{show(ClosingParen([]byte(`")")x`))), `")"|x`},
		{show(Word([]byte(" rgb(1, 2) solid"))), "rgb(1, 2)|solid"},
		{show(Word([]byte("12px/1.5 Arial"))), "12px|1.5 Arial"},
		{show(Word(nil)), "|"},
		{fmt.Sprint(ClosingBrace([]byte("a{b}c}d"))), "5"},
		{fmt.Sprint(ClosingBrace([]byte("a{b"))), "3"},
		{fmt.Sprint(IndexVar([]byte("1px VAR(--x)"))), "4"},
		{fmt.Sprint(IndexVar([]byte("variable"))), "-1"},
		{string(NestedHead([]byte("div"), []byte("p, &.x"))), ":is(div) p,:is(div).x"},
		{string(Lower([]byte("A-z0\xc3"))), "a-z0\xc3"},
		{string(Trim([]byte(" \t\r\n\fa b "))), "a b"},
		{fmt.Sprint(HasFold([]byte("xxRgB("), "rgb"), HasFold([]byte("rg"), "rgb"), HasFold([]byte("rrgb"), "rgb")), "true false true"},
		{fmt.Sprint(DisplayOf([]byte("NONE")), DisplayOf([]byte("inline")), DisplayOf([]byte("flex")), DisplayOf([]byte("contents"))), "1 2 3 4"},
		{fmt.Sprint(Unhex('0'), Unhex('f'), Unhex('F'), Unhex('g'), Unhex('/'), Unhex(':')), "0 15 15 -1 -1 -1"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	if n := len(NestedHead([]byte(strings.Repeat("a", 100)), []byte(strings.Repeat("b,", 10_000)))); n > 2*MaxHead {
		t.Errorf("nested selectors of %d octets", n)
	}
	var words []string
	for w := range Fields([]byte(" one\ttwo  three ")) {
		words = append(words, string(w))
	}
	if !slices.Equal(words, []string{"one", "two", "three"}) {
		t.Errorf("%q", words)
	}
}

// FuzzReaders: whatever a style sheet holds, nothing fails, and nothing that is cut
// is lost.
func FuzzReaders(f *testing.F) {
	for _, s := range []string{"display:none", "a{b}c", `\64 x`, "rect(0,0,0,0)", "rgb(1,2,3)", "hsl(1,2%,3%)", "2n+1", "@media (min-width:1px)", "/*", `"`, "(((", "var(--a)"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		Declarations(slices.Clone(b), func(d Declaration) {
			if len(d.Value) == 0 {
				t.Error("an empty value")
			}
			ParseColour(d.Value)
			ParseLength(d.Value, DefaultSize, PageWidth)
			ClipsAll(d.Value)
			ClipsPath(d.Value)
			MovesAway(d.Value)
			DisplayOf(d.Value)
		})
		for _, separator := range []byte(",;{") {
			first, rest := CutTop(b, separator)
			if n := len(b) - len(first) - len(rest); n != 0 && n != 1 {
				t.Errorf("%d octets are lost", n)
			}
		}
		if i := ClosingBrace(b); i < len(b) && b[i] != '}' {
			t.Errorf("%q ends at %d", b, i)
		}
		MediaApplies(b)
		ParseNth(slices.Clone(b))
		NestedHead([]byte("x"), b)
	})
}
