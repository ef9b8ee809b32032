package htmltext

import (
	"strings"
	"testing"
)

// TestWithout: elements go whose words all stand in what is taken out.
func TestWithout(t *testing.T) {
	tests := []struct{ name, html, quoted, want string }{
		{"an element", `<p>a</p><p>b</p>`, "b", `<p>a</p>`},
		{"an element in one", `<div><p>a</p><p><i>b</i></p></div>`, "b", `<div><p>a</p></div>`},
		{"a run of text", `<div>a<br>b</div>`, "b", `<div>a<br></div>`},
		{"what shows nothing behind it", `<p>a</p><p>b</p><br><img src=x><hr>`, "b", `<p>a</p>`},
		{"the rule above", `<p>a</p><hr><p>b</p>`, "b", `<p>a</p>`},
		{"not the image above", `<p>a</p><img src=x><p>b</p>`, "b", `<p>a</p><img src=x>`},
		{"in between", `<p>a</p><p>b</p><p>c</p>`, "b", `<p>a</p><p>c</p>`},
		{"never closed", `<p>a<p>b`, "b", `<p>a`},
		{"in a table", `<table><tr><td>a</td></tr><tr><td>b</td></tr></table>`, "b", `<table><tr><td>a</td></tr></table>`},
		{"hidden text goes with its element", `<p>a</p><p>b<span hidden>x</span></p>`, "b", `<p>a</p>`},
		{"everything", `<p>b</p>`, "b", ``},
		{"nothing", `<p>a</p>`, "z", ``},
	}
	for _, tt := range tests {
		r, _ := ReadReply(tt.html).Reply()
		var spans []Span
		if i := strings.Index(r.Text, tt.quoted); i >= 0 {
			spans = []Span{{i, i + len(tt.quoted)}}
		}
		if got := r.Without(spans); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzReply: the text is that of Text, and what is left of the HTML is some of it.
func FuzzReply(f *testing.F) {
	for _, tt := range pieces {
		f.Add(tt.html, 3, 9)
	}
	f.Fuzz(func(t *testing.T, s string, from, to int) {
		s = strings.ToValidUTF8(s, "\ufffd")
		p := ReadReply(s)
		r, spans := p.Reply()
		if want := Read(s).Text(); r.Text != want {
			t.Errorf("%q is %q, want %q", s, r.Text, want)
		}
		for _, sp := range spans {
			if sp.Start < 0 || sp.Start > sp.End || sp.End > len(r.Text) {
				t.Errorf("%q: %+v of %d", s, sp, len(r.Text))
			}
		}
		if from < 0 || to < from || to > len(r.Text) {
			return
		}
		if got := r.Without([]Span{{from, to}}); !subsequence(s, got) {
			t.Errorf("%q is no part of %q", got, s)
		}
	})
}
